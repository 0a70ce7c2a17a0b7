"""A function's way out, in networks of the test's own: nothing touches the machine's.

                 10.77.1.1          10.77.1.2
    function ── [ the "host": this process's network ] ── [ the "world": another network ]
"""

import ctypes
import os
import signal
import subprocess
import threading
import unittest

import functions
from attacks_test import ATTACKER
from harness import PYTHON, Service, can_isolate, wait_until

CLONE_NEWNET = 0x40000000
WORLD = "10.77.1.2"
HOST = "10.77.1.1"
ELSEWHERE = "203.0.113.7"  # an address of the world behind the default route
METADATA = "169.254.169.254"


def run(*words, **more):
    return subprocess.run(words, check=True, capture_output=True, text=True, timeout=30, **more)


class Answers:
    """Listens on an address of a network and says hello to whoever comes."""

    PROGRAM = ("import socket,sys\n"
               "s=socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)\n"
               "s.bind(('0.0.0.0', int(sys.argv[1]))); s.listen(); print('ready', flush=True)\n"
               "while True:\n c, who = s.accept(); print(who[0], flush=True); c.sendall(b'hello'); c.close()\n")

    def __init__(self, port, prefix=()):
        self.process = subprocess.Popen([*prefix, "/usr/bin/python3", "-c", self.PROGRAM, str(port)],
                                        stdout=subprocess.PIPE, text=True)
        assert self.process.stdout.readline() == "ready\n"

    def close(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


class Network(unittest.TestCase):
    def setUp(self):
        for reason in (can_isolate(), "" if os.getuid() == 0 else "only root gives a way out",
                       "" if os.path.exists("/usr/sbin/nft") and os.path.exists("/usr/sbin/ip") else "no nft or ip"):
            if reason:
                self.skipTest(reason)
        # What is started from here is in the new network; the thread comes back at the end.
        self.libc = ctypes.CDLL(None, use_errno=True)
        own = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        self.addCleanup(os.close, own)
        if self.libc.unshare(CLONE_NEWNET) != 0:
            self.skipTest("no network namespace can be had")
        self.addCleanup(self.libc.setns, own, CLONE_NEWNET)
        self.world = subprocess.Popen(["unshare", "--net", "sleep", "600"])
        self.addCleanup(self.world.wait)
        self.addCleanup(self.world.kill)
        here = os.readlink("/proc/thread-self/ns/net")

        def is_apart():
            try:
                return os.readlink(f"/proc/{self.world.pid}/ns/net") != here
            except OSError:
                return False
        wait_until(is_apart, "the world has a network of its own")
        self.in_world = ("nsenter", f"--net=/proc/{self.world.pid}/ns/net", "--")
        run("ip", "link", "set", "lo", "up")
        run("ip", "link", "add", "out", "type", "veth", "peer", "name", "in", "netns", str(self.world.pid))
        run("ip", "addr", "add", HOST + "/24", "dev", "out")
        run("ip", "link", "set", "out", "up")
        for words in (("link", "set", "lo", "up"), ("addr", "add", WORLD + "/24", "dev", "in"),
                      ("addr", "add", ELSEWHERE + "/32", "dev", "lo"), ("addr", "add", METADATA + "/32", "dev", "lo"),
                      ("link", "set", "in", "up")):
            run(*self.in_world, "ip", *words)
        run("ip", "route", "add", "default", "via", WORLD)

    def serve(self, *flags):
        service = Service("--isolation", "namespace", *flags)
        self.addCleanup(service.close)
        return service.start()

    def deploy(self, service, name, network=None):
        service.deploy(name, functions.python_handler(ATTACKER), runtime=PYTHON, handler="app.handler", Timeout=60,
                       MemorySize=256, **({"Tags": {"ogni:network": network}} if network else {}))

    def reached(self, service, name, *targets, seconds=2):
        answer = service.invoke(name, {"attack": "connect", "with": {"targets": [["4", *t] for t in targets],
                                                                       "seconds": seconds}})
        self.assertIsNone(answer.error, answer.body)
        return {address for _, address, _ in answer.json}

    def test_function_with_a_way_out_reaches_the_world_and_neither_host_nor_metadata(self):
        world = Answers(8080, self.in_world)
        self.addCleanup(world.close)
        own = Answers(8081)
        self.addCleanup(own.close)
        mail = Answers(25, self.in_world)
        self.addCleanup(mail.close)
        service = self.serve("--network", "tagged")
        self.deploy(service, "out", "egress")
        self.assertEqual(self.reached(service, "out", (WORLD, 8080), (ELSEWHERE, 8080)), {WORLD, ELSEWHERE})
        self.assertEqual(world.process.stdout.readline().strip(), HOST, "masqueraded")
        gateway = service.invoke("out", {"attack": "gateway"}).json
        refused = [(HOST, 8081), (HOST, service.port), ("127.0.0.1", service.port), (gateway, 8081),
                   (gateway, service.port), (METADATA, 8080), (WORLD, 25)]
        self.assertEqual(self.reached(service, "out", *refused, seconds=1), set())
        with open("/etc/resolv.conf", "rb") as file:
            expected = file.read(200).hex()
        if not os.path.exists("/run/systemd/resolve/resolv.conf"):
            seen = service.invoke("out", {"attack": "read", "with": {"paths": ["/etc/resolv.conf"]}}).json
            self.assertEqual(seen, {"/etc/resolv.conf": expected}, "the host's name servers")
        self.assertEqual(service.stop(), 0)
        self.assertNotIn("ogni", run("nft", "list", "tables").stdout)
        self.assertEqual([line for line in run("ip", "-o", "link").stdout.splitlines() if ": og" in line], [])

    def test_environments_with_a_way_out_do_not_reach_each_other_nor_are_reached(self):
        service = self.serve("--network", "egress")
        self.deploy(service, "server")
        self.deploy(service, "client")
        address = service.invoke("server", {"attack": "own_address"}).json
        gateway = service.invoke("client", {"attack": "gateway"}).json
        self.assertNotEqual(address, gateway)
        outcome = []
        # Not a pool: its threads would be in this network, too, but are made when they please.
        caller = threading.Thread(target=lambda: outcome.append(service.invoke(
            "server", {"attack": "listen", "with": {"port": 8090, "seconds": 6}}).json))
        caller.start()
        self.assertEqual(self.reached(service, "client", (address, 8090), seconds=2), set())
        run("ip", "route", "get", address)
        knock = subprocess.run([*self.in_world, "/usr/bin/python3", "-c",
                                "import socket,sys\ns=socket.socket(); s.settimeout(2)\n"
                                f"sys.exit(s.connect_ex(('{address}', 8090)) != 0)"], timeout=30)
        self.assertNotEqual(knock.returncode, 0)
        caller.join()
        self.assertEqual(outcome, [None])
        service.kill()  # its launcher clears away all the same
        wait_until(lambda: "ogni" not in run("nft", "list", "tables").stdout, "the table is gone")

    def test_without_the_setting_the_tag_gives_nothing_and_is_told_of_once_per_function(self):
        world = Answers(8080, self.in_world)
        self.addCleanup(world.close)
        service = self.serve()
        self.deploy(service, "out", "egress")
        self.deploy(service, "again", "egress")
        for name in ("out", "again"):
            self.assertEqual(self.reached(service, name, (WORLD, 8080), seconds=1), set())
        for name in ("out", "again"):
            service.client.update_function_configuration(FunctionName=name, Description="another environment")
            service.wait_active(name)
            service.invoke(name, {"attack": "gateway"})
            self.assertEqual(service.messages().count(f"{name} is tagged ogni:network=egress"), 1)
        self.assertEqual(service.messages().count("--network tagged"), 2)
        self.assertEqual(service.stop(), 0)
        self.assertEqual(run("nft", "list", "tables").stdout, "")
        self.assertEqual(run("cat", "/proc/sys/net/ipv4/ip_forward").stdout.strip(), "0")

    def test_function_without_a_way_out_is_told_no_name_server(self):
        service = self.serve("--network", "tagged")
        self.deploy(service, "in")
        seen = service.invoke("in", {"attack": "read", "with": {"paths": ["/etc/resolv.conf"]}}).json
        self.assertEqual(seen, {"/etc/resolv.conf": ""})
        self.assertEqual(run("nft", "list", "tables").stdout, "", "no rules before somebody needs them")
        self.assertEqual(service.stop(), 0)

    def launcher(self, service):
        """(keeper, the launcher that it keeps); None while there is none."""
        def children(pid):
            return [int(p) for p in open(f"/proc/{pid}/task/{pid}/children").read().split()]
        keepers = [pid for pid in children(service.process.pid)
                   if open(f"/proc/{pid}/comm").read().startswith("ogni-launcher")]
        kept = children(keepers[0]) if keepers else []
        return (keepers[0], kept[0]) if kept else None

    def forwarding(self):
        return run("cat", "/proc/sys/net/ipv4/ip_forward").stdout.strip()

    def test_a_launcher_that_is_killed_is_followed_by_one_that_gives_a_way_out(self):
        world = Answers(8080, self.in_world)
        self.addCleanup(world.close)
        service = self.serve("--network", "egress")
        self.deploy(service, "out")
        self.assertEqual(self.reached(service, "out", (WORLD, 8080)), {WORLD})
        keeper, first = self.launcher(service)
        os.kill(first, signal.SIGKILL)
        wait_until(lambda: (self.launcher(service) or (keeper, first))[1] != first, "another launcher is there")
        wait_until(lambda: "the launcher died" in service.messages(), "the daemon knows")
        self.assertEqual(self.reached(service, "out", (WORLD, 8080), (HOST, service.port)), {WORLD})
        tables = run("nft", "list", "tables").stdout.splitlines()
        self.assertEqual(len(tables), 1, tables)
        self.assertEqual(service.stop(), 0)
        self.assertEqual(run("nft", "list", "tables").stdout, "")
        self.assertEqual(self.forwarding(), "0", "the second one knew that the first had switched it on")

    def kill_all(self, service):
        """Nobody is left who could clear away."""
        family = service.family()
        for pid in (service.process.pid, *self.launcher(service)):
            os.kill(pid, signal.SIGSTOP)
        for pid in self.launcher(service):
            os.kill(pid, signal.SIGKILL)
        service.process.kill()
        service.process.wait()
        service.expect_gone(family)

    def test_what_a_killed_service_leaves_is_swept_at_the_next_start(self):
        killed = self.serve("--network", "egress")
        self.deploy(killed, "out")
        self.assertEqual(self.reached(killed, "out", (WORLD, 8080), seconds=1), set())
        self.kill_all(killed)
        self.assertIn("ogni_", run("nft", "list", "tables").stdout)
        self.assertEqual(self.forwarding(), "1")
        service = Service("--isolation", "namespace", data=killed.data)
        self.addCleanup(service.close)
        service.start()
        self.assertEqual(run("nft", "list", "tables").stdout, "")
        self.assertEqual(self.forwarding(), "0")
        self.assertEqual(service.stop(), 0)

    def test_forwarding_stays_on_as_long_as_another_service_needs_it(self):
        world = Answers(8080, self.in_world)
        self.addCleanup(world.close)
        first, second = self.serve("--network", "egress"), self.serve("--network", "egress")
        for service in (first, second):
            self.deploy(service, "out")
            self.assertEqual(self.reached(service, "out", (WORLD, 8080)), {WORLD})
        self.assertEqual(first.stop(), 0)
        self.assertEqual(self.forwarding(), "1")
        self.assertEqual(self.reached(second, "out", (WORLD, 8080)), {WORLD})
        self.assertEqual(second.stop(), 0)
        self.assertEqual(self.forwarding(), "0")

    def test_a_tag_that_is_changed_changes_what_is_reached(self):
        world = Answers(8080, self.in_world)
        self.addCleanup(world.close)
        service = self.serve("--network", "tagged")
        self.deploy(service, "out")
        self.assertEqual(self.reached(service, "out", (WORLD, 8080), seconds=1), set())
        arn = service.client.get_function_configuration(FunctionName="out")["FunctionArn"]
        service.client.tag_resource(Resource=arn, Tags={"ogni:network": "egress"})
        self.assertEqual(self.reached(service, "out", (WORLD, 8080)), {WORLD})
        self.assertEqual(service.client.list_tags(Resource=arn)["Tags"], {"ogni:network": "egress"})
        service.client.untag_resource(Resource=arn, TagKeys=["ogni:network"])
        self.assertEqual(self.reached(service, "out", (WORLD, 8080), seconds=1), set())
        self.assertEqual(service.stop(), 0)

    def test_function_tagged_loopback_stays_in_where_others_go_out(self):
        world = Answers(8080, self.in_world)
        self.addCleanup(world.close)
        service = self.serve("--network", "egress")
        self.deploy(service, "shy", "loopback")
        self.deploy(service, "plain")
        self.assertEqual(self.reached(service, "shy", (WORLD, 8080), seconds=1), set())
        self.assertEqual(self.reached(service, "plain", (WORLD, 8080)), {WORLD})
        self.assertEqual(service.stop(), 0)
        self.assertEqual(run("cat", "/proc/sys/net/ipv4/ip_forward").stdout.strip(), "0")


class WithoutRoot(unittest.TestCase):
    def test_a_way_out_is_refused_at_start_and_the_setting_is_named(self):
        if os.getuid() == 0:
            self.skipTest("root can have it")
        if can_isolate():
            self.skipTest("namespace isolation: " + can_isolate())
        service = Service("--isolation", "namespace", "--network", "egress")
        self.addCleanup(service.close)
        with self.assertRaises(AssertionError) as caught:
            service.start()
        self.assertIn("--network: only a service that is started as root", str(caught.exception))
