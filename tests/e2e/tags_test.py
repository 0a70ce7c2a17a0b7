"""Tags of functions, as boto3 sets and reads them, and by `ogni deploy`."""

import functions
from harness import ACCOUNT, ServiceTest

ARN = f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:"


class Tags(ServiceTest):
    def tags(self, name):
        return self.client.list_tags(Resource=ARN + name)["Tags"]

    def test_tags_are_added_changed_and_removed(self):
        self.service.deploy("tagged", functions.hello_bash(), Tags={"a": "1", "b": "2"})
        before = self.client.get_function_configuration(FunctionName="tagged")
        answer = self.client.tag_resource(Resource=ARN + "tagged", Tags={"b": "3", "c d/e": "ü=&"})
        self.assertEqual(answer["ResponseMetadata"]["HTTPStatusCode"], 204)
        self.assertEqual(self.tags("tagged"), {"a": "1", "b": "3", "c d/e": "ü=&"})
        self.assertEqual(self.client.get_function(FunctionName="tagged")["Tags"], self.tags("tagged"))
        answer = self.client.untag_resource(Resource=ARN + "tagged", TagKeys=["a", "c d/e", "never there"])
        self.assertEqual(answer["ResponseMetadata"]["HTTPStatusCode"], 204)
        self.assertEqual(self.tags("tagged"), {"b": "3"})
        after = self.client.get_function_configuration(FunctionName="tagged")
        self.assertNotEqual(after["RevisionId"], before["RevisionId"])
        self.assertEqual(after["LastModified"], before["LastModified"])
        self.assertIsNone(self.service.invoke("tagged", {"name": "World"}).error)

    def test_what_cannot_be_tagged_is_refused(self):
        self.service.deploy("plain", functions.hello_bash())
        for call, more in ((self.client.tag_resource, {"Tags": {"a": "1"}}), (self.client.list_tags, {}),
                           (self.client.untag_resource, {"TagKeys": ["a"]})):
            said = self.refused("ResourceNotFoundException", 404, call, Resource=ARN + "nobody", **more)
            self.assertEqual(said, f"Function not found: {ARN}nobody")
            self.refused("InvalidParameterValueException", 400, call, Resource=ARN + "plain:1", **more)
            self.refused("ValidationException", 400, call, Resource="plain", **more)
        self.assertEqual(self.tags("plain"), {})

    def test_there_are_fifty_tags_at_most(self):
        self.service.deploy("many", functions.hello_bash(), Tags={f"k{n}": "" for n in range(49)})
        self.client.tag_resource(Resource=ARN + "many", Tags={"k48": "again", "k49": ""})
        said = self.refused("InvalidParameterValueException", 400, self.client.tag_resource, Resource=ARN + "many",
                            Tags={"k50": ""})
        self.assertIn("limit", said)
        self.assertEqual(len(self.tags("many")), 50)

    def test_requests_that_are_none_are_refused(self):
        self.service.deploy("odd", functions.hello_bash())
        path = "/2017-03-31/tags/" + (ARN + "odd").replace(":", "%3A")
        for method, target, body in (("POST", path, b"{}"), ("POST", path, b'{"Tags":[]}'), ("POST", path, b"{"),
                                     ("DELETE", path, None)):
            with self.subTest(method=method, body=body):
                status, headers, answer = self.service.http(method, target, body)
                self.assertEqual(status, 400, answer)
                self.assertTrue(headers["x-amzn-ErrorType"])

    def test_deploy_sets_what_the_function_reaches(self):
        place = self.service.data / "deployed"
        place.mkdir()
        self.addCleanup(lambda: [path.unlink() for path in place.iterdir()] and place.rmdir())
        (place / "hello.sh").write_text("handler() { echo 1; }\n")
        self.service.ogni("deploy", str(place), "--name", "deployed", "--network", "egress")
        self.assertEqual(self.tags("deployed"), {"ogni:network": "egress"})
        self.client.tag_resource(Resource=ARN + "deployed", Tags={"team": "a"})
        self.service.ogni("deploy", str(place), "--name", "deployed", "--network", "loopback")
        self.assertEqual(self.tags("deployed"), {"ogni:network": "loopback", "team": "a"})
        self.service.ogni("deploy", str(place), "--name", "deployed")
        self.assertEqual(self.tags("deployed"), {"ogni:network": "loopback", "team": "a"}, "kept")
        wrong = self.service.ogni("deploy", str(place), "--network", "everything", check=False)
        self.assertNotEqual(wrong.returncode, 0)
        self.assertIn("--network", wrong.stderr)
