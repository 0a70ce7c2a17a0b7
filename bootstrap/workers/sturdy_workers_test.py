"""What handlers say or leave that would cost the worker, its log or the next invocation, were it taken as it comes."""

import json
import unittest

from workers_test import HandlerCase

# What becomes of a type that would be two lines of a head; "\r\n" are two spaces.
FORGED = "text/plain  request_id=z"
NOT_UTF_8 = {"Lambda-Runtime-Trace-Id": "Root=\udcff"}


class Case(HandlerCase):
    def types_are_one_line(self, source, *events):
        """That this handler's answers to the events, "ab" of a type of two lines, come whole."""
        own = self.start(source)
        for event in events:
            answer = own.invoke(event)
            self.assertEqual((answer.headers["content-type"], answer.body), (FORGED, b"ab"), own.log())
        return own


class Node(Case):
    language = "node"

    def test_an_error_after_the_answer_is_logged(self):
        own = self.start("""
            let count = 0;
            exports.handler = async (event) => {
              if (event === 'reject') setImmediate(() => Promise.reject(new Error('rejected late')));
              if (event === 'throw') setImmediate(() => { throw new Error('thrown late'); });
              return ++count;
            };""")
        for event, words in (("reject", "rejected late"), ("throw", "thrown late")):
            with self.subTest(event):
                own.text(event)
                self.assertIn(words, own.log_with(words))
        self.assertEqual(own.text("next"), "3")

    def test_the_exit_code_that_a_handler_sets_ends_nothing(self):
        own = self.start("let count = 0; exports.handler = async () => { process.exitCode = 1; return ++count; };")
        self.assertEqual([own.text("x") for _ in range(3)], ["1", "2", "3"])


class Bash(Case):
    language = "bash"

    def test_a_time_limit_for_input_is_not_the_workers(self):
        own = self.start("readonly TMOUT=0.000001\nhandler() { echo $((++count)); }")
        for count in range(1, 20):
            self.assertEqual(own.text("x"), f"{count}\n", own.log())

    def test_its_name_is_that_of_the_handlers_file(self):
        own = self.start('top=$0\nhandler() { echo "$top $0 $(cd "$(dirname "$0")" && pwd)"; }')
        folder = f"{own.directory}/task"
        self.assertEqual(own.text("x"), f"{folder}/app.sh {folder}/app.sh {folder}\n")

    def test_the_message_of_a_failure_has_the_end_of_stderr(self):
        own = self.start("""
            handler() {
              case $1 in
                '"few"') echo 'cannot find it' >&2; echo 'giving up' >&2; return 7 ;;
                '"many"') for ((i = 0; i < 3000; ++i)); do echo "line $i" >&2; done; return 1 ;;
                '"long"') printf '%9000s\\n' end >&2; return 1 ;;
                '"program"') ls /nothing/here; return ;;
                '"printed"') echo 'it says so'; echo 'noise' >&2; return 1 ;;
                '"silent"') return 3 ;;
              esac
              echo fine
            }""")
        failed = "handler failed with status"
        last = "\n".join(f"line {i}" for i in range(2990, 3000))
        for event, message in (("few", f"{failed} 7: cannot find it\ngiving up"), ("many", f"{failed} 1: {last}"),
                               ("long", f"{failed} 1: {' ' * 2045}end"),
                               ("program", f"{failed} 2: ls: cannot access '/nothing/here': No such file or directory"),
                               ("printed", "it says so"), ("silent", f"{failed} 3")):
            answer = own.invoke(event)
            self.assertEqual(json.loads(answer.body)["errorMessage"], message, own.log())
            self.assertEqual(json.loads(answer.body)["errorType"], "HandlerFailed")
        self.assertIn("line 0\nline 1\n", own.log())
        self.assertEqual(own.text("next"), "fine\n")

    def test_what_is_left_behind_logs_between_invocations(self):
        own = self.start("handler() { (until [[ -e $HOME/go ]]; do sleep 0.01; done; echo 'left behind' >&2) & }")
        own.invoke("x")
        self.assertNotIn("left behind", own.log())
        (own.directory / "go").touch()
        self.assertIn("left behind", own.log_with("left behind"))

    def test_a_type_is_one_line(self):
        self.types_are_one_line("""
            LAMBDA_STREAMING=yes
            handler() {
              LAMBDA_RESPONSE_CONTENT_TYPE=$'text/plain\\r\\nrequest_id=z'
              if [[ $1 == *stream* ]]; then lambda_write a; else printf a; fi
              printf b
            }""", "stream", "whole")


class Python(Case):
    language = "python"

    def test_streams_pieces_of_text_and_bytes_only(self):
        own = self.types_are_one_line("""
def handler(event, context):
    context.content_type = 'text/plain\\r\\nrequest_id=z'
    yield 'a'
    yield {'array': bytearray(b'b'), 'view': memoryview(b'b'), 'number': 7}[event]
""", "array", "view")
        broken = own.invoke("number")
        self.assertEqual((broken.body, broken.trailers["lambda-runtime-function-error-type"]), (b"a", "TypeError"))


class Php(Case):
    language = "php"

    def test_an_error_that_a_function_triggers_is_reported(self):
        own = self.start("<?php function handler($event) { trigger_error('it failed', E_USER_ERROR); }")
        report = json.loads(own.invoke("x").body)
        self.assertEqual((report["errorType"], report["errorMessage"]), ("FatalError", "it failed"))

    def test_a_type_is_one_line(self):
        self.types_are_one_line("""<?php
            function pieces() { yield 'a'; yield 'b'; }
            function handler($event, $context) {
              $context->contentType = "text/plain\\r\\nrequest_id=z";
              if ($event === 'stream') return pieces();
              if ($event === 'whole') return 'ab';
              $file = fopen('php://memory', 'w+');
              fwrite($file, 'ab');
              rewind($file);
              return $file;
            }""", "stream", "whole", "file")


