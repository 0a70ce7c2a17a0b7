"""AWS_LAMBDA_EXEC_WRAPPER: a program of the customer's that starts a managed runtime, as monitoring layers do."""

import os
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

import functions
from harness import PYTHON, ServiceTest, can_isolate

EXPORTS = "#!/bin/bash\nexport WRAPPED=yes\nexec \"$@\"\n"
HANDLERS = {
    PYTHON: ("app.py", "import os\ndef handler(e, c): return [os.environ.get('WRAPPED'), sum(e)]\n"),
    "nodejs20.x": ("app.js", "exports.handler = async (e) => [process.env.WRAPPED, e[0] + e[1]];\n"),
    "ruby3.3": ("app.rb", "def handler(event:, context:) = [ENV['WRAPPED'], event.sum]\n"),
}


class Wrapper(ServiceTest):
    def deploy(self, name, wrapper, runtime=PYTHON, files=None, path="/var/task/wrapper", mode=0o755, **variables):
        """A function whose package has this wrapper beside the runtime's usual handler."""
        files = dict([HANDLERS[runtime]]) if files is None else files
        zipped = functions.zip_of({"wrapper": (wrapper, mode), **files})
        self.service.deploy(name, zipped, runtime=runtime, handler="app.handler", Timeout=60,
                            Environment={"Variables": {"AWS_LAMBDA_EXEC_WRAPPER": path, **variables}})

    def call(self, name, event=(1, 2), tail=False):
        answer = self.service.invoke(name, event, tail=tail)
        self.assertIsNone(answer.error, answer.body)
        return answer

    def test_it_gets_the_command_line_of_each_language(self):
        for runtime, program in ((PYTHON, f"/usr/bin/{PYTHON}"), ("nodejs20.x", "/usr/bin/node"), ("ruby3.3", "/usr/bin/ruby")):
            with self.subTest(runtime):
                if not os.path.exists(program):
                    self.skipTest(f"no {program}")
                name = "each-" + runtime.replace(".", "-")
                self.deploy(name, EXPORTS, runtime)
                self.assertEqual(self.call(name).json, ["yes", 3])
                self.assertEqual(self.call(name, (3, 4)).json, ["yes", 7])

    def test_java_takes_options_from_it_and_from_variables(self):
        if not shutil.which("javac"):
            self.skipTest("no javac")
        directory = Path(tempfile.mkdtemp(prefix="j-"))
        self.addCleanup(shutil.rmtree, directory)
        (directory / "App.java").write_text("""public class App { public static java.util.List<String> handler(Object event) {
            var beans = java.lang.management.ManagementFactory.getGarbageCollectorMXBeans();
            return java.util.List.of(beans.get(0).getName(), String.valueOf(System.getProperty("given")),
                String.valueOf(System.getenv("WRAPPED"))); } }""")
        subprocess.run(["javac", "--release", "17", "-d", directory, directory / "App.java"], check=True, timeout=120)
        classes = {path.name: path.read_bytes() for path in directory.glob("*.class")}
        # The example of AWS's guide: the interpreter is dropped, and another one of the same name is found in PATH.
        wrapper = "#!/bin/sh\nshift\nexport WRAPPED=yes _JAVA_OPTIONS='-XX:+UseParallelGC'\nexec java -Dgiven=here \"$@\"\n"
        zipped = functions.zip_of({"wrapper": (wrapper, 0o755), **classes})
        for name, variables, expected in (
                ("java", {"AWS_LAMBDA_EXEC_WRAPPER": "/var/task/wrapper"}, ["PS MarkSweep", "here", "yes"]),
                ("java-options", {"JAVA_TOOL_OPTIONS": "-XX:+UseParallelGC -Dgiven=there"}, ["PS MarkSweep", "there", "null"])):
            self.service.deploy(name, zipped, runtime="java17", handler="App::handler", Timeout=60, MemorySize=512,
                                Environment={"Variables": variables})
            self.assertEqual(self.call(name, {}).json, expected)

    def test_options_before_the_last_word_reach_the_interpreter(self):
        self.deploy("options", """#!/bin/bash
            args=("$@")
            extra=("-X" "importtime" "-W" "ignore::UserWarning")
            args=("${args[@]:0:$#-1}" "${extra[@]}" "${args[@]: -1}")
            exec "${args[@]}"
            """, files={"app.py": "import sys\ndef handler(e, c): return [sys._xoptions, sys.warnoptions, sys.argv, sys.path[0]]\n"})
        self.assertEqual(self.call("options").json,
                         [{"importtime": True}, ["ignore::UserWarning"], ["/var/runtime/bootstrap"], "/var/task"])

    def test_it_need_not_become_the_interpreter(self):
        self.deploy("parent", "#!/bin/sh\nexport WRAPPED=yes\n\"$@\"\nexit 5\n")
        self.assertEqual(self.call("parent").json, ["yes", 3])
        self.deploy("no-shebang", "export WRAPPED=yes\nexec \"$@\"\n")
        self.assertEqual(self.call("no-shebang").json, ["yes", 3])

    def test_failures_are_exit_statuses_of_a_shell(self):
        for name, path, wrapper, mode, status in (
                ("missing", "/opt/missing", EXPORTS, 0o755, 127), ("directory", "/var/task", EXPORTS, 0o755, 127),
                ("unexecutable", "/var/task/wrapper", EXPORTS, 0o644, 126),
                ("interpreter", "/var/task/wrapper", "#!/missing/interpreter\n", 0o755, 126),
                ("exits", "/var/task/wrapper", "#!/bin/sh\nexit 9\n", 0o755, 9)):
            with self.subTest(name):
                self.deploy(name, wrapper, path=path, mode=mode)
                answer = self.service.invoke(name, (1, 2), tail=True)
                self.fails(answer, "Runtime.ExitError", f"RequestId: {{rid}} Error: Runtime exited with error: exit status {status}")
        self.assertIn("/var/task/wrapper: is not an executable\n",
                      self.service.ogni("logs", "unexecutable").stdout)

    def test_provided_runtimes_have_none(self):
        self.service.deploy("provided", functions.bash_handler("echo 1"),
                            Environment={"Variables": {"AWS_LAMBDA_EXEC_WRAPPER": "/opt/missing"}})
        self.assertIsNone(self.service.invoke("provided").error)

    @unittest.skipIf(can_isolate(), "no namespaces")
    def test_the_interpreter_is_where_aws_has_it(self):
        self.deploy("lang", f"#!/bin/sh\nshift\nexport WRAPPED=lang\nexec /var/lang/bin/{PYTHON} \"$@\"\n")
        self.assertEqual(self.call("lang").json, ["lang", 3])
        self.deploy("names", EXPORTS, files={"app.py": "import os\ndef handler(e, c): return sorted(os.listdir('/var/lang/bin'))\n"})
        self.assertEqual(self.call("names").json, ["python", "python3", PYTHON])


if __name__ == "__main__":
    unittest.main()
