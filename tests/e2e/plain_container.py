#!/usr/bin/python3
"""plain_container.py PROGRAM...: becomes the program, with what a container that was started without privileges lets it do:
no CAP_SYS_ADMIN, and a filter of system calls that knows no clone3 and refuses namespaces and mounts."""

import ctypes
import os
import platform
import struct
import sys

CLONE = {"x86_64": 56, "aarch64": 220}[platform.machine()]
FORBIDDEN = {"x86_64": [272, 165, 166, 308, 155], "aarch64": [97, 40, 39, 268, 41]}[platform.machine()] + [
    428, 429, 430, 431, 432, 442]  # unshare, mount, umount2, setns, pivot_root; open_tree, move_mount, fs*, mount_setattr
CLONE3 = 435
NAMESPACES = 0x7E020000  # CLONE_NEW* that clone takes
EPERM, ENOSYS = 1, 38
LOAD, JUMP_IF_EQUAL, JUMP_IF_SET, RETURN = 0x20, 0x15, 0x45, 0x06
ALLOW, ERROR = 0x7FFF0000, 0x00050000
PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS, SECCOMP_MODE_FILTER = 22, 38, 2


class Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_void_p)]


def install_filter():
    step = lambda code, value, yes=0, no=0: struct.pack("HBBI", code, yes, no, value)
    steps = [step(LOAD, 0), step(JUMP_IF_EQUAL, CLONE3, 0, 1), step(RETURN, ERROR | ENOSYS)]
    for number in FORBIDDEN:
        steps += [step(JUMP_IF_EQUAL, number, 0, 1), step(RETURN, ERROR | EPERM)]
    steps += [step(JUMP_IF_EQUAL, CLONE, 0, 3), step(LOAD, 16), step(JUMP_IF_SET, NAMESPACES, 0, 1),
              step(RETURN, ERROR | EPERM), step(RETURN, ALLOW)]
    code = ctypes.create_string_buffer(b"".join(steps))
    program = Program(len(steps), ctypes.addressof(code))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) or libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER,
                                                                 ctypes.byref(program), 0, 0):
        raise OSError(ctypes.get_errno(), "seccomp")


if __name__ == "__main__":
    words = sys.argv[1:]
    if os.geteuid() == 0:
        words = ["setpriv", "--bounding-set=-sys_admin", "--inh-caps=-sys_admin", *words]
    install_filter()
    os.execvp(words[0], words)
