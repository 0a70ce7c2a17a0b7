#include "sandbox/system_call_filter.h"

#include <linux/sched.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>

#include "base/fd.h"

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x00000080
#endif

namespace ogni::sandbox {

namespace {

// What runtimes try when they look for something better, and do without when it is not there. clone3 takes its flags
// from memory, which no filter can read; libraries then use clone.
constexpr std::array kAbsent = {
    "clone3",         "io_uring_setup", "io_uring_enter", "io_uring_register",
    "userfaultfd",    "memfd_secret",   "vm86",           "vm86old",
    "uselib",         "ustat",          "sysfs",          "_sysctl",
    "nfsservctl",     "create_module",  "query_module",   "get_kernel_syms",
    "lookup_dcookie",
};

// What needs a privilege that a function never has, or shows what is outside of it: should the kernel err in its own
// check, this one is before it.
constexpr std::array kForbidden = {
    // other processes, and the kernel's own doors
    "ptrace",
    "process_vm_readv",
    "process_vm_writev",
    "kcmp",
    "pidfd_getfd",
    "process_madvise",
    "bpf",
    "perf_event_open",
    "syslog",
    "modify_ldt",
    "iopl",
    "ioperm",
    "migrate_pages",
    "move_pages",
    // keys
    "keyctl",
    "add_key",
    "request_key",
    // file systems
    "mount",
    "umount",
    "umount2",
    "move_mount",
    "open_tree",
    "fsopen",
    "fsconfig",
    "fsmount",
    "fspick",
    "mount_setattr",
    "pivot_root",
    "chroot",
    "name_to_handle_at",
    "open_by_handle_at",
    "fanotify_init",
    "fanotify_mark",
    "quotactl",
    "quotactl_fd",
    "acct",
    "swapon",
    "swapoff",
    // namespaces, and the machine
    "setns",
    "sethostname",
    "setdomainname",
    "settimeofday",
    "clock_settime",
    "stime",
    "reboot",
    "kexec_load",
    "kexec_file_load",
    "init_module",
    "finit_module",
    "delete_module",
    "vhangup",
};

// Neither in namespaces of their own nor used by programs, and a source of the kernel's faults.
constexpr std::array<std::uint64_t, 3> kInternetProtocolsWithout = {33 /* DCCP */, 115 /* L2TP */, 132 /* SCTP */};
constexpr std::uint64_t kInternetProtocolLast = 262;  // IPPROTO_MPTCP
constexpr std::uint64_t kNetlinkRoute = 0;            // what getifaddrs(3) asks

constexpr std::array<std::uint64_t, 8> kNamespaceFlags = {
    CLONE_NEWNS, CLONE_NEWCGROUP, CLONE_NEWUTS, CLONE_NEWIPC, CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNET, CLONE_NEWTIME,
};

// Of ioprio_set(2): <linux/ioprio.h> is no C++.
constexpr std::uint64_t kIoprioWhoProcess = 1;
constexpr std::uint64_t kIoprioWhoUser = 3;

constexpr int kNumbersMax = 1024;  // of system calls: more than there are on any architecture

struct Release {
  void operator()(void* context) const { ::seccomp_release(context); }
};
using Context = std::unique_ptr<void, Release>;

class Rules {
 public:
  explicit Rules(scmp_filter_ctx context) : context_(context) {}

  void add(std::uint32_t action, int number, std::initializer_list<scmp_arg_cmp> comparisons = {}) {
    if (error_ != 0 || number == __NR_SCMP_ERROR) return;
    error_ = ::seccomp_rule_add_array(context_, action, number, static_cast<unsigned>(comparisons.size()),
                                      comparisons.begin());
    // A call that this architecture does not have cannot be made either.
    if (error_ == -EDOM || error_ == -ENOENT) error_ = 0;
  }
  void refuse(int error, const char* name, std::initializer_list<scmp_arg_cmp> comparisons = {}) {
    add(SCMP_ACT_ERRNO(static_cast<unsigned>(error)), ::seccomp_syscall_resolve_name(name), comparisons);
  }
  int error() const { return error_; }

