#!/usr/bin/python3
"""What the worker of each language costs a warm invocation, beside the least that its interpreter can do.

    loop     a tight loop of the interpreter over the worker's descriptors, without handler, context or errors
    whole    an invocation through the bootstrap, with a platform in Python
    base     the same with a function in C++ (examples/hello-cpp): the client and the platform, without a worker
    ratio    whole / (loop + base)
    in turns the same ratio where loop and base alternate exchange by exchange: each then finds the processor's caches as the
             other left them, as a worker does whose platform and bootstrap run between two of its invocations

Prefork is an invocation with OGNI_PREFORK=2, where each has a process of its own that was forked after the handler was
loaded; exec is the same handler's interpreter started for each invocation (the exec way). The last line is the bash worker
beside the classic bootstrap of bash and curl.

What else the machine does changes from one second to the next, so what is compared is measured in turns, in rounds that are
short: a line shows the round whose ratio is the middle one. Times are medians in microseconds.
"""

import argparse
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

sys.dont_write_bytecode = True
SOURCE = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(SOURCE / "tests")]

from runtime_api import RuntimeApi  # noqa: E402
from worker_loops import LANGUAGES  # noqa: E402

EVENT = b'"x"'
HEAD = (b"request_id=8476a536-e9f4-11e8-9739-2dfe598c3fcd\ndeadline_ms=1795485600000\n"
        b"invoked_function_arn=arn:aws:lambda:us-east-1:123456789012:function:f\ncontent_type=application/json\n")


def median_us(exchange, seconds):
    times = []
    ends = time.monotonic() + seconds
    while time.monotonic() < ends or len(times) < 5:
        began = time.perf_counter()
        exchange()
        times.append(time.perf_counter() - began)
    return statistics.median(times) * 1e6


