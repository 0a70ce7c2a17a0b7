"""The worker that docs/worker-protocol.md shows does what it says."""

import json
import re
import tempfile
import unittest
from pathlib import Path

from workers_test import LANGUAGES, SOURCE, Bootstrap


class TheWorkerOfTheDocument(unittest.TestCase):
    def test_it_serves(self):
        document = (SOURCE / "docs" / "worker-protocol.md").read_text()
        source = re.search(r"```bash\n(#!.*?)```", document, re.S).group(1)
        bash = next(each for each in LANGUAGES if each.name == "bash")
        handler = '''
            handler() {
              case $1 in
                *fail*) return 1 ;;
                *trace*) echo "$_X_AMZN_TRACE_ID" ;;
                *) printf %s "$1" ;;
              esac
            }'''
        with tempfile.NamedTemporaryFile("w", suffix="-worker", delete=False) as worker:
            self.addCleanup(Path(worker.name).unlink)
            worker.write(source)
            Path(worker.name).chmod(0o755)
        with Bootstrap(bash, source=handler, variables={"OGNI_WORKER": worker.name}) as own:
            self.assertEqual(own.text("ä€"), '"ä€"')
            self.assertEqual(own.text("trace", {"Lambda-Runtime-Trace-Id": "Root=1"}), "Root=1")
            self.assertIn("failed", json.loads(own.invoke("fail").body)["errorMessage"])
            self.assertIn("NUL", json.loads(own.invoke(b"a\0b").body)["errorMessage"])
            self.assertEqual(own.invoke(b"").body, b"")
            self.assertEqual(own.text("next"), '"next"')


if __name__ == "__main__":
    unittest.main()
