"""Functions that flood their log or their Runtime API: nothing is lost or out of order, and others are served."""

import threading
import unittest

import functions
from harness import ServiceTest

# A program that asks for events by itself, and does what they say before it answers.
BOOTSTRAP = r"""#!/usr/bin/python3
import http.client, json, os, socket, subprocess, sys
address = os.environ["AWS_LAMBDA_RUNTIME_API"]
host, port = address.split(":")
API = "/2018-06-01/runtime/invocation/"
def lines(count): os.write(1, b"".join(b"line %d\n" % number for number in range(count)))
def empty(count): sys.stdout.buffer.write(b"\n" * count); sys.stdout.buffer.flush()
def die(count): lines(count); os._exit(3)
def behind(_): subprocess.Popen(["/bin/sh", "-c", "yes '' & sleep 600"])
def forever(_): os.execvp("yes", ["yes", ""])
def pipelined(count):
    answers = []
    for _ in range(20):
        connection = socket.create_connection((host, int(port)))
        connection.sendall(b"GET /2018-06-01/ping HTTP/1.1\r\nHost: x\r\n\r\n" * count)
        answers.append(connection.makefile("rb"))
    return sum(answer.read(len(PONG)) == PONG for answer in answers for _ in range(count))
PONG = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 4\r\n\r\npong"
connection = http.client.HTTPConnection(address)
while True:
    connection.request("GET", API + "next")
    answer = connection.getresponse()
    event = json.loads(answer.read())
    result = globals()[event["do"]](event.get("count", 0)) if event else None
    connection.request("POST", API + answer.getheader("Lambda-Runtime-Aws-Request-Id") + "/response", json.dumps(result))
    connection.getresponse().read()
"""


class Floods(ServiceTest):
    def deploy(self, name, **settings):
        self.service.deploy(name, functions.zip_of({"bootstrap": functions.program(BOOTSTRAP)}),
                            **{"Timeout": 60, **settings})

    def log(self, name):
        """(request id, lines between its START and END) of each invocation."""
        status, _, body = self.service.http("GET", f"/_ogni/functions/{name}/logs?tail=10000")
        self.assertEqual(status, 200)
        text = [line.split("\t", 2)[2] for line in body.decode().splitlines()]
        found = []
        for number, line in enumerate(text):
            if line.startswith("END RequestId: "):
                begin = max((i for i in range(number) if text[i].startswith("START RequestId: ")), default=-1)
                found.append((line[15:], text[begin + 1:number]))
        return found

    def test_all_that_an_invocation_prints_stands_before_its_end(self):
        self.deploy("prints")
        count = 9_000
        for _ in range(2):
            answer = self.service.invoke("prints", {"do": "lines", "count": count}, tail=True)
            self.assertIsNone(answer.error, answer.body)
            self.assertIn(f"line {count - 1}\nEND RequestId: {answer.request_id}\nREPORT", answer.log)
            request, printed = self.log("prints")[-1]
            self.assertEqual((request, printed), (answer.request_id, [f"line {number}" for number in range(count)]))

    def test_all_that_a_program_prints_before_it_exits_is_there(self):
        self.deploy("dies")
        count = 9_000
        answer = self.service.invoke("dies", {"do": "die", "count": count}, tail=True)
        self.fails(answer, "Runtime.ExitError", "RequestId: {rid} Error: Runtime exited with error: exit status 3")
        printed = self.log("dies")[-1][1]
        self.assertEqual(printed[:count], [f"line {number}" for number in range(count)])
        self.assertIn("Runtime exited with error: exit status 3", "\n".join(printed[count:]))

    def test_who_prints_on_behind_an_answer_does_not_keep_it_from_ending(self):
        self.deploy("behind")
        for event in ({"do": "behind"}, {}, {}):
            answer = self.service.invoke("behind", event, tail=True)
            self.assertIsNone(answer.error, answer.body)
            self.assertRegex(answer.log, r"REPORT RequestId: " + answer.request_id)

    def test_neighbours_are_served_beside_floods(self):
        self.deploy("neighbour")
        self.service.invoke("neighbour", {})
        floods = []
        for number in range(8):
            self.deploy(f"flood-{number}", Timeout=5)
            floods.append(threading.Thread(target=self.service.invoke, args=(f"flood-{number}", {"do": "forever"}),
                                           kwargs={"client": self.service.make_client()}))
        for flood in floods:
            flood.start()
        served = 0
        while any(flood.is_alive() for flood in floods):
            self.assertIsNone(self.service.invoke("neighbour", {}).error)
            served += 1
        for flood in floods:
            flood.join()
        self.assertGreater(served, 50)
        for number in range(8):
            answer = self.service.invoke(f"flood-{number}", {}, tail=True)
            self.assertIsNone(answer.error, answer.body)

    def test_pipelined_requests_are_all_answered(self):
        self.deploy("pipelined")
        self.assertEqual(self.service.invoke("pipelined", {"do": "pipelined", "count": 500}).json, 20 * 500)


if __name__ == "__main__":
    unittest.main()
