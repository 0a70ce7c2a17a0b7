"""The host's services and other environments."""

import concurrent.futures
import os
import socket
import time


def connect(targets, seconds=2):
    """Which of [[family, address, port]] accepted a connection; "unix" with port 0 is a path, or abstract with @."""
    def accepts(target):
        family, address, port = target
        kind = {"4": socket.AF_INET, "6": socket.AF_INET6, "unix": socket.AF_UNIX}[family]
        try:
            with socket.socket(kind, socket.SOCK_STREAM) as attempt:
                attempt.settimeout(seconds)
                attempt.connect((address, port) if family != "unix" else address.replace("@", "\0", 1))
                return True
        except OSError:
            return False

    with concurrent.futures.ThreadPoolExecutor(32) as pool:
        return [target for target, did in zip(targets, pool.map(accepts, targets)) if did]


def interfaces():
    return [name for _, name in socket.if_nameindex()]


def gateway():
    with open("/proc/net/route") as file:
        for line in file.read().splitlines()[1:]:
            fields = line.split()
            if fields[1] == "00000000":
                return socket.inet_ntoa(bytes.fromhex(fields[2])[::-1])
    return None


def own_address():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))
        return probe.getsockname()[0]


def listen(port, seconds):
    """Listens on every address; returns who came."""
    with socket.socket() as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind(("0.0.0.0", port))
        server.listen()
        server.settimeout(seconds)
        print("listening", flush=True)
        try:
            return server.accept()[1]
        except OSError:
            return None


def datagrams(address, port, seconds):
    """Sends one; returns [address, port, words] of each that comes back, and the port that it was sent from."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.bind(("0.0.0.0", 0))
        one.sendto(b"hello", (address, port))
        one.settimeout(seconds)
        came = []
        try:
            while True:
                words, who = one.recvfrom(100)
                came.append([*who, words.decode()])
        except OSError:
            return {"came": came, "port": one.getsockname()[1]}


def flows(address, port, count):
    """A datagram from each of so many ports."""
    for number in range(count):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
            one.bind(("0.0.0.0", 20_000 + number))
            try:
                one.sendto(b"hello", (address, port))
            except OSError:
                pass


def _datagrams(count, make_socket, send):
    """How many of so many datagrams the kernel took. What waits for an address is kept by the kernel, and a socket may have
    little of that: every hundred get a socket of their own."""
    taken, senders = 0, []
    for number in range(count):
        if number % 100 == 0:
            senders.append(make_socket())
        try:
            send(senders[-1], number)
            taken += 1
        except OSError:
            pass
    for sender in senders:
        sender.close()
    return taken


def strangers(device, count):
    """A datagram to each of so many addresses as if they were on the network of a device; how many the kernel took."""
    def bound():
        sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        sender.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, device.encode())
        return sender

    return _datagrams(count, bound, lambda sender, number: sender.sendto(
        b"", socket.MSG_DONTROUTE, (f"10.66.{number // 250}.{number % 250 + 1}", 9)))


def strangers_of_ipv6(device, count):
    """The same by addresses of the link, once this device has one of its own."""
    index = socket.if_nametoindex(device)
    until = time.monotonic() + 10
    while time.monotonic() < until:
        with open("/proc/net/if_inet6") as file:
            if any(line.split()[5] == device and not int(line.split()[4], 16) & 0x40 for line in file):  # not tentative
                break
        time.sleep(0.01)
    return _datagrams(count, lambda: socket.socket(socket.AF_INET6, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK),
                      lambda sender, number: sender.sendto(b"", (f"fe80::{number + 16:x}", 9, 0, index)))


def resolve(name):
    try:
        return socket.gethostbyname(name)
    except OSError as error:
        return str(error)


def connections(count, workers):
    """Opens `count` connections to the Runtime API in each of so many processes and holds them together."""
    host, port = os.environ["AWS_LAMBDA_RUNTIME_API"].split(":")

    def open_all():
        kept = []
        for number in range(count):
            try:
                one = socket.create_connection((host, int(port)), timeout=1)
                if number % 2:
                    one.sendall(b"GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nX: ")
                kept.append(one)
            except OSError:
                break
        time.sleep(1)
        return len(kept)
    children = []
    for _ in range(workers):
        pid = os.fork()
        if pid == 0:
            try:
                open_all()
            finally:
                os._exit(0)
        children.append(pid)
    for pid in children:
        os.waitpid(pid, 0)
    return "done"
