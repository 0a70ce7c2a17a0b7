"""What a hostile function tries, each through the API as a customer would: docs/threat-model.md names these tests.

The attacker (attacker/) returns what it reached; its walls held when that is nothing.
"""

import concurrent.futures
import ctypes
import fcntl
import os
import re
import secrets
import socket
import stat
import tempfile
import unittest
from pathlib import Path

import functions
from harness import PYTHON, SOURCE, ServiceTest, can_isolate, comm, is_sanitized, process_token, wait_until

ATTACKER_FILES = {file.name: file.read_text() for file in (SOURCE / "tests" / "e2e" / "attacker").glob("*.py")}
ATTACKER = functions.zip_of(ATTACKER_FILES)


class AttackTest(ServiceTest):
    flags = ("--isolation", "namespace")

    @classmethod
    def setUpClass(cls):
        reason = can_isolate()
        if reason:
            raise unittest.SkipTest("namespace isolation: " + reason)
        super().setUpClass()
        cls.service.deploy("bystander", functions.hello_cpp(), Timeout=20)
        cls.deploy_attacker("attacker")

    @classmethod
    def deploy_attacker(cls, name, **settings):
        cls.service.deploy(name, ATTACKER, runtime=PYTHON, handler="app.handler",
                           **{"Timeout": 110, "MemorySize": 512, **settings})

    def tearDown(self):
        """Whatever was tried, the service serves others."""
        self.assertEqual(self.service.invoke("bystander", b"1").json, 1)

    def attack(self, attack, function="attacker", **arguments):
        """The attacker's answer; it must have survived its attack."""
        answer = self.service.invoke(function, {"attack": attack, "with": arguments})
        self.assertIsNone(answer.error, answer.body)
        return answer.json

    def attack_to_death(self, attack, function="attacker", **arguments):
        """The answer to an attack that the attacker need not survive."""
        return self.service.invoke(function, {"attack": attack, "with": arguments}, tail=True)

    def names_below_service(self):
        return [comm(pid) for pid, token in self.service.family() if process_token(pid) == token]


class Files(AttackTest):
    def test_files_of_the_host_cannot_be_read(self):
        secret = tempfile.NamedTemporaryFile(prefix="secret-")
        self.addCleanup(secret.close)
        os.chmod(secret.name, 0o644)
        paths = [secret.name, os.path.dirname(secret.name), str(self.service.data), str(self.service.data / "logs"),
                 str(SOURCE), "/etc/shadow", "/etc/gshadow", "/etc/ssh", "/etc/sudoers", "/etc/machine-id", "/root",
                 "/home", "/srv", "/var/lib", "/var/log", "/run/docker.sock", "/sys/kernel", "/sys/fs/cgroup",
                 "/sys/class", "/proc/kcore", "/proc/kmsg", "/proc/1/environ", "/proc/sysrq-trigger", "/dev/mem",
                 "/dev/kmsg", "/dev/vda", "/dev/sda", "/dev/nvme0n1", "/dev/fuse", "/dev/kvm", "/dev/net/tun",
                 "/dev/loop0", "/dev/loop-control", "/dev/pts/0", "/dev/console"]
        self.assertEqual(self.attack("read", paths=paths), {})

    def test_files_of_the_host_cannot_be_written(self):
        self.assertEqual(self.attack("writable"), [])
        # The next number of its own pid namespace; what wakes only the one who wrote there.
        self.assertLessEqual(set(self.attack("writable_proc")), {
            "/proc/sys/kernel/ns_last_pid", "/proc/pressure/io", "/proc/pressure/cpu", "/proc/pressure/memory"})

    def test_code_tmp_and_environment_of_others_cannot_be_read(self):
        secret = secrets.token_hex(20)
        self.service.deploy("victim", functions.bash_runtime(
            'echo "$SECRET" > /tmp/secret\nwhile next; do respond 1; done\n',
            **{"code.txt": secret}), Environment={"Variables": {"SECRET": secret}})
        self.assertEqual(self.service.invoke("victim").json, 1)
        self.assertEqual(self.attack("search", secret=secret.encode().hex()), [])
        self.assertEqual(self.service.invoke("victim").json, 1)

    def test_nothing_leads_out_of_the_root(self):
        self.assertEqual(self.attack("climb"), [])
        open_ones = [target for target in self.attack("descriptors").values()
                     if not re.match(r"(/dev/null|pipe:|anon_inode:|socket:|/proc/|/var/(task|runtime)/|/tmp/|/usr/)",
                                     target)]
        self.assertEqual(open_ones, [])

    def test_nothing_can_be_mounted(self):
        self.assertEqual(self.attack("mounts"), [])

    def test_devices_are_the_harmless_few(self):
        self.assertLessEqual(set(self.attack("devices")),
                             {"/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/tty"})

    def test_set_user_id_programs_give_nothing(self):
        said = self.attack("setuid")
        self.assertEqual(said["became"], [])
        self.assertEqual((said["no_new_privs"], set(said["capabilities"])), ("1", {"0" * 16}))


