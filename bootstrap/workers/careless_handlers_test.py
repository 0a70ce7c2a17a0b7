"""A careless handler spoils its own call at most: stray jumps, errors without words, what is late, what was not flushed."""

import json
import unittest

from workers_test import HandlerCase


class Case(HandlerCase):
    source = None  # of a handler that returns how often it was called, so that a worker's replacement is noticed

    def setUp(self):
        self.own = self.start(self.source)
        self.calls = 0

    def invoke(self, event, **options):
        self.calls += 1
        return self.own.invoke(event, **options)

    def fails(self, event, error_type, message):
        """That this call fails so, and that the same worker serves the next one."""
        with self.subTest(event):
            answer = self.invoke(event)
            self.assertEqual(answer.kind, "error", answer)
            report = json.loads(answer.body)
            self.assertEqual((report["errorType"], report["errorMessage"]), (error_type, message), report)
            self.goes_on()

    def goes_on(self):
        self.assertEqual(self.invoke("next").body.decode(), str(self.calls), self.own.log())

    def logs_at_once(self, event, text):
        """That the log has what was printed without a line feed before the answer comes."""
        self.invoke(event)
        self.assertIn(text, self.own.log())
        self.goes_on()


class Gforth(Case):
    language = "gforth"
    source = r"""
        variable calls
        : number-of-calls ( -- addr u ) base @ >r decimal calls @ s>d <# #s #> r> base ! ;
        : is ( addr u addr u -- flag ) compare 0= ;
        : handler ( event u -- response u )
          1 calls +!
          2dup s\" \"hex\"" is if hex then
          2dup s\" \"late\"" is if ." no line feed" then
          2dup s\" \"type\"" is if s\" text/plain\nrequest_id=forged\r\ntype=x" response-type then
          s\" \"time\"" is if remaining-ms 1 60001 within if number-of-calls else s" wrong" then else number-of-calls then ;"""

    def test_numbers_may_be_in_any_base(self):
        for event in ("hex", "next", "time"):
            self.assertEqual(self.invoke(event).body.decode(), str(self.calls), self.own.log())

    def test_a_type_of_several_lines_is_one_line(self):
        answer = self.invoke("type")
        self.assertEqual(answer.headers["content-type"], "text/plain request_id=forged  type=x", answer)
        self.goes_on()

    def test_what_is_printed_is_logged_with_the_call(self):
        self.logs_at_once("late", "no line feed")


class Perl(Case):
    language = "perl"
    source = r"""
        use Time::HiRes qw(setitimer ITIMER_REAL);
        no warnings 'exiting';
        my $calls = 0;
        sub handler {
          my ($event) = @_;
          ++$calls;
          next if $event eq 'stray next';
          last if $event eq 'stray last';
          redo if $event eq 'stray redo';
          if ($event eq 'signals') {
            $SIG{ALRM} = sub { $! = 2 };
            setitimer(ITIMER_REAL, 0.003, 0.003);
          }
          return length $event > 100 ? \$event : $calls;
        }
        1;"""

    def test_a_stray_jump_is_an_error(self):
        for event in ("next", "last", "redo"):
            self.fails(f"stray {event}", "Error", "the handler left by next, last or redo")

    def test_signals_interrupt_neither_waiting_nor_large_events(self):
        self.invoke("signals")
        event = b"x" * (6 << 20)
        for _ in range(2):
            answer = self.invoke(event, headers={"Content-Type": "application/octet-stream"})
            self.assertTrue(answer.body == event, self.own.log())
            self.goes_on()


class Raku(Case):
    language = "raku"
    source = r"""
        class Silent is Exception { }
        class Sick is Exception { method message { die 'no message either' } }
        my $calls = 0;
        sub handler($event, $context) {
            ++$calls;
            given $event {
                when '"stray next"' { next }
                when '"stray last"' { last }
                when '"stray redo"' { redo }
                when '"fail"' { fail 'it failed' }
                when '"fail again"' { fail 'it failed again' }
                when '"silent"' { Silent.new.throw }
                when '"sick"' { Sick.new.throw }
                when '"warn"' { warn 'a warning' }
                when '"pieces"' { return gather { take 'a'; take Failure.new('it failed') } }
            }
            "$calls"
        }"""

    def test_what_ends_a_call_oddly_is_its_error(self):
        for event in ("next", "last", "redo"):
            self.fails(f"stray {event}", "X::ControlFlow", "the handler left by next, last or redo")
        self.fails("fail", "X::AdHoc", "it failed")
        self.fails("silent", "Silent", "Silent")
        self.fails("sick", "Sick", "Sick")
        self.assertEqual(self.invoke("warn").body.decode(), str(self.calls))
        self.assertIn("a warning", self.own.log_with("a warning"))
        self.fails("fail again", "X::AdHoc", "it failed again")
        self.assertIn("it failed again", self.own.log_with("it failed again"))
        broken = self.invoke("pieces")
        self.assertEqual(broken.trailers["lambda-runtime-function-error-type"], "X::AdHoc", broken)
        self.goes_on()


