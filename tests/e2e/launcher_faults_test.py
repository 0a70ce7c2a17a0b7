"""Each step of making an environment fails once: the caller gets a clear error, the log names the step, nothing is left
behind, and the next call is served. strace makes the kernel's calls fail, so the launcher is the real one."""

import os
import shutil
import subprocess
import unittest

import functions
from harness import ServiceTest, can_isolate, children, comm, launcher_of, wait_until

# call, error, and what the log says of it; the first of each in the launcher or in the environment's init
FAULTS = [
    ("clone3", "EAGAIN", "clone3"),  # out of pids
    ("socketpair", "EMFILE", "socketpair"),
    ("pipe2", "EMFILE", "pipe"),
    ("open_tree", "ENOMEM", "open_tree"),
    ("pivot_root", "EPERM", "pivot_root"),
    ("move_mount", "ENOMEM", "move_mount"),
    ("sethostname", "EPERM", "sethostname"),
    ("listen", "EADDRINUSE", "listen"),
    ("capset", "EPERM", "capset"),
]
# Without root there are no control groups, and what then fails first there is done without.
AS_ROOT = [("mkdirat", "EACCES", "mkdir"), ("fchown", "EPERM", "chown"), ("fsopen", "ENOMEM", "fsopen"),
           ("fsmount", "EPERM", "fsmount")]




class LauncherFaults(ServiceTest):
    flags = ("--isolation", "namespace", "--blank-environments", "0")

    @classmethod
    def setUpClass(cls):
        reason = can_isolate()
        if reason:
            raise unittest.SkipTest("namespace isolation: " + reason)
        if not shutil.which("strace"):
            raise unittest.SkipTest("needs strace")
        super().setUpClass()

    def launcher(self):
        return wait_until(lambda: launcher_of(self.service), "the launcher runs")[1]

    def inits(self):
        """How many environments there are. What runs in them comes and goes."""
        return sum(comm(pid) == "ogni-init" for pid, _ in self.service.family())

    def inject(self, call, error):
        """strace, attached to the launcher and what it starts; `call` fails once in each process."""
        launcher = self.launcher()
        traced = [launcher, *[child for child in children(launcher) if comm(child) == "ogni-zygote"]]
        tracer = subprocess.Popen(
            ["strace", "-f", *[f"--attach={pid}" for pid in traced], "-o", "/dev/null", "-e", f"trace={call}",
             "-e", f"inject={call}:error={error}:when=1"], stderr=subprocess.PIPE, text=True)
        self.addCleanup(self.detach, tracer)
        for _ in traced:
            line = tracer.stderr.readline()
            if "attached" not in line:
                self.skipTest(f"strace cannot attach here: {line.strip()}")
        return tracer

    def detach(self, tracer):
        if tracer.poll() is None:
            tracer.terminate()
        tracer.wait(30)
        tracer.stderr.close()

    def test_every_step_that_fails_is_named_and_undone(self):
        faults = FAULTS + (AS_ROOT if os.getuid() == 0 else [])
        self.service.deploy("probe", functions.bash_handler("echo 1"), Timeout=30)
        self.assertEqual(self.service.invoke("probe").json, 1)
        path = "/2015-03-31/functions/%s/invocations"
        for number, (call, error, step) in enumerate(faults):
            with self.subTest(call=call):
                name = f"fault-{number}"
                self.service.deploy(name, functions.bash_handler("echo 2"), Timeout=30)
                before = self.inits()
                said = len(self.service.messages())
                tracer = self.inject(call, error)
                status, _, body = self.service.http("POST", path % name, b"{}")
                self.detach(tracer)
                self.assertEqual(status, 500, (call, body))
                self.assertIn(b"could not run the function", body)
                self.assertIn(step, self.service.messages()[said:])
                wait_until(lambda: self.inits() <= before, f"nothing is left after {call}")
                self.assertEqual(self.service.invoke(name).json, 2)


if __name__ == "__main__":
    unittest.main()
