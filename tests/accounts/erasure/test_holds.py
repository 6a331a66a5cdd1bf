"""Under a legal hold an erasure ends everything but the key, which goes on the day the last hold has ended."""

import json

from accounts.erasure import (
    Basis,
    ErasureRefused,
    LegalHold,
    Withheld,
    destroy_released_keys,
    erase,
    place_hold,
)
from accounts.identity.models import User
from koshflow.schedule import SCHEDULE
from security.audit import AuditEvent, AuditPii, disclosed_values
from security.audit.leaf import leaf_hash
from security.crypto import SubjectKey
from security.operator_account import operator_name
from tests.accounts.erasure.holding import TICKET, Holding
from tests.base import CommittingApiTestCase
from tests.factories import PASSWORD, bilal, chitra

OFFICE = "127.0.0.1"  # where the client of the tests sits


class Erased(Holding):
    """Who is erased under a hold is nobody to everybody, at once; only what is sealed waits."""

    def setUp(self):
        super().setUp()
        self.place("logs")
        self.said = self.erase("--confirm")

    def test_the_row_names_nobody_and_admits_nobody(self):
        row = User.objects.get(pk=self.person.pk)
        self.assertEqual((row.name, row.phone, row.is_active), ("Erased person", None, False))
        self.assertEqual(row.email, f"erased-{self.subject.hex}@erased.invalid")
        self.assertProblem(self.me(self.tokens["accessToken"]), 401, "USER_INVALID")
        answer = self.post("/api/auth/login", {"email": "bilal@lotus.example.in", "password": PASSWORD})
        self.assertProblem(answer, 401, "INVALID_CREDENTIALS")

    def test_the_address_is_free_for_another(self):
        self.log_in(bilal(company=self.admin.company, email="bilal@lotus.example.in"))

    def test_the_logs_values_still_open(self):
        event = AuditEvent.objects.filter(actor=self.subject, type="session.created").get()
        self.assertEqual(disclosed_values(event=event), {"address": OFFICE})
        self.assertIsNotNone(event.address_index)
        self.assertFalse(self.is_destroyed())

    def test_who_they_were_is_sealed_in_the_database_and_told_to_an_operator_who_leaves_a_mark(self):
        sealed = Withheld.objects.values_list("identity", flat=True).get().blob
        self.assertNotIn(b"bilal", sealed)
        told = json.loads(self.hold("disclose", self.subject))
        expected = {"name": "Bilal Khan", "email": "bilal@lotus.example.in", "phone": "+919876543210"}
        self.assertEqual(told, expected)
        self.assertAudited("subject.disclosed", target=self.person)
        event = self.audited("subject.disclosed")[0]
        self.assertEqual(event.company, self.admin.company.subject_id)
        data = event.parsed_leaf().data
        self.assertEqual(data, {"operator": operator_name(), "reason": TICKET, "fields": ["email", "name", "phone"]})

    def test_the_event_and_the_command_say_what_keeps_the_key(self):
        self.assertIn("key stays: terms of law until 2027-11-25", self.said)
        data = self.audited("subject.erased")[0].parsed_leaf().data
        self.assertEqual(data["kept_under"], [str(LegalHold.objects.get().pk)])
        self.assertNotIn("values_in_the_audit_log", data["rows"])

    def test_a_second_run_takes_away_what_came_back_and_keeps_the_key(self):
        User.objects.filter(pk=self.person.pk).update(name="Bilal Khan")
        said = self.erase("--confirm")
        self.assertIn("until 2027-11-25; goes, for it came back since: rows that told of them: 1", said)
        self.assertEqual(User.objects.get(pk=self.person.pk).name, "Erased person")
        self.assertFalse(self.is_destroyed())
        [_, again] = (event.parsed_leaf().data for event in self.audited("subject.erased"))
        self.assertLessEqual({"is_again", "kept_under"}, again.keys())  # or its values would count as gone

    def test_a_second_run_changes_nothing_and_says_so(self):
        said = self.erase("--confirm")
        self.assertIn("was erased on 2026-11-24; its key stays: terms of law until 2027-11-25", said)
        self.assertFalse(self.is_destroyed())
        self.assertAudited("subject.erased")

    def test_the_neighbour_is_not_held(self):
        other = chitra()
        self.erase("--confirm", who=other.email)
        self.assertTrue(self.is_destroyed(other.subject_id))


