#!/usr/bin/python3
"""Measures the service beside the floor of the same run and prints a table of ratios.

Everything is measured twice: as it comes, and with caller, daemon and functions on one CPU, because on small virtual
machines a wake-up across CPUs costs more than everything else. Quote the ratios of the pinned run.

Example: benchmarks/run.py --bin build/bin --json result.json
"""

import argparse
import base64
import http.client
import io
import json
import os
import pathlib
import platform
import re
import select
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import zipfile

import environments
import floods
import sharing

LISTENING = "listening on http://127.0.0.1:"
ROLE = "arn:aws:iam::000000000000:role/benchmark"
TINY_BOOTSTRAP = b"#!/bin/sh\nexit 1\n"


class Failure(Exception):
    """What was to be measured does not work."""


def zip_of(files):
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            entry = zipfile.ZipInfo(name)
            entry.external_attr = 0o100755 << 16
            archive.writestr(entry, content, zipfile.ZIP_DEFLATED)
    return base64.b64encode(data.getvalue()).decode()


class Service:
    """The daemon on a port of its own; leaving the context ends it."""

    def __init__(self, options, prefix, data, *flags):
        self._command = [*prefix, str(options.bin / "ogni"), "serve", "--listen", "127.0.0.1:0", "--data", str(data),
                         "--log-level", "debug"]  # it says where the time of each cold start went
        if options.isolation:
            self._command += ["--isolation", options.isolation]
        self._command += flags

    def __enter__(self):
        self._errors = tempfile.TemporaryFile()
        started = time.monotonic()
        self._process = subprocess.Popen(self._command, stdout=subprocess.PIPE, stderr=self._errors)
        try:
            self.port = self._read_port(started + 30)
            self.ready_ms = (time.monotonic() - started) * 1000
            self._connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
            self.processor_time = self.call("GET", "/healthz")[1].getheader("Ogni-Processor-Time")
        except BaseException:
            self.__exit__()
            raise
        return self

    def cold_starts(self, name):
        """(launcher, sandbox, program to its first poll) of each cold start so far, in microseconds."""
        said = os.pread(self._errors.fileno(), 64 << 20, 0).decode(errors="replace")
        pattern = rf"cold start of {re.escape(name)}: launcher (\d+) µs, sandbox (\d+) µs, program to first poll (\d+) µs"
        return [tuple(map(int, times)) for times in re.findall(pattern, said)]

    def __exit__(self, *_):
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(30)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._process.stdout.close()
        self._errors.close()

    def _read_port(self, deadline):
        text = ""
        while time.monotonic() < deadline:
            readable, _, _ = select.select([self._process.stdout], [], [], deadline - time.monotonic())
            chunk = os.read(self._process.stdout.fileno(), 4096).decode() if readable else ""
            if not chunk:
                break
            text += chunk
            if LISTENING in text and "\n" in text.split(LISTENING, 1)[1]:
                return int(text.split(LISTENING, 1)[1].split()[0].rstrip("/"))
        self._errors.seek(0)
        raise Failure("the service did not start: " + self._errors.read().decode(errors="replace")[-2000:])

    def rss_mb(self):
        """Resident memory of the daemon: the largest process of the tree that was started."""
        return max(_rss_kb(pid) for pid in _tree(self._process.pid)) / 1024

    def call(self, method, path, body=None, headers=None):
        data = body if isinstance(body, (bytes, type(None))) else json.dumps(body).encode()
        self._connection.request(method, path, data, {"Content-Type": "application/json", **(headers or {})})
        response = self._connection.getresponse()
        answer = response.read()
        if response.status >= 300 or response.getheader("X-Amz-Function-Error"):
            raise Failure(f"{method} {path}: {response.status} {answer[:500].decode(errors='replace')}")
        return answer, response

    def wait_until_ready(self, name):
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            state = json.loads(self.call("GET", f"/2015-03-31/functions/{name}/configuration")[0])
            if state.get("State") == "Active" and state.get("LastUpdateStatus") == "Successful":
                return
            time.sleep(0.002)
        raise Failure(f"function {name} does not become active")

    def create(self, name, zip_base64, handler="bootstrap", runtime="provided.al2023"):
        body = {"FunctionName": name, "Runtime": runtime, "Role": ROLE, "Handler": handler, "Timeout": 30}
        self.call("POST", "/2015-03-31/functions", {**body, "Code": {"ZipFile": zip_base64}})

    def retire_environments(self, name, mark):
        """A changed configuration is served by new environments only."""
        self.call("PUT", f"/2015-03-31/functions/{name}/configuration", {"Description": f"run {mark}"})
        self.wait_until_ready(name)

    def invoke(self, name, payload=b"{}", headers=None):
        started = time.monotonic()
        _, response = self.call("POST", f"/2015-03-31/functions/{name}/invocations", payload, headers)
        return (time.monotonic() - started) * 1000, response


