"""What run.py measures of execution environments: cold starts beside what others need for the same, how many a second, and
what an idle one costs."""

import concurrent.futures
import http.client
import json
import pathlib
import shutil
import subprocess
import tempfile
import threading
import time

RUNS = 100


def cold_floor(programs, prefix, *words):
    """Middle and 99th part in ms, or None if the program cannot be run here."""
    done = subprocess.run([*prefix, str(programs / "cold_floor"), str(RUNS), *map(str, words)], capture_output=True,
                          text=True, timeout=120)
    if done.returncode:
        return None
    times = json.loads(done.stdout)
    return times["p50_us"] / 1000, times["p99_us"] / 1000


def bwrap_command(noop):
    return ["bwrap", "--unshare-all", "--ro-bind", "/usr", "/usr", "--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp",
            "--ro-bind", noop, "/noop", "/noop"]


def crun_bundle(place, noop):
    """A directory that crun can run `noop` from."""
    (place / "rootfs").mkdir(parents=True)
    shutil.copy(noop, place / "rootfs" / "noop")
    for name in ("proc", "tmp", "usr"):
        (place / "rootfs" / name).mkdir()
    namespaces = [{"type": kind} for kind in ("pid", "network", "ipc", "uts", "mount")]
    mounts = [{"destination": "/proc", "type": "proc", "source": "proc"},
              {"destination": "/tmp", "type": "tmpfs", "source": "tmpfs"},
              {"destination": "/usr", "type": "bind", "source": "/usr", "options": ["rbind", "ro"]}]
    (place / "config.json").write_text(json.dumps({
        "ociVersion": "1.0.0", "process": {"user": {"uid": 0, "gid": 0}, "args": ["/noop"], "cwd": "/", "env": []},
        "root": {"path": "rootfs", "readonly": True}, "mounts": mounts, "linux": {"namespaces": namespaces}}))
    return ["crun", "--cgroup-manager=disabled", "run", "--bundle", place, "bench"]


def measure_floor(table, mode, prefix, programs):
    """Returns the floor's p50 in ms, or None."""
    noop = programs / "sandbox_bench_noop"
    floor = cold_floor(programs, prefix, "bare", noop)
    if floor is None:
        print("  no floor of cold starts: namespaces cannot be had here")
        return None
    table.add(mode, "floor, namespaces, mounts, exec p50", floor[0], "ms")
    with tempfile.TemporaryDirectory(prefix="ogni-bench-") as place:
        others = {"bwrap": bwrap_command(noop), "crun": crun_bundle(pathlib.Path(place) / "bundle", noop)}
        for name, command in others.items():
            times = cold_floor(programs, prefix, "spawn", *command) if shutil.which(name) else None
            if times is None:
                print(f"  {name}: not here, or not for this user")
            else:
                table.add(mode, f"{name}, the same program p50", times[0], "ms", floor[0])
    return floor[0]


def measure_rate(table, mode, service, create, count, callers=4):
    """Each function's first invocation is a cold start."""
    names = [f"rate-{index}" for index in range(count)]
    for name in names:
        create(name)
    for name in names[-3:]:
        service.wait_until_ready(name)
    local = threading.local()

    def call(name):
        if not hasattr(local, "connection"):
            local.connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=60)
        local.connection.request("POST", f"/2015-03-31/functions/{name}/invocations", b"{}")
        response = local.connection.getresponse()
        response.read()
        return response.status

    began = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(callers) as pool:
        statuses = list(pool.map(call, names))
    seconds = time.monotonic() - began
    if statuses != [200] * count:
        raise AssertionError(f"{count - statuses.count(200)} of {count} cold starts failed")
    table.add(mode, f"cold starts, {callers} callers, {count} environments", count / seconds, "/s",
              target="at least 200, toward 500")


def available_kb():
    for line in open("/proc/meminfo"):
        if line.startswith("MemAvailable:"):
            return int(line.split()[1])
    return 0


def pss_kb(pids):
    total = 0
    for pid in pids:
        try:
            if pathlib.Path(f"/proc/{pid}/comm").read_text().strip() != "bootstrap":
                continue
            for line in open(f"/proc/{pid}/smaps_rollup"):
                if line.startswith("Pss:"):
                    total += int(line.split()[1])
        except OSError:
            continue
    return total


def measure_density(table, mode, service, tree, before_kb, count):
    """`count` environments are idle; `before_kb` was available without them."""
    used = before_kb - available_kb()
    own = pss_kb(tree())
    table.add(mode, f"memory of each of {count} idle environments", used / count / 1024, "MB")
    table.add(mode, "  beyond the function's own pages", (used - own) / count / 1024, "MB", target="at most 1.5")
