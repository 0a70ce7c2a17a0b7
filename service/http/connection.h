// One connection of the server, from accept to close.
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <list>
#include <memory>
#include <string>

#include "service/http/parser.h"
#include "service/http/server.h"
#include "service/turns.h"

namespace ogni::http {

class Connection;

// What the connections of one server share.
struct Shared {
  Shared(const boost::asio::any_io_executor& executor, Site site_, ServerLimits limits_)
      : site(std::move(site_)),
        limits(limits_),
        turns(std::make_shared<service::Turns>(executor)),
        pipelines(turns->join()),
        all_closed(executor) {
    all_closed.expires_at(std::chrono::steady_clock::time_point::max());
  }
  Site site;
  ServerLimits limits;
  std::list<Connection*> connections;
  std::shared_ptr<service::Turns> turns;
  std::shared_ptr<service::Turns::Member> pipelines;  // requests that came before the one before them was answered
  std::uint64_t large_body_bytes = 0;
  std::uint64_t sweeps = 0;  // the clock of the time-outs
  bool stopping = false;
  std::string date_line;                 // "Date: …\r\n", made anew with each sweep
  boost::asio::steady_timer all_closed;  // never expires; cancelled when the last connection ends
};

class Connection final : private BodyWriter {
 public:
  enum class Admission { kWelcome, kOverLimit };  // an over-limit connection is answered 503 and ends

  Connection(boost::asio::ip::tcp::socket socket, std::shared_ptr<Shared> shared, Admission admission);
  ~Connection() override;
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // Serves requests until the peer leaves, a bound is passed or the server stops.
  static boost::asio::awaitable<void> run(std::unique_ptr<Connection> self);

  // Ends the connection if it has been in one phase for too long.
  void sweep();
  // Ends it if no request is running; a running one is the last.
  void stop_when_idle();
  void close();

 private:
  enum class Phase { kIdle, kHead, kBody, kHandling, kWriting, kFollowing, kDraining };
  enum class After { kKeepAlive, kClose, kDrain };

  bool peer_is_gone();
  void enter(Phase phase);
  void note_progress(std::size_t bytes);
  boost::asio::awaitable<void> serve();
  boost::asio::awaitable<After> serve_request(RequestParser::Head head);
  // Nothing when the body is in request_.body; otherwise the request has been answered, or its peer is gone.
  boost::asio::awaitable<std::optional<After>> read_body(RequestParser::Head head, const Route* route);
  boost::asio::awaitable<std::optional<After>> read_chunks(const Route* route);
  boost::asio::awaitable<bool> read_some();
  boost::asio::awaitable<After> fail(Failure failure, After after);
  boost::asio::awaitable<bool> send(Response response);
  boost::asio::awaitable<bool> send_bytes(std::string_view head, std::string_view body, std::string_view tail = {});
  boost::asio::awaitable<bool> send_stream(Response response);
  boost::asio::awaitable<void> produce(const BodyStream& stream);
  boost::asio::awaitable<void> watch_peer();
  boost::asio::awaitable<bool> write(std::string_view bytes) override;
  boost::asio::awaitable<void> drain();
  void make_head(const Response& response);
  std::string_view received() const { return std::string_view(buffer_).substr(begin_, end_ - begin_); }
  void consume(std::size_t bytes);
  bool make_room();
  // Counts a body of this size against the budget of large ones; again when it has grown.
  [[nodiscard]] bool reserve_body(std::uint64_t bytes);
  void release_body();

  std::shared_ptr<Shared> shared_;
  std::list<Connection*>::iterator place_;
  boost::asio::ip::tcp::socket socket_;
  const Admission admission_;
  RequestParser parser_;
  Request request_;
  std::string buffer_;  // received: [begin_, end_)
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  std::string out_;  // head of the response, or of a chunk
  Phase phase_ = Phase::kIdle;
  std::uint64_t since_ = 0;     // the sweep at which the phase began or last made progress
  std::size_t progress_ = 0;    // bytes since then
  std::uint64_t reserved_ = 0;  // of Shared::large_body_bytes
  bool keep_alive_ = true;      // after the request being served
  bool http_1_0_ = false;
  enum class StreamForm { kLength, kChunked, kToEnd } stream_form_ = StreamForm::kLength;
  std::uint64_t stream_left_ = 0;  // of a stream of known length
  bool stream_intact_ = false;
};

}  // namespace ogni::http
