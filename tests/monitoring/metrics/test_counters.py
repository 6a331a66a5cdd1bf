"""What people do is counted once each, when it is committed."""

from unittest import TestCase
from uuid import UUID

import pytest
from django.core.cache import caches
from django.db import transaction
from django.test import override_settings

from accounts.sessions.revocation import is_known_revoked, revocation_key
from monitoring.metrics.receivers import connect
from security.audit import Action, Outcome, record
from security.breaker import Breaker
from security.hashing import password_hashed
from security.limits.counting import local_counters
from tests.base import ApiTestCase
from tests.factories import asha
from tests.monitoring.metrics.counting import CountingMixin


class SignIns(CountingMixin, ApiTestCase):
    """Sign-ins and refusals, as the audit log tells of them."""

    def attempts(self, flow, outcome):
        return self.value("kf_auth_attempts_total", flow=flow, outcome=outcome)

    def test_a_sign_in(self):
        self.log_in(asha())
        self.assertEqual(self.attempts("login", "success"), 1)
        self.assertEqual(self.value("kf_security_events_total", kind="session.created"), 1)
        self.assertEqual(self.value("kf_audit_events_total", audit_class="auth", outcome="success"), 1)

    def test_a_wrong_password(self):
        person = asha()
        for _ in range(3):
            self.post("/api/auth/login", {"email": person.email, "password": "wrong"})
        self.assertEqual((self.attempts("login", "refused"), self.attempts("login", "success")), (3, 0))
        self.assertEqual(self.value("kf_refusals_total", code="INVALID_CREDENTIALS"), 3)

    def test_a_lock_out(self):
        person = asha()
        for _ in range(7):
            self.post("/api/auth/login", {"email": person.email, "password": "wrong"})
        self.assertEqual(self.value("kf_auth_lockouts_total"), 1)
        self.assertEqual(self.attempts("login", "refused"), 5)
        self.assertEqual(self.value("kf_refusals_total", code="ACCOUNT_LOCKED"), 2)

    def test_a_refresh_and_a_reuse(self):
        clock = self.stop_the_clock()
        first = self.log_in(asha())["refreshToken"]
        self.assertEqual(self.refresh(first).status_code, 200)
        clock.advance(seconds=60)
        self.assertEqual(self.refresh(first).status_code, 401)
        self.refresh("nonsense")
        outcomes = {
            name: self.value("kf_token_refresh_total", outcome=name) for name in ("success", "reused", "refused")
        }
        self.assertEqual(outcomes, {"success": 1, "reused": 1, "refused": 1})
        self.assertEqual(self.value("kf_token_reuse_detected_total"), 1)

    def test_every_hash_of_a_password(self):
        before = self.value("kf_password_hash_seconds_count")
        self.log_in(asha())
        self.assertGreater(self.value("kf_password_hash_seconds_count"), before)

    def test_the_duration_and_the_wait_of_a_hash(self):
        password_hashed.send(sender=None, seconds=0.7, queued_seconds=0.2)
        self.assertEqual(self.value("kf_password_hash_seconds_sum"), 0.7)
        self.assertEqual(self.value("kf_password_hash_queue_seconds_sum"), 0.2)


@override_settings(RATE_LIMITS=dict.fromkeys(("general", "address", "register", "pages"), "3/15m"))
class Limits(CountingMixin, ApiTestCase):
    """Every request that a limit refuses is counted, by the tier."""

    def setUp(self):
        super().setUp()
        self.stop_the_clock()
        local_counters.clear()
        caches["security"].clear()
        self.addCleanup(local_counters.clear)

    def test_a_refused_request(self):
        for _ in range(5):
            self.get("/api/auth/me", REMOTE_ADDR="203.0.113.90")
        refused = sum(
            s.value for s in self.samples("kf_rate_limit_decisions_total") if s.labels["decision"] == "refused"
        )
        self.assertEqual(refused, 2)
        self.assertEqual(self.value("kf_refusals_total", code="RATE_LIMITED"), 2)

    @override_settings(SLOW_DOWN=True)
    def test_one_that_is_held_back(self):
        for _ in range(2):
            self.get("/api/auth/me", REMOTE_ADDR="203.0.113.91")
        self.assertEqual(self.value("kf_rate_limit_decisions_total", scope="general", decision="slowed"), 1)


class Cache(CountingMixin, TestCase):
    """What the cache was asked, and when it did not answer."""

    def test_hits_misses_and_errors(self):
        asked = Breaker()
        asked.succeeded()
        asked.succeeded(is_found=True)
        for _ in range(2):
            asked.succeeded(is_found=False)
        asked.failed()
        found = {
            result: self.value("kf_cache_requests_total", cache="security", result=result) for result in ("hit", "miss")
        }
        self.assertEqual(found, {"hit": 1, "miss": 2})
        self.assertEqual(self.value("kf_cache_errors_total", cache="security"), 1)

    @pytest.mark.real
    def test_each_request_of_a_session_asks_once(self):
        caches["security"].delete(revocation_key(UUID(int=7)))
        self.assertFalse(is_known_revoked(UUID(int=7)))
        self.assertEqual(self.value("kf_cache_requests_total", cache="security", result="miss"), 1)


class Events(CountingMixin, ApiTestCase):
    """Committed events are counted, once however often we are connected; others are not."""

    def events(self, outcome):
        return self.value("kf_audit_events_total", audit_class="system", outcome=outcome)

    def test_by_its_own_outcome(self):
        with self.captureOnCommitCallbacks(execute=True), transaction.atomic():
            record(Action.KEYS_CREATED, outcome=Outcome.FAILED)
        self.assertEqual((self.events("failed"), self.events("success")), (1, 0))

    def test_a_second_connection_counts_nothing_twice(self):
        connect()
        with self.captureOnCommitCallbacks(execute=True), transaction.atomic():
            record(Action.KEYS_CREATED)
        self.assertEqual(self.events("success"), 1)

    def test_what_is_rolled_back_is_not_counted(self):
        with self.captureOnCommitCallbacks(execute=True), transaction.atomic():
            record(Action.KEYS_CREATED)
            transaction.set_rollback(True)
        self.assertEqual(self.events("success"), 0)
