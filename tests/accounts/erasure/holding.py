"""Bilal, who is held and erased, and the two commands that do it."""

from io import StringIO

from django.core.management import CommandError

from accounts.erasure import LegalHold, destroy_released_keys
from security.crypto import KeyDestroyed, SubjectKey
from tests.base import ApiTestCase
from tests.commands import output_of
from tests.factories import asha, bilal

TICKET = "TICKET-4711"


class Holding(ApiTestCase):
    """Asha administers a company in which Bilal works; the clock stands at 24 November 2026."""

    def setUp(self):
        super().setUp()
        self.clock = self.stop_the_clock()
        self.admin = asha()
        self.person = bilal(company=self.admin.company, email="bilal@lotus.example.in", phone="+919876543210")
        self.tokens = self.log_in(self.person)
        self.subject = self.person.subject_id

    def hold(self, act: str, *arguments: object) -> str:
        reason = [] if act == "list" else ["--reason", TICKET]
        return output_of("subject_hold", act, *map(str, arguments), *reason)

    def place(self, basis: str, *arguments: object, on: object = "") -> LegalHold:
        self.hold("place", on or self.subject, "--basis", basis, *arguments)
        return LegalHold.objects.latest("pk")

    def erase(self, *arguments: str, who: object = "") -> str:
        given = [str(who or self.subject), "--reason", TICKET, *arguments]
        return output_of("subject_erase", *given, stderr=StringIO())

    def refused(self, *arguments: object) -> str:
        with self.assertRaises(CommandError) as error:
            self.hold(*arguments)
        self.assertNotIn("\n", str(error.exception))
        return str(error.exception)

    def pass_days(self, days: int) -> None:
        """So many nights, with the schedule's run in each of the last ones."""
        self.clock.advance(seconds=days * 86_400)
        destroy_released_keys()

    def is_destroyed(self, subject: object = "") -> bool:
        try:
            SubjectKey.objects.get(pk=subject or self.subject).data_key()
        except KeyDestroyed:
            return True
        return False
