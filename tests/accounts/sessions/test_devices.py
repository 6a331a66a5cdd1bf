"""Logging out, and one's own list of sessions."""

from base64 import b64encode
from datetime import timedelta
from urllib.parse import urlencode
from uuid import uuid4

from django.db.models import F

from accounts.sessions.models import Session
from tests.base import ApiTestCase, CommittingApiTestCase
from tests.factories import asha, bilal, chitra

LOGOUT = "/api/auth/logout"
SESSIONS = "/api/auth/sessions"


class LogOut(ApiTestCase):
    """Logging out ends access and refresh at once, on this device or on all."""

    def test_both_tokens_end(self):
        person = asha()
        pair = self.log_in(person)
        response = self.post(LOGOUT, {}, token=pair["accessToken"])
        self.assertEqual(response.status_code, 200)
        self.assertIn("message", response.json())
        self.assertEqual(response.headers["Clear-Site-Data"], '"cache", "cookies", "storage"')
        self.assertProblem(self.me(pair["accessToken"]), 401, "TOKEN_REVOKED")
        self.assertProblem(self.refresh(pair["refreshToken"]), 401, "REFRESH_TOKEN_REVOKED")
        self.assertAudited("session.ended", actor=person)

    def test_the_body_may_be_missing_with_or_without_a_content_type(self):
        person = asha()
        for content_type in ("application/json", ""):
            token = self.log_in(person)["accessToken"]
            self.assertEqual(self.post(LOGOUT, token=token, content_type=content_type).status_code, 200)

    def test_other_devices_stay_unless_all_were_asked_for(self):
        person = asha()
        phone, laptop = self.log_in(person), self.log_in(person)
        self.post(LOGOUT, {"allDevices": False}, token=phone["accessToken"])
        self.assertEqual(self.me(laptop["accessToken"]).status_code, 200)

    def test_all_devices_end_every_session_of_the_person_and_nobody_elses(self):
        person = asha()
        phone, laptop = self.log_in(person), self.log_in(person)
        colleague = self.log_in(bilal(company=person.company))
        self.post(LOGOUT, {"allDevices": True}, token=phone["accessToken"])
        self.assertProblem(self.me(laptop["accessToken"]), 401, "TOKEN_REVOKED")
        self.assertEqual(self.me(colleague["accessToken"]).status_code, 200)
        self.assertAudited("sessions.ended_all", actor=person)

    def test_a_string_is_not_a_boolean(self):
        token = self.log_in(asha())["accessToken"]
        response = self.post(LOGOUT, {"allDevices": "true"}, token=token)
        self.assertProblem(response, 400, "VALIDATION_FAILED", field="allDevices")
        self.assertEqual(self.me(token).status_code, 200)


