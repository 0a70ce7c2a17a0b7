"""Functions that stream their response: a plain Invoke gets the whole of it, or the error where it failed midway."""

import os
import tempfile
import unittest

import functions
from harness import ServiceTest
from runtime_layer_test import make_layer

# A client as Go's and Perl's are: it sends what the event says, byte by byte as given.
RAW = r"""#!/usr/bin/python3
import base64, json, os, socket
host, port = os.environ["AWS_LAMBDA_RUNTIME_API"].split(":")
connection = socket.create_connection((host, int(port)))
answers = connection.makefile("rb")
while True:
    connection.sendall(b"GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: x\r\n\r\n")
    answers.readline()
    fields = {}
    while (line := answers.readline().strip()):
        name, value = line.decode().split(": ", 1)
        fields[name.lower()] = value
    event = json.loads(answers.read(int(fields["content-length"])))
    path = "/2018-06-01/runtime/invocation/%s/response" % fields["lambda-runtime-aws-request-id"]
    head = "POST %s HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n%s\r\n" % (path, event.get("head", ""))
    chunks = "".join("%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in event["chunks"])
    connection.sendall((head + chunks + "0\r\n" + event["trailers"] + "\r\n").encode())
    status = answers.readline().decode().split()[1]
    length = 0
    while (line := answers.readline().strip()):
        if line.lower().startswith(b"content-length:"): length = int(line.split()[1])
    answers.read(length)
    print("told", status, flush=True)
"""
PERL = r"""#!/usr/bin/perl
use HTTP::Tiny; use MIME::Base64;
my $http = HTTP::Tiny->new(timeout => 900);
my $api = "http://$ENV{AWS_LAMBDA_RUNTIME_API}/2018-06-01/runtime/invocation";
while (1) {
  my $event = $http->get("$api/next");
  my $id = $event->{headers}{'lambda-runtime-aws-request-id'};
  my @pieces = ('so ', 'far', '');
  $http->request('POST', "$api/$id/response", {
    headers => {'lambda-runtime-function-response-mode' => 'streaming'},
    content => sub { shift @pieces },
    trailer_callback => sub { return $event->{content} =~ /fail/ ? {
      'Lambda-Runtime-Function-Error-Type' => 'Perl.Died',
      'Lambda-Runtime-Function-Error-Body' => encode_base64('{"errorType":"Perl.Died","errorMessage":"here"}', '')} : {} },
  });
}
"""
TYPE, BODY = "Lambda-Runtime-Function-Error-Type", "Lambda-Runtime-Function-Error-Body"