class Processes(AttackTest):
    def test_other_processes_are_neither_seen_nor_reached(self):
        looks = []  # what is only there for a moment, while an environment is made, is no bystander
        wait_until(lambda: looks.append(self.service.family()) or len(looks) > 9 and all(x == looks[-1] for x in looks[-9:]),
                   "nothing begins or ends")
        bystanders = [pid for pid, _ in looks[-1]]
        said = self.attack("processes")
        self.assertLess(len(said["seen"]), 8, said)
        self.assertLess(max(said["seen"]), 1000, "numbers of a namespace of its own")
        self.assertEqual(said["reached"], [])
        self.assertEqual(said["init"], "[]")
        self.assertEqual(self.attack("ping"), "pong")
        self.assertTrue(all(process_token(pid) for pid in bystanders))

    def test_zombies_and_daemons_end_with_the_environment(self):
        self.deploy_attacker("zombies")
        answer = self.attack_to_death("zombies", "zombies", count=20)
        self.assertEqual(answer.json["errorType"], "Runtime.ExitError")
        wait_until(lambda: "attackdaemon" not in self.names_below_service(), "the daemonised children are gone")
        self.assertEqual(self.attack("ping", "zombies"), "pong")

    def test_function_that_ignores_every_signal_is_killed(self):
        self.deploy_attacker("stubborn", Timeout=1)
        answer = self.attack_to_death("stubborn", "stubborn")
        self.assertIn("Task timed out after 1.00 seconds", answer.json["errorMessage"])
        self.assertEqual(self.attack("ping", "stubborn"), "pong")


class Kernel(AttackTest):
    def test_privileged_calls_fail(self):
        self.assertEqual(self.attack("doors"), {})

    def test_calls_that_a_function_has_no_business_with_are_denied(self):
        for name, said in self.attack("filtered").items():
            self.assertRegex(said, r"\(-1, '(EPERM|ENOSYS|EACCES)'\)", name)

    def test_sockets_are_of_the_few_harmless_families(self):
        opened = self.attack("sockets")
        self.assertLessEqual({one.split()[0] for one in opened}, {"AF_UNIX", "AF_INET", "AF_INET6", "AF_NETLINK"})
        self.assertEqual([one for one in opened if one.startswith("AF_INET") and " raw " in one], [])
        self.assertLessEqual({one for one in opened if one.startswith("AF_NETLINK")},
                             {f"AF_NETLINK {kind} 0" for kind in ("raw", "dgram")})

    def test_namespaces_can_be_neither_made_nor_joined(self):
        self.assertEqual(self.attack("namespaces"), [])


