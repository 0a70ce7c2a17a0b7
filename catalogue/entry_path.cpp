#include "catalogue/entry_path.h"

#include <array>

namespace ogni::catalogue {

namespace {

auto refuse(const char* why) { return failure(ErrorCode::kInvalidArgument, why); }

std::vector<std::string_view> split(std::string_view path) {
  std::vector<std::string_view> parts;
  while (!path.empty()) {
    const std::size_t slash = path.find('/');
    const std::string_view part = path.substr(0, slash);
    if (!part.empty() && part != ".") parts.push_back(part);
    path.remove_prefix(slash == std::string_view::npos ? path.size() : slash + 1);
  }
  return parts;
}

}  // namespace

Result<std::vector<std::string>> parse_entry_path(std::string_view name) {
  if (name.empty()) return refuse("the name is empty");
  if (name.size() > kPathBytesMax) return refuse("the name is too long");
  if (name.find('\0') != std::string_view::npos) return refuse("the name has a NUL");
  if (name.front() == '/') return refuse("the name is absolute");
  std::vector<std::string> components;
  for (const std::string_view part : split(name)) {
    if (part == "..") return refuse("the name has \"..\"");
    if (part.size() > kNameBytesMax) return refuse("a part of the name is too long");
    components.emplace_back(part);
  }
  if (components.size() > kPathDepthMax) return refuse("the name has too many directories");
  return components;
}

Result<void> check_link_target(std::string_view target) {
  if (target.empty()) return refuse("the link has no target");
  if (target.size() > kLinkTargetBytesMax) return refuse("the link's target is too long");
  if (target.find('\0') != std::string_view::npos) return refuse("the link's target has a NUL");
  return {};
}

}  // namespace ogni::catalogue
