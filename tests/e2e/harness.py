"""Starts the built service for a test, talks to it as users do (boto3, AWS CLI, bare HTTP), and stops it again.

tests/run says by OGNI_BIN where the programs are.
"""

import base64
import http.client
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from leftovers import descendants  # noqa: E402

# Before boto3 is imported: nothing of the machine's own AWS set-up may reach a test, nor a test the network.
os.environ.update(AWS_CONFIG_FILE="/dev/null", AWS_SHARED_CREDENTIALS_FILE="/dev/null",
                  AWS_EC2_METADATA_DISABLED="true", AWS_ACCESS_KEY_ID="test", AWS_SECRET_ACCESS_KEY="test",
                  NO_PROXY="*")
for name in ("AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL", "AWS_SESSION_TOKEN",
             "AWS_CA_BUNDLE", "http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
    os.environ.pop(name, None)

import boto3  # noqa: E402
import botocore.config  # noqa: E402
import botocore.exceptions  # noqa: E402

SOURCE = Path(os.environ.get("OGNI_SOURCE", Path(__file__).resolve().parent.parent.parent))
BIN = Path(os.environ.get("OGNI_BIN", SOURCE / "build" / "bin"))
OGNI = BIN / "ogni"
REGION = "us-east-1"
ACCOUNT = "000000000000"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/any"
PYTHON = "python3.%d" % sys.version_info.minor  # tests run on /usr/bin/python3
UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
PATIENCE = int(os.environ.get("OGNI_TEST_PATIENCE", "1"))  # how many times slower than usual a machine may be
DEADLINE_SECONDS = 30 * PATIENCE  # for what should take milliseconds

ClientError = botocore.exceptions.ClientError


def wait_until(condition, what, seconds=DEADLINE_SECONDS):
    """Polls `condition` until it is true; returns its value. Fails after `seconds`, saying `what` did not happen."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s: {what}")
        time.sleep(0.01)


def can_isolate():
    """Why the namespace strength does not work on this host, or an empty string."""
    works = subprocess.run(["unshare", "--user", "--map-root-user", "--mount", "--pid", "--net", "--fork", "true"],
                           capture_output=True, text=True, timeout=60)
    return works.stderr.strip() if works.returncode else ""


def is_sanitized():
    """Whether the programs were built with a sanitizer, which needs memory of its own."""
    return b"__asan_init" in OGNI.read_bytes() or b"__tsan_init" in OGNI.read_bytes()


def process_token(pid):
    """Tells a process from a later one with the same number; None if there is none (a zombie is none)."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if stat[0] == "Z" else stat[19]


def comm(pid):
    """A process's name, at most 15 letters; empty if there is none."""
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


def children(pid):
    """Pids of a process's children; none if it has ended."""
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def launcher_of(service):
    """(keeper, launcher): the service's child that starts the launcher again when it dies, and that; None while there is
    none."""
    launchers = lambda pid: [child for child in children(pid) if comm(child).startswith("ogni-launcher")]
    return next(((keeper, kept) for keeper in launchers(service.process.pid) for kept in launchers(keeper)), None)


def group_of(pid, controller=""):
    """The directory of a process's control group where a hierarchy of version 1 with this controller is mounted, or with no
    controller that of version 2; None where there is none."""
    own = {}
    for line in Path(f"/proc/{pid}/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        own.update({name: path for name in controllers.split(",")})
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        before, after = line.split(" - ")
        _, _, _, root, place = before.split()[:5]
        kind, _, options = after.split()
        if kind != ("cgroup" if controller else "cgroup2") or (controller and controller not in options.split(",")):
            continue
        path = own.get(controller, "")
        if path.startswith(root.rstrip("/")):
            return Path(place + path.removeprefix(root.rstrip("/")))
    return None


class Refusals:
    """For test cases: calls of boto3 that must fail."""

    def refused(self, code, status, call, **arguments):
        """`call` must fail with this error and HTTP status; returns its message."""
        with self.assertRaises(ClientError) as caught:
            call(**arguments)
        response = caught.exception.response
        self.assertEqual((response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]), (code, status),
                         response)
        return response["Error"].get("Message") or response.get("message")


class Service:
    """One `ogni serve` on a port of its own."""

    def __init__(self, *flags, data=None, environment=None, prefix=(), program=OGNI):
        """`prefix`: words of a program that becomes the service."""
        self.prefix = prefix
        self.program = program
        self.own_data = None
        if data is None:
            self.own_data = data = Path(tempfile.mkdtemp(prefix="d-"))
        self.data = Path(data)
        self.flags = flags
        self.environment = environment or {}
        self.process = None
        self.output = None

    def start(self):
        self.output = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen(
            [*self.prefix, str(self.program), "serve", "--listen", "127.0.0.1:0", "--data", str(self.data), *self.flags],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=self.output, text=True,
            env={**os.environ, **self.environment})
        watchdog = threading.Timer(DEADLINE_SECONDS, self.process.kill)
        watchdog.start()
        try:
            line = self.process.stdout.readline()  # the only line there, ever
        finally:
            watchdog.cancel()
        found = re.match(r"listening on http://127\.0\.0\.1:(\d+)$", line.strip())
        if not found:
            self.process.kill()
            raise AssertionError(f"the service said {line!r} and ended with {self.process.wait()}:\n{self.messages()}")
        self.port = int(found.group(1))
        self.url = f"http://127.0.0.1:{self.port}"
        self.client = self.make_client()
        return self

    def messages(self):
        """What the service has written to stderr so far."""
        # Not by read(), which would move the position that the service writes at.
        descriptor = self.output.fileno()
        return os.pread(descriptor, os.fstat(descriptor).st_size, 0).decode(errors="replace")

    def family(self):
        """(pid, token) of the service and every process below it."""
        pids = [self.process.pid, *descendants(self.process.pid)]
        return [(pid, token) for pid in pids if (token := process_token(pid)) is not None]

    def expect_gone(self, family):
        wait_until(lambda: all(process_token(pid) != token for pid, token in family),
                   "every process of the service is gone", 15 * PATIENCE)

    def stop(self):
        """SIGTERM; returns the exit status once every process of the service is gone."""
        family = self.family()
        self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(DEADLINE_SECONDS)
        self.process.stdout.close()
        self.expect_gone(family)
        return status

    def kill(self):
        """SIGKILL to the service alone; returns once all else has followed it."""
        family = self.family()
        self.process.kill()
        self.process.wait(DEADLINE_SECONDS)
        self.process.stdout.close()
        self.expect_gone(family)

    def close(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        if self.process:
            self.process.stdout.close()
        if self.output:
            self.output.close()
        if self.own_data:
            shutil.rmtree(self.own_data, ignore_errors=True)

    def make_client(self, region=REGION, **config):
        settings = dict(retries={"max_attempts": 0}, connect_timeout=10 * PATIENCE, read_timeout=120 * PATIENCE, max_pool_connections=64)
        return boto3.client("lambda", endpoint_url=self.url, region_name=region,
                            config=botocore.config.Config(**{**settings, **config}))

    def aws(self, *words, check=True):
        """Debian's AWS CLI. Returns the parsed JSON, or with check=False the finished process."""
        done = subprocess.run(
            ["/usr/bin/aws", "--endpoint-url", self.url, "--region", REGION, "--output", "json", "--no-cli-pager",
             "--cli-binary-format", "raw-in-base64-out", "lambda", *words],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=90)
        if not check:
            return done
        if done.returncode:
            raise AssertionError(f"aws lambda {' '.join(words)}: status {done.returncode}\n{done.stderr}")
        return json.loads(done.stdout) if done.stdout.strip() else None

    def ogni(self, *words, check=True, stdin=None, timeout=90):
        """Our own command line. Returns the finished process; with check, it must have ended well."""
        done = subprocess.run([str(OGNI), *words, "--endpoint-url", self.url], capture_output=True, text=True,
                              input=stdin, stdin=None if stdin is not None else subprocess.DEVNULL, timeout=timeout)
        if check and done.returncode:
            raise AssertionError(f"ogni {' '.join(words)}: status {done.returncode}\n{done.stdout}{done.stderr}")
        return done

    def http(self, method, path, body=None, headers=None):
        """(status, headers, body) of one bare request."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60 * PATIENCE)
        try:
            connection.request(method, path, body=body, headers=headers or {})
            response = connection.getresponse()
            return response.status, response.headers, response.read()
        finally:
            connection.close()

    def deploy(self, name, zip_bytes, runtime="provided.al2023", handler="hello.handler", **settings):
        """Creates a function and waits until it is Active; returns the answer to the creation."""
        created = self.client.create_function(FunctionName=name, Runtime=runtime, Handler=handler, Role=ROLE,
                                              Code={"ZipFile": zip_bytes}, **settings)
        self.wait_active(name)
        return created

    def wait_active(self, name):
        def ready():
            now = self.client.get_function_configuration(FunctionName=name)
            return now["State"] == "Active" and now["LastUpdateStatus"] == "Successful" and now
        return wait_until(ready, f"function {name} is active")

    def invoke(self, name, payload=b"{}", tail=False, client=None, **more):
        if not isinstance(payload, (bytes, bytearray)):
            payload = json.dumps(payload).encode()
        answer = (client or self.client).invoke(FunctionName=name, Payload=payload,
                                                **({"LogType": "Tail"} if tail else {}), **more)
        return Answer(answer)


class Answer:
    """What Invoke answered."""

    def __init__(self, answer):
        meta = answer["ResponseMetadata"]
        self.status = answer["StatusCode"]
        self.headers = meta["HTTPHeaders"]
        self.request_id = meta["RequestId"]
        self.error = answer.get("FunctionError")
        self.version = answer.get("ExecutedVersion")
        self.body = answer["Payload"].read()
        self.log = base64.b64decode(answer["LogResult"]).decode(errors="replace") if "LogResult" in answer else None

    @property
    def json(self):
        return json.loads(self.body)


class ServiceTest(Refusals, unittest.TestCase):
    """A class of tests that share one service; it must end well afterwards and leave no process."""

    flags = ()
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.service = Service(*cls.flags)
        cls.addClassCleanup(cls.service.close)
        cls.service.start()
        cls.client = cls.service.client

    @classmethod
    def tearDownClass(cls):
        status = cls.service.stop()
        messages = cls.service.messages()
        if status != 0:
            raise AssertionError(f"the service ended with status {status}:\n{messages}")

    def fails(self, answer, error_type, message):
        """The invocation failed, and the body is exactly AWS's; `message` may use {rid}."""
        self.assertEqual((answer.status, answer.error), (200, "Unhandled"), answer.body)
        expected = {"errorType": error_type, "errorMessage": message.replace("{rid}", answer.request_id)}
        self.assertEqual(answer.body.decode(), json.dumps(expected, separators=(",", ":")))
