"""What `subject_erase` says before it does anything."""

from django.core.management import CommandError

from tests.base import ApiTestCase
from tests.commands import output_of
from tests.factories import asha, bilal


class DryRun(ApiTestCase):
    """Whoever reads it knows what goes, what stays and why, and has changed nothing."""

    def say(self, who: str, *arguments: str) -> str:
        return output_of("subject_erase", who, *arguments)

    def test_a_persons_company_stays(self):
        person = bilal(company=asha().company)
        said = self.say(person.email)
        self.assertRegex(
            said, rf"person {person.subject_id} would be erased.*\n  goes: name, e-mail address, phone, pass"
        )
        self.assertRegex(said, r"\n  stays: .* events of the audit log, which name the pseudonym and must verify\n")
        self.assertRegex(
            said, r"\n  stays: their company with its own name.* for that is not this person's; --company "
        )
        person.refresh_from_db()
        self.assertTrue(person.is_active)

    def test_with_its_people_it_goes(self):
        person = asha()
        said = self.say(person.email, "--company")
        self.assertRegex(said, rf"company {person.company.subject_id} would be erased.*\n  goes: name.* GSTIN and PAN")
        self.assertNotIn("stays: their company", said)

    def test_only_the_erasure_itself_wants_a_reason(self):
        person = asha()
        for reason in ((), ("--reason", " ")):
            with self.assertRaisesMessage(CommandError, "say why with --reason"):
                self.say(person.email, "--confirm", *reason)
        person.refresh_from_db()
        self.assertTrue(person.is_active)
