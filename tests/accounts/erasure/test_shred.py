"""After an erasure no dump of the database, no file of it and no key opens what was there (bars P1, P2, P4)."""

import os
import subprocess
from io import StringIO
from pathlib import Path

import pytest
from django.apps import apps
from django.core.management import call_command
from django.db import connection
from django.db.models import BinaryField, Model

from accounts.erasure import LegalHold, Withheld, destroy_released_keys
from accounts.identity.models import User
from security.audit import AuditEvent, AuditPii
from security.audit.leaf import leaf_hash
from security.crypto import DecryptionFailed, EncryptedTextField, KeyDestroyed, SubjectKey, keyring
from security.crypto.aead import open_sealed
from tests.accounts.identity.examples import a_gstin, a_pan
from tests.base import CommittingApiTestCase
from tests.services import postgres_binaries

PAN = a_pan(7741)
SEALED = {"company phone": "9812345670", "gstin": a_gstin(7741, pan=PAN), "pan": PAN, "person's phone": "9812345671"}
CLEAR = {"name": "Zubeida Qureshi", "company": "Zafrani Weavers", "email": "zubeida@zafrani.example.in"}


def dump_of_database() -> bytes:
    """All bytes in which a thief, or a back-up, has the database."""
    if connection.vendor == "sqlite":
        path = Path(connection.settings_dict["NAME"])
        return b"".join(found.read_bytes() for found in path.parent.glob(f"{path.name}*"))
    binaries = postgres_binaries()
    program = binaries.program.with_name("pg_dump") if binaries else None
    if program is None or not program.exists():
        pytest.skip("only Debian's PostgreSQL can prove it")
    options = connection.settings_dict
    command = [program, "-h", options["HOST"], "-p", str(options["PORT"]), "-U", options["USER"], options["NAME"]]
    environment = os.environ | {"PGPASSWORD": options["PASSWORD"]}
    return subprocess.run(command, env=environment, capture_output=True, check=True).stdout


def found_in(dump: bytes, words: dict[str, str]) -> list[str]:
    lowered = dump.lower()
    forms = {name: {word.encode(), word.encode().hex().encode()} for name, word in words.items()}
    return [name for name, spelled in forms.items() if any(form.lower() in lowered for form in spelled)]


