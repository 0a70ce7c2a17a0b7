"""The threat model names a test for every wall; a wall whose test is gone is a promise that nobody checks."""

import re
import unittest

from harness import SOURCE


class ThreatModel(unittest.TestCase):
    def test_every_named_test_exists_and_every_attack_is_named(self):
        text = (SOURCE / "docs" / "threat-model.md").read_text()
        named = set(re.findall(r"`(test_\w+)`", text))
        tests = {path.name: set(re.findall(r"def (test_\w+)\(", path.read_text()))
                 for path in (SOURCE / "tests" / "e2e").glob("*_test.py")}
        self.assertEqual(named - set().union(*tests.values()), set(), "named, but there is no such test")
        self.assertEqual(tests["attacks_test.py"] - named, set(), "an attack that the threat model does not name")
        self.assertGreater(len(named), 30)
