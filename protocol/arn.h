// Names of functions and layers: the four forms in which a caller may write a function, and ARNs.
// Source: the API model's patterns and AWS Lambda API Reference, "FunctionName".
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ogni::protocol {

// Whose account and region this service is.
struct Home {
  std::string account = "000000000000";  // 12 digits
  std::string region = "us-east-1";
  std::string partition = "aws";
};

inline bool is_name_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

// [a-zA-Z0-9-_]+, the bare name of a function or layer.
inline bool is_name(std::string_view text) {
  if (text.empty()) return false;
  for (const char c : text) {
    if (!is_name_char(c)) return false;
  }
  return true;
}

inline bool is_digits(std::string_view text) {
  if (text.empty()) return false;
  for (const char c : text) {
    if (c < '0' || c > '9') return false;
  }
  return true;
}

inline bool is_account(std::string_view text) { return text.size() == 12 && is_digits(text); }

// us-east-1, us-gov-west-1, us-iso-east-1, eusc-de-east-1
inline bool is_region(std::string_view text) {
  std::size_t parts = 1;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '-') {
      if (i == 0 || text[i - 1] == '-') return false;
      ++parts;
    } else if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'))) {
      return false;
    }
  }
  return parts >= 3 && parts <= 4 && text.size() >= 9 && text.size() <= 32 && text.back() >= '0' &&
         text.back() <= '9' && text[text.size() - 2] == '-';
}

// $LATEST, a version number or an alias: \$LATEST|[a-zA-Z0-9-_]+
inline bool is_qualifier(std::string_view text) { return text == "$LATEST" || is_name(text); }

inline std::vector<std::string_view> split_colons(std::string_view text) {
  std::vector<std::string_view> parts;
  for (;;) {
    const std::size_t colon = text.find(':');
    parts.push_back(text.substr(0, colon));
    if (colon == std::string_view::npos) return parts;
    text.remove_prefix(colon + 1);
  }
}

// What a caller wrote as FunctionName, taken apart. Views into the text given to parse_function_name.
struct FunctionName {
  std::string_view name;
  std::optional<std::string_view> qualifier;
  std::optional<std::string_view> account;
  std::optional<std::string_view> region;
};

// Nothing when `text` does not match the model's pattern. Does not check lengths, whose errors differ per operation.
inline std::optional<FunctionName> parse_function_name(std::string_view text) {
  std::vector<std::string_view> parts = split_colons(text);
  FunctionName result;
  std::size_t at = 0;
  if (parts[0] == "arn") {
    if (parts.size() < 7 || !parts[1].starts_with("aws") || parts[2] != "lambda" || parts[5] != "function") return {};
    for (const char c : parts[1]) {
      if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-')) return {};
    }
    at = 3;
  }
  if (at < parts.size() && is_region(parts[at]) && parts.size() - at >= 3) result.region = parts[at++];
  if (at < parts.size() && is_account(parts[at]) && parts.size() - at >= 2) result.account = parts[at++];
  if (at < parts.size() && parts[at] == "function" && parts.size() - at >= 2) ++at;
  if (parts[0] == "arn" && at != 6) return {};
  if (at >= parts.size() || !is_name(parts[at])) return {};
  result.name = parts[at++];
  if (at < parts.size()) {
    if (!is_qualifier(parts[at])) return {};
    result.qualifier = parts[at++];
  }
  if (at != parts.size()) return {};
  return result;
}

inline std::string function_arn(const Home& home, std::string_view name, std::string_view qualifier = {}) {
  std::string arn = "arn:" + home.partition + ":lambda:" + home.region + ":" + home.account + ":function:";
  arn += name;
  if (!qualifier.empty()) {
    arn += ':';
    arn += qualifier;
  }
  return arn;
}

inline std::string layer_arn(const Home& home, std::string_view name) {
  return "arn:" + home.partition + ":lambda:" + home.region + ":" + home.account + ":layer:" + std::string(name);
}

inline std::string layer_version_arn(const Home& home, std::string_view name, long long version) {
  return layer_arn(home, name) + ":" + std::to_string(version);
}

struct LayerVersionName {
  std::string_view name;
  std::optional<std::string_view> account;
  std::optional<std::string_view> region;
  std::optional<long long> version;  // absent in the ARN of a layer without version
};

// A layer's name, its ARN, or the ARN of one of its versions.
inline std::optional<LayerVersionName> parse_layer_name(std::string_view text) {
  if (is_name(text)) return LayerVersionName{.name = text, .account = {}, .region = {}, .version = {}};
  const std::vector<std::string_view> parts = split_colons(text);
  if (parts.size() < 7 || parts.size() > 8 || parts[0] != "arn" || !parts[1].starts_with("aws") ||
      parts[2] != "lambda" || !is_region(parts[3]) || !is_account(parts[4]) || parts[5] != "layer" ||
      !is_name(parts[6])) {
    return {};
  }
  LayerVersionName result{.name = parts[6], .account = parts[4], .region = parts[3], .version = {}};
  if (parts.size() == 8) {
    if (!is_digits(parts[7]) || parts[7].size() > 18) return {};
    long long version = 0;
    for (const char c : parts[7]) version = version * 10 + (c - '0');
    result.version = version;
  }
  return result;
}

}  // namespace ogni::protocol
