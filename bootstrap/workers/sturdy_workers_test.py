"""What handlers say or leave that would cost the worker, its log or the next invocation, were it taken as it comes."""

import json
import os
import shutil
import unittest

import outlasting_test


class Node(outlasting_test.Case):
    language = "node"

    def test_an_error_after_the_answer_is_logged(self):
        own = self.start("""
            let count = 0;
            exports.handler = async (event) => {
              if (event === 'reject') setImmediate(() => Promise.reject(new Error('rejected late')));
              if (event === 'throw') setImmediate(() => { throw new Error('thrown late'); });
              return ++count;
            };""")
        for event, words in (("reject", "rejected late"), ("throw", "thrown late")):
            with self.subTest(event):
                own.text(event)
                self.assertIn(words, own.log_with(words))
        self.assertEqual(own.text("next"), "3")

    def test_the_exit_code_that_a_handler_sets_ends_nothing(self):
        own = self.start("let count = 0; exports.handler = async () => { process.exitCode = 1; return ++count; };")
        self.assertEqual([own.text("x") for _ in range(3)], ["1", "2", "3"])


class Bash(outlasting_test.Case):
    language = "bash"

    def test_a_time_limit_for_input_is_not_the_workers(self):
        own = self.start("readonly TMOUT=0.000001\nhandler() { echo $((++count)); }")
        for count in range(1, 20):
            self.assertEqual(own.text("x"), f"{count}\n", own.log())


if __name__ == "__main__":
    unittest.main()
