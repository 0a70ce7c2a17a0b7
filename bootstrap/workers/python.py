# The Python worker: loads the handler once and serves invocations as docs/worker-protocol.md says. It behaves as AWS's
# own Python runtime towards the handler. What only some functions use (logging, traceback) is imported when they do,
# because every cold start pays for this file.
import io
import json
import os
import sys
import time
import types

_MANAGED = os.environ.get("AWS_EXECUTION_ENV", "").startswith("AWS_Lambda_python")
_JSON_LOG = os.environ.get("AWS_LAMBDA_LOG_FORMAT", "").upper() == "JSON"
_TIME = "%Y-%m-%dT%H:%M:%SZ"  # of an entry in JSON
_REQUESTS, _REPLIES = 3, 4
# As AWS does: up to 3.11 everything beyond ASCII is escaped in JSON, from 3.12 on it is UTF-8.
_ESCAPE = sys.version_info < (3, 12)
# As the platform says it, whatever a handler makes of its environment.
_FUNCTION = tuple(
    os.environ.get("AWS_LAMBDA_" + name)
    for name in ("LOG_GROUP_NAME", "LOG_STREAM_NAME", "FUNCTION_NAME", "FUNCTION_MEMORY_SIZE", "FUNCTION_VERSION")
)
_HIGH = 900  # below the usual limit of 1024 descriptors, above what a handler closes by number


class _Fault(Exception):
    """A failure that is the runtime's to name, not an exception of the handler."""

    def __init__(self, type_name, message, trace=()):
        super().__init__(message)
        self.type_name = type_name
        self.trace = list(trace)


class _Fields:
    """An object whose attributes come from a dictionary; absent ones are None."""

    _names = ()

    def __init__(self, values):
        for name in self._names:
            setattr(self, name, values.get(name))

    def __repr__(self):
        pairs = ",".join(f"{name}={getattr(self, name)}" for name in self._names)
        return f"{type(self).__name__}([{pairs}])"


class Client(_Fields):
    _names = ("installation_id", "app_title", "app_version_name", "app_version_code", "app_package_name")


class ClientContext(_Fields):
    _names = ("custom", "env", "client")

    def __init__(self, values):
        super().__init__(values)
        if self.client is not None:
            self.client = Client(self.client)


class CognitoIdentity(_Fields):
    _names = ("cognito_identity_id", "cognito_identity_pool_id")

    def __init__(self, values):
        self.cognito_identity_id = values.get("cognitoIdentityId")
        self.cognito_identity_pool_id = values.get("cognitoIdentityPoolId")


class LambdaContext:
    """What the handler gets as its second argument."""

    def __init__(self, fields):
        self.aws_request_id = fields.get("request_id", "")
        (
            self.log_group_name,
            self.log_stream_name,
            self.function_name,
            self.memory_limit_in_mb,
            self.function_version,
        ) = _FUNCTION
        self.invoked_function_arn = fields.get("invoked_function_arn")
        self.tenant_id = fields.get("tenant_id")
        client = fields.get("client_context")
        self.client_context = ClientContext(_parse_field(client, "Client Context")) if client else None
        identity = fields.get("cognito_identity")
        self.identity = CognitoIdentity(_parse_field(identity, "Cognito Identity") if identity else {})
        self._deadline_ms = int(fields.get("deadline_ms", 0))

    def get_remaining_time_in_millis(self):
        return max(0, self._deadline_ms - int(time.time() * 1000))

    def log(self, message):
        sys.stdout.write(str(message))

    def __repr__(self):
        names = [name for name in vars(self) if not name.startswith("_")]
        return "LambdaContext([" + ",".join(f"{name}={getattr(self, name)}" for name in names) + "])"


def _parse_field(text, title):
    try:
        value = json.loads(text)
        if not isinstance(value, dict):
            raise ValueError("not an object")
        return value
    except Exception as error:
        raise _Fault("Runtime.LambdaContextUnmarshalError", f"Unable to parse {title} JSON: {error}") from None