class Network(AttackTest):
    def test_nothing_but_its_own_loopback_is_reached(self):
        listener = socket.create_server(("0.0.0.0", 0))
        self.addCleanup(listener.close)
        port = listener.getsockname()[1]
        here = {"127.0.0.1", *addresses_of_this_host()}
        targets = [["4", address, number] for address in sorted(here) for number in (port, self.service.port)]
        targets += [["4", "169.254.169.254", 80], ["4", "169.254.170.2", 80], ["4", "100.100.100.200", 80],
                    ["4", "192.0.2.1", 80], ["6", "fd00:ec2::254", 80], ["6", "::1", self.service.port]]
        self.assertEqual(self.attack("connect", targets=targets, seconds=1), [])
        self.assertEqual(self.attack("interfaces"), ["lo"])

    def test_sockets_with_names_are_not_reached(self):
        name = "ogni-attack-" + secrets.token_hex(8)
        with socket.socket(socket.AF_UNIX) as abstract:
            abstract.bind("\0" + name)
            abstract.listen()
            targets = [["unix", "@" + name, 0], ["unix", "/run/dbus/system_bus_socket", 0],
                       ["unix", "/run/systemd/private", 0], ["unix", "/var/run/docker.sock", 0]]
            self.assertEqual(self.attack("connect", targets=targets), [])

    def test_runtime_api_of_others_is_not_reached(self):
        """Each environment has a 127.0.0.1:9001 of its own: who answers there knows nothing of the victim's event."""
        self.service.deploy("waiting", functions.bash_runtime("next\nsleep 5\nrespond 1\nnext\n"), Timeout=20)
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            call = pool.submit(self.service.invoke, "waiting", b'"precious"')
            own = {"127.0.0.1"} | {f"127.0.0.{n}" for n in (2, 3, 53)}
            reached = self.attack("connect", targets=[["4", a, 9001] for a in sorted(own)])
            self.assertEqual(reached, [["4", "127.0.0.1", 9001]])
            self.assertEqual(call.result().json, 1)

    def test_what_a_function_listens_on_is_not_reached(self):
        self.deploy_attacker("listener")
        free = socket.create_server(("127.0.0.1", 0))
        port = free.getsockname()[1]
        free.close()
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            call = pool.submit(self.attack, "listen", "listener", port=port, seconds=4)
            while not call.done():
                with socket.socket() as knock:
                    knock.settimeout(1)
                    self.assertNotEqual(knock.connect_ex(("127.0.0.1", port)), 0)
                concurrent.futures.wait([call], 0.05)
            self.assertIsNone(call.result())

    def test_thousands_of_connections_to_its_own_runtime_api_are_bounded(self):
        before = sockets_of(self.service.process.pid)
        most = [0]
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            call = pool.submit(self.attack, "connections", count=900, workers=6)
            while not call.done():
                most[0] = max(most[0], sockets_of(self.service.process.pid))
                self.assertEqual(self.service.invoke("bystander", b"2").json, 2)
            self.assertEqual(call.result(), "done")
        self.assertLess(most[0] - before, 300)


