"""The daemon's own life: what it keeps, what it leaves, how it ends, and what it refuses to be started as."""

import concurrent.futures
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import unittest
from pathlib import Path

import functions
from harness import OGNI, ClientError, Service, comm, launcher_of, wait_until
from leftovers import groups, is_empty, mounts


class DaemonTest(unittest.TestCase):
    def setUp(self):
        self.data = Path(tempfile.mkdtemp(prefix="d-"))
        self.addCleanup(shutil.rmtree, self.data, ignore_errors=True)

    def start(self, *flags, data=None):
        service = Service(*flags, data=data or self.data)
        self.addCleanup(service.close)
        return service.start()

    def try_to_serve(self, *flags, environment=None):
        """Runs a service that must refuse to serve; returns its exit status and words."""
        done = subprocess.run([str(OGNI), "serve", *flags], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=30, env={**os.environ, **(environment or {})})
        self.assertNotEqual(done.returncode, 0)
        self.assertNotIn("listening", done.stdout)
        return done.returncode, done.stderr


class Restart(DaemonTest):
    def test_functions_and_layers_survive_an_orderly_end(self):
        first = self.start()
        first.deploy("kept", functions.bash_handler("echo 1"), Environment={"Variables": {"KEY": "value"}})
        layer = first.client.publish_layer_version(LayerName="kept", Content={"ZipFile": functions.zip_of({"a": "b"})})
        before = first.client.get_function_configuration(FunctionName="kept")
        self.assertEqual(first.stop(), 0)

        second = self.start()
        after = second.client.get_function_configuration(FunctionName="kept")
        for answer in (before, after):
            answer.pop("ResponseMetadata")
        self.assertEqual(after, before)
        self.assertEqual(second.invoke("kept").json, 1)
        self.assertEqual(second.client.get_layer_version(LayerName="kept", VersionNumber=1)["LayerVersionArn"],
                         layer["LayerVersionArn"])
        self.assertEqual(second.stop(), 0)

    def test_what_was_acknowledged_survives_kill_9_and_nothing_is_left_running(self):
        groups_before, mounts_before = set(groups()), mounts()
        service = self.start()
        names = [f"ack-{number}" for number in range(5)]
        for name in names:
            service.deploy(name, functions.bash_runtime(
                "sleep 1000 &\nwhile next; do respond 1; done\n"))
            self.assertEqual(service.invoke(name).json, 1)
        created = service.client.create_function(FunctionName="last", Runtime="provided.al2023", Handler="h",
                                                 Role="arn:aws:iam::000000000000:role/any",
                                                 Code={"ZipFile": functions.hello_cpp()})
        family = service.family()
        service.process.kill()

        again = self.start()  # at once: what is left of the first is its to wait for
        service.process.wait()
        service.process.stdout.close()
        service.expect_gone(family)
        for name in names:
            self.assertEqual(again.invoke(name).json, 1)
        self.assertEqual(again.wait_active("last")["CodeSha256"], created["CodeSha256"])
        self.assertEqual(again.invoke("last", b"[1]").json, [1])
        self.assertEqual(again.stop(), 0)
        wait_until(lambda: not [g for g in groups() if g not in groups_before and is_empty(g)],
                   "the control groups are gone")
        self.assertEqual({m for m in mounts() - mounts_before if str(self.data) in m}, set())

    def test_an_upload_cut_short_by_kill_9_leaves_no_trace(self):
        service = self.start()
        service.deploy("kept", functions.hello_cpp())
        for _ in range(3):
            with concurrent.futures.ThreadPoolExecutor(4) as pool:
                big = functions.zip_of({"bootstrap": functions.program(os.urandom(3 << 20))})
                uploads = [pool.submit(service.client.create_function, FunctionName=f"cut-{n}", Handler="h",
                                       Runtime="provided.al2023", Role="arn:aws:iam::000000000000:role/any",
                                       Code={"ZipFile": big + bytes(n)}) for n in range(4)]
                concurrent.futures.wait(uploads, timeout=0.05)
                service.kill()
                done = [n for n, upload in enumerate(uploads) if upload.exception() is None]
            service = self.start()
            for n in done:
                service.wait_active(f"cut-{n}")
            for function in service.client.list_functions()["Functions"]:
                if function["FunctionName"] != "kept":
                    service.client.delete_function(FunctionName=function["FunctionName"])
            self.assertEqual(service.invoke("kept", b"1").json, 1)
        self.assertEqual(service.stop(), 0)


