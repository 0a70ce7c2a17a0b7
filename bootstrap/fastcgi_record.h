// FastCGI records, from a request to bytes and from bytes to an answer, without a socket. One request per connection at
// a time, always number 1. Source: FastCGI Specification 1.0.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace ogni::bootstrap {

class FastcgiWriter {
 public:
  // Appends to `out`, which outlives this. The connection is to be kept after the request.
  explicit FastcgiWriter(std::string& out);
  void parameter(std::string_view name, std::string_view value);
  // Ends the parameters; then the body, and with it the request.
  void finish(std::string_view body);

 private:
  std::string& out_;
  std::string parameters_;
};

// Gathers the answer to one request from bytes split anywhere.
class FastcgiReader {
 public:
  enum class State { kIncomplete, kDone, kFailed };

  // More output at once is refused.
  explicit FastcgiReader(std::size_t output_bytes_max) : output_bytes_max_(output_bytes_max) {}

  State take(std::string_view bytes);
  // For the next request on the same connection.
  void reset();

  State state() const { return state_; }
  // stdout of the application since the last forget_output().
  const std::string& output() const { return output_; }
  void forget_output() { output_.clear(); }
  // stderr of the application since the last call.
  std::string take_errors();
  // After kDone: its exit status; kFailed also where the server has refused the request.
  std::uint32_t application_status() const { return application_status_; }
  // Whether bytes have come after the end.
  bool has_excess() const { return has_excess_; }

 private:
  bool take_head();
  bool end_record();

  std::size_t output_bytes_max_;
  State state_ = State::kIncomplete;
  std::string head_;  // of the record under way, less than 8 bytes; complete while its content comes
  std::string end_;   // content of the end record
  std::uint8_t type_ = 0;
  bool is_ours_ = false;
  std::size_t content_left_ = 0;
  std::size_t padding_left_ = 0;
  std::string output_;
  std::string errors_;
  std::uint32_t application_status_ = 0;
  bool has_excess_ = false;
};

}  // namespace ogni::bootstrap
