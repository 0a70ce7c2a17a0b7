"""Small root file systems for tests, made of programs of this machine and the libraries that they need."""

import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import tarfile
from pathlib import Path

from harness import OGNI, PYTHON

OS_RELEASE = 'NAME="Test Root"\nPRETTY_NAME="Test Root 7"\nID=testroot\n'
# What a bootstrap in shell (functions.PRELUDE) and its questions are made of.
SHELL_PROGRAMS = ("bash", "curl", "grep", "tr", "cut", "cat", "ls", "id", "env", "mkdir", "wc")


def libraries_of(program):
    said = subprocess.run(["ldd", str(program)], capture_output=True, text=True, timeout=30).stdout
    return sorted(set(re.findall(r"(/\S+) \(0x", said)))


def copy_into(root, path):
    """The file that `path` stands for on this host, at that path in the root."""
    target = root / str(path).lstrip("/")
    if target.exists():
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(os.path.realpath(path), target)
    target.chmod(0o755)


def install(root, *programs):
    for name in programs:
        program = f"/usr/bin/{name}"
        for path in [program, *libraries_of(program)]:
            copy_into(root, path)


def make_root(place, *programs):
    """A directory with these programs of /usr/bin, merged as Debian and Amazon Linux are: /bin is /usr/bin."""
    root = Path(place)
    (root / "usr/bin").mkdir(parents=True)
    (root / "etc").mkdir()
    (root / "bin").symlink_to("usr/bin")
    for name in ("lib", "lib64"):  # where libraries are found by their old names
        (root / "usr" / name).mkdir()
        (root / name).symlink_to(f"usr/{name}")
    install(root, *programs)
    (root / "usr/lib/os-release").write_text(OS_RELEASE)
    (root / "etc/os-release").symlink_to("../usr/lib/os-release")
    root.chmod(0o755)
    return root


def add_python(root):
    """Python and of its library what is not a test or a toy."""
    install(root, PYTHON)
    library = Path("/usr/lib") / PYTHON
    left_out = shutil.ignore_patterns("test", "tests", "__pycache__", "idlelib", "lib2to3", "tkinter", "ensurepip",
                                      "pydoc_data", "distutils", "config-*", "dist-packages")
    shutil.copytree(library, root / "usr/lib" / PYTHON, ignore=left_out, ignore_dangling_symlinks=True,
                    symlinks=False, dirs_exist_ok=True)
    for extension in (library / "lib-dynload").glob("_ctypes*.so"):
        for path in libraries_of(extension):
            copy_into(root, path)
    return root


def import_root(service, name, source, *flags, check=True, stdin=None):
    done = subprocess.run([str(OGNI), "rootfs", "import", name, str(source), "--data", str(service.data), *flags],
                          capture_output=True, text=stdin is None, timeout=120,
                          **({"input": stdin} if stdin is not None else {"stdin": subprocess.DEVNULL}))
    if check and done.returncode:
        raise AssertionError(f"ogni rootfs import: status {done.returncode}\n{done.stdout}{done.stderr}")
    return done


def rootfs(service, *words):
    return subprocess.run([str(OGNI), "rootfs", *words, "--data", str(service.data)], capture_output=True, text=True,
                          stdin=subprocess.DEVNULL, timeout=60)


def tar_of(entries):
    """A tar of {name: text}, {name: ("link", target)} and {name: None} for directories."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in entries.items():
            info = tarfile.TarInfo(name)
            if content is None:
                info.type, info.mode = tarfile.DIRTYPE, 0o755
                archive.addfile(info)
            elif isinstance(content, tuple):
                info.type, info.linkname = tarfile.SYMTYPE, content[1]
                archive.addfile(info)
            else:
                info.size, info.mode = len(content), 0o644
                archive.addfile(info, io.BytesIO(content.encode()))
    return buffer.getvalue()


def tar_of_tree(root):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz", compresslevel=1) as archive:
        archive.add(root, arcname=".")
    return buffer.getvalue()


def write_layout(place, layers, architecture=None):
    """An OCI image layout of layers (bytes), the lowest first."""
    architecture = architecture or {"x86_64": "amd64", "aarch64": "arm64"}[os.uname().machine]
    blobs = Path(place) / "blobs/sha256"
    blobs.mkdir(parents=True)

    def add(content, kind):
        if not isinstance(content, bytes):
            content = json.dumps(content).encode()
        digest = hashlib.sha256(content).hexdigest()
        (blobs / digest).write_bytes(content)
        return {"mediaType": f"application/vnd.oci.image.{kind}", "digest": "sha256:" + digest, "size": len(content)}

    config = add({"os": "linux", "architecture": architecture}, "config.v1+json")
    manifest = add({"schemaVersion": 2, "config": config,
                    "layers": [add(layer, "layer.v1.tar+gzip" if layer[:2] == b"\x1f\x8b" else "layer.v1.tar")
                               for layer in layers]}, "manifest.v1+json")
    (Path(place) / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [manifest]}))
    (Path(place) / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
    return Path(place)
