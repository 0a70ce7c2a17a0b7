#include "service/api/trace.h"

#include <algorithm>
#include <array>
#include <ctime>

#include "base/system.h"
#include "base/text.h"

namespace ogni::service {
namespace {

constexpr std::size_t kTraceBytesMax = 1024;

bool is_hex(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); });
}

bool is_root(std::string_view text) {
  return text.size() == 35 && text.starts_with("1-") && text[10] == '-' && is_hex(text.substr(2, 8)) &&
         is_hex(text.substr(11));
}

std::string random_hex(std::size_t bytes) {
  std::array<unsigned char, 16> random{};
  fill_random(std::span(random).first(bytes));
  return to_hex(std::string_view(reinterpret_cast<const char*>(random.data()), bytes));
}

std::string make_root() {
  const auto now = static_cast<std::uint32_t>(std::time(nullptr));
  std::string seconds;
  for (int shift = 28; shift >= 0; shift -= 4) seconds += "0123456789abcdef"[(now >> shift) & 15];
  return "1-" + seconds + "-" + random_hex(12);
}

}  // namespace

std::string continue_trace(std::string_view incoming, bool is_tracing) {
  std::string_view root;
  std::string_view parent;
  std::string_view sampled;
  std::string others;
  if (incoming.size() > kTraceBytesMax) incoming = {};
  while (!incoming.empty()) {
    std::string_view field = incoming.substr(0, incoming.find(';'));
    incoming.remove_prefix(std::min(incoming.size(), field.size() + 1));
    while (field.starts_with(' ')) field.remove_prefix(1);
    const std::size_t equals = field.find('=');
    if (equals == std::string_view::npos) continue;
    const std::string_view name = field.substr(0, equals);
    const std::string_view value = field.substr(equals + 1);
    if (equals_ignoring_case(name, "Root")) {
      if (is_root(value)) root = value;
    } else if (equals_ignoring_case(name, "Parent")) {
      if (value.size() == 16 && is_hex(value)) parent = value;
    } else if (equals_ignoring_case(name, "Sampled")) {
      if (value == "0" || value == "1") sampled = value;
    } else if (!equals_ignoring_case(name, "Self")) {
      others.append(";").append(field);
    }
  }
  std::string trace = "Root=";
  trace += root.empty() ? make_root() : std::string(root);
  // A parent belongs to its root.
  trace += ";Parent=";
  trace += root.empty() || parent.empty() ? random_hex(8) : std::string(parent);
  trace += ";Sampled=";
  trace += !sampled.empty() ? sampled : is_tracing ? "1" : "0";
  return trace + others;
}

std::string trace_for_caller(std::string_view trace) {
  const auto field = [trace](std::string_view name) {
    const std::size_t at = trace.find(name);
    if (at == std::string_view::npos) return std::string_view();
    const std::string_view rest = trace.substr(at + name.size());
    return rest.substr(0, rest.find(';'));
  };
  return "root=" + std::string(field("Root=")) + ";sampled=" + std::string(field("Sampled="));
}

}  // namespace ogni::service
