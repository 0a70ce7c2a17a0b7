// The forms in which a caller may write a function: its name, with or without qualifier, and ARNs, also cut ones.
// Source: the API model's patterns and AWS's recorded answers.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "protocol/arn.h"

namespace ogni::protocol {

// The model's (eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}: us-east-1, us-gov-west-1, eusc-de-east-1.
inline bool is_model_region(std::string_view text) {
  const auto is_letter = [](char c) { return c >= 'a' && c <= 'z'; };
  const auto is_end = [&is_letter](std::string_view end) {  // -[a-z]+-\d
    if (end.size() < 4 || end.front() != '-' || end.back() < '0' || end.back() > '9') return false;
    if (end[end.size() - 2] != '-') return false;
    for (const char c : end.substr(1, end.size() - 3)) {
      if (!is_letter(c)) return false;
    }
    return true;
  };
  constexpr std::string_view kSovereign = "eusc-";
  if (text.starts_with(kSovereign)) text.remove_prefix(kSovereign.size());
  if (text.size() < 2 || !is_letter(text[0]) || !is_letter(text[1])) return false;
  text.remove_prefix(2);
  if (is_end(text)) return true;
  if (text.starts_with("-gov")) return is_end(text.substr(4));
  if (!text.starts_with("-iso")) return false;
  text.remove_prefix(4);
  return is_end(text) || (!text.empty() && is_letter(text.front()) && is_end(text.substr(1)));
}

// Which characters the model lets a name have: most operations take a namespaced name, which may have dots and
// $LATEST.PUBLISHED behind it; those that make or change a function take a plain one.
enum class NameForm { kPlain, kNamespaced };

inline bool is_function_name(std::string_view text, NameForm form) {
  if (text.empty()) return false;
  for (const char c : text) {
    if (!is_name_char(c) && !(c == '.' && form == NameForm::kNamespaced)) return false;
  }
  return true;
}

inline constexpr std::string_view kLatest = "$LATEST";
inline constexpr std::string_view kLatestPublished = "$LATEST.PUBLISHED";

// What may stand behind a name: $LATEST, a version number or an alias.
inline bool is_qualifier_of(std::string_view text, NameForm form) {
  return text == kLatest || is_name(text) || (form == NameForm::kNamespaced && text == kLatestPublished);
}

// The query parameter, which may have a '$' anywhere.
inline bool is_qualifier_parameter(std::string_view text) {
  if (text.empty() || text.size() > 128) return false;
  if (text == kLatestPublished) return true;
  for (const char c : text) {
    if (!is_name_char(c) && c != '$') return false;
  }
  return true;
}

// Aliases are whatever else a qualifier may be: neither a number nor with a '$'.
inline bool is_alias(std::string_view text) { return is_name(text) && !is_digits(text); }

// What a caller wrote as FunctionName, taken apart. Views into the text given to split_function_name.
struct FunctionParts {
  std::string_view name;
  std::optional<std::string_view> qualifier;
  std::optional<std::string_view> account;
  std::optional<std::string_view> region;
};

// (arn:(aws[a-zA-Z-]*)?:lambda:)?(REGION:)?(\d{12}:)?(function:)?NAME(:QUALIFIER)?, which also takes what looks like
// an ARN that is cut: "…:function" is a function whose name is "function". Nothing when `text` does not match. Does
// not check lengths, whose errors differ per operation.
inline std::optional<FunctionParts> split_function_name(std::string_view text, NameForm form = NameForm::kPlain) {
  const std::vector<std::string_view> parts = split_colons(text);
  const std::size_t count = parts.size();
  std::size_t first = 0;
  if (count > 3 && parts[0] == "arn" && parts[2] == "lambda") {
    if (!parts[1].empty() && !parts[1].starts_with("aws")) return {};
    for (const char c : parts[1]) {
      if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-')) return {};
    }
    first = 3;
  }
  // Each of the three is taken where it can be; a name that is then missing gives back what was taken last.
  for (unsigned given_back = 0; given_back < 8; ++given_back) {
    FunctionParts result;
    std::size_t at = first;
    if (at + 1 < count && (given_back & 4U) == 0 && is_model_region(parts[at])) result.region = parts[at++];
    if (at + 1 < count && (given_back & 2U) == 0 && is_account(parts[at])) result.account = parts[at++];
    if (at + 1 < count && (given_back & 1U) == 0 && parts[at] == "function") ++at;
    if (at >= count || !is_function_name(parts[at], form)) continue;
    result.name = parts[at++];
    if (at < count && is_qualifier_of(parts[at], form)) result.qualifier = parts[at++];
    if (at == count) return result;
  }
  return {};
}

}  // namespace ogni::protocol
