"""What the whole host has in common, or what the kernel charges to nobody: what of it a function could take."""

import ctypes
import errno
import fcntl
import mmap
import os
import socket
import struct
import time

from kernel import LIBC, call, in_child

HUGE = 2 << 20
HALT = struct.pack("HBBI", 0x06, 0, 0, 0x7fff0000)  # of a filter: return "allow"


def filter_of(instructions):
    """A sock_fprog with so many instructions, and what it points to."""
    code = ctypes.create_string_buffer(struct.pack("HBBI", 0, 0, 0, 1) * (instructions - 1) + HALT)
    return struct.pack("HxxxxxxQ", instructions, ctypes.addressof(code)), code


def said(attempt):
    """The error's name, or "done"."""
    try:
        result = attempt()
    except OSError as error:
        return errno.errorcode[error.errno]
    if isinstance(result, tuple):
        return result[1] if result[0] < 0 else "done"
    return "done"


def huge_pages():
    """How huge pages can be had: nothing but errors."""
    return {
        "mmap": said(lambda: call("mmap", 0, HUGE, 3, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x40000, -1, 0)),
        "mmap of 1 GB": said(lambda: call("mmap", 0, 1 << 30, 3, 0x22 | 0x40000 | 30 << 26, -1, 0)),
        "memfd_create": said(lambda: call("memfd_create", b"x", 4)),
        "shmget": said(lambda: call("shmget", 0, HUGE, 0o1600 | 0o4000)),
    }


def asynchronous_contexts(limit):
    """How many contexts of asynchronous I/O could be had."""
    contexts = 0
    for _ in range(limit):
        if call("io_setup", 128, ctypes.create_string_buffer(8))[0] < 0:
            break
        contexts += 1
    return contexts


def socket_memory():
    """Options of sockets whose memory is charged to nobody, or of which the host has one stock."""
    program, kept = filter_of(4096)
    address = struct.pack("<HH4s8s112s", socket.AF_INET, 0, bytes([10, 1, 1, 1]), b"", b"")
    group = b"\xff\x05" + bytes(13) + b"\x01"
    group_request = struct.pack("<IxxxxHHI16sI100s", 1, socket.AF_INET6, 0, 0, group, 0, b"")
    label = struct.pack("<16sIBBHHH4s", bytes(15) + b"\x01", 0, 1, 255, 1, 0, 0, b"")
    number = struct.pack("i", 3)
    options = {
        "SO_ATTACH_FILTER": (socket.AF_INET, socket.SOCK_DGRAM, 1, 26, program),
        "SO_ATTACH_BPF": (socket.AF_INET, socket.SOCK_DGRAM, 1, 50, number),
        "SO_ATTACH_REUSEPORT_CBPF": (socket.AF_INET, socket.SOCK_DGRAM, 1, 51, program),
        "SO_ATTACH_REUSEPORT_EBPF": (socket.AF_INET, socket.SOCK_DGRAM, 1, 52, number),
        "SO_ATTACH_FILTER of UNIX": (socket.AF_UNIX, socket.SOCK_DGRAM, 1, 26, program),
        "TCP_MD5SIG": (socket.AF_INET, socket.SOCK_STREAM, 6, 14, address + struct.pack("<BBHI80s", 0, 0, 8, 0, b"x")),
        "TCP_MD5SIG_EXT": (socket.AF_INET, socket.SOCK_STREAM, 6, 32,
                           address + struct.pack("<BBHI80s", 0, 32, 8, 0, b"x")),
        "TCP_ULP": (socket.AF_INET, socket.SOCK_STREAM, 6, 31, b"tls\0"),
        "IPV6_JOIN_GROUP": (socket.AF_INET6, socket.SOCK_DGRAM, 41, 20, group + struct.pack("I", 1)),
        "MCAST_JOIN_GROUP": (socket.AF_INET6, socket.SOCK_DGRAM, 41, 42, group_request),
        "IPV6_FLOWLABEL_MGR": (socket.AF_INET6, socket.SOCK_DGRAM, 41, 32, label),
    }
    found = {}
    for name, (family, kind, level, option, value) in options.items():
        with socket.socket(family, kind) as one:
            found[name] = said(lambda: one.setsockopt(level, option, value))
    del kept
    return found


def tcp_buffers(connections, mebibytes):
    """MiB that its connections to itself hold unread, when so many are filled or no more goes in; all stay open."""
    listener = socket.create_server(("127.0.0.1", 0))
    kept, held = [], 0
    block = bytes(1 << 18)
    for _ in range(connections):
        one = socket.socket()
        one.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 << 20)
        one.connect(listener.getsockname())
        other, _ = listener.accept()
        other.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        kept += [one, other]
        one.setblocking(False)
        try:
            while held < mebibytes << 20:
                held += one.send(block)
        except BlockingIOError:
            pass
    return held >> 20


def udp_buffers(sockets, mebibytes):
    """The same with datagrams."""
    kept, held = [], 0
    for _ in range(sockets):
        one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        one.bind(("127.0.0.1", 0))
        kept.append(one)
        for _ in range(200):
            if held < mebibytes << 20:
                one.sendto(bytes(60_000), one.getsockname())
        held += queued(one.getsockname()[1])
    return held >> 20


def queued(port):
    """What the kernel says that the queue of a UDP port holds."""
    with open("/proc/net/udp") as table:
        for line in table:
            fields = line.split()
            if len(fields) > 4 and fields[1].endswith(f":{port:04X}"):
                return int(fields[4].split(":")[1], 16)
    return 0


