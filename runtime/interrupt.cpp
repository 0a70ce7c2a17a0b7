#include "runtime/interrupt.h"

#include <sched.h>
#include <sys/socket.h>

#include <cerrno>

namespace ogni::runtime {
namespace {

bool change(int& state, int& expected, int desired) {
  return __atomic_compare_exchange_n(&state, &expected, desired, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
}

}  // namespace

bool Interrupt::begin_wait(int socket) {
  int expected = kNobody;
  return change(state_, expected, socket);
}

void Interrupt::end_wait(int socket) {
  int expected = socket;
  if (change(state_, expected, kNobody)) return;
  // A handler on this very thread has finished already, so this waits for another thread only.
  while (__atomic_load_n(&state_, __ATOMIC_ACQUIRE) == kRaising) ::sched_yield();
}

void Interrupt::raise() {
  int state = __atomic_load_n(&state_, __ATOMIC_ACQUIRE);
  while (state >= kNobody) {
    if (!change(state_, state, state == kNobody ? kRaised : kRaising)) continue;
    if (state == kNobody) return;
    const int error = errno;
    ::shutdown(state, SHUT_RD);
    errno = error;
    __atomic_store_n(&state_, kRaised, __ATOMIC_RELEASE);
    return;
  }
}

bool Interrupt::is_raised() const { return __atomic_load_n(&state_, __ATOMIC_ACQUIRE) < kNobody; }

}  // namespace ogni::runtime
