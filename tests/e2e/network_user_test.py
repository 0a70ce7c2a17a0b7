"""The way out of a service that an ordinary user has started: network_test.py, and what only this one has to keep.

Root alone can make the networks, so root tries it, and starts the service as somebody who can do nothing there.
"""

import json
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import unittest
from pathlib import Path

import network_test as network
from attacks_test import ATTACKER
from harness import BIN, OGNI, PYTHON, Service, can_isolate, comm, wait_until


def unused_uid():
    """Nobody owns it, and nothing runs under it."""
    taken = {entry.pw_uid for entry in pwd.getpwall()}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            taken.add(os.stat(f"/proc/{pid}").st_uid)
        except OSError:
            pass  # gone meanwhile
    return next(uid for uid in range(64_900, 65_500) if uid not in taken)


class AsUser(network.WhoeverStartsIt, network.NetworkTest):
    """Root makes the networks, and starts the service in them as somebody who can do nothing there."""

    def setUp(self):
        if not os.path.exists("/usr/bin/pasta"):
            self.skipTest("no pasta")
        if not os.path.exists("/dev/net/tun"):
            self.skipTest("no /dev/net/tun")
        super().setUp()
        self.uid = unused_uid()
        # The checkout may lie where only root can read.
        self.place = Path(tempfile.mkdtemp(prefix="p-"))
        self.addCleanup(shutil.rmtree, self.place, ignore_errors=True)
        self.place.chmod(0o755)
        for name in ("ogni", "ogni-launcher", "bootstrap"):
            shutil.copy(BIN / name, self.place)
        (self.place / "dev").mkdir()

    def start_as(self):
        # As udev has it, where this machine may have the device for root alone.
        device = (f"mount -t tmpfs -o mode=755,size=64k device {self.place}/dev && "
                  f"mknod -m 666 {self.place}/dev/tun c 10 200 && mount --bind {self.place}/dev/tun /dev/net/tun && ")
        become = f'exec setpriv --reuid {self.uid} --regid {self.uid} --clear-groups "$@"'
        return {"prefix": ("unshare", "--mount", "sh", "-c", device + self.name_server_in_world() + become, "sh"),
                "program": self.place / "ogni"}

    def prepare_data(self, service):
        os.chown(service.data, self.uid, self.uid)

    def named(self, service, *names):
        return [pid for pid, _ in service.family() if comm(pid).startswith(names)]

    def pasta(self, service):
        return self.named(service, "pasta", "passt")

    def pairs(self, service):
        [gateway] = self.named(service, "ogni-gateway")
        links = network.run("nsenter", f"--net=/proc/{gateway}/ns/net", "ip", "-o", "link").stdout.splitlines()
        return sum(": og" in line for line in links)

    def test_pasta_that_is_killed_is_followed_by_another(self):
        self.in_this_world(8080, self.in_world)
        service = self.serve("--network", "egress")
        self.deploy(service, "out")
        self.assertEqual(self.reached(service, "out", (network.WORLD, 8080)), {network.WORLD})
        [first] = self.pasta(service)
        os.kill(first, signal.SIGKILL)
        wait_until(lambda: self.pasta(service) not in ([], [first]), "another one is there")
        wait_until(lambda: self.reached(service, "out", (network.WORLD, 8080)) == {network.WORLD},
                   "the same environment reaches the world again")
        self.assertEqual(self.reached(service, "out", (network.HOST, service.port), seconds=1), set())
        self.assertEqual(service.stop(), 0)

    def test_nothing_is_left_when_nobody_is_left_to_clear_away(self):
        service = self.serve("--network", "egress")
        self.deploy(service, "out")
        self.attack(service, "out", "ping")
        self.assertEqual(len(self.pasta(service)), 1)
        self.kill_all(service)
        self.expect_nothing_left()

    def test_function_takes_only_so_many_ports_of_the_host(self):
        self.in_this_world(8080, self.in_world)
        self.in_this_world(9000, self.in_world, network.STRANGER)
        service = self.serve("--network", "egress")
        for name in ("greedy", "neighbour"):
            self.deploy(service, name)
        self.attack(service, "greedy", "flows", address=network.WORLD, port=9000, count=5000)
        ports = [int(line.split()[1].split(":")[1], 16)
                 for line in Path("/proc/thread-self/net/udp").read_text().splitlines()[1:]]
        self.assertGreater(len(ports), 0)
        self.assertLess(len(ports), 4096, "1,024 at a time, and of those that have ended some are still open")
        self.assertEqual([port for port in ports if not 32768 <= port < 40960], [])
        said = self.attack(service, "neighbour", "datagrams", address=network.WORLD, port=9000, seconds=1)
        self.assertEqual(said["came"], [[network.WORLD, 9000, "answer"]])
        self.assertEqual(self.reached(service, "neighbour", (network.WORLD, 8080)), {network.WORLD})
        self.assertEqual(service.stop(), 0)

    def test_what_is_missing_is_said_at_start(self):
        without = self.start_as()
        script = without["prefix"][4].replace("exec setpriv", "umount /dev/net/tun && mknod -m 600 "
                                              f"{self.place}/dev/closed c 10 200 && "
                                              f"mount --bind {self.place}/dev/closed /dev/net/tun && exec setpriv")
        service = Service("--isolation", "namespace", "--network", "tagged", program=without["program"],
                          prefix=(*without["prefix"][:4], script, "sh"))
        self.addCleanup(service.close)
        self.prepare_data(service)
        with self.assertRaises(AssertionError) as caught:
            service.start()
        self.assertIn("--network: functions cannot be given a way out here (this user may not open /dev/net/tun",
                      str(caught.exception))


class AsThisUser(unittest.TestCase):
    """On this machine as it is."""

    def test_the_service_starts_where_the_doctor_finds_a_way_out_and_else_gives_the_same_reason(self):
        if os.getuid() == 0:
            self.skipTest("root has it where there is nft")
        if can_isolate():
            self.skipTest("namespace isolation: " + can_isolate())
        report = json.loads(subprocess.run([str(OGNI), "doctor", "--output", "json"], capture_output=True, text=True,
                                           timeout=60).stdout)
        [found] = [one for one in report["Findings"] if one["Name"] == "way out"]
        service = Service("--isolation", "namespace", "--network", "egress")
        self.addCleanup(service.close)
        if not found["Good"]:
            reason = found["Words"].split(": functions reach")[0]
            with self.assertRaises(AssertionError) as caught:
                service.start()
            self.assertIn(reason, str(caught.exception))
            return
        service.start()
        service.deploy("out", ATTACKER, runtime=PYTHON, handler="app.handler", Timeout=60)
        self.assertEqual(set(service.invoke("out", {"attack": "interfaces"}).json), {"lo", "eth0"})
        targets = [["4", "127.0.0.1", service.port], ["4", network.METADATA, 80]]
        attack = {"attack": "connect", "with": {"targets": targets, "seconds": 1}}
        self.assertEqual(service.invoke("out", attack).json, [])
        self.assertEqual(service.stop(), 0)
