#include "cli/scripted_server.h"

#include <sys/socket.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <mutex>
#include <thread>

#include "base/text.h"

namespace ogni::cli {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using boost::system::error_code;
using tcp = asio::ip::tcp;

struct ScriptedServer::Impl {
  explicit Impl(Script answers)
      : script(std::move(answers)), acceptor(context, tcp::endpoint(asio::ip::address_v4::loopback(), 0)) {}

  void accept_all() {
    for (int count = 1;; ++count) {
      error_code error;
      tcp::socket socket(context);
      if (acceptor.accept(socket, error)) return;
      {
        const std::lock_guard lock(mutex);
        if (is_ending) return;
        living = socket.native_handle();
      }
      serve(socket, count);
      const std::lock_guard lock(mutex);
      living = -1;
    }
  }

  void serve(tcp::socket& socket, int count) {
    boost::beast::flat_buffer buffer;
    for (;;) {
      error_code error;
      http::request_parser<http::string_body> parser;
      parser.body_limit(std::uint64_t{256} << 20);
      http::read(socket, buffer, parser, error);
      if (error) return;
      SeenRequest request{.method = parser.get().method_string(),
                          .target = parser.get().target(),
                          .headers = {},
                          .body = std::move(parser.get().body()),
                          .connection = count};
      for (const auto& field : parser.get()) request.headers.emplace_back(field.name_string(), field.value());
      const ScriptedReply reply = answer(std::move(request));
      asio::write(socket, asio::buffer(to_wire(reply)), error);
      if (error || reply.closes || !reply.raw.empty()) return;
    }
  }

  // Under the lock: whoever calls seen() afterwards sees what the script did as well.
  ScriptedReply answer(SeenRequest request) {
    const std::lock_guard lock(mutex);
    requests.push_back(std::move(request));
    return script(requests.back());
  }

  static std::string to_wire(const ScriptedReply& reply) {
    if (!reply.raw.empty()) return reply.raw;
    std::string wire = "HTTP/1.1 " + std::to_string(reply.status) + " X\r\n";
    for (const auto& [name, value] : reply.headers) wire += name + ": " + value + "\r\n";
    if (reply.chunks.empty()) {
      if (reply.status != 204) wire += "Content-Length: " + std::to_string(reply.body.size()) + "\r\n";
      return wire + "\r\n" + reply.body;
    }
    wire += "Transfer-Encoding: chunked\r\n\r\n";
    for (const std::string& chunk : reply.chunks) {
      std::string size;
      for (std::size_t left = chunk.size(); left > 0; left /= 16) size.insert(0, 1, "0123456789abcdef"[left % 16]);
      wire += size + "\r\n" + chunk + "\r\n";
    }
    return wire + "0\r\n\r\n";
  }

  Script script;
  asio::io_context context;
  tcp::acceptor acceptor;
  mutable std::mutex mutex;
  int living = -1;  // the connection being served
  bool is_ending = false;
  std::vector<SeenRequest> requests;
  std::thread thread;
};

ScriptedServer::ScriptedServer(Script script) : impl_(std::make_unique<Impl>(std::move(script))) {
  impl_->thread = std::thread([impl = impl_.get()] { impl->accept_all(); });
}

ScriptedServer::~ScriptedServer() {
  {
    const std::lock_guard lock(impl_->mutex);
    impl_->is_ending = true;
    if (impl_->living >= 0) ::shutdown(impl_->living, SHUT_RDWR);
    ::shutdown(impl_->acceptor.native_handle(), SHUT_RDWR);
  }
  impl_->thread.join();
}

std::uint16_t ScriptedServer::port() const { return impl_->acceptor.local_endpoint().port(); }
std::string ScriptedServer::url() const { return "http://127.0.0.1:" + std::to_string(port()); }

std::vector<SeenRequest> ScriptedServer::seen() const {
  const std::lock_guard lock(impl_->mutex);
  return impl_->requests;
}

std::vector<std::string> ScriptedServer::lines() const {
  std::vector<std::string> lines;
  for (const SeenRequest& request : seen()) lines.push_back(request.line());
  return lines;
}

std::string SeenRequest::header(std::string_view name) const {
  for (const auto& [field, value] : headers) {
    if (equals_ignoring_case(field, name)) return value;
  }
  return {};
}

}  // namespace ogni::cli
