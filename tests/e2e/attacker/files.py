"""Files of the host and of others, and ways out of the root file system."""

import ctypes
import os
import stat
import struct
import subprocess

from kernel import call, in_child


def read(paths):
    found = {}
    for path in paths:
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        except OSError:
            continue
        try:
            found[path] = os.read(descriptor, 200).hex()
        except OSError:
            found[path] = os.listdir(path) if os.path.isdir(path) else "opened"
        os.close(descriptor)
    return found


def writable():
    """Every place outside /tmp and /proc where something can be changed."""
    found = []
    for folder, folders, files in os.walk("/"):
        if folder == "/":
            folders[:] = [f for f in folders if f not in ("proc", "tmp")]
        if folder.startswith("/usr/") and folder.count("/") > 2:
            folders[:] = []  # thousands of folders, all of one mount
        probe = os.path.join(folder, ".probe")
        for attempt in (lambda: os.close(os.open(probe, os.O_CREAT | os.O_WRONLY)), lambda: os.mkdir(probe + "-d"),
                        lambda: os.symlink("x", probe + "-l")):
            try:
                attempt()
                found.append(folder)
            except OSError:
                pass
        for name in files[:20]:
            path = os.path.join(folder, name)
            if stat.S_ISREG(os.lstat(path).st_mode):
                for attempt in (lambda: os.close(os.open(path, os.O_WRONLY)), lambda: os.chmod(path, 0o777),
                                lambda: os.unlink(path), lambda: os.utime(path, (0, 0))):
                    try:
                        attempt()
                        found.append(path)
                    except OSError:
                        pass
    return found


def writable_proc():
    """Files of /proc that are not a process's own and can be opened to be written."""
    found = []
    for folder, folders, files in os.walk("/proc"):
        folders[:] = [f for f in folders if not f.isdigit() and f not in ("self", "thread-self")]
        for name in files:
            path = os.path.join(folder, name)
            try:
                os.close(os.open(path, os.O_WRONLY | os.O_NONBLOCK))
                found.append(path)
            except OSError:
                pass
    return found


def devices():
    found = []
    for folder, folders, files in os.walk("/"):
        if folder == "/":
            folders[:] = [f for f in folders if f not in ("proc", "usr")]
        for name in files:
            path = os.path.join(folder, name)
            mode = os.lstat(path).st_mode
            if stat.S_ISBLK(mode) or stat.S_ISCHR(mode):
                found.append(path)
    for kind, number in ((stat.S_IFBLK, os.makedev(254, 0)), (stat.S_IFCHR, os.makedev(1, 1))):
        try:
            os.mknod("/tmp/device", kind | 0o666, number)
            found.append("mknod")
        except OSError:
            pass
    return found


def search(secret):
    """Where a secret of another function can be read: any file, any process's variables, memory or directories."""
    found = []
    needle = bytes.fromhex(secret)
    own = set()
    for folder, folders, files in os.walk("/"):
        if folder == "/":
            folders[:] = [f for f in folders if f not in ("proc", "usr", "dev")]
        for name in files:
            path = os.path.join(folder, name)
            try:
                if stat.S_ISREG(os.lstat(path).st_mode):
                    with open(path, "rb") as file:
                        if needle in file.read(1 << 22):
                            found.append(path)
            except OSError:
                pass
    pid = os.getpid()
    while pid > 1:
        own.add(str(pid))
        with open(f"/proc/{pid}/status") as status:
            pid = next(int(line.split()[1]) for line in status if line.startswith("PPid"))
    for pid in range(1, 5000):
        if str(pid) in own:
            continue
        for name in ("environ", "cmdline", "maps", "mem", "stack"):
            try:
                with open(f"/proc/{pid}/{name}", "rb") as file:
                    if needle in file.read(1 << 16):
                        found.append(f"/proc/{pid}/{name}")
            except OSError:
                pass
    return found


def descriptors():
    """What was open when the bootstrap began is what its parent still holds; and what this program holds."""
    found = {}
    for pid in ("self", str(os.getppid())):
        for number in os.listdir(f"/proc/{pid}/fd"):
            try:
                found[f"{pid}/{number}"] = os.readlink(f"/proc/{pid}/fd/{number}")
            except OSError:
                pass
    return found