_from_json = json.JSONDecoder().decode


def _parse_event(event):
    try:
        return _from_json(event.decode())
    except Exception:
        pass  # no UTF-8, or a byte order mark; or no JSON
    try:
        return json.loads(event)
    except Exception as error:
        raise _Fault("Runtime.UnmarshalError", f"Unable to unmarshal input: {error}") from None


class _Numbers:
    """Lets the encoder print decimal.Decimal as a number with all its digits.

    The encoder prints only its own number types bare, so a Decimal goes in as a string under a mark that no string
    of the handler can hold by accident, and the mark and its quotes are taken away afterwards.
    """

    def __init__(self):
        self._mark = None
        self._to_json = json.JSONEncoder(default=self.default, ensure_ascii=_ESCAPE).encode

    def default(self, value):
        decimal = sys.modules.get("decimal")
        if decimal is not None and isinstance(value, decimal.Decimal):
            if value.is_nan():
                return float("nan")
            if self._mark is None:
                self._mark = "decimal:" + os.urandom(16).hex() + ":"
            return self._mark + str(value)
        if isinstance(value, bytes):
            return value.decode()
        raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")

    def encode(self, value):
        self._mark = None
        text = self._to_json(value)
        if self._mark is not None:
            import re

            text = re.sub('"' + self._mark + '([^"]*)"', r"\1", text)
        return text.encode()


class _LogFile(io.FileIO):
    """A file that takes all that it is given, also where a process has made the pipe non-blocking."""

    def write(self, data):
        rest = memoryview(data).cast("B")
        total = len(rest)
        while rest:
            try:
                rest = rest[os.write(self.fileno(), rest) :]
            except BlockingIOError:
                import select

                select.select([], [self.fileno()], [])
        return total


class _LogStream(io.TextIOWrapper):
    """Text that is in the log when write() returns, as with AWS: what kills the process later does not take it along."""

    def write(self, text):
        count = super().write(text)
        self.flush()
        return count

    def writelines(self, lines):
        super().writelines(lines)
        self.flush()


class _Channel:
    """The private pair of descriptors, moved out of the handler's way."""

    def __init__(self, requests=_REQUESTS, replies=_REPLIES):
        self._requests = self._move(requests)
        self._replies = self._move(replies)
        self.names_request = b""  # the line of a head, once there is a request
        self.claim()

    def close(self):
        os.close(self._requests)
        os.close(self._replies)

    def claim(self):
        """Makes the calling process the one that answers."""
        self._owner = os.getpid()

    @staticmethod
    def _move(descriptor):
        import fcntl

        for lowest in (_HIGH, 200, 10):
            try:
                moved = fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, lowest)
            except OSError:
                continue
            os.close(descriptor)
            return moved
        return descriptor

    def receive(self):
        """The next request as (kind, fields, event), or None when there will be no more."""
        data = os.read(self._requests, 65536)
        if not data:
            return None
        while b"\n" not in data:
            data += self._more()
        line, data = data.split(b"\n", 1)
        kind, head_bytes, body_bytes = line.split(b" ")
        head_bytes = int(head_bytes)
        total = head_bytes + int(body_bytes)
        if len(data) < total:
            whole = bytearray(total)
            whole[: len(data)] = data
            rest = memoryview(whole)[len(data) :]
            while rest:
                count = os.readv(self._requests, [rest])
                if count == 0:
                    raise EOFError("the request ended early")
                rest = rest[count:]
            data = whole
        head = data[:head_bytes].decode("utf-8", "replace")
        return kind, dict([item.split("=", 1) for item in head.split("\n") if "=" in item]), bytes(data[head_bytes:])

    def _more(self):
        data = os.read(self._requests, 65536)
        if not data:
            raise EOFError("the request ended early")
        return data

    def send(self, kind, head=b"", body=b""):
        if os.getpid() != self._owner:  # a process that the handler forked and that came back: the channel is not its own
            os._exit(0)
        head = self.names_request + head
        frame = b"%s %d %d\n%s%s" % (kind, len(head), len(body), head, body)
        written = os.write(self._replies, frame)
        if written < len(frame):
            rest = memoryview(frame)[written:]
            while rest:
                rest = rest[os.write(self._replies, rest) :]


