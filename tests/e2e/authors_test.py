"""What an author builds on the installed library becomes a zip that runs: ogni_add_function, typed events, a function
written for aws-lambda-cpp, C through pkg-config."""

import os
import subprocess

from harness import SOURCE
from installed import InstalledTest

TYPED = r"""
#include <fstream>
#include <ogni/events.hpp>
#include <ogni/runtime.hpp>
using namespace ogni::events;
int main() {
  return ogni::run(handler([](const SqsEvent& event) {
    std::ifstream file("limits/most.txt");
    std::size_t most = 0;
    file >> most;
    SqsBatchResponse response;
    for (const SqsMessage& message : event.records)
      if (message.body.size() > most) response.add_failure(message.message_id);
    return response;
  }));
}
"""
TYPED_CMAKE = """
cmake_minimum_required(VERSION 3.21)
project(worker CXX)
find_package(ogni REQUIRED)
add_executable(worker main.cpp)
target_link_libraries(worker PRIVATE ogni::events)
ogni_add_function(worker FILES limits)
"""
# As its author has it.
LAMBDA_CPP_CMAKE = """
cmake_minimum_required(VERSION 3.9)
set(CMAKE_CXX_STANDARD 11)
project(demo LANGUAGES CXX)
find_package(aws-lambda-runtime)
add_executable(${PROJECT_NAME} "echo.cpp")
target_link_libraries(${PROJECT_NAME} PRIVATE AWS::aws-lambda-runtime)
target_compile_features(${PROJECT_NAME} PRIVATE "cxx_std_11")
target_compile_options(${PROJECT_NAME} PRIVATE "-Wall" "-Wextra")
aws_lambda_package_target(${PROJECT_NAME})
"""
IN_C = r"""
#include <ogni/runtime.h>
#include <string.h>
int main(void) {
  ogni_runtime *runtime = ogni_open(NULL, "in-c/1");
  while (ogni_next(runtime) == OGNI_OK) {
    const char *id = ogni_request_id(runtime);
    if (ogni_respond(runtime, id, strlen(id), "text/plain") == OGNI_FATAL) break;
  }
  ogni_close(runtime);
  return 1;
}
"""


