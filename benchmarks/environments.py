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
RATE_RUNS = 400
RATE_CALLERS = 4
ENDING_AFTER_SECONDS = 2
# Debian's crun wants a host whose cgroups are all of version 2, or all of version 1. In a mount namespace of its own it is
# shown the one hierarchy of version 2, which it then leaves alone.
CRUN_HOST = ["unshare", "--mount", "--propagation", "private", "sh", "-c",
             'mount -t cgroup2 none /sys/fs/cgroup && exec "$@"', "sh"]


class Unavailable(Exception):
    """Why something cannot be measured here."""


def cold_floor(programs, prefix, runs, at_once, *words):
    """p50_us, p99_us and rate."""
    command = [*prefix, str(programs / "cold_floor"), str(runs), str(at_once), *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    if done.returncode:
        raise Unavailable(" ".join(done.stderr.split())[-300:] or f"status {done.returncode}")
    return json.loads(done.stdout)


def bwrap_command(noop):
    return ["bwrap", "--unshare-all", "--ro-bind", "/usr", "/usr", "--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp",
            "--ro-bind", noop, "/noop", "/noop"]


def crun_bundle(place, noop):
    """A directory that crun can run `noop` from."""
    (place / "rootfs").mkdir(parents=True)
    shutil.copy(noop, place / "rootfs" / "noop")
    for name in ("proc", "dev", "tmp", "usr"):
        (place / "rootfs" / name).mkdir()
    namespaces = [{"type": kind} for kind in ("pid", "network", "ipc", "uts", "mount")]
    mounts = [{"destination": "/proc", "type": "proc", "source": "proc"},
              {"destination": "/dev", "type": "tmpfs", "source": "tmpfs"},
              {"destination": "/tmp", "type": "tmpfs", "source": "tmpfs"},
              {"destination": "/usr", "type": "bind", "source": "/usr", "options": ["rbind", "ro"]}]
    (place / "config.json").write_text(json.dumps({
        "ociVersion": "1.0.0", "process": {"user": {"uid": 0, "gid": 0}, "args": ["/noop"], "cwd": "/", "env": []},
        "root": {"path": "rootfs", "readonly": True}, "mounts": mounts, "linux": {"namespaces": namespaces}}))
    return ["crun", "--cgroup-manager=disabled", "run", "--bundle", place, "ID"]


def measure_floor(table, mode, prefix, programs):
    """Of the floor and of each other way that can be had here: {"floor": {"p50": ms, "rate": /s}, "bwrap": ..., ...}."""
    noop = programs / "sandbox_bench_noop"
    found = {}
    with tempfile.TemporaryDirectory(prefix="ogni-bench-") as place:
        ways = {"floor": ("floor, namespaces, mounts, exec", [], ["bare", noop]),
                "bwrap": ("bwrap, the same program", [], ["spawn", *bwrap_command(noop)]),
                "crun": ("crun, the same program", CRUN_HOST,
                         ["spawn", *crun_bundle(pathlib.Path(place) / "bundle", noop)])}
        for key, (name, host, words) in ways.items():
            try:
                if words[0] == "spawn" and not shutil.which(key):
                    raise Unavailable("not installed")
                one = cold_floor(programs, [*host, *prefix], RUNS, 1, *words)
                many = cold_floor(programs, [*host, *prefix], RATE_RUNS, RATE_CALLERS, *words)
            except Unavailable as why:
                print(f"  {key} cannot be measured here: {why}")
                continue
            found[key] = {"p50": one["p50_us"] / 1000, "rate": many["rate"]}
            table.add(mode, f"{name} p50", found[key]["p50"], "ms", found["floor"]["p50"] if "floor" in found else None)
            table.add(mode, f"  a second, {RATE_CALLERS} at once", found[key]["rate"], "/s")
    return found


def _start_cold(service, create, count, prefix):
    """Each function's first invocation is a cold start. When each was answered, in seconds since the first was asked for."""
    names = [f"{prefix}-{index}" for index in range(count)]
    for name in names:
        create(name)
    for name in names[-3:]:
        service.wait_until_ready(name)
    local = threading.local()
    began = time.monotonic()

    def call(name):
        if not hasattr(local, "connection"):
            local.connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=60)
        local.connection.request("POST", f"/2015-03-31/functions/{name}/invocations", b"{}")
        response = local.connection.getresponse()
        body = response.read()
        return response.status, body, time.monotonic() - began

    with concurrent.futures.ThreadPoolExecutor(RATE_CALLERS) as pool:
        answers = list(pool.map(call, names))
    failed = [f"{status} {body[:300].decode(errors='replace')}" for status, body, _ in answers if status != 200]
    if failed:
        raise AssertionError(f"{len(failed)} of {count} cold starts failed, the first with {failed[0]}")
    return sorted(when for _, _, when in answers)


def _ahead(table, mode, what, ours, others, key, better):
    for name in ("bwrap", "crun"):
        if name in others:
            table.add(mode, f"  {what} of {name} beside it", others[name][key], "ms" if key == "p50" else "/s",
                      target="Ogni is ahead", met=better(ours, others[name][key]))


def compare_start(table, mode, ours_ms, others):
    _ahead(table, mode, "p50", ours_ms, others, "p50", lambda ours, theirs: ours < theirs)


def measure_rate(table, mode, service, create, count):
    """All of them live on, so that nothing is torn down meanwhile."""
    answered = _start_cold(service, create, count, "rate")
    table.add(mode, f"cold starts until {count} environments live", count / answered[-1], "/s")


def measure_sustained(table, mode, service, create, count, others):
    """The service ends environments that have been idle for a second: from then on as many end as start."""
    answered = _start_cold(service, create, count, "sustained")
    later = [when for when in answered if when > ENDING_AFTER_SECONDS]
    if len(later) < count // 4:
        later, seconds = answered, answered[-1]
    else:
        seconds = answered[-1] - ENDING_AFTER_SECONDS
    rate = len(later) / seconds
    table.add(mode, f"cold starts sustained, {RATE_CALLERS} callers", rate, "/s", target="at least 200, toward 500",
              met=rate >= 200)
    _ahead(table, mode, "rate", rate, others, "rate", lambda ours, theirs: ours > theirs)


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
    beyond = (used - own) / count / 1024
    table.add(mode, f"memory of each of {count} idle environments", used / count / 1024, "MB")
    table.add(mode, "  beyond the function's own pages", beyond, "MB", target="at most 1.5",
              met=beyond <= 1.5)
