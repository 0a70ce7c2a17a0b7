"""Finds what test programs have left on the machine: processes, control groups, mounts."""

import ctypes
import os
import signal
import time
from pathlib import Path

PR_SET_CHILD_SUBREAPER = 36
GRACE_SECONDS = 10 * int(os.environ.get("OGNI_TEST_PATIENCE", "1"))  # the launcher removes what it made after the daemon is gone; that may take a moment


class Leftovers:
    """Made before the first test starts: from then on, orphans become children of this process."""

    def __init__(self):
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        self.mounts = mounts()
        self.groups = set(groups())

    def find(self):
        """What is left once all tests have ended, in words; processes among it are killed."""
        deadline = time.monotonic() + GRACE_SECONDS
        while True:
            reap()
            processes = descendants(os.getpid())
            abandoned = [g for g in groups() if g not in self.groups and is_empty(g)]
            new_mounts = sorted(m for m in mounts() - self.mounts if "ogni" in m or "/ot-" in m)
            if time.monotonic() > deadline or not (processes or abandoned or new_mounts):
                break
            time.sleep(0.1)
        found = [f"process {pid}: {describe(pid)}" for pid in processes]
        found += [f"control group {g}" for g in abandoned]
        found += [f"mount {m}" for m in new_mounts]
        for pid in processes:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        return found


def reap():
    try:
        while os.waitpid(-1, os.WNOHANG)[0] != 0:
            pass
    except ChildProcessError:
        pass


def descendants(root):
    children = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                stat = Path(f"/proc/{entry}/stat").read_text()
            except OSError:
                continue
            children.setdefault(int(stat.rpartition(")")[2].split()[1]), []).append(int(entry))
    found, queue = [], [root]
    while queue:
        for child in children.get(queue.pop(), []):
            found.append(child)
            queue.append(child)
    return found


def describe(pid):
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        name = Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return "(gone)"
    try:
        variables = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
        program = next((v.decode() for v in variables if v.startswith(b"OGNI_TEST_PROGRAM=")), "")
    except OSError:
        program = ""
    return f"{words.strip() or name} {program}".strip()


def groups():
    """Control groups with our name, of every hierarchy, that a service started here would make: in our own group, above
    it or below it."""
    own = [[part for part in line.split(":", 2)[2].split("/") if part]
           for line in Path("/proc/self/cgroup").read_text().splitlines()]
    for folder, folders, _ in os.walk("/sys/fs/cgroup"):
        parts = Path(folder).relative_to("/sys/fs/cgroup").parts
        # The first part names the hierarchy, unless there is only one.
        places = [list(parts), list(parts[1:])]
        if any(place[:len(mine)] == mine[:len(place)] for place in places for mine in own):
            for name in folders:
                if name.startswith("ogni"):
                    yield os.path.join(folder, name)


def is_empty(group):
    """No process in it nor below: a group of a service that runs beside the tests has some."""
    for folder, _, files in os.walk(group):
        if "cgroup.procs" in files:
            try:
                if Path(folder, "cgroup.procs").read_text().strip():
                    return False
            except OSError:
                pass
    return True


def mounts():
    """Where something is mounted, as this process sees it."""
    return {line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()}
