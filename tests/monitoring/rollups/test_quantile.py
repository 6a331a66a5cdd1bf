"""What is read out of the buckets of a histogram."""

from unittest import TestCase

import pytest

from monitoring.rollups import Selector
from monitoring.rollups.selecting import quantile

pytestmark = pytest.mark.embedded  # no store is asked


class Quantile(TestCase):
    """As Prometheus estimates it: linear inside a bucket, never beyond the last finite bound."""

    def test_in_the_middle_of_a_bucket(self):
        self.assertAlmostEqual(quantile([("0.1", 50), ("0.2", 50)], 0.75), 0.15)

    def test_bounds_may_come_in_any_order_and_twice(self):
        self.assertAlmostEqual(quantile([("10", 0), ("0.2", 25), ("0.1", 50), ("0.2", 25)], 0.75), 0.15)

    def test_empty_buckets_are_passed_over(self):
        self.assertAlmostEqual(quantile([("0.1", 0), ("0.5", 0), ("1.0", 10)], 0.5), 0.75)

    def test_what_lies_beyond_all_bounds_is_the_last_of_them(self):
        self.assertEqual(quantile([("0.1", 1), ("10.0", 0), ("+Inf", 9)], 0.95), 10.0)

    def test_empty_buckets_that_were_left_out_still_bound_their_neighbours(self):
        self.assertAlmostEqual(quantile([("1.0", 10)], 0.5, bounds=(0.1, 0.5, 1.0)), 0.75)

    def test_of_nothing_there_is_none(self):
        self.assertIsNone(quantile([("0.1", 0), ("+Inf", 0)], 0.95))


class Selecting(TestCase):
    """A selector names labels that must be there and labels that must not."""

    def test_labels(self):
        chosen = Selector("n", having=(("status_class", "5xx"),), without=(("route", "/slow"), ("route", "/slower")))
        self.assertTrue(chosen.matches((("route", "/"), ("status_class", "5xx"))))
        self.assertFalse(chosen.matches((("route", "/"), ("status_class", "2xx"))))
        self.assertFalse(chosen.matches((("route", "/slower"), ("status_class", "5xx"))))