def alternate(exchanges, options, ratio):
    """The medians of that round whose ratio is the middle one; in each round every exchange has its turn."""
    for exchange in exchanges:
        for _ in range(50):
            exchange()
    rounds = [[median_us(exchange, options.seconds / options.rounds) for exchange in exchanges]
              for _ in range(options.rounds)]
    return sorted(rounds, key=lambda medians: ratio(*medians))[options.rounds // 2]


@contextmanager
def said_of(log):
    """What the children wrote to their stderr is shown where something fails, and only there."""
    with open(log, "w+b") as errors:
        try:
            yield errors
        except Exception:
            errors.seek(0)
            sys.stderr.write(errors.read().decode(errors="replace"))
            raise


@contextmanager
def loop_of(command, scratch):
    """The exchange over the bare descriptors of a program that speaks the worker protocol."""
    requests_read, requests = os.pipe()
    replies, replies_write = os.pipe()
    high = [os.dup2(requests_read, 60), os.dup2(replies_write, 61)]
    for descriptor in high:
        os.set_inheritable(descriptor, True)
    with said_of(scratch / "loop-errors") as errors:
        process = subprocess.Popen(["bash", "-c", 'exec 3<&60 4>&61 60<&- 61>&-; exec "$@"', "-", *command],
                                   pass_fds=high, stdin=subprocess.DEVNULL, stderr=errors)
        for descriptor in (*high, requests_read, replies_write):
            os.close(descriptor)
        try:
            ready = os.read(replies, 4096)
            if not ready.startswith(b"ready"):
                raise RuntimeError(f"{command[0]} is not ready")
            frame = b"invoke %d %d\n%s%s" % (len(HEAD), len(EVENT), HEAD, EVENT)
            if b"line_feed=yes" in ready:
                frame += b"\n"

            def exchange():
                os.write(requests, frame)
                answer = b""
                while not answer.endswith(b"\n" + EVENT):
                    more = os.read(replies, 4096)
                    if not more:
                        raise RuntimeError(f"{command[0]} ended after {answer}")
                    answer += more

            yield exchange
        finally:
            os.close(requests)
            process.wait(10)
            os.close(replies)


@contextmanager
def bootstrap_of(program, task, handler, scratch, variables=None):
    """An invocation through a bootstrap, which ends with what it started before its platform does."""
    with said_of(scratch / "bootstrap-errors") as errors, RuntimeApi(60) as api:
        environment = {"AWS_LAMBDA_RUNTIME_API": api.address, "LAMBDA_TASK_ROOT": str(task), "_HANDLER": handler,
                       "PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8", "TMPDIR": str(scratch),
                       **(variables or {})}
        process = subprocess.Popen(program, env=environment, cwd=task, stdin=subprocess.DEVNULL,
                                   stdout=subprocess.DEVNULL, stderr=errors, start_new_session=True)
        try:
            def exchange():
                answer = api.invoke(EVENT)
                if answer.kind != "response":
                    raise RuntimeError(str(answer))

            yield exchange
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(10)


def measure_language(name, options, scratch):
    extension, interpreter, run, loop, handler = LANGUAGES[name]
    path = shutil.which(interpreter)
    if not path:
        print(f"{name:8} no {interpreter} here")
        return False
    task = scratch / name
    task.mkdir()
    (task / f"app.{extension}").write_text(handler + "\n")
    command = [path, *run, loop]
    if "{file}" in run:
        file = scratch / f"{name}-loop"
        file.write_text(loop)
        command = [path, *[argument.replace("{file}", str(file)) for argument in run]]
    hello = [options.bin / "examples" / "hello-cpp" / "bootstrap"]

    def ratio(loop_us, base_us, whole_us, _):
        return whole_us / (loop_us + base_us)

    with (loop_of(command, scratch) as least, bootstrap_of(hello, scratch, "bootstrap", scratch) as base,
          bootstrap_of([options.bin / "bootstrap"], task, "app.handler", scratch) as whole):
        def in_turns():
            base()
            least()

        medians = alternate([least, base, whole, in_turns], options, ratio)
    loop_us, base_us, whole_us, turns_us = medians
    print(f"{name:8} loop {loop_us:7.0f}   whole {whole_us:7.0f}   base {base_us:5.0f}   "
          f"ratio {ratio(*medians):5.2f}   in turns {whole_us / turns_us:5.2f}", flush=True)
    if name in EXEC:
        measure_isolated(name, task, path, options, scratch)
    return True


# A fresh interpreter per invocation: the same file, with a call of its handler.
EXEC = {
    "python": "import sys, json, app; sys.stdout.write(json.dumps(app.handler(json.load(sys.stdin), None)))",
    "ruby": "require 'json'; require './app'; print JSON.dump(handler(event: JSON.parse(STDIN.read), context: nil))",
    "perl": "use JSON::PP; do './app.pl'; my $j = JSON::PP->new->allow_nonref; "
            "print $j->encode(handler($j->decode(join '', <STDIN>)))",
    "php": "require './app.php'; echo json_encode(handler(json_decode(stream_get_contents(STDIN)), null));",
}


def measure_isolated(name, task, path, options, scratch):
    flag = {"python": "-c", "php": "-r"}.get(name, "-e")
    bootstrap = [options.bin / "bootstrap"]
    command = f'{path} {flag} "' + EXEC[name].replace("\\", "\\\\").replace('"', '\\"') + '"'
    variables = {"OGNI_WAY": "exec", "OGNI_EXEC_COMMAND": command, "PYTHONPATH": str(task)}
    with (bootstrap_of(bootstrap, task, "app.handler", scratch, {"OGNI_PREFORK": "2"}) as prefork,
          bootstrap_of(bootstrap, task, "app.handler", scratch, variables) as run):
        fork_us, exec_us = alternate([prefork, run], options, lambda fork_us, exec_us: exec_us / fork_us)
    print(f"{name:8} prefork {fork_us:5.0f}   exec {exec_us:8.0f}   {exec_us / fork_us:4.1f} times", flush=True)


def measure_classic(options, scratch):
    task = scratch / "bash"
    classic = scratch / "bootstrap"
    shutil.copy(SOURCE / "bootstrap" / "default_bootstrap.sh", classic)
    with (bootstrap_of([options.bin / "bootstrap"], task, "app.handler", scratch) as worker,
          bootstrap_of(["bash", classic], task, "app.handler", scratch) as curl):
        worker_us, curl_us = alternate([worker, curl], options, lambda worker_us, curl_us: curl_us / worker_us)
    print(f"bash and curl {curl_us:.0f}: {curl_us / worker_us:.0f} times the bash worker ({worker_us:.0f})")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", type=Path, default=SOURCE / "build" / "bin")
    parser.add_argument("--seconds", type=float, default=2, help="for each measurement")
    parser.add_argument("--rounds", type=int, default=7, help="that the seconds are divided into")
    parser.add_argument("--only", help="languages, separated by commas")
    options = parser.parse_args()
    options.bin = options.bin.resolve()
    names = options.only.split(",") if options.only else list(LANGUAGES)
    scratch = Path(tempfile.mkdtemp(prefix="ogni-workers-"))
    try:
        measured = [name for name in names if measure_language(name, options, scratch)]
        if "bash" in measured:
            measure_classic(options, scratch)
    finally:
        shutil.rmtree(scratch)


if __name__ == "__main__":
    main()