class Shred(CommittingApiTestCase):
    """What is sealed is never in a dump; what is clear is in none after the erasure."""

    def setUp(self):
        super().setUp()
        body = {
            "companyName": CLEAR["company"],
            "companyEmail": "office@zafrani.example.in",
            "companyPhone": SEALED["company phone"],
            "gstin": SEALED["gstin"],
            "adminName": CLEAR["name"],
            "adminEmail": CLEAR["email"],
            "password": "Monsoon-Ledger-47",
        }
        answer = self.post("/api/auth/register", body)
        self.assertEqual(answer.status_code, 201, answer.content)
        self.token = answer.json()["accessToken"]
        self.send("patch", "/api/auth/me", {"phone": SEALED["person's phone"]}, token=self.token)
        self.send("patch", "/api/company", {"phone": SEALED["company phone"]}, token=self.token)
        self.secret = self.post("/api/auth/2fa/setup", {"password": "Monsoon-Ledger-47"}, token=self.token).json()
        self.post("/api/auth/login", {"email": CLEAR["email"], "password": "wrong"})
        self.post("/api/auth/password-reset", {"email": CLEAR["email"]})
        self.person = User.objects.get(email=CLEAR["email"])

    def canaries(self) -> dict[str, str]:
        return SEALED | {"TOTP secret": self.secret["manualEntryKey"].replace(" ", "")}

    def hold(self, *arguments: str) -> None:
        call_command("subject_hold", *arguments, "--reason", "TICKET-1", stdout=StringIO())

    def erase(self) -> str:
        err = StringIO()
        arguments = [CLEAR["email"], "--company", "--confirm", "--reason", "TICKET-1"]
        call_command("subject_erase", *arguments, stdout=StringIO(), stderr=err)
        return err.getvalue()

    def test_what_is_sealed_is_in_no_dump_and_what_is_clear_in_none_afterwards(self):
        self.flush_to_file()
        before = dump_of_database()
        self.assertEqual(found_in(before, self.canaries()), [])
        self.assertEqual(found_in(before, CLEAR), list(CLEAR))  # or the search would prove nothing
        self.assertEqual(self.erase(), "")
        self.assertEqual(found_in(dump_of_database(), self.canaries() | CLEAR), [])

    def test_under_a_hold_what_is_clear_goes_at_once_and_what_is_sealed_with_the_last_hold(self):
        cells = list(self.sealed_cells())
        self.hold("place", CLEAR["email"], "--company", "--basis", "dispute")
        self.flush_to_file()
        self.assertEqual(self.erase(), "")
        self.assertEqual(found_in(dump_of_database(), self.canaries() | CLEAR), [])
        self.assertTrue(all(self.opens(*cell) for cell in cells))
        kept = [bytes(SubjectKey.objects.get(pk=self.person.subject_id).wrapped)]
        kept += [one.identity_sealed.blob for one in Withheld.objects.all()]
        self.hold("lift", str(LegalHold.objects.get().pk))
        self.assertEqual(destroy_released_keys(), 2)
        self.assertEqual([cell for cell in cells if self.opens(*cell)], [])
        dump = dump_of_database()
        self.assertFalse(any(blob in dump or blob.hex().encode() in dump for blob in kept))

    def flush_to_file(self) -> None:
        if connection.vendor == "sqlite":
            with connection.cursor() as cursor:
                cursor.execute("PRAGMA secure_delete=OFF")  # Debian's SQLite overwrites by itself, others do not
                cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def test_every_sealed_cell_from_before_opens_under_no_key_that_is_left(self):
        cells = list(self.sealed_cells())
        subjects = {subject for subject, _, _ in cells}
        self.assertEqual(subjects, {self.person.subject_id, self.person.company.subject_id})
        self.assertTrue(all(self.opens(*cell) for cell in cells))
        self.erase()
        self.assertEqual([cell for cell in cells if self.opens(*cell)], [])
        keys = [one.data_key() for one in SubjectKey.objects.filter(wrapped__isnull=False)]
        keys += [key.secret for key in keyring().keys if key.secret]
        for _, aad, blob in cells:
            for key in keys:
                with self.assertRaises(DecryptionFailed):
                    open_sealed(key, blob, aad=aad)

    def sealed_cells(self):
        """(subject, associated data, blob) of every cell that is sealed under the person or the company."""
        for model in apps.get_models():
            for field in model._meta.concrete_fields:
                if isinstance(field, EncryptedTextField):
                    for row in model._default_manager.exclude(**{field.name: None}):
                        yield from self.cell(field, row)
        for row in AuditPii.objects.filter(subject__in=[self.person.subject_id, self.person.company.subject_id]):
            aad = f"koshflow|audit_pii|{row.field}|{row.event.event_id}|{row.subject}|v1".encode()
            yield row.subject, aad, bytes(row.ciphertext)

    def cell(self, field: BinaryField, row: Model):
        subject = getattr(row, field.subject_attr)
        if subject.pk in (self.person.subject_id, self.person.company.subject_id):
            yield subject.pk, field._aad(row, subject), getattr(row, field.attname).blob

    def opens(self, subject, aad: bytes, blob: bytes) -> bool:
        try:
            open_sealed(SubjectKey.objects.get(pk=subject).data_key(), blob, aad=aad)
        except KeyDestroyed:
            return False
        return True

    def test_events_still_verify(self):
        self.erase()
        events = list(AuditEvent.objects.all())
        self.assertGreater(len(events), 5)
        self.assertEqual([e for e in events if leaf_hash(bytes(e.leaf)) != bytes(e.leaf_hash)], [])
