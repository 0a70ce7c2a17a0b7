"""Clients of other AWS services, and of another region, are told so in words that their own client understands."""

import boto3
import botocore.config
import botocore.exceptions
import functions
from harness import REGION, ServiceTest

# A service of each of AWS's protocols, with an operation that needs no argument.
SERVICES = {"s3": "list_buckets", "dynamodb": "list_tables", "sqs": "list_queues", "sts": "get_caller_identity",
            "iam": "list_users", "ec2": "describe_vpcs", "logs": "describe_log_groups", "sns": "list_topics",
            "apigateway": "get_rest_apis", "route53": "list_hosted_zones", "cloudwatch": "list_metrics"}


class OtherServices(ServiceTest):
    def other(self, name, region=REGION):
        return boto3.client(name, endpoint_url=self.service.url, region_name=region,
                            config=botocore.config.Config(retries={"max_attempts": 0}))

    def test_each_client_shows_which_service_this_is(self):
        for name, operation in SERVICES.items():
            with self.subTest(service=name), self.assertRaises(botocore.exceptions.ClientError) as caught:
                getattr(self.other(name), operation)()
            error = caught.exception.response["Error"]
            self.assertIn("AWS Lambda", error["Message"], f"{name}: {error}")
            self.assertRegex(error["Message"], rf"'({name}|monitoring)'")
            self.assertIn(error["Code"], ("NotImplemented", "InvalidAction", "UnknownOperationException"))

    def test_an_object_of_s3_is_refused_with_its_body_and_without(self):
        s3 = self.other("s3")
        with self.assertRaises(botocore.exceptions.ClientError) as caught:
            s3.put_object(Bucket="bucket", Key="key", Body=b"x" * 100_000)
        self.assertIn("AWS Lambda", caught.exception.response["Error"]["Message"])
        with self.assertRaises(botocore.exceptions.ClientError) as caught:
            s3.head_object(Bucket="bucket", Key="key")
        self.assertEqual(caught.exception.response["ResponseMetadata"]["HTTPStatusCode"], 501)

    def test_a_target_without_a_signature_is_known(self):
        status, headers, body = self.service.http("POST", "/", b"{}", {
            "X-Amz-Target": "DynamoDB_20120810.ListTables", "Content-Type": "application/x-amz-json-1.0"})
        self.assertEqual((status, headers["Content-Type"]), (400, "application/x-amz-json-1.0"))
        self.assertIn(b"'dynamodb'", body)

    def test_another_region_is_refused_and_named(self):
        for region in ("eu-central-1", "us-east-2"):
            with self.assertRaises(botocore.exceptions.ClientError) as caught:
                self.other("lambda", region).list_functions()
            error = caught.exception.response["Error"]
            self.assertEqual(error["Code"], "InvalidSignatureException")
            self.assertIn(f"'{region}'", error["Message"])
            self.assertIn(REGION, error["Message"])
        self.assertEqual(self.client.list_functions()["Functions"], [])
        done = self.service.aws("list-functions", "--region", "eu-west-1", check=False)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("--region", done.stderr)

    def test_what_is_no_signature_is_let_through(self):
        for header in ("", "Bearer x", "AWS4-HMAC-SHA256", "AWS4-HMAC-SHA256 Credential=", "AWS4-HMAC-SHA256 Credential=a/b",
                       "AWS4-HMAC-SHA256 Credential=a//aws4_request", "AWS4-HMAC-SHA256 Credential=///////aws4_request"):
            status, _, _ = self.service.http("GET", "/2015-03-31/functions", headers={"Authorization": header})
            self.assertIn(status, (200, 403), header)

    def test_paths_of_the_first_api_are_served(self):
        self.service.deploy("old", functions.hello_bash())
        base = "/2015-03-31/functions/old/versions/HEAD"
        status, _, body = self.service.http("GET", base)
        self.assertEqual(status, 200)
        self.assertIn(b'"Code":', body)
        status, _, body = self.service.http("GET", base + "/configuration")
        self.assertEqual(status, 200)
        self.assertIn(b'"FunctionName":"old"', body)
        status, _, body = self.service.http("PUT", base + "/configuration", b'{"Description":"from an old client"}')
        self.assertEqual(status, 200)
        self.service.wait_active("old")
        status, _, body = self.service.http("PUT", base + "/code", b'{"ZipFile":"AAAA"}')
        self.assertEqual(status, 400)
        self.assertEqual(self.client.get_function_configuration(FunctionName="old")["Description"], "from an old client")
        status, _, body = self.service.http("GET", base + "/policy")
        self.assertEqual(status, 501)
        self.assertIn(b"GetPolicy", body)
