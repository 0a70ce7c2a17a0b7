"""Logs: the tail of an invocation, REPORT's numbers, files on disk, ogni logs."""

import json
import os
import re
import signal
import subprocess
import threading

import functions
from harness import DEADLINE_SECONDS, OGNI, PYTHON, ServiceTest, wait_until

REPORT = (r"(?m)^REPORT RequestId: {rid}\tDuration: (\d+\.\d\d) ms\tBilled Duration: (\d+) ms\tMemory Size: (\d+) MB\t"
          r"Max Memory Used: (\d+) MB\t(?:Init Duration: (\d+\.\d\d) ms\t)?(.*)$")


class LogTest(ServiceTest):
    def report(self, answer):
        """(duration_ms, billed_ms, size_mb, used_mb, init_ms or None, rest) of the answer's log tail."""
        found = re.search(REPORT.replace("{rid}", answer.request_id), answer.log)
        self.assertIsNotNone(found, answer.log)
        duration, billed, size, used, init, rest = found.groups()
        return float(duration), int(billed), int(size), int(used), float(init) if init else None, rest


class Tail(LogTest):
    def test_tail_reads_as_on_aws(self):
        self.service.deploy("lines", functions.bash_handler("echo out >&2; echo done"), MemorySize=256)
        first, second = (self.service.invoke("lines", tail=True) for _ in range(2))
        lines = first.log.splitlines()
        rid = first.request_id
        self.assertEqual([line for line in lines if not line.startswith(("INIT_START", "REPORT"))],
                         [f"START RequestId: {rid} Version: $LATEST", "out", f"END RequestId: {rid}"])
        duration, billed, size, used, init, rest = self.report(first)
        self.assertEqual((size, rest), (256, ""))
        self.assertGreater(init, 0)
        self.assertGreater(used, 0)
        self.assertGreaterEqual(billed, int(duration))
        self.assertIsNone(self.report(second)[4])
        self.assertNotIn(rid, second.log)
        self.assertNotIn("INIT_START", second.log)

    def test_without_the_wish_there_is_no_tail(self):
        self.service.deploy("silent", functions.bash_handler("echo secret >&2; echo 1"))
        self.assertIsNone(self.service.invoke("silent").log)

    def test_stdout_and_stderr_come_in_the_order_of_arrival(self):
        self.service.deploy("order", functions.bash_runtime(
            'next\nfor i in 1 2 3 4 5; do echo "out $i"; echo "err $i" >&2; done\nprintf "no end of line"\n'
            "respond 1\nnext\n"))
        lines = self.service.invoke("order", tail=True).log.splitlines()
        mine = [line for line in lines if line.startswith(("out", "err", "no end"))]
        self.assertEqual(mine, [f"{kind} {i}" for i in range(1, 6) for kind in ("out", "err")] + ["no end of line"])

    def test_what_is_written_last_is_in_the_tail_before_end(self):
        self.service.deploy("last", functions.bash_runtime(
            'while next; do respond 1; for i in {1..50}; do echo "after $i"; done; done\n'))
        for _ in range(5):
            lines = self.service.invoke("last", tail=True).log.splitlines()
            end = next(i for i, line in enumerate(lines) if line.startswith("END "))
            self.assertEqual(lines[end - 1], "after 50")

    def test_tail_is_the_last_four_kilobytes(self):
        self.service.deploy("flood", functions.python_handler(
            "def handler(event, context):\n"
            "  for i in range(event): print(f'line {i} ' + 'x' * 990)\n"
            "  return 1\n"), runtime=PYTHON, handler="app.handler", Timeout=60, MemorySize=512)
        answer = self.service.invoke("flood", b"20000", tail=True)  # 20 MB
        self.assertEqual(answer.json, 1)
        self.assertLessEqual(len(answer.log.encode()), 4096)
        self.assertIn("line 19999 ", answer.log)
        self.report(answer)
        # The files on disk are bounded, too.
        size = sum(f.stat().st_size for f in (self.service.data / "logs").rglob("*flood*") if f.is_file())
        self.assertLess(size, 64 * 1024 * 1024)

    def test_bytes_that_are_not_text_do_no_harm(self):
        self.service.deploy("binary", functions.bash_runtime(
            "while next; do head -c 200000 /dev/urandom; echo; printf '\\033[2J\\r\\0'; echo end-of-noise; respond 1; done\n"))
        answer = self.service.invoke("binary", tail=True)
        self.assertEqual(answer.json, 1)
        self.assertIn("end-of-noise", answer.log)
        shown = self.service.ogni("logs", "binary").stdout
        self.assertNotIn("\x1b", shown)

    def test_failed_invocation_says_why_in_its_log(self):
        self.service.deploy("dies", functions.bash_runtime("next\nexit 7\n"))
        answer = self.service.invoke("dies", tail=True)
        rid = re.escape(answer.request_id)
        self.assertRegex(answer.log, rf"(?m)^RequestId: {rid} Error: Runtime exited with error: exit status 7$")
        self.assertRegex(answer.log, r"(?m)^Runtime\.ExitError$")
        rest = self.report(answer)[5]
        self.assertIn("Status: error", rest)
        self.assertIn("Error Type: Runtime.ExitError", rest)

    def test_failed_initialisation_is_reported_as_such(self):
        self.service.deploy("init-dies", functions.bash_runtime("exit 7\n"))
        answer = self.service.invoke("init-dies", tail=True)
        log = self.service.ogni("logs", "init-dies").stdout
        self.assertRegex(log, r"INIT_REPORT Init Duration: \d+\.\d\d ms\tPhase: init\tStatus: error\t"
                              r"Error Type: Runtime\.ExitError")
        self.assertIsNone(self.report(answer)[4])

    def test_nothing_of_a_payload_or_variable_is_in_the_services_own_log(self):
        self.service.deploy("private", functions.bash_runtime("next\nexit 1\n"),
                            Environment={"Variables": {"TOKEN": "hunter2-variable"}})
        self.service.invoke("private", b'"hunter2-payload"')
        self.service.http("POST", "/2015-03-31/functions/private/invocations", b"hunter2-{bad",
                          {"Authorization": "hunter2-header"})
        self.assertNotIn("hunter2", self.service.messages())


