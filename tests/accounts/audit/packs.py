"""A year of a company, and the operator who takes its pack."""

import csv
import io
import subprocess
import tempfile
import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import time_machine
from django.core.management import CommandError
from django.db import transaction
from django.test import override_settings

from accounts.identity.models import User
from koshflow.schedule import SCHEDULE
from security.audit import Action, AuditEvent, record
from security.rbac import Role
from security.tlog import seal_pending
from tests.base import CommittingApiTestCase
from tests.commands import output_of
from tests.factories import asha, bilal, chitra

[ENTRY] = [entry for entry in SCHEDULE if entry.name == "audit_heartbeat"]


class PackCase(CommittingApiTestCase):
    """A company and its people, whose role is changed on 20 March 2032, the last weeks of 2031-32."""

    def setUp(self):
        super().setUp()
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.enterContext(override_settings(AUDIT_SIGNER_DIR=self.folder / "signer"))
        self.path = self.folder / "pack.zip"
        traveller = time_machine.travel(datetime(2032, 3, 20, 6, 0, 3, tzinfo=UTC), tick=False)
        self.clock = traveller.start()
        self.addCleanup(traveller.stop)
        self.asha = asha()
        self.bilal = bilal(company=self.asha.company)
        self.other = chitra()
        for person in (self.bilal, self.other):
            self.promote(person)
        ENTRY.run()
        seal_pending()

    def promote(self, person: User) -> None:
        """As an act of the company's administrator: with an event, and so with an actor."""
        with transaction.atomic():
            record(Action.PROFILE_UPDATED, actor=self.asha.subject, company=person.company.subject)
            person.role = Role.CUSTOMER
            person.save(update_fields=["role"])

    def take(self, *arguments: str, year: str = "2031-32") -> str:
        self.path.unlink(missing_ok=True)
        return output_of("auditor_pack", "--fy", year, "--output", str(self.path), "--reason", "OPS-8", *arguments)

    def refused(self, words: str, *arguments: str, year: str = "2031-32") -> None:
        before = AuditEvent.objects.count()
        with self.assertRaisesRegex(CommandError, words) as caught:
            self.take(*arguments, year=year)
        self.assertEqual(caught.exception.returncode, 2)
        self.assertEqual(AuditEvent.objects.count(), before)
        self.assertEqual([path.name for path in self.folder.iterdir() if path.name.startswith("pack")], [])

    def file(self, name: str) -> bytes:
        with zipfile.ZipFile(self.path) as archive:
            return archive.read(name)

    def rows(self, name: str) -> list[dict[str, str]]:
        return list(csv.DictReader(io.StringIO(self.file(name).decode("utf-8-sig"))))

    def unpacked(self) -> Path:
        """The pack in a folder with nothing else."""
        bare = self.folder / "bare"
        with zipfile.ZipFile(self.path) as archive:
            archive.extractall(bare)
        return bare

    def stranger(self, *command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command, cwd=self.unpacked(), env={}, capture_output=True, text=True, timeout=60, check=False
        )

    def seal_year_end(self) -> None:
        """Go past 31 March, where the schedule records another heartbeat."""
        self.clock.shift(timedelta(days=20))
        ENTRY.run()
        seal_pending()
