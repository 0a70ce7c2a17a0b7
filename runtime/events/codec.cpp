#include "runtime/events/codec.h"

#include <cctype>

namespace ogni::events {

EventError::EventError(const std::string& path, const std::string& what)
    : std::runtime_error(path.empty() ? what : path + ": " + what), path_(path) {}

std::string Place::text() const {
  switch (kind) {
    case Kind::kRoot:
      return {};
    case Kind::kItem:
      return up->text() + "[" + std::to_string(index) + "]";
    case Kind::kMember:
      break;
  }
  const std::string before = up->text();
  return before.empty() ? std::string(name) : before + "." + std::string(name);
}

void wrong(const Place& place, const std::string& what) { throw EventError(place.text(), what); }

void wrong_kind(const Place& place, std::string_view expected, const json::Value& found) {
  wrong(place, std::string(expected) + " is expected, not " + std::string(found.kind()));
}

std::string read_base64(const json::Value& from, const Place& place) {
  const std::string* text = from.string();
  if (text == nullptr) wrong_kind(place, "a string", from);
  std::optional<std::string> bytes = base64_decode(*text);
  if (!bytes) wrong(place, "the string is not base64");
  return std::move(*bytes);
}

json::Value* Reader::take(std::string_view name) {
  known_.push_back(name);
  auto& members = members_.members();
  const auto found =
      std::find_if(members.rbegin(), members.rend(), [&](const json::Member& m) { return m.name == name; });
  return found == members.rend() ? nullptr : &found->value;
}

void Reader::rest(json::Object& other) {
  const auto in = [](const std::vector<std::string_view>& names, const std::string& name) {
    return std::find(names.begin(), names.end(), name) != names.end();
  };
  auto& members = members_.members();
  std::vector<bool> stays(members.size());
  std::vector<std::string_view> last;  // names of which the last member, the one that counts, is there
  for (std::size_t i = members.size(); i-- > 0;) {
    const std::string& name = members[i].name;
    stays[i] = !in(known_, name);
    if (stays[i] || !in(kept_, name) || in(last, name)) continue;
    stays[i] = true;
    last.push_back(*std::find(kept_.begin(), kept_.end(), name));
  }
  for (std::size_t i = 0; i < members.size(); ++i) {
    if (stays[i]) other.append(std::move(members[i].name), std::move(members[i].value));
  }
}

void Writer::begin(std::string_view name) {
  out_ += written_.empty() ? '{' : ',';
  written_.push_back(name);
  append_json(out_, name);
  out_ += ':';
}

void Writer::rest(const json::Object& other) {
  const std::size_t own = written_.size();
  for (const json::Member& member : other.members()) {
    const auto end = written_.begin() + static_cast<std::ptrdiff_t>(own);
    if (std::find(written_.begin(), end, member.name) != end) continue;  // has got a value since
    begin(member.name);
    append_json(out_, member.value);
  }
}

const std::string* find_header(const Texts& headers, std::string_view name) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c; };
  const auto same = [&](char a, char b) { return lower(a) == lower(b); };
  for (const auto& [key, value] : headers) {
    if (std::equal(key.begin(), key.end(), name.begin(), name.end(), same)) return &value;
  }
  return nullptr;
}

std::string url_decode(std::string_view text) {
  const auto digit = [&](std::size_t i) -> int {
    if (i >= text.size()) return -1;
    const char c = text[i];
    const char low = static_cast<char>(c | 0x20);
    if (c >= '0' && c <= '9') return c - '0';
    return low >= 'a' && low <= 'f' ? low - 'a' + 10 : -1;
  };
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && digit(i + 1) >= 0 && digit(i + 2) >= 0) {
      out += static_cast<char>(static_cast<unsigned char>(digit(i + 1) * 16 + digit(i + 2)));
      i += 2;
    } else {
      out += text[i] == '+' ? ' ' : text[i];
    }
  }
  return out;
}

template <>
json::Value parse<json::Value>(std::string_view text) {
  try {
    return json::parse(text);
  } catch (const json::SyntaxError& error) {
    throw EventError({}, error.what());
  }
}

template <>
std::string to_json<json::Value>(const json::Value& value) {
  return json::write(value);
}

}  // namespace ogni::events
