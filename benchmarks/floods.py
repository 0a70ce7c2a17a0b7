"""What run.py measures of a neighbour beside environments that flood: their log, their Runtime API, the daemon's own API."""

import json
import socket
import statistics
import threading
import time

ENVIRONMENTS = 8
SECONDS = 4
# Asks for an event, does for so many seconds what it says, and answers.
PROGRAM = rb"""#!/usr/bin/python3
import http.client, json, os, socket, threading, time
address = os.environ["AWS_LAMBDA_RUNTIME_API"]
host, port = address.split(":")
API = "/2018-06-01/runtime/invocation/"

def connect():
    return socket.create_connection((host, int(port)))
def until(end, step):
    while time.monotonic() < end:
        try: step()
        except OSError: pass
def printing(text):
    return lambda end: until(end, lambda: os.write(1, text))
def sending(text, connections=64):
    # Keeps so many connections full, and throws away what they answer. At the end it leaves none behind: those would be
    # part of the next flood.
    def send(end):
        open_ones = set()
        def one():
            while time.monotonic() < end:
                try:
                    with connect() as connection:
                        open_ones.add(connection)
                        def read():
                            try:
                                while connection.recv(1 << 16): pass
                            except OSError: pass
                        reader = threading.Thread(target=read, daemon=True)
                        reader.start()
                        try:
                            while time.monotonic() < end: connection.sendall(text)
                        finally:
                            open_ones.discard(connection)
                            try: connection.shutdown(socket.SHUT_RDWR)
                            except OSError: pass
                            reader.join()
                except OSError: pass
        threads = [threading.Thread(target=one, daemon=True) for _ in range(connections)]
        for thread in threads: thread.start()
        time.sleep(max(0, end - time.monotonic()))
        while any(thread.is_alive() for thread in threads):
            for connection in list(open_ones):
                try: connection.shutdown(socket.SHUT_RDWR)
                except OSError: pass
            for thread in threads: thread.join(0.001)
    return send
def churn(end):
    def step():
        with connect() as connection: connection.sendall(b"GET /2018-06-01/ping HTTP/1.1\r\n")
    until(end, step)
def answer_in(pieces):
    def send(end):
        with connect() as connection:
            connection.sendall(b"POST " + (API + request_id).encode() + b"/response HTTP/1.1\r\nHost: x\r\n" + pieces[0])
            until(end, lambda: connection.sendall(pieces[1]))
    return send
def slow(end):
    with connect() as connection:
        connection.sendall(b"POST " + (API + request_id).encode()
                           + b"/response HTTP/1.1\r\nHost: x\r\nContent-Length: 6000000\r\n\r\n" + bytes(5_000_000))
        until(end, lambda: (connection.sendall(bytes(1000)), time.sleep(0.001)))
KINDS = {
    "spin": lambda end: until(end, lambda: None),
    "empty lines": printing(b"\n" * 65536),
    "long lines": printing(b"x" * 65536),
    "lines that are no UTF-8": printing((b"\xff\xc3\x1b[" * 20 + b"\n") * 800),
    "END and REPORT lines": printing(b"END RequestId: x\nREPORT RequestId: x\tDuration: 1 ms\n" * 1000),
    "requests in pipelines": sending(b"GET /2018-06-01/ping HTTP/1.1\r\nHost: x\r\n\r\n" * 500),
    "answers to nothing": sending((b"POST " + API.encode() + b"none/response HTTP/1.1\r\nContent-Length: 1\r\n\r\n1") * 300),
    "init errors": sending(b"POST /2018-06-01/runtime/init/error HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}" * 300),
    "unknown paths": sending(b"GET /" + b"%ff" * 20 + b" HTTP/1.1\r\n\r\n" * 1),
    "what is not HTTP": sending(b"\x16\x03\x01" * 100),
    "large heads": sending(b"GET /2018-06-01/ping HTTP/1.1\r\nX: " + b"x" * 1_000_000 + b"\r\n\r\n", 8),
    "heads of many fields": sending(b"GET /2018-06-01/ping HTTP/1.1\r\n" + b"a:\r\n" * 200_000 + b"\r\n", 8),
    "connections": churn,
    "half requests": sending(b"GET /2018-06-01/ping HTTP/1.1\r\nX: x"),
    "bodies of tiny chunks": answer_in((b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n" * 2000)),
    "slow bodies": slow,
}
connection = http.client.HTTPConnection(address)
while True:
    connection.request("GET", API + "next")
    answer = connection.getresponse()
    event = json.loads(answer.read())
    request_id = answer.getheader("Lambda-Runtime-Aws-Request-Id")
    if event.get("do") == "exit": os._exit(1)
    if event.get("do"): KINDS[event["do"]](time.monotonic() + event["seconds"])
    connection.request("POST", API + request_id + "/response", "1")
    connection.getresponse().read()
"""
KINDS = ["spin", "empty lines", "long lines", "lines that are no UTF-8", "END and REPORT lines", "requests in pipelines",
         "answers to nothing", "init errors", "unknown paths", "what is not HTTP", "large heads", "heads of many fields",
         "connections", "half requests", "bodies of tiny chunks", "slow bodies"]


