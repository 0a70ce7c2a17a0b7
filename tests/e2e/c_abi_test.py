"""Every example of examples/c-abi builds with the command in its README and serves: success, error, context, text that is
not ASCII, a large event, and the end of the platform. The platform is played here."""

import json
import os
import re
import shutil
import socket
import subprocess
import tempfile
import time
import unittest
from pathlib import Path

import harness
from harness import BIN, SOURCE

BUILD = BIN.parent
EXAMPLES = SOURCE / "examples" / "c-abi"
WAIT_SECONDS = 60


class Platform:
    """The Runtime API for one function, over one listening socket."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.listener.settimeout(WAIT_SECONDS)
        self.connection = None
        self.pending = b""

    @property
    def address(self):
        return "127.0.0.1:%d" % self.listener.getsockname()[1]

    def more(self):
        if self.connection is None:
            self.connection, _ = self.listener.accept()
            self.connection.settimeout(WAIT_SECONDS)
        data = self.connection.recv(1 << 20)
        if not data:
            raise AssertionError("the function closed the connection")
        self.pending += data

    def take(self, size):
        while len(self.pending) < size:
            self.more()
        taken, self.pending = self.pending[:size], self.pending[size:]
        return taken

    def until(self, mark):
        while mark not in self.pending:
            self.more()
        return self.take(self.pending.index(mark) + len(mark))

    def request(self):
        """(request line, fields, body)"""
        line, *fields = self.until(b"\r\n\r\n").decode()[:-4].split("\r\n")
        fields = {name.lower(): value for name, value in (f.split(": ", 1) for f in fields)}
        if fields.get("transfer-encoding") != "chunked":
            return line, fields, self.take(int(fields.get("content-length", 0)))
        body = b""
        while size := int(self.until(b"\r\n"), 16):
            body += self.take(size)
            self.take(2)
        while self.until(b"\r\n") != b"\r\n":
            pass
        return line, fields, body

    def answer(self, status, fields, body):
        head = f"HTTP/1.1 {status}\r\n" + "".join(f"{n}: {v}\r\n" for n, v in fields.items())
        self.connection.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)

    def invoke(self, event, request_id):
        """("response" or "error", fields, body) of the function's answer."""
        line, _, _ = self.request()
        if line != "GET /2018-06-01/runtime/invocation/next HTTP/1.1":
            raise AssertionError(line)
        deadline = int(time.time() * 1000) + 60_000
        self.answer("200 OK", {"Content-Type": "application/json", "Lambda-Runtime-Aws-Request-Id": request_id,
                               "Lambda-Runtime-Deadline-Ms": deadline}, event)
        line, fields, body = self.request()
        found = re.fullmatch(rf"POST /2018-06-01/runtime/invocation/{request_id}/(response|error) HTTP/1.1", line)
        if not found:
            raise AssertionError(line)
        self.answer("202 Accepted", {"Content-Type": "application/json"}, b'{"status":"OK"}\n')
        return found.group(1), fields, body

    def end(self):
        """Answers the next poll as a platform that has failed does."""
        self.request()
        self.answer("500 Internal Server Error", {}, b"{}")

    def close(self):
        self.listener.close()
        if self.connection:
            self.connection.close()


