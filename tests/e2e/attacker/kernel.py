"""System calls that Python has no function for, and children to ruin."""

import ctypes
import errno
import os

LIBC = ctypes.CDLL(None, use_errno=True)
LIBC.syscall.restype = ctypes.c_long

CLONE_FLAGS = {"mount": 0x20000, "cgroup": 0x02000000, "uts": 0x04000000, "ipc": 0x08000000, "user": 0x10000000,
               "pid": 0x20000000, "net": 0x40000000, "time": 0x80}
# x86-64 below, and the same numbers on both machines from 424 on.
X86 = os.uname().machine == "x86_64"
NUMBERS = {
    "ptrace": 101, "syslog": 103, "personality": 135, "pivot_root": 155, "adjtimex": 159, "chroot": 161, "acct": 163,
    "settimeofday": 164, "mount": 165, "umount2": 166, "swapon": 167, "swapoff": 168, "reboot": 169,
    "sethostname": 170, "setdomainname": 171, "iopl": 172, "ioperm": 173, "init_module": 175, "delete_module": 176,
    "quotactl": 179, "clock_settime": 227, "kexec_load": 246, "add_key": 248, "request_key": 249, "keyctl": 250,
    "unshare": 272, "perf_event_open": 298, "fanotify_init": 300, "name_to_handle_at": 303, "open_by_handle_at": 304,
    "setns": 308, "process_vm_readv": 310, "process_vm_writev": 311, "kcmp": 312, "finit_module": 313,
    "kexec_file_load": 320, "bpf": 321, "userfaultfd": 323, "clone": 56, "mknod": 133, "setuid": 105, "setgid": 106,
    "setgroups": 116, "prctl": 157, "ioprio_set": 251, "mmap": 9, "io_setup": 206, "mbind": 237, "shmget": 29, "seccomp": 317,
    "memfd_create": 319,
} if X86 else {
    "ptrace": 117, "syslog": 116, "personality": 92, "pivot_root": 41, "adjtimex": 171, "chroot": 51, "acct": 89,
    "settimeofday": 170, "mount": 40, "umount2": 39, "swapon": 224, "swapoff": 225, "reboot": 142,
    "sethostname": 161, "setdomainname": 162, "init_module": 105, "delete_module": 106, "quotactl": 60,
    "clock_settime": 112, "kexec_load": 104, "add_key": 217, "request_key": 218, "keyctl": 219, "unshare": 97,
    "perf_event_open": 241, "fanotify_init": 262, "name_to_handle_at": 264, "open_by_handle_at": 265, "setns": 268,
    "process_vm_readv": 270, "process_vm_writev": 271, "kcmp": 272, "finit_module": 273, "kexec_file_load": 294,
    "bpf": 280, "userfaultfd": 282, "clone": 220, "setuid": 146, "setgid": 144, "setgroups": 159, "prctl": 167,
    "ioprio_set": 30, "mmap": 222, "io_setup": 0, "mbind": 235, "shmget": 194, "seccomp": 277, "memfd_create": 279,
}
NUMBERS.update({"io_uring_setup": 425, "open_tree": 428, "move_mount": 429, "fsopen": 430, "fspick": 433,
                "pidfd_open": 434, "clone3": 435, "pidfd_getfd": 438, "mount_setattr": 442, "openat2": 437})


def call(name, *arguments):
    """(result, error's name) of a system call; a name that this machine does not have counts as ENOSYS."""
    if name not in NUMBERS:
        return -1, "ENOSYS"
    ctypes.set_errno(0)
    words = [ctypes.c_long(a) if isinstance(a, int) else a for a in arguments]
    result = LIBC.syscall(ctypes.c_long(NUMBERS[name]), *words)
    return result, errno.errorcode.get(ctypes.get_errno(), "?") if result < 0 else ""


def in_child(attempt):
    """What `attempt` returned (text) in a forked child, which it may ruin; "signal N" if it was killed."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.write(writer, str(attempt()).encode()[:60000])
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        said = pipe.read().decode()
    _, status = os.waitpid(pid, 0)
    return f"signal {os.WTERMSIG(status)}" if os.WIFSIGNALED(status) else said
