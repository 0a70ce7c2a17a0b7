"""The library elsewhere: against musl, on arm64, and how large the smallest functions are. Each is built and serves."""

import shutil
import subprocess
import tempfile
import threading
import unittest
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

SOURCE = Path(__file__).resolve().parent.parent
INCLUDES = [f"-I{SOURCE}", f"-I{SOURCE}/runtime/include"]
EVENTS = [b"{}", b"", '{"name":"Zoë 𝄞"}'.encode(), bytes(range(256)) * 4096, b"[1]"]


class Platform(ThreadingHTTPServer):
    """A Runtime API that delivers EVENTS, and then fails, which ends the function."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers = []
        self.done = threading.Event()
        self.thread = threading.Thread(target=self.serve_forever)
        self.thread.start()

    def close(self):
        self.shutdown()
        self.thread.join()
        self.server_close()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self):
        index = len(self.server.answers)
        if index == len(EVENTS):
            self.reply(500, b"{}")
            self.server.done.set()
        else:
            self.reply(200, EVENTS[index], {"Lambda-Runtime-Aws-Request-Id": f"id-{index}"})

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.answers.append((self.path, body))
        self.reply(202, b'{"status":"OK"}\n')

    def reply(self, status, body, headers=()):
        self.send_response(status)
        for name, value in dict(headers).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Portable(unittest.TestCase):
    maxDiff = 1000

    def setUp(self):
        self.place = Path(tempfile.mkdtemp(prefix="p-"))
        self.addCleanup(shutil.rmtree, self.place, ignore_errors=True)

    def need(self, *programs):
        for program in programs:
            if not shutil.which(program):
                self.skipTest(f"{program} is not installed")

    def run_well(self, *words):
        done = subprocess.run([str(word) for word in words], capture_output=True, text=True, timeout=300)
        self.assertEqual(done.returncode, 0, f"{words}\n{done.stdout}{done.stderr}")
        return done.stdout

    def serve(self, *command):
        platform = Platform()
        self.addCleanup(platform.close)
        address = f"127.0.0.1:{platform.server_address[1]}"
        done = subprocess.run([str(word) for word in command], env={"AWS_LAMBDA_RUNTIME_API": address},
                              capture_output=True, timeout=120)
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertEqual([path for path, _ in platform.answers],
                         [f"/2018-06-01/runtime/invocation/id-{i}/response" for i in range(len(EVENTS))])
        for (_, answer), event in zip(platform.answers, EVENTS):
            self.assertTrue(answer == event, f"{len(answer)} bytes answered to {len(event)}")

    def cpp_sources(self):
        return [p for p in sorted((SOURCE / "runtime").glob("*.cpp"))
                if not p.stem.endswith(("_test", "_bench", "_fuzz")) and p.stem != "echo"]

    def test_core_needs_no_cpp_library_and_fits_below_150_kb_with_musl(self):
        self.need("musl-gcc", "g++-12", "nm")
        library, program = self.place / "libogni.a", self.place / "echo"
        self.run_well(SOURCE / "runtime/build_core", library, "musl")
        undefined = self.run_well("nm", "--undefined-only", "--no-sort", library).split()
        defined = set(self.run_well("nm", "--defined-only", library).split())
        foreign = {name for name in undefined if name.startswith(("_Z", "__cxa", "__gxx", "_Unwind"))} - defined
        self.assertEqual(foreign, set())
        self.run_well("musl-gcc", "-Os", "-static", "-s", *INCLUDES, SOURCE / "runtime/echo.c", library, "-o", program)
        print(f"echo in C, musl, static, stripped: {program.stat().st_size:,} bytes")
        self.assertLess(program.stat().st_size, 150_000)
        self.serve(program)

    def test_core_serves_on_arm64(self):
        self.need("aarch64-linux-gnu-g++", "aarch64-linux-gnu-gcc", "qemu-aarch64")
        library, program = self.place / "libogni.a", self.place / "echo"
        self.run_well(SOURCE / "runtime/build_core", library, "aarch64-linux-gnu-g++")
        self.run_well("aarch64-linux-gnu-gcc", "-Os", "-static", "-s", *INCLUDES, SOURCE / "runtime/echo.c", library,
                      "-o", program)
        self.serve("qemu-aarch64", program)

    def build_cpp(self, compiler):
        program = self.place / "echo"
        self.run_well(compiler, "-std=c++20", "-Os", "-static", "-s", "-ffunction-sections", "-fdata-sections",
                      "-Wl,--gc-sections", '-DOGNI_VERSION="test"', *INCLUDES, *self.cpp_sources(),
                      SOURCE / "runtime/echo.cpp", "-o", program)
        return program

    def test_cpp_api_fits_below_1_mb_static(self):
        self.need("g++-12")
        program = self.build_cpp("g++-12")
        print(f"echo in C++, glibc, static, stripped: {program.stat().st_size:,} bytes")
        self.assertLess(program.stat().st_size, 1_000_000)
        self.serve(program)

    def test_cpp_api_serves_on_arm64(self):
        self.need("aarch64-linux-gnu-g++", "qemu-aarch64")
        self.serve("qemu-aarch64", self.build_cpp("aarch64-linux-gnu-g++"))


if __name__ == "__main__":
    unittest.main()
