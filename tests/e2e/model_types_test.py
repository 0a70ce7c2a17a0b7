"""Whatever kind of value stands at whatever place of a request of AWS's model: an answer in JSON that is no failure of the
service. The requests are made by hand, as no client would send most of them."""

import base64
import http.client
import itertools
import json
import re
import time
import urllib.parse

import botocore.session
import functions
from harness import ACCOUNT, PATIENCE, REGION, ROLE, ServiceTest

DEEP = "[" * 25 + "]" * 25
TOO_DEEP = '{"a":' * 5_000 + "1" + "}" * 5_000
# Written as JSON, since some of these have no counterpart in Python.
VALUES = {
    "structure": ("{}", '{"a":1}', '{"":{"":""}}', '{"TargetArn":[],"Size":{},"Variables":1,"ZipFile":2,"ApplyOn":[]}'),
    "list": ("[]", "[1]", "[[]]", "[null]", "[{}]", '["x","y","z"]', DEEP),
    "number": ("0", "-1", "1", "1.5", "9223372036854775808", "-9223372036854775809", "1e308", "1" * 400),
    "text": ('""', '"x"', '"\\u0000"', '"\\ud800"', '"$LATEST"', '"%s"' % ("x" * 20_000), '"\xff"', '"\U0001f600"'),
    "boolean": ("true", "false"),
    "null": ("null",),
    "none": (TOO_DEEP, "nul", '"', "{]"),
}
ALL_VALUES = [(kind, text) for kind, texts in VALUES.items() for text in texts]
# One of each kind, and what has ended services before.
FEW_VALUES = ("{}", '{"ogni:rootfs":1}', "[]", "[1]", '[{"a":[]}]', "1", "18446744073709551615", '"x"', "true", "null")
KIND_OF = {"structure": "structure", "map": "structure", "list": "list", "integer": "number", "long": "number",
           "float": "number", "double": "number", "timestamp": "number", "string": "text", "blob": "text",
           "boolean": "boolean"}
WORDS = ("", "x", "-1", "0", "99999999999999999999", "1.5", "true", "null", "[]", "{}", "\0", "\xff", "\u00e9", "a" * 4_000,
         "../..", "$LATEST", ":::::", "arn:aws:lambda:::", "a b", "%", "'\"<>&")
FUNCTION_ARN = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:typed"
KNOWN = {
    "FunctionName": "typed", "Role": ROLE, "Handler": "hello.handler", "Runtime": "provided.al2023", "LayerName": "typed",
    "VersionNumber": 1, "Arn": f"arn:aws:lambda:{REGION}:{ACCOUNT}:layer:typed:1", "Resource": FUNCTION_ARN,
    "Qualifier": "$LATEST", "UUID": "00000000-0000-4000-8000-000000000000", "TagKeys": "key"}


def minimal(shape, name):
    """The least that is valid for a shape of the model, as JSON would have it."""
    if name in KNOWN:
        return KNOWN[name]
    if shape.type_name == "structure":
        return {member: minimal(shape.members[member], member) for member in shape.required_members}
    if shape.type_name == "list":
        return [minimal(shape.member, "")]
    if shape.type_name == "map":
        return {"key": "value"}
    if shape.type_name in ("integer", "long"):
        return max(1, shape.metadata.get("min", 1))
    if shape.type_name == "boolean":
        return False
    return shape.enum[0] if getattr(shape, "enum", None) else "x"


