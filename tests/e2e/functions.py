"""Zips in memory, and the small functions that tests deploy."""

import io
import stat
import zipfile

from harness import BIN, SOURCE


def zip_of(files):
    """A zip of {path: contents} or {path: (contents, mode)}; a mode with S_IFLNK makes a symlink to its contents."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, entry in files.items():
            contents, mode = entry if isinstance(entry, tuple) else (entry, 0o644)
            if not stat.S_IFMT(mode):
                mode |= stat.S_IFDIR if path.endswith("/") else stat.S_IFREG
            info = zipfile.ZipInfo(path, (2024, 1, 2, 3, 4, 6))
            info.create_system = 3  # Unix: the mode counts
            info.external_attr = mode << 16
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, contents)
    return buffer.getvalue()


def program(text):
    """An executable file for zip_of."""
    return (text, 0o755)


def example(name):
    return (SOURCE / "examples" / name)


def hello_bash():
    folder = example("hello-bash")
    return zip_of({"bootstrap": program(folder.joinpath("bootstrap").read_text()),
                   "hello.sh": folder.joinpath("hello.sh").read_text()})


def hello_cpp():
    return zip_of({"bootstrap": program(BIN.joinpath("examples", "hello-cpp", "bootstrap").read_bytes())})


def hello_python():
    return zip_of({"app.py": example("hello-python").joinpath("app.py").read_text()})


# Bootstraps for what a runtime can do wrong. NEXT fetches an event into $EVENT and its id into $ID.
PRELUDE = r"""#!/bin/bash
API="http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime"
TMP="${TMPDIR:-/tmp}"  # a process environment has its own, and says so
next() {
  EVENT="$(curl -sS -D "$TMP/headers" "$API/invocation/next")"
  ID="$(grep -i '^Lambda-Runtime-Aws-Request-Id:' "$TMP/headers" | tr -d '\r' | cut -d' ' -f2)"
}
respond() { curl -sS -o /dev/null -X POST --data-binary "$1" "$API/invocation/$ID/response"; }
"""


def bash_runtime(body, **files):
    """A zip whose bootstrap is PRELUDE and `body`."""
    return zip_of({"bootstrap": program(PRELUDE + body), **files})


def bash_handler(body):
    """A zip of a function that runs `body` for each event ($EVENT, $ID) and answers what it prints."""
    return bash_runtime('while true; do\n  next\n  ANSWER="$(\n' + body + '\n)"\n  respond "$ANSWER"\ndone\n')


def python_handler(body):
    """A zip for the managed runtime: the module's text; its `handler(event, context)` is the handler app.handler."""
    return zip_of({"app.py": body})