def _bare(payload, name):
    return (f"POST /2015-03-31/functions/{name}/invocations HTTP/1.1\r\nHost: localhost\r\n"
            f"Content-Length: {len(payload)}\r\n\r\n{payload}").encode()


def _invoke(service, name, payload):
    """One invocation on a connection of its own, however it ends."""
    with socket.create_connection(("127.0.0.1", service.port), timeout=60) as connection:
        connection.sendall(_bare(payload, name))
        connection.recv(65536)


def _in_threads(work, count):
    def start(seconds):
        end = time.monotonic() + seconds

        def one(number):
            while time.monotonic() < end:
                try:
                    work(number, end)
                except OSError:
                    pass
        threads = [threading.Thread(target=one, args=(number,)) for number in range(count)]
        for thread in threads:
            thread.start()
        return threads
    return start


def _host_floods(service):
    """What callers do, by its name."""
    def follow(number, end):
        with socket.create_connection(("127.0.0.1", service.port), timeout=60) as connection:
            connection.sendall(f"GET /_ogni/functions/flood-{number}/logs?follow=1 HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            threading.Thread(target=_invoke, args=(service, f"flood-{number}", json.dumps(
                {"do": "END and REPORT lines", "seconds": end - time.monotonic()}))).start()
            time.sleep(max(0, end - time.monotonic()))  # reads nothing

    def pipeline(_, end):
        with socket.create_connection(("127.0.0.1", service.port), timeout=60) as connection:
            def read():
                try:
                    while connection.recv(1 << 16):
                        pass
                except OSError:
                    pass
            threading.Thread(target=read, daemon=True).start()
            while time.monotonic() < end:
                connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n" * 500)

    return {"programs that exit": _in_threads(lambda number, _: _invoke(service, f"flood-{number}", '{"do":"exit"}'),
                                              ENVIRONMENTS),
            "followers that do not read": _in_threads(follow, ENVIRONMENTS),
            "callers with pipelines": _in_threads(pipeline, ENVIRONMENTS)}


def measure_floods(table, mode, service, create, zips, seconds=SECONDS):
    """`zips` are those of the neighbour and of PROGRAM."""
    create("neighbour", zips[0])
    for number in range(ENVIRONMENTS):
        create(f"flood-{number}", zips[1])
        service.wait_until_ready(f"flood-{number}")
        service.invoke(f"flood-{number}", b"{}")
    service.wait_until_ready("neighbour")
    service.invoke("neighbour")

    def p50(length):
        found, end = [], time.monotonic() + length
        while time.monotonic() < end:
            found.append(service.invoke("neighbour")[0] * 1000)
        return statistics.median(found)

    def in_functions(kind):
        payload = json.dumps({"do": kind, "seconds": seconds + 1})
        threads = [threading.Thread(target=_invoke, args=(service, f"flood-{number}", payload))
                   for number in range(ENVIRONMENTS)]
        for thread in threads:
            thread.start()
        return threads

    starts = {kind: lambda _, kind=kind: in_functions(kind) for kind in KINDS}
    starts.update(_host_floods(service))
    for kind, start in starts.items():
        alone = p50(seconds / 2)
        threads = start(seconds + 1)
        time.sleep(1)
        beside = p50(seconds - 0.5)
        for thread in threads:
            thread.join()
        table.add(mode, f"neighbour, 8 x {kind}, p50", beside, "us", alone,
                  "at most 3 x alone" if mode.startswith("as") else None,
                  beside <= 3 * alone if mode.startswith("as") else None)
    table.add(mode, "  daemon memory after the floods", service.rss_mb(), "MB")
