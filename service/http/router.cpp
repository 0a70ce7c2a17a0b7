#include "service/http/router.h"

#include <array>
#include <span>

#include "service/http/url.h"

namespace ogni::http {
namespace {

constexpr std::size_t kSegmentsMax = 16;

bool is_label(std::string_view segment) { return segment.starts_with('{') && segment.ends_with('}'); }

// The segments of "/a/b/" are a and b. Nothing for a path that does not begin with '/' or is too deep.
std::optional<std::size_t> split(std::string_view path, std::span<std::string_view> segments) {
  if (!path.starts_with('/')) return {};
  path.remove_prefix(1);
  if (path.ends_with('/')) path.remove_suffix(1);
  std::size_t count = 0;
  while (true) {
    if (count == segments.size()) return {};
    const std::size_t slash = path.find('/');
    segments[count++] = path.substr(0, slash);
    if (slash == std::string_view::npos) return count;
    path.remove_prefix(slash + 1);
  }
}

bool matches(std::span<const std::string_view> pattern, std::span<const std::string_view> segments) {
  if (pattern.size() != segments.size()) return false;
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    if (is_label(pattern[i]) ? segments[i].empty() : pattern[i] != segments[i]) return false;
  }
  return true;
}

bool has_parameter(const Request& request, std::string_view wanted) {
  const std::size_t equals = wanted.find('=');
  const auto value = request.query_value(wanted.substr(0, equals));
  return value && *value == wanted.substr(equals + 1);
}

}  // namespace

void Router::add(Route route) {
  Entry& entry = entries_.emplace_back(std::move(route), std::vector<std::string_view>());
  std::array<std::string_view, kSegmentsMax> segments;
  const std::size_t count = split(entry.route.path, segments).value();
  entry.segments.assign(segments.begin(), segments.begin() + static_cast<std::ptrdiff_t>(count));
  if (is_label(entry.segments.front())) {
    with_first_label_.push_back(&entry);
  } else {
    by_first_segment_[entry.segments.front()].push_back(&entry);
  }
}

Router::Match Router::find(Request& request) const {
  std::array<std::string_view, kSegmentsMax> segments;
  const auto count = split(request.path(), segments);
  if (!count) return {};
  const std::span<const std::string_view> path(segments.data(), *count);
  const Method method = request.method() == Method::kHead ? Method::kGet : request.method();

  const Entry* found = nullptr;
  Match match;
  const auto consider = [&](const std::vector<const Entry*>& entries) {
    for (const Entry* entry : entries) {
      if (!matches(entry->segments, path)) continue;
      if (entry->route.method != method) {
        match.outcome = Outcome::kWrongMethod;
        const std::string_view name = to_string(entry->route.method);
        if (match.allowed_methods.find(name) == std::string::npos) {
          if (!match.allowed_methods.empty()) match.allowed_methods += ", ";
          match.allowed_methods += name;
          if (entry->route.method == Method::kGet) match.allowed_methods += ", HEAD";
        }
        continue;
      }
      const std::string& query = entry->route.query;
      if (found != nullptr && (!found->route.query.empty() || query.empty())) continue;
      if (query.empty() || has_parameter(request, query)) found = entry;
    }
  };
  if (const auto bucket = by_first_segment_.find(path.front()); bucket != by_first_segment_.end()) {
    consider(bucket->second);
  }
  if (!with_first_label_.empty()) consider(with_first_label_);
  if (found == nullptr) return match;

  for (std::size_t i = 0; i < path.size(); ++i) {
    const std::string_view pattern = found->segments[i];
    if (!is_label(pattern)) continue;
    auto value = percent_decode(path[i]);
    if (!value) return {.outcome = Outcome::kBadEncoding, .route = nullptr, .allowed_methods = {}};
    request.add_label(pattern.substr(1, pattern.size() - 2), std::move(*value));
  }
  return {.outcome = Outcome::kFound, .route = &found->route, .allowed_methods = {}};
}

}  // namespace ogni::http
