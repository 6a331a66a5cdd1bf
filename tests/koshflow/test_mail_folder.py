"""Mail on a laptop."""

import email
import email.policy
import tempfile
from pathlib import Path

import pytest
import time_machine
from django.core.mail import EmailMessage, get_connection
from django.test import SimpleTestCase, override_settings

pytestmark = pytest.mark.embedded


class MailFolderOfALaptop(SimpleTestCase):
    """One whole mail a file, for its owner alone; names sort by the time in UTC."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name) / "mail"

    def send(self, *subjects: str) -> None:
        mails = [EmailMessage(subject, "नमस्ते\n", "no-reply@example.in", ["asha@example.in"]) for subject in subjects]
        with override_settings(EMAIL_FILE_PATH=self.folder):
            sent = get_connection("koshflow.mail_folder.MailFolder").send_messages(mails)
        self.assertEqual(sent, len(subjects))

    def subjects(self) -> list[str]:
        """In the order of the names."""
        files = sorted(self.folder.iterdir())
        read = [email.message_from_bytes(path.read_bytes(), policy=email.policy.default) for path in files]
        for mail in read:
            self.assertEqual(mail.get_content(), "नमस्ते\n")
        return [mail["Subject"] for mail in read]

    def test_names_are_of_utc_and_sort_by_time(self):
        with time_machine.travel("2026-11-24T18:45:00Z", tick=False) as clock:  # a quarter past midnight in India
            self.send("first")
            clock.shift(3600)
            self.send("second")
        self.assertEqual(self.subjects(), ["first", "second"])
        names = sorted(path.name for path in self.folder.iterdir())
        self.assertRegex(names[0], r"^2026-11-24T184500\.000000Z-[0-9a-f]{8}\.eml$")

    def test_mails_of_one_moment_are_files_of_their_own(self):
        with time_machine.travel("2026-11-24T18:45:00Z", tick=False):
            self.send("one", "two")
        self.assertEqual(sorted(self.subjects()), ["one", "two"])

    def test_nobody_else_reads_them(self):
        self.send("one")
        self.assertEqual(self.folder.stat().st_mode & 0o077, 0)
        for path in self.folder.iterdir():
            self.assertEqual(path.stat().st_mode & 0o077, 0, path)
