// Any event: the request that it makes can stand on a connection, and every shape of answer is JSON.
#include <cstdint>
#include <cstdlib>

#include "bootstrap/http_event.h"
#include "bootstrap/json.h"

namespace {

void expect_one_line(std::string_view text) {
  for (const char c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace ogni::bootstrap;
  ogni::runtime::Invocation invocation;
  invocation.request_id = "id";
  invocation.event = {reinterpret_cast<const char*>(data), size};
  const HttpEvent event = read_http_event(invocation, "/events");
  for (const std::string_view part : {event.request.method, event.request.path, event.request.query}) {
    expect_one_line(part);
    if (part.find(' ') != std::string_view::npos) std::abort();
  }
  HttpReply reply;
  for (const HttpField& field : event.request.fields) {
    expect_one_line(field.name);
    expect_one_line(field.value);
    if (field.name.empty() || field.name.find_first_of(": ") != std::string::npos) std::abort();
    reply.fields.push_back(field);
    reply.fields.push_back({"set-cookie", field.value});
  }
  reply.body = event.request.body();
  using Shape = HttpEvent::Shape;
  for (const Shape shape : {Shape::kGatewayV1, Shape::kGatewayV2, Shape::kLoadBalancer, Shape::kLoadBalancerMulti}) {
    if (!Json::parse(reply_json(shape, reply))) std::abort();
  }
  if (!Json::parse(reply_prelude(reply))) std::abort();
  return 0;
}
