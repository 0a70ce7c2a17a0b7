#include "runtime/events/json_writer.h"

#include "runtime/utf8.h"

namespace ogni::events {
namespace {

void append_escaped(std::string& out, char c) {
  constexpr std::string_view kCharacters = "\"\\\b\f\n\r\t";
  constexpr std::string_view kNames = "\"\\bfnrt";
  constexpr std::string_view kHex = "0123456789abcdef";
  if (const std::size_t which = kCharacters.find(c); which != std::string_view::npos) {
    out += '\\';
    out += kNames[which];
    return;
  }
  const auto byte = static_cast<unsigned char>(c);
  if (byte >= 0x20) {
    out += c;
    return;
  }
  out += "\\u00";
  out += kHex[byte >> 4];
  out += kHex[byte & 15];
}

}  // namespace

std::size_t plain_prefix(std::string_view text) {
  const auto is_plain = [](char c) { return static_cast<signed char>(c) >= 0x20 && c != '"' && c != '\\'; };
  std::size_t count = 0;
  while (count < text.size() && is_plain(text[count])) ++count;
  return count;
}

void append_json(std::string& out, std::string_view text) {
  out += '"';
  while (true) {
    const std::size_t plain = plain_prefix(text);
    out.append(text.substr(0, plain));
    text.remove_prefix(plain);
    if (text.empty()) break;
    const std::size_t bytes = runtime::utf8_sequence(text);
    if (bytes == 1) {
      append_escaped(out, text.front());
    } else if (bytes == 0) {
      out += "\xEF\xBF\xBD";
    } else {
      out.append(text.substr(0, bytes));
    }
    text.remove_prefix(bytes == 0 ? 1 : bytes);
  }
  out += '"';
}

void append_json(std::string& out, const json::Value& value) {
  if (const bool* boolean = value.boolean()) {
    out += *boolean ? "true" : "false";
  } else if (const json::Number* number = value.number()) {
    out += number->text;
  } else if (const std::string* text = value.string()) {
    append_json(out, std::string_view(*text));
  } else if (const json::Array* items = value.array()) {
    char separator = '[';
    for (const json::Value& item : *items) {
      out += separator;
      append_json(out, item);
      separator = ',';
    }
    out += items->empty() ? "[]" : "]";
  } else if (const json::Object* object = value.object()) {
    char separator = '{';
    for (const json::Member& member : object->members()) {
      out += separator;
      append_json(out, std::string_view(member.name));
      out += ':';
      append_json(out, member.value);
      separator = ',';
    }
    out += object->empty() ? "{}" : "}";
  } else {
    out += "null";
  }
}

}  // namespace ogni::events
