"""What run.py measures of environments beside each other and of idle ones: a neighbour's latency next to a processor
hog, and what it costs to thaw."""

import http.client
import statistics
import threading
import time

HOG = b"""#!/bin/bash
API="http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime"
while true; do
  ID="$(curl -sS -D - -o /dev/null "$API/invocation/next" | grep -i '^Lambda-Runtime-Aws-Request-Id:' | tr -d '\\r' | cut -d' ' -f2)"
  for _ in 1 2 3 4; do timeout 12 bash -c 'while :; do :; done' & done
  wait
  curl -sS -o /dev/null -X POST --data 1 "$API/invocation/$ID/response"
done
"""
NEVER_MS = 86_400_000
IDLE_SECONDS = 0.25  # more than the 100 ms after which an environment is frozen
THAWS = 60


def _create(service, name, zip_base64, memory_mb):
    body = {"FunctionName": name, "Runtime": "provided.al2023", "Role": "arn:aws:iam::000000000000:role/benchmark",
            "Handler": "bootstrap", "Timeout": 60, "MemorySize": memory_mb, "Code": {"ZipFile": zip_base64}}
    service.call("POST", "/2015-03-31/functions", body)
    service.wait_until_ready(name)


def _percentile(values, percent):
    return sorted(values)[min(len(values) - 1, len(values) * percent // 100)]


def measure_neighbour(table, mode, service, hello_zip, hog_zip):
    """One hostile environment of 1,769 MB with four busy processes; the neighbour has 1,769 MB, too."""
    _create(service, "neighbour", hello_zip, 1769)
    _create(service, "hog", hog_zip, 1769)
    service.invoke("neighbour")

    def times(seconds):
        found, until = [], time.monotonic() + seconds
        while time.monotonic() < until:
            found.append(service.invoke("neighbour")[0] * 1000)
        return found

    alone = times(8)

    def spin():
        connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=90)
        connection.request("POST", "/2015-03-31/functions/hog/invocations", b"{}")
        connection.getresponse().read()
        connection.close()

    hog = threading.Thread(target=spin)
    hog.start()
    time.sleep(2)
    beside = times(8)
    hog.join()
    table.add(mode, "neighbour alone, p50", statistics.median(alone), "us")
    table.add(mode, "neighbour alone, p99", _percentile(alone, 99), "us")
    table.add(mode, "neighbour beside a hog, p50", statistics.median(beside), "us")
    p99, p99_alone = _percentile(beside, 99), _percentile(alone, 99)
    target = ("at most 2 x alone", p99 <= 2 * p99_alone) if mode.startswith("as") else ()  # on one CPU the hog has its part
    table.add(mode, "neighbour beside a hog, p99", p99, "us", p99_alone, *target)


def measure_thaw(table, mode, start, hello_zip):
    """The same pause before each invocation, with and without freezing, in turn on two services."""
    with start() as freezing, start("--freeze-after", str(NEVER_MS)) as running:
        found = {freezing: [], running: []}
        for service in found:
            _create(service, "idle", hello_zip, 128)
            service.invoke("idle")
        for _ in range(THAWS):
            for service, times in found.items():  # each after a pause of its own: the first after one is the slowest
                time.sleep(IDLE_SECONDS)
                times.append(service.invoke("idle")[0] * 1000)
        frozen, warm = (statistics.median(times) for times in found.values())
    table.add(mode, "after a pause, never frozen, p50", warm, "us")
    table.add(mode, "after a pause, thawed, p50", frozen, "us")
    table.add(mode, "  thaw adds", frozen - warm, "us", target="at most 200", met=frozen - warm <= 200)
