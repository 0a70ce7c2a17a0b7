"""The examples in a dozen small languages, through scripts/languages, as `make languages` runs all of them."""

import json
import subprocess
import tempfile
import tomllib
import unittest
from pathlib import Path

from harness import BIN, SOURCE, can_isolate

SCRIPT = SOURCE / "scripts" / "languages"
SECONDS = 120
FOLDERS = ("assembly", "awk", "bash", "basic", "dash", "javascript", "jq", "lua", "make", "perl", "php", "python", "rexx",
           "ruby", "sql", "tcl")


def run(*words):
    return subprocess.run(["/usr/bin/python3", SCRIPT, "--bin", BIN, "--calls", "0", *words],
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=SECONDS)


class Languages(unittest.TestCase):
    def test_each_does_what_every_example_must(self):
        strength = "process" if can_isolate() else "namespace"
        with tempfile.TemporaryDirectory() as directory:
            report = Path(directory) / "report.json"
            done = run("--only", ",".join(FOLDERS), "--isolation", strength, "--report", report)
            self.assertIn(done.returncode, (0, 1), done.stdout + done.stderr)
            results = {r["folder"]: r for r in json.loads(report.read_text())}
        self.assertEqual(sorted(results), sorted(FOLDERS))
        for folder, result in results.items():
            with self.subTest(folder):
                self.assertIn(result["outcome"], ("works", "not run"), result.get("reason"))
                self.assertTrue(result["outcome"] == "not run" or len(result["passed"]) == 6, result)
        not_run = [f"{f}: {r['reason']}" for f, r in results.items() if r["outcome"] == "not run"]
        self.assertLess(len(not_run), len(FOLDERS), not_run)

    def test_a_language_that_is_not_here_is_not_run(self):
        folder = Path(tempfile.mkdtemp())
        self.addCleanup(subprocess.run, ["rm", "-rf", str(folder)])
        tree = folder / "tree"
        (tree / "scripts").mkdir(parents=True)
        (tree / "scripts" / "languages").write_bytes(SCRIPT.read_bytes())
        absent = tree / "examples" / "absent"
        absent.mkdir(parents=True)
        (absent / "example.toml").write_text('language = "None"\npackages = ["none"]\nneeds = ["no-such-compiler"]\n'
                                             'way = "exec"\nhandler = "hello"\nfiles = ["hello"]\nstate = "fresh"\n')
        broken = tree / "examples" / "broken"
        broken.mkdir()
        (broken / "hello").write_text("#!/bin/sh\necho '{\"message\":\"Goodbye\"}'\n")
        (broken / "hello").chmod(0o755)
        (broken / "example.toml").write_text('language = "Wrong"\npackages = ["bash"]\nway = "exec"\nhandler = "hello"\n'
                                             'files = ["hello"]\nstate = "fresh"\n')
        page = folder / "page.md"
        page.write_text("before\n<!-- table: written by make languages -->\n<!-- end of table -->\nafter\n")
        strength = "process" if can_isolate() else "namespace"
        done = subprocess.run(["/usr/bin/python3", tree / "scripts" / "languages", "--bin", BIN, "--cold", "1", "--calls",
                               "1", "--isolation", strength, "--table", page],
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=SECONDS)
        self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
        self.assertIn("0 work, 1 failed, 1 not run", done.stdout)
        text = page.read_text()
        self.assertIn("Not run on that machine: None (no-such-compiler not found (Debian: none)).", text)
        self.assertIn('Failed: Wrong ({"name":"World"}: {"message":"Goodbye"} instead of', text)
        self.assertTrue(text.startswith("before\n") and text.endswith("after\n"), text)

    def test_each_example_is_explained_and_its_packages_are_known(self):
        known = {line.split()[1] for line in (SOURCE / "scripts" / "packages").read_text().splitlines()
                 if line.startswith(("build ", "test ", "language "))}
        manifests = sorted((SOURCE / "examples").glob("*/example.toml"))
        self.assertGreater(len(manifests), 40)
        for manifest in manifests:
            with self.subTest(manifest.parent.name):
                self.assertTrue((manifest.parent / "README.md").read_text().startswith("# "))
                self.assertEqual(json.loads((manifest.parent / "event.json").read_text()), {"name": "World"})
                packages = tomllib.loads(manifest.read_text()).get("packages", [])
                self.assertEqual([name for name in packages if name not in known], [])

    def test_an_unknown_folder_is_refused_with_those_that_there_are(self):
        done = run("--only", "klingon")
        self.assertEqual(done.returncode, 2)
        self.assertIn("no examples/klingon/example.toml; there are: ", done.stderr)
        self.assertIn("python", done.stderr)
