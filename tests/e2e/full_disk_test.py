"""The disk with the data directory is full: clear errors, functions that run go on, and all is well once there is room."""

import os
import subprocess
import tempfile
import unittest
from pathlib import Path

import functions
from harness import ClientError, Service, ServiceTest, can_isolate, wait_until

SIZE_MB = 64


class FullDisk(ServiceTest):
    @classmethod
    def setUpClass(cls):
        if os.getuid() != 0:
            raise unittest.SkipTest("only root can mount a small disk")
        cls.place = Path(tempfile.mkdtemp(prefix="f-"))
        cls.addClassCleanup(cls.place.rmdir)
        if subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SIZE_MB}m,mode=755", "ogni-test", cls.place]).returncode:
            raise unittest.SkipTest("nothing can be mounted here")
        cls.addClassCleanup(subprocess.run, ["umount", "--lazy", cls.place], check=True)
        cls.service = Service("--isolation", cls.strength, "--freeze-after", "0", data=cls.place / "data")
        cls.addClassCleanup(cls.service.close)
        cls.service.start()
        cls.client = cls.service.client

    def fill(self):
        """Takes every free byte of the disk."""
        filler = self.place / "filler"
        self.addCleanup(lambda: filler.unlink(missing_ok=True))
        with open(filler, "wb", buffering=0) as file:
            for chunk in (1 << 20, 4096):
                try:
                    while file.write(b"x" * chunk) == chunk:
                        pass
                except OSError:
                    pass
        self.assertEqual(os.statvfs(self.place).f_bavail, 0)
        return filler

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


del FullDisk

if __name__ == "__main__":
    unittest.main()
