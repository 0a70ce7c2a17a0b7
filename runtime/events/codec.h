// How a struct becomes JSON and back: each lists its members once, in Fields<Struct>::list, for both ways.
//
// A member is written if it is not at its default; so that an event comes out as it came in, what came as null or
// empty is kept in `other` as well, and written from there.
#pragma once

#include <algorithm>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "ogni/events/core.hpp"
#include "ogni/events/dynamodb.hpp"
#include "runtime/events/base64.h"
#include "runtime/events/json_writer.h"
#include "runtime/utf8.h"

namespace ogni::events {

// Specialised for every struct: `template <class Visitor, class Self> static void list(Visitor& visit, Self& self)`
// calls visit(name, member) for each, and visit.rest(self.other) last.
template <class Struct>
struct Fields;

// Where in the event the reader is. Lives on the stack; a text only when something is wrong there.
struct Place {
  const Place* up = nullptr;
  std::string_view name;
  std::size_t index = 0;
  enum class Kind { kRoot, kMember, kItem } kind = Kind::kRoot;

  std::string text() const;
};

[[noreturn]] void wrong(const Place& place, const std::string& what);
[[noreturn]] void wrong_kind(const Place& place, std::string_view expected, const json::Value& found);

template <class T>
inline constexpr bool kIsVector = false;
template <class T>
inline constexpr bool kIsVector<std::vector<T>> = true;
template <class T>
inline constexpr bool kIsOptional = false;
template <class T>
inline constexpr bool kIsOptional<std::optional<T>> = true;
template <class T>
inline constexpr bool kIsMap = false;
template <class T>
inline constexpr bool kIsMap<std::map<std::string, T, std::less<>>> = true;

template <class T>
void read(json::Value& from, T& to, const Place& place);
void read_attribute(json::Value& from, AttributeValue& to, const Place& place);
std::string read_base64(const json::Value& from, const Place& place);

class Reader {
 public:
  Reader(json::Object& members, const Place& place) : members_(members), place_(place) {}

  template <class T>
  void operator()(std::string_view name, T& member) {
    if (json::Value* value = take(name)) {
      const Place place{&place_, name, 0, Place::Kind::kMember};
      if (!value->is_null()) read(*value, member, place);
      keep_if(member == T{}, name);
    }
  }
  template <class T>
  void always(std::string_view name, T& member) {
    (*this)(name, member);
  }
  // Text that is base64 in JSON.
  void base64(std::string_view name, std::string& member) {
    if (json::Value* value = take(name)) {
      if (!value->is_null()) member = read_base64(*value, Place{&place_, name, 0, Place::Kind::kMember});
      keep_if(member.empty(), name);
    }
  }
  // The members "body" and "isBase64Encoded", which belong together.
  void body(std::string& body, bool& encoded) {
    (*this)("isBase64Encoded", encoded);
    if (encoded) {
      base64("body", body);
    } else {
      (*this)("body", body);
    }
  }
  void always_body(std::string& text, bool& encoded) { body(text, encoded); }
  void rest(json::Object& other);

 private:
  json::Value* take(std::string_view name);
  void keep_if(bool is_default, std::string_view name) {
    if (is_default) kept_.push_back(name);
  }

  json::Object& members_;
  const Place& place_;
  std::vector<std::string_view> known_;
  std::vector<std::string_view> kept_;
};

template <class T>
void write(std::string& out, const T& value);
void write_attribute(std::string& out, const AttributeValue& value);

class Writer {
 public:
  explicit Writer(std::string& out) : out_(out) {}

  template <class T>
  void operator()(std::string_view name, const T& member) {
    if (!(member == T{})) always(name, member);
  }
  template <class T>
  void always(std::string_view name, const T& member) {
    begin(name);
    write(out_, member);
  }
  void base64(std::string_view name, const std::string& member) {
    if (!member.empty()) always(name, base64_encode(member));
  }
  void body(const std::string& text, bool encoded) {
    if (encoded || !text.empty()) put_body(text, encoded);
  }
  void always_body(const std::string& text, bool encoded) { put_body(text, encoded); }
  void rest(const json::Object& other);

 private:
  void begin(std::string_view name);
  void put_body(const std::string& text, bool encoded) {
    const bool as_base64 = encoded || !runtime::is_utf8(text);
    always("body", as_base64 ? base64_encode(text) : text);
    always("isBase64Encoded", as_base64);
  }

