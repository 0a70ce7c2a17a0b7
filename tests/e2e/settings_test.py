"""Settings act, or somebody is told that they do not."""

import os
import subprocess
import unittest

import functions
from harness import OGNI, PYTHON, ServiceTest, can_isolate


class Settings(ServiceTest):
    def test_a_function_that_traces_samples(self):
        for mode, sampled in (("Active", "Sampled=1"), ("PassThrough", "Sampled=0")):
            name = "trace-" + mode
            self.service.deploy(name, functions.python_handler(
                "import os\ndef handler(e, c): return os.environ['_X_AMZN_TRACE_ID']\n"), runtime=PYTHON, handler="app.handler",
                TracingConfig={"Mode": mode})
            self.assertIn(sampled, self.service.invoke(name).json)
        status, headers, body = self.service.http("POST", "/2015-03-31/functions/trace-Active/invocations", b"{}",
                                                  {"X-Amzn-Trace-Id": "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=0"})
        self.assertEqual(status, 200)
        self.assertIn(b"Sampled=0", body, "what the caller has decided stands")

    def test_extensions_that_are_not_started_are_named_in_the_log(self):
        layer = self.client.publish_layer_version(LayerName="extensions", Content={"ZipFile": functions.zip_of({
            "extensions/monitor": functions.program("#!/bin/sh\n"), "extensions/readme.txt": "x", "other": "x"})})
        self.service.deploy("extended", functions.python_handler("def handler(e, c): return 1\n"), runtime=PYTHON,
                            handler="app.handler", Layers=[layer["LayerVersionArn"]])
        for _ in range(2):
            self.assertEqual(self.service.invoke("extended").json, 1)
        log = self.service.ogni("logs", "extended").stdout
        self.assertEqual(log.count("do not run: monitor\n"), 1, log)
        self.service.deploy("plain", functions.python_handler("def handler(e, c): return 1\n"), runtime=PYTHON,
                            handler="app.handler")
        self.service.invoke("plain")
        self.assertNotIn("extensions", self.service.ogni("logs", "plain").stdout)

    @unittest.skipUnless(os.path.exists("/usr/bin/node"), "no node")
    def test_a_runtime_on_another_version_says_so(self):
        major = subprocess.run(["/usr/bin/node", "--version"], capture_output=True, text=True, check=True, timeout=60)
        version = major.stdout.strip().lstrip("v")
        other = "nodejs24.x" if version.split(".")[0] != "24" else "nodejs22.x"
        folder = self.service.data / "my-code"
        folder.mkdir()
        (folder / "index.js").write_text("exports.handler = async () => 1;\n")
        done = self.service.ogni("deploy", str(folder), "--name", "versions", "--runtime", other, "--handler", "index.handler")
        self.assertIn(f"{other} runs on Node.js {version} here", done.stderr)
        self.service.invoke("versions")
        self.assertIn(f"ogni: {other} runs on Node.js {version}, ", self.service.ogni("logs", "versions").stdout)
        own = f"nodejs{version.split('.')[0]}.x"
        done = self.service.ogni("deploy", str(folder), "--name", "own", "--runtime", own, "--handler", "index.handler")
        self.assertNotIn("runs on", done.stdout + done.stderr)

    def test_root_file_systems_are_not_changed_beside_the_named_service(self):
        environment = {**os.environ, "OGNI_ENDPOINT": self.service.url, "XDG_DATA_HOME": str(self.service.data / "home")}
        environment.pop("OGNI_DATA", None)
        run = lambda *words: subprocess.run([str(OGNI), "rootfs", *words], capture_output=True, text=True, env=environment,
                                            timeout=60)
        for words in (("list",), ("remove", "x"), ("import", "x", "/etc")):
            done = run(*words)
            self.assertEqual(done.returncode, 2, done.stdout + done.stderr)
            self.assertIn(self.service.url, done.stderr)
            self.assertIn("--data", done.stderr)
        self.assertEqual(run("list", "--data", str(self.service.data)).returncode, 0)

    @unittest.skipIf(can_isolate(), "no namespaces")
    def test_provided_runtimes_have_no_place_for_an_interpreter(self):
        self.service.deploy("lang", functions.bash_handler("test -e /var/lang && echo 1 || echo 0"))
        self.assertEqual(self.service.invoke("lang").json, 0)


if __name__ == "__main__":
    unittest.main()
