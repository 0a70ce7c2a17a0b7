#include <charconv>
#include <cmath>

#include "ogni/log.hpp"
#include "ogni/runtime.hpp"
#include "runtime/json_escape.h"
#include "runtime/log.h"

namespace ogni::log {
namespace {

runtime::LogLevel core_level(Level level) { return static_cast<runtime::LogLevel>(level); }

template <typename Number>
void append_number(runtime::Buffer& out, Number number) {
  char digits[40];
  const auto written = std::to_chars(digits, digits + sizeof digits, number);
  out.append({digits, static_cast<std::size_t>(written.ptr - digits)});
}

}  // namespace

bool is_enabled(Level level) { return core_level(level) >= runtime::process_log_settings().least; }

void write(Level level, std::string_view message, std::initializer_list<Field> fields) {
  if (!is_enabled(level)) return;
  runtime::Buffer members;
  for (const Field& field : fields) {
    if (members.size() > 0) members.append(",");
    runtime::append_escaped_json(members, field.name_);
    members.append(":");
    switch (field.kind_) {
      case Field::Kind::kText:
        runtime::append_escaped_json(members, field.text_);
        break;
      case Field::Kind::kJson:
        members.append(field.text_);
        break;
      case Field::Kind::kTruth:
        members.append(field.truth_ ? "true" : "false");
        break;
      case Field::Kind::kReal:
        if (std::isfinite(field.real_)) {
          append_number(members, field.real_);
        } else {
          members.append("null");
        }
        break;
      case Field::Kind::kWhole:
        append_number(members, field.whole_);
        break;
      case Field::Kind::kUnsigned:
        append_number(members, field.unsigned_);
        break;
    }
  }
  runtime::write_log(runtime::process_log_settings(), core_level(level), message, current_request_id(), members.view());
}

}  // namespace ogni::log
