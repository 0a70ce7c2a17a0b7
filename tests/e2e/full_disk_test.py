"""The disk with the data directory is full: clear errors, functions that run go on, and all is well once there is room."""

import os
import subprocess
import tempfile
import unittest
from pathlib import Path

import functions
from harness import ClientError, Refusals, Service, ServiceTest, can_isolate, wait_until

SIZE_MB = 64


def small_disk(add_cleanup):
    """Mounts a small disk; returns its place."""
    if os.getuid() != 0:
        raise unittest.SkipTest("only root can mount a small disk")
    place = Path(tempfile.mkdtemp(prefix="f-"))
    add_cleanup(place.rmdir)
    if subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SIZE_MB}m,mode=755", "ogni-test", place]).returncode:
        raise unittest.SkipTest("nothing can be mounted here")
    add_cleanup(subprocess.run, ["umount", "--lazy", place], check=True)
    return place


def fill(test, place):
    """Takes every free byte of the disk."""
    filler = place / "filler"
    test.addCleanup(lambda: filler.unlink(missing_ok=True))
    with open(filler, "ab", buffering=0) as file:
        for chunk in (1 << 20, 4096):
            try:
                while file.write(b"x" * chunk) == chunk:
                    pass
            except OSError:
                pass
    test.assertEqual(free_bytes(place), 0)
    return filler


def free_bytes(place):
    now = os.statvfs(place)
    return now.f_bavail * now.f_frsize


