"""LoggingConfig acts: format, levels and group, in the programs of managed runtimes and in the lines of the platform."""

import base64
import json
import os
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

import functions
from harness import PYTHON, ROLE, ServiceTest

PYTHON_HANDLER = """
import logging, os, sys
log = logging.getLogger("mine")
def handler(event, context):
    print("printed")
    log.debug("debugged")
    log.warning("warned %s", 1, extra={"order": {"id": 7}})
    try:
        raise ValueError("bad")
    except ValueError:
        log.exception("caught")
    if event.get("fail"):
        raise KeyError("gone")
    return {name: value for name, value in os.environ.items() if "_LOG_" in name}
"""
NODE_HANDLER = """
exports.handler = async (event) => {
  process.stdout.write('printed\\n');
  console.debug('debugged');
  console.log({ order: 7 });
  console.warn('warned %s', 1, { a: 1 });
  console.error(new TypeError('bad'));
  if (event.fail) throw new RangeError('gone');
  return 1;
};
"""
RUBY_HANDLER = """
require 'logger'
LOG = Logger.new($stdout, progname: 'mine')
def handler(event:, context:)
  puts 'printed'
  LOG.debug('debugged')
  LOG.warn('warned 1')
  LOG.error(ArgumentError.new('bad'))
  raise KeyError, 'gone' if event['fail']
  1
end
"""
TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z"