class _Runtime:
    def __init__(self, channel, options):
        self._channel = channel
        self._numbers = _Numbers()
        self._request_id = ""
        self._tenant_id = None
        self._options = options

    def prepare(self):
        """The process as a handler expects it: paths, streams, logging."""
        task_root = os.environ.get("LAMBDA_TASK_ROOT", "/var/task")
        layers = self._options["opt"] + "/python"
        version = f"python{sys.version_info.major}.{sys.version_info.minor}"
        sys.path[0:1] = [task_root, f"{layers}/lib/{version}/site-packages", layers]
        sys.argv = ["/var/runtime/bootstrap"]
        for name, descriptor in (("stdout", 1), ("stderr", 2)):
            file = _LogFile(descriptor, "w", closefd=False)
            file.name = f"<{name}>"
            stream = _LogStream(io.BufferedWriter(file), "utf-8", getattr(sys, name).errors)
            stream.mode = "w"
            setattr(sys, name, stream)
            setattr(sys, f"__{name}__", stream)
        sys.meta_path.insert(0, _LoggingFinder(self))
        wanted = os.environ.get("AWS_EXECUTION_ENV", "")[len("AWS_Lambda_") :] if _MANAGED else version
        if wanted != version:
            message = f"ogni: {wanted} runs on {version}, which is the version that is here"
            now = time.strftime(_TIME, time.gmtime())
            entry = {"timestamp": now, "level": "WARNING", "message": message}
            _log(_json_line(entry).rstrip("\n") if _JSON_LOG else message)

    def load(self, name):
        import importlib

        module_name, dot, function_name = name.rpartition(".")
        if not dot:
            problem = "not enough values to unpack (expected 2, got 1)"
            raise _Fault("Runtime.MalformedHandlerName", f"Bad handler '{name}': {problem}")
        if module_name.split(".")[0] in sys.builtin_module_names:
            message = f"Cannot use built-in module {module_name} as a handler module"
            raise _Fault("Runtime.BuiltInModuleConflict", message)
        try:
            module = importlib.import_module(module_name.replace("/", "."))
        except ImportError as error:
            raise _Fault("Runtime.ImportModuleError", f"Unable to import module '{module_name}': {error}") from None
        except SyntaxError as error:
            trace = [f'  File "{error.filename}" Line {error.lineno}\n    {error.text}']
            message = f"Syntax error in module '{module_name}': {error}"
            raise _Fault("Runtime.UserCodeSyntaxError", message, trace) from None
        if not hasattr(module, function_name):
            message = f"Handler '{function_name}' missing on module '{module_name}'"
            raise _Fault("Runtime.HandlerNotFound", message)
        return getattr(module, function_name)

    def serve(self):
        try:
            handler = self.load(os.environ.get("_HANDLER", ""))
        except Exception as error:
            self._fail(b"init-error", error)
            return
        self._flush()
        self._channel.send(b"ready", b"forks=yes\nnames_requests=yes\n")
        while True:
            request = self._channel.receive()
            if request is None:
                return
            kind, fields, event = request
            del request
            if kind == b"fork":
                self._fork(fields)
                continue
            self._request_id = fields.get("request_id", "")
            self._channel.names_request = b"request_id=%s\n" % self._request_id.encode()
            self._tenant_id = fields.get("tenant_id")
            trace_id = fields.get("trace_id")
            if trace_id:
                os.environ["_X_AMZN_TRACE_ID"] = trace_id
            elif b"_X_AMZN_TRACE_ID" in getattr(os.environ, "_data", (b"_X_AMZN_TRACE_ID",)):
                os.environ.pop("_X_AMZN_TRACE_ID", None)  # which is slow where there is none
            try:
                content_type, result = self._call(handler, fields, event)
            except Exception as error:
                self._fail(b"error", error)
            else:
                if content_type is None:
                    self._stream(result)
                    continue
                self._flush()
                self._channel.send(b"result", b"content_type=" + content_type + b"\n", result)
                del result

    def _fork(self, fields):
        """Returns in this process and in the new one, which is another's child and has descriptors of its own."""
        try:
            own = _Channel(os.open(fields["requests"], os.O_RDONLY), os.open(fields["replies"], os.O_WRONLY))
            reading, writing = os.pipe()
            self._flush()
            between = os.fork()
        except OSError as error:
            self._fail(b"error", error)
            return
        if between == 0:
            try:
                process = os.fork()
                if process == 0:
                    self._channel.close()
                    self._channel = own
                    own.claim()
                    os.close(reading)
                    os.close(writing)
                    return
                os.write(writing, b"%d" % process)
            finally:
                if self._channel is not own:
                    os._exit(0)
        os.close(writing)
        own.close()
        process = os.read(reading, 20)
        os.close(reading)
        os.waitpid(between, 0)
        self._channel.send(b"forked", b"process=%s\n" % process)

    def _call(self, handler, fields, event):
        context = LambdaContext(fields)
        if fields.get("content_type", "application/json") == "application/json":
            event = _parse_event(event)
        result = handler(event, context)
        if isinstance(result, types.GeneratorType) and not _MANAGED:
            return None, (context, result)
        if isinstance(result, bytes):
            return b"application/unknown", result
        try:
            return b"application/json", self._numbers.encode(result)
        except Exception as error:
            raise _Fault("Runtime.MarshalError", f"Unable to marshal response: {error}") from None

    # Beyond what AWS's runtime can: a generator of str or bytes is a streamed response.
    def _stream(self, answer):
        context, pieces = answer
        begun = False
        try:
            for piece in pieces:
                data = piece.encode() if isinstance(piece, str) else bytes(memoryview(piece))
                self._channel.send(b"chunk" if begun else b"stream", b"" if begun else _type_of(context), data)
                begun = True
            if not begun:
                self._channel.send(b"stream", _type_of(context))
            self._flush()
            self._channel.send(b"end")
        except Exception as error:
            self._fail(b"error", error)

    def _fail(self, kind, error):
        import traceback

        try:
            message = str(error)
        except Exception:
            message = "the exception cannot be printed"
        if isinstance(error, _Fault):
            type_name, stack = error.type_name, error.trace
        else:
            type_name = type(error).__name__
            frames = traceback.extract_tb(error.__traceback__)
            while frames and frames[0].filename == __file__:
                del frames[0]
            stack = traceback.format_list([(f.filename, f.lineno, f.name, f.line) for f in frames])
        report = {"errorMessage": message, "errorType": type_name, "requestId": self._request_id, "stackTrace": stack}
        if _JSON_LOG:
            now = time.strftime(_TIME, time.gmtime())
            _log(_json_line({"timestamp": now, "log_level": "ERROR", **report}).rstrip("\n"))
        else:
            title = f"[ERROR] {type_name}: {message}" if message else f"[ERROR] {type_name}"
            lines = [line for entry in stack for line in entry.splitlines()]
            _log("\n".join([title, "Traceback (most recent call last):", *map(_keep_indent, lines)]))
        self._flush()
        head = f"type={type_name}\ncontent_type=application/json\n"
        body = json.dumps(report, ensure_ascii=_ESCAPE)
        self._channel.send(kind, head.encode("utf-8", "replace"), body.encode("utf-8", "replace"))

    @staticmethod
    def _flush():
        for stream in (sys.stdout, sys.stderr):
            try:
                stream.flush()
            except Exception:
                pass  # the handler has closed or replaced it

    def set_up_logging(self, logging):
        """As AWS: one handler on the root logger that names level, time and request."""
        runtime = self

        class AddRequest(logging.Filter):
            def filter(self, record):
                record.aws_request_id = runtime._request_id
                record.tenant_id = runtime._tenant_id
                return True

        class ToStdout(logging.Handler):
            def emit(self, record):
                try:
                    sys.stdout.write(self.format(record))
                except Exception:
                    self.handleError(record)

        logging.Formatter.converter = time.gmtime
        handler = ToStdout()
        if _JSON_LOG:
            handler.setFormatter(_json_formatter(logging))
        else:
            line = "[%(levelname)s]\t%(asctime)s.%(msecs)03dZ\t%(aws_request_id)s\t%(message)s\n"
            handler.setFormatter(logging.Formatter(line, "%Y-%m-%dT%H:%M:%S"))
        handler.addFilter(AddRequest())
        root = logging.getLogger()
        level = os.environ.get("AWS_LAMBDA_LOG_LEVEL", "").upper().replace("TRACE", "DEBUG")
        if isinstance(logging.getLevelName(level), int):
            root.setLevel(level)
        root.addHandler(handler)


