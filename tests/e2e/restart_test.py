"""A service that is killed and started again in the same moment, with whatever of it is still ending beside the new one: it
serves, and functions are isolated as before. OGNI_SOAK=1 makes it 200 restarts of each kind instead of 20."""

import itertools
import os
import shutil
import signal
import subprocess
import tempfile
import unittest
from pathlib import Path

import functions
from harness import OGNI, PATIENCE, ClientError, Service, can_isolate, launcher_of, wait_until
from no_more_processes import process_group

SOURCE = Path(__file__).resolve().parent
SOAK = bool(os.environ.get("OGNI_SOAK"))
ROUNDS = 200 if SOAK else 20
# What is killed in one round: each part, and all together, in each order that they may die in.
KILLED = [["daemon"], ["keeper"], ["launcher"], ["daemon", "launcher"], ["launcher", "daemon"], ["daemon", "keeper"],
          ["keeper", "daemon"], ["keeper", "launcher"], ["daemon", "keeper", "launcher"], ["launcher", "keeper", "daemon"]]


class Walls(unittest.TestCase):
    """Each function that is called tries to read a file of the host's, which everybody there may read."""

    def setUp(self):
        self.host = Path(tempfile.mkdtemp(prefix="h-"))
        self.addCleanup(shutil.rmtree, self.host, ignore_errors=True)
        self.host.chmod(0o755)
        (self.host / "file").write_text("the host's\n")
        self.data = self.make_data()

    def make_data(self):
        data = Path(tempfile.mkdtemp(prefix="d-"))
        self.addCleanup(shutil.rmtree, data, ignore_errors=True)
        return data

    def service(self, *flags, data=None, prefix=()):
        service = Service(*flags, data=data or self.data, prefix=prefix)
        self.addCleanup(service.close)
        return service

    def deploy(self, service):
        service.deploy("looks", functions.bash_handler(f"if [ -e {self.host}/file ]; then echo 1; else echo 0; fi"), Timeout=60)

    def expect_walls(self, service):
        answer = service.invoke("looks")
        self.assertEqual((answer.error, answer.json), (None, 0), service.messages())
        self.assertNotIn("WITHOUT ISOLATION", service.messages())

    def try_to_start(self, *flags, data, prefix=()):
        """The service, or None and its words where it refused to start."""
        service = self.service(*flags, data=data, prefix=prefix)
        try:
            return service.start(), service.messages()
        except AssertionError as refused:
            return None, str(refused)


