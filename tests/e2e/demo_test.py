"""The demo, as a newcomer runs it, only with fewer calls."""

import subprocess
import unittest

from harness import BIN, SOURCE


class Demo(unittest.TestCase):
    def test_demo_runs_and_compares_three_functions(self):
        done = subprocess.run([str(SOURCE / "scripts" / "demo"), "--bin", str(BIN), "--cold", "2", "--warm", "5"],
                              capture_output=True, text=True, timeout=120, stdin=subprocess.DEVNULL)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        for name in ("hello-bash", "hello-cpp", "hello-python"):
            self.assertRegex(done.stdout, rf"(?m)^{name}\s.*\d\.\d+ ms.*\d\.\d\d x$")
        self.assertRegex(done.stdout, r"(?m)^Processor time: (by weight \(cpu\.(weight|shares)\)|not shared out)")
        self.assertEqual(done.stdout.count('{"message":"Hello, World!"}'), 3)
        self.assertIn("--endpoint-url http://127.0.0.1:4566", done.stdout)
