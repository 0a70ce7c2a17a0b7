"""What the kernel should refuse: system calls, namespaces, kinds of sockets."""

import ctypes
import fcntl
import os
import signal
import socket
import struct

from kernel import CLONE_FLAGS, call, in_child


def doors():
    """System calls that only a privileged program may make: those that did not fail."""
    attributes = struct.pack("IIQQQQ", 1, 112, 0, 0, 0, 1 | 1 << 5 | 1 << 6) + bytes(72)
    handle = ctypes.create_string_buffer(struct.pack("II", 128, 0) + bytes(128))
    number = ctypes.create_string_buffer(8)
    attempts = {
        "init_module": (b"", 0, b""), "finit_module": (0, b"", 0), "delete_module": (b"x", 0),
        "kexec_load": (0, 0, 0, 0), "kexec_file_load": (0, 0, 0, b"", 0), "reboot": (0xfee1dead, 672274793, 0, 0),
        "swapon": (b"/tmp/x", 0), "swapoff": (b"/tmp/x",), "acct": (0,), "sethostname": (b"owned", 5),
        "setdomainname": (b"owned", 5), "iopl": (3,), "ioperm": (0x80, 1, 1), "quotactl": (0x80000200, 0, 0, 0),
        "clock_settime": (0, ctypes.create_string_buffer(struct.pack("QQ", 1, 1))),
        "settimeofday": (ctypes.create_string_buffer(struct.pack("QQ", 1, 1)), 0),
        "syslog": (3, ctypes.create_string_buffer(100), 100), "fanotify_init": (0, 0),
        "bpf": (5, ctypes.create_string_buffer(128), 128),
        "perf_event_open": (ctypes.create_string_buffer(attributes), -1, 0, -1, 0),
        "perf_event_open of its own": None,
        "open_by_handle_at": None,
        "adjtimex": (ctypes.create_string_buffer(struct.pack("I", 1) + bytes(220)),),
        "kcmp": (1, os.getpid(), 0, 0, 0),
        "TIOCSTI": None,
        "user.max_user_namespaces": None,
    }
    found = {}
    for name, arguments in attempts.items():
        if name == "open_by_handle_at":
            if call("name_to_handle_at", -100, b"/", handle, number, 0)[0] < 0:
                continue
            root = os.open("/", os.O_RDONLY)
            said = in_child(lambda: call(name, root, handle, 0))
        elif name == "TIOCSTI":
            def inject():
                terminal = os.open("/dev/tty", os.O_RDWR)
                fcntl.ioctl(terminal, 0x5412, b"x")
                return "(0, )"
            said = in_child(inject) or "(-1, no terminal)"
        elif name == "user.max_user_namespaces":
            def raise_limit():
                with open("/proc/sys/user/max_user_namespaces", "w") as file:
                    file.write("1000")
                return "(0, )"
            said = in_child(raise_limit) or "(-1, )"
        elif arguments is None:
            continue
        else:
            said = in_child(lambda: call(name, *arguments))
        if not said.startswith("(-1,"):
            found[name] = said
    return found


def filtered():
    """System calls that are denied although this kernel has them for everyone: those that did not fail, and errors."""
    attributes = struct.pack("IIQQQQ", 1, 112, 0, 0, 0, 1 | 1 << 5 | 1 << 6) + bytes(72)
    attempts = {
        "userfaultfd": (0x80001,), "io_uring_setup": (8, ctypes.create_string_buffer(120)),
        "keyctl": (0, -3, 1), "add_key": (b"user", b"x", b"y", 1, -2), "request_key": (b"user", b"x", 0, -2),
        "bpf": (0, ctypes.create_string_buffer(struct.pack("IIII", 2, 4, 4, 1) + bytes(112)), 128),
        "perf_event_open": (ctypes.create_string_buffer(attributes), 0, -1, -1, 0),
        "ptrace": (16, os.getppid(), 0, 0),
        "clone3": (ctypes.create_string_buffer(struct.pack("Q", CLONE_FLAGS["user"]) + bytes(80)), 88),
    }
    return {name: in_child(lambda: call(name, *arguments)) for name, arguments in attempts.items()}


def namespaces():
    """New namespaces that could be made, and namespaces of others that could be joined."""
    found = []
    for name, flag in CLONE_FLAGS.items():
        for together in (flag, flag | CLONE_FLAGS["user"]):
            if in_child(lambda: call("unshare", together)[0]) == "0":
                found.append(f"unshare {name} {together:x}")

        def clone():
            result, _ = call("clone", flag | CLONE_FLAGS["user"] | signal.SIGCHLD, 0, 0, 0, 0)
            if result == 0:
                os._exit(0)
            return result
        if not in_child(clone).startswith("-"):
            found.append(f"clone {name}")
    for name in ("user", "mnt", "pid", "net", "ipc", "uts", "cgroup"):
        for pid in ("1", "self"):
            def join():
                with open(f"/proc/{pid}/ns/{name}") as file:
                    return call("setns", file.fileno(), 0)[0]
            if in_child(join) == "0":
                found.append(f"setns {pid} {name}")
    return found


def sockets():
    """Socket families that can be opened, as "family type protocol"."""
    found = []
    families = {value: name for name, value in vars(socket).items() if name.startswith("AF_")}
    families[16] = "AF_NETLINK"  # also called AF_ROUTE
    for family in range(1, 46):
        for kind, words in ((socket.SOCK_STREAM, "stream"), (socket.SOCK_DGRAM, "dgram"), (socket.SOCK_RAW, "raw"),
                            (socket.SOCK_SEQPACKET, "seqpacket")):
            protocols = range(0, 23) if family == 16 else (0, 1) if words == "raw" else (0,)
            for protocol in protocols:
                try:
                    socket.socket(family, kind, protocol).close()
                    found.append(f"{families.get(family, family)} {words} {protocol}")
                except OSError:
                    pass
    return found
