"""Many cold starts at once: all succeed, others do not wait for them, and those who give up free their place."""

import concurrent.futures
import socket

import functions
from harness import ServiceTest, comm, wait_until

# Uses 0.6 s of processor time before it asks for the first event, as R, Java and larger Python programs do.
SLOW_STARTER = functions.bash_runtime("""
spent() { local -a words; read -r -a words < /proc/self/stat; ((words[13] + words[14] >= 60)); }
until spent; do for ((i = 0; i < 1000; i++)); do :; done; done
while next; do respond "$EVENT"; done
""")
WAITS_AT_INIT = functions.bash_runtime('sleep "$SECONDS_AT_INIT"\nwhile next; do respond "$EVENT"; done\n')


class Burst(ServiceTest):
    def test_a_burst_of_slow_starters_succeeds_as_a_whole_and_others_are_served_meanwhile(self):
        self.service.deploy("slow", SLOW_STARTER, Timeout=10)
        self.service.deploy("other", functions.hello_cpp())
        client = self.service.make_client(read_timeout=300, max_pool_connections=60)
        with concurrent.futures.ThreadPoolExecutor(50) as pool:
            calls = [pool.submit(self.service.invoke, "slow", b"%d" % number, client=client) for number in range(50)]
            concurrent.futures.wait(calls, timeout=300, return_when=concurrent.futures.FIRST_COMPLETED)
            self.assertEqual(self.service.invoke("other", b"7").json, 7)
            self.assertLess(sum(call.done() for call in calls), 50, "the other function waited behind the burst")
            answers = [call.result() for call in calls]
        self.assertEqual([a.error for a in answers], [None] * 50, [a.body for a in answers if a.error])
        self.assertEqual([a.json for a in answers], list(range(50)))


class GivingUp(ServiceTest):
    flags = ("--concurrency", "1", "--starts", "1")

    def test_a_caller_that_leaves_before_its_start_is_done_frees_its_place(self):
        self.service.deploy("waits", WAITS_AT_INIT, Environment={"Variables": {"SECONDS_AT_INIT": "9"}})
        self.service.deploy("other", functions.hello_cpp())
        client = self.service.make_client()

        def initializes():
            return any(comm(pid) == "sleep" for pid, _ in self.service.family())

        def invoke_other():
            try:
                return self.service.invoke("other", b"7", client=client)
            except client.exceptions.TooManyRequestsException:
                return None
        request = (b"POST /2015-03-31/functions/waits/invocations HTTP/1.1\r\nHost: localhost\r\n"
                   b"Content-Length: 1\r\n\r\n1")
        with socket.create_connection(("127.0.0.1", self.service.port), timeout=10) as caller:
            caller.sendall(request)
            wait_until(initializes, "the function is in its init")
            self.assertIsNone(invoke_other(), "the one place is taken")
        self.assertEqual(wait_until(invoke_other, "there is a place").json, 7)
        self.assertTrue(initializes(), "the place became free only when the init was done")


class WaitingTooLong(ServiceTest):
    flags = ("--starts", "1", "--start-wait", "1")

    def test_waiting_for_a_start_ends_with_too_many_requests(self):
        self.service.deploy("waits", WAITS_AT_INIT, Environment={"Variables": {"SECONDS_AT_INIT": "5"}})
        with self.assertRaises(self.client.exceptions.TooManyRequestsException) as caught:
            self.service.invoke("waits", b"1")
        response = caught.exception.response
        self.assertEqual(response["ResponseMetadata"]["HTTPStatusCode"], 429)
        self.assertEqual((response["Reason"], response["Error"]["Message"]),
                         ("ConcurrentInvocationLimitExceeded",
                          "Rate Exceeded. No execution environment was ready in time."))

        def invoke():
            try:
                return self.service.invoke("waits", b"2")
            except self.client.exceptions.TooManyRequestsException:
                return None
        self.assertEqual(wait_until(invoke, "its start is done").json, 2)
