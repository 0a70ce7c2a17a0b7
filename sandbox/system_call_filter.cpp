#include "sandbox/system_call_filter.h"

#include <fcntl.h>
#include <linux/audit.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/syscall.h>
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
// So does openat2, which could ask for direct access to the disk (O_DIRECT). The number of contexts of io_setup is bounded
// for the whole host (fs.aio-max-nr), so one function could take them all.
constexpr std::array kAbsent = {
    "clone3",      "io_uring_setup", "io_uring_enter", "io_uring_register",
    "userfaultfd", "memfd_secret",   "vm86",           "vm86old",
    "uselib",      "ustat",          "sysfs",          "_sysctl",
    "nfsservctl",  "create_module",  "query_module",   "get_kernel_syms",
    "openat2",     "lookup_dcookie", "io_setup",       "io_destroy",
    "io_submit",   "io_cancel",      "io_getevents",   "io_pgetevents",
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
    // The kernel charges the memory of these policies to no control group.
    "mbind",
    "set_mempolicy_home_node",
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

#if defined(__x86_64__)
constexpr std::uint32_t kNativeArchitecture = AUDIT_ARCH_X86_64;
#elif defined(__aarch64__)
constexpr std::uint32_t kNativeArchitecture = AUDIT_ARCH_AARCH64;
#endif

constexpr std::uint32_t kNetlinkRoute = 0;  // what getifaddrs(3) asks
constexpr std::uint32_t kSocketTypeMask = 0xf;

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

scmp_arg_cmp compare(unsigned argument, scmp_compare how, std::uint64_t first, std::uint64_t second = 0) {
  return {.arg = argument, .op = how, .datum_a = first, .datum_b = second};
}
scmp_arg_cmp is_not(unsigned argument, std::uint64_t value) { return compare(argument, SCMP_CMP_NE, value); }
scmp_arg_cmp has(unsigned argument, std::uint64_t mask, std::uint64_t value) {
  return compare(argument, SCMP_CMP_MASKED_EQ, mask, value);
}

// Memory of options that the kernel charges to no control group, or of which the whole host has one stock. Numbers that a
// header of this machine may lack: <linux/in6.h>, <linux/tcp.h> and <sys/socket.h> do not go together.
struct SocketOption {
  int level;
  int name;
  int error;
};
constexpr std::array kSocketOptionsWithout = {
    // programs for the kernel's interpreter; what they are translated to is taken from a stock of the whole host
    SocketOption{SOL_SOCKET, 26 /* SO_ATTACH_FILTER */, EPERM},
    SocketOption{SOL_SOCKET, 50 /* SO_ATTACH_BPF */, EPERM},
    SocketOption{SOL_SOCKET, 51 /* SO_ATTACH_REUSEPORT_CBPF */, EPERM},
    SocketOption{SOL_SOCKET, 52 /* SO_ATTACH_REUSEPORT_EBPF */, EPERM},
    // keys for signed segments, and protocols above TCP
    SocketOption{IPPROTO_TCP, 14 /* TCP_MD5SIG */, ENOPROTOOPT},
    SocketOption{IPPROTO_TCP, 31 /* TCP_ULP */, ENOPROTOOPT},
    SocketOption{IPPROTO_TCP, 32 /* TCP_MD5SIG_EXT */, ENOPROTOOPT},
    SocketOption{IPPROTO_TCP, 38 /* TCP_AO_ADD_KEY */, ENOPROTOOPT},
    // groups of IPv6, without a bound for each socket; of IPv4 a socket has 20
    SocketOption{IPPROTO_IPV6, 20 /* IPV6_JOIN_GROUP */, ENODEV},
    SocketOption{IPPROTO_IPV6, 27 /* IPV6_JOIN_ANYCAST */, ENODEV},
    SocketOption{IPPROTO_IPV6, 42 /* MCAST_JOIN_GROUP */, ENODEV},
    SocketOption{IPPROTO_IPV6, 46 /* MCAST_JOIN_SOURCE_GROUP */, ENODEV},
    SocketOption{IPPROTO_IPV6, 48 /* MCAST_MSFILTER */, ENODEV},
    // labels, of which the whole host has 4,096
    SocketOption{IPPROTO_IPV6, 32 /* IPV6_FLOWLABEL_MGR */, ENOPROTOOPT},
};

void restrict_socket_options(Rules& rules) {
  for (const SocketOption& option : kSocketOptionsWithout) {
    rules.refuse(option.error, "setsockopt",
                 {has(1, UINT32_MAX, static_cast<std::uint64_t>(option.level)),
                  has(2, UINT32_MAX, static_cast<std::uint64_t>(option.name))});
  }
  rules.refuse(EAFNOSUPPORT, "socketpair", {is_not(0, AF_UNIX)});
}

// The pages that an administrator keeps for others are outside of every memory limit. The errors are those of a kernel that
// has none, with which every program that asks for them goes on.
void restrict_huge_pages(Rules& rules) {
  rules.refuse(ENOMEM, "mmap", {has(3, MAP_HUGETLB, MAP_HUGETLB)});
  rules.refuse(EINVAL, "memfd_create", {has(1, MFD_HUGETLB, MFD_HUGETLB)});
  rules.refuse(ENOMEM, "shmget", {has(2, SHM_HUGETLB, SHM_HUGETLB)});
}

void restrict_files(Rules& rules) {
  // Direct access makes workers of the kernel do the work of /tmp's disk, whose time is counted for nobody.
  constexpr std::uint64_t kDirect = O_DIRECT;
  rules.refuse(EINVAL, "open", {has(1, kDirect, kDirect)});
  rules.refuse(EINVAL, "openat", {has(2, kDirect, kDirect)});
  rules.refuse(EINVAL, "fcntl", {has(1, UINT32_MAX, F_SETFL), has(2, kDirect, kDirect)});
  // The predecessor of inotify, without its bounds.
  rules.refuse(EINVAL, "fcntl", {has(1, UINT32_MAX, F_NOTIFY)});
}

// Machine code of filters is taken from a stock of the whole host (net.core.bpf_jit_limit), without which no other
// environment could enter its own filter. The error is that of a kernel without filters.
void restrict_filters(Rules& rules) {
  rules.refuse(EINVAL, "seccomp", {has(0, UINT32_MAX, SECCOMP_SET_MODE_FILTER)});
  rules.refuse(EINVAL, "prctl", {has(0, UINT32_MAX, PR_SET_SECCOMP), has(1, UINT32_MAX, SECCOMP_MODE_FILTER)});
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

// AF_UNIX, AF_INET, AF_INET6 and NETLINK_ROUTE only: AF_VSOCK, for one, is in no namespace. Of the internet's protocols those
// that programs use; the others are a source of the kernel's faults, and the attempt alone makes a host load modules. Written
// by hand, since the library has no rule for all numbers but some. The kernel looks at 32 bits of each argument, as here.
void refuse_sockets(std::vector<sock_filter>& program) {
  const auto load = [&](unsigned argument) {
    const auto low = static_cast<std::uint32_t>(offsetof(seccomp_data, args) + argument * sizeof(std::uint64_t));
    program.push_back(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, low));
  };
  std::vector<std::size_t> to_end;  // jumps that skip the rest
  const auto jump_if = [&](std::uint32_t value, std::uint8_t yes, std::uint8_t no) {
    program.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, yes, no));
  };
  const auto refuse = [&](std::uint32_t error) {
    program.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error));
  };
  const auto end = [&] {
    to_end.push_back(program.size());
    program.push_back(BPF_JUMP(BPF_JMP | BPF_JA, 0, 0, 0));
  };
  const auto skip_to_end_unless = [&](std::uint32_t value) {
    jump_if(value, 1, 0);
    end();
  };

  program.push_back(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, arch)));
  skip_to_end_unless(kNativeArchitecture);
  program.push_back(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)));
  skip_to_end_unless(SYS_socket);
  load(0);
  jump_if(AF_UNIX, 0, 1);
  end();
  jump_if(AF_NETLINK, 0, 4);
  load(2);
  jump_if(kNetlinkRoute, 0, 1);
  end();
  refuse(EPROTONOSUPPORT);
  jump_if(AF_INET, 2, 0);
  jump_if(AF_INET6, 1, 0);
  refuse(EAFNOSUPPORT);
  load(2);
  constexpr std::array<std::uint32_t, 7> kProtocols = {
      0, IPPROTO_TCP, IPPROTO_UDP, IPPROTO_ICMP, IPPROTO_ICMPV6, IPPROTO_UDPLITE, 262 /* MPTCP */};
  for (std::size_t i = 0; i < kProtocols.size(); ++i) {
    jump_if(kProtocols[i], static_cast<std::uint8_t>(kProtocols.size() - i), 0);
  }
  refuse(EPROTONOSUPPORT);
  load(1);
  program.push_back(BPF_STMT(BPF_ALU | BPF_AND | BPF_K, kSocketTypeMask));
  jump_if(SOCK_STREAM, 3, 0);
  jump_if(SOCK_DGRAM, 2, 0);
  jump_if(SOCK_RAW, 1, 0);  // for which the kernel wants a capability
  refuse(ESOCKTNOSUPPORT);
  for (const std::size_t jump : to_end) program[jump].k = static_cast<std::uint32_t>(program.size() - jump - 1);
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
  restrict_socket_options(rules);
  restrict_huge_pages(rules);
  restrict_files(rules);
  restrict_filters(rules);
  restrict_namespaces(rules);
  restrict_terminals(rules);
  leave_init_alone(rules);
  if (error == 0) error = rules.error();
  if (error != 0) return failure(Error::from_errno("system call filter", -error));
  auto filter = to_instructions(context.get());
  if (!filter) return filter;
  std::vector<sock_filter> beginning = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, first_unknown(), 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
  };
  refuse_sockets(beginning);
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