 private:
  scmp_filter_ctx context_;
  int error_ = 0;
};

// Comparisons are of 64 bits where the kernel looks at 32: `above` also holds what has any higher bit set.
scmp_arg_cmp compare(unsigned argument, scmp_compare how, std::uint64_t first, std::uint64_t second = 0) {
  return {.arg = argument, .op = how, .datum_a = first, .datum_b = second};
}
scmp_arg_cmp is(unsigned argument, std::uint64_t value) { return compare(argument, SCMP_CMP_EQ, value); }
scmp_arg_cmp is_not(unsigned argument, std::uint64_t value) { return compare(argument, SCMP_CMP_NE, value); }
scmp_arg_cmp above(unsigned argument, std::uint64_t value) { return compare(argument, SCMP_CMP_GT, value); }
scmp_arg_cmp has(unsigned argument, std::uint64_t mask, std::uint64_t value) {
  return compare(argument, SCMP_CMP_MASKED_EQ, mask, value);
}

// AF_UNIX, AF_INET, AF_INET6 and NETLINK_ROUTE only. AF_VSOCK, for one, is in no namespace.
void restrict_sockets(Rules& rules) {
  for (std::uint64_t family = 0; family < AF_NETLINK; ++family) {
    if (family == AF_UNIX || family == AF_INET || family == AF_INET6) continue;
    rules.refuse(EAFNOSUPPORT, "socket", {is(0, family)});
  }
  rules.refuse(EAFNOSUPPORT, "socket", {above(0, AF_NETLINK)});
  rules.refuse(EAFNOSUPPORT, "socketpair", {is_not(0, AF_UNIX)});
  rules.refuse(EPROTONOSUPPORT, "socket", {is(0, AF_NETLINK), is_not(2, kNetlinkRoute)});
  for (const std::uint64_t family : {std::uint64_t{AF_INET}, std::uint64_t{AF_INET6}}) {
    rules.refuse(EPROTONOSUPPORT, "socket", {is(0, family), above(2, kInternetProtocolLast)});
    for (const std::uint64_t protocol : kInternetProtocolsWithout) {
      rules.refuse(EPROTONOSUPPORT, "socket", {is(0, family), is(2, protocol)});
    }
  }
}

void restrict_namespaces(Rules& rules) {
  for (const std::uint64_t flag : kNamespaceFlags) {
    rules.refuse(EPERM, "unshare", {has(0, flag, flag)});
    if (flag > CSIGNAL) rules.refuse(EPERM, "clone", {has(0, flag, flag)});  // below it are bits of the exit signal
  }
}

// The init is of the function's user, who could slow it down or take its descriptors away, also by naming all processes of
// that user.
void leave_init_alone(Rules& rules) {
  constexpr std::uint64_t kInit = 1;
  for (const char* name : {"prlimit64", "sched_setscheduler", "sched_setparam", "sched_setattr", "sched_setaffinity"}) {
    rules.refuse(EPERM, name, {has(0, UINT32_MAX, kInit)});
  }
  rules.refuse(EPERM, "setpriority", {has(0, UINT32_MAX, PRIO_PROCESS), has(1, UINT32_MAX, kInit)});
  rules.refuse(EPERM, "setpriority", {has(0, UINT32_MAX, PRIO_USER)});
  rules.refuse(EPERM, "ioprio_set", {has(0, UINT32_MAX, kIoprioWhoProcess), has(1, UINT32_MAX, kInit)});
  rules.refuse(EPERM, "ioprio_set", {has(0, UINT32_MAX, kIoprioWhoUser)});
}

// Typing into a terminal that others share.
void restrict_terminals(Rules& rules) {
  for (const std::uint64_t request : {std::uint64_t{TIOCSTI}, std::uint64_t{TIOCLINUX}}) {
    rules.refuse(EPERM, "ioctl", {has(1, UINT32_MAX, request)});
  }
}

// The number after the youngest call that the library has a name for.
std::uint32_t first_unknown() {
  int last = 0;
  for (int number = 0; number < kNumbersMax; ++number) {
    char* name = ::seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, number);
    if (name != nullptr) last = number;
    std::free(name);
  }
  return static_cast<std::uint32_t>(last) + 1;
}

Result<SystemCallFilter> to_instructions(scmp_filter_ctx context) {
  const Fd file(::memfd_create("filter", MFD_CLOEXEC));
  if (!file) return failure(Error::from_errno("memfd_create"));
  if (const int error = ::seccomp_export_bpf(context, file.get()); error != 0) {
    return failure(Error::from_errno("export the system call filter", -error));
  }
  const off_t size = ::lseek(file.get(), 0, SEEK_END);
  if (size <= 0) return failure(Error::from_errno("size of the system call filter"));
  SystemCallFilter filter(static_cast<std::size_t>(size) / sizeof(sock_filter));
  if (::pread(file.get(), filter.data(), static_cast<std::size_t>(size), 0) != size) {
    return failure(Error::from_errno("read the system call filter"));
  }
  return filter;
}

}  // namespace

Result<SystemCallFilter> compile_system_call_filter() {
  const Context context(::seccomp_init(SCMP_ACT_ALLOW));
  if (!context) return failure(ErrorCode::kUnavailable, "seccomp_init");
  constexpr std::uint32_t kNoSuchCall = SCMP_ACT_ERRNO(ENOSYS);
  int error = ::seccomp_attr_set(context.get(), SCMP_FLTATR_ACT_BADARCH, kNoSuchCall);
  // A search tree: each cold start pays for the length of the longest way through the filter.
  if (error == 0) error = ::seccomp_attr_set(context.get(), SCMP_FLTATR_CTL_OPTIMIZE, 2);
  Rules rules(context.get());
  for (const char* name : kAbsent) rules.refuse(ENOSYS, name);
  for (const char* name : kForbidden) rules.refuse(EPERM, name);
  restrict_sockets(rules);
  restrict_namespaces(rules);
  restrict_terminals(rules);
  leave_init_alone(rules);
  if (error == 0) error = rules.error();
  if (error != 0) return failure(Error::from_errno("system call filter", -error));
  auto filter = to_instructions(context.get());
  if (!filter) return filter;
  const std::array beginning = {
      sock_filter(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr))),
      sock_filter(BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, first_unknown(), 0, 1)),
      sock_filter(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS)),
  };
  filter->insert(filter->begin(), beginning.begin(), beginning.end());
  return filter;
}

int enter_system_call_filter(const SystemCallFilter& filter) {
  // The kernel does not write to it.
  sock_fprog program{.len = static_cast<unsigned short>(filter.size()),
                     .filter = const_cast<sock_filter*>(filter.data())};
  return ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) == 0 ? 0 : errno;
}

}  // namespace ogni::sandbox
