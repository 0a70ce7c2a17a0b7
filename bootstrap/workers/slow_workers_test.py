"""As workers_test.py, for the languages that take long to start."""

import unittest

from workers_test import cases

globals().update(cases(slow=True))

if __name__ == "__main__":
    unittest.main()
