"""Failures of every kind, as code of ours makes them."""

from unittest.mock import patch

from django.db import connection

from monitoring.errors.collector import collector
from monitoring.errors.models import ErrorGroup
from monitoring.errors.store import flush_errors

SECRET = "asha.rao@lotus.example.in"


def of_one_place(number: int) -> None:
    raise RuntimeError(f"row {number} of {SECRET!r}")


def of_another(number: int) -> None:
    raise RuntimeError(f"row {number}")


def in_a_statement(number: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT %s FROM nowhere", [number])


class FailingMixin:
    """Requests that fail, and the groups they make."""

    def setUp(self) -> None:
        super().setUp()  # type: ignore[misc]
        collector.forget()

    # Not `fail`: assertions raise by that, and one that sends a request in its place never fails.
    def ask_and_fail(self, how=of_one_place, number=1):
        """A request in whose service `how` happens; its answer."""
        with patch("accounts.login.views.log_in", side_effect=lambda **_: how(number)):
            return self.post("/api/auth/login", {"email": "a@b.example.in", "password": "x"})

    def groups(self) -> list[ErrorGroup]:
        """The groups, once all that was heard stands in rows; the last seen first."""
        flush_errors()
        return list(ErrorGroup.objects.all())