class Shares(AttackTest):
    """More than its share: contained, and accounted to the one who took it."""

    def while_others_are_served(self, attack, function, **arguments):
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            call = pool.submit(self.attack_to_death, attack, function, **arguments)
            served = 0
            while not call.done():
                self.assertEqual(self.service.invoke("bystander", b"%d" % served).json, served)
                served += 1
            self.assertGreater(served, 0)
            return call.result()

    def test_fork_bomb(self):
        self.deploy_attacker("forks", Timeout=10)
        answer = self.while_others_are_served("forks", "forks", limit=5000)
        if answer.error is None:
            self.assertLess(answer.json, 1100)
        self.client.delete_function(FunctionName="forks")
        wait_until(lambda: len(self.service.family()) < 100, "the forked processes are gone")

    def test_thread_bomb(self):
        self.deploy_attacker("threads", Timeout=20, MemorySize=1024)
        answer = self.while_others_are_served("threads", "threads", limit=20_000)
        self.assertIsNone(answer.error, answer.body)
        self.assertLess(answer.json, 1100)

    def test_memory_bomb(self):
        self.deploy_attacker("memory", MemorySize=256)
        self.assertEqual(self.attack("memory", "memory", mebibytes=100), 100)
        answer = self.while_others_are_served("memory", "memory", mebibytes=400, processes=4)
        self.assertIn("signal: killed", answer.json["errorMessage"])
        self.assertEqual(answer.json["errorType"], "Runtime.OutOfMemory")
        used = int(re.search(r"Max Memory Used: (\d+) MB", answer.log).group(1))
        self.assertGreaterEqual(used, 256)
        self.assertEqual(self.attack("ping", "memory"), "pong")

    def test_descriptors_run_out_for_itself_alone(self):
        count, said = self.attack("open_files")
        self.assertEqual(said, "EMFILE")
        self.assertLess(count, 1024)

    def test_what_the_kernel_counts_for_each_user_is_its_own(self):
        if os.geteuid() != 0:
            self.skipTest("an ordinary user's environments are all of one user")
        self.deploy_attacker("greedy")
        self.assertTrue(all(self.attack("counted", "greedy", limit=900)))
        self.assertEqual(self.attack("counted", limit=1), [1, 1])
        descriptor = ctypes.CDLL(None).inotify_init1(os.O_CLOEXEC)
        self.assertGreaterEqual(descriptor, 0, "root's, too")
        os.close(descriptor)

    def test_tmp_is_bounded_in_bytes_and_files(self):
        self.deploy_attacker("tmp", MemorySize=1024, EphemeralStorage={"Size": 512})
        written, said = self.attack("fill", "tmp", mebibytes=2000)
        self.assertEqual(said, "ENOSPC")
        self.assertLessEqual(written, 512)
        made, said = self.attack("inodes", "tmp", limit=1_000_000)
        self.assertEqual(said, "ENOSPC")
        self.assertLess(made, 600_000)

    def test_core_files_stay_in_tmp_and_in_its_size(self):
        before = set(Path("/").glob("core*")) | set(Path.cwd().glob("core*"))
        self.deploy_attacker("core", EphemeralStorage={"Size": 512}, MemorySize=1024)
        said = self.attack("core", "core", mebibytes=100)
        self.assertEqual(said["said"], "signal 11")
        self.assertLessEqual(sum(said["files"].values()), 512)
        self.assertEqual((set(Path("/").glob("core*")) | set(Path.cwd().glob("core*"))) - before, set())

    def test_log_flood_is_bounded(self):
        before = rss_bytes(self.service.process.pid)
        self.deploy_attacker("flood", Timeout=30)
        answer = self.while_others_are_served("flood", "flood", mebibytes=300)
        self.assertIn(answer.error, (None, "Unhandled"))
        if not is_sanitized():
            self.assertLess(rss_bytes(self.service.process.pid) - before, 64 << 20)
        size = sum(f.stat().st_size for f in (self.service.data / "logs").rglob("flood*") if f.is_file())
        self.assertLess(size, 64 << 20)

    def test_processor_time_is_accounted(self):
        """A hog's time is counted to its own processes, and it ends at its timeout."""
        self.deploy_attacker("hog", Timeout=2, MemorySize=1769)
        answer = self.while_others_are_served("spin", "hog", seconds=60, processes=4)
        self.assertIn("Task timed out after 2.00 seconds", answer.json["errorMessage"])
        self.assertIn("Duration: 2000.00 ms", answer.log)


