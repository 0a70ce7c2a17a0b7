// Requests to the Runtime API as bytes. Appends to a buffer that the caller keeps, so nothing is allocated
// once it has grown to size. A value from outside cannot end its line: control characters become spaces.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace ogni::runtime {

class RequestWriter {
 public:
  // Clears `out` and writes the request line, Host and User-Agent. `out` outlives the writer.
  RequestWriter(std::string& out, std::string_view method, std::string_view target, std::string_view host,
                std::string_view user_agent);
  // Nothing is written for an empty value.
  RequestWriter& field(std::string_view name, std::string_view value);
  // Ends the head; the body of that length follows.
  void end_with_body(std::size_t bytes);
  // Ends the head of a request without body.
  void end();

 private:
  void append_value(std::string_view value);

  std::string& out_;
};

}  // namespace ogni::runtime