class Elixir(Case):
    language = "elixir"
    source = r"""
        defmodule App do
          def handler(event, _) do
            calls = Process.get(:calls, 0) + 1
            Process.put(:calls, calls)
            if event == ~s("bytes"), do: raise(<<"it failed: ä ", 255>>)
            Integer.to_string(calls)
          end
        end"""

    def test_the_message_of_an_error_may_be_no_text(self):
        self.fails("bytes", "RuntimeError", "it failed: ä \ufffd")
        self.assertIn("it failed: ä \ufffd", self.own.log_with("it failed: ä"))


class Tcl(Case):
    language = "tcl"
    source = r"""
        set calls 0
        after 3600000 {set calls 0}
        set loaded [after info]
        proc handler {event context} {
            incr ::calls
            switch -- [string trim $event {"}] {
                break - continue - return { return -code [string trim $event {"}] "left by $event" }
                code { return -code 77 "left by 77" }
                unlisted { error "no list" {} "a \{b" }
                empty { error "no code" {} {} }
                leave { after 0 {lambda::write LATE}; after idle {lambda::write LATE} }
                wait { after 20 {set ::waited yes}; vwait ::waited; update }
                timers { return [expr {[after info] eq $::loaded}] }
                late { puts -nonewline "no line feed" }
                closed { close stdout }
            }
            return $::calls
        }"""

    def test_what_ends_a_call_oddly_is_its_error(self):
        for event in ("break", "continue", "return"):
            self.fails(event, "Error", f'left by "{event}"')
        self.fails("code", "Error", "left by 77")
        self.fails("unlisted", "Error", "no list")
        self.fails("empty", "Error", "no code")

    def test_a_late_write_is_in_no_other_response(self):
        self.invoke("leave")
        self.assertEqual(self.invoke("wait").body.decode(), str(self.calls), self.own.log())
        self.assertEqual(self.invoke("timers").body, b"1", self.own.log())

    def test_what_is_printed_is_logged_with_the_call(self):
        self.logs_at_once("late", "no line feed")
        self.invoke("closed")
        self.goes_on()


class Prolog(Case):
    language = "prolog"
    source = r"""
        :- use_module(library(time)).
        :- dynamic calls/1, woken/0.
        calls(0).
        :- alarm(3600, fail, _, [remove(true)]).
        handler(Event, _, Response) :-
            retract(calls(Before)), Calls is Before + 1, assertz(calls(Calls)),
            split_string(Event, "", "\"", [Name]),
            ( does(Name, Response) -> true ; Response = Calls ).
        does("codes", bytes([97, 256], "text/plain")).
        does("string", bytes("a\x100\", "text/plain")).
        does("piece", "") :- lambda_write("begun"), lambda_write(bytes([97, 256])).
        does("any codes", bytes(Codes, "text/plain")) :- numlist(0, 255, Codes).
        does("leave", _) :- alarm(0.02, lambda_write("LATE"), _, [remove(true)]), fail.
        does("leave and fail", _) :- alarm(0.02, lambda_write("LATE"), _, [remove(true)]), throw(failed).
        does("wait", _) :-
            alarm(0.05, assertz(woken), _, [remove(true)]), repeat, sleep(0.001), retract(woken), !, fail.
        does("alarms", Left) :- findall(Id, current_alarm(_, _, Id, _), Ids), length(Ids, Left).
        does("late", _) :- write("no line feed"), fail."""

    def test_codes_that_are_no_bytes_are_an_error(self):
        for event in ("codes", "string"):
            self.fails(event, "representation_error", "bytes: a code is above 255")
        broken = self.invoke("piece")
        self.assertEqual((broken.body[:5], broken.trailers["lambda-runtime-function-error-type"]),
                         (b"begun", "representation_error"), broken)
        self.assertEqual(self.invoke("any codes").body, bytes(range(256)))
        self.goes_on()

    def test_a_late_write_is_in_no_other_response(self):
        for event in ("leave", "leave and fail"):
            self.invoke(event)
            self.assertEqual(self.invoke("wait").body.decode(), str(self.calls), self.own.log())
            self.assertEqual(self.invoke("alarms").body, b"1", self.own.log())

    def test_what_is_printed_is_logged_with_the_call(self):
        self.logs_at_once("late", "no line feed")


class Lua(Case):
    language = "lua"
    source = r"""
        local calls = 0
        function handler(event)
          calls = calls + 1
          if event == '"late"' then io.write("no line feed") end
          if event == '"pieces"' then
            return coroutine.wrap(function() coroutine.yield("a") io.write("nor here") end)
          end
          if event == '"closed"' then io.stdout:close() end
          return tostring(calls)
        end"""

    def test_what_is_printed_is_logged_with_the_call(self):
        self.logs_at_once("late", "no line feed")
        self.logs_at_once("pieces", "nor here")
        self.invoke("closed")
        self.goes_on()



if __name__ == "__main__":
    unittest.main()
