"""Many at once, one after the other, too many; environments are used again, and only when they are free."""

import concurrent.futures
import socket

import functions
from harness import PYTHON, ServiceTest, comm, wait_until

# Answers an identity that lives as long as the environment, after EVENT seconds.
SLEEPER = functions.bash_runtime(
    'ME="$(cat /proc/sys/kernel/random/uuid)"\nwhile next; do sleep "$EVENT"; respond "\\"$ME\\""; done\n')


class Scaling(ServiceTest):
    def test_twenty_at_once_have_twenty_environments(self):
        self.service.deploy("twenty", SLEEPER, Timeout=30)
        client = self.service.make_client()
        with concurrent.futures.ThreadPoolExecutor(20) as pool:
            # As long as the machine takes for twenty starts, which wait for each other: what is free earlier serves them.
            answers = list(pool.map(lambda _: self.service.invoke("twenty", b"10", client=client), range(20)))
        self.assertEqual([a.error for a in answers], [None] * 20, [a.body for a in answers if a.error])
        self.assertEqual(len({a.json for a in answers}), 20)
        self.assertEqual(len({a.request_id for a in answers}), 20)

    def test_one_caller_in_sequence_stays_in_one_environment(self):
        self.service.deploy("sequence", functions.python_handler(
            "import uuid\nme = str(uuid.uuid4())\ndef handler(event, context):\n  return me\n"),
            runtime=PYTHON, handler="app.handler")
        self.assertEqual(len({self.service.invoke("sequence").json for _ in range(50)}), 1)
        self.service.deploy("sequence-cpp", functions.hello_cpp())
        before = len(self.service.family())
        for number in range(300):
            self.assertEqual(self.service.invoke("sequence-cpp", str(number).encode()).json, number)
        self.assertLessEqual(len(self.service.family()) - before, 4)  # init and bootstrap, of two at most

    def test_the_environment_used_last_is_used_first(self):
        self.service.deploy("recent", SLEEPER, Timeout=30)
        client = self.service.make_client()
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            # With the tail, an answer comes only when its environment is free again.
            calls = [pool.submit(self.service.invoke, "recent", seconds, tail=True, client=client)
                     for seconds in (b"0.5", b"1.5")]
            pair = [call.result().json for call in calls]
        self.assertEqual(len(set(pair)), 2)
        self.assertEqual(self.service.invoke("recent", b"0").json, pair[1])

    def test_a_caller_that_leaves_does_not_end_the_invocation(self):
        self.service.deploy("left", functions.bash_handler(
            "if [[ $EVENT == *wait* ]]; then sleep 1; echo finished-anyway >&2; fi; echo 1"), Timeout=20)
        self.service.invoke("left")
        request = (b"POST /2015-03-31/functions/left/invocations HTTP/1.1\r\nHost: localhost\r\n"
                   b"Content-Length: 6\r\n\r\n\"wait\"")
        with socket.create_connection(("127.0.0.1", self.service.port), timeout=10) as caller:
            caller.sendall(request)
            wait_until(lambda: any(comm(pid) == "sleep" for pid, _ in self.service.family()), "the function sleeps")
        wait_until(lambda: "finished-anyway" in self.service.ogni("logs", "left").stdout, "the invocation has ended")
        self.assertEqual(self.service.invoke("left").json, 1)

    def test_functions_do_not_share_environments(self):
        for name in ("mine", "yours"):
            self.service.deploy(name, SLEEPER)
        self.assertNotEqual(self.service.invoke("mine", b"0").json, self.service.invoke("yours", b"0").json)

    def test_many_callers_lose_nothing(self):
        self.service.deploy("crowd", functions.hello_cpp(), Timeout=30)
        client = self.service.make_client()
        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            answers = list(pool.map(lambda n: self.service.invoke("crowd", b"%d" % n, client=client).json, range(800)))
        self.assertEqual(answers, list(range(800)))


class Limit(ServiceTest):
    flags = ("--concurrency", "2")

    def test_the_third_at_once_is_told_to_come_back(self):
        self.service.deploy("limited", SLEEPER, Timeout=30)
        client = self.service.make_client()

        # What has answered counts until its runtime has polled again, which may take a busy machine its time.
        def once_there_is_room(payload):
            try:
                return self.service.invoke("limited", payload, client=client)
            except client.exceptions.TooManyRequestsException:
                return None

        def invoke(payload):
            return wait_until(lambda: once_there_is_room(payload), "there is room")

        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            running = [pool.submit(invoke, b"3") for _ in range(2)]
            wait_until(lambda: sum(comm(pid) == "sleep" for pid, _ in self.service.family()) == 2, "two run")
            with self.assertRaises(self.client.exceptions.TooManyRequestsException) as caught:
                self.service.invoke("limited", b"0")
            response = caught.exception.response
            self.assertEqual(response["ResponseMetadata"]["HTTPStatusCode"], 429)
            self.assertEqual((response["Reason"], response["Error"]["Message"]),
                             ("ConcurrentInvocationLimitExceeded", "Rate Exceeded."))
            status, headers, body = self.service.http("POST", "/2015-03-31/functions/limited/invocations", b"0")
            self.assertEqual((status, headers["x-amzn-ErrorType"]), (429, "TooManyRequestsException"))
            self.assertEqual(body.decode(), '{"Reason":"ConcurrentInvocationLimitExceeded","Type":"User",'
                                            '"message":"Rate Exceeded."}')
            answers = [f.result() for f in running]
        self.assertEqual([a.error for a in answers], [None, None])
        self.assertIsNone(invoke(b"0").error)

    def test_idle_environments_of_others_do_not_count_against_the_limit(self):
        for number in range(5):
            self.service.deploy(f"other-{number}", SLEEPER)
            self.assertIsNone(self.service.invoke(f"other-{number}", b"0").error)


class LimitOnABusyMachine(ServiceTest):
    # As long as a cold start takes on this machine now, which is long in Python: no scheduler is slower.
    flags = ("--concurrency", "2", "--reuse-grace", "10000")

    def test_sequential_calls_at_the_limit_are_never_refused(self):
        self.service.deploy("sequential", functions.hello_python(), runtime=PYTHON, handler="app.handler")
        client = self.service.make_client()

        def caller(_):
            return [self.service.invoke("sequential", b"1", client=client).error for _ in range(100)]
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            self.assertEqual(list(pool.map(caller, range(2))), [[None] * 100] * 2)


class Idle(ServiceTest):
    flags = ("--idle-timeout", "1")

    def test_an_unused_environment_is_shut_down_and_the_next_call_starts_another(self):
        self.service.deploy("idle", SLEEPER)
        first = self.service.invoke("idle", b"0").json
        wait_until(lambda: not any(comm(pid) in ("bootstrap", "curl") for pid, _ in self.service.family()),
                   "the environment is shut down")
        second = self.service.invoke("idle", b"0").json
        self.assertNotEqual(first, second)

    def test_a_busy_environment_is_left_alone(self):
        self.service.deploy("busy", SLEEPER, Timeout=20)
        self.assertIsNone(self.service.invoke("busy", b"3").error)

