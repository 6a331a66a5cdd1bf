"""The parser of bodies, where the door cannot show what it costs."""

import json
import tracemalloc
from unittest import TestCase

import pytest

from security.errors.parsers import parse_object

pytestmark = pytest.mark.embedded  # no store is asked
LIMITS = {"max_depth": 16, "max_members": 1000}


class Memory(TestCase):
    """A body of a megabyte never becomes many: paths of members are told, and kept, only so far."""

    def test_a_long_name_above_many_members(self):
        body = json.dumps({"a" * 900_000: [0] * 998}).encode()
        tracemalloc.start()
        self.addCleanup(tracemalloc.stop)
        self.assertEqual(len(parse_object(body, **LIMITS)), 1)
        self.assertLess(tracemalloc.get_traced_memory()[1], 10 * len(body))
