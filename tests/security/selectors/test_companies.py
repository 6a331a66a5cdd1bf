"""What no selector mixes up or keeps too much of: companies, and room."""

import unittest
from unittest.mock import patch
from uuid import uuid4

from hypothesis import given
from hypothesis import strategies as st

from security.selectors import CompanySelector
from security.selectors.local import MOST_KEPT, Local
from tests.security.selectors.asked import a_name, another_process, anything, committed


class Companies(unittest.TestCase):
    """A company's data never crosses to another, in whatever order they read, write, and processes start."""

    STEPS = st.lists(st.tuples(st.sampled_from(["read", "write", "process"]), st.integers(0, 1)), max_size=40)

    @given(STEPS)
    def test_each_reads_its_own(self, steps):
        companies = [uuid4(), uuid4()]
        rows = {company: f"of {company}, 0" for company in companies}
        selector = CompanySelector(a_name(), seconds=60, load=rows.__getitem__, is_answer=anything, models={})
        with committed(), patch("security.selectors.selector.transaction.on_commit", lambda drop, **_: drop()):
            for number, (step, which) in enumerate(steps):
                company = companies[which]
                if step == "write":
                    rows[company] = f"of {company}, {number}"
                    selector.changed(company)
                elif step == "process":
                    another_process()
                self.assertEqual(selector.read(company), rows[company])

    def test_it_cannot_be_asked_for_nobodys(self):
        selector = CompanySelector(a_name(), seconds=60, load=str, is_answer=anything, models={})
        with self.assertRaises(TypeError):
            selector.read()
        with self.assertRaises(AttributeError):
            selector.read(None)


class Room(unittest.TestCase):
    """A process keeps a thousand answers, those that were asked for last."""

    def test_the_longest_unused_goes(self):
        kept = Local()
        for number in range(MOST_KEPT):
            _, flight, _ = kept.take(str(number))
            kept.keep(str(number), flight, "1")
            kept.land(str(number), flight)
        kept.take("0")
        _, flight, _ = kept.take("new")
        kept.keep("new", flight, "1")
        kept.land("new", flight)
        self.assertEqual([kept.take(key)[0] for key in ("0", "new", "1")], ["1", "1", None])