class Operation:
    """An operation of the model, taken apart into what a request of it has where."""

    def __init__(self, model):
        self.name = model.name
        self.method = model.http["method"]
        self.path = model.http["requestUri"]
        self.members = dict(model.input_shape.members) if model.input_shape else {}
        places = {name: shape.serialization.get("location") for name, shape in self.members.items()}
        self.wire = {name: shape.serialization.get("name", name) for name, shape in self.members.items()}
        self.labels = [name for name, place in places.items() if place == "uri"]
        self.query = [name for name, place in places.items() if place == "querystring"]
        self.headers = [name for name, place in places.items() if place == "header"]
        self.payload = model.input_shape.serialization.get("payload") if model.input_shape else None
        self.body = [name for name, place in places.items() if place is None and name != self.payload]
        required = model.input_shape.required_members if model.input_shape else []
        self.minimal = {name: minimal(self.members[name], name) for name in required}

    def target(self, labels=None, query=()):
        def fill(found):
            name = next(n for n in self.labels if self.wire[n] == found.group(1))
            return urllib.parse.quote(str({**self.minimal, **(labels or {})}.get(name, "x")), safe="", errors="surrogateescape")
        path = re.sub(r"\{(\w+)\+?\}", fill, self.path)
        pairs = {self.wire[n]: self.minimal[n] for n in self.query if n in self.minimal}
        pairs.update(query)
        words = urllib.parse.urlencode(pairs, errors="surrogateescape")
        return path + (("&" if "?" in path else "?") + words if words else "")

    def arguments(self):
        """The members of a minimal body, as JSON text by name."""
        return {self.wire[name]: json.dumps(self.minimal[name]) for name in self.body if name in self.minimal}


def document(members):
    return ("{" + ",".join(f"{json.dumps(name)}:{text}" for name, text in members.items()) + "}").encode("latin-1", "replace")


