"""Statements of tests, and what was recorded of them."""

from django.db import connection

from accounts.identity.models import User
from monitoring.database.models import RecordedStatement
from monitoring.database.recorder import recorders

MARKER = "zx9marker"  # in no form that the log would scrub by itself


def ask(value: str = MARKER) -> None:
    list(User.objects.filter(email=value).values_list("id"))


class Recording:
    """Begins with nothing counted."""

    def setUp(self):
        super().setUp()
        connection.ensure_connection()
        [self.recorder] = [one for one in recorders() if one.alias == "default"]
        self.recorder.forget()
        self.addCleanup(self.recorder.forget)

    def slow_from(self, milliseconds: float) -> None:
        self.recorder._slow_seconds = milliseconds / 1000

    def row(self, *words: str) -> RecordedStatement:
        [row] = [row for row in RecordedStatement.objects.all() if all(word in row.text for word in words)]
        return row
