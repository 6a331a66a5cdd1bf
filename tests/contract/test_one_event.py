"""Each act, and each refusal of a credential or a permission, is one event of its own request: every operation."""

import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch
from uuid import uuid4

from django.db import OperationalError
from django.test import override_settings

from accounts.identity.models import User
from accounts.login.services import sign_in
from security.audit import AuditEvent, windows
from security.rbac import Role
from security.tlog import seal_pending
from security.trail.models import AuditChange
from tests.base import ApiTestCase
from tests.contract.walk.operations import operations
from tests.factories import a_person, asha, bilal

# What is asked for and looked at without an event: nothing personal, or one's own.
_SILENT = {
    "audit_checkpoints", "audit_exports", "change_password_page", "company", "errors", "health", "health_live",
    "health_ready", "jwks", "me", "openapi", "security_policy", "security_txt", "sessions_list", "two_factor",
}  # fmt: skip
# Told by the queue that takes it up, so that its answer says nothing of whether there is such a person.
_QUEUED = {"password_reset"}
# Acts that are two: the company, and the sign-in of its first person.
_TWO = {"register": ["company.registered", "session.created"]}
# Refused for its form, or without anything that could be refused.
_OF_NOBODY = {"NO_TOKEN", "VALIDATION_FAILED"}


class EveryOperation(ApiTestCase):
    def setUp(self):
        super().setUp()
        folder = self.enterContext(tempfile.TemporaryDirectory())
        self.enterContext(override_settings(AUDIT_SIGNER_DIR=Path(folder) / "signer"))
        admin = asha()
        self.people = {
            "ADMIN": admin,
            "CUSTOMER": bilal(company=admin.company, role=Role.CUSTOMER),
            "staff": a_person(role=None),
        }
        sign_in(user=admin, amr="pwd")
        seal_pending()

    def token(self, who: str) -> str:
        person = self.people.get(who)
        if person is None:
            return who
        return sign_in(user=User.objects.get(pk=person.pk), amr="pwd otp").tokens.access

    def each(self) -> Iterator[tuple[str, Callable[[], Any]]]:
        """Every operation as each caller, each in a minute of its own."""
        for operation in operations():
            for who in ("", "no.token.this", *self.people):
                with self.subTest(f"{operation.name} as {who}"):
                    windows.forget()
                    token = self.token(who)
                    yield (
                        operation.name,
                        partial(
                            self.send, operation.method, operation.address(str(uuid4())), operation.body, token=token
                        ),
                    )

    def test_the_table_names_what_there_is(self):
        self.assertEqual((_SILENT | _QUEUED | set(_TWO)) - {operation.name for operation in operations()}, set())

    def test_each_is_told_once(self):
        for name, ask in self.each():
            last = AuditEvent.objects.latest("pk").pk
            answer = ask()
            events = list(AuditEvent.objects.filter(pk__gt=last).order_by("pk"))
            told, code = [event.type for event in events], getattr(answer, "problem_code", "")
            self.assertNotIn(answer.status_code, (500, 503), answer.content)
            if is_silent(name, code):
                self.assertEqual(told, [])
            elif not code and name in _TWO:
                self.assertEqual(told, _TWO[name])
            else:
                self.assertEqual(len(told), 1, (answer.status_code, code, told))
                self.assertEqual(events[0].outcome, "refused" if code else "success")
            self.assertEqual({event.request_id for event in events} - {answer.headers["X-Request-ID"]}, set())

    def test_what_cannot_be_told_does_not_happen(self):
        written = patch("security.audit.models.AuditEvent.save", side_effect=OperationalError("disk full"))
        for name, ask in self.each():
            last = AuditChange.objects.order_by("pk").values_list("pk", flat=True).last() or 0
            with written:
                answer = ask()
            code = getattr(answer, "problem_code", "")
            if code == "SERVICE_UNAVAILABLE":
                self.assertEqual(answer.status_code, 503)
            else:
                self.assertTrue(is_silent(name, code), (answer.status_code, code))
            self.assertFalse(AuditChange.objects.filter(pk__gt=last).exists())  # no watched row was written


def is_silent(name: str, code: str) -> bool:
    """Whether an answer of this operation, with this code where it refuses, leaves no event."""
    return code in _OF_NOBODY or (not code and name in _SILENT | _QUEUED)
