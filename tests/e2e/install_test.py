"""What `make install` installs is whole: the service runs from there, and the README's C++ function builds on it."""

import re
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

import harness
from harness import BIN, SOURCE, Service

BUILD = BIN.parent


def code_blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```", (SOURCE / "README.md").read_text(), re.M | re.S)


class Install(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        if not (BUILD / "CMakeCache.txt").is_file():
            raise unittest.SkipTest("this is a copy of the programs, without the build directory that installs")
        if harness.is_sanitized():
            raise unittest.SkipTest("a library with a sanitizer in it links only where that is asked for")
        cls.prefix = Path(tempfile.mkdtemp(prefix="i-"))
        cls.addClassCleanup(shutil.rmtree, cls.prefix, ignore_errors=True)
        cls.prefix.chmod(0o755)
        cls.run_well("cmake", "--install", str(BUILD), "--prefix", str(cls.prefix))

    @classmethod
    def run_well(cls, *words, **more):
        done = subprocess.run(words, capture_output=True, text=True, timeout=120, **more)
        if done.returncode:
            raise AssertionError(f"{' '.join(words)}: status {done.returncode}\n{done.stdout}{done.stderr}")
        return done.stdout

    def test_installed_service_runs_the_function_of_the_readme(self):
        cpp, cmake = code_blocks("cpp")[0], code_blocks("cmake")[0]
        place = self.prefix / "greet"
        place.mkdir()
        (place / "main.cpp").write_text(cpp)
        (place / "CMakeLists.txt").write_text(cmake)
        self.run_well("cmake", "-S", str(place), "-B", str(place / "out"), f"-DCMAKE_PREFIX_PATH={self.prefix}",
                      f"-DCMAKE_RUNTIME_OUTPUT_DIRECTORY={place}/zip", "-DCMAKE_CXX_COMPILER=clang++-19")
        self.run_well("cmake", "--build", str(place / "out"))

        built, harness.OGNI = harness.OGNI, self.prefix / "bin" / "ogni"
        self.addCleanup(setattr, harness, "OGNI", built)
        service = Service()
        self.addCleanup(service.close)
        service.start()
        service.ogni("deploy", str(place / "zip"), "--name", "greet-cpp")
        self.assertEqual(service.invoke("greet-cpp", b"[1,2,3]").json, {"got": [1, 2, 3]})
        python = self.prefix / "snake"
        python.mkdir()
        (python / "app.py").write_text("def handler(event, context):\n  return event\n")
        service.ogni("deploy", str(python))
        self.assertEqual(service.invoke("snake", b"[4]").json, [4])
        self.assertEqual(service.stop(), 0)

    def test_manual_page_is_there(self):
        self.assertTrue((self.prefix / "share" / "man" / "man1" / "ogni.1").is_file())