def climb():
    """Ways out of the root: every one that leads to another directory than / itself."""
    found = []
    here = os.stat("/")
    same = lambda path: (os.stat(path).st_dev, os.stat(path).st_ino) == (here.st_dev, here.st_ino)
    if not same("/" + "../" * 100):
        found.append("..")
    for base in ("/tmp", "/var/task", "/opt", "/proc", "/usr"):
        folder = os.open(base, os.O_RDONLY)
        for _ in range(60):
            above = os.open("..", os.O_RDONLY, dir_fd=folder)
            os.close(folder)
            folder = above
        status = os.fstat(folder)
        os.close(folder)
        if (status.st_dev, status.st_ino) != (here.st_dev, here.st_ino):
            found.append("fd .. of " + base)

    def jail():
        os.mkdir("/tmp/jail")
        folder = os.open("/", os.O_RDONLY)
        os.chroot("/tmp/jail")
        os.fchdir(folder)
        for _ in range(60):
            os.chdir("..")
        os.chroot(".")
        return "escaped"
    if "escaped" in in_child(jail):
        found.append("chroot")
    for pid in list(range(1, 3000)):
        for link in ("root", "cwd", "exe"):
            path = f"/proc/{pid}/{link}"
            try:
                if link == "root" and os.path.isdir(path) and not same(path):
                    found.append(path)
                elif link == "cwd" and os.readlink(path).startswith(("/root", "/home", "/work")):
                    found.append(path)
            except OSError:
                pass
    return found


def mounts():
    """Mount calls that worked, and what the list of mounts tells."""
    found = []
    text = b"/tmp"
    attempts = {
        "mount tmpfs": lambda: call("mount", b"x", text, b"tmpfs", 0, b""),
        "bind": lambda: call("mount", b"/", text, b"", 4096, b""),
        "remount /": lambda: call("mount", b"", b"/", b"", 32 | 4096, b""),
        "remount /var/task": lambda: call("mount", b"", b"/var/task", b"", 32 | 4096, b""),
        "mount proc": lambda: call("mount", b"proc", text, b"proc", 0, b""),
        "mount sysfs": lambda: call("mount", b"sysfs", text, b"sysfs", 0, b""),
        "mount cgroup2": lambda: call("mount", b"none", text, b"cgroup2", 0, b""),
        "umount": lambda: call("umount2", b"/proc", 2),
        "pivot_root": lambda: call("pivot_root", b"/tmp", b"/tmp"),
        "open_tree": lambda: call("open_tree", -100, b"/", 1 | 0x80000),
        "fsopen": lambda: call("fsopen", b"tmpfs", 0),
        "fspick": lambda: call("fspick", -100, b"/", 0),
        "mount_setattr": lambda: call("mount_setattr", -100, b"/", 0, ctypes.create_string_buffer(
            struct.pack("QQQQ", 0, 1, 0, 0)), 32),
        "chroot": lambda: call("chroot", b"/tmp"),
    }
    for name, attempt in attempts.items():
        said = in_child(lambda: attempt()[0] if attempt()[0] < 0 else "done")
        if said != "-1":
            found.append(name + ": " + said)
    return found


def setuid():
    """Set-user-id programs, and one made here: whoever becomes root tells."""
    found = []
    programs = []
    for folder in ("/usr/bin", "/usr/sbin", "/bin", "/usr/lib"):
        for where, _, files in os.walk(folder):
            for name in files:
                path = os.path.join(where, name)
                try:
                    if os.lstat(path).st_mode & 0o6000:
                        programs.append(path)
                except OSError:
                    pass
    for command in (["su", "-c", "id -u"], ["sudo", "-n", "id", "-u"], ["mount", "-t", "tmpfs", "x", "/tmp"],
                    ["pkexec", "id", "-u"], ["newgrp", "root"]):
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=10, stdin=subprocess.DEVNULL)
        except (OSError, subprocess.TimeoutExpired):
            continue
        if done.returncode == 0 and done.stdout.strip() in ("0", ""):
            found.append(" ".join(command))
    try:
        own = "/tmp/own-id"
        with open("/usr/bin/id", "rb") as source, open(own, "wb") as target:
            target.write(source.read())
        os.chmod(own, 0o6755)
        said = subprocess.run([own, "-u"], capture_output=True, text=True).stdout.strip()
        if said != str(os.getuid()):
            found.append("own set-user-id program is " + said)
    except OSError:
        pass
    for name in ("setuid", "setgid"):
        if in_child(lambda: call(name, 0)[0]) == "0":
            found.append(name)
    if in_child(lambda: call("setgroups", 1, ctypes.create_string_buffer(struct.pack("I", 0)))[0]) == "0":
        found.append("setgroups")
    with open("/proc/self/status") as status:
        fields = dict(line.split(":", 1) for line in status.read().splitlines())
    return {"became": found, "programs": len(programs), "no_new_privs": fields["NoNewPrivs"].strip(),
            "capabilities": [fields[name].strip() for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")]}