class TheEnd(Holding):
    """The key goes on the first day on which nothing keeps it, and not one earlier."""

    def test_a_term_of_one_year_is_counted_from_the_last_event(self):
        self.place("logs")
        self.clock.advance(seconds=10 * 86_400)
        self.log_in(self.person)
        self.clock.advance(seconds=5 * 86_400)
        self.erase("--confirm")
        self.assertEqual(Withheld.objects.get().until.isoformat(), "2027-12-05")  # 366 days after 4 December
        self.pass_days(361)
        self.assertFalse(self.is_destroyed())
        self.pass_days(1)
        self.assertTrue(self.is_destroyed())

    def test_with_the_key_everything_that_waited_goes_and_the_log_still_verifies(self):
        self.place("logs")
        self.erase("--confirm")
        self.pass_days(367)
        self.assertFalse(Withheld.objects.exists())
        self.assertFalse(AuditPii.objects.filter(subject=self.subject).exists())
        about = AuditEvent.objects.filter(actor=self.subject)
        self.assertFalse(about.filter(address_index__isnull=False).exists())
        for event in AuditEvent.objects.all():
            self.assertEqual(leaf_hash(bytes(event.leaf)), bytes(event.leaf_hash))
        self.assertAudited("subject.key_destroyed", target=self.person)
        event = self.audited("subject.key_destroyed")[0]
        self.assertEqual(event.company, self.admin.company.subject_id)
        self.assertEqual(event.parsed_leaf().data["operator"], "schedule")
        self.assertIn("nothing is kept sealed", self.refused("disclose", self.subject))

    def test_books_are_kept_for_eight_financial_years_whatever_ends_before(self):
        self.place("books")
        self.place("logs")
        self.erase("--confirm")
        self.pass_days(3288)
        self.assertFalse(self.is_destroyed())
        self.pass_days(1)
        self.assertTrue(self.is_destroyed())

    def test_a_dispute_keeps_it_until_somebody_lifts_it(self):
        dispute = self.place("dispute")
        self.erase("--confirm")
        self.pass_days(5000)
        self.assertFalse(self.is_destroyed())
        self.hold("lift", dispute.pk)
        self.pass_days(0)
        self.assertTrue(self.is_destroyed())

    def test_a_dispute_with_a_day_ends_after_it(self):
        self.place("dispute", "--until", "2026-12-01")
        self.erase("--confirm")
        self.pass_days(7)
        self.assertFalse(self.is_destroyed())
        self.pass_days(1)
        self.assertTrue(self.is_destroyed())

    def test_the_last_of_several_counts(self):
        self.place("dispute", "--until", "2029-01-01")
        self.place("logs")
        self.erase("--confirm")
        self.pass_days(400)
        self.assertFalse(self.is_destroyed())
        self.pass_days(400)
        self.assertTrue(self.is_destroyed())

    def test_who_is_erased_under_one_can_be_held_further(self):
        self.place("dispute", "--until", "2026-12-01")
        self.erase("--confirm")
        self.place("logs")
        self.pass_days(300)
        self.assertFalse(self.is_destroyed())
        self.pass_days(70)
        self.assertTrue(self.is_destroyed())

    def test_erasing_again_after_the_end_does_not_wait_for_the_night(self):
        dispute = self.place("dispute")
        self.erase("--confirm")
        self.hold("lift", dispute.pk)
        self.assertIn("would be erased", self.erase())
        self.assertFalse(self.is_destroyed())
        self.assertIn("erased, with values in the audit log", self.erase("--confirm"))
        self.assertTrue(self.is_destroyed())
        self.assertEqual(self.audited("subject.key_destroyed")[0].parsed_leaf().data["reason"], TICKET)

    def test_without_a_hold_it_goes_at_once(self):
        self.erase("--confirm")
        self.assertTrue(self.is_destroyed())
        self.assertFalse(Withheld.objects.exists())

    def test_a_lifted_hold_keeps_nothing(self):
        self.hold("lift", self.place("logs").pk)
        self.erase("--confirm")
        self.assertTrue(self.is_destroyed())

    def test_the_schedule_runs_it(self):
        self.assertIn(destroy_released_keys, [entry.run for entry in SCHEDULE])


class TheFloor(Holding):
    """No term of law is shortened: not by a lifting, not by a day that is too early, not by a purge or a second run."""

    def test_a_term_that_runs_is_not_lifted(self):
        term = self.place("logs")
        self.erase("--confirm")
        self.assertIn("it ends on 2027-11-25", self.refused("lift", term.pk))
        self.pass_days(366)
        self.erase("--confirm")
        self.assertFalse(self.is_destroyed())

    def test_a_day_before_the_end_of_the_term_is_refused_and_a_later_one_is_not(self):
        said = self.refused("place", self.subject, "--basis", "books", "--until", "2035-11-24")
        self.assertIn("may not end before 2035-11-25", said)
        self.place("books", "--until", "2036-03-31")
        self.erase("--confirm")
        self.assertEqual(Withheld.objects.get().until.isoformat(), "2036-03-31")

    def test_a_dispute_that_ended_yesterday_is_refused(self):
        self.assertIn(
            "may not end before", self.refused("place", self.subject, "--basis", "dispute", "--until", "2026-11-23")
        )

    def test_a_term_placed_on_the_living_does_not_run_out(self):
        self.place("logs")
        self.pass_days(800)
        self.erase("--confirm")
        self.assertTrue(Withheld.objects.exists())


class AtOnce(CommittingApiTestCase):
    """Of a hold and an erasure in one moment one comes first; nobody is told that a key is kept which is gone."""

    def test_either_the_hold_is_refused_or_the_key_is_kept(self):
        for _ in range(4):
            person = chitra()
            acts = (
                lambda who=str(person.subject_id): place_hold(
                    who=who, basis=Basis.LOGS, reason=TICKET, operator="omar"
                ),
                lambda who=str(person.subject_id): erase(who=who, reason=TICKET, operator="omar"),
            )
            held, _ = self.in_parallel(2, lambda number, acts=acts: self.refusal_of(acts[number]))
            key = SubjectKey.objects.get(pk=person.subject_id)
            self.assertEqual(key.destroyed_at is not None, bool(held), held)
            self.assertEqual(Withheld.objects.filter(pk=key.pk).exists(), not held)

    def refusal_of(self, act) -> str:
        try:
            act()
        except ErasureRefused as refusal:
            return str(refusal)
        return ""