def _tree(root):
    children = {}
    for entry in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = entry.read_text().rsplit(")", 1)[1].split()
            children.setdefault(int(fields[1]), []).append(int(entry.parent.name))
        except (OSError, IndexError):
            continue  # it has ended meanwhile
    found, pending = [], [root]
    while pending:
        pid = pending.pop()
        found.append(pid)
        pending += children.get(pid, [])
    return found


def _rss_kb(pid):
    try:
        for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1])
    except OSError:
        pass
    return 0


def run_json(command, limit):
    result = subprocess.run(command, capture_output=True, text=True, timeout=limit)
    if result.returncode != 0:
        raise Failure(f"{command[len(command) > 3 and 3 or 0]}: {result.stdout[-500:]}{result.stderr[-500:]}")
    return json.loads(result.stdout)


def percentile(values, percent):
    ordered = sorted(values)
    return ordered[int(percent / 100 * (len(ordered) - 1))]


class Table:
    """Rows of name, value, unit, and the ratio to the floor with its target where there is one."""

    def __init__(self):
        self.rows = []

    def add(self, mode, name, value, unit, floor=None, target=None, met=None):
        ratio = None if floor is None else value / floor
        if met is not None:
            target = f"{target}: {'met' if met else 'missed'}"
        self.rows.append(
            {"mode": mode, "name": name, "value": round(value, 2), "unit": unit, "ratio": ratio and round(ratio, 2), "target": target}
        )
        shown = f"{ratio:6.2f} x floor" if ratio is not None else ""
        print(f"  {name:<44} {value:>12,.1f} {unit:<5} {shown:<16} {target or ''}", flush=True)


def measure_cold(table, mode, service, options, others):
    for name, target in (("hello-cpp", "at most 4, toward 2"), ("hello-bash", None)):
        times, inits = [], []
        for index in range(options.cold):
            service.retire_environments(name, index)
            times.append(service.invoke(name)[0])
        middle = statistics.median(times)
        if target:
            table.add(mode, f"cold start {name} p50", middle, "ms", others["floor"]["p50"] if "floor" in others else None,
                      target, middle <= 4)
            environments.compare_start(table, mode, middle, others)
        else:
            table.add(mode, f"cold start {name} p50", middle, "ms")
        table.add(mode, f"cold start {name} p99", percentile(times, 99), "ms")
        parts = service.cold_starts(name)[-options.cold:]
        steps = ("launcher: trees, /tmp, limits", "sandbox: until it listens", "mounts, exec and runtime's initialisation")
        medians = [statistics.median(column) / 1000 for column in zip(*parts)]
        for step, median in zip(steps, medians):
            table.add(mode, f"  {step}", median, "ms")
        if medians:
            table.add(mode, "  handler and the way of the answer", statistics.median(times) - sum(medians), "ms")
        # The answer with a log tail waits for the end of the invocation, so these are not timed.
        for index in range(5):
            service.retire_environments(name, f"tail {index}")
            _, response = service.invoke(name, headers={"X-Amz-Log-Type": "Tail"})
            log = base64.b64decode(response.getheader("X-Amz-Log-Result") or "").decode(errors="replace")
            if "Init Duration: " in log:
                inits.append(float(log.split("Init Duration: ", 1)[1].split()[0]))
        if inits:
            table.add(mode, f"  of which initialisation {name} p50", statistics.median(inits), "ms")


