"""Functions that do their worst: the service goes on, others are served, nothing is left of them."""

import concurrent.futures
import os
import unittest

import functions
from harness import PYTHON, ServiceTest, can_isolate, comm, is_sanitized, wait_until


class Hostile(ServiceTest):
    @classmethod
    def setUpClass(cls):
        reason = can_isolate()
        if reason:
            raise unittest.SkipTest("namespace isolation: " + reason)
        super().setUpClass()
        cls.service.deploy("bystander", functions.hello_cpp(), Timeout=20)

    def tearDown(self):
        self.assertEqual(self.service.invoke("bystander", b"1").json, 1)

    def quiet_again(self, *names):
        """No process of these names is left below the service."""
        def gone():
            return not any(comm(pid) in names for pid, _ in self.service.family())
        wait_until(gone, f"no {names} is left")

    def test_children_in_the_background_end_with_a_crash(self):
        self.service.deploy("orphans", functions.bash_runtime(
            "next\nfor i in {1..20}; do (trap '' TERM HUP; setsid sleep 3001) & done\n"
            "(setsid bash -c 'trap \"\" TERM; exec -a hidden sleep 3001' &)\nexit 1\n"))
        self.assertEqual(self.service.invoke("orphans").error, "Unhandled")
        self.quiet_again("sleep")

    def test_children_in_the_background_end_with_a_timeout(self):
        self.service.deploy("stay", functions.bash_runtime(
            "trap '' TERM INT HUP\nnext\nfor i in {1..20}; do (trap '' TERM; setsid sleep 3002) & done\n"
            "while :; do sleep 3002; done\n"), Timeout=1)
        self.assertIn(b"Task timed out after 1.00 seconds", self.service.invoke("stay").body)
        self.quiet_again("sleep")

    def test_forks_without_end_hurt_nobody_else(self):
        self.service.deploy("forks", functions.python_handler(
            "import os, time\n"
            "def handler(event, context):\n"
            "  n = 0\n"
            "  try:\n"
            "    while n < 3000:\n"
            "      if os.fork() == 0: time.sleep(3003); os._exit(0)\n"
            "      n += 1\n"
            "  except OSError: pass\n"
            "  time.sleep(3003)\n"), runtime=PYTHON, handler="app.handler", Timeout=3, MemorySize=512)
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            call = pool.submit(self.service.invoke, "forks")
            for number in range(20):
                self.assertEqual(self.service.invoke("bystander", b"%d" % number).json, number)
            self.assertEqual(call.result().error, "Unhandled")
        wait_until(lambda: len(self.service.family()) < 60, "the forked processes are gone")

    def test_memory_beyond_the_limit_is_the_functions_problem(self):
        self.service.deploy("eater", functions.python_handler(
            "def handler(event, context):\n"
            "  data = []\n"
            "  for _ in range(event): data.append(bytearray(b'x') * (1 << 20))\n"
            "  return len(data)\n"), runtime=PYTHON, handler="app.handler", Timeout=30, MemorySize=128)
        self.assertEqual(self.service.invoke("eater", b"40").json, 40)
        # Memory, and what /tmp may hold beside it (128 + 512 MB), are one sum.
        answer = self.service.invoke("eater", b"900", tail=True)
        if answer.error is None:
            self.skipTest("this host gives us no memory control group")
        self.assertIn(answer.json["errorType"], ("Runtime.OutOfMemory", "Runtime.ExitError"))
        self.assertIn("signal: killed", answer.json["errorMessage"])
        self.assertEqual(self.service.invoke("eater", b"1").json, 1)

    def test_endless_output_is_bounded(self):
        self.service.deploy("yes", functions.bash_runtime("next\nyes this is a line that never ends\n"), Timeout=2)
        before = rss_bytes(self.service.process.pid)
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            call = pool.submit(self.service.invoke, "yes", b"{}", True)
            for number in range(20):
                self.assertEqual(self.service.invoke("bystander", b"%d" % number).json, number)
            answer = call.result()
        self.assertIn(b"Task timed out after 2.00 seconds", answer.body)
        if not is_sanitized():
            self.assertLess(rss_bytes(self.service.process.pid) - before, 64 << 20)
        size = sum(f.stat().st_size for f in (self.service.data / "logs").rglob("yes*") if f.is_file())
        self.assertLess(size, 64 << 20)

    def test_a_line_without_end_is_cut(self):
        self.service.deploy("line", functions.bash_runtime(
            "next\nhead -c 30000000 /dev/zero | tr '\\0' 'x'\nrespond 1\nnext\n"), Timeout=30)
        answer = self.service.invoke("line", tail=True)
        self.assertEqual(answer.json, 1)
        if not is_sanitized():
            self.assertLess(rss_bytes(self.service.process.pid), 200 << 20)

    def test_connections_to_the_runtime_api_are_bounded(self):
        self.service.deploy("sockets", functions.python_handler(
            "import os, socket\n"
            "def handler(event, context):\n"
            "  host, port = os.environ['AWS_LAMBDA_RUNTIME_API'].split(':')\n"
            "  kept = []\n"
            "  for _ in range(900):\n"
            "    try:\n"
            "      s = socket.create_connection((host, int(port)), timeout=1)\n"
            "      s.sendall(b'GET /2018-06-01/runtime/invocation/next HTTP/1.1\\r\\nX: ')\n"
            "      kept.append(s)\n"
            "    except OSError: break\n"
            "  return len(kept) > 0\n"), runtime=PYTHON, handler="app.handler", Timeout=20)
        self.service.invoke("sockets")
        self.assertLess(sockets(self.service.process.pid), 300)

    def test_garbage_on_the_runtime_api_is_survived(self):
        self.service.deploy("garbage", functions.python_handler(
            "import os, socket\n"
            "def handler(event, context):\n"
            "  host, port = os.environ['AWS_LAMBDA_RUNTIME_API'].split(':')\n"
            "  for data in (b'\\0' * 5000, b'GET ' + b'/' * 100000 + b' HTTP/1.1\\r\\n\\r\\n', os.urandom(10000),\n"
            "               b'POST /2018-06-01/runtime/invocation/x/response HTTP/1.1\\r\\n'\n"
            "               b'Content-Length: 99999999999\\r\\n\\r\\n', b'POST / HTTP/1.1\\r\\n'\n"
            "               b'Transfer-Encoding: chunked\\r\\n\\r\\nfffffffffffffff\\r\\n'):\n"
            "    s = socket.create_connection((host, int(port)), timeout=2)\n"
            "    try:\n"
            "      s.sendall(data); s.shutdown(socket.SHUT_WR); s.recv(100)\n"
            "    except OSError: pass\n"
            "    s.close()\n"
            "  return 'well'\n"), runtime=PYTHON, handler="app.handler", Timeout=20)
        self.assertEqual(self.service.invoke("garbage").json, "well")

    def test_full_tmp_and_many_files_are_the_functions_own(self):
        self.service.deploy("fill", functions.bash_handler(
            "head -c 2G /dev/zero > /tmp/big 2> /dev/null && echo 0 || echo 1"), Timeout=30, MemorySize=1024)
        answer = self.service.invoke("fill")
        self.assertTrue(answer.error == "Unhandled" or answer.json == 1, answer.body)
        self.assertEqual(self.service.invoke("bystander", b"2").json, 2)

    def test_signals_reach_no_one_else(self):
        self.service.deploy("killer", functions.bash_handler(
            "for pid in $(seq 2 300); do [ $pid != $$ ] && [ $pid != $BASHPID ] && [ $pid != $PPID ] && "
            "kill -0 $pid 2>/dev/null && echo -n; done; kill -9 1 2>/dev/null; kill -9 -1 2>/dev/null; echo 1"))
        self.service.invoke("killer")
        self.assertEqual(self.service.process.poll(), None)



def rss_bytes(pid):
    with open(f"/proc/{pid}/statm") as file:
        return int(file.read().split()[1]) * 4096


def sockets(pid):
    count = 0
    for fd in os.listdir(f"/proc/{pid}/fd"):
        try:
            count += "socket" in os.readlink(f"/proc/{pid}/fd/{fd}")
        except FileNotFoundError:  # closed meanwhile: the service works on
            pass
    return count
