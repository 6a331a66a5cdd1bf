"""A row that is put in the place of another is told of, and so is a session that is made to hold longer than it was."""

from typing import Any
from uuid import uuid4

from django.utils import timezone

from accounts.identity.models import User
from accounts.sessions.models import Session
from security.crypto.models import SubjectKey
from tests.factories import asha, bilal
from tests.security.trail.trail import OUT_OF_BAND, TrailCase


class Rows(TrailCase):
    """By UPDATE, as any shell of the application's password can."""

    def setUp(self):
        super().setUp()
        person = asha()
        self.bilal = bilal(company=person.company)
        self.log_in(person)
        self.forget()

    def untold(self, table: str) -> dict[str, Any]:
        return self.change(self.only(OUT_OF_BAND), table, "update")

    def test_a_person_under_the_pseudonym_of_another(self):
        """Whatever they do from then on, the log would have it in that name."""
        other = SubjectKey.objects.issue()
        User.objects.filter(pk=self.bilal.pk).update(subject=other)
        change = self.untold("accounts_user")
        self.assertEqual(change["id"], str(other.pk))
        self.assertEqual(change["before"], {"subject_id": str(self.bilal.subject_id)})
        self.assertEqual(change["after"], {"subject_id": str(other.pk)})

    def test_a_person_in_the_place_of_another(self):
        User.objects.filter(pk=self.bilal.pk).update(id=uuid4())
        change = self.untold("accounts_user")
        self.assertEqual((change["before"], change["after"]), ({}, {"id": "changed"}))

    def test_a_session_in_the_place_of_another(self):
        session, other = Session.objects.get(), uuid4()
        Session.objects.update(id=other)
        change = self.untold("accounts_session")
        self.assertEqual((change["before"], change["after"]), ({"id": str(session.pk)}, {"id": str(other)}))

    def test_a_session_that_is_made_longer_or_fresh_again(self):
        later = timezone.now() + timezone.timedelta(days=400)
        Session.objects.update(absolute_until=later, auth_time=later, token_version=7)
        change = self.untold("accounts_session")
        self.assertEqual(set(change["after"]), {"absolute_until", "auth_time", "token_version"})
