"""What a handler prints is in its log when its answer comes, whatever its size and however the handler ends.

Each handler does what its event says:

    long     prints 200,000 times "x" and "|", and the same of "y" on stderr, where the language has that
    lines    prints 5,000 lines of 100 characters
    child    waits for a program that prints 200,000 times "c" and "|"
    exit     prints "part" without a line feed after 200,000 times "e", and ends its process as abruptly as the language can
    wait     prints "part" without a line feed, flushed where the language does not do so by itself, and never answers
"""

import contextlib
import fcntl
import os
import re
import select
import signal
import threading
import time
import unittest

import workers_test

SIZE = 200_000
LINES = 5_000
CHILD = r"head -c 200000 /dev/zero | tr '\\0' c; echo '|'"

HANDLERS = {
    "bash": r"""
handler() {
  local text
  case $1 in
    '"long"') printf -v text '%200000s' ''; printf '%s|\n' "${text// /y}" >&2 ;;
    '"lines"') for ((i = 0; i < 5000; ++i)); do printf '%04d%095d\n' "$i" 0 >&2; done ;;
    '"child"') { CHILD; } >&2 ;;
    '"exit"') printf -v text '%200000s' ''; printf '%s|\npart' "${text// /e}" >&2; kill -9 $$ ;;
    '"wait"') printf part >&2; while :; do sleep 1; done ;;
  esac
}""",
    "python": r'''
import os, sys, time
def handler(event, context):
    if event == "long":
        print("x" * 200000 + "|")
        sys.stderr.write("y" * 200000 + "|\n")
    if event == "lines":
        for i in range(5000): print(f"{i:04}" + "0" * 95)
    if event == "child": os.system(r"""CHILD""")
    if event == "exit":
        print("e" * 200000 + "|")
        sys.stdout.write("part")
        os._exit(1)
    if event == "wait":
        sys.stdout.write("part")
        time.sleep(1000)
''',
    "node": r"""
const { spawnSync } = require('child_process');
exports.handler = async (event) => {
  if (event === 'long') {
    console.log('x'.repeat(200000) + '|');
    console.error('y'.repeat(200000) + '|');
  }
  if (event === 'lines') for (let i = 0; i < 5000; ++i) console.log(String(i).padStart(4, '0') + '0'.repeat(95));
  if (event === 'child') spawnSync('sh', ['-c', String.raw`CHILD`], { stdio: 'inherit' });
  if (event === 'exit') {
    console.log('e'.repeat(200000) + '|');
    process.stdout.write('part');
    process.exit(1);
  }
  if (event === 'wait') {
    process.stdout.write('part');
    for (;;);
  }
};""",
    "ruby": r"""
def handler(event:, context:)
  case event
  when "long"
    puts "x" * 200_000 + "|"
    warn "y" * 200_000 + "|"
  when "lines" then 5000.times { |i| puts format("%04d", i) + "0" * 95 }
  when "child" then system(%q{CHILD})
  when "exit"
    puts "e" * 200_000 + "|"
    print "part"
    exit!(1)
  when "wait"
    print "part"
    sleep
  end
end""",
    "perl": r"""
use POSIX ();
sub handler {
  my ($event) = @_;
  if ($event eq 'long') { print 'x' x 200_000, "|\n"; print STDERR 'y' x 200_000, "|\n" }
  if ($event eq 'lines') { printf "%04d%s\n", $_, '0' x 95 for 0 .. 4999 }
  if ($event eq 'child') { system q{CHILD} }
  if ($event eq 'exit') { print 'e' x 200_000, "|\n"; print 'part'; POSIX::_exit(1) }
  if ($event eq 'wait') { print 'part'; sleep 1000 }
}
1;""",
    "php": r"""<?php
function handler($event) {
  if ($event === 'long') { echo str_repeat('x', 200000), "|\n"; fwrite(STDERR, str_repeat('y', 200000) . "|\n"); }
  if ($event === 'lines') for ($i = 0; $i < 5000; ++$i) printf("%04d%s\n", $i, str_repeat('0', 95));
  if ($event === 'child') passthru(<<<'X'
CHILD
X);
  if ($event === 'exit') { echo str_repeat('e', 200000), "|\n"; echo 'part'; exit(1); }
  if ($event === 'wait') { echo 'part'; sleep(1000); }
}""",
    "lua": r"""
function handler(event)
  if event == '"long"' then
    print(("x"):rep(200000) .. "|")
    io.stderr:write(("y"):rep(200000), "|\n")
  elseif event == '"lines"' then
    for i = 0, 4999 do print(("%04d"):format(i) .. ("0"):rep(95)) end
  elseif event == '"child"' then
    os.execute([[CHILD]])
  elseif event == '"exit"' then
    print(("e"):rep(200000) .. "|")
    io.write("part")
    os.execute("kill -9 $PPID")
  elseif event == '"wait"' then
    io.write("part")
    os.execute("sleep 1000")
  end
end""",
    "tcl": r"""
proc handler {event context} {
  switch -- $event {
    {"long"} { puts [string repeat x 200000]|; puts stderr [string repeat y 200000]| }
    {"lines"} { for {set i 0} {$i < 5000} {incr i} { puts [format %04d $i][string repeat 0 95] } }
    {"child"} { exec sh -c {CHILD} >@stdout }
    {"exit"} { puts [string repeat e 200000]|; puts -nonewline part; exec kill -9 [pid] }
    {"wait"} { puts -nonewline part; after 1000000 }
  }
}""",
    "guile": r"""
(define (handler event context)
  (cond
   ((string=? event "\"long\"")
    (display (make-string 200000 #\x)) (display "|\n")
    (display (make-string 200000 #\y) (current-error-port)) (display "|\n" (current-error-port)))
   ((string=? event "\"lines\"")
    (do ((i 0 (1+ i))) ((= i 5000))
      (display (string-pad (number->string i) 4 #\0)) (display (make-string 95 #\0)) (newline)))
   ((string=? event "\"child\"") (system "CHILD"))
   ((string=? event "\"exit\"")
    (display (make-string 200000 #\e)) (display "|\npart") (primitive-_exit 1))
   ((string=? event "\"wait\"") (display "part") (sleep 1000)))
  "")""",
    "sbcl": r"""
(defun handler (event context)
  (declare (ignore context))
  (flet ((asked (name) (equal event (format nil "\"~a\"" name))))
    (cond
      ((asked "long")
       (format t "~a|~%" (make-string 200000 :initial-element #\x))
       (format *error-output* "~a|~%" (make-string 200000 :initial-element #\y)))
      ((asked "lines") (dotimes (i 5000) (format t "~4,'0d~a~%" i (make-string 95 :initial-element #\0))))
      ((asked "child")
       (format t "~a" (with-output-to-string (out)
                        (sb-ext:run-program "/bin/sh" (list "-c" "CHILD") :output out))))
      ((asked "exit")
       (format t "~a|~%part" (make-string 200000 :initial-element #\e))
       (sb-ext:exit :code 1))
      ((asked "wait") (format t "part") (finish-output) (sleep 1000))))
  "")""",
    "prolog": r"""
repeated(Char, Text) :- length(List, 200000), maplist(=(Char), List), string_chars(Text, List).
handler("\"long\"", _, "") :-
    repeated(x, X), format("~s|~n", [X]), repeated(y, Y), format(user_error, "~s|~n", [Y]).
handler("\"lines\"", _, "") :- forall(between(0, 4999, I), format("~|~`0t~d~4+~`0t~95+~n", [I])).
handler("\"child\"", _, "") :- shell("CHILD").
handler("\"exit\"", _, "") :- repeated(e, E), format("~s|~npart", [E]), halt(1).
handler("\"wait\"", _, "") :- write(part), flush_output, sleep(1000).
handler(_, _, "").""",
    "gawk": r"""
function repeated(c,    text) { text = sprintf("%200000s", ""); gsub(/ /, c, text); return text }
function handler(event,    i) {
  if (event == "\"long\"") { print repeated("x") "|"; print repeated("y") "|" > "/dev/stderr" }
  if (event == "\"lines\"") for (i = 0; i < 5000; ++i) printf "%04d%095d\n", i, 0
  if (event == "\"child\"") system("CHILD")
  if (event == "\"exit\"") { print repeated("e") "|"; printf "part"; exit 1 }
  if (event == "\"wait\"") { printf "part"; fflush(); system("sleep 1000") }
  return ""
}""",
    "gforth": r"""
: is ( addr u addr u -- flag ) compare 0= ;
: four ( n -- ) s>d <# # # # # #> type ;
: repeated ( c -- ) 200000 0 do dup emit loop drop ." |" cr ;
: handler ( event u -- response u )
  2dup s\" \"long\"" is if [char] x repeated stderr to outfile-id [char] y repeated stdout to outfile-id then
  2dup s\" \"lines\"" is if 5000 0 do i four 95 0 do [char] 0 emit loop cr loop then
  2dup s\" \"child\"" is if s" CHILD" system then
  2dup s\" \"exit\"" is if [char] e repeated ." part" 1 (bye) then
  2dup s\" \"wait\"" is if ." part" stdout flush-file drop 1000000 ms then
  2drop s" " ;""",
    "r": r"""
handler <- function(event, context) {
  many <- function(c) strrep(c, 200000)
  if (event == '"long"') { cat(many("x"), "|\n", sep = ""); cat(many("y"), "|\n", sep = "", file = stderr()) }
  if (event == '"lines"') for (i in 0:4999) cat(sprintf("%04d%s\n", i, strrep("0", 95)))
  if (event == '"child"') system(r"(CHILD)")
  if (event == '"exit"') { cat(many("e"), "|\n", sep = ""); cat("part"); quit("no", 1, FALSE) }
  if (event == '"wait"') { cat("part"); Sys.sleep(1000) }
  ""
}""",
    "racket": r"""#lang racket/base
(require racket/system racket/string)
(provide handler)
(define (handler event context)
  (define (many c) (make-string 200000 c))
  (cond
    [(equal? event "\"long\"")
     (printf "~a|\n" (many #\x)) (eprintf "~a|\n" (many #\y))]
    [(equal? event "\"lines\"")
     (for ([i 5000]) (printf "~a~a\n" (substring (number->string (+ 10000 i)) 1) (make-string 95 #\0)))]
    [(equal? event "\"child\"") (system "CHILD")]
    [(equal? event "\"exit\"") (printf "~a|\npart" (many #\e)) (exit 1)]
    [(equal? event "\"wait\"") (display "part") (flush-output) (sleep 1000)])
  "")""",
    "raku": r"""
sub handler($event, $context) {
    given $event {
        when '"long"' { say 'x' x 200000 ~ '|'; note 'y' x 200000 ~ '|' }
        when '"lines"' { for ^5000 { say $_.fmt('%04d') ~ '0' x 95 } }
        when '"child"' { shell q{CHILD} }
        when '"exit"' { say 'e' x 200000 ~ '|'; print 'part'; exit 1 }
        when '"wait"' { print 'part'; sleep 1000 }
    }
    ''
}""",
    "erlang": r"""
-module(app).
-export([handler/2]).
many(C) -> binary:copy(<<C>>, 200000).
handler(<<"\"long\"">>, _) ->
    io:format("~s|~n", [many($x)]), io:format(standard_error, "~s|~n", [many($y)]), <<>>;
handler(<<"\"lines\"">>, _) ->
    [io:format("~4..0b~s~n", [I, binary:copy(<<"0">>, 95)]) || I <- lists:seq(0, 4999)], <<>>;
handler(<<"\"child\"">>, _) -> io:put_chars(os:cmd("CHILD")), <<>>;
handler(<<"\"exit\"">>, _) -> io:format("~s|~npart", [many($e)]), halt(1);
handler(<<"\"wait\"">>, _) -> io:format("part"), timer:sleep(1000000);
handler(_, _) -> <<>>.""",
    "elixir": r"""
defmodule App do
  def many(c), do: String.duplicate(c, 200_000)
  def handler("\"long\"", _) do
    IO.puts(many("x") <> "|")
    IO.puts(:stderr, many("y") <> "|")
    ""
  end
  def handler("\"lines\"", _) do
    for i <- 0..4999, do: IO.puts(String.pad_leading(Integer.to_string(i), 4, "0") <> String.duplicate("0", 95))
    ""
  end
  def handler("\"child\"", _) do
    {text, 0} = System.cmd("sh", ["-c", ~S(CHILD)])
    IO.write(text)
    ""
  end
  def handler("\"exit\"", _) do
    IO.write(many("e") <> "|\npart")
    System.halt(1)
  end
  def handler("\"wait\"", _) do
    IO.write("part")
    Process.sleep(1_000_000)
  end
  def handler(_, _), do: ""
end""",
    "java": r"""
public class app {
  public static String handler(String event) throws Exception {
    if (event.equals("long")) { System.out.println("x".repeat(200000) + "|"); System.err.println("y".repeat(200000) + "|"); }
    if (event.equals("lines")) for (int i = 0; i < 5000; ++i) System.out.printf("%04d%095d%n", i, 0);
    if (event.equals("child")) new ProcessBuilder("sh", "-c", "CHILD").inheritIO().start().waitFor();
    if (event.equals("exit")) { System.out.println("e".repeat(200000) + "|"); System.out.print("part"); Runtime.getRuntime().halt(1); }
    if (event.equals("wait")) { System.out.print("part"); Thread.sleep(1000000); }
    return "";
  }
}""",
}


