"""Hostile and broken requests: each gets AWS's error, and the service goes on as if nothing had been."""

import base64
import io
import json
import os
import socket
import stat
import warnings
import zipfile

import functions
from harness import ACCOUNT, PYTHON, ROLE, ServiceTest

FUNCTIONS = "/2015-03-31/functions"


class BadInput(ServiceTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.service.deploy("good", functions.hello_cpp())

    def tearDown(self):
        self.assertEqual(self.service.invoke("good", b'"still here"').json, "still here")

    def creation(self, **changes):
        request = {"FunctionName": "bad", "Runtime": "provided.al2023", "Role": ROLE, "Handler": "h",
                   "Code": {"ZipFile": base64.b64encode(functions.hello_bash()).decode()}, **changes}
        return {key: value for key, value in request.items() if value is not None}

    def post(self, body, path=FUNCTIONS, method="POST"):
        if not isinstance(body, (bytes, str)):
            body = json.dumps(body)
        status, headers, answer = self.service.http(method, path, body, {"Content-Type": "application/json"})
        error = (headers["x-amzn-ErrorType"] or "").split(":")[0]
        words = json.loads(answer) if answer else {}
        return status, error, words.get("message", words.get("Message", ""))

    def check(self, body, status, error, words="", **more):
        got = self.post(body, **more)
        self.assertEqual(got[:2], (status, error), got)
        self.assertIn(words, got[2])


class Json(BadInput):
    def test_body_that_is_not_json_is_refused(self):
        whole = json.dumps(self.creation())
        for body in ("{", whole[:-1], whole[:50], "[" * 10_000, "nonsense", "\x00", "{\"a\":1}}", b"\xff\xfe{}",
                     '{"FunctionName":"bad","FunctionName":'):
            with self.subTest(body=body[:20]):
                status, error, _ = self.post(body)
                self.assertEqual(status, 400)
                self.assertIn(error, ("InvalidRequestContentException", "SerializationException"))

    def test_json_that_is_no_object_is_refused(self):
        for body in ("[]", "null", "1", '"text"', ""):
            with self.subTest(body=body):
                self.assertEqual(self.post(body)[0], 400)

    def test_members_of_a_wrong_type_are_refused(self):
        for changes in ({"FunctionName": 5}, {"Timeout": "3"}, {"Timeout": 1.5}, {"Timeout": 10 ** 30}, {"MemorySize": True},
                        {"Code": []}, {"Code": {"ZipFile": 1}}, {"Environment": "A=B"},
                        {"Environment": {"Variables": {"KEY": 1}}}, {"Layers": "one"}, {"Layers": [1]},
                        {"Tags": ["a"]}, {"Description": {}}, {"Architectures": "x86_64"}):
            with self.subTest(changes=changes):
                status, error, _ = self.post(self.creation(**changes))
                self.assertEqual(status, 400)
                self.assertIn(error, ("SerializationException", "InvalidRequestContentException",
                                      "ValidationException", "InvalidParameterValueException"))

    def test_unknown_members_do_no_harm(self):
        status, _, _ = self.post(self.creation(FunctionName="unknown", NoSuchThing=1, Extra={"a": []}))
        self.assertEqual(status, 201)

    def test_base64_that_is_none_is_refused(self):
        status, error, _ = self.post(self.creation(Code={"ZipFile": "%%%not base64%%%"}))
        self.assertEqual(status, 400)

    def test_payload_that_is_not_json_never_reaches_the_function(self):
        for payload in (b"{", b"hello", b"\xff", b'"\xc3\x28"', b"[1,]", b"{}{}", b"\x00"):
            with self.subTest(payload=payload):
                status, error, words = self.post(payload, path=f"{FUNCTIONS}/good/invocations")
                self.assertEqual((status, error), (400, "InvalidRequestContentException"))
                self.assertTrue(words.startswith("Could not parse request body into json: "), words)


class Values(BadInput):
    def test_values_out_of_range_are_refused_as_the_model_says(self):
        for changes, words in (
                ({"Timeout": 0}, "at 'timeout' failed to satisfy constraint: Member must have value greater than or "
                                 "equal to 1"),
                ({"Timeout": -1}, "at 'timeout'"), ({"Timeout": 901}, ""), ({"Timeout": 2 ** 31 - 1}, ""),
                ({"MemorySize": 127}, "at 'memorySize' failed to satisfy constraint: Member must have value greater "
                                      "than or equal to 128"),
                ({"MemorySize": 10241}, ""), ({"EphemeralStorage": {"Size": 511}}, "512"),
                ({"Handler": "x" * 129}, "at 'handler' failed to satisfy constraint: Member must have length less "
                                         "than or equal to 128"),
                ({"Handler": "has space"}, "at 'handler'"),
                ({"Description": "x" * 257}, "at 'description'"),
                ({"Role": "no-arn"}, "at 'role'"),
                ({"FunctionName": None}, "'functionName'"), ({"Code": None}, "'code'"), ({"Role": None}, "'role'"),
                ({"PackageType": "Tar"}, "at 'packageType'"),
                ({"Architectures": ["sparc"]}, "rchitectures")):
            with self.subTest(changes=changes):
                status, error, message = self.post(self.creation(**changes))
                self.assertEqual(status, 400, message)
                self.assertIn(error, ("ValidationException", "InvalidParameterValueException"))
                self.assertIn(words, message)

    def test_names_out_of_pattern_are_refused(self):
        for name in ("", "a b", "a/b", "../x", "ä", "a.b", "a:b:c:d", "arn:aws:s3:::bucket", "x" * 65, "x" * 200,
                     "arn:aws:lambda:us-east-1:12:function:f", "$LATEST", "a\nb", "a\x00b"):
            with self.subTest(name=name):
                status, error, _ = self.post(self.creation(FunctionName=name))
                self.assertEqual(status, 400)
                self.assertIn(error, ("ValidationException", "InvalidParameterValueException"))
        for path in ("..%2f..%2fetc", "a%20b", "%00", "a%0d%0aX-Injected:%201", "%ff", "good%3A", "%",
                     "arn%3Aaws%3As3%3A%3A%3Abucket", "x" * 300):
            with self.subTest(path=path):
                status, headers, _ = self.service.http("GET", f"{FUNCTIONS}/{path}")
                self.assertIn(status, (400, 404))
                self.assertIsNone(headers["X-Injected"])

    def test_functions_of_others_are_not_here(self):
        message = self.refused("ResourceNotFoundException", 404, self.client.invoke,
                               FunctionName=f"arn:aws:lambda:eu-west-1:{ACCOUNT}:function:good")
        self.assertEqual(message, "Functions from 'eu-west-1' are not reachable in this region ('us-east-1')")
        self.refused("AccessDeniedException", 403, self.client.invoke,
                     FunctionName="arn:aws:lambda:us-east-1:123456789012:function:good")
        message = self.refused("InvalidParameterValueException", 400, self.client.get_function,
                               FunctionName="good:$LATEST", Qualifier="1")
        self.assertEqual(message, "The derived qualifier from the function name does not match the specified "
                                  "qualifier.")
        self.refused("ResourceNotFoundException", 404, self.client.invoke, FunctionName="good", Qualifier="7")

    def test_environment_that_cannot_be_is_refused(self):
        self.check(self.creation(Environment={"Variables": {"A_KEY": "x" * 4096}}), 400,
                   "InvalidParameterValueException",
                   "exceeded the 4KB limit")
        for name in ("AWS_REGION", "AWS_LAMBDA_RUNTIME_API", "LAMBDA_TASK_ROOT"):
            self.check(self.creation(Environment={"Variables": {name: "x"}}), 400, "InvalidParameterValueException",
                       f"Reserved keys used in this request: {name}")
        for name in ("_HANDLER", "1A", "A", "A-B", "", "A=B", "A\n", "LD\x00"):
            status, error, _ = self.post(self.creation(Environment={"Variables": {name: "x"}}))
            self.assertEqual(status, 400, name)
        status, _, _ = self.post(self.creation(Environment={"Variables": {"NUL": "a\x00b"}}))
        self.assertEqual(status, 400)

    def test_handlers_with_metacharacters_are_text(self):
        for number, handler in enumerate(("$(reboot)", "`id`", "a;b", "a|b", "a&&b", "../../x.y", "'\"", "%n%s", "-rf")):
            name = f"meta-{number}"
            self.service.deploy(name, functions.hello_bash(), handler=handler)
            self.assertEqual(self.client.get_function_configuration(FunctionName=name)["Handler"], handler)
            answer = self.service.invoke(name)
            self.assertEqual(answer.error, "Unhandled", (handler, answer.body))

    def test_markers_of_pages_that_nobody_gave_are_refused(self):
        for marker in ("nonsense", "' OR 1=1 --", "x" * 5000, base64.b64encode(os.urandom(40)).decode()):
            with self.subTest(marker=marker[:20]):
                self.refused("InvalidParameterValueException", 400, self.client.list_functions, Marker=marker)
        for items in ("0", "-1", "10001", "many", "1e3"):
            self.assertEqual(self.service.http("GET", f"{FUNCTIONS}/?MaxItems={items}")[0], 400, items)

    def test_invocation_with_words_that_aws_does_not_know_is_refused(self):
        path = f"{FUNCTIONS}/good/invocations"
        for headers in ({"X-Amz-Invocation-Type": "Later"}, {"X-Amz-Log-Type": "Head"},
                        {"X-Amz-Client-Context": "not base64!"}, {"X-Amz-Client-Context": "A" * 4000}):
            with self.subTest(headers=str(headers)[:60]):
                self.assertEqual(self.service.http("POST", path, b"{}", headers)[0], 400)

    def test_unknown_function_is_not_found(self):
        message = self.refused("ResourceNotFoundException", 404, self.client.invoke, FunctionName="nobody")
        self.assertTrue(message.startswith(f"Function not found: arn:aws:lambda:us-east-1:{ACCOUNT}:function:nobody"))


class Size(BadInput):
    def test_payload_over_six_megabytes_is_refused(self):
        size = 6 * 1024 * 1024 + 101
        payload = b'"' + b"x" * (size - 2) + b'"'
        status, error, words = self.post(payload, path=f"{FUNCTIONS}/good/invocations")
        self.assertEqual((status, error), (413, "RequestTooLargeException"))
        self.assertIn("6291556", words)

    def test_announced_sizes_that_are_absurd_are_refused_unread(self):
        for length in ("99999999999", "99999999999999999999999", "-1", "1x", "0x10"):
            with self.subTest(length=length):
                answer = self.raw(f"POST {FUNCTIONS}/good/invocations HTTP/1.1\r\nHost: localhost\r\n"
                                  f"Content-Length: {length}\r\n\r\n".encode())
                self.assertRegex(answer, rb"^HTTP/1\.1 4\d\d ")

    def test_head_that_never_ends_is_refused(self):
        answer = self.raw(b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"X-Filler: " + b"x" * 100_000)
        self.assertRegex(answer, rb"^(HTTP/1\.1 4\d\d |$)")

    def test_garbage_is_answered_or_dropped(self):
        for garbage in (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc", b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n",
                        b"POST /x HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\nHost: localhost\r\n\r\n"
                        b"0\r\n\r\n", b"\x00" * 1000, b"GET / HTTP/1.1\r\nHost: localhost\r\nBad Header\r\n\r\n"):
            with self.subTest(garbage=garbage[:20]):
                self.assertRegex(self.raw(garbage), rb"^(HTTP/1\.1 [45]\d\d |$)")

    def test_zip_over_the_limit_is_refused(self):
        blob = base64.b64encode(bytes(52_428_801)).decode()
        status, error, words = self.post(self.creation(Code={"ZipFile": blob}))
        self.assertEqual((status, error), (413, "RequestEntityTooLargeException"))
        self.assertEqual(words, "Zipped size must be smaller than 52428800 bytes")

    def test_update_of_settings_has_a_bound_as_well(self):
        status, error, _ = self.post('{"Description":"' + "x" * (8 << 20) + '"}', method="PUT",
                                     path=f"{FUNCTIONS}/good/configuration")
        self.assertEqual(status, 413)

    def raw(self, request):
        with socket.create_connection(("127.0.0.1", self.service.port), timeout=30) as connection:
            try:
                connection.sendall(request)
                connection.shutdown(socket.SHUT_WR)
                return b"".join(iter(lambda: connection.recv(65536), b""))
            except (ConnectionResetError, BrokenPipeError):
                return b""


class Zips(BadInput):
    UNZIP = "Could not unzip uploaded file. Please check your file, then try to upload again."
    SIZE = "Unzipped size must be smaller than 262144000 bytes"

    def refuse(self, zip_bytes, words=UNZIP):
        blob = base64.b64encode(zip_bytes).decode()
        name = "bad-" + os.urandom(8).hex()
        for body, path, method in ((self.creation(FunctionName=name, Code={"ZipFile": blob}), FUNCTIONS, "POST"),
                                   ({"ZipFile": blob}, f"{FUNCTIONS}/good/code", "PUT"),
                                   ({"Content": {"ZipFile": blob}}, "/2018-10-31/layers/bad/versions", "POST")):
            status, error, message = self.post(body, path, method)
            self.assertEqual((status, error, message), (400, "InvalidParameterValueException", words))

    def test_what_is_no_zip_is_refused(self):
        whole = functions.hello_bash()
        for bad in (b"x", b"PK", os.urandom(1000), whole[:-10], whole[: len(whole) // 2], whole[10:],
                    whole.replace(b"bootstrap", b"\x00ootstrap")):
            with self.subTest(len=len(bad)):
                self.refuse(bad)

    def test_a_zip_without_entries_is_refused(self):
        self.refuse(functions.zip_of({}), "Uploaded file must be a non-empty zip")

    def test_a_backslash_stays_in_the_name(self):
        for system in (0, 3, 10):
            buffer = io.BytesIO()
            with zipfile.ZipFile(buffer, "w") as archive:
                handler = zipfile.ZipInfo("a.py")
                handler.external_attr = 0o100644 << 16  # else nobody but its owner may read it
                archive.writestr(handler, "import os\ndef h(e, c): return sorted(os.listdir('.'))\n")
                info = zipfile.ZipInfo("x")
                info.create_system, info.filename = system, "wwwroot\\app.css"
                archive.writestr(info, "x")
            name = f"backslash{system}"
            self.service.deploy(name, buffer.getvalue(), runtime=PYTHON, handler="a.h")
            self.assertEqual(self.service.invoke(name).json, ["a.py", "wwwroot\\app.css"])

    def test_paths_that_leave_the_package_are_refused(self):
        for path in ("../evil", "a/../../evil", "/etc/evil", "a/./../../evil", "..", "a\\..\\..\\evil/../../x"):
            with self.subTest(path=path):
                self.refuse(functions.zip_of({path: "x"}))

    def test_entries_below_a_link_are_refused(self):
        link = stat.S_IFLNK | 0o777
        self.refuse(functions.zip_of({"dir": ("/tmp", link), "dir/evil": "x"}))
        self.refuse(functions.zip_of({"a/b": ("..", link), "a/b/c": "x"}))

    def test_links_that_the_kernel_does_not_take_are_refused(self):
        link = stat.S_IFLNK | 0o777
        self.refuse(functions.zip_of({"link": ("", link)}))
        self.refuse(functions.zip_of({"link": ("n" * 4096, link)}))

    def test_devices_and_sockets_are_refused(self):
        for kind in (stat.S_IFCHR, stat.S_IFBLK, stat.S_IFSOCK):
            self.refuse(functions.zip_of({"node": ("", kind | 0o666)}))

    def test_the_same_entry_twice_is_refused(self):
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            archive.writestr("same", "1")
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                archive.writestr("same", "2")
        self.refuse(buffer.getvalue())

    def test_a_bomb_is_refused(self):
        bomb = functions.zip_of({"bomb": bytes(262_144_001)})
        self.assertLess(len(bomb), 1 << 20)
        self.refuse(bomb, self.SIZE)

    def test_a_package_of_exactly_the_limit_is_refused(self):
        self.refuse(functions.zip_of({"full": bytes(262_144_000)}), self.SIZE)

    def test_nothing_of_a_refused_package_stays(self):
        marker = os.urandom(16).hex()
        self.refuse(functions.zip_of({"marker": marker, "../evil": "x"}))
        found = [f for f in self.service.data.rglob("marker") if f.is_file() and f.read_text() == marker]
        self.assertEqual(found, [])


class WebPages(BadInput):
    """A page in a browser on this host must not be able to run code here."""

    def test_requests_of_foreign_pages_are_refused(self):
        path = f"{FUNCTIONS}/good/invocations"
        for headers in ({"Origin": "https://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"},
                        {"Origin": "http://localhost.evil.example"}):
            for method, target in (("POST", path), ("GET", FUNCTIONS), ("OPTIONS", path)):
                with self.subTest(headers=headers, method=method):
                    status, answer_headers, _ = self.service.http(method, target, b"{}", headers)
                    self.assertEqual(status, 403)
                    self.assertIsNone(answer_headers["Access-Control-Allow-Origin"])

    def test_names_that_lead_here_by_rebinding_are_refused(self):
        for host in ("evil.example", "evil.example:4566", "127.0.0.1.evil.example", "localhost.evil", "10.0.0.1",
                     "169.254.1.1", "127.0.0.1@evil.example", "[::2]"):
            with self.subTest(host=host):
                self.assertIn(self.service.http("GET", FUNCTIONS, headers={"Host": host})[0], (400, 403))

    def test_own_names_are_accepted(self):
        for host in ("localhost", f"localhost:{self.service.port}", "127.0.0.1", "127.0.0.2:1", "[::1]:4566",
                     "lambda.localhost:4566", "LOCALHOST"):
            with self.subTest(host=host):
                self.assertEqual(self.service.http("GET", FUNCTIONS, headers={"Host": host})[0], 200)

    def test_a_page_of_the_service_itself_may_ask(self):
        own = f"http://127.0.0.1:{self.service.port}"
        status, _, _ = self.service.http("GET", FUNCTIONS, headers={"Origin": own, "Sec-Fetch-Site": "same-origin"})
        self.assertEqual(status, 200)


class AllowedHost(ServiceTest):
    flags = ("--allow-host", "build.example")

    def test_a_configured_name_is_accepted(self):
        self.assertEqual(self.service.http("GET", FUNCTIONS, headers={"Host": "build.example:4566"})[0], 200)
        self.assertEqual(self.service.http("GET", FUNCTIONS, headers={"Host": "other.example"})[0], 403)
