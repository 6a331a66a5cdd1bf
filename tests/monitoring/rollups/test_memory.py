"""How much of the memory that there is the servers take; no store, no clock."""

import tempfile
from pathlib import Path
from unittest import TestCase
from unittest.mock import patch

import psutil
import pytest

from monitoring.rollups.counting import memory_used_ratio

pytestmark = pytest.mark.embedded  # no store is asked


class WhatThereIs(TestCase):
    """What the container may take, where that is less than the machine has."""

    def ratio(self, limit, workers=1):
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "memory.max"
            if limit is not None:
                file.write_text(f"{limit}\n")
            with patch("monitoring.rollups.counting._CONTAINER_LIMIT", file):
                return memory_used_ratio(workers=workers)

    def test_the_lower_of_both_counts(self):
        machine = psutil.virtual_memory().total
        bare = self.ratio(None)
        for limit, times in (("max", 1), (2 * machine, 1), (machine // 4, 4)):
            with self.subTest(limit):
                self.assertAlmostEqual(self.ratio(limit) / bare, times, delta=0.1)
        self.assertAlmostEqual(self.ratio(None, workers=3) / bare, 3, delta=0.1)
