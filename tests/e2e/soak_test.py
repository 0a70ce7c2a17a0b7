"""The same thing very often. A short form runs with the other tests; `make soak` (OGNI_SOAK=1) runs the long one."""

import concurrent.futures
import os
import time

import functions
from harness import PYTHON, ServiceTest, wait_until

LONG = os.environ.get("OGNI_SOAK") == "1"
COLD_STARTS = 1000 if LONG else 300
MIXED_SECONDS = 300 if LONG else 8
# The service's own and four blank environments, of two processes each; those of functions would be hundreds.
PROCESSES_AT_REST = 16


class Soak(ServiceTest):
    def open_files(self):
        return len(os.listdir(f"/proc/{self.service.process.pid}/fd"))

    def test_cold_starts_of_a_bootstrap_that_is_ready_at_once_lose_nothing(self):
        # Every function is used once: each call is a cold start, and several start at a time.
        code = functions.hello_cpp()
        rounds, size = COLD_STARTS // 50, 50
        client = self.service.make_client()
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            for turn in range(rounds):
                names = [f"cold-{turn}-{n}" for n in range(size)]
                for name in names:
                    self.service.deploy(name, code, Timeout=10)
                answers = list(pool.map(lambda n: self.service.invoke(n, b'"here"', tail=True, client=client), names))
                self.assertEqual([a.body for a in answers if a.body != b'"here"'], [])
                self.assertEqual(sum("Init Duration" in a.log for a in answers), size)
                for name in names:
                    self.client.delete_function(FunctionName=name)
        wait_until(lambda: len(self.service.family()) < PROCESSES_AT_REST, "environments of deleted functions are gone")

    def test_a_mixture_of_everything_leaves_no_trace(self):
        self.service.deploy("steady", functions.hello_cpp(), Timeout=10)
        self.service.deploy("python", functions.hello_python(), runtime=PYTHON, handler="app.handler", Timeout=10)
        self.service.deploy("crash", functions.bash_runtime("next\nexit 1\n"), Timeout=10)
        self.service.deploy("slow", functions.bash_handler("sleep 30"), Timeout=1)
        self.service.deploy("changing", functions.hello_cpp(), Timeout=10)
        client = self.service.make_client()
        ends = time.monotonic() + MIXED_SECONDS

        def again(call):
            count = 0
            while time.monotonic() < ends:
                call()
                count += 1
            return count

        def expect(name, error):
            answer = self.service.invoke(name, b'"x"', client=client)
            self.assertEqual(answer.error, error, answer.body)

        def change():
            client.update_function_configuration(FunctionName="changing", Description=str(time.monotonic()))
            self.service.wait_active("changing")
            expect("changing", None)

        jobs = [lambda: expect("steady", None), lambda: expect("steady", None), lambda: expect("python", None),
                lambda: expect("crash", "Unhandled"), lambda: expect("slow", "Unhandled"), change]
        with concurrent.futures.ThreadPoolExecutor(len(jobs)) as pool:
            counts = list(pool.map(again, jobs))
        self.assertTrue(all(counts), counts)
        for name in ("steady", "python", "crash", "slow", "changing"):
            self.client.delete_function(FunctionName=name)
        wait_until(lambda: len(self.service.family()) < PROCESSES_AT_REST, "environments of deleted functions are gone")
        wait_until(lambda: self.open_files() < 120, "descriptors are closed")
