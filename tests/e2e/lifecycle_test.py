"""Functions are created, read, listed, changed and deleted as on AWS: shapes, states, revisions, messages."""

import base64
import hashlib
import http.client
import os
import threading
from urllib.parse import urlsplit

import functions
from harness import ACCOUNT, PYTHON, ROLE, UUID, ServiceTest, comm, wait_until

ARN = f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:"


class CreateAndRead(ServiceTest):
    def test_created_function_is_pending_and_has_the_defaults_of_aws(self):
        code = functions.hello_cpp()
        created = self.client.create_function(FunctionName="defaults", Runtime="provided.al2023", Role=ROLE,
                                              Handler="any", Code={"ZipFile": code})
        self.assertEqual(created["ResponseMetadata"]["HTTPStatusCode"], 201)
        expected = {
            "FunctionName": "defaults", "FunctionArn": ARN + "defaults", "Runtime": "provided.al2023", "Role": ROLE,
            "Handler": "any", "CodeSize": len(code), "Description": "", "Timeout": 3, "MemorySize": 128,
            "CodeSha256": base64.b64encode(hashlib.sha256(code).digest()).decode(), "Version": "$LATEST",
            "TracingConfig": {"Mode": "PassThrough"}, "State": "Pending", "StateReasonCode": "Creating",
            "StateReason": "The function is being created.", "PackageType": "Zip", "Architectures": ["x86_64"],
            "EphemeralStorage": {"Size": 512}, "SnapStart": {"ApplyOn": "None", "OptimizationStatus": "Off"}}
        self.assertEqual({key: created.get(key) for key in expected}, expected)
        self.assertNotIn("LastUpdateStatus", created)
        self.assertNotIn("Environment", created)
        self.assertRegex(created["RevisionId"], f"^{UUID}$")
        self.assertRegex(created["LastModified"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+0000$")

        active = self.service.wait_active("defaults")
        self.assertNotEqual(active["RevisionId"], created["RevisionId"])
        self.assertNotIn("StateReason", active)

    def test_everything_that_is_given_is_returned(self):
        given = {
            "Description": "ünïcode", "Timeout": 900, "MemorySize": 10240, "Architectures": ["x86_64"],
            "Environment": {"Variables": {"KEY": "välue", "EMPTY": ""}}, "EphemeralStorage": {"Size": 1024},
            "TracingConfig": {"Mode": "Active"}, "DeadLetterConfig": {"TargetArn": "arn:aws:sqs:us-east-1:1:q"},
            "KMSKeyArn": "arn:aws:kms:us-east-1:000000000000:key/1"}
        created = self.service.deploy("given", functions.hello_cpp(), Tags={"team": "a"}, **given)
        got = self.client.get_function(FunctionName="given")
        for answer in (created, got["Configuration"]):
            self.assertEqual({key: answer.get(key) for key in given}, given)
        self.assertEqual(got["Tags"], {"team": "a"})

    def test_code_can_be_fetched_back_from_its_location(self):
        code = functions.hello_bash()
        self.service.deploy("fetch", code)
        place = self.client.get_function(FunctionName="fetch")["Code"]
        self.assertEqual(place["RepositoryType"], "S3")
        url = urlsplit(place["Location"])
        self.assertEqual(url.port, self.service.port)
        connection = http.client.HTTPConnection(url.hostname, url.port, timeout=30)
        self.addCleanup(connection.close)
        connection.request("GET", url.path + ("?" + url.query if url.query else ""))
        response = connection.getresponse()
        self.assertEqual((response.status, response.read()), (200, code))

    def test_a_name_is_taken_once(self):
        self.service.deploy("taken", functions.hello_cpp())
        message = self.refused("ResourceConflictException", 409, self.client.create_function, FunctionName="taken",
                               Runtime="provided.al2023", Role=ROLE, Handler="h",
                               Code={"ZipFile": functions.hello_cpp()})
        self.assertEqual(message, "Function already exist: taken")

    def test_an_empty_environment_is_kept_as_such(self):
        created = self.service.deploy("noenv", functions.hello_cpp(), Environment={"Variables": {}})
        self.assertEqual(created["Environment"], {"Variables": {}})

    def test_managed_runtimes_that_are_not_built_are_refused_by_name(self):
        needed = {"nodejs20.x": "/usr/bin/node", "java21": "/usr/bin/java", "ruby3.3": "/usr/bin/ruby"}
        absent = [runtime for runtime, path in needed.items() if not os.path.exists(path)]
        for runtime in ["dotnet8"] + absent:
            with self.subTest(runtime=runtime):
                message = self.refused("InvalidParameterValueException", 400, self.client.create_function,
                                       FunctionName="managed", Runtime=runtime, Role=ROLE, Handler="h.h",
                                       Code={"ZipFile": functions.hello_cpp()})
                self.assertIn("provided.al2023", message)
                self.assertIn("python", message)

    def test_a_python_that_this_host_lacks_is_refused_with_what_it_has(self):
        other = "python3.9" if PYTHON != "python3.9" else "python3.8"
        message = self.refused("InvalidParameterValueException", 400, self.client.create_function,
                               FunctionName="old-python", Runtime=other, Role=ROLE, Handler="app.handler",
                               Code={"ZipFile": functions.hello_python()})
        self.assertIn(PYTHON, message)


class Lists(ServiceTest):
    def test_lists_are_paged_in_order_of_names(self):
        code = functions.zip_of({"bootstrap": functions.program("#!/bin/sh\n")})
        names = [f"page-{number:03}" for number in range(55)]
        for name in reversed(names):
            self.service.deploy(name, code)

        first = self.client.list_functions()
        self.assertEqual([f["FunctionName"] for f in first["Functions"]], names[:50])
        rest = self.client.list_functions(Marker=first["NextMarker"])
        self.assertEqual([f["FunctionName"] for f in rest["Functions"]], names[50:])
        self.assertFalse(rest.get("NextMarker"))
        pages = self.client.get_paginator("list_functions").paginate(PaginationConfig={"PageSize": 7})
        self.assertEqual([f["FunctionName"] for page in pages for f in page["Functions"]], names)
        for absent in ("State", "LastUpdateStatus", "RuntimeVersionConfig"):
            self.assertNotIn(absent, first["Functions"][0])
        for name in names:
            self.client.delete_function(FunctionName=name)
        self.assertEqual(self.client.list_functions()["Functions"], [])


class Changes(ServiceTest):
    def test_new_code_answers_after_an_update(self):
        self.service.deploy("code", functions.bash_handler("echo 1"))
        before = self.client.get_function_configuration(FunctionName="code")
        self.assertEqual(self.service.invoke("code").body.strip(), b"1")

        updated = self.client.update_function_code(FunctionName="code", ZipFile=functions.bash_handler("echo 2"))
        self.assertEqual((updated["State"], updated["LastUpdateStatus"], updated["LastUpdateStatusReasonCode"]),
                         ("Active", "InProgress", "Creating"))
        self.assertNotEqual(updated["CodeSha256"], before["CodeSha256"])
        done = self.service.wait_active("code")
        self.assertEqual(len({before["RevisionId"], updated["RevisionId"], done["RevisionId"]}), 3)
        self.assertEqual(self.service.invoke("code").body.strip(), b"2")

    def test_new_settings_act_after_an_update(self):
        self.service.deploy("settings", functions.bash_handler('printf \'"%s"\' "$COLOUR"'),
                            Environment={"Variables": {"COLOUR": "red"}})
        self.assertEqual(self.service.invoke("settings").json, "red")
        updated = self.client.update_function_configuration(
            FunctionName="settings", Environment={"Variables": {"COLOUR": "blue"}}, Timeout=7, Description="new")
        self.assertEqual((updated["LastUpdateStatus"], updated["Timeout"], updated["Description"]),
                         ("InProgress", 7, "new"))
        self.service.wait_active("settings")
        self.assertEqual(self.service.invoke("settings").json, "blue")

    def test_a_stale_revision_changes_nothing(self):
        created = self.service.deploy("revision", functions.hello_cpp())
        for call, arguments in ((self.client.update_function_configuration, {"Timeout": 9}),
                                (self.client.update_function_code, {"ZipFile": functions.hello_bash()})):
            message = self.refused("PreconditionFailedException", 412, call, FunctionName="revision",
                                   RevisionId=created["RevisionId"], **arguments)
            self.assertEqual(message, "The Revision Id provided does not match the latest Revision Id. Call the "
                                      "GetFunction/GetAlias API to retrieve the latest Revision Id")
        now = self.client.get_function_configuration(FunctionName="revision")
        self.assertEqual((now["Timeout"], now["CodeSha256"]), (3, created["CodeSha256"]))
        self.client.update_function_configuration(FunctionName="revision", RevisionId=now["RevisionId"], Timeout=9)
        self.assertEqual(self.service.wait_active("revision")["Timeout"], 9)

    def test_a_dry_run_of_new_code_changes_nothing(self):
        self.service.deploy("dry", functions.hello_cpp())
        before = self.client.get_function_configuration(FunctionName="dry")
        self.client.update_function_code(FunctionName="dry", ZipFile=functions.hello_bash(), DryRun=True)
        after = self.client.get_function_configuration(FunctionName="dry")
        self.assertEqual((after["CodeSha256"], after["RevisionId"]), (before["CodeSha256"], before["RevisionId"]))

    def test_a_deleted_function_is_gone_and_its_name_is_free(self):
        self.service.deploy("gone", functions.bash_handler("echo 1"))
        self.assertEqual(self.service.invoke("gone").json, 1)
        deleted = self.client.delete_function(FunctionName="gone")
        self.assertEqual(deleted["ResponseMetadata"]["HTTPStatusCode"], 204)
        for call in (self.client.get_function, self.client.delete_function, self.client.get_function_configuration):
            self.assertEqual(self.refused("ResourceNotFoundException", 404, call, FunctionName="gone"),
                             f"Function not found: {ARN}gone")
        self.assertIn(f"Function not found: {ARN}gone",
                      self.refused("ResourceNotFoundException", 404, self.client.invoke, FunctionName="gone"))
        self.service.deploy("gone", functions.bash_handler("echo 2"))
        self.assertEqual(self.service.invoke("gone").json, 2)


class SlowActivation(ServiceTest):
    """With a delay, the moments between a change and its effect can be seen."""

    flags = ("--activation-delay", "1500")

    def test_pending_function_cannot_be_called_yet(self):
        self.client.create_function(FunctionName="pending", Runtime="provided.al2023", Role=ROLE, Handler="h",
                                    Code={"ZipFile": functions.hello_cpp()})
        message = self.refused("ResourceConflictException", 409, self.client.invoke, FunctionName="pending")
        self.assertEqual(message, "The operation cannot be performed at this time. The function is currently in the "
                                  "following state: Pending")
        self.refused("ResourceConflictException", 409, self.client.update_function_configuration,
                     FunctionName="pending", Timeout=5)
        self.service.wait_active("pending")
        self.assertEqual(self.service.invoke("pending", b"[1]").json, [1])

    def test_old_code_answers_while_an_update_is_in_progress(self):
        self.service.deploy("during", functions.bash_handler("echo 1"))
        self.assertEqual(self.service.invoke("during").json, 1)
        self.client.update_function_code(FunctionName="during", ZipFile=functions.bash_handler("echo 2"))
        self.assertEqual(self.service.invoke("during").json, 1)
        message = self.refused("ResourceConflictException", 409, self.client.update_function_configuration,
                               FunctionName="during", Timeout=5)
        self.assertEqual(message, "The operation cannot be performed at this time. An update is in progress for "
                                  f"resource: {ARN}during")
        self.service.wait_active("during")
        self.assertEqual(self.service.invoke("during").json, 2)


class Draining(ServiceTest):
    def test_an_invocation_that_runs_ends_on_its_old_code(self):
        marker_loop = 'echo "old"; [[ $EVENT == *wait* ]] && sleep 2'
        self.service.deploy("drain", functions.bash_handler(f'printf \'"%s"\' "$({marker_loop})"'), Timeout=20)
        self.assertEqual(self.service.invoke("drain").json, "old")
        answers = []
        caller = threading.Thread(target=lambda: answers.append(self.service.invoke("drain", '"wait"'.encode())))
        caller.start()
        try:
            wait_until(lambda: any("sleep" == comm(pid) for pid, _ in self.service.family()), "the function sleeps")
            self.client.update_function_code(FunctionName="drain", ZipFile=functions.bash_handler("printf '\"new\"'"))
            self.service.wait_active("drain")
            self.assertEqual(self.service.invoke("drain").json, "new")
        finally:
            caller.join()
        self.assertEqual((answers[0].error, answers[0].json), (None, "old"))
        self.assertEqual(self.service.invoke("drain").json, "new")
