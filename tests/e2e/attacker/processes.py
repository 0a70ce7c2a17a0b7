"""Other processes, the init before all."""

import ctypes
import os
import resource
import signal
import struct

from kernel import call, in_child


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
    anyhow = {
        "sched_setscheduler": lambda: os.sched_setscheduler(1, os.SCHED_IDLE, os.sched_param(0)),
        "sched_setparam": lambda: os.sched_setparam(1, os.sched_param(0)),
        "sched_setaffinity": lambda: os.sched_setaffinity(1, {min(os.sched_getaffinity(0))}),
        "prlimit": lambda: resource.prlimit(1, resource.RLIMIT_NOFILE, (0, 0)),
        "setpriority": lambda: os.setpriority(os.PRIO_PROCESS, 1, 19),
        "setpriority of its user": lambda: os.setpriority(os.PRIO_USER, 0, 19),
    }
    for name, attempt in anyhow.items():
        try:
            attempt()
            done.append(name)
        except OSError:
            pass
    for who, what in ((1, 1), (3, os.getuid())):
        if call("ioprio_set", who, what, 3 << 13)[0] == 0:
            done.append(f"ioprio_set {who}")
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
