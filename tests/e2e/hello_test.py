"""The main job: three functions in three languages are deployed and answer, in both strengths of isolation."""

import http.client
import json
import re
import unittest

import functions
from harness import PYTHON, UUID, Service, ServiceTest


class HelloTests:
    """What holds in every strength."""

    def greet(self, name):
        answer = self.service.invoke(name, {"name": "World"})
        self.assertEqual((answer.status, answer.error, answer.version), (200, None, "$LATEST"), answer.body)
        self.assertEqual(answer.json, {"message": "Hello, World!"})
        self.assertRegex(answer.request_id, f"^{UUID}$")
        again = self.service.invoke(name, {"name": "again"})
        self.assertEqual(again.json, {"message": "Hello, again!"})
        self.assertNotEqual(again.request_id, answer.request_id)

    def test_bash_function_with_its_own_bootstrap_answers(self):
        self.service.deploy("hello-bash", functions.hello_bash())
        self.greet("hello-bash")

    def test_cpp_function_answers(self):
        self.service.deploy("hello-cpp", functions.hello_cpp(), handler="bootstrap")
        self.greet("hello-cpp")

    def test_python_function_of_the_managed_runtime_answers(self):
        self.service.deploy("hello-python", functions.hello_python(), runtime=PYTHON, handler="app.handler")
        self.greet("hello-python")

    def test_any_json_comes_back_byte_for_byte(self):
        self.service.deploy("echo", functions.hello_cpp(), handler="bootstrap")
        for payload in ('"ünï\\u0000 — 世界 🙂"', "null", "0", "[]", "-1.5e300", '{"":{"":[[[[]]]]}}',
                        '"\\ud83d\\ude42 \\\\ \\" \\/ \\b"', " [ 1 ,\n2 ] "):
            with self.subTest(payload=payload):
                answer = self.service.invoke("echo", payload.encode())
                self.assertIsNone(answer.error, answer.body)
                self.assertEqual(answer.body.decode(), payload)

    def test_six_megabytes_pass_both_ways(self):
        self.service.deploy("echo-large", functions.hello_cpp(), handler="bootstrap", Timeout=30)
        limit = 6 * 1024 * 1024 + 100
        payload = b'"' + b"x" * (limit - 2) + b'"'
        answer = self.service.invoke("echo-large", payload)
        self.assertIsNone(answer.error, answer.body[:200])
        self.assertTrue(answer.body == payload)

    def test_events_and_answers_of_all_sizes_keep_their_order(self):
        self.service.deploy("echo-order", functions.hello_cpp(), handler="bootstrap", Timeout=30)
        for index in range(40):
            payload = json.dumps(["%d" % index * [0, 1, 17, 16_300, 70_000, 1_000_000][index % 6], index]).encode()
            answer = self.service.invoke("echo-order", payload)
            self.assertIsNone(answer.error, answer.body[:200])
            self.assertTrue(answer.body == payload, index)

    def test_every_byte_of_utf8_survives_python_and_bash(self):
        text = "".join(chr(c) for c in [*range(0x20, 0x7F), 0x80, 0x7FF, 0x800, 0xFFFD, 0x10000, 0x10FFFF])
        self.service.deploy("utf-python", functions.hello_python(), runtime=PYTHON, handler="app.handler")
        self.service.deploy("utf-bash", functions.hello_bash())
        for name in ("utf-python", "utf-bash"):
            answer = self.service.invoke(name, json.dumps([text], ensure_ascii=False).encode())
            self.assertEqual(answer.json, [text], name)


class HelloInNamespaces(HelloTests, ServiceTest):
    flags = ("--isolation", "namespace")

    @classmethod
    def setUpClass(cls):
        from harness import can_isolate
        reason = can_isolate()
        if reason:
            raise unittest.SkipTest("namespace isolation: " + reason)
        super().setUpClass()


class HelloAsProcesses(HelloTests, ServiceTest):
    flags = ("--isolation", "process")


