"""The any-language bootstrap as a layer: made by scripts/layer, published, and a function that is just a script."""

import pathlib
import shutil
import subprocess
import tempfile
import unittest
import zipfile

import functions
from harness import BIN, SOURCE, ServiceTest


def make_layer(directory, name="layer.zip"):
    output = pathlib.Path(directory) / name
    subprocess.run([SOURCE / "scripts" / "layer", BIN / "bootstrap", output], check=True, timeout=60,
                   stdout=subprocess.DEVNULL)
    return output


class RuntimeLayer(ServiceTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.directory = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.directory.cleanup)
        cls.zip = make_layer(cls.directory.name)
        cls.layer = cls.client.publish_layer_version(
            LayerName="ogni-runtime", Content={"ZipFile": cls.zip.read_bytes()},
            CompatibleRuntimes=["provided.al2023"])["LayerVersionArn"]

    def deploy(self, name, files, handler, **variables):
        self.service.deploy(name, functions.zip_of(files), handler=handler, Layers=[self.layer],
                            Environment={"Variables": variables}, Timeout=30)

    def test_same_bytes_each_time_and_the_right_modes(self):
        self.assertEqual(self.zip.read_bytes(), make_layer(self.directory.name, "again.zip").read_bytes())
        with zipfile.ZipFile(self.zip) as archive:
            modes = {entry.filename: entry.external_attr >> 16 & 0o777 for entry in archive.infolist()}
        self.assertEqual(modes.pop("bootstrap"), 0o755)
        self.assertTrue(all(mode == 0o644 for mode in modes.values()), modes)

    def test_function_is_a_bash_script(self):
        self.deploy("script", {"hello.sh": 'handler() { echo "{\\"got\\": $1}"; echo a log line >&2; }\n'},
                    "hello.handler")
        answer = self.service.invoke("script", b'{"a":1}', tail=True)
        self.assertEqual(answer.json, {"got": {"a": 1}})
        self.assertIn("a log line", answer.log)

    def test_function_is_a_python_script(self):
        self.deploy("snake", {"app.py": "def handler(event, context):\n  return [event, context.aws_request_id != '']\n"},
                    "app.handler")
        self.assertEqual(self.service.invoke("snake", b"7").json, [7, True])

    def test_function_is_a_program(self):
        self.deploy("program", {"run": functions.program("#!/bin/sh\nexec cat\n")}, "run")
        event = b'{"text":"' + b"x" * (1 << 20) + b'"}'
        self.assertEqual(self.service.invoke("program", event).body, event)

    def test_function_is_a_web_server(self):
        server = ("import http.server, os\n"
                  "class Handler(http.server.BaseHTTPRequestHandler):\n"
                  "  def do_GET(self):\n"
                  "    self.send_response(200); self.send_header('content-length', '2'); self.end_headers()\n"
                  "    self.wfile.write(b'ok')\n"
                  "http.server.HTTPServer(('127.0.0.1', int(os.environ['PORT'])), Handler).serve_forever()\n")
        self.deploy("web", {"server.py": server}, "x", OGNI_HTTP_COMMAND="/usr/bin/python3 server.py")
        event = b'{"version":"2.0","rawPath":"/","requestContext":{"http":{"method":"GET"}}}'
        answer = self.service.invoke("web", event).json
        self.assertEqual((answer["statusCode"], answer["body"]), (200, "ok"))

    def test_web_server_that_does_not_listen_is_told_before_the_function_times_out(self):
        # A port that nobody else has, either: a process environment shares those of the host.
        self.deploy("deaf", {"x": "x"}, "x", OGNI_HTTP_COMMAND="/bin/sleep 1000", OGNI_HTTP_PORT="7")
        self.client.update_function_configuration(FunctionName="deaf", Timeout=3)
        self.service.wait_active("deaf")
        answer = self.service.invoke("deaf")
        self.assertEqual(answer.json["errorType"], "Runtime.ServerNotReady")
        self.assertIn("nothing listens on 127.0.0.1:7 after 2.5 s", answer.json["errorMessage"])

    @unittest.skipUnless(shutil.which("php-fpm8.2", path="/usr/sbin"), "php-fpm is not installed")
    def test_function_is_a_php_page(self):
        self.deploy("page", {"index.php": "<?php echo 'Hello, ', $_GET['name'];"}, "index.php")
        event = (b'{"version":"2.0","rawPath":"/","rawQueryString":"name=W%C3%B6rld",'
                 b'"requestContext":{"http":{"method":"GET"}}}')
        answer = self.service.invoke("page", event).json
        self.assertEqual((answer["statusCode"], answer["body"]), (200, "Hello, Wörld"))

    def test_wrong_choice_is_refused_and_named(self):
        self.deploy("wrong", {"readme": "nothing to run"}, "hello.handler")
        answer = self.service.invoke("wrong")
        self.assertRegex(answer.json["errorMessage"], r"there is no .*/hello\.py, .*\.sh")


class RuntimeLayerInProcesses(RuntimeLayer):
    flags = ("--isolation", "process")
