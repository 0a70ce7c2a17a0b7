"""What can be learned and held by way of files that others use, too."""

import errno
import fcntl
import os
import select
import struct
import time

from kernel import LIBC

EVENTS = 0x1 | 0x2 | 0x8 | 0x10 | 0x20  # read, written, closed, opened


def watch(paths, seconds):
    """[path, name] of whatever happens to these within so many seconds."""
    watcher = LIBC.inotify_init1(os.O_NONBLOCK)
    watched = {LIBC.inotify_add_watch(watcher, path.encode(), EVENTS): path for path in paths}
    until = time.monotonic() + seconds
    seen = set()
    while (left := until - time.monotonic()) > 0:
        if not select.select([watcher], [], [], left)[0]:
            break
        data = os.read(watcher, 65536)
        while data:
            number, _, _, length = struct.unpack_from("iIII", data)
            seen.add((watched[number], data[16:16 + length].rstrip(b"\0").decode()))
            data = data[16 + length:]
    os.close(watcher)
    return sorted(seen)


def lock(paths, seconds):
    """What could not be locked, in either way; holds what could for so long."""
    kept, refused = [], []
    for path in paths:
        descriptor = os.open(path, os.O_RDONLY)
        kept.append(descriptor)
        for way in (fcntl.flock, fcntl.lockf):
            kind = fcntl.LOCK_EX if way is fcntl.flock else fcntl.LOCK_SH
            if way is fcntl.lockf and os.path.isdir(path):
                continue
            try:
                way(descriptor, kind | fcntl.LOCK_NB)
            except OSError as error:
                refused.append([path, way.__name__, errno.errorcode[error.errno]])
    time.sleep(seconds)
    for descriptor in kept:
        os.close(descriptor)
    return refused


def touch(paths):
    """Uses files, as any function does."""
    for path in paths:
        descriptor = os.open(path, os.O_RDONLY)
        os.read(descriptor, 10) if not os.path.isdir(path) else os.listdir(descriptor)
        os.close(descriptor)
    return "touched"
