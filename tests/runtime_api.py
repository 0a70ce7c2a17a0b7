"""A Runtime API for one bootstrap, on a loopback socket: tests play the platform with it.

    with RuntimeApi() as api:
        start a bootstrap with AWS_LAMBDA_RUNTIME_API=api.address
        reply = api.invoke(b'{}', {"Lambda-Runtime-Trace-Id": "Root=1"})

One thread, no waiting without a deadline. Not a model of the real service: it checks no states.
"""

import selectors
import socket
import time


class NothingCame(Exception):
    """The bootstrap has not done what was waited for in time."""


class Request:
    """One request of the bootstrap: `kind` is "next", "response", "error", "init-error" or the request line."""

    def __init__(self, line, headers, body, trailers=None):
        self.line = line
        self.headers = headers
        self.body = body
        self.trailers = trailers or {}
        method, path, _ = line.split(" ", 2)
        self.kind = {
            "GET /2018-06-01/runtime/invocation/next": "next",
            "POST /2018-06-01/runtime/init/error": "init-error",
        }.get(f"{method} {path}", path.rsplit("/", 1)[-1] if "/invocation/" in path else line)

    def __repr__(self):
        return f"{self.line} {self.body[:2000]!r} {self.trailers or ''}"


class RuntimeApi:
    def __init__(self, deadline_seconds=60):
        self._deadline_seconds = deadline_seconds
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(deadline_seconds)
        self.address = "127.0.0.1:%d" % self._listener.getsockname()[1]
        self._connection = None
        self._buffer = bytearray()
        self._polled = False
        self._count = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.hang_up()
        self._listener.close()

    def hang_up(self):
        if self._connection:
            self._connection.close()
        self._connection = None
        self._buffer.clear()
        self._polled = False

    # --- what tests call ---

    def await_poll(self):
        """The request /next, or what the bootstrap sent instead (then a failure of its initialisation)."""
        if not self._polled:
            request = self.read()
            if request.kind != "next":
                self.answer("202 Accepted")
                return request
            self._polled = True
        return None

    def invoke(self, event, headers=None, deadline_ms=None):
        """Hands over an event and returns the answer to it."""
        instead = self.await_poll()
        if instead:
            return instead
        self.send_event(event, headers, deadline_ms)
        return self.read_answer()

    def read_answer(self):
        request = self.read()
        self.answer("202 Accepted")
        return request

    def send_event(self, event, headers=None, deadline_ms=None):
        self._polled = False
        self._count += 1
        fields = {
            "Lambda-Runtime-Aws-Request-Id": f"request-{self._count}",
            "Lambda-Runtime-Deadline-Ms": str(deadline_ms or int(time.time() * 1000) + 60000),
            "Lambda-Runtime-Invoked-Function-Arn": "arn:aws:lambda:eu-west-1:123456789012:function:greeter",
            "Content-Type": "application/json",
            **(headers or {}),
        }
        self.answer("200 OK", fields, event)

    @property
    def request_id(self):
        """Of the last invocation."""
        return f"request-{self._count}"

    # --- HTTP ---

    def answer(self, status, headers=None, body=b""):
        lines = [f"HTTP/1.1 {status}"] + [f"{name}: {value}" for name, value in (headers or {}).items()]
        lines.append(f"Content-Length: {len(body)}")
        try:
            self._connection.sendall("\r\n".join(lines).encode(errors="surrogateescape") + b"\r\n\r\n" + body)
        except OSError as error:
            raise NothingCame(f"the bootstrap has hung up: {error}") from None

    def read(self):
        """The bootstrap's next request, over whichever connection."""
        self._ends = time.monotonic() + self._deadline_seconds
        while True:
            try:
                if self._connection is None:
                    self._accept()
                return self._read_request()
            except (EOFError, ConnectionError):
                self.hang_up()

    def _accept(self):
        self._wait_for(self._listener)
        self._connection, _ = self._listener.accept()
        self._connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._connection.settimeout(self._deadline_seconds)

    def _wait_for(self, source):
        with selectors.DefaultSelector() as selector:
            selector.register(source, selectors.EVENT_READ)
            if not selector.select(max(0, self._ends - time.monotonic())):
                raise NothingCame("no request from the bootstrap in time")

    def _more(self):
        self._wait_for(self._connection)
        data = self._connection.recv(1 << 20)
        if not data:
            raise EOFError
        self._buffer += data

    def _take_through(self, mark):
        while mark not in self._buffer:
            self._more()
        end = self._buffer.index(mark) + len(mark)
        taken = bytes(self._buffer[:end])
        del self._buffer[:end]
        return taken

    def _take(self, count):
        while len(self._buffer) < count:
            self._more()
        taken = bytes(self._buffer[:count])
        del self._buffer[:count]
        return taken

    def _read_request(self):
        head = self._take_through(b"\r\n\r\n").decode("latin-1").split("\r\n")
        headers = parse_headers(head[1:])
        if headers.get("transfer-encoding", "").lower() == "chunked":
            body, trailers = self._read_chunks()
        else:
            body, trailers = self._take(int(headers.get("content-length", 0))), {}
        return Request(head[0], headers, body, trailers)

    def _read_chunks(self):
        body = bytearray()
        while True:
            size = int(self._take_through(b"\r\n").split(b";")[0], 16)
            if size == 0:
                break
            body += self._take(size)
            self._take(2)
        lines = []
        while (line := self._take_through(b"\r\n")) != b"\r\n":
            lines.append(line.decode("latin-1").rstrip("\r\n"))
        return bytes(body), parse_headers(lines)


def parse_headers(lines):
    pairs = (line.partition(":") for line in lines if ":" in line)
    return {name.strip().lower(): value.strip() for name, _, value in pairs}