class Logging(ServiceTest):
    def deploy(self, name, runtime, files, handler="app.handler", logging=None, **settings):
        self.create(name, functions.zip_of(files), runtime, handler, logging or {"LogFormat": "JSON"}, **settings)

    def create(self, name, zip_bytes, runtime, handler, logging, **settings):
        """By hand: Debian's boto3 does not know LoggingConfig."""
        self.ask("POST", "/2015-03-31/functions", FunctionName=name, Runtime=runtime, Handler=handler, Role=ROLE, Timeout=60,
                 Code={"ZipFile": base64.b64encode(zip_bytes).decode()}, LoggingConfig=logging, **settings)
        self.service.wait_active(name)

    def ask(self, method, path, **members):
        status, _, body = self.service.http(method, path, json.dumps(members).encode())
        self.assertIn(status, (200, 201), body)

    def entries(self, answer):
        """(the objects of the log's tail, its other lines)."""
        objects, others = [], []
        for line in answer.log.splitlines():
            if line.startswith("{"):
                objects.append(json.loads(line))
            else:
                others.append(line)
        return objects, others

    def application(self, answer):
        return [entry for entry in self.entries(answer)[0] if not entry.get("type", "").startswith("platform.")]

    def test_variables_name_format_level_and_group(self):
        self.deploy("variables", PYTHON, {"app.py": PYTHON_HANDLER},
                    logging={"LogFormat": "JSON", "ApplicationLogLevel": "WARN", "LogGroup": "mine/group"})
        variables = self.service.invoke("variables").json
        self.assertEqual((variables["AWS_LAMBDA_LOG_FORMAT"], variables["AWS_LAMBDA_LOG_LEVEL"],
                          variables["AWS_LAMBDA_LOG_GROUP_NAME"]), ("JSON", "WARN", "mine/group"))
        self.assertIn("caught", self.service.ogni("logs", "variables").stdout, "a log is found by the function's name")
        self.ask("PUT", "/2015-03-31/functions/variables/configuration", LoggingConfig={"LogFormat": "Text"})
        self.service.wait_active("variables")
        answer = self.service.invoke("variables", tail=True)
        self.assertEqual([name for name in answer.json if name in ("AWS_LAMBDA_LOG_FORMAT", "AWS_LAMBDA_LOG_LEVEL")], [])
        self.assertRegex(answer.log, rf"^START RequestId: {answer.request_id} Version: \$LATEST\n")

    def test_lines_of_the_platform_are_events(self):
        self.deploy("platform", PYTHON, {"app.py": "def handler(e, c): return 1\n"})
        first = self.service.invoke("platform", tail=True)
        (start, report), others = self.entries(first)
        self.assertEqual(others, [])
        self.assertRegex(start["time"], f"^{TIME}$")
        self.assertEqual((start["type"], start["record"]),
                         ("platform.start", {"requestId": first.request_id, "version": "$LATEST"}))
        self.assertEqual((report["type"], report["record"]["requestId"], report["record"]["status"]),
                         ("platform.report", first.request_id, "success"))
        metrics = report["record"]["metrics"]
        self.assertEqual(sorted(metrics), ["billedDurationMs", "durationMs", "initDurationMs", "maxMemoryUsedMB", "memorySizeMB"])
        self.assertIsInstance(metrics["billedDurationMs"], int)
        shown = self.service.ogni("logs", "platform").stdout
        self.assertRegex(shown, rf"(?m)^{TIME} platform\.initStart initializationType=on-demand phase=init runtimeVersion={PYTHON} ")
        self.assertRegex(shown, rf"(?m)^{TIME} platform\.report requestId={first.request_id} status=success durationMs=\d")

    def test_system_log_level_admits_failures_only(self):
        self.deploy("quiet", PYTHON, {"app.py": PYTHON_HANDLER},
                    logging={"LogFormat": "JSON", "ApplicationLogLevel": "FATAL", "SystemLogLevel": "WARN"})
        self.assertEqual(self.service.invoke("quiet", tail=True).log, "printed\n")
        answer = self.service.invoke("quiet", {"fail": 1}, tail=True)
        types = [entry["type"] for entry in self.entries(answer)[0] if "type" in entry]
        self.assertEqual(types, ["platform.runtimeDone", "platform.report"])
        self.deploy("exits", PYTHON, {"app.py": "import os\ndef handler(e, c): os._exit(3)\n"})
        objects, others = self.entries(self.service.invoke("exits", tail=True))
        self.assertEqual(others, [])
        failure = next(entry for entry in objects if entry.get("level") == "ERROR")
        self.assertIn("Runtime exited with error: exit status 3", failure["message"])
        self.assertEqual(failure["errorType"], "Runtime.ExitError")

    def test_python_logs_objects(self):
        self.deploy("python", PYTHON, {"app.py": PYTHON_HANDLER})
        answer = self.service.invoke("python", {"fail": 1}, tail=True)
        self.assertIn("printed", self.entries(answer)[1], "what is printed stays as it is")
        warned, caught, failed = self.application(answer)
        self.assertRegex(warned.pop("timestamp"), f"^{TIME}$")
        self.assertEqual(warned, {"level": "WARNING", "message": "warned 1", "logger": "mine", "requestId": answer.request_id,
                                  "order": {"id": 7}})
        self.assertEqual((caught["level"], caught["message"], caught["errorType"], caught["errorMessage"], caught["location"]),
                         ("ERROR", "caught", "ValueError", "bad", "/var/task/app.py:handler:11"))
        self.assertIn('File "/var/task/app.py", line 9, in handler', caught["stackTrace"][0])
        self.assertEqual((failed["log_level"], failed["errorType"], failed["requestId"]),
                         ("ERROR", "KeyError", answer.request_id))

    def test_a_level_admits_its_own_and_worse(self):
        for level, expected in (("TRACE", ["DEBUG", "WARNING", "ERROR"]), ("DEBUG", ["DEBUG", "WARNING", "ERROR"]),
                                ("INFO", ["WARNING", "ERROR"]), ("ERROR", ["ERROR"]), ("FATAL", [])):
            name = "level-" + level
            self.deploy(name, PYTHON, {"app.py": PYTHON_HANDLER}, logging={"LogFormat": "JSON", "ApplicationLogLevel": level})
            answer = self.service.invoke(name, tail=True)
            self.assertEqual([entry["level"] for entry in self.application(answer)], expected, level)

    @unittest.skipUnless(os.path.exists("/usr/bin/node"), "no node")
    def test_node_logs_objects(self):
        self.deploy("node", "nodejs20.x", {"app.js": NODE_HANDLER})
        answer = self.service.invoke("node", {"fail": 1}, tail=True)
        self.assertIn("printed", self.entries(answer)[1])
        logged, warned, error, failed = self.application(answer)
        self.assertRegex(logged.pop("timestamp"), f"^{TIME}$")
        self.assertEqual(logged, {"level": "INFO", "requestId": answer.request_id, "message": {"order": 7}})
        self.assertEqual((warned["level"], warned["message"]), ("WARN", "warned 1 { a: 1 }"))
        self.assertEqual((error["level"], error["message"]["errorType"], error["message"]["errorMessage"]),
                         ("ERROR", "TypeError", "bad"))
        self.assertEqual(error["message"]["stackTrace"][0], "TypeError: bad")
        self.assertEqual((failed["level"], failed["message"]["errorType"], failed["message"]["errorMessage"]),
                         ("ERROR", "RangeError", "gone"))
        self.deploy("node-error", "nodejs20.x", {"app.js": NODE_HANDLER},
                    logging={"LogFormat": "JSON", "ApplicationLogLevel": "ERROR"})
        answer = self.service.invoke("node-error", tail=True)
        self.assertEqual([entry["level"] for entry in self.application(answer)], ["ERROR"])

    @unittest.skipUnless(os.path.exists("/usr/bin/ruby"), "no ruby")
    def test_ruby_logs_objects(self):
        self.deploy("ruby", "ruby3.3", {"app.rb": RUBY_HANDLER})
        answer = self.service.invoke("ruby", {"fail": 1}, tail=True)
        self.assertIn("printed", self.entries(answer)[1])
        warned, error, failed = self.application(answer)
        self.assertRegex(warned.pop("timestamp"), f"^{TIME}$")
        self.assertEqual(warned, {"level": "WARN", "message": "warned 1", "requestId": answer.request_id, "logger": "mine"})
        self.assertEqual((error["level"], error["errorType"], error["errorMessage"]), ("ERROR", "ArgumentError", "bad"))
        self.assertEqual((failed["level"], failed["message"], failed["errorType"]), ("ERROR", "gone", "Function<KeyError>"))
        self.deploy("ruby-debug", "ruby3.3", {"app.rb": RUBY_HANDLER},
                    logging={"LogFormat": "JSON", "ApplicationLogLevel": "DEBUG"})
        answer = self.service.invoke("ruby-debug", tail=True)
        self.assertEqual([entry["level"] for entry in self.application(answer)], ["DEBUG", "WARN", "ERROR"])

    @unittest.skipUnless(shutil.which("javac"), "no javac")
    def test_the_loggers_of_java_log_objects(self):
        directory = Path(tempfile.mkdtemp(prefix="j-"))
        self.addCleanup(shutil.rmtree, directory)
        (directory / "App.java").write_text("""public class App {
            public enum LogLevel { UNDEFINED, TRACE, DEBUG, INFO, WARN, ERROR, FATAL }
            public interface Logger { void log(String message); void log(String message, LogLevel level); }
            public interface Context { Logger getLogger(); }
            public static int handler(Object event, Context context) {
              System.out.println("printed");
              context.getLogger().log("plain");
              context.getLogger().log("debugged", LogLevel.DEBUG);
              context.getLogger().log("warned \\"1\\"\\nand on", LogLevel.WARN);
              return 1; } }""")
        subprocess.run(["javac", "--release", "17", "-d", directory, directory / "App.java"], check=True, timeout=120)
        classes = {path.name: path.read_bytes() for path in directory.glob("*.class")}
        self.deploy("java", "java17", classes, handler="App::handler", MemorySize=512)
        answer = self.service.invoke("java", tail=True)
        self.assertIn("printed", self.entries(answer)[1])
        plain, warned = self.application(answer)
        self.assertRegex(warned.pop("timestamp"), f"^{TIME}$")
        self.assertEqual(warned, {"level": "WARN", "message": "warned \"1\"\nand on", "AWSRequestId": answer.request_id})
        self.assertEqual((plain["level"], plain["message"]), ("UNDEFINED", "plain"))
        self.deploy("java-text", "java17", classes, handler="App::handler", MemorySize=512, logging={"LogFormat": "Text"})
        self.assertIn("plain[DEBUG] debugged[WARN] warned \"1\"\nand on", self.service.invoke("java-text", tail=True).log)

    def test_objects_below_the_level_are_dropped_from_any_runtime(self):
        self.create("provided", functions.bash_handler(
            "echo '{\"level\":\"DEBUG\",\"message\":\"low\"}' >&2; echo '{\"level\":\"ERROR\",\"message\":\"high\"}' >&2; echo 1"),
            "provided.al2023", "hello.handler", {"LogFormat": "JSON"})
        answer = self.service.invoke("provided", tail=True)
        self.assertEqual([entry["message"] for entry in self.application(answer)], ["high"])