# In their texts a backslash is written twice.
ESCAPING = ("guile", "sbcl", "prolog", "gawk", "java", "racket", "erlang")


class PipedLog:
    """The reading end of a log, which is read all the time."""

    def __init__(self):
        self._end, self.writer = os.pipe()
        self._bytes = bytearray()
        self._lock = threading.Lock()
        fcntl.fcntl(self._end, fcntl.F_SETFL, os.O_NONBLOCK)
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def _read(self):
        while True:
            select.select([self._end], [], [])
            if not self.so_far(read_only=True):
                os.close(self._end)
                return

    def so_far(self, read_only=False):
        """What has been written until now; when only read, whether there may be more."""
        with self._lock:
            try:
                while data := os.read(self._end, 1 << 20):
                    self._bytes += data
                more = False
            except BlockingIOError:
                more = True
            return more if read_only else self._bytes.decode(errors="replace")

    def close(self):
        """When all that write have ended."""
        os.close(self.writer)
        self._thread.join(30)


class Case:
    language = None

    @classmethod
    def setUpClass(cls):
        if not cls.language.interpreter():
            raise unittest.SkipTest(f"no {cls.language.name} here")

    def start(self, **options):
        log = PipedLog()
        self.addCleanup(log.close)
        escaped = CHILD if self.language.name in ESCAPING else CHILD.replace("\\\\", "\\")
        source = HANDLERS[self.language.name].replace("CHILD", escaped)
        own = workers_test.Bootstrap(self.language, source=source, log=log.writer, **options)
        self.addCleanup(self.end, own)
        return own, log

    @staticmethod
    def end(own):
        """Ends also what the handler has started and waits for: it would keep the log open."""
        pid = own.process.pid
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as children:
            groups = [int(child) for child in children.read().split()]
        own.__exit__()
        for group in groups:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(group, signal.SIGKILL)

    def logged(self, event, kind):
        """What is new in the log when the answer is there."""
        before = len(self.log.so_far())
        answer = self.own.invoke(event)
        text = self.log.so_far()[before:]
        self.assertEqual(answer.kind, kind, f"{answer} {text[-2000:]}")
        return text

    def assert_long(self, text, chars):
        # Counted, since some languages write the last part of one stream behind the other.
        counts = [sum(map(len, re.findall(f"{c}{{100,}}", text))) for c in chars]
        self.assertEqual(counts, [SIZE] * len(chars), f"{len(text)}: …{text[-300:]}")
        # Without their line feeds: the streams of a language come by two pipes, which may be cut into each other.
        self.assertEqual(text.count("|"), len(chars))

    def test_all_that_is_printed_is_in_the_log_of_its_invocation(self):
        self.own, self.log = self.start()
        streams = "y" if self.language.name == "bash" else "xy"
        self.assert_long(self.logged("long", "response"), streams)
        lines = self.logged("lines", "response").splitlines()
        self.assertEqual(lines, [f"{i:04}{'0' * 95}" for i in range(LINES)])
        self.assert_long(self.logged("child", "response"), "c")
        self.assertIn("e" * 1000 + "|\npart", self.logged("exit", "error"))
        self.assert_long(self.logged("long", "response"), streams)
        self.own.api.await_poll()
        before = len(self.log.so_far())
        self.own.api.send_event(b'"wait"')
        ends = time.monotonic() + 30
        while "part" not in self.log.so_far()[before:]:
            self.assertLess(time.monotonic(), ends, "what was printed before a kill is not in the log")
            time.sleep(0.01)


