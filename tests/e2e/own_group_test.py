"""A service in a control group of its own, as systemd's Delegate=yes and containers give it: a group that has processes can
hand no controllers on, so they make room."""

import os
import unittest

import functions
from harness import Service, can_isolate, comm, group_of, wait_until


def giving_group():
    """A group that hands the memory controller on, and that this user may make groups in."""
    own = group_of(os.getpid())
    for group in [own, *own.parents] if own else []:
        try:
            if "memory" in (group / "cgroup.subtree_control").read_text().split() and os.access(group, os.W_OK):
                return group
        except OSError:
            continue
    return None


class OwnGroup(unittest.TestCase):
    def setUp(self):
        if can_isolate():
            self.skipTest("namespace isolation: " + can_isolate())
        giving = giving_group()
        if not giving:
            self.skipTest("no group of version 2 here that hands the memory controller on")
        self.group = giving / f"ogni-own-group-{os.getpid()}"
        self.group.mkdir()
        self.addCleanup(self.remove_group)

    def remove_group(self):
        for group in [*self.group.glob("*/"), self.group]:
            group.rmdir()

    def test_the_service_makes_room_for_controllers(self):
        service = Service("--isolation", "namespace", "--blank-environments", "0")
        service.prefix = ["sh", "-c", f'echo $$ > "{self.group}/cgroup.procs" && exec "$@"', "sh"]
        self.addCleanup(service.close)
        service.start()
        service.deploy("echo", functions.bash_handler("echo 1"), MemorySize=256)
        self.assertEqual(service.invoke("echo").json, 1)
        self.assertEqual((self.group / "cgroup.procs").read_text(), "")
        self.assertEqual(group_of(service.process.pid), self.group / "ogni-service")
        inits = wait_until(lambda: len(found := [pid for pid, _ in service.family() if comm(pid) == "ogni-init"]) == 1
                           and found, "one environment is left")
        environment = group_of(inits[0])
        self.assertIn(self.group, environment.parents)
        limit = (256 if os.getuid() == 0 else 256 + 512) << 20  # without root /tmp is memory
        self.assertEqual((environment / "memory.max").read_text().strip(), str(limit))
        self.assertTrue((environment / "cpu.weight").exists(), "processor time is shared out, too")
        self.assertEqual(service.stop(), 0)
        self.assertEqual([group.name for group in self.group.glob("*/")], ["ogni-service"])


if __name__ == "__main__":
    unittest.main()
