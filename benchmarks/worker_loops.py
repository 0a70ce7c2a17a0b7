"""For benchmarks/workers.py: the least that each interpreter can do, a tight loop over the worker's descriptors.

Each uses the best that its language offers for reading a request, taking it apart into line, head and event, and writing the
event as the result. There is no handler in it, no context, no JSON and nothing for errors.
"""

# name: (extension, interpreter, what comes before the text of a program, the tight loop, an echo handler). Where "{file}" is
# among the arguments it is the path of a file with that text.
LANGUAGES = {
    "bash": ("sh", "bash", ["-c"], """
LC_ALL=C
printf 'ready 0 0\\n' >&4
while read -r kind head body <&3; do
  IFS= read -r -N "$head" fields <&3; IFS= read -r -N "$body" event <&3
  printf 'result 0 %d\\n%s' ${#event} "$event" >&4
done""", "handler() { printf %s \"$1\"; }"),
    "python": ("py", "python3", ["-c"], """
import os
os.write(4, b'ready 0 0\\n')
while data := os.read(3, 65536):
    line, rest = data.split(b'\\n', 1)
    kind, head, body = line.split()
    event = rest[int(head):]
    os.write(4, b'result 0 %d\\n' % len(event) + event)""", "def handler(event, context): return event"),
    "node": ("js", "node", ["-e"], """
const fs = require('fs'); const b = Buffer.alloc(65536); fs.writeSync(4, 'ready 0 0\\n');
for (let n; (n = fs.readSync(3, b, 0, 65536, null)) > 0;) {
  const end = b.indexOf(10); const w = b.latin1Slice(0, end).split(' ');
  const event = b.utf8Slice(end + 1 + Number(w[1]), n);
  fs.writeSync(4, `result 0 ${Buffer.byteLength(event)}\\n${event}`);
}""", "exports.handler = async (event) => event;"),
    "ruby": ("rb", "ruby", ["-e"], """
i = IO.for_fd(3); o = IO.for_fd(4); o.syswrite("ready 0 0\\n")
begin
  while (d = i.sysread(65536))
    line, rest = d.split("\\n", 2); w = line.split(" ")
    event = rest.byteslice(w[1].to_i..)
    o.syswrite("result 0 #{event.bytesize}\\n#{event}")
  end
rescue EOFError
end""", "def handler(event:, context:) = event"),
    "perl": ("pl", "perl", ["-e"], """
open(my $i, '<&=', 3); open(my $o, '>&=', 4); syswrite $o, "ready 0 0\\n";
while (sysread $i, my $d, 65536) {
  my ($line, $rest) = split /\\n/, $d, 2; my @w = split / /, $line;
  my $event = substr $rest, $w[1];
  syswrite $o, "result 0 " . length($event) . "\\n$event";
}""", "sub handler { $_[0] } 1;"),
    "php": ("php", "php", ["-r"], """
$i = fopen('php://fd/3', 'rb'); $o = fopen('php://fd/4', 'wb'); stream_set_read_buffer($i, 0);
stream_set_write_buffer($o, 0); fwrite($o, "ready 0 0\\n");
while (($d = fread($i, 65536)) != '') {
  [$line, $rest] = explode("\\n", $d, 2); $w = explode(' ', $line);
  $event = substr($rest, (int) $w[1]);
  fwrite($o, 'result 0 ' . strlen($event) . "\\n$event");
}""", "<?php function handler($event, $context) { return $event; }"),
    "lua": ("lua", "lua5.4", ["-e"], """
local i, o = io.open('/dev/fd/3', 'rb'), io.open('/dev/fd/4', 'wb'); o:write('ready 0 0\\n'); o:flush()
for line in i:lines() do
  local h, b = line:match('(%d+) (%d+)$'); i:read(tonumber(h)); local event = i:read(tonumber(b))
  o:write('result 0 ', #event, '\\n', event); o:flush()
end""", "function handler(event) return event end"),
    "tcl": ("tcl", "tclsh", ["{file}"], """
set i [open /dev/fd/3 r]; set o [open /dev/fd/4 w]
fconfigure $i -translation binary; fconfigure $o -translation binary; puts $o "ready 0 0"; flush $o
while {[gets $i line] >= 0} {
  lassign $line kind head body; read $i $head; set event [read $i $body]
  puts -nonewline $o "result 0 [string length $event]\\n$event"; flush $o
}""", "proc handler {event context} { return $event }"),
    "guile": ("scm", "guile", ["-c"], """
(use-modules (ice-9 binary-ports) (ice-9 rdelim) (rnrs bytevectors))
(define i (fdopen 3 "rb")) (define o (fdopen 4 "wb")) (setvbuf i 'block 65536) (setvbuf o 'block 65536)
(put-bytevector o (string->utf8 "ready 0 0\\n")) (force-output o)
(let loop ((line (read-line i)))
  (if (not (eof-object? line))
      (let* ((w (string-split line #\\space)))
        (get-bytevector-n i (string->number (cadr w)))
        (let ((event (get-bytevector-n i (string->number (caddr w)))))
          (put-bytevector o (string->utf8 (format #f "result 0 ~a\\n" (bytevector-length event))))
          (put-bytevector o event) (force-output o) (loop (read-line i))))))""",
              "(define (handler event context) event)"),
    "r": ("R", "Rscript", ["--vanilla", "{file}"], """
i <- file("/dev/fd/3", "rb", raw = TRUE); o <- file("/dev/fd/4", "wb", raw = TRUE)
writeBin(charToRaw("ready 0 0\\n"), o); flush(o)
while (length(line <- readLines(i, 1)) > 0) {
  n <- as.integer(strsplit(line, " ", fixed = TRUE)[[1]][2:3])
  readBin(i, "raw", n[1]); event <- readBin(i, "raw", n[2])
  writeBin(c(charToRaw(sprintf("result 0 %d\\n", length(event))), event), o); flush(o)
}""", "handler <- function(event, context) event"),
    "racket": ("rkt", "racket", ["{file}"], """#lang racket/base
(define i (open-input-file "/dev/fd/3")) (define o (open-output-file "/dev/fd/4" #:exists 'append))
(define (number bytes) (string->number (bytes->string/latin-1 bytes)))
(void (write-bytes #"ready 0 0\\n" o)) (flush-output o)
(let loop ()
  (define line (read-bytes-line i))
  (unless (eof-object? line)
    (define w (regexp-match #rx#" ([0-9]+) ([0-9]+)$" line))
    (read-bytes (number (cadr w)) i)
    (define event (read-bytes (number (caddr w)) i))
    (write-bytes (string->bytes/latin-1 (format "result 0 ~a\\n" (bytes-length event))) o)
    (write-bytes event o) (flush-output o)
    (loop)))""", "#lang racket/base\n(provide handler)\n(define (handler event context) event)"),
    "sbcl": ("lisp", "sbcl", ["--script", "{file}"], """
(declaim (optimize speed))
(defun put (octets)
  (sb-sys:with-pinned-objects (octets) (sb-unix:unix-write 4 octets 0 (length octets))))
(defun serve ()
  (let ((data (make-array 65536 :element-type '(unsigned-byte 8))))
    (declare (type (simple-array (unsigned-byte 8) (65536)) data))
    (put (sb-ext:string-to-octets (format nil "ready 0 0~%")))
    (loop
      (let ((count (sb-sys:with-pinned-objects (data) (sb-unix:unix-read 3 (sb-sys:vector-sap data) 65536))))
        (when (or (null count) (zerop count)) (return))
        (let* ((end (position 10 data))
               (line (map 'string #'code-char (subseq data 0 end)))
               (space (position #\\Space line))
               (event (subseq data (+ end 1 (parse-integer line :start (1+ space) :junk-allowed t)) count)))
          (put (concatenate '(simple-array (unsigned-byte 8) (*))
                            (sb-ext:string-to-octets (format nil "result 0 ~d~%" (length event))) event)))))))
(serve)""", "(defun handler (event context) (declare (ignore context)) event)"),
    "prolog": ("pro", "swipl", ["-q", "{file}"], """
:- use_module(library(readutil)).
:- initialization(main, main).
main :-
    open('/dev/fd/3', read, I, [encoding(octet)]), open('/dev/fd/4', write, O, [encoding(octet), buffer(full)]),
    set_stream(I, newline(posix)), set_stream(O, newline(posix)),
    format(O, "ready 0 0~n", []), flush_output(O), serve(I, O).
serve(I, O) :-
    read_line_to_string(I, Line),
    (   Line == end_of_file
    ->  true
    ;   split_string(Line, " ", "", [_, H, B]), number_string(Head, H), number_string(Body, B),
        read_string(I, Head, _), read_string(I, Body, Event), string_length(Event, Length),
        format(O, "result 0 ~d~n~s", [Length, Event]), flush_output(O),
        serve(I, O)
    ).""", "handler(Event, _, Event)."),
    "raku": ("raku", "raku", ["{file}"], """
my $i = open '/dev/fd/3', :r, :bin; my $o = open '/dev/fd/4', :w, :bin, :!out-buffer;
$o.write: "ready 0 0\\n".encode;
while (my $data = $i.read(65536)) && $data.elems {
  my $text = $data.decode('latin-1'); my $end = $text.index("\\n");
  my $event = $text.substr($end + 1 + $text.substr(0, $end).split(' ')[1]);
  $o.write: "result 0 { $event.chars }\\n$event".encode('latin-1');
}""", "sub handler($event, $context) { $event }"),
    "octave": ("m", "octave-cli", ["--no-init-file", "--no-site-file", "-q", "{file}"], """
i = fopen ("/dev/fd/3", "r"); o = fopen ("/dev/fd/4", "w"); fputs (o, "ready 0 0\\n"); fflush (o);
while (ischar (line = fgetl (i)))
  n = sscanf (line, "%*s %d %d"); fread (i, n(1), "uint8=>char"); event = fread (i, n(2), "uint8=>char").';
  fputs (o, sprintf ("result 0 %d\\n%s", numel (event), event)); fflush (o);
endwhile""", "1;\nfunction response = handler (event, context)\n  response = event;\nendfunction"),
    "erlang": ("erl", "escript", ["{file}"], """#!/usr/bin/env escript
%%! +B -noinput
-mode(compile).
main(_) -> Port = open_port({fd, 3, 4}, [binary, stream, eof]), port_command(Port, "ready 0 0\\n"), serve(Port).
serve(Port) ->
    receive
        {Port, eof} -> ok;
        {Port, {data, Data}} ->
            [Line, Rest] = binary:split(Data, <<"\\n">>), [_, Head, _] = binary:split(Line, <<" ">>, [global]),
            HeadBytes = binary_to_integer(Head), <<_:HeadBytes/binary, Event/binary>> = Rest,
            port_command(Port, [<<"result 0 ">>, integer_to_binary(byte_size(Event)), $\\n, Event]),
            serve(Port)
    end.""", "-module(app).\n-export([handler/2]).\nhandler(Event, _) -> Event."),
    "elixir": ("ex", "elixir", ["{file}"], """
defmodule Loop do
  def serve(port) do
    receive do
      {^port, :eof} -> :ok
      {^port, {:data, data}} ->
        [line, rest] = :binary.split(data, "\\n")
        [_, head, _] = :binary.split(line, " ", [:global])
        head_bytes = String.to_integer(head)
        <<_::binary-size(head_bytes), event::binary>> = rest
        Port.command(port, ["result 0 ", Integer.to_string(byte_size(event)), ?\\n, event])
        serve(port)
    end
  end
end
port = Port.open({:fd, 3, 4}, [:binary, :stream, :eof])
Port.command(port, "ready 0 0\\n")
Loop.serve(port)""", "defmodule App do\n  def handler(event, _), do: event\nend"),
    "java": ("java", "java", ["--source", "17", "{file}"], """
import java.io.*;
import java.nio.charset.StandardCharsets;
class Loop {
  public static void main(String[] arguments) throws IOException {
    var in = new FileInputStream("/dev/fd/3"); var out = new FileOutputStream("/dev/fd/4");
    out.write("ready 0 0\\n".getBytes());
    byte[] data = new byte[65536];
    for (int count; (count = in.read(data)) > 0;) {
      int end = 0; while (data[end] != '\\n') ++end;
      String[] words = new String(data, 0, end, StandardCharsets.ISO_8859_1).split(" ");
      int event = end + 1 + Integer.parseInt(words[1]);
      byte[] line = ("result 0 " + (count - event) + "\\n").getBytes(StandardCharsets.ISO_8859_1);
      byte[] frame = java.util.Arrays.copyOf(line, line.length + count - event);
      System.arraycopy(data, event, frame, line.length, count - event);
      out.write(frame);
    }
  }
}""", "public class app {\n  public Object handler(Object event, java.util.Map<String, Object> context) { return event; }\n}"),
    "gawk": ("awk", "gawk", ["-b", "-f", "{file}"], """
BEGIN {
  printf "ready 14 0\\nline_feed=yes\\n" > "/dev/fd/4"; fflush("/dev/fd/4")
  while ((getline line < "/dev/fd/3") > 0) {
    split(line, words, " ")
    for (left = words[2]; left > 0; left -= length(head) + 1) getline head < "/dev/fd/3"
    getline event < "/dev/fd/3"
    printf "result 0 %d\\n%s", length(event), event > "/dev/fd/4"; fflush("/dev/fd/4")
  }
}""", "function handler(event) { return event }"),
    "gforth": ("fs", "gforth-fast", ["{file}"], """
s" /dev/fd/3" r/o bin open-file throw constant in
s" /dev/fd/4" w/o bin open-file throw constant out
create line 80 allot  create data 65536 allot
0 value head  0 value body
: put ( addr u -- ) out write-file throw ;
: number ( addr u -- rest u n ) 0 0 2swap >number 2swap drop ;
: serve ( -- )
  s\\" ready 0 0\\n" put out flush-file throw
  begin line 78 in read-line throw while
    line swap s"  " search drop 1 /string number to head 1 /string number to body 2drop
    data head in read-file throw drop  data body in read-file throw to body
    s" result 0 " put body 0 <# #s #> put s\\" \\n" put data body put out flush-file throw
  repeat ;
serve bye""", ": handler ;"),
}
