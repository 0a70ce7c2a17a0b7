"""What outlasts an invocation stays out of the next one's answer, and what a handler leaves odd harms no other call."""

import json
import os
import signal
import unittest

from workers_test import HandlerCase


class Node(HandlerCase):
    language = "node"

    def test_a_late_write_is_not_in_the_next_response(self):
        own = self.start("""
            let kept;
            exports.handler = awslambda.streamifyResponse(async (event, stream) => {
              if (event === 'keep') {
                kept = stream;
                kept.on('error', () => {});
                throw new Error('first');
              }
              if (event === 'late') {
                kept.write('LATE');
                kept.end('LATE');
                await new Promise((done) => setImmediate(done));
              }
              stream.write('own ');
              stream.end(event);
            });""")
        self.assertEqual(json.loads(own.invoke("keep").body)["errorMessage"], "first")
        self.assertEqual(own.invoke("late").body, b"own late", own.log())
        self.assertEqual(own.invoke("next").body, b"own next", own.log())

    def test_a_write_in_the_turn_of_the_failure_is_not_in_the_next_response(self):
        own = self.start("""
            exports.handler = awslambda.streamifyResponse(async (event, stream) => {
              if (event === 'fail') {
                stream.on('error', () => {});
                setImmediate(() => stream.write('LATE'));
                throw new Error('first');
              }
              setImmediate(() => stream.end('own'));
              await new Promise((done) => stream.on('finish', done));
            });""")
        self.assertEqual(json.loads(own.invoke("fail").body)["errorMessage"], "first")
        self.assertEqual(own.invoke("next").body, b"own", own.log())

    def test_a_late_callback_leaves_the_next_invocation_alone(self):
        own = self.start("""
            let kept;
            exports.handler = (event, context, callback) => {
              if (event === 'keep') { kept = callback; throw new Error('first'); }
              setImmediate(() => kept(null, 'LATE'));
            };""")
        self.assertEqual(json.loads(own.invoke("keep").body)["errorMessage"], "first")
        self.assertEqual(own.text("next"), "null")

    def test_an_error_may_have_properties_without_json(self):
        own = self.start("""
            exports.handler = async (event) => {
              const error = new Error('it failed');
              if (event === 'circular') error.self = error;
              if (event === 'bigint') error.count = 10n;
              if (event === 'getter') {
                Object.defineProperty(error, 'odd', { enumerable: true, get() { throw new Error('odd'); } });
              }
              if (event === 'uncaught') {
                error.self = error;
                setImmediate(() => { throw error; });
                return new Promise(() => {});
              }
              throw error;
            };""")
        for event in ("circular", "bigint", "getter", "uncaught", "circular"):
            with self.subTest(event=event):
                report = json.loads(own.invoke(event).body)
                self.assertEqual((report["errorType"], report["errorMessage"]), ("Error", "it failed"))
        self.assertIn("it failed", own.log_with("it failed"))