class Streams(ServiceTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.service.deploy("raw", functions.zip_of({"bootstrap": functions.program(RAW)}))

    def need(self, program):
        if not os.path.exists(program):
            self.skipTest(f"no {program}")

    def raw(self, chunks, trailers, head=""):
        answer = self.service.invoke("raw", {"chunks": chunks, "trailers": trailers, "head": head}, tail=True)
        self.assertEqual(answer.status, 200)
        return answer

    def test_collects_a_stream_that_goes_well(self):
        for trailers in ("", f"{TYPE}: \r\n{BODY}:\r\n", "X-Checksum: 1\r\n"):
            with self.subTest(trailers):
                answer = self.raw(["so ", "far"], trailers, "Lambda-Runtime-Function-Response-Mode: streaming\r\n")
                self.assertEqual((answer.error, answer.body), (None, b"so far"))
                self.assertNotIn("Status: ", answer.log)

    def test_response_mode_that_does_not_exist_is_an_error_for_the_caller_too(self):
        for mode in ("buffered", "Streaming", "streaming,"):
            with self.subTest(mode):
                answer = self.raw(["so ", "far"], "", f"Lambda-Runtime-Function-Response-Mode: {mode}\r\n")
                self.assertEqual(answer.error, "Unhandled")
                self.assertIn(b"Invalid function response mode", answer.body)
                self.assertNotIn(b"so far", answer.body)
                self.assertIn("Status: error", answer.log)
        self.assertEqual(self.raw(["so ", "far"], "").body, b"so far")

    def test_stream_that_fails_midway_is_the_error_that_its_trailers_tell(self):
        body = "eyJlcnJvclR5cGUiOiJNeS5FcnJvciIsImVycm9yTWVzc2FnZSI6IsO8In0="
        for head in ("", "Lambda-Runtime-Function-Response-Mode: streaming\r\n"
                         f"Trailer: {TYPE}, {BODY}\r\nContent-Type: text/plain\r\n"):
            with self.subTest(head):
                answer = self.raw(["so ", "far"], f"{TYPE}: Function.Broke\r\n{BODY}: {body}\r\n", head)
                self.assertEqual((answer.error, answer.body.decode()),
                                 ("Unhandled", '{"errorType":"My.Error","errorMessage":"ü"}'))
                self.assertRegex(answer.log, r"REPORT .*\tStatus: error\tError Type: Function\.Broke")
                self.assertEqual(self.raw(["next"], "").body, b"next")

    def test_trailers_that_are_not_well_formed_tell_a_failure_all_the_same(self):
        for trailers, type_in_log, body in ((f"{TYPE}: unhandled\r\n", "Runtime.Unknown", ""),
                                            (f"{TYPE}: Function.Broke\r\n{BODY}: no base64\r\n", "Function.Broke", ""),
                                            (f"{BODY}: e30=\r\n", "Runtime.Unknown", "{}")):
            with self.subTest(trailers):
                answer = self.raw(["so far"], trailers)
                self.assertEqual((answer.error, answer.body.decode()), ("Unhandled", body))
                self.assertIn(f"\tStatus: error\tError Type: {type_in_log}\n", answer.log)

    def test_error_type_in_the_head_of_a_response_is_none(self):
        answer = self.raw(["fine"], "", f"{TYPE}: Function.Broke\r\n")
        self.assertEqual((answer.error, answer.body), (None, b"fine"))

    def test_too_large_stream_is_told_and_the_connection_goes_on(self):
        answer = self.service.invoke("raw", {"chunks": ["x" * (1 << 20)] * 5, "trailers": f"{TYPE}: A\r\n"}, tail=True)
        self.assertEqual((answer.error, answer.body), ("Unhandled", b""))
        self.service.deploy("raw-large", functions.zip_of({"bootstrap": functions.program(
            RAW.replace('event["chunks"])', 'event["chunks"] for chunk in [chunk * event.get("times", 1)])'))}))
        large = self.service.invoke("raw-large", {"chunks": ["x" * (1 << 20)], "times": 7, "trailers": ""}, tail=True)
        self.assertEqual((large.error, large.json["errorType"]), ("Unhandled", "Function.ResponseSizeTooLarge"))
        self.assertIn("told 413", large.log)
        self.assertEqual(self.service.invoke("raw-large", {"chunks": ["a"], "trailers": ""}).body, b"a")

    def test_perls_client(self):
        self.need("/usr/bin/perl")
        self.service.deploy("perl", functions.zip_of({"bootstrap": functions.program(PERL)}), Timeout=30)
        self.assertEqual(self.service.invoke("perl", "go on").body, b"so far")
        answer = self.service.invoke("perl", "fail")
        self.assertEqual((answer.error, answer.json), ("Unhandled", {"errorType": "Perl.Died", "errorMessage": "here"}))
        self.assertEqual(self.service.invoke("perl", "go on").body, b"so far")

    def test_streams_of_node(self):
        self.need("/usr/bin/node")
        self.service.deploy("node", functions.zip_of({"index.js": """
            exports.handler = awslambda.streamifyResponse(async (event, stream) => {
              if (event.first) throw new TypeError('before');
              stream.write('so far');
              if (event.fail) { await new Promise(done => setTimeout(done, 10)); throw new RangeError('midway'); }
              stream.end();
            });"""}), runtime="nodejs20.x", handler="index.handler", Timeout=30)
        self.assertEqual(self.service.invoke("node", {}).body, b"so far")
        for event, name, message in (({"first": 1}, "TypeError", "before"), ({"fail": 1}, "RangeError", "midway")):
            answer = self.service.invoke("node", event, tail=True)
            self.assertEqual((answer.error, answer.json["errorType"], answer.json["errorMessage"]),
                             ("Unhandled", name, message))
            self.assertIn("\tStatus: error\t", answer.log)
        self.assertEqual(self.service.invoke("node", {}).body, b"so far")

    def test_generators_of_python(self):
        with tempfile.TemporaryDirectory() as directory:
            layer = self.client.publish_layer_version(
                LayerName="ogni-runtime", Content={"ZipFile": make_layer(directory).read_bytes()})["LayerVersionArn"]
        self.service.deploy("python", functions.zip_of({"app.py": """
def handler(event, context):
    yield b"so "
    if event.get("fail"):
        raise KeyError("midway")
    yield b"far"
"""}), handler="app.handler", Layers=[layer], Timeout=30)
        self.assertEqual(self.service.invoke("python", {}).body, b"so far")
        answer = self.service.invoke("python", {"fail": 1})
        self.assertEqual((answer.error, answer.json["errorType"]), ("Unhandled", "KeyError"))
        self.assertEqual(self.service.invoke("python", {}).body, b"so far")


class PiecewiseClients(ServiceTest):
    def test_request_in_pieces_does_not_wait_for_a_delayed_acknowledgement(self):
        """Counted by the kernel in the function's own network: the acknowledgements that it sent late."""
        self.service.deploy("pieces", functions.zip_of({"bootstrap": functions.program(r"""#!/usr/bin/python3
import os, socket
host, port = os.environ["AWS_LAMBDA_RUNTIME_API"].split(":")
connection = socket.create_connection((host, int(port)))
answers = connection.makefile("rb")
def late():
    names, values = [line.split() for line in open("/proc/net/netstat") if line.startswith("TcpExt:")]
    return int(values[names.index("DelayedACKs")])
while True:
    connection.sendall(b"GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\n")
    connection.sendall(b"Host: x\r\n\r\n")
    fields = {}
    answers.readline()
    while (line := answers.readline().strip()):
        name, value = line.decode().split(": ", 1)
        fields[name.lower()] = value
    answers.read(int(fields["content-length"]))
    body = b"%d" % late()
    connection.sendall(b"POST /2018-06-01/runtime/invocation/%s/response HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n"
                       % (fields["lambda-runtime-aws-request-id"].encode(), len(body)))
    connection.sendall(body[:1])
    connection.sendall(body[1:])
    answers.readline()
    while answers.readline().strip(): pass
    answers.read(16)
""")}))
        before = self.service.invoke("pieces").json
        for _ in range(40):
            after = self.service.invoke("pieces").json
        # The client's own side is late with some, too: with each answer that it has read and follows nothing.
        self.assertLess(after - before, 40)


if __name__ == "__main__":
    unittest.main()