def measure_runtime(table, mode, prefix, options):
    """The library for functions: programs against a minimal Runtime API server, beside bare sockets and an empty program."""
    programs = options.bin / "benchmarks"
    echoes = {"C++": programs / "echo_cpp", "C": programs / "echo_c", "C, musl": programs / "echo_c_musl"}
    if os.environ.get("AWS_LAMBDA_CPP_ECHO"):
        echoes["aws-lambda-cpp"] = pathlib.Path(os.environ["AWS_LAMBDA_CPP_ECHO"]).resolve()
    given = [f"{name}={path}" for name, path in echoes.items() if path.exists()]
    command = [*prefix, str(programs / "runtime_programs"), "--json", "--empty", str(programs / "sandbox_bench_noop")]
    measured = run_json(command + given, 300)
    table.add(mode, "Runtime API on bare sockets", measured["bare_rate"], "/s")
    table.add(mode, "  6 MiB and back", measured["bare_large_ms"], "ms")
    table.add(mode, "empty program, start to end", measured["empty_us"], "us")
    for row in measured["programs"]:
        ours = row["name"] != "aws-lambda-cpp"
        table.add(mode, f"function in {row['name']}, warm", row["rate"], "/s", measured["bare_rate"],
                  "at least 20,000 /s and 0.9" if ours and mode.startswith("pinned") else None)
        table.add(mode, "  6 MiB and back", row["large_ms"], "ms", measured["bare_large_ms"])
        above = row["first_poll_us"] - measured["empty_us"]
        table.add(mode, "  start to first poll, above empty", above, "us", target="under 500" if ours else None)
        table.add(mode, "  size", row["bytes"] / 1000, "kB",
                  target={"C++": "under 1,000", "C, musl": "under 150"}.get(row["name"]))


def measure_sharing(table, mode, prefix, options):
    data = pathlib.Path(tempfile.mkdtemp(prefix="ogni-bench-"))
    hello = zip_of({"bootstrap": (options.bin / "examples/hello-cpp/bootstrap").read_bytes()})
    try:
        with Service(options, prefix, data / "neighbours") as service:
            print(f"  processor time: {service.processor_time}")
            sharing.measure_neighbour(table, mode, service, hello, zip_of({"bootstrap": sharing.HOG}))
        sharing.measure_thaw(table, mode, lambda *flags: Service(options, prefix, data / f"thaw{len(flags)}", *flags), hello)
    finally:
        shutil.rmtree(data, ignore_errors=True)


def measure_floods(table, mode, prefix, options):
    data = pathlib.Path(tempfile.mkdtemp(prefix="ogni-bench-"))
    hello = zip_of({"bootstrap": (options.bin / "examples/hello-cpp/bootstrap").read_bytes()})
    try:
        with Service(options, prefix, data / "data") as service:
            floods.measure_floods(table, mode, service, service.create, (hello, zip_of({"bootstrap": floods.PROGRAM})))
    finally:
        shutil.rmtree(data, ignore_errors=True)


