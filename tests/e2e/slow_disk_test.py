"""A disk that hangs while a function's log is written: only who reads a log waits for it."""

import os
import threading
import unittest

import functions
from harness import Service


class HangingDisk(unittest.TestCase):
    def test_nobody_waits_for_a_disk_that_hangs_but_who_reads_a_log(self):
        service = Service("--isolation", "process")
        self.addCleanup(service.close)
        service.start()
        for name in ("hangs", "other"):
            service.deploy(name, functions.bash_handler("echo a line >&2; echo '{}'"))
        # To open a pipe that nobody reads waits until somebody does.
        pipe = service.data / "logs" / "hangs.log"
        os.mkfifo(pipe, 0o600)
        owner = os.stat(pipe.parent)
        os.chown(pipe, owner.st_uid, owner.st_gid)
        read = []
        reader = threading.Thread(target=lambda: read.append(
            service.http("GET", "/_ogni/functions/other/logs?tail=1000")))
        opened = None
        try:
            self.assertEqual(service.invoke("hangs").json, {})
            service.aws("list-functions")  # takes longer than lines are collected for
            for name in ("hangs", "other", "hangs", "other"):
                self.assertEqual(service.invoke(name).json, {})
            self.assertEqual(service.http("GET", "/healthz")[0], 200)
            reader.start()
            self.assertEqual(service.invoke("other").json, {})
            self.assertEqual(read, [])
        finally:
            opened = os.open(pipe, os.O_RDWR)  # and it goes on
            self.addCleanup(os.close, opened)
        reader.join()
        self.assertEqual(service.stop(), 0)
        [(status, _, text)] = read
        self.assertEqual(status, 200)
        self.assertIn(text.count(b"\ta line\n"), (2, 3), "the last call may have come before the reader or after")
        self.assertEqual(os.read(opened, 1 << 16).count(b"\ta line\n"), 3)


if __name__ == "__main__":
    unittest.main()
