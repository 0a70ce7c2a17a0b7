"""Functions that fail: the caller gets exactly the body that AWS sends, and the service goes on."""

import re

import functions
from harness import PYTHON, ServiceTest


class Failures(ServiceTest):
    def deploy(self, name, zip_bytes, **settings):
        self.service.deploy(name, zip_bytes, **settings)
        return lambda payload=b"{}": self.service.invoke(name, payload, tail=True)

    def test_reported_error_comes_back_as_posted_and_the_environment_lives(self):
        body = '{"errorMessage":"no \\u00fc","errorType":"My.Error","stackTrace":[],"more":[1, 2]}'
        call = self.deploy("reported", functions.bash_runtime(
            'while next; do\n'
            f"  echo pid $$\n  curl -sS -o /dev/null --data-binary '{body}' -H 'Lambda-Runtime-Function-Error-Type: "
            'My.Error\' "$API/invocation/$ID/error"\ndone\n'))
        first, second = call(), call()
        for answer in (first, second):
            self.assertEqual((answer.status, answer.error, answer.body.decode()), (200, "Unhandled", body))
        pids = [re.search(r"^pid (\d+)$", answer.log, re.M).group(1) for answer in (first, second)]
        self.assertEqual(pids[0], pids[1])
        self.assertNotIn("Init Duration", second.log)

    def test_python_exception_is_reported_with_its_type_and_place(self):
        self.service.deploy("raise", functions.python_handler(
            "def handler(event, context):\n  raise KeyError('nothing here')\n"), runtime=PYTHON, handler="app.handler")
        answer = self.service.invoke("raise")
        self.assertEqual(answer.error, "Unhandled")
        self.assertEqual((answer.json["errorType"], answer.json["errorMessage"]), ("KeyError", "'nothing here'"))
        self.assertIn("app.py", "".join(answer.json["stackTrace"]))

    def test_python_module_that_is_not_there_is_an_import_error(self):
        self.service.deploy("import", functions.hello_python(), runtime=PYTHON, handler="absent.handler")
        answer = self.service.invoke("import")
        self.assertEqual((answer.error, answer.json["errorType"]), ("Unhandled", "Runtime.ImportModuleError"))

    def test_error_in_the_initialisation_comes_back_as_posted(self):
        call = self.deploy("init-error", functions.bash_runtime(
            "curl -sS -o /dev/null --data-binary '{\"errorType\":\"Init.Bad\",\"errorMessage\":\"cannot\"}' "
            '"$API/init/error"\nexit 1\n'))
        for _ in range(2):
            answer = call()
            self.assertEqual((answer.status, answer.error), (200, "Unhandled"))
            self.assertEqual(answer.body.decode(), '{"errorType":"Init.Bad","errorMessage":"cannot"}')

    def test_exit_is_named_with_its_status(self):
        for when, start in (("invoke", "next\n"), ("init", "")):
            for code, words in ((3, "exit status 3"), (255, "exit status 255")):
                with self.subTest(when=when, code=code):
                    call = self.deploy(f"exit-{when}-{code}", functions.bash_runtime(f"{start}exit {code}\n"))
                    self.fails(call(), "Runtime.ExitError",
                               f"RequestId: {{rid}} Error: Runtime exited with error: {words}")

    def test_exit_with_status_0_is_an_error_too(self):
        for when, start in (("invoke", "next\n"), ("init", "")):
            with self.subTest(when=when):
                call = self.deploy(f"exit-{when}-0", functions.bash_runtime(f"{start}exit 0\n"))
                self.fails(call(), "Runtime.ExitError",
                           "RequestId: {rid} Error: Runtime exited without providing a reason")

    def test_death_by_a_signal_is_named_as_go_does(self):
        for signal, words in (("KILL", "killed"), ("SEGV", "segmentation fault"), ("ABRT", "aborted"),
                              ("TERM", "terminated")):
            with self.subTest(signal=signal):
                call = self.deploy(f"signal-{signal.lower()}",
                                   functions.bash_runtime(f"next\nulimit -c 0\nkill -{signal} $$\nsleep 60\n"))
                answer = call()
                self.assertEqual((answer.status, answer.error), (200, "Unhandled"), answer.body)
                self.assertRegex(answer.body.decode(),
                                 r'^\{"errorType":"Runtime\.ExitError","errorMessage":"RequestId: '
                                 + answer.request_id + r" Error: Runtime exited with error: signal: "
                                 + words + r'( \(core dumped\))?"\}$')

    def test_after_a_crash_the_next_call_starts_afresh(self):
        call = self.deploy("crash-once", functions.bash_runtime(
            'while next; do\n  [[ $EVENT == *crash* ]] && exit 9\n  respond "$(cat /tmp/count 2>/dev/null || echo 0)"\n'
            "  echo 1 > /tmp/count\ndone\n"))
        self.assertEqual(call().json, 0)
        self.assertEqual(call(b'"crash"').error, "Unhandled")
        after = call()
        self.assertEqual(after.json, 1)  # /tmp has outlived the reset
        self.assertNotIn("Init Duration", after.log)  # the reset's second start counts as part of the invocation

    def test_timeout_kills_and_says_so(self):
        call = self.deploy("slow", functions.bash_handler("[[ $EVENT == *slow* ]] && sleep 60; echo 1"), Timeout=1)
        answer = call(b'"slow"')
        self.fails(answer, "Sandbox.Timedout", "RequestId: {rid} Error: Task timed out after 1.00 seconds")
        self.assertRegex(answer.log, r"(?m)^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z " + answer.request_id
                         + r" Task timed out after 1\.00 seconds$")
        self.assertEqual(call().json, 1)

    def test_initialisation_that_never_ends_times_out(self):
        call = self.deploy("never", functions.bash_runtime("sleep 600\n"), Timeout=1)
        answer = call()
        self.fails(answer, "Sandbox.Timedout", "RequestId: {rid} Error: Task timed out after 1.00 seconds")

    def test_missing_bootstrap_is_named(self):
        call = self.deploy("missing", functions.zip_of({"readme": "x"}))
        self.fails(call(), "Runtime.InvalidEntrypoint",
                   "RequestId: {rid} Error: Couldn't find valid bootstrap(s): [/var/task/bootstrap /opt/bootstrap]")

    def test_bootstrap_that_cannot_be_executed_is_named_with_the_kernels_reason(self):
        for name, entry, words in (
                ("mode", ("#!/bin/sh\n", 0o644), "permission denied"),
                ("owner-only", ("#!/bin/sh\n", 0o700), "permission denied"),
                ("format", ("not a program\n", 0o755), "exec format error"),
                ("interpreter", ("#!/no/such/shell\n", 0o755), "no such file or directory")):
            with self.subTest(name):
                call = self.deploy("exec-" + name, functions.zip_of({"bootstrap": entry}))
                self.fails(call(), "Runtime.InvalidEntrypoint",
                           "RequestId: {rid} Error: fork/exec /var/task/bootstrap: " + words)

    def test_response_that_is_too_large_is_an_error_and_the_environment_lives(self):
        call = self.deploy("large", functions.bash_runtime(
            'while next; do\n  if [[ $EVENT == *large* ]]; then\n'
            '    head -c 7000000 /dev/zero | curl -sS -o /tmp/answer -w "%{http_code}" --data-binary @- '
            '"$API/invocation/$ID/response"\n    echo; cat /tmp/answer\n  else respond $$; fi\ndone\n'), Timeout=20)
        pid = call().json
        answer = call(b'"large"')
        self.assertEqual(answer.error, "Unhandled")
        self.assertEqual(answer.body.decode(),
                         '{"errorMessage":"Response payload size exceeded maximum allowed payload size '
                         '(6291556 bytes).","errorType":"Function.ResponseSizeTooLarge"}')
        self.assertRegex(answer.log, r"(?m)^413")
        self.assertEqual(call().json, pid)

    def test_runtime_that_breaks_the_protocol_gets_the_errors_of_aws(self):
        call = self.deploy("protocol", functions.bash_runtime(
            'try() { curl -sS -w " %{http_code}\\n" "$@" | tr -d "\\n"; echo; }\n'
            "while next; do\n"
            '  try -d 1 "$API/invocation/00000000-0000-4000-8000-000000000000/response"\n'
            '  try -d 1 "$API/init/error"\n'
            '  try -d 1 "$API/invocation/$ID/response"\n'
            '  try -d 2 "$API/invocation/$ID/response"\n'
            '  try "$API/nowhere"\n  try -X DELETE "$API/invocation/next"\ndone\n'))
        answer = call()
        self.assertEqual((answer.error, answer.body), (None, b"1"))
        lines = [line for line in answer.log.splitlines() if re.search(r" \d{3}$", line)]
        self.assertEqual(lines[0], '{"errorMessage":"Invalid request ID","errorType":"InvalidRequestID"} 400')
        self.assertRegex(lines[1], r'^\{"errorMessage":"State transition from Running to \w+ failed for runtime\. Error: '
                                   r'State transition is not allowed","errorType":"InvalidStateTransition"\} 403$')
        self.assertEqual(lines[2], '{"status":"OK"} 202')
        self.assertEqual(lines[3], '{"errorMessage":"State transition from RuntimeResponseSentState to '
                                   'InvocationResponse failed for runtime. Error: State transition is not allowed",'
                                   '"errorType":"InvalidStateTransition"} 403')
        self.assertTrue(lines[4].endswith(" 404") and lines[5].endswith(" 405"), lines)

    def test_exit_after_the_response_does_not_spoil_it(self):
        call = self.deploy("leave", functions.bash_runtime('next\nrespond "$$"\nexit 1\n'))
        first = self.service.invoke("leave")
        second = self.service.invoke("leave")
        self.assertEqual((first.error, second.error), (None, None))
        self.assertIsNone(call().error)


class ProcessStrength(ServiceTest):
    """The messages name the paths of AWS there, too."""

    flags = ("--isolation", "process")

    def test_failures_read_the_same(self):
        self.service.deploy("missing", functions.zip_of({"readme": "x"}))
        self.fails(self.service.invoke("missing"), "Runtime.InvalidEntrypoint",
                   "RequestId: {rid} Error: Couldn't find valid bootstrap(s): [/var/task/bootstrap /opt/bootstrap]")
        self.service.deploy("mode", functions.zip_of({"bootstrap": ("#!/bin/sh\n", 0o644)}))
        self.fails(self.service.invoke("mode"), "Runtime.InvalidEntrypoint",
                   "RequestId: {rid} Error: fork/exec /var/task/bootstrap: permission denied")
        self.service.deploy("exit", functions.bash_runtime("next\nexit 4\n"))
        self.fails(self.service.invoke("exit"), "Runtime.ExitError",
                   "RequestId: {rid} Error: Runtime exited with error: exit status 4")
        self.service.deploy("slow", functions.bash_handler("sleep 60"), Timeout=1)
        self.fails(self.service.invoke("slow"), "Sandbox.Timedout",
                   "RequestId: {rid} Error: Task timed out after 1.00 seconds")