class Bash(HandlerCase):
    language = "bash"

    # `gate` lets a process that the first call has left behind go on; it says when it has.
    LEFT_BEHIND = """
        handler() {{
          case $1 in
            '"leave"') {leave}
                       echo left ;;
            '"open"') echo go >"$TMPDIR/gate"; read -r _ <"$TMPDIR/done"; echo own ;;
            *) echo "got $1" ;;
          esac
        }}"""

    def left_behind(self, leave, before="", variables=None):
        own = self.start(before + self.LEFT_BEHIND.format(leave=leave), variables=variables)
        for name in ("gate", "done"):
            os.mkfifo(own.directory / name)
        return own

    def test_what_a_child_left_behind_prints_is_in_no_response(self):
        child = 'read -r _ <"$TMPDIR/gate"; echo LATE; echo done >"$TMPDIR/done"'
        for name, leave in (("background", f"{{ {child}; }} &"), ("twice forked", f"( {{ {child}; }} & )"),
                            ("no globs", f"set -f; ( {{ {child}; }} & )")):
            with self.subTest(name):
                own = self.left_behind(leave)
                self.assertEqual(own.text("leave"), "left\n")
                self.assertEqual(own.text("open"), "own\n", own.log())
                self.assertEqual(own.text("next"), 'got "next"\n')

    def test_a_child_left_behind_cannot_read_the_next_event(self):
        child = 'read -r _ <"$TMPDIR/gate"; cat >"$TMPDIR/seen"; echo done >"$TMPDIR/done"'
        own = self.left_behind(f"( {{ {child}; }} <&0 & )")
        self.assertEqual(own.text("leave"), "left\n")
        self.assertEqual(own.text("open"), "own\n", own.log())
        self.assertNotIn("open", (own.directory / "seen").read_text())

    def test_a_piece_of_an_ended_stream_is_refused(self):
        child = 'read -r _ <"$TMPDIR/gate"; lambda_write LATE || echo refused >&2; echo done >"$TMPDIR/done"'
        own = self.left_behind(f"lambda_write 'begun '; ( {{ {child}; }} & )", before="LAMBDA_STREAMING=yes\n")
        self.assertEqual(own.invoke("leave").body, b"begun left\n")
        self.assertEqual(own.invoke("open").body, b"own\n", own.log())
        self.assertIn("refused", own.log_with("refused"))
        self.assertEqual(own.invoke("next").body, b'got "next"\n')

    def test_streams_where_nothing_may_be_overwritten(self):
        own = self.start("LAMBDA_STREAMING=yes\nset -C\nhandler() { lambda_write 'a '; lambda_write b; }")
        for _ in range(2):
            self.assertEqual(own.invoke("x").body, b"a b", own.log())

    def test_every_call_may_leave_a_process_behind(self):
        own = self.start("""
            handler() {
              sleep 600 &
              echo $! >>"$TMPDIR/left"
              cat
              printf ' %s %s' "$1" "$((++count))"
            }""")
        self.addCleanup(lambda: [os.kill(int(pid), signal.SIGKILL) for pid in (own.directory / "left").read_text().split()])
        for count in range(1, 8):
            event = json.dumps("x" * 10 ** (count % 5))
            self.assertEqual(own.text(event.encode()), f"{event} {event} {count}", own.log())

    def test_a_left_behind_reader_and_writer_share_nothing_with_later_calls(self):
        own = self.left_behind("""( { read -r _ <"$TMPDIR/gate"; printf LATE; cat >"$TMPDIR/seen"
                                      echo done >"$TMPDIR/done"; } <&0 & )""")
        self.assertEqual(own.text("leave"), "left\n")
        for _ in range(3):
            self.assertEqual(own.text("plain"), 'got "plain"\n')
        self.assertEqual(own.text("open"), "own\n", own.log())
        self.assertEqual(own.text("next"), 'got "next"\n')
        self.assertEqual((own.directory / "seen").read_text(), '"leave"')

    def test_any_event_is_argument_and_stdin(self):
        own = self.start("""handler() { printf '%s|' "$1"; cat; }""", variables={"LC_ALL": "C.UTF-8"})
        texts = ["", "'", "\\", "\\'$(exit 7)`exit 8`\"$HOME", "a\nb\r\tc\n", "ä€𝄞\u0001\u007f", "#!~*?[a]{b,c}", " lead "]
        for size in (511, 512, 513, 4096, 65536):
            texts += ["x" * size, "'" * size, ("ä" * size).encode()[:size].decode(errors="ignore")]
        for text in texts:
            with self.subTest(text[:20], size=len(text)):
                event = text.encode()
                self.assertEqual(own.invoke(event).body, event + b"|" + event, own.log())
        raw = bytes(range(1, 256)) * 40
        for event in (raw[:255], raw):
            answer = own.invoke(event, {"Content-Type": "application/octet-stream"})
            self.assertTrue(answer.body == event + b"|" + event, answer)

    def test_what_a_handler_does_to_its_descriptors_ends_with_the_call(self):
        own = self.start("""
            handler() {
              case $1 in
                '"silent"') printf before; exec >/dev/null; printf after ;;
                '"close"') exec <&- >&- ;;
                '"stdin"') exec <"$BASH_SOURCE"; cat >/dev/null; printf read ;;
                '"reopen"') printf one; printf two >/dev/stdout; printf three >>/dev/stdout ;;
                '"write"') printf 'x%.0s' {1..9999} >&0; printf wrote ;;
                '"unset"') unset -v ${!LAMBDA_@} PATH LANG HOME; printf unset ;;
                *) printf '%s %s' "$LAMBDA_RUNTIME_AWS_REQUEST_ID" "$(</dev/stdin)" ;;
              esac
            }""")
        for event, body in (("silent", "before"), ("close", ""), ("stdin", "read"), ("write", "wrote"), ("unset", "unset")):
            with self.subTest(event):
                self.assertEqual(own.text(event), body, own.log())
                self.assertEqual(own.text("next"), f'{own.api.request_id} "next"', own.log())
        self.assertTrue(own.text("reopen").endswith("twothree"))

    def test_programs_do_not_get_the_private_descriptors_while_it_streams(self):
        own = self.start("LAMBDA_STREAMING=yes\nhandler() { lambda_write 'a '; (lambda_write 'b '); ls -l /proc/self/fd; }")
        listing = own.text("x")
        self.assertRegex(listing, "^a b ")
        self.assertNotIn("pipe:", listing.replace("2 -> pipe:", ""))

    def test_a_large_response_may_hold_any_bytes(self):
        own = self.start("""handler() { cat "$TMPDIR/bytes"; LAMBDA_RESPONSE_CONTENT_TYPE=image/x-any; }""")
        content = bytes(range(256)) * (5 << 12)
        (own.directory / "bytes").write_bytes(content)
        for _ in range(2):
            answer = own.invoke("x")
            self.assertTrue(answer.body == content, own.log())
            self.assertEqual(answer.headers["content-type"], "image/x-any")

    def test_a_handler_that_closes_the_private_descriptors_harms_only_its_call(self):
        own = self.start("""
            handler() {
              [[ $1 == *close* ]] || { printf %s "$1"; return; }
              for number in {3..99}; do eval "exec $number<&-"; done
            }""")
        for _ in range(2):
            self.assertEqual(own.invoke("close").kind, "error")
            self.assertEqual(own.text("next"), '"next"', own.log())


