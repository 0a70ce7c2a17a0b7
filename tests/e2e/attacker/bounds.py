"""More than its share: processes, memory, descriptors, /tmp, log, time."""

import ctypes
import errno
import os
import signal
import threading
import time

from kernel import LIBC, in_child


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


def counted(limit):
    """How many could be had of what the kernel counts for each user: inotify instances, message queues. They are kept."""
    watches = sum(LIBC.inotify_init1(0) >= 0 for _ in range(limit))
    queues = 0
    for number in range(min(limit, 100)):
        made = LIBC.mq_open(b"/%d" % number, os.O_CREAT | os.O_RDWR, 0o600, None)
        queues += made >= 0 or ctypes.get_errno() == errno.EACCES  # the file wall: made, but not opened
    return [watches, queues]


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