def _json_formatter(logging):
    """Entries as objects with the members that AWS's own runtime gives them, and what the caller adds by `extra`."""
    own = {*vars(logging.makeLogRecord({})), "message", "asctime", "aws_request_id", "tenant_id"}

    class ToJson(logging.Formatter):
        def format(self, record):
            entry = {
                "timestamp": self.formatTime(record, _TIME),
                "level": logging.getLevelName(min(max(record.levelno, 0), 50) // 10 * 10),
                "message": record.getMessage(),
                "logger": record.name,
            }
            if record.exc_info and record.exc_info[0]:
                import traceback

                kind, error, trace = record.exc_info
                entry["stackTrace"] = traceback.format_tb(trace)
                entry["errorType"] = kind.__name__
                entry["errorMessage"] = str(error)
                entry["location"] = f"{record.pathname}:{record.funcName}:{record.lineno}"
            entry["requestId"] = getattr(record, "aws_request_id", None)
            entry["tenantId"] = getattr(record, "tenant_id", None)
            for name, value in vars(record).items():
                if name not in own:
                    entry.setdefault(name, value)
            return _json_line({name: value for name, value in entry.items() if value is not None})

    return ToJson()


def _json_line(entry):
    text = json.dumps(entry, ensure_ascii=False, default=str)
    return text.encode("utf-8", "backslashreplace").decode() + "\n"


def _type_of(context):
    content_type = getattr(context, "content_type", "application/octet-stream")
    return b"content_type=%s\n" % content_type.replace("\r", " ").replace("\n", " ").encode()


def _keep_indent(line):
    """As AWS does: no-break spaces, which readers of logs leave where they are."""
    rest = line.lstrip(" ")
    return "\u00a0" * (len(line) - len(rest)) + rest


class _LoggingFinder:
    """Sets logging up the moment somebody imports it, which many functions never do."""

    def __init__(self, runtime):
        self._runtime = runtime

    def find_spec(self, name, path=None, target=None):
        if name != "logging":
            return None
        from importlib.machinery import PathFinder

        sys.meta_path.remove(self)
        spec = PathFinder.find_spec(name)
        if spec is None or spec.loader is None:
            return None
        execute = spec.loader.exec_module

        def execute_and_set_up(module):
            execute(module)
            if hasattr(module, "Formatter"):  # not a module of the function that has taken the name
                self._runtime.set_up_logging(module)

        spec.loader.exec_module = execute_and_set_up
        return spec


def _log(text):
    try:
        print(text.encode("utf-8", "backslashreplace").decode())
    except Exception:
        pass  # the handler has closed or replaced stdout


if "_options" not in globals():  # no loader: a wrapper was given this script as a file
    os.close(5)
    _options = {"opt": os.environ.pop("OGNI_OPT", "/opt")}
_runtime = _Runtime(_Channel(), _options)
_runtime.prepare()
_runtime.serve()
