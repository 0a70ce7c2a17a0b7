"""Nothing of a function runs between its invocations."""

import unittest

from attacks_test import ATTACKER
from harness import PYTHON, ServiceTest, can_isolate, wait_until


class FreezeTest(ServiceTest):
    def deploy(self, name, **settings):
        self.service.deploy(name, ATTACKER, runtime=PYTHON, handler="app.handler",
                            **{"Timeout": 20, "MemorySize": 256, **settings})

    def attack(self, name, attack, **arguments):
        answer = self.service.invoke(name, {"attack": attack, "with": arguments})
        self.assertIsNone(answer.error, answer.body)
        return answer.json

    def processor_ticks(self):
        """Of all processes below the service, by pid: user and system time in ticks."""
        found = {}
        for pid, _ in self.service.family()[1:]:
            try:
                with open(f"/proc/{pid}/stat") as file:
                    fields = file.read().rpartition(")")[2].split()
                found[pid] = int(fields[11]) + int(fields[12])
            except OSError:
                pass
        return found

    def is_still(self):
        """No process of an environment has used processor time since the last look."""
        before, self.seen = getattr(self, "seen", None), self.processor_ticks()
        return before == self.seen and bool(before)

    def test_a_thread_in_the_background_burns_nothing_between_invocations(self):
        self.deploy("burner")
        self.attack("burner", "background", mark="burner")
        wait_until(self.still_for_a_while, "the environment is frozen")
        self.assertIsInstance(self.attack("burner", "processor_time"), float)
        wait_until(self.still_for_a_while, "the environment is frozen again")
        self.assertEqual(self.attack("burner", "ping"), "pong")

    def still_for_a_while(self):
        return all(self.is_still() for _ in range(20) if not wait_a_tick())

    def test_frozen_function_is_ended_with_its_deletion(self):
        self.deploy("frozen")
        self.attack("frozen", "background", mark="frozen")
        wait_until(self.still_for_a_while, "the environment is frozen")
        count = len(self.service.family())
        self.client.delete_function(FunctionName="frozen")
        wait_until(lambda: len(self.service.family()) < count, "its processes are gone")

    def test_after_a_timeout_it_is_started_again_and_frozen_again(self):
        self.deploy("late", Timeout=1)
        self.assertEqual(self.service.invoke("late", {"attack": "stubborn"}).error, "Unhandled")
        self.assertEqual(self.attack("late", "ping"), "pong")
        self.attack("late", "background", mark="late")
        wait_until(self.still_for_a_while, "the environment is frozen")
        self.assertEqual(self.attack("late", "ping"), "pong")


def wait_a_tick():
    """One hundredth of a second of this process's own time: no clock is trusted."""
    import time
    until = time.thread_time() + 0.01
    while time.thread_time() < until:
        pass


class Namespace(FreezeTest):
    flags = ("--isolation", "namespace")

    @classmethod
    def setUpClass(cls):
        reason = can_isolate()
        if reason:
            raise unittest.SkipTest("namespace isolation: " + reason)
        super().setUpClass()


class Process(FreezeTest):
    flags = ("--isolation", "process", "--freeze-after", "0")


del FreezeTest
