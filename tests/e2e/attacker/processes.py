"""Other processes, the init before all."""

import ctypes
import os
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
