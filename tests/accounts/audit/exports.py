"""Somebody who makes exports of the audit log and reads their files."""

import hashlib
from unittest import mock

from django.db.backends.base.base import BaseDatabaseWrapper

from accounts.login.services import sign_in
from accounts.staff import StaffRole
from security.tlog import seal_pending
from tests.accounts.admin.door import hire, with_factor
from tests.accounts.audit.test_trail import TrailCase

EXPORTS = "/api/audit/exports"
YEAR = {"financialYear": "2026-27", "format": "jsonl"}


def hang_up(response) -> None:
    """As a client that reads no further; the connection to the database stays, which is the test's."""
    # Not by taking the signal's receiver away: the test client's own iterator puts it back in the midst of this.
    with mock.patch.object(BaseDatabaseWrapper, "close_if_unusable_or_obsolete"):
        response.close()


class ExportCase(TrailCase):
    begins_at = "2026-12-02T06:00:00Z"

    def make(self):
        super().make()
        self.act()
        seal_pending()

    def create(self, *, token: str = "", **body) -> dict:
        asked = {name: value for name, value in {**YEAR, **body}.items() if value is not None}
        response = self.post(EXPORTS, asked, token=token or self.token)
        self.assertEqual(response.status_code, 201, response.content)
        return response.json()

    def read(self, export: dict, *, token: str = "") -> bytes:
        response = self.fetch(export, token=token)
        self.assertEqual(response.status_code, 200)
        return b"".join(response.streaming_content)  # the test client closes it at its end

    def fetch(self, export: dict, *, token: str = ""):
        return self.get(export["url"].removeprefix("http://testserver"), token=token or self.token)

    def auditor(self, email: str = "omar@staff.example.in") -> str:
        person = with_factor(hire(StaffRole.AUDITOR, email=email)).user
        return sign_in(user=person, amr="pwd otp").tokens.access

    def trailer(self, content: bytes) -> tuple[bytes, str]:
        """(the last line, SHA-256 of what is before it)."""
        before, _, last = content.rstrip(b"\r\n").rpartition(b"\n")
        return last, hashlib.sha256(before + b"\n").hexdigest()
