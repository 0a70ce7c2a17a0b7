#include "bootstrap/error_relay.h"

#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cstdint>
#include <utility>

namespace ogni::bootstrap {

// Signals are the main thread's: they interrupt what it waits for.
ErrorRelay::ErrorRelay(Descriptor reading)
    : output_(std::move(reading)), errors_(output_.descriptor()), stop_(lift(::eventfd(0, EFD_CLOEXEC))) {
  sigset_t all;
  sigset_t before;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  thread_ = std::thread([this] { run(); });
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

ErrorRelay::~ErrorRelay() {
  const std::uint64_t one = 1;
  static_cast<void>(!::write(stop_.get(), &one, sizeof one));
  thread_.join();
}

void ErrorRelay::forget() {
  const std::scoped_lock lock(mutex_);
  output_.forget();
}

void ErrorRelay::catch_up() {
  const std::scoped_lock lock(mutex_);
  output_.pass_on();
}

std::string ErrorRelay::tail() {
  const std::scoped_lock lock(mutex_);
  return output_.tail();
}

void ErrorRelay::run() {
  pollfd watched[2] = {{stop_.get(), POLLIN, 0}, {errors_, POLLIN, 0}};
  while (true) {
    ::poll(watched, 2, -1);
    if (watched[0].revents != 0) return;
    if (watched[1].revents == 0) continue;
    const std::scoped_lock lock(mutex_);
    output_.pass_on();
    if (output_.descriptor() < 0) watched[1].fd = -1;  // all writers have ended
  }
}

}  // namespace ogni::bootstrap
