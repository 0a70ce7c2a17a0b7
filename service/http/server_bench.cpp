// Round trips of one keep-alive connection over loopback, the client's own system calls included.
#include "service/http/server.h"

#include <benchmark/benchmark.h>

#include "service/http/testing.h"

namespace ogni::http {
namespace {

namespace asio = boost::asio;

asio::awaitable<Response> echo(Request& request) { co_return Response(200, "text/plain", std::move(request.body)); }

void BM_EchoOverLoopback(benchmark::State& state) {
  testing::LoopThread loop;
  Router router;
  router.add({.method = Method::kPost,
              .path = "/2015-03-31/functions/{Name}/invocations",
              .query = "",
              .operation = "Echo",
              .body_max = 8 << 20,
              .handler = echo});
  Fd listener = listen_tcp("127.0.0.1", 0).value();
  const std::uint16_t port = port_of(listener.get()).value();
  auto server = loop.run([&] {
    return std::make_unique<Server>(
        loop.loop().get_executor(),
        Site{.router = &router, .guard = Guard(), .render_failure = [](const Failure&) { return Response(500); }});
  });
  loop.run([&] { return server->serve(std::move(listener)); }).value();
  {
    testing::Client client(port);
    const std::string body(static_cast<std::size_t>(state.range(0)), 'x');
    for (auto _ : state) {
      const auto reply = client.call("POST", "/2015-03-31/functions/f/invocations", body,
                                     "User-Agent: bench\r\nAccept: */*\r\nContent-Type: application/json\r\n");
      if (reply.body.size() != body.size()) state.SkipWithError("wrong answer");
    }
    state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations()) * state.range(0));
  }
  loop.run([&] { server.reset(); });
}
BENCHMARK(BM_EchoOverLoopback)->Arg(20)->Arg(1 << 20)->UseRealTime();

}  // namespace
}  // namespace ogni::http
