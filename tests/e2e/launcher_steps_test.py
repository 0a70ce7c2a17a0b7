"""The launcher, or the init of an environment, is killed at each step of making one: at each system call. The caller gets
an answer, nothing is left behind, and the next call is served.

Normally at some calls of different kinds; OGNI_SOAK=1 (`make soak`): at every one of the first environment."""

import json
import os
import re
import signal
import subprocess
import sys
import unittest
from pathlib import Path

import functions
from harness import Service, can_isolate, children, comm, launcher_of, process_token, wait_until
from leftovers import groups, mounts

KILLER = Path(__file__).resolve().parent / "kill_at.py"
# The keeper gives up on a launcher that dies more than five times within a minute.
KILLS_PER_SERVICE = 4
STEPS = int(os.environ.get("OGNI_TEST_STEPS", "10"))  # where not all are tried
EVENT = ANSWER = b"[1]"  # such an event hello-cpp returns as it came
FAILED = b"could not run the function"




def loop_devices(folder):
    """Loop devices whose file is below this folder."""
    found = []
    for backing in Path("/sys/block").glob("loop*/loop/backing_file"):
        try:
            if backing.read_text().startswith(str(folder)):
                found.append(backing.parent.parent.name)
        except OSError:
            pass
    return found


class Steps(unittest.TestCase):
    def start(self):
        self.service = Service("--isolation", self.strength, "--blank-environments", "0", "--freeze-after", "0")
        self.addCleanup(self.service.close)
        self.service.start()
        self.number = 0
        self.group = None

    def launcher(self):
        return wait_until(lambda: launcher_of(self.service), "the launcher runs")[1]

    def zygote(self):
        """Pid of what inits are cloned from, in a namespace. One that has died at rest is replaced by the next order, and
        nobody notices."""
        found = wait_until(lambda: next((child for child in children(self.launcher()) if comm(child) == "ogni-zygote"), None),
                           "there is a zygote")
        if process_token(found) is not None:
            return found
        self.service.deploy("next-order", functions.hello_cpp(), Timeout=20)
        self.assertEqual(self.service.invoke("next-order", EVENT).body, ANSWER)
        self.client_delete("next-order")
        return self.zygote()

    def inits(self):
        return [pid for pid, _ in self.service.family() if comm(pid) == "ogni-init"]

    def killed(self, role):
        """For the killer: whom to watch, and which of those processes is to die."""
        if role == "zygote" or (role == "init" and self.strength == "namespace"):
            return str(self.zygote()), "launcher" if role == "zygote" else "init"
        return str(self.launcher()), role

    def kill_at(self, role, step):
        """One cold start with `role` killed at its call number `step`: the numbers of the calls it made."""
        self.number += 1
        name = f"step-{self.number}"
        self.service.deploy(name, functions.hello_cpp(), Timeout=20)
        killer = subprocess.Popen([sys.executable, str(KILLER), *self.killed(role), str(step)],
                                  stdout=subprocess.PIPE, text=True)
        try:
            if killer.stdout.readline() != "attached\n":
                self.skipTest("ptrace does not work here")
            status, headers, body = self.service.http("POST", f"/2015-03-31/functions/{name}/invocations", EVENT)
        finally:
            killer.send_signal(signal.SIGTERM)
            with killer:
                calls = killer.stdout.read()  # communicate() does not know what readline() has read already
        calls = json.loads(calls)
        if status == 200 and "X-Amz-Function-Error" not in headers:
            self.assertEqual(body, ANSWER)
        elif status == 200:
            self.assertIn(b"Runtime.ExitError", body)
        else:
            self.assertEqual((status, FAILED in body), (500, True), body)
        # What was made for the call that failed is gone, and the next one is served.
        self.assertEqual(self.service.invoke(name, EVENT).body, ANSWER)
        self.note_group()
        self.client_delete(name)
        return calls

    def note_group(self):
        """The name of this service's control groups, as one of its environments tells it."""
        for init in self.inits():
            try:
                found = re.search(r"/(ogni-[0-9a-z]+)/", Path(f"/proc/{init}/cgroup").read_text())
            except OSError:
                continue
            self.group = found.group(1) if found else self.group

    def client_delete(self, name):
        self.service.client.delete_function(FunctionName=name)
        wait_until(lambda: not self.inits(), "no environment is left")

    def end(self):
        family = self.service.family()
        data = self.service.data
        self.assertEqual(self.service.stop(), 0, self.service.messages())
        self.assertTrue(all(process_token(pid) != token for pid, token in family))
        wait_until(lambda: not any(Path(g).name == self.group for g in groups()), "no control group is left")
        wait_until(lambda: not loop_devices(data), "no loop device is left")
        self.assertEqual({m for m in mounts() - self.mounts_before if str(data) in m}, set())
        self.service.close()

    def each_step(self, role):
        self.mounts_before = mounts()
        self.start()
        self.kill_at(role, 0)  # the first environment makes what is kept
        calls = self.kill_at(role, 0)
        self.assertGreater(len(calls), 2 if role == "zygote" else 10)
        steps = range(1, len(calls) + 1)
        if not os.environ.get("OGNI_SOAK"):
            first = sorted({calls.index(call) + 1 for call in calls})
            steps = first[::-(-len(first) // STEPS)]
        for count, step in enumerate(steps):
            if count and count % KILLS_PER_SERVICE == 0:
                self.end()
                self.start()
            with self.subTest(role=role, step=step, call=calls[step - 1]):
                self.kill_at(role, step)
        self.end()


class Namespace(Steps):
    strength = "namespace"

    @classmethod
    def setUpClass(cls):
        reason = can_isolate()
        if reason:
            raise unittest.SkipTest("namespace isolation: " + reason)

    def test_launcher_killed_at_each_step(self):
        self.each_step("launcher")

    def test_init_killed_at_each_step(self):
        self.each_step("init")

    def test_zygote_killed_at_each_step(self):
        self.each_step("zygote")


class Process(Steps):
    strength = "process"

    def test_launcher_killed_at_each_step(self):
        self.each_step("launcher")


del Steps

if __name__ == "__main__":
    unittest.main()
