"""What the kernel was told of an environment's processor time is read back from its control group, whichever version of
the interface has the controller here."""

import concurrent.futures
import itertools
import time
import unittest

import functions
from harness import Service, can_isolate, comm, group_of, wait_until

MEMORY_MB = 512
THOUSANDTHS = MEMORY_MB * 1000 // 1769  # AWS: 1,769 MB are one processor
SPIN = ("if [[ $EVENT == '\"spin\"' ]]; then end=$((SECONDS + 60)); n=0; "
        "while ((n < 300000 && SECONDS < end)); do ((n += 1)); done; fi; echo '\"spun\"'")



def processor_group(pid):
    """(version, directory) of a process in the hierarchy that has the cpu controller; None where there is none."""
    if directory := group_of(pid, "cpu"):
        return 1, directory
    directory = group_of(pid)
    return (2, directory) if directory and (directory / "cpu.weight").exists() else None


class Processor(unittest.TestCase):
    def setUp(self):
        if can_isolate():
            self.skipTest("namespace isolation: " + can_isolate())

    def group_after_spinning(self, *flags):
        """Serves a call that keeps a processor busy; the version and directory of its environment's group."""
        service, group, policy = self.environment(*flags)
        self.assertEqual(service.invoke("spin", "spin").json, "spun")
        return group, policy

    def environment(self, *flags):
        """A service with one environment that has served a call."""
        service = Service("--isolation", "namespace", "--blank-environments", "0", *flags)
        self.addCleanup(service.close)
        service.start()
        policy = service.http("GET", "/healthz")[1]["Ogni-Processor-Time"]
        if "(nice)" in policy:
            self.assertIn("weaker here: ", service.messages())
            self.assertEqual(service.stop(), 0)
            self.skipTest("no control group for processor time here")
        service.deploy("spin", functions.bash_handler(SPIN), MemorySize=MEMORY_MB, Timeout=120)
        self.assertEqual(service.invoke("spin").json, "spun")
        # The launcher's trial environment may still be on its way out.
        inits = wait_until(lambda: len(found := [pid for pid, _ in service.family() if comm(pid) == "ogni-init"]) == 1
                           and found, "one environment is left")
        group = processor_group(inits[0])
        self.assertIsNotNone(group, policy)
        self.addCleanup(lambda: self.assertEqual(service.stop(), 0))
        return service, group, policy

    def read(self, directory, name):
        return (directory / name).read_text().split()

    def statistics(self, directory):
        words = self.read(directory, "cpu.stat")
        return dict(zip(words[::2], map(int, words[1::2])))

    def assert_weight(self, version, directory):
        name, weight = ("cpu.shares", THOUSANDTHS * 1024 // 1000) if version == 1 else ("cpu.weight", THOUSANDTHS // 10)
        self.assertEqual(self.read(directory, name), [str(weight)])

    def wait_until_rested(self, service, directory):
        pauses = itertools.count(1)

        def rested():
            if self.read(directory, "cpu.idle") == ["0"]:
                return True
            time.sleep(next(pauses))  # calls without a pause would keep it busy
            service.invoke("spin")

        if (directory / "cpu.idle").exists():
            wait_until(rested, "the group is an ordinary one")

    def test_weight_is_in_proportion_to_memory_and_nothing_is_withheld(self):
        service, (version, directory), policy = self.environment()
        self.assertIn("cpu.shares" if version == 1 else "cpu.weight", policy)
        self.wait_until_rested(service, directory)
        self.assert_weight(version, directory)
        self.assertEqual(service.invoke("spin", "spin").json, "spun")
        if version == 1:
            self.assertEqual(self.read(directory, "cpu.cfs_quota_us"), ["-1"])
        else:
            self.assertEqual(self.read(directory, "cpu.max")[0], "max")
        self.assertEqual(self.statistics(directory).get("nr_throttled", 0), 0)

    def test_who_goes_on_using_much_makes_way_for_others_until_it_rests(self):
        service, (version, directory), _ = self.environment()
        if not (directory / "cpu.idle").exists():
            self.skipTest("this kernel has no idle groups")
        self.wait_until_rested(service, directory)
        calls = concurrent.futures.ThreadPoolExecutor(1)
        self.addCleanup(calls.shutdown)
        spinning = calls.submit(service.invoke, "spin", "spin")
        wait_until(lambda: self.read(directory, "cpu.idle") == ["1"], "the group of a busy environment is an idle one")
        self.assertEqual(spinning.result().json, "spun")
        self.wait_until_rested(service, directory)
        self.assert_weight(version, directory)

    def test_quota_of_aws_is_set_and_counted_against(self):
        (version, directory), policy = self.group_after_spinning("--cpu", "aws")
        quota = [str(THOUSANDTHS * 100), "100000"]
        self.assertIn("quota", policy)
        if version == 1:
            self.assertEqual(self.read(directory, "cpu.cfs_quota_us") + self.read(directory, "cpu.cfs_period_us"), quota)
        else:
            self.assertEqual(self.read(directory, "cpu.max"), quota)
            self.assertGreater(self.statistics(directory)["usage_usec"], 0)
        counted = self.statistics(directory)
        self.assertGreater(counted["nr_periods"], 0)
        self.assertGreater(counted["nr_throttled"], 0, "what it used was counted, and was too much")


if __name__ == "__main__":
    unittest.main()
