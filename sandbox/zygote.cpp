#include "sandbox/zygote.h"

#include <linux/securebits.h>
#include <malloc.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <string_view>
#include <utility>
#include <vector>

#include "base/system.h"

namespace ogni::sandbox {

namespace {

constexpr int kSocket = 3;
constexpr auto kNoOwner = static_cast<uid_t>(-1);

// Its descriptors travel beside it, in the order of each_descriptor(); those that are not there are -1.
struct Order {
  std::uint64_t flags = 0;
  int cgroup = -1;
  uid_t owner = kNoOwner;
  InitDescriptors descriptors;
};

struct Reply {
  pid_t pid = -1;
  int error = 0;  // errno of clone3
};

template <typename Visit>
void each_descriptor(Order& order, const Visit& visit) {
  InitDescriptors& init = order.descriptors;
  for (int* one : {&order.cgroup, &init.control, &init.lifeline, &init.log, &init.tasks[0], &init.tasks[1],
                   &init.program_tasks, &init.out_of_memory, &init.memory_statistics}) {
    if (*one >= 0) visit(*one);
  }
}
constexpr std::size_t kDescriptorsMax = 9;

// Only system calls and its stack, so that clones have few pages to copy. False at the end.
bool receive_order(Order& order) {
  iovec data{.iov_base = &order, .iov_len = sizeof order};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int) * kDescriptorsMax)> control;
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  ssize_t size = 0;
  do {
    size = ::recvmsg(kSocket, &message, MSG_CMSG_CLOEXEC);
  } while (size < 0 && errno == EINTR);
  const cmsghdr* header = CMSG_FIRSTHDR(&message);
  if (size != sizeof order || header == nullptr || header->cmsg_type != SCM_RIGHTS) return false;
  // Without room for all of them the rest is lost, and so is an order to go by.
  if ((message.msg_flags & MSG_CTRUNC) != 0) return false;
  const unsigned char* next = CMSG_DATA(header);
  each_descriptor(order, [&](int& place) {
    std::memcpy(&place, next, sizeof place);
    next += sizeof place;
  });
  return true;
}

bool send_reply(const Reply& reply, int pidfd) {
  iovec data{.iov_base = const_cast<Reply*>(&reply), .iov_len = sizeof reply};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  if (pidfd >= 0) {
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    std::memcpy(CMSG_DATA(header), &pidfd, sizeof pidfd);
  }
  return ::sendmsg(kSocket, &message, MSG_NOSIGNAL) == sizeof reply;
}

void wait_for(pid_t pid) {
  while (::waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
  }
}

// Takes what is free between the launcher's own data, and keeps it: so what a clone allocates lies side by side above
// them, and not on a dozen pages, each of which it would have to copy.
void use_up_free_memory() {
  const auto end = reinterpret_cast<std::uintptr_t>(::sbrk(0));
  const std::uintptr_t untouched = end - ::mallinfo2().keepcost;
  for (std::size_t size = 64 << 10; size >= 16; size -= size > 2048 ? size / 2 : 16) {
    for (std::uintptr_t taken = 1; taken != 0 && taken < untouched;) {
      taken = reinterpret_cast<std::uintptr_t>(std::malloc(size));
    }
  }
}

void end_with_launcher() { ::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0); }

// Only the effective id, and capabilities stay. A plain system call, as no other thread is to follow.
bool act_as(uid_t uid) {
  if (::syscall(SYS_setresuid, -1, uid, -1) != 0) return false;
  end_with_launcher();  // to take an id undoes it
  return true;
}

// False when the launcher is gone. In a clone it does not return.
bool carry_out(const Order& order, const SystemCallFilter& filter) {
  if (order.owner != kNoOwner && !act_as(order.owner)) return send_reply({.error = errno}, -1);
  // The launcher's child, as the zygote is.
  auto init = fork_into(order.flags | CLONE_PARENT, order.cgroup);
  if (order.owner != kNoOwner && (!init || init->pid != 0) && !act_as(0)) return false;
  if (!init) return send_reply({.error = init.error().system_error()}, -1);
  if (init->pid == 0) run_init(order.descriptors, Strength::kNamespace, {}, filter);
  return send_reply({.pid = init->pid}, init->process.get());
}

[[noreturn]] void run(const SystemCallFilter& filter) {
  ::prctl(PR_SET_NAME, "ogni-zygote", 0, 0, 0);
  // For act_as(); an ordinary user has no use for it, and root in a poor container may not.
  const bool keeps_capabilities = ::prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP, 0, 0, 0) == 0;
  use_up_free_memory();
  for (Order order; receive_order(order);) {
    if (!keeps_capabilities) order.owner = kNoOwner;
    if (!carry_out(order, filter)) break;
    ::syscall(SYS_close_range, kSocket + 1, ~0U, 0U);
  }
  ::_exit(0);
}

}  // namespace

Result<Zygote> Zygote::start(const SystemCallFilter& filter) {
  auto sockets = socket_pair();
  if (!sockets) return failure(std::move(sockets).error());
  const pid_t launcher = ::getpid();
  auto process = fork_into(0, -1);
  if (!process) return failure(std::move(process).error());
  if (process->pid == 0) {
    end_with_launcher();
    const std::array kept = {sockets->second.get()};
    if (::getppid() != launcher || !keep_only(kept)) ::_exit(1);
    run(filter);
  }
  return Zygote(std::move(sockets->first), std::move(*process));
}

Zygote& Zygote::operator=(Zygote&& other) noexcept {
  std::swap(socket_, other.socket_);
  std::swap(process_, other.process_);
  return *this;
}

Zygote::~Zygote() {
  if (!process_.process) return;
  socket_.reset();
  wait_for(process_.pid);
}

bool Zygote::has_ended() const { return wait_readable(process_.process.get(), std::chrono::milliseconds(0)); }

Result<Child> Zygote::clone_init(std::uint64_t flags, int cgroup, std::optional<uid_t> owner,
                                 const InitDescriptors& descriptors) {
  Order order{.flags = flags, .cgroup = cgroup, .owner = owner.value_or(kNoOwner), .descriptors = descriptors};
  std::vector<int> passed;
  each_descriptor(order, [&](int& place) { passed.push_back(place); });
  const std::string_view bytes(reinterpret_cast<const char*>(&order), sizeof order);
  if (auto sent = send_message(socket_.get(), bytes, passed); !sent) return failure(std::move(sent).error());
  auto message = receive_message(socket_.get(), sizeof(Reply));
  if (!message) return failure(std::move(message).error());
  Reply reply;
  std::memcpy(&reply, message->bytes.data(), std::min(message->bytes.size(), sizeof reply));
  if (reply.pid < 0) return failure(Error::from_errno("clone3", reply.error));
  if (message->descriptors.empty()) {
    ::kill(reply.pid, SIGKILL);
    wait_for(reply.pid);
    return failure(ErrorCode::kLimit, "no descriptors are left");
  }
  return Child{.pid = reply.pid, .process = std::move(message->descriptors.front())};
}

}  // namespace ogni::sandbox