  std::string& out_;
  std::vector<std::string_view> written_;
};

template <class T>
void read(json::Value& from, T& to, const Place& place) {
  if constexpr (std::is_same_v<T, std::string>) {
    if (std::string* text = from.string()) {
      to = std::move(*text);
    } else {
      wrong_kind(place, "a string", from);
    }
  } else if constexpr (std::is_same_v<T, bool>) {
    const bool* boolean = from.boolean();
    if (boolean == nullptr) wrong_kind(place, "a boolean", from);
    to = *boolean;
  } else if constexpr (std::is_integral_v<T>) {
    const json::Number* number = from.number();
    if (number == nullptr) wrong_kind(place, "a number", from);
    const std::optional<std::int64_t> value = number->to_int64();
    if (!value || *value < std::numeric_limits<T>::min() || *value > std::numeric_limits<T>::max())
      wrong(place, "an integer of " + std::to_string(sizeof(T) * 8) + " bits is expected, not " + number->text);
    to = static_cast<T>(*value);
  } else if constexpr (std::is_same_v<T, json::Number>) {
    const json::Number* number = from.number();
    if (number == nullptr) wrong_kind(place, "a number", from);
    to = *number;
  } else if constexpr (std::is_same_v<T, json::Value>) {
    to = std::move(from);
  } else if constexpr (std::is_same_v<T, AttributeValue>) {
    read_attribute(from, to, place);
  } else if constexpr (kIsOptional<T>) {
    read(from, to.emplace(), place);
  } else if constexpr (kIsVector<T>) {
    json::Array* items = from.array();
    if (items == nullptr) wrong_kind(place, "an array", from);
    to.reserve(items->size());
    for (json::Value& item : *items) {
      const Place here{&place, {}, to.size(), Place::Kind::kItem};
      to.emplace_back();
      if (!item.is_null()) read(item, to.back(), here);
    }
  } else if constexpr (kIsMap<T>) {
    json::Object* members = from.object();
    if (members == nullptr) wrong_kind(place, "an object", from);
    for (json::Member& member : members->members()) {
      auto& value = to[member.name];
      value = {};  // the last of a name counts
      if (!member.value.is_null()) read(member.value, value, Place{&place, member.name, 0, Place::Kind::kMember});
    }
  } else {
    json::Object* members = from.object();
    if (members == nullptr) wrong_kind(place, "an object", from);
    Reader reader(*members, place);
    Fields<T>::list(reader, to);
  }
}

template <class T>
void write(std::string& out, const T& value) {
  if constexpr (std::is_same_v<T, std::string>) {
    append_json(out, std::string_view(value));
  } else if constexpr (std::is_same_v<T, bool>) {
    out += value ? "true" : "false";
  } else if constexpr (std::is_integral_v<T>) {
    out += std::to_string(value);
  } else if constexpr (std::is_same_v<T, json::Number>) {
    out += value.text;
  } else if constexpr (std::is_same_v<T, json::Value>) {
    append_json(out, value);
  } else if constexpr (std::is_same_v<T, AttributeValue>) {
    write_attribute(out, value);
  } else if constexpr (kIsOptional<T>) {
    write(out, *value);  // an empty one is at its default and not written
  } else if constexpr (kIsVector<T>) {
    char separator = '[';
    for (const auto& item : value) {
      out += separator;
      write(out, item);
      separator = ',';
    }
    out += value.empty() ? "[]" : "]";
  } else if constexpr (kIsMap<T>) {
    char separator = '{';
    for (const auto& [name, item] : value) {
      out += separator;
      append_json(out, std::string_view(name));
      out += ':';
      write(out, item);
      separator = ',';
    }
    out += value.empty() ? "{}" : "}";
  } else {
    const std::size_t begin = out.size();
    Writer writer(out);
    Fields<T>::list(writer, value);
    out += out.size() == begin ? "{}" : "}";
  }
}

template <class Event>
Event parse(std::string_view text) {
  Event event{};
  const Place root;
  try {
    json::Value value = json::parse(text);
    if (!value.is_null()) read(value, event, root);
  } catch (const json::SyntaxError& error) {
    wrong(root, error.what());
  }
  return event;
}

template <class Event>
std::string to_json(const Event& event) {
  std::string out;
  write(out, event);
  return out;
}

}  // namespace ogni::events
