"""`account_unlock`: lifts a person's lock-out, says what it lifted, and leaves the mark of who did it."""

from datetime import timedelta

from django.core.management import CommandError
from django.test import override_settings
from django.utils import timezone

from accounts.management.commands.account_recover import operator_name
from security.audit import disclosed_values
from tests.accounts.twofactor.authenticator import DISABLE, SecondFactorMixin, wrong_code
from tests.base import ApiTestCase
from tests.commands import output_of
from tests.factories import asha, bilal

OFFICE = "127.0.0.1"  # where the client of the tests sits


class UnlockCase(ApiTestCase):
    def setUp(self):
        super().setUp()
        self.clock = self.stop_the_clock()
        self.person = asha(email="asha@lotus.example.in")

    def guess(self, times: int, email: str = "") -> None:
        for _ in range(times):
            self.post("/api/auth/login", {"email": email or self.person.email, "password": "wrong"})

    def unlock(self, *arguments: str) -> str:
        return output_of("account_unlock", *arguments)

    def refused(self, *arguments: str) -> str:
        with self.assertRaises(CommandError) as error:
            self.unlock(*arguments)
        self.assertNotIn("\n", str(error.exception))
        return str(error.exception)

    def assertLocked(self, person) -> None:
        response = self.post("/api/auth/login", {"email": person.email, "password": "Monsoon-Ledger-47"})
        self.assertProblem(response, 429, "ACCOUNT_LOCKED")


class AccountUnlock(UnlockCase):
    """The right password is taken again at once."""

    def test_it_lifts_the_lock_and_says_so_in_one_line(self):
        self.guess(5)
        self.assertLocked(self.person)
        said = self.unlock(" ASHA@lotus.example.in ")
        self.assertEqual(said, "asha@lotus.example.in: lock-outs lifted: 1, counters emptied: 2\n")
        self.log_in(self.person)

    def test_it_forgets_failures_that_do_not_lock_yet(self):
        self.guess(4)
        self.assertIn("lock-outs lifted: 0, counters emptied: 2", self.unlock(self.person.email))
        self.guess(4)
        self.log_in(self.person)

    def test_the_mark_names_the_operator_and_the_person(self):
        self.guess(5)
        self.unlock(self.person.email)
        self.assertAudited("account.unlocked", target=self.person)
        event = self.audited("account.unlocked")[0]
        self.assertEqual((event.actor, event.company), (None, self.person.company.subject_id))
        self.assertEqual(event.parsed_leaf().data, {"operator": operator_name(), "counters": 2, "locks": 1})
        self.assertNotIn(b"asha", bytes(event.leaf))

    def test_the_reason_is_kept_sealed(self):
        self.guess(5)
        self.unlock(self.person.email, "--reason", "OPS-12, asked by phone")
        event = self.audited("account.unlocked")[0]
        self.assertEqual(disclosed_values(event=event)["reason"], "OPS-12, asked by phone")
        self.assertNotIn(b"OPS-12", bytes(event.leaf))

    def test_the_neighbour_stays_locked(self):
        neighbour = bilal(company=self.person.company)
        self.guess(5)
        self.guess(5, neighbour.email)
        self.unlock(self.person.email, "--address", OFFICE)
        self.assertLocked(neighbour)

    @override_settings(LOCKOUT_ADDRESS_LIMIT=6)
    def test_an_office_that_is_locked_is_freed_by_its_address(self):
        for number in range(6):
            self.guess(1, f"person{number}@example.in")
        self.assertLocked(self.person)
        self.assertIn("give it with --address", self.refused(self.person.email))
        said = self.unlock(self.person.email, "--address", OFFICE)
        self.assertIn("and 127.0.0.1: lock-outs lifted: 1, counters emptied: 1", said)
        self.log_in(self.person)

    def test_the_address_stands_in_the_mark_as_a_commitment_only(self):
        self.guess(5)
        self.unlock(self.person.email, "--address", OFFICE)
        event = self.audited("account.unlocked")[0]
        self.assertNotIn(OFFICE.encode(), bytes(event.leaf))
        self.assertEqual(disclosed_values(event=event), {"unlocked_address": OFFICE})

    def test_a_dry_run_changes_nothing_and_leaves_no_mark(self):
        self.guess(5)
        self.assertEqual(
            self.unlock(self.person.email, "--dry-run"),
            "dry run, nothing was changed; asha@lotus.example.in: "
            "lock-outs that would be lifted: 1, counters that would be emptied: 2\n",
        )
        self.assertLocked(self.person)
        self.assertAudited("account.unlocked", times=0)

    def test_where_nothing_stands_it_says_what_to_look_at_next(self):
        self.assertIn("no failed sign-ins stand against asha@lotus.example.in", self.refused(self.person.email))
        self.assertIn("look for the requestId", self.refused(self.person.email, "--address", OFFICE))

    def test_run_again_it_finds_nothing(self):
        self.guess(5)
        self.unlock(self.person.email)
        self.refused(self.person.email)
        self.log_in(self.person)

    def test_an_unknown_person_is_told_as_such(self):
        self.guess(5, "nobody@example.in")
        self.assertIn("nobody has the address nobody@example.in", self.refused("nobody@example.in"))
        self.assertAudited("account.unlocked", times=0)

    def test_an_address_that_is_none_is_told_as_such(self):
        self.guess(5)
        self.assertIn("10.0.0 is no IP address", self.refused(self.person.email, "--address", "10.0.0"))
        self.assertLocked(self.person)


class WrongCodes(SecondFactorMixin, UnlockCase):
    """They are no failed sign-ins: nothing lifts their lock, and the operator is told so."""

    def setUp(self):
        super().setUp()
        enrolled = self.enrol(self.person)
        for _ in range(10):
            self.post(DISABLE, {"token": wrong_code(enrolled.secret)}, token=enrolled.access)
        self.ends = timezone.now() + timedelta(hours=1)
        self.clock.advance(seconds=60)

    def test_where_nothing_else_stands_it_says_until_when(self):
        expected = f"until {self.ends:%H:%M} UTC, which nothing lifts"
        self.assertIn(expected, self.refused(self.person.email))
        self.assertIn(expected, self.refused(self.person.email, "--address", OFFICE))

    def test_beside_a_lock_that_is_lifted_too(self):
        self.guess(5)
        said = self.unlock(self.person.email)
        self.assertIn("lock-outs lifted: 1, counters emptied: 2; wrong codes lock the second factor until", said)
        self.assertEqual(said.count("\n"), 1)

    def test_once_they_are_over_it_is_not_said(self):
        self.clock.advance(seconds=3600)
        self.assertIn("give it with --address", self.refused(self.person.email))