class End(DaemonTest):
    def test_a_running_invocation_may_finish_after_sigterm(self):
        service = self.start()
        service.deploy("slow", functions.bash_handler("sleep 2; echo 42"), Timeout=20)
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            call = pool.submit(service.invoke, "slow")
            wait_until(lambda: any(comm(pid) == "sleep" for pid, _ in service.family()), "the function runs")
            family = service.family()
            service.process.send_signal(signal.SIGTERM)
            answer = call.result(30)
        self.assertEqual((answer.error, answer.json), (None, 42))
        self.assertEqual(service.process.wait(30), 0)
        service.expect_gone(family)

    def test_new_invocations_are_refused_while_it_drains(self):
        service = self.start()
        service.deploy("slow", functions.bash_handler("sleep 3; echo 42"), Timeout=20)
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            call = pool.submit(service.invoke, "slow")
            wait_until(lambda: any(comm(pid) == "sleep" for pid, _ in service.family()), "the function runs")
            service.process.send_signal(signal.SIGTERM)

            def refused():
                try:
                    service.invoke("slow", client=service.make_client())
                except ClientError as error:
                    return error.response["ResponseMetadata"]["HTTPStatusCode"] >= 500
                except Exception as error:
                    return type(error).__name__ == "EndpointConnectionError"
                return False
            self.assertTrue(refused())
            self.assertEqual(call.result(30).json, 42)
        self.assertEqual(service.process.wait(30), 0)

    def test_sigint_ends_it_as_well(self):
        service = self.start()
        service.process.send_signal(signal.SIGINT)
        self.assertEqual(service.process.wait(30), 0)


class LauncherDies(DaemonTest):
    """The one privileged part is killed while functions run."""

    def test_calls_in_flight_fail_and_the_next_ones_are_served(self):
        service = self.start("--log-level", "info")
        service.deploy("slow", functions.bash_handler("if [[ $EVENT == *wait* ]]; then sleep 60; fi; echo 7"), Timeout=90)
        self.assertEqual(service.invoke("slow").json, 7)
        for _ in range(2):
            before = {pid for pid, _ in service.family()}
            client = service.make_client()
            with concurrent.futures.ThreadPoolExecutor(1) as pool:
                call = pool.submit(service.http, "POST", "/2015-03-31/functions/slow/invocations", b'"wait"')
                wait_until(lambda: any(comm(pid) == "sleep" for pid, _ in service.family()), "the function sleeps")
                os.kill(wait_until(lambda: launcher_of(service), "the launcher runs")[1], signal.SIGKILL)
                status, _, body = call.result(timeout=60)
            self.assertEqual(status, 500)
            self.assertIn(b"could not run the function", body)
            self.assertEqual(service.invoke("slow", client=client).json, 7)
        self.assertIn("the launcher died: killed by signal 9", service.messages())
        self.assertIn("started again", service.messages())
        self.assertEqual(service.stop(), 0)


class Memory(DaemonTest):
    def test_environments_beyond_the_memory_of_the_host_are_refused(self):
        total_mb = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") >> 20
        fit = total_mb // 10240
        if fit > 12:
            self.skipTest("the host has too much memory")
        service = self.start("--memory-overcommit", "1")
        service.deploy("large", functions.bash_handler("sleep 4; echo 1"), Timeout=60, MemorySize=10240)
        service.deploy("small", functions.bash_handler("echo 2"), MemorySize=128)
        with concurrent.futures.ThreadPoolExecutor(fit + 1) as pool:
            path = "/2015-03-31/functions/large/invocations"
            answers = list(pool.map(lambda _: service.http("POST", path, b"{}"), range(fit + 1)))
        self.assertEqual(sorted(status for status, _, _ in answers), [200] * fit + [429])
        self.assertIn(b"Rate Exceeded", next(body for status, _, body in answers if status == 429))
        self.assertEqual(service.invoke("small").json, 2)