class CAbi(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        library = BUILD / "runtime" / "libogni.a"
        if not library.is_file():
            raise unittest.SkipTest("this is a copy of the programs, without the library")
        if harness.is_sanitized():
            raise unittest.SkipTest("a library with a sanitizer in it links only where that is asked for")
        cls.place = Path(tempfile.mkdtemp(prefix="c-"))
        cls.addClassCleanup(cls.remove)
        for source, target in ((library, "lib"), (BUILD / "runtime" / "ogni.pc", "lib/pkgconfig"),
                               (SOURCE / "runtime" / "include" / "ogni" / "runtime.h", "include/ogni")):
            (cls.place / target).mkdir(parents=True, exist_ok=True)
            shutil.copy(source, cls.place / target)

    @classmethod
    def remove(cls):
        # Go makes its cache read-only.
        for folder, _, _ in os.walk(cls.place):
            os.chmod(folder, 0o755)
        shutil.rmtree(cls.place)

    def build(self, language, compiler):
        # Debian's, whatever else is installed.
        path = "/usr/bin:/bin"
        if not shutil.which(compiler, path=path):
            self.skipTest(f"{compiler} is not installed")
        if not shutil.which("pkg-config", path=path):
            self.skipTest("pkg-config is not installed")
        project = self.place / language
        shutil.copytree(EXAMPLES / language, project)
        readme = (project / "README.md").read_text()
        (command,) = re.findall(r"^```sh\n(.*?)^```", readme, re.M | re.S)
        environment = {"PATH": path, "HOME": str(project), "TMPDIR": str(project), "LC_ALL": "C.UTF-8",
                       "PKG_CONFIG_PATH": str(self.place / "lib" / "pkgconfig"), "GOFLAGS": "-p=2"}
        done = subprocess.run(["bash", "-c", command], cwd=project, env=environment, capture_output=True, text=True,
                              stdin=subprocess.DEVNULL, timeout=140)
        self.assertEqual(done.returncode, 0, f"{command}\n{done.stdout}{done.stderr}")
        return project / "bootstrap"

    def serves(self, language, compiler):
        program = self.build(language, compiler)
        platform = Platform()
        self.addCleanup(platform.close)
        process = subprocess.Popen([program], env={"AWS_LAMBDA_RUNTIME_API": platform.address, "PATH": "/usr/bin:/bin"},
                                   stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        self.addCleanup(process.stderr.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)

        def gives(event, expected):
            kind, _, body = platform.invoke(event, "id-1")
            self.assertEqual((kind, body.decode()), ("response", expected))

        gives(b'{"name":"World"}', '{"message":"Hello, World!"}')
        gives('{"name":"Zoë ☃ 😀 \\"x\\""}'.encode(), '{"message":"Hello, Zoë ☃ 😀 \\"x\\"!"}')
        for event in ("{}", '"text"', "[1, 2]", "7", '{"other":"ä"}'):
            gives(event.encode(), event)
        large = '"' + "ab☃" * 200_000 + '"'  # 1 MB
        kind, _, body = platform.invoke(large.encode(), "id-large")
        self.assertTrue((kind, body) == ("response", large.encode()), f"{kind}, {len(body)} bytes")

        kind, fields, body = platform.invoke('{"fail":"no ☃ today"}'.encode(), "id-2")
        self.assertEqual(kind, "error")
        self.assertEqual(json.loads(body), {"errorMessage": "no ☃ today", "errorType": "Example.Failed", "stackTrace": []})
        self.assertIn("lambda-runtime-function-error-type", fields)

        for request_id in ("0a1b2c3d-0000-4000-8000-000000000001", "id-3"):
            kind, _, body = platform.invoke(b'{"context":true}', request_id)
            context = json.loads(body)
            self.assertEqual((kind, context["request_id"]), ("response", request_id))
            self.assertTrue(0 < context["remaining_ms"] <= 60_000, context)
        gives(b'{"name":"Again"}', '{"message":"Hello, Again!"}')

        platform.end()
        self.assertEqual(process.wait(WAIT_SECONDS), 1, process.stderr.read())

    def test_ada(self):
        self.serves("ada", "gnatmake")

    def test_c(self):
        self.serves("c", "gcc")

    def test_cobol(self):
        self.serves("cobol", "cobc")

    def test_d(self):
        self.serves("d", "gdc")

    def test_fortran(self):
        self.serves("fortran", "gfortran")

    def test_go(self):
        self.serves("go", "go")

    def test_haskell(self):
        self.serves("haskell", "ghc")

    def test_nim(self):
        self.serves("nim", "nim")

    def test_ocaml(self):
        self.serves("ocaml", "ocamlopt")

    def test_pascal(self):
        self.serves("pascal", "fpc")

    def test_rust(self):
        self.serves("rust", "rustc")
