"""The file of an export while it is sent: few at once, none for ever, and nobody reads on whose right has ended."""

from unittest import mock

from accounts.audit import download, exports
from accounts.sessions.models import Session, SessionQuerySet
from security.audit import Action
from security.tlog import seal_pending
from tests.accounts.audit.exports import EXPORTS, YEAR, ExportCase, hang_up
from tests.factories import chitra


class WhileItIsSent(ExportCase):
    """A download holds few threads, none for ever, and ends with the right to it."""

    def make(self):
        super().make()
        for _ in range(30):
            self.act(Action.COMPANY_UPDATED)
        seal_pending()

    def setUp(self):
        super().setUp()
        self.enterContext(mock.patch("accounts.audit.years.CHUNK", 10))
        self.now = 1000.0
        self.enterContext(mock.patch.object(download, "time", mock.Mock(monotonic=lambda: self.now)))
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
        self.only_one_company()
        first = self.fetch(self.export)
        for _ in range(2):
            refused = self.fetch(self.export)
            self.assertProblem(refused, 429, "RATE_LIMITED")
            self.assertEqual(refused["Retry-After"], "30")
        theirs, export = self.neighbour()
        refused = self.fetch(export, token=theirs)
        self.assertProblem(refused, 503, "BUSY")
        self.assertEqual(refused["Retry-After"], "30")
        self.assertAudited("audit.exported", times=1)
        hang_up(first)
        self.assertTrue(self.read(export, token=theirs))
        self.assertTrue(self.read(self.export))

    def test_companies_keep_no_auditor_out(self):
        self.only_one_company()
        first = self.fetch(self.export)
        token = self.auditor()
        second = self.fetch(self.create(token=token), token=token)
        self.assertEqual(second.status_code, 200)
        other = self.auditor("eve@staff.example.in")
        self.assertProblem(self.fetch(self.create(token=other), token=other), 503, "BUSY")
        hang_up(first)
        hang_up(second)
        self.assertTrue(self.read(self.create(token=other), token=other))

    def test_a_slow_reader_is_ended_for_who_waits(self):
        self.only_one_company()
        response = self.fetch(self.export)
        sent = iter(response.streaming_content)
        next(sent)
        theirs, export = self.neighbour()
        self.later(9)
        self.assertProblem(self.fetch(export, token=theirs), 503, "BUSY")
        self.later(2)
        next(sent)  # nobody waited
        second = self.fetch(export, token=theirs)
        self.assertEqual(second.status_code, 200)
        self.assertProblem(self.fetch(self.export), 429, "RATE_LIMITED")  # it has not noticed yet
        with self.assertLogs("accounts.audit", "WARNING") as log, self.assertRaises(ConnectionResetError):
            next(sent)
        self.assertEqual(log.records[0].reason, "slow")
        hang_up(response)
        hang_up(second)
        self.assertTrue(self.read(self.export))

    def test_how_long_we_take_makes_nobody_slow(self):
        self.only_one_company()
        real, refused = exports.pieces, []
        theirs, export = self.neighbour()

        def lazily(whose):
            for piece in real(whose):
                self.later(60)
                refused.append(self.fetch(export, token=theirs))
                yield piece

        self.enterContext(mock.patch.object(exports, "pieces", lazily))
        response = self.fetch(self.export)
        sent = iter(response.streaming_content)
        next(sent)
        next(sent)
        for one in refused:
            self.assertProblem(one, 503, "BUSY")
        self.assertEqual(len(refused), 2)
        hang_up(response)

    def test_who_takes_a_megabyte_in_ten_seconds_stays(self):
        self.enterContext(mock.patch.object(download, "PIECE_BYTES", 500))
        self.enterContext(mock.patch.object(download, "LEAST_BYTES_A_SECOND", 50))
        self.enterContext(mock.patch("accounts.audit.years.CHUNK", 1000))
        self.only_one_company()
        response = self.fetch(self.export)
        theirs, export = self.neighbour()
        sent = iter(response.streaming_content)
        for _ in range(6):
            next(sent)
            self.later(9)
        self.assertProblem(self.fetch(export, token=theirs), 503, "BUSY")
        self.later(12)
        self.assertEqual((other := self.fetch(export, token=theirs)).status_code, 200)
        hang_up(response)
        hang_up(other)

    def test_those_who_are_given_up_hold_no_more_threads_than_those_who_run(self):
        self.only_one_company()
        held = [self.fetch(self.export)]
        next(iter(held[0].streaming_content))
        self.later(11)
        theirs, export = self.neighbour()
        held.append(self.fetch(export, token=theirs))
        next(iter(held[1].streaming_content))
        self.later(11)
        third, export = self.neighbour()
        self.assertProblem(self.fetch(export, token=third), 503, "BUSY")
        for response in held:
            hang_up(response)

    def test_the_slowest_is_ended_first(self):
        places = download._Places(2)
        behind = {"slow": 11.0, "slower": 12.0, "new": 0.0, "newer": 0.0}
        slow, slower, new, newer = (
            mock.Mock(reader=who, is_given_up=False, **{"seconds_behind.return_value": late})
            for who, late in behind.items()
        )
        for one in (slow, slower, new):
            places.take(one)
        self.assertEqual((slow.is_given_up, slower.is_given_up), (False, True))
        places.take(newer)
        self.assertTrue(slow.is_given_up)

    def test_the_time_is_looked_at_within_what_is_made_at_once(self):
        self.enterContext(mock.patch("accounts.audit.years.CHUNK", 1000))
        self.enterContext(mock.patch.object(download, "PIECE_BYTES", 1000))
        response = self.fetch(self.export)
        sent = iter(response.streaming_content)
        for _ in range(3):  # what seals them, then the first kilobytes of all events
            next(sent)
        self.later(601)
        with self.assertLogs("accounts.audit", "WARNING") as log, self.assertRaises(ConnectionResetError):
            next(sent)
        self.assertEqual(log.records[0].reason, "time")
        hang_up(response)

    def only_one_company(self):
        self.enterContext(mock.patch.object(download, "COMPANY_PLACES", download._Places(1)))

    def neighbour(self):
        """The token of somebody of another company, and an export of theirs."""
        token = self.log_in(chitra())["accessToken"]
        return token, self.create(token=token)

    def later(self, seconds):
        self.now += seconds

    def test_a_place_is_given_back_where_the_event_cannot_be_written(self):
        with mock.patch.object(exports, "record_by", side_effect=ZeroDivisionError):
            self.assertProblem(self.fetch(self.export), 500, "INTERNAL_ERROR")
        self.assertTrue(self.read(self.export))

    def test_a_session_that_ended_between_is_refused_with_no_event(self):
        with mock.patch.object(SessionQuerySet, "admitting", return_value=Session.objects.none()):
            self.assertProblem(self.fetch(self.export), 401, "SESSION_INVALID")
            self.assertProblem(self.post(EXPORTS, YEAR, token=self.token), 401, "SESSION_INVALID")
        self.assertAudited("audit.exported", times=0)
        self.assertAudited("audit_export.created")
        self.assertTrue(self.read(self.export))