class Authors(InstalledTest):
    def entries(self, package):
        """Name → permissions, as zipinfo lists them."""
        lines = self.run_well("unzip", "-Z", str(package)).splitlines()
        return {line.split()[-1]: line.split()[0] for line in lines if line[:1] in "-d"}

    def test_add_function_makes_a_zip_that_runs(self):
        place = self.project("worker", {"main.cpp": TYPED, "CMakeLists.txt": TYPED_CMAKE, "limits/most.txt": "3\n"})
        self.build(place)
        package = place / "out" / "worker.zip"
        self.assertEqual(self.entries(package), {"bootstrap": "-rwxr-xr-x", "limits/": "drwxr-xr-x",
                                                 "limits/most.txt": "-rw-r--r--"})
        first = package.read_bytes()
        self.service.deploy("worker", first)
        event = {"Records": [{"messageId": "m1", "body": "abc"}, {"messageId": "m2", "body": "abcd", "new": [1.50]}]}
        self.assertEqual(self.service.invoke("worker", event).json,
                         {"batchItemFailures": [{"itemIdentifier": "m2"}]})
        wrong = self.service.invoke("worker", {"Records": [{"body": 1}]})
        self.assertEqual(wrong.json["errorType"], "ogni::events::EventError")
        self.assertEqual(wrong.json["errorMessage"], "Records[0].body: a string is expected, not a number")

        # What changes is packed again.
        (place / "limits" / "most.txt").write_text("5\n")
        self.build(place)
        self.assertNotEqual(package.read_bytes(), first)

    def test_add_function_says_what_is_wrong(self):
        for line, message in (("ogni_add_function(nothing)", "there is no such target"),
                              ("add_library(l INTERFACE)\nogni_add_function(l)", "the target is no executable"),
                              ("add_executable(x main.cpp)\nogni_add_function(x DATA y)", "unknown: DATA;y")):
            place = self.project("wrong", {"main.cpp": "int main() {}\n", "CMakeLists.txt": "\n".join([
                "cmake_minimum_required(VERSION 3.21)", "project(wrong CXX)", "find_package(ogni REQUIRED)", line])})
            done = subprocess.run(["cmake", "-S", str(place), "-B", str(place / "out"), "-DCMAKE_CXX_COMPILER=clang++-19",
                                   f"-DCMAKE_PREFIX_PATH={self.prefix}"], capture_output=True, text=True, timeout=100)
            self.assertNotEqual(done.returncode, 0)
            self.assertIn(message, " ".join(done.stderr.split()))
        script = next(self.prefix.glob("lib/**/ogniPackage.cmake"))
        done = subprocess.run(["cmake", "-DPROGRAM=/bin/true", "-DNAME=true", f"-DZIP={self.prefix}/true.zip",
                               "-DSHARED=static", "-P", str(script)], capture_output=True, text=True, timeout=100)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("true is not linked statically", done.stderr)
        self.assertIn("libc.so", done.stderr)

    def test_function_written_for_aws_lambda_cpp_runs_unchanged(self):
        echo = (SOURCE / "runtime" / "aws" / "echo.cpp").read_text()
        place = self.project("demo", {"echo.cpp": echo, "CMakeLists.txt": LAMBDA_CPP_CMAKE})
        self.build(place, "aws-lambda-package-demo")
        package = place / "out" / "demo.zip"
        entries = self.entries(package)
        self.assertEqual(entries["bootstrap"], "-rwxr-xr-x")
        self.assertEqual(entries["bin/demo"], "-rwxr-xr-x")
        self.assertTrue(any(name.startswith("lib/ld-linux") for name in entries), entries)
        self.assertTrue(any(name.startswith("lib/libstdc++.so") for name in entries), entries)
        self.service.deploy("demo", package.read_bytes())
        self.assertEqual(self.service.invoke("demo", {"a": "ä"}).json, {"a": "ä"})
        context = self.service.invoke("demo", b'"context"')
        self.assertEqual(context.json["id"], context.request_id)
        self.assertTrue(context.json["inTime"])
        self.assertEqual(self.service.invoke("demo", b'"throw"').json,
                         {"errorMessage": "thrown", "errorType": "std::runtime_error", "stackTrace": []})

    def flags(self, package):
        settings = next(self.prefix.glob("lib/**/ogni.pc")).parent
        return self.run_well("pkg-config", "--cflags", "--libs", package,
                             env={**os.environ, "PKG_CONFIG_PATH": str(settings)}).split()

    def test_typed_events_through_pkg_config(self):
        place = self.project("typed", {"main.cpp": TYPED, "zip/limits/most.txt": "2\n"})
        self.run_well("clang++-19", "-std=c++20", "-Wall", "-Wextra", "-Werror", "-static", "-o",
                      str(place / "zip" / "bootstrap"), str(place / "main.cpp"), *self.flags("ogni-events"))
        self.service.ogni("deploy", str(place / "zip"), "--name", "typed")
        answer = self.service.invoke("typed", {"Records": [{"messageId": "m", "body": "abc"}]})
        self.assertEqual(answer.json, {"batchItemFailures": [{"itemIdentifier": "m"}]})

    def test_c_through_pkg_config(self):
        place = self.project("in-c", {"main.c": IN_C})
        (place / "zip").mkdir()
        self.run_well("clang-19", "-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic", "-static", "-o",
                      str(place / "zip" / "bootstrap"), str(place / "main.c"), *self.flags("ogni"))
        self.service.ogni("deploy", str(place / "zip"), "--name", "in-c")
        answer = self.service.invoke("in-c", b"{}")
        self.assertEqual(answer.body.decode(), answer.request_id)
