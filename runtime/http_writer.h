// Requests to the Runtime API as bytes. Appends to a buffer that the caller keeps, so nothing is allocated
// once it has grown to size. A value from outside cannot end its line: control characters become spaces.
#pragma once

#include <cstddef>
#include <string_view>

#include "runtime/buffer.h"

namespace ogni::runtime {

class RequestWriter {
 public:
  // Clears `out` and writes the method; `out` outlives the writer. Then target(), once.
  RequestWriter(Buffer& out, std::string_view method);
  // The rest of the request line, its parts one after the other; Host and User-Agent.
  RequestWriter& target(std::string_view a, std::string_view b, std::string_view c, std::string_view host,
                        std::string_view user_agent);
  // Nothing is written for an empty value.
  RequestWriter& field(std::string_view name, std::string_view value);
  // Ends the head; the body of that length follows.
  void end_with_body(std::size_t bytes);
  // Ends the head of a request without body.
  void end();

 private:
  Buffer& out_;
};

// "Name: value" and its end of line. Nothing for an empty value.
void append_field(Buffer& out, std::string_view name, std::string_view value);

}  // namespace ogni::runtime
