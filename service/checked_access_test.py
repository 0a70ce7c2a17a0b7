"""JSON that came from outside is read by the checked helpers of service/api/members.h only."""

import re
import unittest
from pathlib import Path

SERVICE = Path(__file__).resolve().parent
# get_object() and its like end the process for a value of another kind; as_object() and its like throw.
UNCHECKED = re.compile(r"[.>](?:get|as)_(?:object|array|string|bool|int64|uint64|double)\(\)")
# at() throws for a name that is not there, front() and back() of an empty list are undefined.
BY_NAME = re.compile(r"[.>]at\(\"")


class CheckedAccess(unittest.TestCase):
    def test_no_source_of_the_service_reads_json_unchecked(self):
        sources = [path for path in sorted(SERVICE.rglob("*")) if path.suffix in (".cpp", ".h")
                   and not path.name.endswith("_test.cpp") and path.name != "testing.h"]
        self.assertGreater(len(sources), 80)
        found = []
        for path in sources:
            for number, line in enumerate(path.read_text().splitlines(), 1):
                code = line.split("//")[0]
                if UNCHECKED.search(code) or BY_NAME.search(code):
                    found.append(f"{path.relative_to(SERVICE)}:{number}: {line.strip()}")
        self.assertEqual(found, [])

    def test_it_knows_what_it_looks_for(self):
        for line in ("value.get_object()", "found->get_bool()", "(*value).as_string()", 'body->at("Code")'):
            self.assertTrue(UNCHECKED.search(line) or BY_NAME.search(line), line)
        for line in ("value.if_object()", "string_member(body, name)", "get_object(x)"):
            self.assertFalse(UNCHECKED.search(line) or BY_NAME.search(line), line)


if __name__ == "__main__":
    unittest.main()