class ModelTypes(ServiceTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        model = botocore.session.get_session().get_service_model("lambda")
        cls.operations = [Operation(model.operation_model(name)) for name in model.operation_names]
        # Every name of a member anywhere in a request, as others' shapes have them.
        cls.names = sorted({*itertools.chain.from_iterable(operation.wire.values() for operation in cls.operations),
                            "ogni:rootfs", "__class__", "", "Tags", "Publish", "Architectures", "Layers", "Code"})
        cls.zip = functions.hello_bash()
        for name in ("typed", "still"):
            cls.service.deploy(name, cls.zip)
        cls.client.publish_layer_version(LayerName="typed", Content={"ZipFile": cls.zip})
        cls.connection = http.client.HTTPConnection("127.0.0.1", cls.service.port, timeout=60 * PATIENCE)
        cls.addClassCleanup(cls.connection.close)
        cls.answers = 0

    def ask(self, operation, target, body=None, headers=None):
        """(status, error type); what is no answer fails."""
        case = f"{operation.name}: {operation.method} {target[:200]} {headers} {None if body is None else body[:300]}"
        try:
            self.connection.request(operation.method, target, body=body, headers=headers or {})
            response = self.connection.getresponse()
            answer = response.read()
        except (OSError, http.client.HTTPException) as lost:
            self.connection.close()
            alive = self.service.process.poll() is None
            self.fail(f"{case}: no answer ({lost}), and the service " + ("is there" if alive else "has ended"))
        type(self).answers += 1
        self.assertTrue(response.status < 500 or response.status == 501, f"{case}: {response.status} {answer[:300]}")
        if answer:
            try:
                json.loads(answer.decode("utf-8"))
            except ValueError:
                self.fail(f"{case}: this is no JSON: {answer[:300]}")
        if operation.name == "CreateFunction" and response.status == 201:
            made = json.loads(answer)["FunctionName"]
            self.client.delete_function(FunctionName=made)
        return response.status, response.headers.get("x-amzn-ErrorType")

    def settled(self, operation, *request):
        """As ask(); a function that is still being updated is asked again."""
        deadline = time.monotonic() + 30 * PATIENCE
        while True:
            answer = self.ask(operation, *request)
            if answer[0] != 409 or time.monotonic() > deadline:
                return answer
            time.sleep(0.002)

    def arguments(self, operation):
        text = json.dumps(base64.b64encode(self.zip).decode())
        arguments = operation.arguments()
        if operation.name == "CreateFunction":
            arguments.update(FunctionName='"created"', Runtime='"provided.al2023"', Handler='"h"', Code='{"ZipFile":%s}' % text)
        if operation.name == "UpdateFunctionCode":
            arguments["ZipFile"] = text
        if operation.name == "PublishLayerVersion":
            arguments["Content"] = '{"ZipFile":%s}' % text
        return arguments

    def places(self, shape, text, above=()):
        """Each place in a shape as a function that makes the whole member's JSON from the JSON at the place."""
        yield shape, text
        if len(above) > 4 or shape.name in above:
            return
        below = (*above, shape.name)
        if shape.type_name == "structure":
            required = {n: json.dumps(minimal(shape.members[n], n)) for n in shape.required_members}
            for name, member in shape.members.items():
                wrap = lambda inner, name=name: text("{" + ",".join(
                    f"{json.dumps(k)}:{v}" for k, v in {**required, name: inner}.items()) + "}")
                yield from self.places(member, wrap, below)
        elif shape.type_name == "list":
            yield from self.places(shape.member, lambda inner: text(f"[{inner}]"), below)
        elif shape.type_name == "map":
            yield from self.places(shape.value, lambda inner: text('{"key":%s}' % inner), below)

    def test_every_member_of_every_body_takes_or_refuses_every_kind_of_value(self):
        tried = 0
        for operation in self.operations:
            arguments = self.arguments(operation)
            for name in operation.body:
                for shape, text in self.places(operation.members[name], lambda inner: inner):
                    for kind, value in ALL_VALUES:
                        body = document({**arguments, operation.wire[name]: text(value)})
                        status, _ = self.ask(operation, operation.target(), body)
                        if kind not in ("null", KIND_OF[shape.type_name]):
                            self.assertGreaterEqual(status, 400, f"{operation.name} {name}: {text(value)[:300]}")
                        tried += 1
        self.assertGreater(tried, 5_000)

    def test_members_that_belong_to_other_shapes_change_nothing(self):
        for operation in self.operations:
            if not operation.body and operation.method in ("GET", "DELETE"):
                continue
            arguments = self.arguments(operation)
            body = lambda more: document({**more, **arguments})
            usual = self.settled(operation, operation.target(), body({}))
            own = set(operation.wire.values())
            foreign = [name for name in self.names if name not in own]
            if usual[0] == 501:  # nothing of it is looked at: all members at once
                cases = [{name: value for name in foreign} for value in FEW_VALUES]
            else:
                cases = [{name: value} for name in foreign for value in FEW_VALUES]
            for more in cases:
                answer = self.settled(operation, operation.target(), body(more))
                self.assertEqual(answer, usual, f"{operation.name} with {more}")

    def test_bodies_that_are_no_objects_are_refused(self):
        for operation in self.operations:
            for kind, value in ALL_VALUES:
                target = operation.target({"FunctionName": "still"} if operation.name.startswith("Invoke") else None)
                status, _ = self.ask(operation, target, value.encode("latin-1", "replace"))
                if kind != "structure" and value and operation.body and status != 501:
                    self.assertGreaterEqual(status, 400, f"{operation.name} {value[:100]}")

    def test_labels_parameters_and_headers_may_hold_anything(self):
        for operation in self.operations:
            body = document(self.arguments(operation)) if operation.body else None
            for word in WORDS:
                raw = word.encode("latin-1", "replace") if word == "\xff" else word
                for name in operation.labels:
                    quoted = urllib.parse.quote(raw, safe="")
                    marked = operation.target({name: "MARK"})
                    self.ask(operation, marked.replace("MARK", quoted), body)
                for name in [*operation.query, "Qualifier", "Marker", "MaxItems", "find", "unknown"]:
                    key = operation.wire.get(name, name)
                    self.ask(operation, operation.target(query={key: raw}), body)
                line = "".join(c for c in word if c.isprintable() and ord(c) < 256 or c == "\xff")
                for name in operation.headers:
                    self.ask(operation, operation.target(), body, {operation.wire[name]: line.encode("latin-1")})

    def test_zz_the_service_still_works(self):
        self.assertGreater(self.answers, 0)
        self.assertIsNone(self.service.invoke("still", {"name": "World"}).error)


if __name__ == "__main__":
    import unittest
    unittest.main()
