#include "service/logs/log_routes.h"

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/execution/outstanding_work.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/prefer.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <charconv>

#include "protocol/arn.h"

namespace ogni::service {

namespace asio = boost::asio;

namespace {

constexpr std::size_t kTailLinesMax = 10'000;
constexpr std::size_t kTailBytesMax = 4 << 20;
// A follower that does not read loses lines beyond this.
constexpr std::size_t kFollowBytesMax = 1 << 20;

// Does not hold up the reactor. Called without a pause after follow(), it has what comes before the follower's first line.
asio::awaitable<Result<std::string>> tail_of(LogStore& logs, LogWriter::Tail tail) {
  return asio::async_initiate<const asio::use_awaitable_t<>&, void(Result<std::string>)>(
      [&logs](auto handler, LogWriter::Tail wanted) {
        // The reactor must not run out of work, and end, while this is away.
        auto home = asio::prefer(asio::get_associated_executor(handler), asio::execution::outstanding_work.tracked);
        logs.tail(std::move(wanted),
                  [home = std::move(home), handler = std::move(handler)](Result<std::string> text) mutable {
                    asio::post(home, [handler = std::move(handler), text = std::move(text)]() mutable {
                      std::move(handler)(std::move(text));
                    });
                  });
      },
      asio::use_awaitable, std::move(tail));
}

asio::awaitable<void> send_log(LogStore& logs, std::string function, std::size_t lines, bool follow,
                               http::BodyWriter& out) {
  asio::steady_timer arrival(co_await asio::this_coro::executor, asio::steady_timer::time_point::max());
  std::string waiting;
  bool lost = false;
  LogStore::Subscription subscription;
  if (follow) {
    subscription = logs.follow(function, [&](std::string_view line) {
      if (waiting.size() + line.size() > kFollowBytesMax) {
        lost = true;
      } else {
        waiting += line;
      }
      arrival.cancel();
    });
  }
  const auto begin = co_await tail_of(logs, {.function = function, .lines = lines, .bytes_max = kTailBytesMax});
  if (!begin || !co_await out.write(*begin)) co_return;
  while (follow) {
    if (waiting.empty()) {
      co_await arrival.async_wait(asio::as_tuple(asio::use_awaitable));
      if (waiting.empty()) co_return;  // woken without a line: the client has left, or the server stops
    }
    std::string sending = std::exchange(waiting, std::string());
    if (std::exchange(lost, false)) sending += "(lines were lost here: they came faster than they were read)\n";
    if (!co_await out.write(sending)) co_return;
  }
}

asio::awaitable<http::Response> serve_log(LogStore& logs, http::Request& request) {
  const std::string function = request.label("FunctionName");
  if (!protocol::is_name(function) || function.size() > 140) {
    co_return http::Response(400, "text/plain; charset=utf-8", "not the name of a function\n");
  }
  std::size_t lines = 100;
  if (const auto text = request.query_value("tail")) {
    const auto parsed = std::from_chars(text->data(), text->data() + text->size(), lines);
    if (parsed.ec != std::errc() || parsed.ptr != text->data() + text->size()) {
      co_return http::Response(400, "text/plain; charset=utf-8", "tail is a number of lines\n");
    }
  }
  const bool follow = request.query_value("follow").value_or("0") == "1";
  http::Response response(200, "text/plain; charset=utf-8", {});
  response.stream = [&logs, function, lines = std::min(lines, kTailLinesMax), follow](http::BodyWriter& out) {
    return send_log(logs, function, lines, follow, out);
  };
  co_return response;
}

}  // namespace

void add_log_routes(http::Router& router, LogStore& logs) {
  router.add({.method = http::Method::kGet,
              .path = "/_ogni/functions/{FunctionName}/logs",
              .query = {},
              .operation = "FollowLogs",
              .body_max = 0,
              .handler = [&logs](http::Request& request) { return serve_log(logs, request); }});
}

}  // namespace ogni::service
