"""`subject_hold`: holds are placed, listed and lifted by an operator, each with a reason and a mark."""

from uuid import uuid4

from django.core.management import CommandError, call_command

from accounts.erasure import LegalHold, Withheld
from security.operator_account import operator_name
from tests.accounts.erasure.holding import TICKET, Holding
from tests.factories import chitra


class TheCommand(Holding):
    """It says what stands, until when and why; it holds nobody who is gone and lifts nothing twice."""

    def test_placing_and_lifting_leave_a_mark_of_who_why_and_what(self):
        hold = self.place("dispute", "--until", "2027-01-31")
        self.hold("lift", hold.pk)
        for type_ in ("subject.hold_placed", "subject.hold_lifted"):
            self.assertAudited(type_, target=self.person)
            event = self.audited(type_)[0]
            self.assertEqual(event.company, self.admin.company.subject_id)
            expected = {"hold": str(hold.pk), "basis": "dispute", "until": "2027-01-31"}
            self.assertEqual(event.parsed_leaf().data, expected | {"reason": TICKET, "operator": operator_name()})

    def test_the_list_says_which_stand_until_when_and_why(self):
        self.assertEqual(self.hold("list"), "no hold stands\n")
        term, dispute = self.place("logs"), self.place("dispute", on=chitra().email)
        lines = self.hold("list").splitlines()
        self.assertEqual(
            lines[0],
            f"logs hold {term.pk} on {self.subject}, 366 days from the last event; "
            f"placed 2026-11-24 by {operator_name()}: {TICKET}",
        )
        self.assertIn(f"dispute hold {dispute.pk} on {dispute.subject_id}, until it is lifted", lines[1])
        self.assertEqual(self.hold("list", self.subject).splitlines(), lines[:1])
        self.erase("--confirm")
        self.assertIn(f"on {self.subject}, until 2027-11-25; placed", self.hold("list", self.subject))

    def test_a_hold_that_is_over_or_lifted_is_not_listed(self):
        self.hold("lift", self.place("logs").pk)
        self.place("dispute", "--until", "2026-11-24")
        self.clock.advance(seconds=86_400)
        self.assertEqual(self.hold("list"), "no hold stands\n")

    def test_a_dry_run_lifts_nothing(self):
        hold = self.place("logs")
        self.assertIn("dry run, nothing was changed", self.hold("lift", hold.pk, "--dry-run"))
        self.assertIsNone(LegalHold.objects.get().lifted_at)
        self.assertAudited("subject.hold_lifted", times=0)

    def test_the_dry_run_of_an_erasure_says_which_holds_stand_and_until_when(self):
        self.place("logs")
        dispute = self.place("dispute")
        said = self.erase()
        self.assertIn(f"key stays: terms of law until 2027-11-25; dispute hold {dispute.pk}, until it is lifted", said)
        self.assertNotIn("values in the audit log", said)
        self.assertFalse(Withheld.objects.exists())
        self.assertEqual(self.me(self.tokens["accessToken"]).status_code, 200)

    def test_a_reason_that_names_a_person_is_refused(self):
        with self.assertRaises(CommandError):
            call_command("subject_hold", "place", str(self.subject), "--basis", "logs", "--reason", "asha@x.example.in")
        self.assertFalse(LegalHold.objects.exists())

    def test_what_is_no_day_is_told_as_such(self):
        said = self.refused("place", self.subject, "--basis", "dispute", "--until", "tomorrow")
        self.assertIn("tomorrow is no day; give one such as 2030-12-31", said)

    def test_whose_key_is_destroyed_cannot_be_held(self):
        self.erase("--confirm")
        self.assertIn("nothing is left to hold", self.refused("place", self.subject, "--basis", "logs"))

    def test_who_is_not_erased_is_not_disclosed(self):
        self.assertIn("only an erasure under a hold", self.refused("disclose", self.subject))

    def test_a_hold_that_does_not_stand_is_not_lifted(self):
        self.assertIn("subject_hold list shows", self.refused("lift", uuid4()))
