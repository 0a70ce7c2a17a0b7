"""Layers: published, listed, merged into /opt in order, shared; a runtime as a layer."""

import base64
import hashlib
import stat

import functions
from harness import ACCOUNT, ServiceTest

ARN = f"arn:aws:lambda:us-east-1:{ACCOUNT}:layer:"


class LayerTest(ServiceTest):
    def publish(self, name, files, **more):
        return self.client.publish_layer_version(LayerName=name, Content={"ZipFile": functions.zip_of(files)}, **more)


class Api(LayerTest):
    def test_published_version_is_described_in_full(self):
        code = functions.zip_of({"a": "1"})
        made = self.client.publish_layer_version(
            LayerName="full", Description="d", LicenseInfo="MIT", Content={"ZipFile": code},
            CompatibleRuntimes=["provided.al2023", "provided.al2"], CompatibleArchitectures=["x86_64"])
        self.assertEqual(made["ResponseMetadata"]["HTTPStatusCode"], 201)
        expected = {"LayerArn": ARN + "full", "LayerVersionArn": ARN + "full:1", "Version": 1, "Description": "d",
                    "LicenseInfo": "MIT", "CompatibleRuntimes": ["provided.al2023", "provided.al2"],
                    "CompatibleArchitectures": ["x86_64"]}
        by_number = self.client.get_layer_version(LayerName="full", VersionNumber=1)
        by_arn = self.client.get_layer_version_by_arn(Arn=ARN + "full:1")
        for answer in (made, by_number, by_arn):
            self.assertEqual({key: answer.get(key) for key in expected}, expected)
            self.assertEqual(answer["Content"]["CodeSize"], len(code))
            self.assertEqual(answer["Content"]["CodeSha256"],
                             base64.b64encode(hashlib.sha256(code).digest()).decode())
            self.assertRegex(answer["CreatedDate"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+0000$")

    def test_versions_count_up_and_are_never_used_again(self):
        for number in (1, 2, 3):
            self.assertEqual(self.publish("count", {"n": str(number)})["Version"], number)
        self.client.delete_layer_version(LayerName="count", VersionNumber=3)
        self.assertEqual(self.publish("count", {"n": "4"})["Version"], 4)
        listed = self.client.list_layer_versions(LayerName="count")["LayerVersions"]
        self.assertEqual([v["Version"] for v in listed], [4, 2, 1])
        self.refused("ResourceNotFoundException", 404, self.client.get_layer_version, LayerName="count",
                     VersionNumber=3)
        self.client.delete_layer_version(LayerName="count", VersionNumber=3)  # once more: no error

    def test_lists_name_the_newest_version_that_matches(self):
        self.publish("list-a", {"x": "1"}, CompatibleRuntimes=["provided.al2"])
        self.publish("list-a", {"x": "2"}, CompatibleRuntimes=["provided.al2023"])
        self.publish("list-b", {"x": "3"}, CompatibleRuntimes=["provided.al2"])
        self.assertEqual(self.newest(CompatibleRuntime="provided.al2"), {"list-a": 1, "list-b": 1})
        self.assertEqual(self.newest(CompatibleRuntime="provided.al2023"), {"list-a": 2})
        everything = self.newest()
        self.assertEqual((everything["list-a"], everything["list-b"]), (2, 1))
        pages = self.client.get_paginator("list_layer_versions").paginate(
            LayerName="list-a", PaginationConfig={"PageSize": 1})
        self.assertEqual([v["Version"] for page in pages for v in page["LayerVersions"]], [2, 1])

    def newest(self, **filters):
        layers = self.client.list_layers(**filters)["Layers"]
        return {layer["LayerName"]: layer["LatestMatchingVersion"]["Version"] for layer in layers
                if layer["LayerName"].startswith("list-")}

    def test_layers_that_a_function_cannot_have_are_refused(self):
        versions = [self.publish(f"many-{n}", {"x": "1"})["LayerVersionArn"] for n in range(6)]
        second = self.publish("many-0", {"x": "2"})["LayerVersionArn"]
        for layers, words in (
                (versions, "Cannot reference more than 5 layers."),
                ([versions[0], second], "Two different versions of the same layer are not allowed to be referenced in "
                                        f"the same function. {versions[0]} and {second} are versions of the same "
                                        "layer."),
                ([ARN + "none:1"], f"Layer version {ARN}none:1 does not exist."),
                ([versions[0].replace("us-east-1", "eu-west-1")],
                 "Layers are not in the same region as the function. Layers are expected to be in region us-east-1.")):
            with self.subTest(words=words):
                message = self.refused("InvalidParameterValueException", 400, self.service.deploy, name="refused",
                                       zip_bytes=functions.hello_cpp(), Layers=layers)
                self.assertEqual(message, words)


class LayersOfFunctions:
    """What holds in every strength of isolation."""

    def test_a_runtime_in_a_layer_serves_several_functions(self):
        runtime = functions.example("hello-bash").joinpath("bootstrap").read_text()
        layer = self.publish("bash-runtime", {"bootstrap": functions.program(runtime)})["LayerVersionArn"]
        for name, body in (("first", 'handler() { echo \'"one"\'; }'), ("second", 'handler() { echo \'"two"\'; }')):
            created = self.service.deploy(name, functions.zip_of({"hello.sh": body}), Layers=[layer])
            self.assertEqual(created["Layers"][0]["Arn"], layer)
        self.assertEqual([self.service.invoke(name).json for name in ("first", "second")], ["one", "two"])

        # The function's own bootstrap comes before the layer's.
        self.service.deploy("own", functions.bash_handler("echo '\"own\"'"), Layers=[layer])
        self.assertEqual(self.service.invoke("own").json, "own")

        # A deleted version still serves the functions that have it, and no new one.
        self.client.delete_layer_version(LayerName="bash-runtime", VersionNumber=1)
        self.client.update_function_configuration(FunctionName="first", Description="fresh environments")
        self.service.wait_active("first")
        self.assertEqual(self.service.invoke("first").json, "one")
        self.refused("InvalidParameterValueException", 400, self.service.deploy, name="third",
                     zip_bytes=functions.zip_of({"hello.sh": ""}), Layers=[layer])

    def test_later_layers_win_and_directories_merge(self):
        low = self.publish("low", {"data/same": "low", "data/low": "low", "bin/tool": functions.program(
            "#!/bin/sh\necho low-tool\n")})["LayerVersionArn"]
        high = self.publish("high", {"data/same": "high", "data/high": "high", "python/extra.txt": "x"})
        # /opt by its parts, since a process-strength environment has it elsewhere: PATH leads there.
        body = ('tool="$(command -v tool)"; opt="${tool%/bin/tool}"; '
                'printf \'"%s %s %s %s"\' "$(cat "$opt/data/same")" "$(cat "$opt/data/low")" '
                '"$(cat "$opt/data/high")" "$(tool)"')
        for name, layers, same in (("up", [low, high["LayerVersionArn"]], "high"),
                                   ("down", [high["LayerVersionArn"], low], "low")):
            self.service.deploy(name, functions.bash_handler(body), Layers=layers)
            self.assertEqual(self.service.invoke(name).json, f"{same} low high low-tool")


    def test_links_lead_where_the_function_is(self):
        link = stat.S_IFLNK | 0o777
        layer = self.publish("linked", {"bin/shell": ("/bin/sh", link), "bin/nowhere": ("/tmp/none", link)})
        self.service.deploy("linked", functions.zip_of({
            "bootstrap": ("own/start", link), ".venv/bin/python": ("/usr/bin/python3", link),
            "own/start": functions.program(
                functions.PRELUDE + 'next\ncd "$(dirname "$0")"\nfound="$(command -v shell)"\n'
                'respond "\\"$(.venv/bin/python -c "print(6 * 7)") $(shell -c "echo sh") '
                '$(readlink "${found%shell}nowhere")\\""\nnext\n')}), Layers=[layer["LayerVersionArn"]])
        self.assertEqual(self.service.invoke("linked").json, "42 sh /tmp/none")


class LayersInNamespaces(LayersOfFunctions, LayerTest):
    flags = ("--isolation", "auto")


class LayersAsProcesses(LayersOfFunctions, LayerTest):
    flags = ("--isolation", "process")