class Refusals(DaemonTest):
    def test_two_daemons_never_share_a_directory(self):
        service = self.start()
        service.deploy("mine", functions.hello_cpp())
        status, words = self.try_to_serve("--listen", "127.0.0.1:0", "--data", str(self.data))
        self.assertIn(str(self.data), words)
        self.assertEqual(service.invoke("mine", b"1").json, 1)
        self.assertEqual(service.stop(), 0)
        self.assertEqual(self.start().stop(), 0)  # the lock does not outlive its owner

    def test_a_port_that_is_taken_is_named(self):
        with socket.create_server(("127.0.0.1", 0)) as other:
            port = other.getsockname()[1]
            _, words = self.try_to_serve("--listen", f"127.0.0.1:{port}", "--data", str(self.data))
        self.assertIn(str(port), words)

    def test_an_address_that_others_can_reach_must_be_asked_for(self):
        for address in ("0.0.0.0:0", "[::]:0", "192.0.2.1:0"):
            with self.subTest(address=address):
                _, words = self.try_to_serve("--listen", address, "--data", str(self.data))
                self.assertIn("--allow-remote", words)

    def test_settings_that_make_no_sense_are_refused_with_their_name(self):
        for flag, value in (("--listen", "localhost"), ("--listen", "127.0.0.1:99999"), ("--isolation", "magic"),
                            ("--concurrency", "0"), ("--concurrency", "many"), ("--account", "12"),
                            ("--region", "nowhere"), ("--log-level", "loud")):
            with self.subTest(flag=flag, value=value):
                status, words = self.try_to_serve("--data", str(self.data), flag, value)
                self.assertEqual(status, 2)
                self.assertIn(flag[2:], words)
        _, words = self.try_to_serve("--data", str(self.data), environment={"OGNI_CONCURRENCY": "many"})
        self.assertIn("concurrency", words.lower())

    def test_a_data_directory_that_cannot_be_made_is_named(self):
        blocked = self.data / "file"
        blocked.write_text("")
        _, words = self.try_to_serve("--listen", "127.0.0.1:0", "--data", str(blocked / "data"))
        self.assertIn(str(blocked), words)

    def test_account_and_region_are_settings(self):
        service = self.start("--account", "123456789012", "--region", "eu-west-3")
        arguments = dict(FunctionName="home", Runtime="provided.al2023", Handler="h",
                         Role="arn:aws:iam::123456789012:role/any", Code={"ZipFile": functions.hello_cpp()})
        with self.assertRaises(ClientError) as caught:  # signed for us-east-1
            service.client.create_function(**arguments)
        self.assertEqual(caught.exception.response["Error"]["Code"], "InvalidSignatureException")
        created = service.make_client("eu-west-3").create_function(**arguments)
        self.assertEqual(created["FunctionArn"], "arn:aws:lambda:eu-west-3:123456789012:function:home")
        self.assertEqual(service.stop(), 0)


class Identity(DaemonTest):
    def test_daemon_never_runs_as_root(self):
        service = self.start()
        uids = {int(line.split()[1]) for line in Path(f"/proc/{service.process.pid}/status").read_text().splitlines()
                if line.startswith("Uid:")}
        if os.getuid() == 0:
            self.assertNotIn(0, uids)
            self.assertNotIn(65534, uids)
            self.assertEqual(os.stat(self.data).st_uid, uids.pop())
        else:
            self.assertEqual(uids, {os.getuid()})
        self.assertEqual(os.stat(self.data).st_mode & 0o077, 0)
        self.assertEqual(service.stop(), 0)

    def test_a_data_directory_is_found_without_being_named(self):
        if os.getuid() == 0:
            self.skipTest("as root it is /var/lib/ogni, which a test does not touch")
        done = subprocess.Popen([str(OGNI), "serve", "--listen", "127.0.0.1:0"], stdout=subprocess.PIPE, text=True,
                                env={**os.environ, "XDG_DATA_HOME": str(self.data)})
        try:
            self.assertIn("listening on", done.stdout.readline())
            self.assertTrue((self.data / "ogni").is_dir())
            done.terminate()
            self.assertEqual(done.wait(30), 0)
        finally:
            done.kill()
            done.wait()
            done.stdout.close()

