"""Hosts that lack something: no user namespaces, no control group that may be written, no more processes."""

import shutil
import subprocess
import tempfile
import unittest

import functions
from harness import OGNI, PYTHON, Service, can_isolate
from no_more_processes import process_group


class NoUserNamespaces(unittest.TestCase):
    """As if the host had `user.max_user_namespaces=0`: it is, in a user namespace of the test's own."""

    @classmethod
    def setUpClass(cls):
        reason = can_isolate()
        if reason:
            raise unittest.SkipTest("nothing can be taken away here: " + reason)

    def run_there(self, *words, seconds=60):
        script = ('echo 0 > /proc/sys/user/max_user_namespaces && '
                  'exec setpriv --inh-caps=-all --ambient-caps=-all "$@"')
        return subprocess.run(["unshare", "--user", "--map-user", "1000", "--keep-caps", "bash", "-c", script, "bash", *map(str, words)],
                              capture_output=True, text=True, timeout=seconds, stdin=subprocess.DEVNULL)

    def data(self):
        folder = tempfile.mkdtemp(prefix="d-")
        self.addCleanup(shutil.rmtree, folder, ignore_errors=True)
        return folder

    def test_doctor_says_why(self):
        said = self.run_there(OGNI, "doctor")
        line = next(line for line in said.stdout.splitlines() if "user namespaces" in line)
        self.assertIn("user.max_user_namespaces is 0", line)
        self.assertRegex(said.stdout, r"(?m)namespace.*user\.max_user_namespaces is 0")

    def test_namespace_refuses_to_start_and_says_why(self):
        said = self.run_there(OGNI, "serve", "--listen", "127.0.0.1:0", "--data", self.data(), "--isolation", "namespace")
        self.assertNotEqual(said.returncode, 0)
        self.assertEqual(said.stdout, "")
        self.assertIn("namespace", said.stderr)
        self.assertIn("user.max_user_namespaces is 0", said.stderr)

    def test_auto_falls_back_and_says_so(self):
        # `ogni serve` does not end by itself.
        said = self.run_there("timeout", "--signal", "TERM", "--preserve-status", 5,
                              OGNI, "serve", "--listen", "127.0.0.1:0", "--data", self.data(), "--isolation", "auto")
        self.assertRegex(said.stdout, r"^listening on ", said.stderr)
        self.assertRegex(said.stderr, r"(?m)\[warning\].*user\.max_user_namespaces is 0.*WITHOUT ISOLATION")


class NoMoreProcesses(unittest.TestCase):
    """A control group bounds the processes of the service, as systemd's TasksMax= does."""

    def test_the_error_is_clear_and_calls_are_served_again(self):
        reason = can_isolate()
        if reason:
            self.skipTest("namespace isolation: " + reason)
        group = process_group(self)
        service = Service("--isolation", "namespace", "--blank-environments", "0")
        self.addCleanup(service.close)
        service.start()
        for pid, _ in service.family():
            (group / "cgroup.procs").write_text(str(pid))
        service.deploy("one", functions.hello_cpp(), Timeout=20)
        self.assertEqual(service.invoke("one", b"[1]").body, b"[1]")
        service.deploy("two", functions.hello_cpp(), Timeout=20)
        now = int((group / "pids.current").read_text())
        (group / "pids.max").write_text(str(now))

        status, _, body = service.http("POST", "/2015-03-31/functions/two/invocations", b"[1]")

        self.assertEqual((status, b"could not run the function" in body), (500, True), body)
        self.assertIn("Resource temporarily unavailable", service.messages())
        self.assertEqual(service.invoke("one", b"[1]").body, b"[1]")
        (group / "pids.max").write_text("max")
        self.assertEqual(service.invoke("two", b"[1]").body, b"[1]")
        self.assertEqual(service.stop(), 0)


class FewProcesses(unittest.TestCase):
    def test_one_function_leaves_processes_for_others_to_start_with(self):
        reason = can_isolate()
        if reason:
            self.skipTest("namespace isolation: " + reason)
        group = process_group(self)
        (group / "pids.max").write_text("300")
        service = Service("--isolation", "namespace", "--blank-environments", "0",
                          prefix=("sh", "-c", f'echo $$ > {group}/cgroup.procs && exec "$@"', "sh"))
        self.addCleanup(service.close)
        service.start()
        service.deploy("bomb", functions.python_handler("""
import os, signal
kept = 0
def handler(event, context):
    global kept
    try:
        while kept < 1000:
            if os.fork() == 0:
                signal.pause()
            kept += 1
    except OSError:
        pass
    return kept
"""), runtime=PYTHON, handler="app.handler", Timeout=30, MemorySize=1024)
        service.deploy("other", functions.hello_cpp(), Timeout=20)
        taken = service.invoke("bomb").json
        self.assertGreater(taken, 50)
        self.assertLess(taken, 150)
        self.assertEqual(service.invoke("other", b"[1]").body, b"[1]")
        self.assertEqual(service.stop(), 0)


class NoControlGroups(unittest.TestCase):
    """Control groups are there and belong to somebody else."""

    def test_functions_run_and_what_is_weaker_is_said(self):
        reason = can_isolate()
        if reason:
            self.skipTest("namespace isolation: " + reason)
        # In a user namespace with a single user nothing of root's can be written, by root's uid or any other.
        words = "mount -t tmpfs none /sys/fs/cgroup && exec \"$@\""
        said = subprocess.run(["unshare", "--user", "--map-root-user", "--mount", "bash", "-c", words, "bash",
                               str(OGNI), "doctor"], capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL)
        for kind, instead in (("memory cgroup", "looks every 20 ms"), ("processor cgroup", "weigh the same"),
                              ("freezer cgroup", "by signals")):
            line = next(line for line in said.stdout.splitlines() if kind in line)
            self.assertIn(instead, line)


if __name__ == "__main__":
    unittest.main()
