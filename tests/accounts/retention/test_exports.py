"""Exports at the API beside retention: a file is what it was or there no more, and the whole log's is proved."""

from datetime import datetime
from unittest import mock

from django.utils import timezone

from accounts.audit.models import AuditExport
from accounts.login.services import sign_in
from security.tlog import note_taken
from tests.accounts.retention.keeping import OF_EACH, Verifying

EXPORTS = "/api/audit/exports"
SINCE = "2025-01-01T00:00:00Z"


class Exports(Verifying):
    """A recipe gives the same bytes, until retention takes events of its time out; then none."""

    def setUp(self):
        super().setUp()
        self.auditor = sign_in(user=self.ivy.user, amr="pwd otp").tokens.access

    def create(self, form: str, *, token: str, since: str = SINCE) -> str:
        body = {"from": since, "to": "2026-12-01T00:00:00Z", "format": form}
        response = self.post(EXPORTS, body, token=token)
        self.assertEqual(response.status_code, 201, response.content)
        return response.json()["url"].removeprefix("http://testserver")

    def read(self, url: str, *, token: str) -> bytes:
        response = self.get(url, token=token)
        self.assertEqual(response.status_code, 200)
        return b"".join(response.streaming_content)

    def proved(self, content: bytes) -> tuple[int, str]:
        path = self.out / "export.zip"
        path.write_bytes(content)
        checked = self.verified(path)
        return checked.returncode, checked.stdout + checked.stderr

    def test_a_bundle_of_the_whole_log_misses_nothing_unseen(self):
        self.prune("--class", "noise")
        self.clock.advance(seconds=1)
        url = self.create("bundle", token=self.auditor)
        code, said = self.proved(self.read(url, token=self.auditor))
        self.assertEqual(code, 0, said)
        self.assertIn(f"tells of {OF_EACH} archived and deleted: noise", said)
        self.intruder.remove(self.kept, self.kept + 1, is_renumbered=False)
        code, said = self.proved(self.read(url, token=self.auditor))
        self.assertEqual(code, 1)
        self.assertIn(f"event {self.kept} is not here, and no pruning", said)

    def test_what_was_made_before_is_archived_and_what_is_made_after_is_the_same_always(self):
        people = (self.log_in(self.asha)["accessToken"], self.auditor)
        old = [(self.create(form, token=who), who) for who in people for form in ("csv", "jsonl", "bundle")]
        young = self.create("jsonl", token=self.auditor, since="2026-06-01T00:00:00Z")
        before = self.read(young, token=self.auditor)
        plan = self.prune("--class", "noise")
        for url, who in old:
            self.assertProblem(self.get(url, token=who), 404, "ARCHIVED")
        self.assertEqual(self.read(young, token=self.auditor), before)
        self.assertAudited("audit.exported", times=2)
        self.clock.advance(seconds=1)
        for who in people:
            url = self.create("jsonl", token=who)
            left = self.read(url, token=who)
            self.run_plan(plan)  # takes nothing more
            self.assertEqual(self.read(url, token=who), left)

    def test_what_was_made_while_events_went_is_archived_too(self):
        plan = self.agreed("--class", "noise")
        with (
            mock.patch("security.retention.pruning._delete", side_effect=KeyboardInterrupt),
            self.assertRaises(KeyboardInterrupt),
        ):
            self.run_plan(plan)
        url = self.create("bundle", token=self.auditor)
        code, said = self.proved(self.read(url, token=self.auditor))
        self.assertEqual(code, 0, said)
        self.run_plan(plan)
        self.assertProblem(self.get(url, token=self.auditor), 404, "ARCHIVED")

    def test_what_was_made_before_the_events_were_gone_for_others_is_archived_too(self):
        url = self.create("jsonl", token=self.auditor)
        plan = self.agreed("--class", "noise")

        def noted(*arguments):
            note_taken(*arguments)
            if not moments:  # the first note, in the transaction that deletes
                self.clock.advance(seconds=1)
                moments.append(timezone.now())
                AuditExport.objects.update(created_at=moments[0])
                self.clock.advance(seconds=1)

        moments: list[datetime] = []
        with mock.patch("security.retention.pruning.note_taken", side_effect=noted):
            self.run_plan(plan)
        self.assertTrue(moments)
        self.assertProblem(self.get(url, token=self.auditor), 404, "ARCHIVED")

    def test_a_file_that_is_being_sent_is_cut(self):
        self.enterContext(mock.patch("accounts.audit.years.CHUNK", 100))
        sent = iter(self.get(self.create("jsonl", token=self.auditor), token=self.auditor).streaming_content)
        next(sent)
        self.prune("--class", "noise")
        with self.assertLogs("accounts.audit", "WARNING") as log, self.assertRaises(ConnectionResetError):
            list(sent)
        self.assertEqual(log.records[0].reason, "archived")