class OwnSessions(ApiTestCase):
    """You see and end your own sessions, and learn nothing of anyone else's."""

    def test_the_list_is_newest_first_and_marks_this_one(self):
        person = asha()
        clock = self.stop_the_clock()
        first = self.log_in(person)
        clock.advance(seconds=60)
        self.log_in(person)
        page = self.get(SESSIONS, token=first["accessToken"]).json()
        self.assertEqual(set(page), {"results", "next", "previous"})
        self.assertEqual([row["current"] for row in page["results"]], [False, True])
        row = page["results"][0]
        self.assertEqual(set(row), {"id", "createdAt", "lastUsedAt", "expiresAt", "client", "address", "current"})
        self.assertEqual(row["address"], "127.0.0.1")
        self.assertTrue(row["createdAt"].endswith("Z"))

    def test_the_order_is_that_of_their_starts_whichever_ends_last(self):
        person = asha()
        clock = self.stop_the_clock()
        first = self.log_in(person)
        clock.advance(seconds=60)
        second = self.log_in(person)
        clock.advance(seconds=60)
        self.assertEqual(self.refresh(first["refreshToken"]).status_code, 200)
        Session.objects.filter(counter=1).update(absolute_until=F("absolute_until") + timedelta(days=1))
        rows = self.get(SESSIONS, token=second["accessToken"]).json()["results"]
        self.assertGreater(rows[1]["lastUsedAt"], rows[0]["lastUsedAt"])
        self.assertGreater(rows[0]["createdAt"], rows[1]["createdAt"])
        self.assertEqual([row["current"] for row in rows], [True, False])

    def test_the_list_costs_two_statements_however_long_it_is(self):
        person = asha()
        for _ in range(4):
            token = self.log_in(person)["accessToken"]
        with self.assertNumQueries(2):
            self.get(SESSIONS, token=token)

    def test_ended_sessions_and_other_people_are_not_shown(self):
        person = asha()
        self.log_in(chitra())
        gone = self.log_in(person)
        self.post(LOGOUT, token=gone["accessToken"])
        token = self.log_in(person)["accessToken"]
        self.assertEqual(len(self.get(SESSIONS, token=token).json()["results"]), 1)

    def test_ending_one_works_at_once(self):
        person = asha()
        lost, here = self.log_in(person), self.log_in(person)
        lost_id = Session.objects.order_by("created_at", "pk").exclude(pk=self._own(here)).get().pk
        response = self.send("delete", f"{SESSIONS}/{lost_id}", token=here["accessToken"])
        self.assertEqual(response.status_code, 200, response.content)
        self.assertProblem(self.me(lost["accessToken"]), 401, "TOKEN_REVOKED")
        self.assertAudited("session.ended", actor=person)

    def test_another_persons_session_is_404_and_goes_on(self):
        stranger = self.log_in(chitra())
        mine = self.log_in(asha())
        response = self.send("delete", f"{SESSIONS}/{self._own(stranger)}", token=mine["accessToken"])
        self.assertProblem(response, 404, "NOT_FOUND")
        self.assertEqual(self.me(stranger["accessToken"]).status_code, 200)
        self.assertProblem(self.send("delete", f"{SESSIONS}/{uuid4()}", token=mine["accessToken"]), 404, "NOT_FOUND")

    def test_ending_all_others_keeps_this_one(self):
        person = asha()
        other, here = self.log_in(person), self.log_in(person)
        self.assertEqual(self.send("delete", SESSIONS, token=here["accessToken"]).status_code, 200)
        self.assertProblem(self.me(other["accessToken"]), 401, "TOKEN_REVOKED")
        self.assertEqual(self.me(here["accessToken"]).status_code, 200)

    def _own(self, pair):
        rows = self.get(SESSIONS, token=pair["accessToken"]).json()["results"]
        return next(row["id"] for row in rows if row["current"])


class ParallelEnds(CommittingApiTestCase):
    """Ending a session is one act with one event, however many ask for it at once."""

    def test_six_parallel_log_outs_are_one_event(self):
        token = self.log_in(asha())["accessToken"]
        answers = self.in_parallel(6, lambda _: self.post(LOGOUT, token=token))
        self.assertTrue({answer.status_code for answer in answers} <= {200, 401})
        self.assertAudited("session.ended")


class Pages(ApiTestCase):
    """A list comes in pages that a cursor walks through, each row once."""

    def test_a_cursor_walks_through_every_row_once(self):
        person = asha()
        for _ in range(5):
            token = self.log_in(person)["accessToken"]
        seen, url = [], f"{SESSIONS}?pageSize=2"
        while url:
            page = self.get(url, token=token).json()
            seen += [row["id"] for row in page["results"]]
            url = page["next"] and page["next"].removeprefix("http://testserver")
        self.assertEqual(len(seen), 5)
        self.assertEqual(len(set(seen)), 5)

    def test_a_foreign_cursor_or_size_is_a_field_error(self):
        token = self.log_in(asha())["accessToken"]
        positions = (
            b"p=yesterday", b"p=9999999-01-01", b"o=-1", b"r=1&p=\x00", b"p=1e400", b"rubbish", b"o=0", b"p=2026-01-01",
            b"p=2026-01-01 00:00:00", b"p=2026-13-01 00:00:00+00:00", b"q=1&p=2026-01-01+00%3A00%3A00%2B00%3A00",
        )  # fmt: skip
        for cursor in ("x", "%00", *(b64encode(position).decode() for position in positions)):
            response = self.get(f"{SESSIONS}?{urlencode({'cursor': cursor})}", token=token)
            self.assertProblem(response, 400, "VALIDATION_FAILED", field="cursor")
        for size in ("0", "101", "-1", "two", "1e2", "٢", ""):
            response = self.get(f"{SESSIONS}?pageSize={size}", token=token)
            self.assertProblem(response, 400, "VALIDATION_FAILED", field="pageSize")