def measure_warm(table, mode, prefix, options, service, floor):
    """The way of an invocation through the service, beside the same messages without it."""
    six, six64, large = floor["six", 1, 20], floor["six", 64, 20], floor["six", 1, 1 << 20]
    table.add(mode, "floor, six messages, p50", six["p50_us"], "us")
    table.add(mode, "floor, five messages, p50", floor["five", 1, 20]["p50_us"], "us")
    table.add(mode, "floor, six messages, 64 connections", six64["rate"], "/s")
    table.add(mode, "floor, six messages, 1 MiB, p50", large["p50_us"], "us")

    def load(connections, payload, requests):
        command = [*prefix, str(options.bin / "benchmarks/invoke_load"), "--json", "--port", str(service.port)]
        command += ["--function", "hello-cpp", "--connections", str(connections)]
        return run_json(command + ["--payload-bytes", str(payload), "--requests", str(requests)], 300)

    warm = load(1, 20, options.requests)
    table.add(mode, "warm hello-cpp p50", warm["p50_us"], "us", six["p50_us"], "at most 1.6, toward 1.25")
    table.add(mode, "warm hello-cpp p99", warm["p99_us"], "us", six["p99_us"])
    many = load(64, 20, options.requests)
    table.add(mode, "warm hello-cpp, 64 connections", many["rate"], "/s", six64["rate"], "at least 0.6, toward 0.8")
    echo = load(1, 1 << 20, max(10, options.requests // 50))
    table.add(mode, "1 MiB echo p50", echo["p50_us"], "us", large["p50_us"], "at most 1.5")
    table.add(mode, "daemon memory after load", service.rss_mb(), "MB")


def measure_service(table, mode, prefix, options):
    programs = options.bin / "benchmarks"
    floor = {}
    if options.only is None:
        for row in run_json([*prefix, str(programs / "floor"), "--json", "--requests", str(options.requests)], 300):
            floor[row["name"].split()[0], row["connections"], row["payload_bytes"]] = row
    others = environments.measure_floor(table, mode, prefix, programs)

    data = pathlib.Path(tempfile.mkdtemp(prefix="ogni-bench-"))
    try:
        with Service(options, prefix, data / "data") as service:
            print(f"  processor time: {service.processor_time}")
            table.add(mode, "daemon ready, empty", service.ready_ms, "ms", target="under 100")
            table.add(mode, "daemon memory, empty", service.rss_mb(), "MB", target="under 15")
            echo_zip = zip_of({"bootstrap": (options.bin / "examples/hello-cpp/bootstrap").read_bytes()})
            service.create("hello-cpp", echo_zip)
            bash = pathlib.Path(__file__).resolve().parent.parent / "examples/hello-bash"
            files = {name: (bash / name).read_bytes() for name in ("bootstrap", "hello.sh")}
            service.create("hello-bash", zip_of(files), handler="hello.handler")
            for name in ("hello-cpp", "hello-bash"):
                service.wait_until_ready(name)
                service.invoke(name)
            if floor:
                measure_warm(table, mode, prefix, options, service, floor)
            measure_cold(table, mode, service, options, others)
            before_kb = environments.available_kb()
            environments.measure_rate(table, mode, service, lambda name: service.create(name, echo_zip), options.density)
            environments.measure_density(table, mode, service, lambda: _tree(service._process.pid), before_kb,
                                         options.density)
            if options.only is None:
                tiny = zip_of({"bootstrap": TINY_BOOTSTRAP})
                for index in range(options.functions - 2):
                    service.create(f"function-{index}", tiny)
        with Service(options, prefix, data / "sustained", "--idle-timeout", "1") as service:
            environments.measure_sustained(table, mode, service, lambda name: service.create(name, echo_zip),
                                           options.sustained, others)
        if options.only is not None:
            return
        with Service(options, prefix, data / "data") as service:
            table.add(mode, f"daemon ready, {options.functions:,} functions", service.ready_ms, "ms", target="under 300")
            table.add(mode, f"daemon memory, {options.functions:,} functions", service.rss_mb(), "MB", target="under 40")
    finally:
        shutil.rmtree(data, ignore_errors=True)


def measure_mode(table, mode, prefix, options):
    print(f"\n{mode}")
    if options.only in (None, "runtime"):
        measure_runtime(table, mode, prefix, options)
    if options.only in (None, "sharing"):
        measure_sharing(table, mode, prefix, options)
    if options.only in (None, "floods"):
        measure_floods(table, mode, prefix, options)
    if options.only in (None, "environments"):
        measure_service(table, mode, prefix, options)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", type=pathlib.Path, default=pathlib.Path("build/bin"), help="where the programs are")
    parser.add_argument("--requests", type=int, default=20000, help="warm requests of each measurement")
    parser.add_argument("--cold", type=int, default=30, help="cold starts of each function")
    parser.add_argument("--functions", type=int, default=1000, help="functions of the full catalogue")
    parser.add_argument("--density", type=int, default=1000, help="environments that exist at once")
    parser.add_argument("--sustained", type=int, default=2000, help="cold starts while as many environments end")
    parser.add_argument("--isolation", help="passed on to the service")
    parser.add_argument("--mode", choices=["both", "pinned", "free"], default="both")
    parser.add_argument("--only", choices=["runtime", "sharing", "floods", "environments"],
                        help="the library for functions, without the service; environments beside each other, or beside floods; or their starts")
    parser.add_argument("--json", type=pathlib.Path, help="write the rows there as well")
    options = parser.parse_args()
    options.bin = options.bin.resolve()

    cpu = next((l.split(":")[1].strip() for l in open("/proc/cpuinfo") if l.startswith("model name")), "unknown")
    machine = {"cpu": cpu, "cpus": os.cpu_count(), "kernel": platform.release()}
    print(f"{cpu}, {os.cpu_count()} CPUs, Linux {platform.release()}, {options.requests:,} requests a measurement")
    table = Table()
    modes = {"free": ("as it comes", []), "pinned": ("pinned to one CPU", ["taskset", "-c", "0"])}
    try:
        for key, (mode, prefix) in modes.items():
            if options.mode in ("both", key):
                measure_mode(table, mode, prefix, options)
    except (Failure, OSError, subprocess.TimeoutExpired) as failure:
        print(f"run.py: {failure}", file=sys.stderr)
        return 1
    if options.json:
        options.json.write_text(json.dumps({"machine": machine, "rows": table.rows}, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
