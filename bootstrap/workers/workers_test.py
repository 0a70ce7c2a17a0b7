"""Every duty of docs/worker-protocol.md, for every worker whose interpreter is here, through the real bootstrap.

fixtures/app.EXT is the same handler in each language. It gets an event, mostly a JSON string that names what to do:

    context      fields of the context, joined by "|"        fail       raises an error with the message "it failed: ä"
    trace        the trace id, or "none"                     log        prints "a line for the log"
    exit         ends its process with status 3              count      how often this was asked, kept in a variable
    lookalike    the text 'result 0 2\\n{}'                   binary     the bytes 00 01 ff fe 0a 00
    stream       "a\\n", "ä€\\n", "b\\n" piece by piece, as text/plain      break      "a\\n", and then as fail
    prelude      an HTTP answer as AWS streams it: status 201, a cookie, "made\\n"
    json         {"a": [1, "ä", null]}                       text       "täxt\\n" as text/plain
    anything else: the event itself

fixtures/fork.EXT is for the languages that can fork: see fork.py.
"""

import copy
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

SOURCE = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(SOURCE / "tests"))

from runtime_api import RuntimeApi  # noqa: E402

FIXTURES = Path(__file__).resolve().parent / "fixtures"
BOOTSTRAP = Path(os.environ.get("OGNI_BIN", SOURCE / "build" / "bin")) / "bootstrap"
CONTEXT = {
    "Lambda-Runtime-Aws-Tenant-Id": "tenant-1",
    "Lambda-Runtime-Client-Context": '{"custom":{"a":"b"}}',
    "Lambda-Runtime-Cognito-Identity": '{"cognitoIdentityId":"id-1","cognitoIdentityPoolId":"pool-1"}',
}
# What Unicode calls the end of a line is none in a head.
LINE_ENDS = ("\u0085", "\u2028", "\u2029")


class Language:
    """What to expect of a language. `json`: events are decoded and results encoded, so both are JSON texts."""

    def __init__(self, name, extension, interpreters, *, json=False, syntax_error=")", custom_error=None, binary=True,
                 stack="handler", handler="app.handler", any_bytes=True, stream_handler="app.handler", slow=False,
                 variables=None, names_text=True):
        self.name = name
        self.extension = extension
        self.interpreters = interpreters
        self.json = json
        self.syntax_error = syntax_error  # a file that does not compile
        self.custom_error = custom_error  # errorType of "fail"
        self.binary = binary
        self.stack = stack  # part of its stack trace
        self.handler = handler
        self.slow = slow  # to start; tested by slow_workers_test.py
        self.variables = variables or {}  # for bootstrap
        self.stream_handler = stream_handler
        self.names_text = names_text  # a response may be text that is not JSON
        self.any_bytes = any_bytes  # an event may hold NUL and what is no UTF-8

    def interpreter(self):
        own = os.environ.get("OGNI_" + self.name.upper())
        if own:
            return own
        return next((path for name in self.interpreters if (path := shutil.which(name))), None)


