// A server of the function's own that the bootstrap starts once and talks to: a web server, or php-fpm. Its stdout and
// stderr are this program's, so they stay logs. Leaving scope kills it and its process group. Not thread-safe.
#pragma once

#include <sys/socket.h>
#include <sys/types.h>

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bootstrap/descriptor.h"

namespace ogni::bootstrap {

struct ServerAddress {
  sockaddr_storage address = {};
  socklen_t bytes = 0;
  std::string text;  // for messages

  // "127.0.0.1:8080", "localhost:8080", or "unix:" and a path.
  static std::optional<ServerAddress> parse(std::string_view text);
};

class ServerProcess {
 public:
  using Clock = std::chrono::steady_clock;

  ServerProcess() = default;
  ~ServerProcess() { end(); }
  ServerProcess(const ServerProcess&) = delete;
  ServerProcess& operator=(const ServerProcess&) = delete;

  // Ends one that runs. `input`, where there is one, becomes its stdin. False: errno says why not.
  bool start(const std::vector<std::string>& arguments, const std::vector<std::string>& environment,
             const std::string& directory, int input = -1);
  bool is_running() const;
  // Was started, and has ended by itself.
  bool has_ended() const { return process_ > 0 && !is_running(); }
  // Has begun to end. The kernel tells this before it closes the connections of the process.
  bool is_ending() const;
  // Has ended by itself, with status 0.
  bool has_succeeded() const;
  void end();
  // SIGTERM, and no more than `max` for what the server does about it.
  void stop(std::chrono::milliseconds max) const;
  pid_t process() const { return process_; }  // -1: none
  // After it has ended by itself: as waitpid(2) gives it. Ends what it left behind.
  int take_wait_status();

  // Waits until `descriptor` (-1: none) is ready for `events`, the server has ended, or the time has come.
  enum class Event { kReady, kEnded, kTime };
  Event wait(int descriptor, short events, Clock::time_point until) const;

 private:
  pid_t process_ = -1;
  Descriptor process_descriptor_;  // none where the kernel has none
  int wait_status_ = 0;
};

// A connected, non-blocking socket; connecting waits until `until` at the longest. None: errno says why.
Descriptor connect_to(const ServerAddress& address, const ServerProcess& server,
                      ServerProcess::Clock::time_point until);

// A listening socket at a path, which is replaced. None: errno says why.
Descriptor listen_on(const ServerAddress& address);

}  // namespace ogni::bootstrap
