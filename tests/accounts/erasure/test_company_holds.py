"""A hold on a company keeps its own key and those of everybody who is, was or will be in it."""

import json

from accounts.erasure import Withheld
from accounts.identity.models import Company
from tests.accounts.erasure.holding import Holding
from tests.factories import chitra


class TheCompany(Holding):
    """A hold on a company keeps its key and those of its people, however they are erased."""

    def setUp(self):
        super().setUp()
        self.company = self.admin.company
        self.gstin = self.company.gstin
        self.place("books", "--company", on=self.person.email)

    def test_one_of_its_people(self):
        self.erase("--confirm")
        self.assertFalse(self.is_destroyed())
        self.pass_days(3289)
        self.assertTrue(self.is_destroyed())
        self.assertFalse(self.is_destroyed(self.company.subject_id))

    def test_all_of_it(self):
        self.erase("--company", "--confirm")
        row = Company.objects.get(pk=self.company.pk)
        self.assertEqual((row.name, row.gstin, row.gstin_index), ("Erased company", None, None))
        everybody = (self.company.subject_id, self.subject, self.admin.subject_id)
        self.assertEqual([self.is_destroyed(one) for one in everybody], [False] * 3)
        told = json.loads(self.hold("disclose", self.company.subject_id))
        self.assertEqual((told["gstin"], told["name"]), (self.gstin, self.company.name))
        self.pass_days(3289)
        self.assertEqual([self.is_destroyed(one) for one in everybody], [True] * 3)

    def test_a_dispute_of_the_company_keeps_who_was_erased_before(self):
        self.erase("--confirm")
        dispute = self.place("dispute", on=self.company.subject_id)
        self.pass_days(3366)
        self.assertFalse(self.is_destroyed())
        self.hold("lift", dispute.pk)
        self.pass_days(0)
        self.assertTrue(self.is_destroyed())

    def test_another_company_is_not_held(self):
        other = chitra()
        self.erase("--company", "--confirm", who=other.email)
        self.assertTrue(self.is_destroyed(other.company.subject_id))


class TheCompanyLater(Holding):
    """A hold that is placed on the company keeps who was erased before under another, each for a term of their own."""

    def setUp(self):
        super().setUp()
        self.dispute = self.place("dispute")
        self.erase("--confirm")
        self.clock.advance(seconds=10 * 86_400)

    def until(self, subject: object = "") -> str:
        return str(Withheld.objects.get(pk=subject or self.subject).until)

    def end_the_dispute(self) -> None:
        self.hold("lift", self.dispute.pk)
        self.pass_days(0)

    def test_by_a_term_of_law_from_their_own_last_event(self):
        self.log_in(self.admin)  # moves nobody's term but the company's
        self.place("logs", on=self.admin.company.subject_id)
        self.assertEqual(self.until(), "2027-11-25")
        self.end_the_dispute()
        self.assertFalse(self.is_destroyed())
        self.pass_days(356)
        self.assertFalse(self.is_destroyed())
        self.pass_days(1)
        self.assertTrue(self.is_destroyed())

    def test_by_a_day_that_is_named(self):
        self.place("logs", "--until", "2029-03-31", on=self.admin.company.subject_id)
        self.assertEqual(self.until(), "2029-03-31")

    def test_nothing_is_shortened(self):
        self.place("books", on=self.admin.company.subject_id)
        self.place("logs", on=self.admin.company.subject_id)
        self.assertEqual(self.until(), "2035-11-25")

    def test_with_the_company_itself(self):
        self.place("dispute", on=self.admin.company.subject_id)
        self.erase("--company", "--confirm", who=self.admin.company.subject_id)
        self.place("books", on=self.admin.company.subject_id)
        for one in (self.admin.company.subject_id, self.admin.subject_id):
            self.assertEqual(self.until(one), "2035-12-05")
        self.assertEqual(self.until(), "2035-11-25")

    def test_another_companys_people_are_not_held(self):
        self.place("logs", on=chitra().company.subject_id)
        self.assertEqual(self.until(), "None")
        self.end_the_dispute()
        self.assertTrue(self.is_destroyed())