class Ruby(Case):
    language = "ruby"

    def test_odd_errors_and_a_closed_log_are_only_errors(self):
        own = self.start("""
            class Odd < StandardError
              def message = nil
            end
            class Worse < StandardError
              def message = raise('worse')
            end
            def handler(event:, context:)
              $count = $count.to_i + 1
              raise Odd if event == 'odd'
              raise Worse if event == 'worse'
              if event == 'closed'
                $stdout.close
                raise 'it failed'
              end
              $count
            end""")
        for event, message in (("odd", ""), ("worse", "the exception has no message"), ("closed", "it failed")):
            self.assertEqual(json.loads(own.invoke(event).body)["errorMessage"], message, own.log())
        self.assertEqual(own.text("next"), "4")

    def test_a_type_is_one_line(self):
        self.types_are_one_line("""
            def handler(event:, context:)
              context.content_type = "text/plain\\r\\nrequest_id=z"
              %w[a b].each
            end""", "x")

    def test_a_context_that_is_not_utf_8_harms_nothing(self):
        own = self.start("def handler(event:, context:) = ENV['_X_AMZN_TRACE_ID']")
        self.assertEqual(own.text("x", NOT_UTF_8), "Root=\ufffd", own.log())


class Gawk(Case):
    language = "gawk"

    def test_the_begin_of_a_handler_runs(self):
        own = self.start("""
            BEGIN { print "begun"; begun = (getline line) "" ARGC }
            function handler(event) { return begun }""")
        self.assertEqual(own.text("x"), "01")
        self.assertIn("begun", own.log_with("begun"))

    def test_the_chosen_interpreter_is_used_throughout(self):
        language = self.language_here()
        own = self.start("function handler(event) { return event }",
                         variables={"OGNI_INTERPRETER": language.interpreter(), "PATH": "/nowhere"})
        self.assertEqual(own.text("x"), '"x"')

    def test_the_remaining_time_is_not_too_long(self):
        own = self.start("function handler(event) { return lambda_remaining_ms() }")
        for _ in range(3):
            self.assertLessEqual(int(own.text("x")), 60000)  # the deadline of runtime_api.py

    def test_a_type_is_one_line(self):
        self.types_are_one_line("""
            function handler(event) {
              LAMBDA["content_type"] = "text/plain\\r\\nrequest_id=z"
              if (event ~ /stream/) lambda_write("ab")
              return "ab"
            }""", "stream", "whole")


class R(Case):
    language = "r"

    def test_warnings_are_logged(self):
        own = self.start("handler <- function(event, context) { warning('a word of warning'); event }")
        self.assertEqual(own.text("x"), '"x"')
        self.assertIn("a word of warning", own.log_with("a word of warning"))


class Guile(Case):
    language = "guile"

    def test_a_context_that_is_not_utf_8_harms_nothing(self):
        own = self.start('(define (handler event context) (assq-ref context (quote trace-id)))')
        self.assertEqual(own.text("x", NOT_UTF_8), "Root=\ufffd", own.log())


class Sbcl(Case):
    language = "sbcl"

    def test_text_without_utf_8_harms_nothing(self):
        own = self.start("""
            (defun handler (event context)
              (let ((odd (string (code-char #xd800))))
                (cond ((search "result" event) odd)
                      ((search "fail" event) (error odd))
                      ((search "print" event) (print odd) "printed")
                      (t (getf context :trace-id)))))""")
        self.assertEqual(own.text("result"), "?", own.log())
        self.assertEqual(json.loads(own.invoke("fail").body)["errorMessage"], "?", own.log())
        self.assertEqual(own.text("print"), "printed", own.log())
        self.assertEqual(own.text("x", NOT_UTF_8), "Root=?", own.log())


class Octave(Case):
    language = "octave"

    def test_clear_all_spares_the_worker(self):
        own = self.start("""
            clear all
            1;
            function [response, type] = handler (event, context)
              write = [];
              type = "text/plain";
              if (any (strfind (event, "stream")))
                write = context.stream (type);
                write ("a");
              endif
              response = context.get_remaining_time_in_millis () > 0;
              if (any (strfind (event, "fail")))
                error ("it failed");
              endif
              if (any (strfind (event, "both")))
                clear all
                error ("it failed");
              endif
              if (any (strfind (event, "clear")))
                clear all
                response = "cleared";
                type = "text/html";
              endif
            endfunction""")
        for _ in range(2):
            self.assertEqual(own.text("clear"), "cleared", own.log())
            self.assertEqual(own.text("plain"), "1", own.log())
            self.assertEqual(own.invoke("stream").body, b"a", own.log())
            for event in ("fail", "both"):
                self.assertEqual(json.loads(own.invoke(event).body)["errorMessage"], "it failed", own.log())


class Java(Case):
    language = "java"

    def test_numbers_without_json_are_null(self):
        own = self.start("""
            import java.util.*;
            public class app {
              public static List<Object> handler(String event) {
                return List.of(Float.NaN, Float.POSITIVE_INFINITY, Double.NaN, 1.5f);
              }
            }""")
        self.assertEqual(own.text("x"), "[null, null, null, 1.5]", own.log())

    def test_compiled_classes_are_not_left_behind(self):
        own = self.start("""
            public class app {
              static class Late { String text = "late"; }
              public static String handler(String event) { return new Late().text; }
            }""")
        self.assertEqual(own.text("x"), "late", own.log())
        self.assertEqual(list(own.directory.glob("ogni-java-*")), [])


if __name__ == "__main__":
    unittest.main()