LANGUAGES = [
    Language("bash", "sh", ["bash"], syntax_error="handler() {", custom_error="HandlerFailed", stack="at inner",
             any_bytes=False),
    Language("python", "py", ["python3"], json=True, custom_error="Custom", stack="app.py",
             names_text=False),
    Language("node", "js", ["node", "nodejs"], json=True, syntax_error="exports.handler = {", custom_error="Custom",
             stack="app.js", stream_handler="app.stream", names_text=False),
    Language("ruby", "rb", ["ruby"], json=True, syntax_error="def handler(", custom_error="Function<Custom>",
             stack="app.rb", names_text=False),
    Language("perl", "pl", ["perl"], json=True, syntax_error="sub handler {", custom_error="Custom", stack="app.pl"),
    Language("php", "php", ["php"], json=True, syntax_error="<?php function {", custom_error="Custom",
             stack="app.php"),
    Language("lua", "lua", ["lua5.4", "lua5.3", "lua"], custom_error="Custom", stack="app.lua"),
    Language("tcl", "tcl", ["tclsh8.7", "tclsh8.6", "tclsh"], syntax_error="proc handler {", custom_error="Custom",
             stack="handler"),
    Language("r", "R", ["Rscript"], custom_error="Custom", stack="inner()", slow=True),
    Language("guile", "scm", ["guile-3.0", "guile"], syntax_error="(define", custom_error="Custom", stack="inner"),
    Language("sbcl", "lisp", ["sbcl"], syntax_error="(defun", custom_error="CUSTOM", stack="INNER"),
    Language("prolog", "pro", ["swipl"], syntax_error="handler(a, b", custom_error="Custom", stack="inner"),
    Language("erlang", "erl", ["escript"], custom_error="Custom", stack="inner", slow=True),
    Language("elixir", "ex", ["elixir"], syntax_error="defmodule App do", custom_error="App.Custom", stack="inner",
             slow=True),
    Language("octave", "m", ["octave-cli"], syntax_error="function handler (", custom_error="Custom:failed",
             stack="inner", slow=True),
    Language("racket", "rkt", ["racket"], syntax_error="#lang racket/base\n(define", custom_error="Custom",
             stack="app.rkt", slow=True),
    Language("java", "java", ["java"], json=True, syntax_error="class app {", custom_error="app$Custom",
             stack="app.inner", slow=True, names_text=False),
    Language("gforth", "fs", ["gforth"], syntax_error=": handler no-such-word ;", custom_error="Error",
             stack="inner"),
    Language("julia", "jl", ["julia"], syntax_error="function handler(", custom_error="Custom", stack="inner", slow=True),
    Language("gawk", "awk", ["gawk"], syntax_error="function handler(", custom_error="Custom", stack=""),
    Language("raku", "raku", ["raku"], syntax_error="sub handler {", custom_error="Custom", stack="inner", slow=True),
]


# Handlers that answer with what a program of theirs finds in /proc/self/fd, where that must not be the private pipes.
HIDING = {
    "bash": "handler() { ls -l /proc/self/fd; }",
    "python": "import subprocess\n"
              "def handler(event, context): return subprocess.run(['ls', '-l', '/proc/self/fd'], close_fds=False, "
              "capture_output=True, text=True).stdout",
    "node": "exports.handler = async () => require('child_process').execSync('ls -l /proc/self/fd').toString();",
    "ruby": "def handler(event:, context:) = `ls -l /proc/self/fd`",
    "perl": "sub handler { `ls -l /proc/self/fd` } 1;",
    "lua": "function handler() return io.popen('ls -l /proc/self/fd'):read('a') end",
    "guile": "(use-modules (ice-9 popen) (ice-9 textual-ports))"
             "(define (handler event context) (get-string-all (open-input-pipe \"ls -l /proc/self/fd\")))",
    "php": "<?php function handler($event) { return shell_exec('ls -l /proc/self/fd'); }",
    "tcl": "proc handler {event context} { exec ls -l /proc/self/fd }",
    "r": "handler <- function(event, context) system('ls -l /proc/self/fd', intern = TRUE)",
    "sbcl": "(defun handler (event context) (with-output-to-string (out)"
            " (sb-ext:run-program \"/bin/ls\" '(\"-l\" \"/proc/self/fd\") :output out)))",
    "prolog": ":- use_module(library(process)). :- use_module(library(readutil)).\n"
              "handler(_, _, Listing) :- process_create(path(ls), ['-l', '/proc/self/fd'], [stdout(pipe(Out))]),"
              " read_string(Out, _, Listing), close(Out).",
    "erlang": "-module(app).\n-export([handler/2]).\nhandler(_, _) -> os:cmd(\"ls -l /proc/self/fd\").",
    "elixir": "defmodule App do\n  def handler(_, _), do: elem(System.cmd(\"ls\", [\"-l\", \"/proc/self/fd\"]), 0)\nend",
    "octave": "1;\nfunction listing = handler (event, context)\n  [~, listing] = system (\"ls -l /proc/self/fd\");\n"
              "endfunction",
    "racket": "#lang racket/base\n(require racket/port racket/system)\n(provide handler)\n(define (handler event context)"
              " (with-output-to-string (lambda () (system \"ls -l /proc/self/fd\"))))",
    "java": "public class app { public static String handler(String event) throws Exception { return new String("
            "new ProcessBuilder(\"ls\", \"-l\", \"/proc/self/fd\").start().getInputStream().readAllBytes()); } }",
    "gforth": "create listing 4096 allot : handler ( event u -- listing u ) 2drop s\" ls -l /proc/self/fd\" r/o open-pipe throw"
              " >r listing 4096 r@ read-file throw listing swap r> close-pipe throw drop ;",
    "gawk": "function handler(event,    line, listing) { while ((\"ls -l /proc/self/fd\" | getline line) > 0)"
            " listing = listing line \"\\n\"; return listing }",
    "raku": "sub handler($event, $context) { (run 'ls', '-l', '/proc/self/fd', :out).out.slurp(:close) }",
    "julia": "handler(event, context) = read(`ls -l /proc/self/fd`, String)",
}