class Forger(HandlerCase):
    """A process that an invocation leaves behind writes an answer of its own while the next one is being served."""

    language = "python"
    source = """
import fcntl, os, stat
def writing():
    for number in range(3, 1000):
        try:
            if stat.S_ISFIFO(os.fstat(number).st_mode) and fcntl.fcntl(number, fcntl.F_GETFL) & 3 == os.O_WRONLY:
                yield number
        except OSError:
            pass
def handler(event, context):
    global left, wakes
    if event == "leave":
        ends = list(writing())
        sleeps, wakes = os.pipe()
        left = os.fork()
        if left == 0:
            os.read(sleeps, 1)
            for end in ends:
                os.write(end, b'result 0 8\\n"forged"')
            os._exit(0)
    if event == "wake":
        os.write(wakes, b"x")
        os.waitpid(left, 0)
    return "own"
"""

    def test_no_forged_answer_is_taken(self):
        own = self.start(self.source, variables={"OGNI_CHILDREN": "keep"})
        self.assertEqual(own.text("leave"), "own", own.log())
        answer = own.invoke("wake")
        self.assertEqual(json.loads(answer.body).get("errorType"), "Runtime.InvalidWorkerReply", own.log())
        self.assertEqual(own.text("next"), "own")


class Perl(HandlerCase):
    language = "perl"

    def test_text_of_any_kind_is_a_response(self):
        own = self.start(r"""
            use utf8;
            sub handler {
              my ($event, $context) = @_;
              return \"ä€" if $event eq 'reference';
              return \"A" if $event eq 'letter';
              return \1 if $event eq 'true';
              if ($event eq 'handle') { open my $file, '<:encoding(UTF-8)', \"\xc3\xa4\xe2\x82\xac"; return $file }
              if ($event eq 'digit') { $context->content_type('text/plain'); return \"1" }
              if ($event eq 'type') { $context->content_type("text/plain; name=€\nforged=1"); return 'ä€' }
              die "ä€\n" if $event eq 'die';
              die { text => 'ä€' } if $event eq 'hash';
              return 'whole';
            }
            1;""")
        for event, body in (("reference", "ä€"), ("letter", "A"), ("true", "true"), ("handle", "ä€"), ("digit", "1"),
                            ("type", "ä€"), ("other", '"whole"')):
            with self.subTest(event=event):
                answer = own.invoke(event)
                self.assertEqual((answer.kind, answer.body.decode()), ("response", body), own.log())
        self.assertEqual(json.loads(own.invoke("die").body)["errorMessage"], "ä€")
        self.assertEqual(json.loads(own.invoke("hash").body)["errorType"], "HASH")
        self.assertEqual(own.text("other"), "whole")


class Gawk(HandlerCase):
    language = "gawk"

    def test_a_fatal_error_is_reported_with_its_line(self):
        own = self.start('''
            function handler(event) {
              if (event == "\\"stream\\"") lambda_write("begun")
              if (event ~ /zero|stream/) return inner(0)
              if (event == "\\"two\\"") exit 2
              return event
            }
            function inner(n) {
              print "a line for the log" > "/dev/stderr"
              return 1 / n
            }''')
        report = json.loads(own.invoke("zero").body)
        self.assertEqual((report["errorType"], report["errorMessage"]), ("Fatal", "division by zero attempted"), report)
        self.assertEqual(len(report["stackTrace"]), 1)
        self.assertRegex(report["stackTrace"][0], r"^at /.*/app\.awk:10$")
        self.assertIn("a line for the log", own.log_with("a line for the log"))
        broken = own.invoke("stream")
        self.assertEqual(broken.trailers["lambda-runtime-function-error-type"], "Fatal", broken)
        self.assertEqual(json.loads(own.invoke("two").body)["errorType"], "Runtime.ExitError")
        self.assertEqual(own.text("next"), '"next"')


class Ruby(HandlerCase):
    language = "ruby"

    def test_the_separator_of_lines_is_the_handlers_to_change(self):
        own = self.start("""
            def handler(event:, context:)
              $/ = nil
              context.aws_request_id
            end""")
        for _ in range(3):
            self.assertEqual(own.text("x"), own.api.request_id)


if __name__ == "__main__":
    unittest.main()