class Restart(Walls):
    def setUp(self):
        if can_isolate():
            self.skipTest("namespace isolation: " + can_isolate())
        super().setUp()

    def restart(self, *flags):
        service = self.service(*flags).start()
        self.deploy(service)
        self.expect_walls(service)
        for number, killed in zip(range(ROUNDS), itertools.cycle(KILLED)):
            with self.subTest(round=number, killed=killed):
                keeper, launcher = wait_until(lambda: launcher_of(service), "the launcher runs")
                pids = {"daemon": service.process.pid, "keeper": keeper, "launcher": launcher}
                losses = service.messages().count("the launcher died")
                for name in killed:
                    os.kill(pids[name], signal.SIGKILL)
                if killed == ["launcher"]:
                    # Until the service knows, an event may still go to an environment that is being lost: its caller is told.
                    wait_until(lambda: service.messages().count("the launcher died") > losses, "the service knows of it")
                else:  # without its keeper the service ends by itself, too
                    before, service = service, self.service(*flags)
                    if "daemon" not in killed:
                        before.process.wait(30 * PATIENCE)
                    service.start()
                    before.process.wait(30 * PATIENCE)
                    before.close()
                self.expect_walls(service)
        self.assertEqual(service.stop(), 0)

    def test_at_once_with_auto(self):
        self.restart("--isolation", "auto")

    def test_at_once_with_namespace(self):
        self.restart("--isolation", "namespace")

    def test_while_the_launcher_before_still_lives_is_waited_for(self):
        service = self.service().start()
        self.deploy(service)
        keeper, launcher = wait_until(lambda: launcher_of(service), "the launcher runs")
        os.kill(launcher, signal.SIGSTOP)
        try:
            service.process.kill()
            service.process.wait()
            again = subprocess.Popen([str(OGNI), "serve", "--listen", "127.0.0.1:0", "--data", str(self.data)],
                                     stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            self.addCleanup(again.communicate)
            self.addCleanup(again.kill)
            self.assertIn("waiting for the launcher", again.stderr.readline())
        finally:
            os.kill(launcher, signal.SIGCONT)
        self.assertIn("listening on", again.stdout.readline())
        again.terminate()
        self.assertEqual(again.wait(30 * PATIENCE), 0)


class ShortOfSomething(Walls):
    """What is short while the service starts may be there later: it has walls, or it does not start and says why."""

    def setUp(self):
        if can_isolate():
            self.skipTest("namespace isolation: " + can_isolate())
        super().setUp()

    def expect_walls_or_refusal(self, prefix, relieve=lambda: None):
        for data in (self.make_data(), self.data):  # self.data has had walls
            service, words = self.try_to_start("--isolation", "auto", data=data, prefix=prefix)
            relieve()
            self.assertNotIn("WITHOUT ISOLATION", words)
            if service is None:
                self.assertIn("ogni serve: ", words)
                continue
            try:
                if data != self.data:
                    self.deploy(service)
                self.expect_walls(service)
            except ClientError as failed:  # what is still short may be so for this, too
                self.assertGreaterEqual(failed.response["ResponseMetadata"]["HTTPStatusCode"], 500)
            finally:
                service.process.terminate()
                service.process.wait(60 * PATIENCE)

    def had_walls(self):
        service = self.service().start()
        self.deploy(service)
        self.expect_walls(service)
        self.assertEqual(service.stop(), 0)

    def test_processes(self):
        group = process_group(self)
        self.had_walls()
        for most in range(4, 16) if SOAK else (6, 8, 10, 12):
            with self.subTest(processes=most):
                (group / "pids.max").write_text(str(most))
                self.expect_walls_or_refusal(
                    ["sh", "-c", f'echo $$ > {group}/cgroup.procs && exec "$@"', "sh"],
                    lambda: (group / "pids.max").write_text("max"))
                wait_until(lambda: not (group / "cgroup.procs").read_text(), "all have ended")

    def test_descriptors(self):
        self.had_walls()
        for most in (12, 20, 40, 64, 80, 128) if SOAK else (20, 64, 128):
            with self.subTest(descriptors=most):
                self.expect_walls_or_refusal(["prlimit", f"--nofile={most}"])


class HostWithoutNamespaces(Walls):
    """As in a container that was started without privileges."""

    prefix = ["/usr/bin/python3", str(SOURCE / "plain_container.py")]

    def test_functions_run_without_isolation_and_that_is_said(self):
        service = self.service("--isolation", "auto", prefix=self.prefix).start()
        self.assertIn("WITHOUT ISOLATION", service.messages())
        self.deploy(service)
        self.assertEqual(service.invoke("looks").json, 1)
        self.assertEqual(service.stop(), 0)

    def test_namespace_is_refused(self):
        service, words = self.try_to_start("--isolation", "namespace", data=self.data, prefix=self.prefix)
        self.assertIsNone(service)
        self.assertIn("Operation not permitted", words)

    def test_data_that_has_had_walls_never_has_less_unless_that_is_said(self):
        if can_isolate():
            self.skipTest("namespace isolation: " + can_isolate())
        service = self.service().start()
        self.deploy(service)
        self.expect_walls(service)
        self.assertEqual(service.stop(), 0)

        refused, words = self.try_to_start(data=self.data, prefix=self.prefix)
        self.assertIsNone(refused)
        self.assertIn("--isolation process", words)

        service = self.service("--isolation", "process", prefix=self.prefix).start()
        self.assertIn("WITHOUT ISOLATION", service.messages())
        self.assertEqual(service.invoke("looks").json, 1)
        self.assertEqual(service.stop(), 0)

        refused, _ = self.try_to_start(data=self.data, prefix=self.prefix)
        self.assertIsNone(refused)

    def test_doctor_says_the_same(self):
        done = subprocess.run([*self.prefix, str(OGNI), "doctor"], capture_output=True, text=True, timeout=60 * PATIENCE,
                              stdin=subprocess.DEVNULL)
        self.assertRegex(done.stdout, r"process is the strongest here; not more because namespace: .*not permitted")


class UnusedPackages(Walls):
    def test_they_are_removed_soon_after_a_start(self):
        service = self.service().start()
        code = lambda: sorted(entry.name for entry in (self.data / "code").iterdir())
        for number in range(3):
            package = functions.bash_handler(f"echo {number}")
            if number == 0:
                service.deploy("changes", package)
            else:
                service.client.update_function_code(FunctionName="changes", ZipFile=package)
                service.wait_active("changes")
        self.assertEqual(len(code()), 3)
        service.kill()
        service = self.service().start()
        wait_until(lambda: len(code()) == 1, "only the package in use is left")
        self.assertEqual(service.invoke("changes").json, 2)
        self.assertEqual(service.stop(), 0)


if __name__ == "__main__":
    unittest.main()