def netlink_queues(sockets, mebibytes, seconds):
    """MiB that sockets of netlink hold unread, seen by the kernel's own table; kept for so many seconds."""
    ask = struct.pack("IHHIIB15x", 32, 18, 0x301, 1, 0, socket.AF_UNSPEC)  # all interfaces
    kept = []
    for _ in range(sockets):
        one = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)
        one.bind((0, 0))
        kept.append(one)
        one.setblocking(False)
        try:
            for _ in range(400):
                one.send(ask)
        except OSError:
            pass
    time.sleep(seconds)
    with open("/proc/net/netlink") as table:
        held = sum(int(line.split()[4]) for line in list(table)[1:])
    return held >> 20


def filters():
    """Filters for system calls, whose machine code is of the host's stock."""
    program, kept = filter_of(4000)
    words = ctypes.create_string_buffer(program)
    found = {"seccomp": in_child(lambda: call("seccomp", 1, 0, words)),
             "seccomp with a listener": in_child(lambda: call("seccomp", 1, 8, words)),
             "prctl": in_child(lambda: call("prctl", 22, 2, words))}
    del kept
    return found


def policies():
    with mmap.mmap(-1, 1 << 20) as memory:
        place = ctypes.addressof(ctypes.c_char.from_buffer(memory))
        result = said(lambda: call("mbind", place, 4096, 2, ctypes.create_string_buffer(struct.pack("Q", 1)), 64, 0))
        return result


def unusual_protocols():
    """Kinds of internet sockets beside those that programs use: a host with modules would load one for each."""
    found = []
    for family in (socket.AF_INET, socket.AF_INET6):
        for kind in (1, 2, 4, 5, 6, 10):
            for protocol in (0, 2, 33, 51, 77, 115, 132, 255, 256, 261, 263, 1 << 20):
                if kind in (1, 2) and protocol == 0:
                    continue
                error = said(lambda: socket.socket(family, kind, protocol).close())
                if error not in ("EPROTONOSUPPORT", "ESOCKTNOSUPPORT"):
                    found.append([family, kind, protocol, error])
    return found


def dnotify():
    folder = os.open("/usr/bin", os.O_RDONLY)
    result = said(lambda: fcntl.fcntl(folder, fcntl.F_NOTIFY, fcntl.DN_ACCESS | fcntl.DN_MULTISHOT))
    os.close(folder)
    return result


def direct_access():
    """Ways of asking for direct access to the disk of /tmp."""
    direct = os.O_DIRECT
    with open("/tmp/direct", "wb") as file:
        found = {"fcntl": said(lambda: fcntl.fcntl(file, fcntl.F_SETFL, direct))}
    found["open"] = said(lambda: os.close(os.open("/tmp/direct", os.O_WRONLY | direct)))
    how = ctypes.create_string_buffer(struct.pack("QQQ", os.O_WRONLY | direct, 0, 0))
    found["openat2"] = said(lambda: call("openat2", -100, b"/tmp/direct", how, 24))
    os.unlink("/tmp/direct")
    return found


def what_is_needed():
    """The useful neighbours of all that is refused: these have to work."""
    problems = []

    def needs(name, attempt):
        error = said(attempt)
        if error != "done":
            problems.append([name, error])
    needs("map", lambda: mmap.mmap(-1, 1 << 20).close())
    needs("memfd", lambda: os.close(os.memfd_create("x")))
    needs("fcntl", lambda: fcntl.fcntl(0, fcntl.F_SETFL, fcntl.fcntl(0, fcntl.F_GETFL)))
    for family in (socket.AF_INET, socket.AF_INET6):
        for kind, protocol in ((1, 0), (1, 6), (2, 0), (2, 17)):
            needs(f"socket {family} {kind} {protocol}", lambda: socket.socket(family, kind, protocol).close())
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as one:
        for level, name, value in ((1, socket.SO_REUSEADDR, 1), (1, socket.SO_RCVBUF, 65536), (1, socket.SO_KEEPALIVE, 1),
                                   (6, socket.TCP_NODELAY, 1), (6, 4, 10)):
            needs(f"setsockopt {level} {name}", lambda: one.setsockopt(level, name, value))
    with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as one:
        needs("IPV6_V6ONLY", lambda: one.setsockopt(41, 26, 1))
    with open("/tmp/locked", "wb") as file:
        needs("flock", lambda: fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB))
        needs("lockf", lambda: fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB))
    needs("interfaces", socket.if_nameindex)
    needs("addresses", lambda: socket.getaddrinfo("localhost", 80, flags=socket.AI_ADDRCONFIG))
    watch = LIBC.inotify_init1(os.O_NONBLOCK)
    if watch < 0 or LIBC.inotify_add_watch(watch, b"/tmp", 0x100) < 0:
        problems.append(["inotify", "of /tmp"])
    os.unlink("/tmp/locked")
    open("/tmp/seen", "w").close()
    if b"seen" not in os.read(watch, 4096):
        problems.append(["inotify", "saw nothing"])
    os.unlink("/tmp/seen")
    os.close(watch)
    return problems


def tells(names):
    """Files of /proc that can be read and hold anything."""
    found = []
    for name in names:
        try:
            with open("/proc/" + name, "rb") as file:
                if file.read(1):
                    found.append(name)
        except OSError:
            pass
    return found
