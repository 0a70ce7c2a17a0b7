"""A control group that bounds the processes of what runs in it, as systemd's TasksMax= does."""

import os
from pathlib import Path

from harness import wait_until


def removed(group):
    try:
        group.rmdir()
    except OSError:
        return not group.exists()
    return True


def process_group(test):
    """A new group of the first hierarchy that bounds processes, removed when the test has ended; skips it where there is
    none."""
    if os.getuid() != 0:
        test.skipTest("only root can make such a group")
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        for top in ("/sys/fs/cgroup/pids", "/sys/fs/cgroup"):
            place = Path(top + path)
            if (controllers == "" or "pids" in controllers.split(",")) and (place / "cgroup.procs").exists():
                # In version 2 a group with processes has no child that bounds them; one beside it may.
                for parent in (place, place.parent):
                    group = parent / f"test-pids-{os.getpid()}"
                    try:
                        group.mkdir()
                    except OSError:
                        continue
                    if (group / "pids.max").exists():
                        test.addCleanup(lambda: wait_until(lambda: removed(group), "the group is empty"))
                        return group
                    group.rmdir()
    test.skipTest("no control group bounds processes here")
