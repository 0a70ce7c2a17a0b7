#include "runtime/sigterm.h"

#include <sched.h>
#include <signal.h>
#include <unistd.h>

#include <cerrno>

namespace ogni::runtime {
namespace {

// Of the process, as the disposition of a signal is. Atomic by the compiler's builtins, see interrupt.h.
Client* const* caught_clients = nullptr;
std::size_t caught_count = 0;
int handlers_running = 0;
struct sigaction former_action;
pid_t owner = 0;

// What the author has forked has this handler too, and sockets of ours, but nobody there who would end the process.
void end_as_before() {
  const int error = errno;
  ::sigaction(SIGTERM, &former_action, nullptr);
  ::raise(SIGTERM);
  errno = error;
}

void on_sigterm(int) {
  if (::getpid() != owner) {
    end_as_before();
    return;
  }
  __atomic_add_fetch(&handlers_running, 1, __ATOMIC_SEQ_CST);
  Client* const* clients = __atomic_load_n(&caught_clients, __ATOMIC_SEQ_CST);
  const std::size_t count = clients == nullptr ? 0 : __atomic_load_n(&caught_count, __ATOMIC_SEQ_CST);
  for (std::size_t i = 0; i < count; ++i) clients[i]->interrupt();
  __atomic_sub_fetch(&handlers_running, 1, __ATOMIC_SEQ_CST);
}

}  // namespace

bool catch_sigterm(Client* const* clients, std::size_t count) {
  Client* const* nobody = nullptr;
  if (!__atomic_compare_exchange_n(&caught_clients, &nobody, clients, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) {
    return nobody == clients;
  }
  __atomic_store_n(&caught_count, count, __ATOMIC_SEQ_CST);
  owner = ::getpid();
  struct sigaction action = {};
  action.sa_handler = on_sigterm;
  action.sa_flags = SA_RESTART;  // the author's own calls are not to fail
  sigemptyset(&action.sa_mask);
  if (::sigaction(SIGTERM, &action, &former_action) == 0) return true;
  __atomic_store_n(&caught_clients, static_cast<Client* const*>(nullptr), __ATOMIC_SEQ_CST);
  return false;
}

void release_sigterm(Client* const* clients) {
  if (__atomic_load_n(&caught_clients, __ATOMIC_SEQ_CST) != clients) return;
  ::sigaction(SIGTERM, &former_action, nullptr);
  __atomic_store_n(&caught_clients, static_cast<Client* const*>(nullptr), __ATOMIC_SEQ_CST);
  while (__atomic_load_n(&handlers_running, __ATOMIC_SEQ_CST) > 0) ::sched_yield();
}

}  // namespace ogni::runtime