# Of the languages whose worker opens its pipes by their names, those that need no file in TMPDIR themselves.
NAMED_PIPES = ("php", "tcl", "prolog", "gawk", "raku")

# Fails where what fixtures/fork.EXT needs is not here.
FORK_NEEDS = {
    "lua": ["-e", 'require("posix")'],
    "php": ["-r", 'exit(function_exists("pcntl_fork") ? 0 : 1);'],
    "tcl": ["/dev/stdin", "", "package require Tclx"],
}


class Bootstrap:
    """The real bootstrap with one function, against a platform that the test plays."""

    def __init__(self, language, source=None, handler=None, variables=None, log=None):
        self.language = language
        self.directory = Path(tempfile.mkdtemp(prefix="ogni-worker-"))
        task = self.directory / "task"
        task.mkdir()
        if source is None:
            shutil.copy(FIXTURES / f"app.{language.extension}", task)
        else:
            (task / f"app.{language.extension}").write_text(source)
        self.api = RuntimeApi(deadline_seconds=int(os.environ.get("OGNI_DEADLINE", "100")))
        environment = {
            "AWS_LAMBDA_RUNTIME_API": self.api.address,
            "LAMBDA_TASK_ROOT": str(task),
            "_HANDLER": handler or language.handler,
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "HOME": str(self.directory),
            "TMPDIR": str(self.directory),
            "LANG": "en_US.UTF-8",
            "AWS_LAMBDA_FUNCTION_NAME": "greeter",
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "128",
            "AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/greeter",
            "AWS_LAMBDA_LOG_STREAM_NAME": "2026/stream",
            **language.variables,
            **(variables or {}),
        }
        if "OGNI_" + language.name.upper() in os.environ:  # an interpreter that is not in PATH
            environment["OGNI_INTERPRETER"] = language.interpreter()
        self.log_path = self.directory / "log"
        with open(self.log_path, "wb") as file:
            self.process = subprocess.Popen([BOOTSTRAP], env=environment, cwd=task, stdin=subprocess.DEVNULL,
                                            stdout=log or file, stderr=log or file, start_new_session=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        # The worker leads a process group of its own and dies with its bootstrap.
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(30)
        self.api.__exit__()
        shutil.rmtree(self.directory)

    def invoke(self, event, headers=None):
        """The answer. `event` is the text of a JSON string, or bytes to be handed over as they are."""
        if isinstance(event, str):
            event = json.dumps(event, ensure_ascii=False).encode()
        return self.api.invoke(event, headers)

    def text(self, event, headers=None):
        """The response, decoded where the language answers in JSON."""
        answer = self.invoke(event, headers)
        if answer.kind != "response":
            raise AssertionError(f"{answer}\nlog: {self.log()}")
        text = answer.body.decode()
        if self.language.json:
            text = json.loads(text)
        return text if isinstance(text, str) else json.dumps(text)

    def log(self):
        return self.log_path.read_text(errors="replace")

    def log_with(self, text):
        """The log as soon as it holds `text`; as it is when that does not come."""
        ends = time.monotonic() + 30
        while text not in self.log() and time.monotonic() < ends:
            time.sleep(0.01)
        return self.log()


class HandlerCase(unittest.TestCase):
    """For tests with handlers of their own, which other files have; a subclass per language."""

    language = None

    @classmethod
    def setUpClass(cls):
        if not cls.language_here().interpreter():
            raise unittest.SkipTest(f"no {cls.language} here")

    @classmethod
    def language_here(cls):
        return next(each for each in LANGUAGES if each.name == cls.language)

    def start(self, source, **options):
        own = Bootstrap(self.language_here(), source=source, **options)
        self.addCleanup(own.__exit__)
        return own


class WorkerCase:
    """The tests; a subclass per language."""

    language = None
    shared = None  # for what leaves no trace

    @classmethod
    def setUpClass(cls):
        if not cls.language.interpreter():
            raise unittest.SkipTest(f"no {' or '.join(cls.language.interpreters)} here")
        cls.shared = Bootstrap(cls.language)
        instead = cls.shared.api.await_poll()
        if instead:
            log = cls.shared.log()
            cls.tearDownClass()
            raise AssertionError(f"{instead}\n{log}")

    @classmethod
    def tearDownClass(cls):
        if cls.shared:
            cls.shared.__exit__()
            cls.shared = None

    def test_gives_the_event_and_takes_the_response(self):
        for event in ("hello", "ä€𝄞 \u0000\" \\ \n", ""):
            with self.subTest(event=event):
                self.assertEqual(self.plain(self.shared.text(event)), event)

    def plain(self, text):
        """A text language echoes the JSON text itself."""
        return text if self.language.json else json.loads(text)

    def test_carries_large_events(self):
        for size in (1 << 20, 6 << 20):
            with self.subTest(size=size):
                event = ("ä€" + "x" * 1019) * (size // 1024)
                self.assertTrue(self.plain(self.shared.text(event)) == event)

    def test_carries_any_bytes(self):
        event = bytes(range(256)) * 300
        if not self.language.any_bytes:
            answer = self.shared.invoke(event, {"Content-Type": "application/octet-stream"})
            self.assertIn("NUL", json.loads(answer.body)["errorMessage"])
            return
        answer = self.shared.invoke(event, {"Content-Type": "application/octet-stream"})
        self.assertEqual(answer.kind, "response", answer)
        self.assertTrue(answer.body == event, answer)

    def test_an_empty_event_harms_nothing(self):
        answer = self.shared.invoke(b"")
        self.assertIn(answer.kind, ("response", "error"))
        if answer.kind == "response":
            self.assertIn(answer.body, (b"", b"null", b'""'))
        self.assertEqual(self.plain(self.shared.text("next")), "next")

    def test_gives_the_context(self):
        shared = self.shared
        text = shared.text("context", CONTEXT)
        fields = text.split("|")
        self.assertEqual(fields[:9], [shared.api.request_id, "greeter", "$LATEST",
                                      "arn:aws:lambda:eu-west-1:123456789012:function:greeter", "128",
                                      "/aws/lambda/greeter", "2026/stream", "tenant-1", "1"])
        self.assertIn("b", fields[9])
        self.assertIn("pool-1", fields[10])

    def test_a_field_of_the_context_cannot_hold_another(self):
        for end in LINE_ENDS:
            with self.subTest(end=end):
                forged = end + end.join(["tenant_id=forged", "request_id=forged", "no pair", ""])
                client = '{"custom":{"a":"b' + forged + '"}}'
                for name, value in (("Client-Context", client), ("Trace-Id", "Root=1" + forged)):
                    text = self.shared.text("context", {**CONTEXT, "Lambda-Runtime-" + name: value})
                    fields = text.split("|")
                    self.assertEqual([fields[0], fields[7]], [self.shared.api.request_id, "tenant-1"])
                    self.assertEqual("forged" in fields[9], name == "Client-Context")

    def test_a_process_that_the_handler_forked_does_not_answer(self):
        fixture = FIXTURES / f"fork.{self.language.extension}"
        if not fixture.exists():
            self.skipTest("it cannot fork")
        needs = FORK_NEEDS.get(self.language.name, [])
        if needs:
            command = [self.language.interpreter(), *needs[:2]]
            probe = subprocess.run(command, input=needs[-1], text=True, capture_output=True, timeout=60)
            if probe.returncode != 0:
                self.skipTest("what it forks with is not here")
        with Bootstrap(self.language, source=fixture.read_text()) as own:
            for event, expected in (("fork", "parent"), ("one", "one"), ("fork-fail", "parent"), ("two", "two")):
                text = own.text(event)
                self.assertEqual(text if expected == "parent" else self.plain(text), expected, own.log())
            self.assertEqual(own.invoke("stream").body, b"a parent", own.log())
            self.assertEqual(self.plain(own.text("three")), "three")

    def test_sets_and_unsets_the_trace_id(self):
        self.assertEqual(self.shared.text("trace", {"Lambda-Runtime-Trace-Id": "Root=1-2"}), "Root=1-2")
        self.assertEqual(self.shared.text("trace"), "none")

    def test_reports_errors_with_type_message_and_stack(self):
        answer = self.shared.invoke("fail")
        self.assertEqual(answer.kind, "error", answer)
        report = json.loads(answer.body)
        self.assertIn("it failed: ä", report["errorMessage"])
        if self.language.custom_error:
            self.assertEqual(report["errorType"], self.language.custom_error)
        self.assertTrue(report["errorType"])
        trace = report.get("stackTrace", report.get("trace", []))
        self.assertIn(self.language.stack, "\n".join(trace), report)
        self.assertIn("it failed", self.shared.log_with("it failed"))
        self.assertEqual(self.plain(self.shared.text("next")), "next")

    def test_keeps_state(self):
        first = int(self.shared.text("count"))
        self.assertEqual(int(self.shared.text("count")), first + 1)

    def test_a_response_may_look_like_the_protocol(self):
        self.assertEqual(self.shared.text("lookalike"), "result 0 2\n{}")

    def test_a_response_may_be_bytes(self):
        if not self.language.binary:
            self.skipTest("its strings cannot hold every byte")
        answer = self.shared.invoke("binary")
        self.assertEqual((answer.kind, answer.body), ("response", b"\x00\x01\xff\xfe\n\x00"))

    def test_a_response_may_be_json(self):
        answer = self.shared.invoke("json")
        self.assertEqual((answer.kind, answer.headers["content-type"]), ("response", "application/json"), answer)
        self.assertEqual(json.loads(answer.body), {"a": [1, "ä", None]})

    def test_a_response_may_be_text(self):
        if not self.language.names_text:
            self.skipTest("what it returns is JSON or bytes; other text is bytes or streamed")
        answer = self.shared.invoke("text")
        self.assertEqual((answer.kind, answer.headers["content-type"]), ("response", "text/plain"), answer)
        self.assertEqual(answer.body.decode(), "täxt\n")

    def test_a_streamed_response_may_begin_with_status_and_cookies(self):
        with Bootstrap(self.language, handler=self.language.stream_handler, variables={"WANT_STREAM": "yes"}) as own:
            answer = own.invoke("prelude")
            self.assertEqual((answer.kind, answer.headers["content-type"]),
                             ("response", "application/vnd.awslambda.http-integration-response"), f"{answer}{own.log()}")
            prelude, end, body = answer.body.partition(b"\0" * 8)
            self.assertEqual(json.loads(prelude), {"statusCode": 201, "cookies": ["c=1"]})
            self.assertEqual((end, body), (b"\0" * 8, b"made\n"))

    def test_a_response_may_be_streamed(self):
        with Bootstrap(self.language, handler=self.language.stream_handler, variables={"WANT_STREAM": "yes"}) as own:
            whole = own.invoke("stream")
            self.assertEqual((whole.kind, whole.body.decode()), ("response", "a\nä€\nb\n"), f"{whole}{own.log()}")
            self.assertEqual(whole.headers["content-type"], "text/plain")
            broken = own.invoke("break")
            error = broken.trailers.get("lambda-runtime-function-error-type", "") + broken.body.decode(errors="replace")
            self.assertTrue(broken.kind == "error" or broken.trailers, f"{broken}{own.log()}")
            self.assertIn(self.language.custom_error, error)
            self.assertEqual(own.invoke("stream").body, whole.body)

    def test_what_is_kept_of_an_ended_stream_writes_nothing(self):
        fixture = FIXTURES / f"kept.{self.language.extension}"
        if not fixture.exists():
            self.skipTest("it streams with nothing that could be kept; bash and Node.js: outlasting_test.py")
        with Bootstrap(self.language, source=fixture.read_text()) as own:
            self.assertEqual(own.invoke("keep").body, b"kept", own.log())
            late = own.invoke("late")
            self.assertEqual(late.kind, "error", late)
            self.assertIn("the response has ended", json.loads(late.body)["errorMessage"])
            self.assertEqual(self.plain(own.text("next")), "next")

    def test_what_it_prints_is_the_log(self):
        before = self.shared.log()
        self.shared.invoke("log")
        self.assertIn("a line for the log", self.shared.log_with("a line for the log")[len(before):])

    def test_an_exit_ends_neither_runtime_nor_service(self):
        with Bootstrap(self.language) as own:
            answer = own.invoke("exit")
            self.assertEqual(answer.kind, "error")
            report = json.loads(answer.body)
            self.assertEqual(report["errorType"], "Runtime.ExitError", report)
            self.assertIn("exit status 3", report["errorMessage"])
            self.assertEqual(self.plain(own.text("next")), "next")

    def test_programs_of_the_handler_do_not_get_the_private_descriptors(self):
        with Bootstrap(self.language, source=HIDING[self.language.name]) as own:
            listing = own.text("x")
            found = {int(number): target for number, target in re.findall(r" (\d+) -> (.*)", listing)}
            self.assertIn(0, found, listing)
            standard = {found.pop(number, None) for number in (0, 1, 2)}
            # Some leak a copy of the program's own output.
            private = [target for target in found.values()
                       if target.startswith("pipe:") and target not in standard or "ogni-pipes" in target]
            self.assertFalse(private, listing)

    def test_it_serves_where_its_pipes_can_have_no_names(self):
        if self.language.name not in NAMED_PIPES:
            self.skipTest("its pipes have none, or it needs a file in TMPDIR itself")
        with Bootstrap(self.language, variables={"TMPDIR": "/proc"}) as own:
            self.assertEqual(self.plain(own.text("ä€")), "ä€")

    def assert_init_error(self, instead, own):
        self.assertIsNotNone(instead, f"it polls\n{own.log()}")
        self.assertEqual(instead.kind, "init-error", f"{instead}\n{own.log()}")
        report = json.loads(instead.body)
        self.assertTrue(report["errorType"] and report["errorMessage"], report)
        return report

    def test_a_syntax_error_is_a_failed_initialisation(self):
        with Bootstrap(self.language, source=self.language.syntax_error) as own:
            self.assert_init_error(own.api.await_poll(), own)

    def test_a_missing_handler_is_a_failed_initialisation(self):
        with Bootstrap(self.language, handler="app.absent") as own:
            report = self.assert_init_error(own.api.await_poll(), own)
            self.assertIn("absent", report["errorMessage"])


FORKING = ("python", "ruby", "perl", "php")
# Handlers of those that leave a line in the file "loads" when they are loaded, and count in a variable, with the number of
# their process. "stay" leaves a child, which tells its number too.
COUNTING = {
    "python": """
import os, time
with open(os.environ["HOME"] + "/loads", "a") as loads: loads.write("loaded\\n")
count = 0
def handler(event, context):
    global count
    count += 1
    child = 0
    if event == "stay":
        child = os.fork()
        if child == 0: time.sleep(600)
    if event == "kill": os.kill(os.getpid(), 9)
    return f"{count} {os.getpid()} {os.getppid()} {child}"
""",
    "ruby": """
File.write(ENV["HOME"] + "/loads", "loaded\\n", mode: "a")
$count = 0
def handler(event:, context:)
  $count += 1
  child = event == "stay" ? Process.fork { sleep 600 } : 0
  Process.kill(9, Process.pid) if event == "kill"
  "#{$count} #{Process.pid} #{Process.ppid} #{child}"
end
""",
    "perl": """
open(my $loads, '>>', "$ENV{HOME}/loads"); print $loads "loaded\\n"; close $loads;
my $count = 0;
sub handler {
  my ($event) = @_;
  ++$count;
  my $child = $event eq 'stay' ? fork : 0;
  if ($event eq 'stay' && $child == 0) { sleep 600 }
  kill 9, $$ if $event eq 'kill';
  return "$count $$ " . getppid() . " $child";
}
1;
""",
    "php": """<?php
file_put_contents(getenv('HOME') . '/loads', "loaded\\n", FILE_APPEND);
function handler($event) {
    static $count = 0;
    ++$count;
    $child = $event === 'stay' ? pcntl_fork() : 0;
    if ($event === 'stay' && $child === 0) { sleep(600); }
    if ($event === 'kill') { posix_kill(posix_getpid(), 9); }
    return $count . ' ' . posix_getpid() . ' ' . posix_getppid() . ' ' . $child;
}
""",
}


def is_running(process):
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


class PreforkCase(WorkerCase):
    """The same duties of a process that was forked for each invocation, and what is different then."""

    def setUp(self):
        if self.language.name == "php" and "pcntl" not in subprocess.run(
                [self.language.interpreter(), "-m"], capture_output=True, text=True).stdout:
            self.skipTest("this PHP cannot fork")

    def counting(self, **variables):
        return Bootstrap(self.language, source=COUNTING[self.language.name], variables={"OGNI_DEBUG": "1", **variables})

    def test_keeps_state(self):
        """Not at all, although the handler is loaded once."""
        with self.counting() as own:
            answers = [own.text("x").split() for _ in range(6)]
            self.assertEqual({count for count, *_ in answers}, {"1"})
            self.assertEqual(len({process for _, process, *_ in answers}), 6)
            self.assertEqual({parent for _, _, parent, _ in answers}, {str(own.process.pid)})
            self.assertEqual((own.directory / "loads").read_text(), "loaded\n")
            self.assertIn("the worker forks for each invocation", own.log())

    def test_a_process_that_is_killed_is_reported_and_not_missed(self):
        with self.counting() as own:
            answer = own.invoke("kill")
            self.assertEqual(answer.kind, "error", answer)
            self.assertIn("signal: killed", json.loads(answer.body)["errorMessage"])
            self.assertEqual(own.text("x").split()[0], "1")
            self.assertEqual((own.directory / "loads").read_text(), "loaded\n")

    def test_what_an_invocation_leaves_behind_can_be_killed(self):
        with self.counting(OGNI_CHILDREN="kill") as own:
            _, process, _, child = own.text("stay").split()
            ends = time.monotonic() + 30
            while (is_running(process) or is_running(child)) and time.monotonic() < ends:
                self.assertEqual(own.text("x").split()[0], "1")
            self.assertFalse(is_running(process) or is_running(child))
            self.assertEqual((own.directory / "loads").read_text(), "loaded\n")

    def test_an_origin_that_is_killed_is_replaced(self):
        with self.counting() as own:
            own.text("x")
            children = Path(f"/proc/{own.process.pid}/task/{own.process.pid}/children")
            if not children.exists():
                self.skipTest("this kernel does not list children")
            self.assertIsNone(own.api.await_poll())
            processes = children.read_text().split()
            for process in processes:
                os.kill(int(process), signal.SIGKILL)
            ends = time.monotonic() + 30
            while any(is_running(process) for process in processes) and time.monotonic() < ends:
                time.sleep(0.01)
            self.assertEqual(own.text("x").split()[0], "1")
            self.assertEqual((own.directory / "loads").read_text(), "loaded\n" * 2)


def prefork_cases():
    """For every language that forks."""
    wanted = os.environ.get("OGNI_LANGUAGES", "")
    result = {}
    for each in LANGUAGES:
        if each.name in FORKING and (not wanted or each.name in wanted.split(",")):
            language = copy.copy(each)
            language.variables = {"OGNI_PREFORK": "2"}
            name = each.name.capitalize() + "Prefork"
            result[name] = type(name, (PreforkCase, unittest.TestCase), {"language": language, "__module__": __name__})
    return result


def cases(slow):
    """A class of test cases per language."""
    wanted = os.environ.get("OGNI_LANGUAGES", "")
    return {
        each.name.capitalize() + "Worker": type(each.name.capitalize() + "Worker", (WorkerCase, unittest.TestCase),
                                                {"language": each, "__module__": __name__})
        for each in LANGUAGES
        if (each.name in wanted.split(",") if wanted else each.slow == slow)
    }


globals().update(cases(slow=False))
globals().update(prefork_cases())


if __name__ == "__main__":
    unittest.main()