class Entries(ServiceTest):
    """An entry of the log may have several lines."""

    @unittest.skipUnless(os.path.exists("/usr/bin/node"), "no node")
    def test_an_entry_keeps_its_line_ends(self):
        self.service.deploy("lines", functions.zip_of({"app.js": "exports.handler = async () => { console.error(new Error('x')); "
                                                                 "console.log('a\\nb'); return 1; }"}),
                            runtime="nodejs20.x", handler="app.handler", Timeout=60)
        answer = self.service.invoke("lines", tail=True)
        self.assertNotIn("\r", answer.log)
        self.assertRegex(answer.log, rf"(?m)^{TIME}\t{answer.request_id}\tERROR\tError: x\n    at .*app\.js:1:")
        self.assertRegex(answer.log, rf"(?m)^{TIME}\t{answer.request_id}\tINFO\ta\nb\n")
        self.assertRegex(self.service.ogni("logs", "lines").stdout, rf"\tError: x\n{TIME}     at .*app\.js:1:")

    def test_carriage_returns_of_other_clients_are_line_ends_to_the_command(self):
        self.service.deploy("returns", functions.bash_handler(r"printf 'Error: x\r    at a\r\33[2J\n' >&2; echo 1"))
        self.assertIn("Error: x\r    at a\r", self.service.invoke("returns", tail=True).log)
        self.assertRegex(self.service.ogni("logs", "returns").stdout,
                         rf"(?m)^{TIME} Error: x\n{TIME}     at a\n{TIME} \\x1b\[2J$")


if __name__ == "__main__":
    unittest.main()
