"""A function's way out, in networks of the test's own: nothing touches the machine's.

                 10.77.1.1          10.77.1.2
    function ── [ the "host": this process's network ] ── [ the "world": another network ]
"""

import ctypes
import fcntl
import os
import signal
import socket
import subprocess
import tempfile
import threading
import unittest

from attacks_test import ATTACKER
from harness import PYTHON, Service, can_isolate, launcher_of, wait_until

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

    def __init__(self, port, prefix=(), program=PROGRAM):
        self.process = subprocess.Popen([*prefix, "/usr/bin/python3", "-c", program, str(port)],
                                        stdout=subprocess.PIPE, text=True)
        assert self.process.stdout.readline() == "ready\n"

    def close(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


# To each datagram an answer, and one from another port that nobody asked for.
STRANGER = ("import socket,sys\n"
            "s=socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(('0.0.0.0', int(sys.argv[1])))\n"
            "other=socket.socket(socket.AF_INET, socket.SOCK_DGRAM); print('ready', flush=True)\n"
            "while True:\n words, who = s.recvfrom(100); other.sendto(b'unasked', who); s.sendto(b'answer', who)\n"
            " print(*who, flush=True)\n")
# Every name has one address.
NAMES = ("import socket,sys\n"
         "s=socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(('0.0.0.0', int(sys.argv[1])))\n"
         "print('ready', flush=True)\n"
         "while True:\n q, who = s.recvfrom(512); end = q.index(0, 12) + 5; a = q[end - 4:end - 2] == bytes([0, 1])\n"
         " s.sendto(q[:2] + bytes([0x85, 0x80, 0, 1, 0, int(a), 0, 0, 0, 0]) + q[12:end]\n"
         "          + (bytes([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 9, 0, 4, 203, 0, 113, 7]) if a else b''), who)\n")


class NetworkTest(unittest.TestCase):
    def setUp(self):
        for reason in (can_isolate(), "" if os.getuid() == 0 else "only root makes networks of its own",
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

    def serve(self, *flags, data=None):
        service = Service("--isolation", "namespace", *flags, data=data, **self.start_as())
        self.addCleanup(service.close)
        self.prepare_data(service)
        return service.start()

    def start_as(self):
        """How the service is started: words of Service."""
        return {"prefix": ("unshare", "--mount", "sh", "-c", self.name_server_in_world() + 'exec "$@"', "sh")}

    def prepare_data(self, service):
        pass

    def name_server_in_world(self):
        """Commands of sh that let whoever runs them, in mounts of his own, see WORLD as the host's name server."""
        place = tempfile.NamedTemporaryFile("w", prefix="r-")
        self.addCleanup(place.close)
        self.name_servers = place.name
        place.write(f"nameserver {WORLD}\n")
        place.flush()
        os.chmod(place.name, 0o644)
        return "".join(f"mount --bind {place.name} {path} && " for path in
                       ("/etc/resolv.conf", "/run/systemd/resolve/resolv.conf") if os.path.exists(path))

    def deploy(self, service, name, network=None):
        service.deploy(name, ATTACKER, runtime=PYTHON, handler="app.handler", Timeout=60,
                       MemorySize=256, **({"Tags": {"ogni:network": network}} if network else {}))

    def attack(self, service, function, attack, **arguments):
        answer = service.invoke(function, {"attack": attack, "with": arguments})
        self.assertIsNone(answer.error, answer.body)
        return answer.json

    def reached(self, service, name, *targets, seconds=2):
        said = self.attack(service, name, "connect", targets=[["4", *t] for t in targets], seconds=seconds)
        return {address for _, address, _ in said}

    def in_this_world(self, *arguments):
        world = Answers(*arguments)
        self.addCleanup(world.close)
        return world

    def kill_launcher(self, service):
        keeper, first = launcher_of(service)
        os.kill(first, signal.SIGKILL)
        wait_until(lambda: (launcher_of(service) or (keeper, first))[1] != first, "another launcher is there")
        wait_until(lambda: "the launcher died" in service.messages(), "the daemon knows")

    def kill_all(self, service):
        """Nobody is left who could clear away."""
        family = service.family()
        for pid in (service.process.pid, *launcher_of(service)):
            os.kill(pid, signal.SIGSTOP)
        for pid in launcher_of(service):
            os.kill(pid, signal.SIGKILL)
        service.process.kill()
        service.process.wait()
        service.expect_gone(family)

    def forwarding(self):
        return run("cat", "/proc/sys/net/ipv4/ip_forward").stdout.strip()

    def tables(self):
        return run("nft", "list", "tables").stdout

    def expect_nothing_left(self):
        self.assertEqual(self.tables(), "")
        self.assertEqual(self.forwarding(), "0")
        self.assertEqual([line for line in run("ip", "-o", "link").stdout.splitlines() if ": og" in line], [])


class WhoeverStartsIt:
    """What a way out promises, by root and by an ordinary user."""

    def pairs(self, service):
        """How many environments something leads to from the way out."""
        raise NotImplementedError

    def test_function_with_a_way_out_reaches_the_world_and_neither_host_nor_metadata(self):
        world = self.in_this_world(8080, self.in_world)
        self.in_this_world(8081)
        self.in_this_world(25, self.in_world)
        run("ip", "addr", "add", "10.99.0.1/24", "dev", "lo")
        service = self.serve("--network", "tagged")
        self.deploy(service, "out", "egress")
        self.assertEqual(self.reached(service, "out", (WORLD, 8080), (ELSEWHERE, 8080)), {WORLD, ELSEWHERE})
        self.assertEqual(world.process.stdout.readline().strip(), HOST, "masqueraded")
        self.in_this_world(53, self.in_world, NAMES)
        self.assertEqual(self.attack(service, "out", "resolve", name="anything.example.com"), ELSEWHERE)
        gateway = self.attack(service, "out", "gateway")
        refused = [(HOST, 8081), (HOST, service.port), ("127.0.0.1", service.port), ("0.0.0.0", 8081),
                   ("127.0.0.53", 8081), ("10.99.0.1", 8081), ("10.99.0.77", 8081), (gateway, 8081),
                   (gateway, service.port), (METADATA, 8080), (WORLD, 25), ("100.127.255.253", 8081),
                   ("100.127.255.254", 8081), ("240.0.0.1", 8081)]
        self.assertEqual(self.reached(service, "out", *refused, seconds=1), set())
        self.assertEqual(service.stop(), 0)
        self.expect_nothing_left()

    def test_an_address_that_the_host_gets_later_is_not_reached_either(self):
        self.in_this_world(8080, self.in_world)
        self.in_this_world(8081)
        service = self.serve("--network", "egress")
        self.deploy(service, "out")
        self.assertEqual(self.reached(service, "out", (WORLD, 8080)), {WORLD})
        later = "10.77.4.1"
        run("ip", "addr", "add", later + "/24", "dev", "out")
        wait_until(lambda: self.reached(service, "out", (later, 8081), seconds=1) == set(), "it is not reached")
        self.assertEqual(self.reached(service, "out", (later, 8081), (WORLD, 8080), seconds=1), {WORLD})
        self.assertEqual(service.stop(), 0)

    def test_a_rule_by_which_the_host_sends_packets_elsewhere_is_no_way_to_what_is_never_let_through(self):
        """As containers' published ports have it, and agents that answer in the place of a metadata service."""
        self.in_this_world(8080, self.in_world)
        lead = f"ip daddr {HOST} tcp dport 8082 dnat to {WORLD}:8080; ip daddr {METADATA} tcp dport 80 dnat to {WORLD}:8080;"
        run("nft", "-f", "-", input="table ip elsewhere {\n" + "".join(
            f" chain {hook} {{ type nat hook {hook} priority -100; {lead} }}\n" for hook in ("prerouting", "output")) + "}\n")
        for target in ((HOST, 8082), (METADATA, 80)):
            socket.create_connection(target, timeout=10).close()
        service = self.serve("--network", "egress")
        self.deploy(service, "out")
        self.assertEqual(self.reached(service, "out", (WORLD, 8080), (HOST, 8082), (METADATA, 80)), {WORLD})
        run("nft", "delete", "table", "ip", "elsewhere")
        self.assertEqual(service.stop(), 0)
        self.expect_nothing_left()

    def test_asking_for_strangers_does_not_fill_the_hosts_table_of_neighbours(self):
        self.in_this_world(8080, self.in_world)
        service = self.serve("--network", "egress")
        for name in ("out", "other"):
            self.deploy(service, name)
        taken = self.attack(service, "out", "strangers", device="eth0", count=4000)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
            for number in range(100, 120):
                one.sendto(b"", (f"10.77.1.{number}", 9))  # fails where there is no room to ask for a neighbour
        self.assertEqual(taken, 4000)
        self.assertEqual(self.reached(service, "other", (WORLD, 8080)), {WORLD})

        def has_address():
            lines = run("ip", "-6", "-o", "addr", "show", "dev", "out").stdout
            return "fe80" in lines and "tentative" not in lines
        wait_until(has_address, "the host has an address of its own there")
        taken = self.attack(service, "out", "strangers_of_ipv6", device="eth0", count=4000)
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as one:
            for number in range(100, 120):
                one.sendto(b"", (f"fe80::9:{number}", 9, 0, socket.if_nametoindex("out")))
        self.assertEqual(taken, 4000)
        self.assertEqual(service.stop(), 0)

    def test_the_file_that_names_the_servers_is_of_each_environment(self):
        service = self.serve("--network", "egress")
        for name in ("out", "other"):
            self.deploy(service, name)
        path = "/etc/resolv.conf"
        self.assertEqual(self.attack(service, "out", "read", paths=[path]), {path: f"nameserver {WORLD}\n".encode().hex()})
        for attack, while_it_lasts in (("lock", "lock"), ("watch", "touch")):
            outcome = []
            caller = threading.Thread(target=lambda: outcome.append(service.invoke(
                "out", {"attack": attack, "with": {"paths": [path], "seconds": 3}}).json))
            caller.start()
            tries = 0
            while caller.is_alive():
                with open(self.name_servers) as file:
                    file.read()
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                more = {"seconds": 0} if while_it_lasts == "lock" else {}
                self.assertIn(self.attack(service, "other", while_it_lasts, paths=[path], **more), ([], "touched"))
                tries += 1
            caller.join()
            self.assertEqual(outcome, [[]])
            self.assertGreater(tries, 0)
        self.assertEqual(service.stop(), 0)

    def test_nothing_comes_in_that_is_no_answer(self):
        self.in_this_world(9000, self.in_world, STRANGER)
        service = self.serve("--network", "egress")
        self.deploy(service, "out")
        said = self.attack(service, "out", "datagrams", address=WORLD, port=9000, seconds=1)
        self.assertEqual(said["came"], [[WORLD, 9000, "answer"]])
        self.assertEqual(service.stop(), 0)

    def test_environments_with_a_way_out_do_not_reach_each_other_nor_are_reached(self):
        service = self.serve("--network", "egress")
        self.deploy(service, "server")
        self.deploy(service, "client")
        address = self.attack(service, "server", "own_address")
        gateway = self.attack(service, "client", "gateway")
        self.assertNotEqual(address, gateway)
        outcome = []
        # Not a pool: its threads would be in this network, too, but are made when they please.
        caller = threading.Thread(target=lambda: outcome.append(service.invoke(
            "server", {"attack": "listen", "with": {"port": 8090, "seconds": 8}}).json))
        caller.start()
        self.assertEqual(self.reached(service, "client", (address, 8090), seconds=2), set())
        run("ip", "route", "get", address)
        for target in (address, HOST):
            knock = subprocess.run([*self.in_world, "/usr/bin/python3", "-c",
                                    "import socket,sys\ns=socket.socket(); s.settimeout(2)\n"
                                    f"sys.exit(s.connect_ex(('{target}', 8090)) != 0)"], timeout=30)
            self.assertNotEqual(knock.returncode, 0)
        caller.join()
        self.assertEqual(outcome, [None])
        service.kill()  # its launcher clears away all the same
        wait_until(lambda: "ogni" not in self.tables(), "the table is gone")

    def test_without_the_setting_the_tag_gives_nothing_and_is_told_of_once_per_function(self):
        self.in_this_world(8080, self.in_world)
        service = self.serve()
        self.deploy(service, "out", "egress")
        self.deploy(service, "again", "egress")
        for name in ("out", "again"):
            self.assertEqual(self.reached(service, name, (WORLD, 8080), seconds=1), set())
        for name in ("out", "again"):
            service.client.update_function_configuration(FunctionName=name, Description="another environment")
            service.wait_active(name)
            self.attack(service, name, "gateway")
            self.assertEqual(service.messages().count(f"{name} is tagged ogni:network=egress"), 1)
        self.assertEqual(service.messages().count("--network tagged"), 2)
        self.assertEqual(service.stop(), 0)
        self.expect_nothing_left()

    def test_function_without_a_way_out_is_told_no_name_server(self):
        service = self.serve("--network", "tagged")
        self.deploy(service, "in")
        seen = self.attack(service, "in", "read", paths=["/etc/resolv.conf"])
        self.assertEqual(seen, {"/etc/resolv.conf": ""})
        self.assertEqual(self.attack(service, "in", "interfaces"), ["lo"])
        self.assertEqual(self.tables(), "", "no rules before somebody needs them")
        self.assertEqual(service.stop(), 0)

    def test_a_launcher_that_is_killed_is_followed_by_one_that_gives_a_way_out(self):
        self.in_this_world(8080, self.in_world)
        service = self.serve("--network", "egress")
        self.deploy(service, "out")
        self.assertEqual(self.reached(service, "out", (WORLD, 8080)), {WORLD})
        first = [one for one in service.family() if one[0] not in (service.process.pid, launcher_of(service)[0])]
        self.kill_launcher(service)
        service.expect_gone(first)
        self.assertEqual(self.reached(service, "out", (WORLD, 8080), (HOST, service.port)), {WORLD})
        self.assertLessEqual(len(self.tables().splitlines()), 1)
        self.assertEqual(service.stop(), 0)
        self.expect_nothing_left()

    def test_environments_with_a_way_out_are_made_ahead_where_the_setting_makes_them_likely(self):
        """Of four: three where every function has one; two once one has asked, where only tagged ones have."""
        service = self.serve("--network", "egress", "--blank-environments", "4")
        wait_until(lambda: self.pairs(service) == 3, "three have a way out before there is a function")
        self.deploy(service, "out")
        self.assertEqual(self.attack(service, "out", "ping"), "pong")
        wait_until(lambda: self.pairs(service) == 4, "the one that was taken is made up for")
        self.assertEqual(service.stop(), 0)
        service = self.serve("--network", "tagged", "--blank-environments", "4")
        self.deploy(service, "in")
        self.assertEqual(self.attack(service, "in", "ping"), "pong")
        self.assertEqual(self.pairs(service), 0)
        self.deploy(service, "out", "egress")
        self.assertEqual(self.attack(service, "out", "ping"), "pong")
        wait_until(lambda: self.pairs(service) == 3, "one lives, and two are there for the next")
        self.assertEqual(self.attack(service, "in", "interfaces"), ["lo"])
        self.assertEqual(service.stop(), 0)
        self.expect_nothing_left()


class AsRoot(WhoeverStartsIt, NetworkTest):
    def pairs(self, service):
        return sum(": og" in line for line in run("ip", "-o", "link").stdout.splitlines())

    def test_a_tag_that_is_changed_changes_what_is_reached(self):
        self.in_this_world(8080, self.in_world)
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
        self.in_this_world(8080, self.in_world)
        service = self.serve("--network", "egress")
        self.deploy(service, "shy", "loopback")
        self.deploy(service, "plain")
        self.assertEqual(self.reached(service, "shy", (WORLD, 8080), seconds=1), set())
        self.assertEqual(self.attack(service, "shy", "interfaces"), ["lo"])
        self.assertEqual(self.reached(service, "plain", (WORLD, 8080)), {WORLD})
        self.assertEqual(service.stop(), 0)
        self.expect_nothing_left()

    def test_function_fills_only_so_much_of_the_hosts_table_of_connections(self):
        service = self.serve("--network", "egress")
        self.deploy(service, "greedy")
        self.attack(service, "greedy", "flows", address=WORLD, port=9000, count=3000)
        with open("/proc/sys/net/netfilter/nf_conntrack_count") as file:
            connections = int(file.read())
        self.assertGreater(connections, 500)
        self.assertLess(connections, 1100)
        self.assertEqual(service.stop(), 0)

    def test_what_a_killed_service_leaves_is_swept_at_the_next_start(self):
        killed = self.serve("--network", "egress")
        self.deploy(killed, "out")
        self.assertEqual(self.reached(killed, "out", (WORLD, 8080), seconds=1), set())
        self.kill_all(killed)
        self.assertIn("ogni_", self.tables())
        self.assertEqual(self.forwarding(), "1")
        service = self.serve(data=killed.data)
        self.expect_nothing_left()
        self.assertEqual(service.stop(), 0)

    def test_forwarding_stays_on_as_long_as_another_service_needs_it(self):
        self.in_this_world(8080, self.in_world)
        first, second = self.serve("--network", "egress"), self.serve("--network", "egress")
        for service in (first, second):
            self.deploy(service, "out")
            self.assertEqual(self.reached(service, "out", (WORLD, 8080)), {WORLD})
        self.assertEqual(first.stop(), 0)
        self.assertEqual(self.forwarding(), "1")
        self.assertEqual(self.reached(second, "out", (WORLD, 8080)), {WORLD})
        self.assertEqual(second.stop(), 0)
        self.assertEqual(self.forwarding(), "0")
