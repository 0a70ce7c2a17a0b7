#!/usr/bin/python3
"""What the worker of each language costs a warm invocation, beside the least that its interpreter can do.

    loop     a tight loop of the interpreter over the worker's descriptors, without handler, context or errors
    whole    an invocation through the bootstrap, with a platform in Python
    base     the same with a function in C++ (examples/hello-cpp): the client and the platform, without a worker
    ratio    whole / (loop + base)

Prefork is an invocation with OGNI_PREFORK=2, where each has a process of its own that was forked after the handler was
loaded; exec is the same handler's interpreter started for each invocation (the exec way). The last lines are the bash worker beside the classic bootstrap of bash and curl. Times are medians in microseconds.
"""

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
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
    for _ in range(30):
        exchange()
    times = []
    ends = time.monotonic() + seconds
    while time.monotonic() < ends or len(times) < 20:
        began = time.perf_counter()
        exchange()
        times.append(time.perf_counter() - began)
    return statistics.median(times) * 1e6


def measure_loop(command, seconds):
    """The exchange over the bare descriptors of a program that speaks the worker protocol."""
    requests_read, requests = os.pipe()
    replies, replies_write = os.pipe()
    high = [os.dup2(requests_read, 60), os.dup2(replies_write, 61)]
    for descriptor in high:
        os.set_inheritable(descriptor, True)
    process = subprocess.Popen(["bash", "-c", 'exec 3<&60 4>&61 60<&- 61>&-; exec "$@"', "-", *command],
                               pass_fds=high, stdin=subprocess.DEVNULL)
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

        return median_us(exchange, seconds)
    finally:
        os.close(requests)
        process.wait(10)
        os.close(replies)


def measure_bootstrap(program, task, handler, seconds, variables=None):
    with RuntimeApi(60) as api:
        environment = {"AWS_LAMBDA_RUNTIME_API": api.address, "LAMBDA_TASK_ROOT": str(task), "_HANDLER": handler,
                       "PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8", **(variables or {})}
        process = subprocess.Popen(program, env=environment, cwd=task, stdin=subprocess.DEVNULL,
                                   stdout=subprocess.DEVNULL)
        try:
            def exchange():
                answer = api.invoke(EVENT)
                if answer.kind != "response":
                    raise RuntimeError(str(answer))

            return median_us(exchange, seconds)
        finally:
            process.kill()
            process.wait(10)


def measure_language(name, options, scratch):
    extension, interpreter, run, loop, handler = LANGUAGES[name]
    path = shutil.which(interpreter)
    if not path:
        print(f"{name:8} no {interpreter} here")
        return None
    task = scratch / name
    task.mkdir()
    (task / f"app.{extension}").write_text(handler + "\n")
    command = [path, *run, loop]
    if "{file}" in run:
        file = scratch / f"{name}-loop"
        file.write_text(loop)
        command = [path, *[argument.replace("{file}", str(file)) for argument in run]]
    loop_us = measure_loop(command, options.seconds)
    # Beside each language: what else the machine does changes from one minute to the next.
    base = measure_bootstrap([options.bin / "examples" / "hello-cpp" / "bootstrap"], scratch, "bootstrap", options.seconds)
    whole_us = measure_bootstrap([options.bin / "bootstrap"], task, "app.handler", options.seconds)
    print(f"{name:8} loop {loop_us:7.0f}   whole {whole_us:7.0f}   base {base:5.0f}   ratio {whole_us / (loop_us + base):5.2f}",
          flush=True)
    if name in EXEC:
        measure_isolated(name, task, path, options)
    return whole_us


# A fresh interpreter per invocation: the same file, with a call of its handler.
EXEC = {
    "python": "import sys, json, app; sys.stdout.write(json.dumps(app.handler(json.load(sys.stdin), None)))",
    "ruby": "require 'json'; require './app'; print JSON.dump(handler(event: JSON.parse(STDIN.read), context: nil))",
    "perl": "use JSON::PP; do './app.pl'; my $j = JSON::PP->new->allow_nonref; "
            "print $j->encode(handler($j->decode(join '', <STDIN>)))",
    "php": "require './app.php'; echo json_encode(handler(json_decode(stream_get_contents(STDIN)), null));",
}


def measure_isolated(name, task, path, options):
    flag = {"python": "-c", "php": "-r"}.get(name, "-e")
    bootstrap = [options.bin / "bootstrap"]
    fork_us = measure_bootstrap(bootstrap, task, "app.handler", options.seconds, {"OGNI_PREFORK": "2"})
    command = f'{path} {flag} "' + EXEC[name].replace("\\", "\\\\").replace('"', '\\"') + '"'
    exec_us = measure_bootstrap(bootstrap, task, "app.handler", options.seconds,
                                {"OGNI_WAY": "exec", "OGNI_EXEC_COMMAND": command, "PYTHONPATH": str(task)})
    print(f"{name:8} prefork {fork_us:5.0f}   exec {exec_us:8.0f}   {exec_us / fork_us:4.1f} times", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", type=Path, default=SOURCE / "build" / "bin")
    parser.add_argument("--seconds", type=float, default=2, help="for each measurement")
    parser.add_argument("--only", help="languages, separated by commas")
    options = parser.parse_args()
    options.bin = options.bin.resolve()
    names = options.only.split(",") if options.only else list(LANGUAGES)
    scratch = Path(tempfile.mkdtemp(prefix="ogni-workers-"))
    try:
        whole = {name: measure_language(name, options, scratch) for name in names}
        if whole.get("bash"):
            classic = scratch / "bootstrap"
            shutil.copy(SOURCE / "bootstrap" / "default_bootstrap.sh", classic)
            curl_us = measure_bootstrap(["bash", classic], scratch / "bash", "app.handler", options.seconds)
            print(f"bash and curl {curl_us:.0f}: {curl_us / whole['bash']:.0f} times the bash worker")
    finally:
        shutil.rmtree(scratch)


if __name__ == "__main__":
    main()
