"""The arithmetic behind the figures. What the figures are, `make bench` says; no test here takes a time."""

import json
import os
from itertools import count
from unittest import TestCase

import pytest

from tests.performance.cpu import parse_stat, read_tree, resident_mb, total, tree_of, used_by_children
from tests.performance.figures import (
    Round,
    Slice,
    is_balanced,
    line,
    percentile,
    pooled_postgres_ratio,
    spread,
)
from tests.performance.load import get, join_chunks, post, split_answer
from tests.performance.probe import Elapsed, Timed

pytestmark = pytest.mark.embedded


def a_slice(*, requests: int = 1000, cpu: tuple[float, ...] = (0.5, 0.5), postgres: float = 0.1) -> Slice:
    return Slice(requests=requests, seconds=2.0, worker_cpu=cpu, postgres_cpu=postgres, p50=1.0, p99=2.0)


class Percentiles(TestCase):
    """The value at a point is one that was measured, and at least that share of all lies at or below it."""

    def test_p99_of_a_hundred_is_the_ninety_ninth(self):
        self.assertEqual(percentile(range(1, 101), 0.99), 99)

    def test_p99_of_a_few_is_the_greatest(self):
        self.assertEqual(percentile([3, 1, 2], 0.99), 3)

    def test_order_does_not_matter(self):
        self.assertEqual(percentile([5, 1, 4, 2, 3], 0.5), 3)

    def test_of_nothing_there_is_none(self):
        with self.assertRaises(ValueError):
            percentile([], 0.5)

    def test_spread_names_median_least_and_greatest(self):
        self.assertEqual(spread([3.0, 1.004, 2.0]), {"median": 2.0, "min": 1.0, "max": 3.0})


class Balance(TestCase):
    """A slice counts only where no worker used more than 72 % of the CPU of all."""

    def test_even_workers_count(self):
        self.assertTrue(is_balanced([1.0, 1.1]))

    def test_the_edge_counts_and_beyond_it_not(self):
        self.assertTrue(is_balanced([0.72, 0.28]))
        self.assertFalse(is_balanced([0.73, 0.27]))

    def test_no_cpu_at_all_does_not_count(self):
        self.assertFalse(is_balanced([0.0, 0.0]))

    def test_a_round_counts_only_if_both_servers_were_even(self):
        even, uneven = a_slice(), a_slice(cpu=(0.9, 0.1))
        self.assertTrue(Round(even, even).counts)
        self.assertFalse(Round(even, uneven).counts)
        self.assertFalse(Round(uneven, even).counts)


class Ratios(TestCase):
    """A ratio is the product's number over the peer's, each a request."""

    def test_cpu_is_per_request(self):
        measured = Round(a_slice(requests=2000), a_slice(requests=1000))
        self.assertEqual(measured.product.cpu_us, 500)
        self.assertEqual(measured.ratio("cpu_us"), 0.5)
        self.assertEqual(measured.ratio("rate"), 2.0)
        self.assertEqual(measured.ratio("postgres_us"), 0.5)

    def test_postgres_is_compared_over_all_rounds_together(self):
        """A slice whose processes did not reach their next 10 ms would otherwise be a ratio of nothing."""
        rounds = [
            Round(a_slice(postgres=0.0), a_slice(postgres=0.2)),
            Round(a_slice(postgres=0.2), a_slice(postgres=0.2)),
        ]
        self.assertEqual(pooled_postgres_ratio(rounds), 0.5)


class Lines(TestCase):
    """One JSON line a figure, with its bar and whether it was met."""

    def test_at_most_holds_at_the_bar(self):
        self.assertIs(json.loads(line("x", 0.6, judged=0.6, at_most=0.6, rounds=5))["pass"], True)
        self.assertIs(json.loads(line("x", 0.61, judged=0.61, at_most=0.6, rounds=5))["pass"], False)

    def test_at_least_holds_at_the_bar(self):
        self.assertIs(json.loads(line("x", 1.5, judged=1.5, at_least=1.5, rounds=5))["pass"], True)
        self.assertIs(json.loads(line("x", 1.4, judged=1.4, at_least=1.5, rounds=5))["pass"], False)

    def test_without_a_bar_nothing_is_judged(self):
        stated = json.loads(line("x", {"p50": 1}, rounds=5, dropped=2))
        self.assertIsNone(stated["pass"])
        self.assertEqual((stated["rounds"], stated["dropped"]), (5, 2))