class FullDisk(ServiceTest):
    @classmethod
    def setUpClass(cls):
        cls.place = small_disk(cls.addClassCleanup)
        cls.service = Service("--isolation", cls.strength, "--freeze-after", "0", data=cls.place / "data")
        cls.addClassCleanup(cls.service.close)
        cls.service.start()
        cls.client = cls.service.client

    def fill(self):
        return fill(self, self.place)

    def entries(self):
        """Everything in the store of code, as paths."""
        return sorted(str(p.relative_to(self.service.data)) for p in (self.service.data / "code").rglob("*"))

    def test_deploying_is_refused_and_leaves_nothing_and_works_with_room_again(self):
        code = functions.zip_of({"bootstrap": functions.program("#!/bin/sh\n"), "data": os.urandom(3 << 20)})
        self.service.deploy("before", functions.hello_cpp())
        before = self.entries()
        filler = self.fill()
        with self.assertRaises(ClientError) as caught:
            self.client.create_function(FunctionName="full", Runtime="provided.al2023", Handler="x",
                                        Role="arn:aws:iam::000000000000:role/any", Code={"ZipFile": code})
        answer = caught.exception.response
        self.assertEqual((answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Message"]),
                         ("ServiceException", 500, "The disk of this service is full."))
        self.refused("ResourceNotFoundException", 404, self.client.get_function, FunctionName="full")
        with self.assertRaises(ClientError):
            self.client.publish_layer_version(LayerName="full", Content={"ZipFile": code})
        self.assertEqual(self.entries(), before)
        self.assertEqual(self.service.http("GET", "/healthz")[0], 200)
        filler.unlink()
        self.service.deploy("full", functions.hello_cpp())
        self.assertEqual(self.service.invoke("full", b"[1]").body, b"[1]")

    def test_an_environment_is_made_or_the_error_is_clear(self):
        self.service.deploy("cold", functions.hello_cpp(), EphemeralStorage={"Size": 777}, Timeout=20)
        filler = self.fill()
        status, _, body = self.service.http("POST", "/2015-03-31/functions/cold/invocations", b"[1]")
        if status != 200:
            self.assertEqual((status, b"could not run the function" in body), (500, True), body)
            self.assertIn("No space left on device", self.service.messages())
        filler.unlink()
        self.assertEqual(self.service.invoke("cold", b"[1]").body, b"[1]")

    def test_a_function_that_writes_to_tmp_gets_the_error_and_nobody_else(self):
        self.service.deploy("writes", functions.bash_handler(
            'cd "${TMPDIR:-/tmp}"; head -c 30M /dev/zero 2>/dev/null > big; sync big 2>/dev/null; s=$?; rm -f big; echo $s'),
            Timeout=60)
        self.service.deploy("bystander", functions.hello_cpp(), Timeout=20)
        self.assertEqual(self.service.invoke("bystander", b"[1]").body, b"[1]")
        self.assertEqual(self.service.invoke("writes").json, 0)
        filler = self.fill()
        answer = self.service.invoke("writes")
        self.assertIn(answer.error, (None, "Unhandled"))
        self.assertEqual(self.service.invoke("bystander", b"[1]").body, b"[1]")
        filler.unlink()
        self.client.delete_function(FunctionName="writes")
        self.service.deploy("writes", functions.bash_handler("head -c 10000 /dev/zero > /tmp/x; stat -c %s /tmp/x"), Timeout=60)
        if self.strength == "namespace":
            self.assertEqual(self.service.invoke("writes").json, 10000)


class Namespace(FullDisk):
    strength = "namespace"

    @classmethod
    def setUpClass(cls):
        reason = can_isolate()
        if reason:
            raise unittest.SkipTest("namespace isolation: " + reason)
        super().setUpClass()

    def test_a_function_that_runs_goes_on_without_its_log(self):
        self.service.deploy("talks", functions.bash_runtime('while next; do echo said "$EVENT"; respond 1; done\n'), Timeout=20)
        self.assertEqual(self.service.invoke("talks").json, 1)
        filler = self.fill()
        for number in range(5):
            answer = self.service.invoke("talks", b'"full-%d"' % number, tail=True)
            self.assertEqual(answer.json, 1, answer.body)
            self.assertIn(f"full-{number}", answer.log)
        filler.unlink()
        self.assertEqual(self.service.invoke("talks", b'"room again"').json, 1)
        stored = lambda: any(b"room again" in f.read_bytes() for f in (self.service.data / "logs").rglob("*") if f.is_file())
        wait_until(stored, "the log is written again")


class Process(FullDisk):
    strength = "process"


class FilledByItsFunctions(Refusals, unittest.TestCase):
    """As root the /tmp of functions takes up room in the data directory."""

    def setUp(self):
        if can_isolate():
            self.skipTest("namespace isolation: " + can_isolate())
        self.place = small_disk(self.addCleanup)
        self.service = self.start()

    def start(self):
        service = Service("--isolation", "namespace", "--freeze-after", "0", data=self.place / "data")
        self.addCleanup(service.close)
        return service.start()

    def deploy_filler(self, megabytes):
        self.service.deploy("fills", functions.bash_handler(
            f"head -c {megabytes}M /dev/zero 2>/dev/null > /tmp/big; sync /tmp/big 2>/dev/null; echo 1"), Timeout=120)

    def test_what_fills_the_disk_can_be_deleted(self):
        client = self.service.client
        self.service.deploy("other", functions.hello_cpp())
        self.deploy_filler(300)
        self.service.invoke("fills")
        client.update_function_configuration(FunctionName="other", Description="changed")
        client.update_function_configuration(FunctionName="fills", Description="changed")
        self.assertEqual(client.delete_function(FunctionName="other")["ResponseMetadata"]["HTTPStatusCode"], 204)
        self.assertEqual(client.delete_function(FunctionName="fills")["ResponseMetadata"]["HTTPStatusCode"], 204)
        self.refused("ResourceNotFoundException", 404, client.get_function, FunctionName="fills")
        wait_until(lambda: free_bytes(self.place) > SIZE_MB // 2 << 20, "the room is free again")
        self.service.deploy("next", functions.hello_cpp())
        self.assertEqual(self.service.invoke("next", b"[1]").body, b"[1]")
        self.assertEqual(self.service.stop(), 0)

    def test_without_a_reserve_its_environments_end_first(self):
        self.deploy_filler(20)
        self.assertEqual(self.service.invoke("fills").json, 1)
        (self.service.data / "reserve").unlink()
        fill(self, self.place)
        self.assertEqual(self.service.client.delete_function(FunctionName="fills")["ResponseMetadata"]["HTTPStatusCode"], 204)
        wait_until(lambda: free_bytes(self.place) > 16 << 20, "the room is free again")
        self.assertEqual(self.service.stop(), 0)

    def test_starts_when_nothing_new_is_needed(self):
        self.service.deploy("kept", functions.hello_cpp(), Timeout=20)
        self.service.deploy("removed", functions.hello_cpp())
        self.assertEqual(self.service.invoke("kept", b"[1]").body, b"[1]")
        for end in ("kill", "stop"):
            with self.subTest(end=end):
                getattr(self.service, end)()
                filler = fill(self, self.place)
                self.service = self.start()
                self.assertIn("kept", [f["FunctionName"] for f in self.service.client.list_functions()["Functions"]])
                if end == "kill":
                    self.service.client.delete_function(FunctionName="removed")
                filler.unlink()
                self.assertEqual(self.service.invoke("kept", b"[1]").body, b"[1]")
                wait_until((self.service.data / "reserve").exists, "the reserve is taken back")
        self.assertEqual(self.service.stop(), 0)


del FullDisk

if __name__ == "__main__":
    unittest.main()