class Memory(LogTest):
    def used(self, name, body, **settings):
        self.service.deploy(name, functions.python_handler(body), runtime=PYTHON, handler="app.handler",
                            **{"Timeout": 60, "MemorySize": 512, **settings})
        answer = self.service.invoke(name, tail=True)
        self.assertIsNone(answer.error, answer.body)
        return self.report(answer)[3]

    def test_touched_memory_counts_and_the_page_cache_does_not(self):
        small = self.used("small", "def handler(event, context):\n  return 1\n")
        touched = self.used("touch", "def handler(event, context):\n"
                                     "  global data\n"
                                     "  data = bytearray(b'x') * (50 << 20)\n  return len(data)\n")
        self.assertLess(small, 30)
        self.assertTrue(50 <= touched <= 70, touched)
        read = self.used("read", "def handler(event, context):\n"
                                 "  with open('/tmp/file', 'wb') as f:\n"
                                 "    for _ in range(200): f.write(b'x' * (1 << 20))\n"
                                 "  with open('/tmp/file', 'rb') as f:\n"
                                 "    while f.read(1 << 16): pass\n"
                                 "  return 1\n") if self.tmp_is_on_disk() else None
        if read is not None:
            self.assertLess(read, 60)

    def tmp_is_on_disk(self):
        """Whether /tmp of a function is a file system on disk: a tmpfs counts as the function's own memory."""
        self.service.deploy("tmp", functions.bash_handler('printf \'"%s"\' "$(stat -f -c %T /tmp)"'))
        return self.service.invoke("tmp").json != "tmpfs"

    def test_reading_a_large_file_of_the_package_does_not_count(self):
        self.service.deploy("large-file", functions.zip_of({
            "data": bytes(200 << 20),
            "app.py": "def handler(event, context):\n"
                      "  with open('data', 'rb') as f:\n"
                      "    n = 0\n"
                      "    while chunk := f.read(1 << 16): n += len(chunk)\n"
                      "  return n\n"}), runtime=PYTHON, handler="app.handler", Timeout=60, MemorySize=512)
        answer = self.service.invoke("large-file", tail=True)
        self.assertEqual(answer.json, 200 << 20)
        self.assertLess(self.report(answer)[3], 60)

    def test_memory_is_a_peak_over_all_invocations_of_the_environment(self):
        self.service.deploy("peak", functions.python_handler(
            "def handler(event, context):\n"
            "  global data\n"
            "  data = None\n"
            "  data = bytearray(b'x') * (event << 20)\n"
            "  return len(data)\n"),
            runtime=PYTHON, handler="app.handler", MemorySize=512, Timeout=20)
        used = [self.report(self.service.invoke("peak", str(mb).encode(), tail=True))[3] for mb in (1, 80, 1)]
        self.assertLess(used[0], 50)
        self.assertTrue(80 <= used[1] <= 110, used)
        self.assertGreaterEqual(used[2], used[1])


