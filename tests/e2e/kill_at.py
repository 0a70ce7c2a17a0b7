"""Kills a process at its Nth system call, before the kernel carries it out: ptrace(2), so that nothing of the process
itself has to know.

    kill_at.py PID launcher|init N      N = 0 kills nothing

`launcher` is the process itself, `init` the first clone of it with a user namespace of its own. Prints "attached", then at
the end a line of JSON: the numbers of the system calls seen. Ends when the process has ended, or at SIGTERM.
"""

import ctypes
import json
import os
import signal
import struct
import sys

SEIZE, INTERRUPT, DETACH, GET_SYSCALL_INFO = 0x4206, 0x4207, 17, 0x420E
CONTINUE_TO_CALL = 24
TRACE_CALLS, TRACE_FORK, TRACE_VFORK, TRACE_CLONE = 1, 2, 4, 8
EVENT_STOP = 128
OWN_TRACEES = 0x40000000 | 0x20000000  # __WALL, __WNOTHREAD
CALL_STOP = signal.SIGTRAP | 0x80
ENTRY = 1

libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.restype = ctypes.c_long
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]


def ptrace(request, pid, address=0, data=0):
    result = libc.ptrace(request, pid, address, data)
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


def entered_call(pid):
    """The number of the call that is about to be made; None at its end."""
    buffer = ctypes.create_string_buffer(96)
    ptrace(GET_SYSCALL_INFO, pid, len(buffer), ctypes.cast(buffer, ctypes.c_void_p).value)
    return struct.unpack_from("=Q", buffer, 24)[0] if buffer.raw[0] == ENTRY else None


def user_namespace(pid):
    try:
        return os.readlink(f"/proc/{pid}/ns/user")
    except OSError:
        return None


def main(pid, role, at):
    seen = []
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(print(json.dumps(seen), flush=True)))
    follow = TRACE_FORK | TRACE_VFORK | TRACE_CLONE if role == "init" else 0
    ptrace(SEIZE, pid, 0, TRACE_CALLS | follow)
    ptrace(INTERRUPT, pid)
    target = pid if role == "launcher" else None
    home = user_namespace(pid)
    print("attached", flush=True)
    while True:
        try:
            stopped, status = os.waitpid(-1, OWN_TRACEES)
        except ChildProcessError:
            break
        if not os.WIFSTOPPED(status):
            if stopped in (pid, target):
                break
            continue
        number, event = os.WSTOPSIG(status), status >> 16
        try:
            if stopped not in (pid, target) and event == EVENT_STOP:
                if target is None and user_namespace(stopped) not in (home, None):
                    target = stopped
                else:
                    ptrace(DETACH, stopped)
                    continue
            if stopped == target and number == CALL_STOP:
                call = entered_call(stopped)
                if call is not None:
                    seen.append(call)
                    if len(seen) == at:
                        os.kill(stopped, signal.SIGKILL)
                        continue
            forwarded = number if event == 0 and number not in (CALL_STOP, signal.SIGTRAP) else 0
            ptrace(CONTINUE_TO_CALL, stopped, 0, forwarded)
        except ProcessLookupError:
            pass
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # else it might print in the middle of this
    print(json.dumps(seen), flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