class Commons(AttackTest):
    """What the whole host has in common, and memory that the kernel charges to nobody."""

    def test_huge_pages_are_not_to_be_had(self):
        self.assertLessEqual(set(self.attack("huge_pages").values()), {"ENOMEM", "EINVAL", "EPERM", "ENOSYS"})

    def test_contexts_of_asynchronous_io_are_not_to_be_had(self):
        self.assertEqual(self.attack("asynchronous_contexts", limit=10), 0)

    def test_options_of_sockets_that_take_memory_of_the_host_are_refused(self):
        for name, said in self.attack("socket_memory").items():
            self.assertIn(said, ("EPERM", "ENOPROTOOPT", "ENODEV"), name)

    def test_buffers_of_sockets_are_bounded(self):
        for kind, arguments in (("tcp_buffers", {"connections": 200, "mebibytes": 300}),
                                ("udp_buffers", {"sockets": 200, "mebibytes": 300})):
            self.deploy_attacker(kind.replace("_", "-"), MemorySize=128, Timeout=60)
            answer = self.attack_to_death(kind, kind.replace("_", "-"), **arguments)
            if answer.error is None:  # else it was ended for its memory
                self.assertLess(answer.json, 150, kind)

    def test_queues_of_netlink_are_bounded(self):
        self.deploy_attacker("netlink", MemorySize=512, Timeout=60)
        answer = self.attack_to_death("netlink_queues", "netlink", sockets=900, mebibytes=300, seconds=6)
        self.assertEqual(answer.json.get("errorType") if answer.error else answer.json, "Runtime.OutOfMemory")

    def test_filters_of_a_function_do_not_take_the_hosts_stock(self):
        for name, said in self.attack("filters").items():
            self.assertEqual(said, "(-1, 'EINVAL')", name)

    def test_policies_of_memory_are_refused(self):
        self.assertIn(self.attack("policies"), ("EPERM", "ENOSYS"))

    def test_protocols_that_nobody_uses_are_refused(self):
        self.assertEqual(self.attack("unusual_protocols"), [])

    def test_direct_access_to_the_disk_is_refused(self):
        self.assertLessEqual(set(self.attack("direct_access").values()), {"EINVAL", "ENOSYS"})

    def test_dnotify_does_not_exist(self):
        self.assertEqual(self.attack("dnotify"), "EINVAL")

    def test_what_programs_need_is_let_through(self):
        self.assertEqual(self.attack("what_is_needed"), [])

    def test_what_proc_tells_of_the_machine_is_empty(self):
        names = ["buddyinfo", "cgroups", "cmdline", "config.gz", "diskstats", "interrupts", "iomem", "ioports", "kallsyms",
                 "key-users", "keys", "mdstat", "modules", "pagetypeinfo", "partitions", "schedstat", "softirqs", "swaps",
                 "timer_list", "zoneinfo", "pressure/cpu", "pressure/memory", "pressure/io", "bus/pci/devices", "slabinfo"]
        self.assertEqual(self.attack("tells", names=names), [])
        needed = ["cpuinfo", "meminfo", "stat", "loadavg", "uptime", "version", "filesystems", "self/status",
                  "sys/kernel/osrelease", "sys/vm/overcommit_memory", "net/dev"]
        self.assertEqual(self.attack("tells", names=needed), needed)


class Inodes(AttackTest):
    """Files that an environment has in common with the host or with others."""

    FILES = ("/usr/bin/wc", "/usr/bin/bash", "/etc/hosts", "/etc/passwd", "/dev/null", "/dev/urandom")
    DIRECTORIES = ("/", "/usr", "/usr/bin", "/usr/lib", "/etc", "/dev", "/opt", "/var", "/var/runtime", "/tmp")

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        # Of an ordinary user's environments these are the host's: no one else may make devices.
        cls.own = [path for path in cls.FILES + cls.DIRECTORIES if os.geteuid() == 0 or not path.startswith("/dev/")]
        cls.service.deploy("other", functions.zip_of({**ATTACKER_FILES, "of.txt": "another"}), runtime=PYTHON,
                           handler="app.handler", Timeout=60, MemorySize=512)

    def while_the_attacker(self, attack, **arguments):
        pool = concurrent.futures.ThreadPoolExecutor(1)
        self.addCleanup(pool.shutdown)
        self.assertEqual(self.attack("ping"), "pong")  # so that the attack begins at once
        self.assertEqual(self.attack("ping", "other"), "pong")
        return pool.submit(self.attack, attack, **arguments)

    def test_what_others_open_is_not_seen(self):
        call = self.while_the_attacker("watch", paths=self.own, seconds=4)
        while not call.done():
            for path in self.own:
                if os.path.isdir(path):
                    os.listdir(path)
                elif os.path.exists(path):
                    with open(path, "rb") as file:
                        file.read(10)
            self.assertEqual(self.attack("touch", "other", paths=self.own), "touched")
        self.assertEqual(call.result(), [])

    def test_locks_of_a_function_are_its_own(self):
        call = self.while_the_attacker("lock", paths=self.own, seconds=4)
        attempts = 0
        while not call.done():
            for path in self.own:
                if not os.path.exists(path) or path == "/dev/null":
                    continue
                descriptor = os.open(path, os.O_RDONLY)
                try:
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                finally:
                    os.close(descriptor)
            self.assertEqual(self.attack("lock", "other", paths=self.own, seconds=0), [])
            attempts += 1
        self.assertEqual(call.result(), [])
        self.assertGreater(attempts, 0)


