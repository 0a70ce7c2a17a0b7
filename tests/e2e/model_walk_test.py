"""Every operation of AWS's model gets an answer: what is built works, what is not says so by name."""

import json

import botocore
import botocore.session
import functions
from harness import ACCOUNT, ROLE, ClientError, ServiceTest

BUILT = {
    "CreateFunction", "GetFunction", "GetFunctionConfiguration", "ListFunctions", "UpdateFunctionCode",
    "UpdateFunctionConfiguration", "DeleteFunction", "Invoke", "GetAccountSettings", "PublishLayerVersion",
    "GetLayerVersion", "GetLayerVersionByArn", "ListLayers", "ListLayerVersions", "DeleteLayerVersion",
    "ListTags", "TagResource", "UntagResource"}

# Operations that are newer than Debian's botocore: method, path.
NEWER = {
    "InvokeWithResponseStream": ("POST", "/2021-11-15/functions/walk/response-streaming-invocations"),
    "GetRuntimeManagementConfig": ("GET", "/2021-07-20/functions/walk/runtime-management-config"),
    "PutRuntimeManagementConfig": ("PUT", "/2021-07-20/functions/walk/runtime-management-config"),
    "GetFunctionRecursionConfig": ("GET", "/2024-08-31/functions/walk/recursion-config"),
    "PutFunctionRecursionConfig": ("PUT", "/2024-08-31/functions/walk/recursion-config"),
    "GetFunctionScalingConfig": ("GET", "/2025-11-30/functions/walk/function-scaling-config?Qualifier=1"),
    "PutFunctionScalingConfig": ("PUT", "/2025-11-30/functions/walk/function-scaling-config?Qualifier=1"),
    "CreateCapacityProvider": ("POST", "/2025-11-30/capacity-providers"),
    "ListCapacityProviders": ("GET", "/2025-11-30/capacity-providers"),
    "GetCapacityProvider": ("GET", "/2025-11-30/capacity-providers/some"),
    "UpdateCapacityProvider": ("PUT", "/2025-11-30/capacity-providers/some"),
    "DeleteCapacityProvider": ("DELETE", "/2025-11-30/capacity-providers/some"),
    "ListFunctionVersionsByCapacityProvider": ("GET", "/2025-11-30/capacity-providers/some/function-versions"),
    "ListDurableExecutionsByFunction": ("GET", "/2025-12-01/functions/walk/durable-executions"),
    "GetDurableExecution": ("GET", "/2025-12-01/durable-executions/some"),
    "GetDurableExecutionHistory": ("GET", "/2025-12-01/durable-executions/some/history"),
    "GetDurableExecutionState": ("GET", "/2025-12-01/durable-executions/some/state?CheckpointToken=x"),
    "CheckpointDurableExecution": ("POST", "/2025-12-01/durable-executions/some/checkpoint"),
    "StopDurableExecution": ("POST", "/2025-12-01/durable-executions/some/stop"),
    "SendDurableExecutionCallbackSuccess": ("POST", "/2025-12-01/durable-execution-callbacks/some/succeed"),
    "SendDurableExecutionCallbackFailure": ("POST", "/2025-12-01/durable-execution-callbacks/some/fail"),
    "SendDurableExecutionCallbackHeartbeat": ("POST", "/2025-12-01/durable-execution-callbacks/some/heartbeat"),
}

FUNCTION_ARN = f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:walk"
CODE_SIGNING_ARN = f"arn:aws:lambda:us-east-1:{ACCOUNT}:code-signing-config:csc-0123456789abcdef0"
KNOWN = {
    "FunctionName": "walk", "Role": ROLE, "Handler": "h", "Runtime": "provided.al2023", "LayerName": "walk",
    "VersionNumber": 1, "Arn": f"arn:aws:lambda:us-east-1:{ACCOUNT}:layer:walk:1", "Name": "live",
    "FunctionVersion": "1", "StatementId": "one", "Action": "lambda:InvokeFunction", "Principal": "*",
    "Resource": FUNCTION_ARN, "UUID": "00000000-0000-4000-8000-000000000000", "Qualifier": "1",
    "CodeSigningConfigArn": CODE_SIGNING_ARN, "SigningProfileVersionArns":
        ["arn:aws:signer:us-east-1:000000000000:/signing-profiles/a/b"], "TagKeys": ["key"]}


def minimal(shape, name, code):
    """The least that is valid for a shape of the model."""
    if name == "Code" or name == "Content":
        return {"ZipFile": code}
    if name in KNOWN:
        return KNOWN[name]
    if shape.type_name == "structure":
        return {member: minimal(shape.members[member], member, code) for member in shape.required_members}
    if shape.type_name == "list":
        return [minimal(shape.member, "", code)]
    if shape.type_name == "map":
        return {"key": "value"}
    if shape.type_name in ("integer", "long"):
        return max(1, shape.metadata.get("min", 1))
    if shape.type_name == "boolean":
        return False
    if shape.type_name == "blob":
        return b"{}"
    return shape.enum[0] if shape.enum else "x"


class ModelWalk(ServiceTest):
    def test_every_operation_of_botocore_is_answered(self):
        model = botocore.session.get_session().get_service_model("lambda")
        self.assertGreater(len(model.operation_names), 60)
        self.assertEqual(BUILT - set(model.operation_names), set())
        code = functions.hello_cpp()
        # What others need exists before they are tried; what deletes comes last.
        order = sorted(model.operation_names, key=lambda n: (n.startswith("Delete"), not n.startswith("Publish"),
                                                             not n.startswith("Create"), n))
        for name in order:
            operation = model.operation_model(name)
            arguments = minimal(operation.input_shape, "", code) if operation.input_shape else {}
            if name == "UpdateFunctionCode":
                arguments["ZipFile"] = code
            if name == "CreateFunction":
                arguments.update(Runtime="provided.al2023", Handler="h")
            method = getattr(self.client, botocore.xform_name(name))
            with self.subTest(operation=name):
                if name in BUILT:
                    answer = method(**arguments)
                    self.assertLess(answer["ResponseMetadata"]["HTTPStatusCode"], 300)
                    if "Function" in name and not name.startswith(("List", "Delete")):
                        self.service.wait_active("walk")
                else:
                    with self.assertRaises(ClientError) as caught:
                        method(**arguments)
                    self.expect_named(name, caught.exception.response["ResponseMetadata"]["HTTPStatusCode"],
                                      caught.exception.response["Error"]["Message"])

    def test_operations_that_are_newer_than_botocore_are_named_as_well(self):
        for name, (method, path) in NEWER.items():
            with self.subTest(operation=name):
                body = None if method in ("GET", "DELETE") else b"{}"
                status, headers, answer = self.service.http(method, path, body)
                self.assertTrue(headers["x-amzn-ErrorType"])
                words = json.loads(answer)
                self.expect_named(name, status, words.get("message", words.get("Message", "")))

    def expect_named(self, name, status, message):
        self.assertGreaterEqual(status, 400)
        self.assertIn(name, message)

    def test_paths_that_are_nobodys_are_not_found(self):
        for method, path in (("GET", "/"), ("GET", "/2015-03-31/nothing"), ("POST", "/2015-03-31/functions/a/b/c"),
                             ("GET", "/../../etc/passwd"), ("PATCH", "/2015-03-31/functions")):
            with self.subTest(path=path):
                status, _, _ = self.service.http(method, path)
                self.assertIn(status, (400, 404, 405))