class Files(LogTest):
    def test_logs_outlive_the_environment_and_are_shown_by_the_command(self):
        self.service.deploy("shown", functions.bash_handler("echo \"event $EVENT\" >&2; echo 1"))
        for number in range(3):
            self.service.invoke("shown", str(number).encode(), tail=True)
        text = self.service.ogni("logs", "shown").stdout
        events = re.findall(r"event \d", text)
        self.assertEqual(events, ["event 0", "event 1", "event 2"])
        self.assertEqual(len(re.findall("START RequestId", text)), 3)
        last = self.service.ogni("logs", "shown", "-n", "1").stdout.splitlines()
        self.assertEqual(len(last), 1)
        self.assertIn("REPORT RequestId", last[0])
        lines = [json.loads(line) for line in
                 self.service.ogni("logs", "shown", "--output", "json").stdout.splitlines()]
        self.assertRegex(lines[0]["time"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")
        self.assertRegex(lines[0]["stream"], r"^\d{4}/\d\d/\d\d/\[\$LATEST\][0-9a-f]{32}$")

    def test_followed_logs_come_as_they_are_written(self):
        self.service.deploy("follow", functions.bash_handler("echo \"event $EVENT\" >&2; echo 1"))
        follower = subprocess.Popen([str(OGNI), "logs", "follow", "-f", "--endpoint-url", self.service.url],
                                    stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                    # a shell's background job, which these tests may be, ignores it
                                    preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
        watchdog = threading.Timer(DEADLINE_SECONDS, follower.kill)
        watchdog.start()
        try:
            for number in range(3):
                self.service.invoke("follow", str(number).encode())
                while f"event {number}" not in (line := follower.stdout.readline()):
                    self.assertNotEqual(line, "", follower.stderr.read() if follower.poll() is not None else "")
            follower.send_signal(signal.SIGINT)
            self.assertIn(follower.wait(10), (0, -signal.SIGINT, 128 + signal.SIGINT))
        finally:
            watchdog.cancel()
            follower.kill()
            follower.wait()
            follower.stdout.close()
            follower.stderr.close()

    def test_logs_of_a_function_that_is_not_there_are_refused(self):
        done = self.service.ogni("logs", "nobody", check=False)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("nobody", done.stderr)

    def test_log_files_lie_in_the_data_directory_and_are_closed_to_others(self):
        self.service.deploy("files", functions.bash_handler("echo find-me >&2; echo 1"))
        self.service.invoke("files", tail=True)

        def written():
            return [f for f in (self.service.data / "logs").rglob("*") if f.is_file() and b"find-me" in f.read_bytes()]
        files = wait_until(written, "the log is on disk")
        for file in files:
            self.assertEqual(os.stat(file).st_mode & 0o007, 0, file)
