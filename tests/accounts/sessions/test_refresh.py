"""Rotation of refresh tokens through its URL (RFC 9700 §4.14)."""

import os

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.sessions.models import Session
from security.audit.models import AuditEvent
from tests.base import ApiTestCase, CommittingApiTestCase
from tests.factories import asha

REFRESH = "/api/auth/refresh"
RACE_ROUNDS = int(os.environ.get("KOSHFLOW_RACE_ROUNDS", "5"))


class RefreshTokenRotation(ApiTestCase):
    """Each refresh gives a new pair; the old refresh token is spent."""

    def setUp(self):
        super().setUp()
        self.clock = self.stop_the_clock()

    def test_it_answers_with_a_new_pair_that_works(self):
        first = self.log_in(asha())
        self.clock.advance(seconds=60)
        second = self.refresh(first["refreshToken"]).json()
        self.assertEqual(set(second), {"accessToken", "refreshToken", "tokenType", "expiresIn"})
        self.assertNotEqual(second["refreshToken"], first["refreshToken"])
        self.assertEqual(self.me(second["accessToken"]).status_code, 200)
        self.assertAudited("session.refreshed")

    def test_the_access_token_from_before_stays_good_until_it_expires(self):
        first = self.log_in(asha())
        self.clock.advance(seconds=60)
        self.refresh(first["refreshToken"])
        self.assertEqual(self.me(first["accessToken"]).status_code, 200)
        self.clock.advance(seconds=900)
        self.assertProblem(self.me(first["accessToken"]), 401, "TOKEN_EXPIRED")

    def test_it_takes_two_statements_on_postgresql_and_four_on_sqlite(self):
        first = self.log_in(asha())
        self.clock.advance(seconds=60)
        with CaptureQueriesContext(connection) as queries:
            self.refresh(first["refreshToken"])
        statements = [q["sql"] for q in queries if "SAVEPOINT" not in q["sql"] and q["sql"] not in ("BEGIN", "COMMIT")]
        self.assertEqual(len(statements), 2 if connection.vendor == "postgresql" else 4, statements)

    def test_a_retry_within_the_grace_gets_the_same_successor(self):
        first = self.log_in(asha())
        self.clock.advance(seconds=60)
        second = self.refresh(first["refreshToken"]).json()
        self.clock.advance(seconds=10)
        self.assertEqual(self.refresh(first["refreshToken"]).json(), second)
        self.assertEqual(Session.objects.get().counter, 1)

    def test_a_replay_after_the_grace_is_refused_and_closes_the_session(self):
        person = asha()
        first = self.log_in(person)
        self.clock.advance(seconds=60)
        second = self.refresh(first["refreshToken"]).json()
        self.clock.advance(seconds=11)
        self.assertProblem(self.refresh(first["refreshToken"]), 401, "REFRESH_TOKEN_REUSED")
        self.assertProblem(self.me(second["accessToken"]), 401, "TOKEN_REVOKED")
        self.assertProblem(self.refresh(second["refreshToken"]), 401, "REFRESH_TOKEN_REVOKED")
        self.assertAudited("refresh_token.reused", actor=person)

    def test_a_grandparent_is_a_replay_even_within_the_grace(self):
        first = self.log_in(asha())
        second = self.refresh(first["refreshToken"]).json()
        self.refresh(second["refreshToken"])
        self.assertProblem(self.refresh(first["refreshToken"]), 401, "REFRESH_TOKEN_REUSED")

    def test_another_persons_session_is_not_touched_by_a_replay(self):
        first, neighbour = self.log_in(asha()), self.log_in(asha())
        second = self.refresh(first["refreshToken"]).json()
        self.refresh(second["refreshToken"])
        self.refresh(first["refreshToken"])
        self.assertEqual(self.me(neighbour["accessToken"]).status_code, 200)

    def test_an_access_token_is_no_refresh_token_and_the_other_way_round(self):
        pair = self.log_in(asha())
        self.assertProblem(self.refresh(pair["accessToken"]), 401, "REFRESH_TOKEN_INVALID")
        self.assertProblem(self.me(pair["refreshToken"]), 401, "TOKEN_INVALID")

    def test_junk_is_refused_and_marked(self):
        self.assertProblem(self.refresh("junk"), 401, "REFRESH_TOKEN_INVALID")
        self.assertAudited("session.refresh_refused")

    def test_a_missing_or_blank_token_is_its_own_code(self):
        self.assertProblem(self.post(REFRESH, {}), 400, "REFRESH_TOKEN_REQUIRED")
        self.assertProblem(self.post(REFRESH, {"refreshToken": ""}), 400, "REFRESH_TOKEN_REQUIRED")

    def test_seven_days_are_the_end_however_often_one_refreshes(self):
        pair = self.log_in(asha())
        for _ in range(6):
            self.clock.advance(seconds=24 * 3600)
            pair = self.refresh(pair["refreshToken"]).json()
        self.clock.advance(seconds=24 * 3600 + 6)
        self.assertProblem(self.refresh(pair["refreshToken"]), 401, "REFRESH_TOKEN_INVALID")

    def test_no_refresh_token_outlives_the_session(self):
        import jwt

        pair = self.log_in(asha())
        self.clock.advance(seconds=24 * 3600)
        claims = jwt.decode(
            self.refresh(pair["refreshToken"]).json()["refreshToken"], options={"verify_signature": False}
        )
        self.assertEqual(claims["exp"], int(Session.objects.get().absolute_until.timestamp()))

    def test_a_deactivated_person_gets_no_new_pair(self):
        person = asha()
        pair = self.log_in(person)
        person.is_active = False
        person.save()
        self.assertProblem(self.refresh(pair["refreshToken"]), 401, "REFRESH_TOKEN_INVALID")

    def test_a_deleted_person_is_401_not_500(self):
        person = asha()
        pair = self.log_in(person)
        person.delete()
        self.assertProblem(self.refresh(pair["refreshToken"]), 401, "REFRESH_TOKEN_INVALID")
        self.assertProblem(self.me(pair["accessToken"]), 401, "SESSION_INVALID")

    def test_the_tokens_carry_no_role_and_no_email(self):
        import jwt

        person = asha()
        pair = self.log_in(person)
        for token in (pair["accessToken"], pair["refreshToken"]):
            claims = jwt.decode(token, options={"verify_signature": False})
            self.assertNotIn("role", claims)
            self.assertNotIn(person.email, str(claims))


class ParallelRefreshes(CommittingApiTestCase):
    """Of parallel refreshes of one token exactly one rotates, and all get the same successor."""

    @pytest.mark.timeout(120 + 5 * RACE_ROUNDS)
    def test_twenty_parallel_refreshes_have_one_successor(self):
        person = asha()
        for _ in range(RACE_ROUNDS):
            pair = self.log_in(person)
            answers = self.in_parallel(20, lambda number, token=pair["refreshToken"]: self.refresh(token))
            self.assertEqual({answer.status_code for answer in answers}, {200})
            self.assertEqual(len({answer.json()["refreshToken"] for answer in answers}), 1)
        self.assertEqual(set(Session.objects.values_list("counter", flat=True)), {1})
        rotations = [
            e for e in AuditEvent.objects.filter(type="session.refreshed") if b'"repeated":false' in bytes(e.leaf)
        ]
        self.assertEqual(len(rotations), RACE_ROUNDS)
