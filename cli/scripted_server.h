// For tests: an HTTP server on a free loopback port whose answers a function of the test decides.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace ogni::cli {

struct SeenRequest {
  std::string method;
  std::string target;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
  int connection = 0;  // counts up from 1

  std::string line() const { return method + " " + target; }
  std::string header(std::string_view name) const;
};

struct ScriptedReply {
  int status = 200;
  std::string body;
  std::vector<std::pair<std::string, std::string>> headers;
  std::vector<std::string> chunks;  // sent as a chunked body instead of `body`
  bool closes = false;              // the connection ends after it, without a word in its header
  std::string raw;                  // sent as it is, instead of everything else; then the connection ends
};

class ScriptedServer {
 public:
  using Script = std::function<ScriptedReply(const SeenRequest&)>;
  // `script` runs on the server's own thread, one request at a time. What it shares with the test may be looked at
  // between two calls of seen(), while no request is under way.
  explicit ScriptedServer(Script script);
  ~ScriptedServer();
  ScriptedServer(const ScriptedServer&) = delete;
  ScriptedServer& operator=(const ScriptedServer&) = delete;

  std::uint16_t port() const;
  std::string url() const;
  std::vector<SeenRequest> seen() const;
  std::vector<std::string> lines() const;  // of the requests seen

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace ogni::cli