class Packages(AttackTest):
    def create(self, name, zip_bytes):
        return dict(call=self.client.create_function, FunctionName=name, Runtime="provided.al2023", Handler="x",
                    Role="arn:aws:iam::000000000000:role/any", Code={"ZipFile": zip_bytes})

    LINKS = """
import os
def look(path):
    try:
        return os.listdir(path) if os.path.isdir(path) else open(path, "rb").read().decode("latin-1")
    except OSError as problem:
        return type(problem).__name__
def handler(event, context):
    return {f"{folder}/{name}": [os.readlink(f"{folder}/{name}"), look(f"{folder}/{name}")]
            for folder in event["folders"] for name in event["names"]}
"""

    def test_links_that_lead_outside_lead_nowhere(self):
        """Neither the function nor what unpacks, mounts and serves its package reaches the host by them."""
        with tempfile.TemporaryDirectory() as directory:
            os.chmod(directory, 0o755)
            host = Path(directory)
            (host / "secret").write_text("the host's")
            targets = {"absolute": f"{host}/secret", "directory": str(host), "relative": "../" * 60 + f"{host}/secret",
                       "init": f"/proc/1/root{host}/secret", "own": f"/proc/self/root{host}/secret",
                       "cwd": f"/proc/self/cwd/../../..{host}/secret", "data": str(self.service.data),
                       "dangling": "nowhere", "itself": "itself"}
            links = {name: (target, stat.S_IFLNK | 0o777) for name, target in targets.items()}
            layers = [self.client.publish_layer_version(LayerName=name, Content={"ZipFile": functions.zip_of(files)})
                      ["LayerVersionArn"] for name, files in (("links", links), ("over", {"directory/planted": "x"}))]
            self.service.deploy("links", functions.zip_of({"app.py": self.LINKS, **links}), runtime=PYTHON,
                                handler="app.handler", Layers=layers[:1])
            found = self.service.invoke("links", {"folders": ["/var/task", "/opt"], "names": list(targets)}).json
            self.assertEqual(len(found), 2 * len(targets))
            for path, (target, seen) in found.items():
                self.assertEqual(target, targets[path.rpartition("/")[2]])
                self.assertIn(seen, ("FileNotFoundError", "PermissionError", "OSError"), path)
            # A layer above the link has a directory of that name: what it holds does not come to lie on the host.
            self.service.deploy("over", functions.zip_of({"app.py": self.LINKS.replace("os.readlink", "str")}),
                                runtime=PYTHON, handler="app.handler", Layers=layers)
            self.assertEqual(self.service.invoke("over", {"folders": ["/opt"], "names": ["directory"]}).json,
                             {"/opt/directory": ["/opt/directory", ["planted"]]})
            self.assertEqual([path.name for path in host.iterdir()], ["secret"])
            self.assertEqual((host / "secret").read_text(), "the host's")

    def test_bootstrap_that_is_a_link_out_of_the_package_is_not_followed_on_the_host(self):
        with tempfile.TemporaryDirectory() as directory:
            os.chmod(directory, 0o755)
            program = Path(directory) / "bootstrap"
            program.write_text(f"#!/bin/sh\ntouch {directory}/ran\n")
            program.chmod(0o755)
            self.service.deploy("away", functions.zip_of({"bootstrap": (str(program), stat.S_IFLNK | 0o777)}))
            self.assertEqual(self.service.invoke("away").json["errorType"], "Runtime.InvalidEntrypoint")
            self.assertFalse((Path(directory) / "ran").exists())

    def test_files_below_a_link_are_refused(self):
        zipped = functions.zip_of({"there": ("/tmp", stat.S_IFLNK | 0o777), "there/file": "x"})
        self.refused("InvalidParameterValueException", 400, **self.create("below", zipped))

    def test_bootstrap_that_is_no_file_is_refused(self):
        for number, kind in enumerate((stat.S_IFIFO, stat.S_IFCHR, stat.S_IFBLK, stat.S_IFSOCK)):
            zipped = functions.zip_of({"bootstrap": ("", kind | 0o777), "other": "x"})
            with self.assertRaises(Exception, msg=oct(kind)) as caught:
                self.service.deploy(f"special{number}", zipped)
                answer = self.service.invoke(f"special{number}")
                self.assertEqual(answer.error, "Unhandled")
                raise AssertionError(answer.json["errorType"])
            self.assertRegex(str(caught.exception), "InvalidParameterValue|InvalidEntrypoint")

    def test_bootstrap_of_four_gigabytes_is_refused(self):
        before = {str(path) for path in self.service.data.rglob("*")}
        self.refused("InvalidParameterValueException", 400, **self.create("huge", zip_of_zeros(4 << 30)))
        after = {str(path) for path in self.service.data.rglob("*")}
        self.assertEqual([path for path in after - before if "huge" in path or os.path.getsize(path) > 1 << 24], [])