class ProcessTimes(TestCase):
    """CPU of a tree is read from /proc, whatever a process calls itself."""

    def test_a_name_may_hold_spaces_and_parentheses(self):
        text = "42 (a (b) c) S 7 42 42 0 -1 4194304 10 0 0 0 150 50 30 20 20 0 8 0 100 1 2"
        stat = parse_stat(text)
        ticks = os.sysconf("SC_CLK_TCK")
        self.assertEqual((stat.parent, stat.own, stat.reaped), (7, 200 / ticks, 50 / ticks))

    def test_a_tree_holds_grandchildren_and_no_strangers(self):
        self.assertEqual(sorted(tree_of(1, {2: 1, 3: 2, 4: 9, 9: 0})), [1, 2, 3])

    def test_this_process_is_the_root_of_its_tree(self):
        before = read_tree(os.getpid())
        self.assertEqual(next(iter(before)), os.getpid())
        self.assertGreater(total(before), 0)
        self.assertNotIn(-1, used_by_children(before, read_tree(os.getpid()), root=os.getpid()))

    def test_this_process_weighs_something(self):
        self.assertGreater(resident_mb(os.getpid()), 5)


class Answers(TestCase):
    """The load generator waits for whole answers, counted by length or by chunks."""

    SIZED = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-A: b\r\n\r\nhello"
    CHUNKED = b"HTTP/1.1 503 x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n1\r\n!\r\n0\r\n\r\n"

    def test_a_sized_answer_is_read_at_its_last_byte(self):
        for length in range(len(self.SIZED)):
            self.assertIsNone(split_answer(self.SIZED[:length]))
        status, head, body = split_answer(self.SIZED)
        self.assertEqual((status, body), (200, b"hello"))
        self.assertIn(b"\r\nx-a: b\r\n", head)

    def test_a_chunked_answer_is_joined_at_its_last_byte(self):
        for length in range(len(self.CHUNKED)):
            self.assertIsNone(split_answer(self.CHUNKED[:length]), length)
        status, _, body = split_answer(self.CHUNKED)
        self.assertEqual((status, body), (503, b"hello!"))

    def test_an_empty_chunked_body_is_whole(self):
        self.assertEqual(join_chunks(b"0\r\n\r\n", 0), b"")

    def test_an_answer_without_length_is_refused(self):
        with self.assertRaises(ValueError):
            split_answer(b"HTTP/1.1 200 OK\r\nX-A: b\r\n\r\nhello")

    def test_requests_are_whole_messages(self):
        self.assertTrue(get("/x", token="t").endswith(b"Authorization: Bearer t\r\n\r\n"))
        self.assertIn(b"Content-Length: 10\r\n\r\n" + b'{"a": "b"}', post("/x", {"a": "b"}))


class Probes(TestCase):
    """A probe tells what was spent inside it, and what lies between two is a layer's own."""

    def test_the_innermost_stands_first_and_each_holds_what_is_inside_it(self):
        class Ticking(Elapsed):
            clock = staticmethod(count().__next__)
            spent = []

        outer = Ticking(Ticking(lambda request: f"answer to {request}"))
        # Built from the inside, as Django does; each look at the clock is one tick.
        self.assertEqual(outer("a request"), "answer to a request")
        self.assertEqual(Ticking.spent, [1, 3])

    def test_what_was_taken_is_not_taken_again(self):
        timed = Timed(len, count().__next__)
        self.assertEqual([timed("abc"), timed("ab")], [3, 2])
        self.assertEqual((timed.take(), timed.take()), (2, 0))
