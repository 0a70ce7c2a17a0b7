"""For tests of what authors build on: the library installed below a prefix of its own, and a service to run it."""

import os
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

import harness
from harness import BIN, Service

BUILD = BIN.parent


class InstalledTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        if not (BUILD / "CMakeCache.txt").is_file():
            raise unittest.SkipTest("this is a copy of the programs, without the build directory that installs")
        if harness.is_sanitized():
            raise unittest.SkipTest("a library with a sanitizer in it links only where that is asked for")
        cls.prefix = Path(tempfile.mkdtemp(prefix="a-"))
        cls.addClassCleanup(shutil.rmtree, cls.prefix, ignore_errors=True)
        cls.prefix.chmod(0o755)
        cls.run_well("cmake", "--install", str(BUILD), "--prefix", str(cls.prefix))
        cls.service = Service()
        cls.addClassCleanup(cls.service.close)
        cls.service.start()

    @classmethod
    def run_well(cls, *words, **more):
        done = subprocess.run(words, capture_output=True, text=True, timeout=140, **more)
        if done.returncode:
            raise AssertionError(f"{' '.join(words)}: status {done.returncode}\n{done.stdout}{done.stderr}")
        return done.stdout

    def project(self, name, files):
        place = self.prefix / "projects" / name
        for path, text in files.items():
            (place / path).parent.mkdir(parents=True, exist_ok=True)
            (place / path).write_text(text)
        return place

    def build(self, place, *targets):
        # An author's umask must not decide who can read the function.
        before = os.umask(0o077)
        self.addCleanup(os.umask, before)
        self.run_well("cmake", "-S", str(place), "-B", str(place / "out"), f"-DCMAKE_PREFIX_PATH={self.prefix}",
                      "-DCMAKE_CXX_COMPILER=clang++-19", "-DCMAKE_C_COMPILER=clang-19",
                      "-DCMAKE_BUILD_TYPE=Release")
        self.run_well("cmake", "--build", str(place / "out"), "--parallel", "2",
                      *(["--target", *targets] if targets else []))
