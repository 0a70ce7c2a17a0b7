// Requests in arbitrary pieces, then routing and decoding of what came out.
#include <algorithm>
#include <cstdlib>

#include "service/http/guard.h"
#include "service/http/parser.h"
#include "service/http/router.h"
#include "service/http/url.h"

namespace {

using namespace ogni::http;

void route(Request& request) {
  static const Router kRouter = [] {
    Router router;
    router.add(
        {.method = Method::kGet, .path = "/a/{B}/c", .query = "d=e", .operation = "", .body_max = 0, .handler = {}});
    router.add(
        {.method = Method::kPost, .path = "/{A}/{B}", .query = "", .operation = "", .body_max = 0, .handler = {}});
    return router;
  }();
  (void)kRouter.find(request);
  (void)Guard({"name"}).refusal(request);
  (void)request.query_value("q");
  const auto decoded = percent_decode(request.path());
  if (decoded && percent_decode(percent_encode(*decoded)) != decoded) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::size_t step = std::size_t{1} + data[0];
  const std::string_view all(reinterpret_cast<const char*>(data) + 1, size - 1);
  RequestParser parser(4096);
  Request request;
  std::size_t begin = 0;
  std::size_t end = 0;
  std::optional<RequestParser::Head> head;
  std::string body;
  while (true) {
    const std::string_view bytes = all.substr(begin, end - begin);
    if (!head) {
      const auto parsed = parser.parse_head(bytes, request);
      if (!parsed) return 0;
      if (parsed->bytes > bytes.size()) std::abort();
      begin += parsed->bytes;
      if (parsed->bytes > 0) {
        head = *parsed;
        route(request);
        if (head->body != RequestParser::Body::kChunked) return 0;
        continue;
      }
    } else {
      const auto chunks = parser.parse_chunks(bytes, body, 1000);
      if (!chunks || chunks->complete) return 0;
      if (chunks->bytes > bytes.size() || body.size() > 1000) std::abort();
      begin += chunks->bytes;
    }
    if (end == all.size()) return 0;
    end = std::min(all.size(), end + step);
  }
}
