"""The file of an export while it is sent: few at once, none for ever, and nobody reads on whose right has ended."""

from unittest import mock

from accounts.audit import download, exports
from accounts.sessions.models import Session
from security.audit import Action
from security.tlog import seal_pending
from tests.accounts.audit.exports import EXPORTS, YEAR, ExportCase
from tests.factories import chitra


class WhileItIsSent(ExportCase):
    """A download holds few threads, none for ever, and ends with the right to it."""

    def setUp(self):
        super().setUp()
        for _ in range(30):
            self.act(Action.COMPANY_UPDATED)
        seal_pending()
        self.enterContext(mock.patch("accounts.audit.years.CHUNK", 10))
        self.export = self.create()

    def test_a_session_that_is_ended_in_the_middle_gets_no_more(self):
        self.enterContext(mock.patch.object(download, "CHECK_SECONDS", 0))
        response = self.fetch(self.export)
        sent = iter(response.streaming_content)
        next(sent)
        next(sent)
        self.post("/api/auth/logout", {"allDevices": True}, token=self.token)
        with self.assertLogs("accounts.audit", "WARNING") as log, self.assertRaises(ConnectionResetError):
            next(sent)
        self.assertEqual(log.records[0].reason, "session")
        self.assertProblem(self.fetch(self.export), 401, "TOKEN_REVOKED")

    def test_a_person_who_is_deactivated_in_the_middle_gets_no_more(self):
        self.enterContext(mock.patch.object(download, "CHECK_SECONDS", 0))
        response = self.fetch(self.export)
        sent = iter(response.streaming_content)
        next(sent)
        self.asha.is_active = False
        self.asha.save(update_fields=["is_active"])
        with self.assertRaises(ConnectionResetError):
            next(sent)

    def test_it_ends_in_time(self):
        self.enterContext(mock.patch.object(download, "MOST_SECONDS", 0))
        response = self.fetch(self.export)
        with self.assertLogs("accounts.audit", "WARNING") as log, self.assertRaises(ConnectionResetError):
            next(iter(response.streaming_content))
        self.assertEqual(log.records[0].reason, "time")
        self.enterContext(mock.patch.object(download, "MOST_SECONDS", 600))
        self.read(self.export)

    def test_one_at_a_time_for_each_company_and_few_in_all(self):
        first = self.fetch(self.export)
        for _ in range(2):
            refused = self.fetch(self.export)
            self.assertProblem(refused, 503, "BUSY")
            self.assertEqual(refused["Retry-After"], "30")
        token = self.auditor()
        second = self.fetch(whole := self.create(token=token), token=token)  # a neighbour is not kept out
        self.assertEqual(second.status_code, 200)
        other = chitra()
        theirs = self.log_in(other)["accessToken"]
        self.assertProblem(self.fetch(self.create(token=theirs), token=theirs), 503, "BUSY")
        self.assertAudited("audit.exported", times=2)
        self.hang_up(first)
        self.hang_up(second)
        self.assertTrue(self.read(whole, token=token))
        self.assertTrue(self.read(self.export))

    def test_a_place_is_given_back_where_the_event_cannot_be_written(self):
        with mock.patch.object(exports, "record", side_effect=ZeroDivisionError):
            self.assertProblem(self.fetch(self.export), 500, "INTERNAL_ERROR")
        self.assertTrue(self.read(self.export))

    def test_a_session_that_ended_between_is_refused_with_no_event(self):
        with mock.patch("accounts.sessions.standing._living", return_value=Session.objects.none()):
            self.assertProblem(self.fetch(self.export), 401, "SESSION_INVALID")
            self.assertProblem(self.post(EXPORTS, YEAR, token=self.token), 401, "SESSION_INVALID")
        self.assertAudited("audit.exported", times=0)
        self.assertAudited("audit_export.created")
        self.assertTrue(self.read(self.export))