class ExecWay(unittest.TestCase):
    def test_a_burst_of_node_fits(self):
        language = next(each for each in workers_test.LANGUAGES if each.name == "node")
        if not language.interpreter():
            self.skipTest("no node here")
        log = PipedLog()
        self.addCleanup(log.close)
        source = "console.error('e'.repeat(200000) + '|'); console.log('o'.repeat(200000)); process.exit(+process.argv[2]);"
        for status in ("0", "1"):
            own = workers_test.Bootstrap(language, source=source, log=log.writer,
                                         variables={"OGNI_EXEC_COMMAND": f"{language.interpreter()} app.js {status}"})
            self.addCleanup(own.__exit__)
            before = len(log.so_far())
            answer = own.invoke("x")
            self.assertEqual(answer.kind, "error" if status == "1" else "response")
            self.assertIn("e" * SIZE + "|\n", log.so_far()[before:])
            if status == "0":
                self.assertEqual(answer.body, b"o" * SIZE + b"\n")


def cases():
    wanted = os.environ.get("OGNI_LANGUAGES", "")
    return {
        each.name.capitalize(): type(each.name.capitalize(), (Case, unittest.TestCase),
                                     {"language": each, "__module__": __name__})
        for each in workers_test.LANGUAGES
        if each.name in HANDLERS and (not wanted or each.name in wanted.split(","))
    }


globals().update(cases())

if __name__ == "__main__":
    unittest.main()