def zip_of_zeros(size):
    """A zip whose bootstrap unpacks to `size` bytes (below 4 GiB: one less), made without writing them."""
    import struct
    import zlib
    size = min(size, (1 << 32) - 1)
    step = 1 << 26
    compressor = zlib.compressobj(9, zlib.DEFLATED, -15)
    compressor.compress(b"")
    block = compressor.compress(bytes(step)) + compressor.flush(zlib.Z_FULL_FLUSH)
    rest = zlib.compressobj(9, zlib.DEFLATED, -15)
    data = block * (size // step) + rest.compress(bytes(size % step)) + rest.flush()
    checksum = 0
    for _ in range(size // step):
        checksum = zlib.crc32(bytes(step), checksum)
    checksum = zlib.crc32(bytes(size % step), checksum)
    name = b"bootstrap"
    local = struct.pack("<IHHHHHIIIHH", 0x04034b50, 20, 0, 8, 0, 0x5821, checksum, len(data), size, len(name), 0) + name
    central = struct.pack("<IHHHHHHIIIHHHHHII", 0x02014b50, 0x0314, 20, 0, 8, 0, 0x5821, checksum, len(data), size,
                          len(name), 0, 0, 0, 0, 0o100755 << 16, 0) + name
    end = struct.pack("<IHHHHIIH", 0x06054b50, 0, 0, 1, 1, len(central), len(local) + len(data), 0)
    return local + data + central + end


def addresses_of_this_host():
    """IPv4 addresses of this host, from the kernel's table."""
    text = Path("/proc/net/fib_trie").read_text()
    return {match for match in re.findall(r"\|-- (\d+\.\d+\.\d+\.\d+)\n\s+/32 host LOCAL", text)}


def rss_bytes(pid):
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096


def sockets_of(pid):
    count = 0
    for number in os.listdir(f"/proc/{pid}/fd"):
        try:
            count += "socket" in os.readlink(f"/proc/{pid}/fd/{number}")
        except OSError:
            pass
    return count
