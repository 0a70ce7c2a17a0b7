#include "service/api/payload.h"

#include <boost/json/basic_parser_impl.hpp>

#include "service/api/payload_error.h"

namespace ogni::service {
namespace {

namespace json = boost::json;

// As deep as AWS's own parser goes. The parser recurses: a level takes a few hundred bytes of stack.
constexpr std::size_t kDepthMax = 1000;

// Takes every event of the parser and keeps none.
struct Nothing {
  using string_view = json::string_view;
  using error_code = json::error_code;
  static constexpr std::size_t max_object_size = static_cast<std::size_t>(-1);
  static constexpr std::size_t max_array_size = static_cast<std::size_t>(-1);
  static constexpr std::size_t max_key_size = static_cast<std::size_t>(-1);
  static constexpr std::size_t max_string_size = static_cast<std::size_t>(-1);

  bool on_document_begin(error_code&) { return true; }
  bool on_document_end(error_code&) { return true; }
  bool on_object_begin(error_code&) { return true; }
  bool on_object_end(std::size_t, error_code&) { return true; }
  bool on_array_begin(error_code&) { return true; }
  bool on_array_end(std::size_t, error_code&) { return true; }
  bool on_key_part(string_view, std::size_t, error_code&) { return true; }
  bool on_key(string_view, std::size_t, error_code&) { return true; }
  bool on_string_part(string_view, std::size_t, error_code&) { return true; }
  bool on_string(string_view, std::size_t, error_code&) { return true; }
  bool on_number_part(string_view, error_code&) { return true; }
  bool on_int64(std::int64_t, string_view, error_code&) { return true; }
  bool on_uint64(std::uint64_t, string_view, error_code&) { return true; }
  bool on_double(double, string_view, error_code&) { return true; }
  bool on_bool(bool, error_code&) { return true; }
  bool on_null(error_code&) { return true; }
  bool on_comment_part(string_view, error_code&) { return true; }
  bool on_comment(string_view, error_code&) { return true; }
};

}  // namespace

ApiResult<void> check_payload(std::string_view payload) {
  json::parse_options options;
  options.max_depth = kDepthMax;
  json::basic_parser<Nothing> parser(options);
  json::error_code error;
  const std::size_t parsed = parser.write_some(false, payload.data(), payload.size(), error);
  if (!error && parsed < payload.size()) error = json::error::extra_data;
  if (!error) return {};
  std::string words = payload_error(payload);
  if (words.empty()) words = error.message() + " at byte " + std::to_string(parsed);
  return refuse(ErrorType::kInvalidRequestContent,
                "Could not parse request body into json: Could not parse "
                "payload into json: " +
                    words);
}

}  // namespace ogni::service
