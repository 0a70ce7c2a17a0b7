// Ends the wait of another thread, or of the code below a signal handler, without a system call where nothing is ended.
#pragma once

namespace ogni::runtime {

// A wait on a socket that raise() ends by shutting the socket's reading side down: a blocked receive returns at once, and
// one that has yet to begin does not block. So there is no moment at which a signal is missed, and no descriptor to poll
// beside the socket.
class Interrupt {
 public:
  // Before the wait. False: raised already, or now; do not wait.
  [[nodiscard]] bool begin_wait(int socket);
  // After the wait, before the socket may be closed.
  void end_wait(int socket);
  // From any thread and from signal handlers. Stays raised.
  void raise();
  bool is_raised() const;

 private:
  // kNobody, kRaising or kRaised, or the socket somebody waits on.
  static constexpr int kNobody = -1;
  static constexpr int kRaising = -2;  // whoever raises is using the socket: it must not be closed
  static constexpr int kRaised = -3;

  int state_ = kNobody;  // atomic by the compiler's builtins: <atomic> needs more of the C++ library than there may be
};

}  // namespace ogni::runtime