class InvokeRequests(ServiceTest):
    """What the Invoke call itself promises."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.service.deploy("echo", functions.hello_cpp(), handler="bootstrap")
        cls.service.deploy("context", functions.python_handler(
            "import os\n"
            "def handler(event, context):\n"
            "  c = context.client_context\n"
            "  return {'id': context.aws_request_id, 'arn': context.invoked_function_arn,\n"
            "          'custom': c.custom if c else None, 'left': context.get_remaining_time_in_millis(),\n"
            "          'name': context.function_name, 'memory': context.memory_limit_in_mb,\n"
            "          'trace': os.environ.get('_X_AMZN_TRACE_ID')}\n"),
            runtime=PYTHON, handler="app.handler", Timeout=10, MemorySize=256)

    def test_answer_carries_the_headers_of_aws(self):
        status, headers, body = self.service.http(
            "POST", "/2015-03-31/functions/echo/invocations", b"[1]", {"Content-Type": "application/json"})
        self.assertEqual((status, body), (200, b"[1]"))
        self.assertRegex(headers["x-amzn-RequestId"], f"^{UUID}$")
        self.assertEqual(headers["X-Amz-Executed-Version"], "$LATEST")
        self.assertEqual(headers["Content-Type"], "application/json")
        self.assertRegex(headers["X-Amzn-Trace-Id"], r"(?i)^root=1-[0-9a-f]{8}-[0-9a-f]{24};.*sampled=[01]")
        self.assertIsNone(headers["X-Amz-Function-Error"])
        self.assertIsNone(headers["X-Amz-Log-Result"])

    def test_context_tells_the_function_about_its_invocation(self):
        answer = self.service.invoke("context", ClientContext="eyJjdXN0b20iOnsiYSI6ImIifX0=")  # {"custom":{"a":"b"}}
        seen = answer.json
        self.assertEqual(seen["id"], answer.request_id)
        self.assertEqual(seen["arn"], "arn:aws:lambda:us-east-1:000000000000:function:context")
        self.assertEqual(seen["custom"], {"a": "b"})
        self.assertEqual((seen["name"], int(seen["memory"])), ("context", 256))
        self.assertTrue(0 < seen["left"] <= 10_000, seen["left"])
        self.assertRegex(seen["trace"], r"^Root=1-[0-9a-f]{8}-[0-9a-f]{24};Parent=[0-9a-f]{16};Sampled=[01]")

    def test_arn_of_the_context_has_the_qualifier_that_the_caller_gave(self):
        for arguments in ({"FunctionName": "context", "Qualifier": "$LATEST"}, {"FunctionName": "context:$LATEST"}):
            with self.subTest(arguments=arguments):
                answer = self.client.invoke(Payload=b"{}", **arguments)
                self.assertEqual(json.loads(answer["Payload"].read())["arn"],
                                 "arn:aws:lambda:us-east-1:000000000000:function:context:$LATEST")

    def test_a_callers_trace_goes_on(self):
        root = "1-5759e988-bd862e3fe1be46a994272793"
        status, headers, body = self.service.http(
            "POST", "/2015-03-31/functions/context/invocations", b"{}",
            {"X-Amzn-Trace-Id": f"Root={root};Parent=53995c3f42cd8ad8;Sampled=1"})
        self.assertEqual(status, 200)
        self.assertTrue(json.loads(body)["trace"].startswith(f"Root={root};"), body)
        self.assertIn(f"={root};", headers["X-Amzn-Trace-Id"])

    def test_every_form_of_the_name_reaches_the_function(self):
        for name in ("echo", "echo:$LATEST", "function:echo", "000000000000:function:echo",
                     "000000000000:function:echo:$LATEST", "arn:aws:lambda:us-east-1:000000000000:function:echo",
                     "arn:aws:lambda:us-east-1:000000000000:function:echo:$LATEST"):
            with self.subTest(name=name):
                self.assertEqual(self.service.invoke(name, b"[7]").body, b"[7]")

    def test_empty_payload_is_an_empty_object(self):
        status, _, body = self.service.http("POST", "/2015-03-31/functions/echo/invocations", b"")
        self.assertEqual((status, body), (200, b"{}"))

    def test_dry_run_checks_and_runs_nothing(self):
        answer = self.client.invoke(FunctionName="echo", InvocationType="DryRun", Payload=b"{}")
        self.assertEqual((answer["StatusCode"], answer["Payload"].read()), (204, b""))
        self.refused("ResourceNotFoundException", 404, self.client.invoke, FunctionName="nobody",
                     InvocationType="DryRun")

    def test_event_invocations_are_refused_by_name_not_swallowed(self):
        with self.assertRaises(Exception) as caught:
            self.client.invoke(FunctionName="echo", InvocationType="Event", Payload=b"{}")
        response = caught.exception.response
        self.assertGreaterEqual(response["ResponseMetadata"]["HTTPStatusCode"], 400)
        self.assertIn("Event", response["Error"]["Message"])

    def test_one_connection_serves_many_requests(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.service.port, timeout=30)
        try:
            connection.connect()
            port = connection.sock.getsockname()[1]
            for number in range(20):
                connection.request("POST", "/2015-03-31/functions/echo/invocations", body=str(number))
                response = connection.getresponse()
                self.assertEqual((response.status, response.read()), (200, str(number).encode()))
                self.assertEqual(connection.sock.getsockname()[1], port)
            connection.request("GET", "/2015-03-31/functions/nobody")
            self.assertEqual(connection.getresponse().read() and connection.sock.getsockname()[1], port)
        finally:
            connection.close()

    def test_health_is_told_without_credentials(self):
        status, _, _ = self.service.http("GET", "/healthz")
        self.assertEqual(status, 200)


class FirstLine(unittest.TestCase):
    def test_service_says_where_it_listens_once_it_does(self):
        service = Service()
        self.addCleanup(service.close)
        service.start()
        self.assertTrue(re.match(r"http://127\.0\.0\.1:\d+$", service.url))
        self.assertEqual(service.http("GET", "/2015-03-31/functions")[0], 200)
        self.assertEqual(service.stop(), 0)
