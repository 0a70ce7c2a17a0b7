"""The command line, ours and AWS's, as a user types it."""

import json
import os
import re
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

import functions
from harness import OGNI, PYTHON, ServiceTest


class Commands(ServiceTest):
    def setUp(self):
        self.folder = Path(tempfile.mkdtemp(prefix="c-"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)

    def write(self, name, files):
        folder = self.folder / name
        folder.mkdir()
        for path, text in files.items():
            (folder / path).write_text(text)
        return str(folder)


class Ogni(Commands):
    def test_a_folder_with_one_script_becomes_a_function(self):
        place = self.write("greet", {"hello.sh": "handler() { echo \"{\\\"got\\\":$1}\"; }\n"})
        said = self.service.ogni("deploy", place)
        self.assertIn("bootstrap", said.stderr + said.stdout)  # it says that it added the default one
        answer = self.service.ogni("invoke", "greet", "--payload", '{"a":1}')
        self.assertEqual(json.loads(answer.stdout), {"got": {"a": 1}})
        self.assertFalse((Path(place) / "bootstrap").exists())

    def test_deploying_again_updates_code_and_settings(self):
        place = self.write("again", {"hello.sh": "handler() { echo 1; }\n"})
        self.service.ogni("deploy", place)
        (Path(place) / "hello.sh").write_text("handler() { echo \"\\\"$COLOUR\\\"\"; }\n")
        said = self.service.ogni("deploy", place, "--env", "COLOUR=red=blue", "--memory", "256", "--timeout", "9")
        self.assertIn("updated", said.stdout)
        self.assertEqual(self.service.ogni("invoke", "again").stdout.strip(), '"red=blue"')
        now = self.client.get_function_configuration(FunctionName="again")
        self.assertEqual((now["MemorySize"], now["Timeout"]), (256, 9))
        self.service.ogni("deploy", place)
        now = self.client.get_function_configuration(FunctionName="again")
        self.assertEqual((now["MemorySize"], now["Timeout"]), (256, 9))

    def test_python_folder_is_recognised(self):
        place = self.write("snake", {"app.py": functions.example("hello-python").joinpath("app.py").read_text()})
        said = json.loads(self.service.ogni("deploy", place, "--output", "json").stdout)
        self.assertEqual((said["Runtime"], said["Handler"]), (PYTHON, "app.handler"))
        self.assertEqual(json.loads(self.service.ogni("invoke", "snake", "--payload", '{"name":"x"}').stdout),
                         {"message": "Hello, x!"})

    def test_a_folder_with_a_virtual_environment_is_deployed(self):
        place = self.write("venv", {"app.py": "import os\ndef handler(e, c): return os.readlink('.venv/bin/python')\n"})
        links = Path(place) / ".venv" / "bin"
        links.mkdir(parents=True)
        (links / "python").symlink_to("/usr/bin/python3")
        (links / "dangling").symlink_to(self.folder / "nowhere")
        self.service.ogni("deploy", place)
        self.assertEqual(self.service.ogni("invoke", "venv").stdout.strip(), '"/usr/bin/python3"')

    def test_a_refused_zip_is_told_with_its_entry(self):
        archive = self.folder / "bad.zip"
        archive.write_bytes(functions.zip_of({"app.py": "", "a/../../evil": "x"}))
        for words in (("deploy", archive, "--name", "bad", "--runtime", PYTHON, "--handler", "app.handler"),
                      ("layer", "publish", "bad", archive)):
            done = self.service.ogni(*map(str, words), check=False)
            self.assertNotEqual(done.returncode, 0)
            self.assertIn('entry a/../../evil: the name has "..")', done.stderr)

    def test_a_runtime_as_a_layer_serves_two_folders(self):
        runtime = self.write("runtime", {"bootstrap": functions.example("hello-bash").joinpath("bootstrap").read_text()})
        os.chmod(Path(runtime) / "bootstrap", 0o755)
        arn = self.service.ogni("layer", "publish", "bash", runtime).stdout.strip()
        self.assertRegex(arn, r"^arn:aws:lambda:us-east-1:000000000000:layer:bash:\d+$")
        for name in ("one", "two"):
            place = self.write(name, {"hello.sh": f"handler() {{ echo '\"{name}\"'; }}\n"})
            self.service.ogni("deploy", place, "--layer", arn, "--handler", "hello.handler")
            self.assertEqual(self.service.ogni("invoke", name).stdout.strip(), f'"{name}"')

    def test_list_and_delete(self):
        place = self.write("listed", {"hello.sh": "handler() { echo 1; }\n"})
        self.service.ogni("deploy", place)
        self.assertIn("listed", self.service.ogni("list").stdout)
        names = [f["FunctionName"] for f in json.loads(self.service.ogni("list", "--output", "json").stdout)["Functions"]]
        self.assertIn("listed", names)
        refused = self.service.ogni("delete", "listed", check=False)  # no terminal to ask at, and no --yes
        self.assertNotEqual(refused.returncode, 0)
        self.service.ogni("delete", "listed", "--yes")
        self.assertNotIn("listed", self.service.ogni("list").stdout)
        self.assertEqual(self.service.ogni("delete", "listed", "--yes", check=False).returncode, 4)

    def test_exit_codes_tell_scripts_what_happened(self):
        place = self.write("fails", {"hello.sh": "handler() { exit 3; }\n"})
        self.service.ogni("deploy", place)
        failed = self.service.ogni("invoke", "fails", check=False)
        self.assertEqual(failed.returncode, 1)
        self.assertIn("Runtime.ExitError", failed.stderr)
        self.assertEqual(self.service.ogni("invoke", "nobody", check=False).returncode, 4)
        self.assertEqual(self.service.ogni("invoke", check=False).returncode, 2)
        gone = subprocess.run([str(OGNI), "list", "--endpoint-url", "http://127.0.0.1:1"], capture_output=True,
                              text=True, timeout=30)
        self.assertEqual(gone.returncode, 3)
        self.assertIn("ogni serve", gone.stderr)

    def test_payload_comes_from_a_file_or_standard_input(self):
        place = self.write("echo", {"hello.sh": "handler() { echo \"$1\"; }\n", "event.json": '{"from":"file"}'})
        self.service.ogni("deploy", place)
        self.assertEqual(json.loads(self.service.ogni("invoke", "echo", "-p", f"@{place}/event.json").stdout),
                         {"from": "file"})
        self.assertEqual(json.loads(self.service.ogni("invoke", "echo", "-p", "-", stdin="[1]").stdout), [1])
        told = json.loads(self.service.ogni("invoke", "echo", "--log", "--output", "json").stdout)
        self.assertIn("Payload", told)

    def test_bench_measures_cold_and_warm(self):
        place = self.write("measured", {"hello.sh": "handler() { echo \"$1\"; }\n"})
        self.service.ogni("deploy", place, "--description", "kept")
        report = json.loads(self.service.ogni("bench", "measured", "--cold", "2", "--warm", "3", "--output",
                                              "json").stdout)
        self.assertRegex(report["processor_time"], r"^(by weight \(cpu\.(weight|shares)\)|not shared out by memory \(nice\))")
        times = report["functions"][0]
        self.assertEqual(times["name"], "measured")
        for figure in ("cold_p50_ms", "warm_p50_ms"):  # which is larger is the machine's business: benchmarks tell
            self.assertGreater(times[figure], 0)
        self.assertEqual(self.client.get_function_configuration(FunctionName="measured")["Description"], "kept")


class Aws(Commands):
    def test_aws_cli_deploys_calls_changes_lists_and_deletes(self):
        zipped = self.folder / "function.zip"
        zipped.write_bytes(functions.hello_bash())
        out = self.folder / "out.json"
        created = self.service.aws("create-function", "--function-name", "cli", "--runtime", "provided.al2023",
                                   "--handler", "hello.handler", "--role", "arn:aws:iam::000000000000:role/any",
                                   "--zip-file", f"fileb://{zipped}", "--environment", "Variables={ONE=1,TWO=2}")
        self.assertEqual((created["State"], created["Environment"]), ("Pending", {"Variables": {"ONE": "1", "TWO": "2"}}))
        self.service.aws("wait", "function-active-v2", "--function-name", "cli")
        told = self.service.aws("invoke", "--function-name", "cli", "--payload", '{"name":"CLI"}', "--log-type",
                                "Tail", str(out))
        self.assertEqual((told["StatusCode"], told["ExecutedVersion"]), (200, "$LATEST"))
        self.assertIn("LogResult", told)
        self.assertEqual(json.loads(out.read_text()), {"message": "Hello, CLI!"})

        self.service.aws("update-function-configuration", "--function-name", "cli", "--timeout", "10")
        self.service.aws("wait", "function-updated", "--function-name", "cli")
        self.assertEqual(self.service.aws("get-function", "--function-name", "cli")["Configuration"]["Timeout"], 10)
        listed = self.service.aws("list-functions", "--query", "Functions[].FunctionName")
        self.assertEqual(listed, ["cli"])
        layer = self.service.aws("publish-layer-version", "--layer-name", "cli", "--zip-file", f"fileb://{zipped}")
        self.assertEqual(layer["Version"], 1)
        self.service.aws("delete-function", "--function-name", "cli")
        failed = self.service.aws("get-function", "--function-name", "cli", check=False)
        self.assertEqual(failed.returncode, 254)
        self.assertIn("ResourceNotFoundException", failed.stderr)


class WithoutService(unittest.TestCase):
    def run_ogni(self, *words, **more):
        return subprocess.run([str(OGNI), *words], capture_output=True, text=True, timeout=60,
                              stdin=subprocess.DEVNULL, **more)

    def test_every_command_explains_itself_with_an_example(self):
        overview = self.run_ogni("--help")
        self.assertEqual(overview.returncode, 0)
        commands = ["serve", "deploy", "invoke", "logs", "list", "delete", "doctor", "layer", "bench"]
        for command in commands:
            self.assertRegex(overview.stdout, rf"(?m)^\s+{command}\b")
            help_text = self.run_ogni(command, "--help")
            self.assertEqual(help_text.returncode, 0)
            self.assertRegex(help_text.stdout, r"Examples?:")

    def test_doctor_says_what_this_host_can_do_and_why_not_more(self):
        said = self.run_ogni("doctor")
        self.assertIn(said.returncode, (0, 1))
        for strength in ("process", "namespace"):
            self.assertIn(strength, said.stdout)
        self.assertTrue(json.loads(self.run_ogni("doctor", "--output", "json").stdout))

    def test_version_is_told(self):
        self.assertTrue(re.search(r"\d+\.\d+\.\d+", self.run_ogni("--version").stdout))
