"""Django system checks of ours."""

from unittest.mock import patch

import pytest
import time_machine
from django.conf import settings
from django.core.checks import run_checks
from django.test import SimpleTestCase, override_settings

from security.wellknown.security_txt import RELEASED_ON

pytestmark = pytest.mark.embedded


def found() -> set[str]:
    """Ids of our messages under the present settings."""
    return {message.id for message in run_checks(tags=["security"]) if message.id.startswith("koshflow.")}


class SystemChecks(SimpleTestCase):
    """Each combination that would quietly break a promise is an error, or a warning, with an id."""

    def setUp(self):
        # A release grows old, and security.txt then says so: on another day, each of these would be told of it too.
        self.enterContext(time_machine.travel(RELEASED_ON))

    def test_the_settings_as_they_stand_pass(self):
        self.assertEqual(found(), set())

    def test_fewer_than_eight_threads(self):
        with override_settings(WEB_THREADS=7):
            self.assertEqual(found(), {"koshflow.E001"})

    def test_several_workers_without_a_shared_store(self):
        with override_settings(WEB_WORKERS=2, IS_CACHE_SHARED=False):
            self.assertEqual(found(), {"koshflow.E002"})
        with override_settings(WEB_WORKERS=2, IS_CACHE_SHARED=True, IS_POSTGRESQL=True):
            self.assertEqual(found(), set())

    def test_a_transaction_around_the_request(self):
        with patch.dict(settings.DATABASES["default"], ATOMIC_REQUESTS=True):
            self.assertEqual(found(), {"koshflow.E003"})

    def test_a_hasher_outside_the_queue(self):
        with override_settings(PASSWORD_HASHERS=["django.contrib.auth.hashers.BCryptPasswordHasher"]):
            self.assertEqual(found(), {"koshflow.E004"})

    def test_networks_of_proxies_in_which_clients_live_too(self):
        for wide in ("10.0.0.0/8", "10.0.0.0/15", "0.0.0.0/0", "2001:db8::/47", "::/0"):
            with self.subTest(wide), override_settings(TRUSTED_PROXIES=["192.0.2.7", wide]):
                self.assertEqual(found(), {"koshflow.W001"})
        with override_settings(TRUSTED_PROXIES=["192.0.2.7", "10.1.0.0/16", "2001:db8:1::/48", "::1"]):
            self.assertEqual(found(), set())

    def test_a_witness_whose_key_is_none(self):
        for entry in ("https://witness.example.in nonsense", "https://witness.example.in"):
            with self.subTest(entry), override_settings(AUDIT_WITNESSES=[entry]):
                self.assertEqual(found(), {"koshflow.E005"})

    def test_a_class_of_events_kept_for_less_than_its_floor(self):
        for entry in ("noise=179", "books=365", "everything=9999", "noise", "noise=", "noise=-1", "noise=٣٦٥"):
            with self.subTest(entry), override_settings(AUDIT_RETENTION_DAYS=["auth=366", entry]):
                self.assertEqual(found(), {"koshflow.E006"})
        with override_settings(AUDIT_RETENTION_DAYS=["auth=366", " noise=365 "]):
            self.assertEqual(found(), set())

    def test_a_syslog_receiver_that_nothing_can_be_sent_to(self):
        for url, authorities in (("siem.example.in", ""), ("tls://siem.example.in:6514", "/nowhere/ca.pem"),
                                 ("tls://siem.example.in:6514", __file__)):  # fmt: skip
            with self.subTest(url), override_settings(AUDIT_SYSLOG=url, AUDIT_SYSLOG_CA=authorities):
                self.assertEqual(found(), {"koshflow.E007"})
        with override_settings(AUDIT_SYSLOG="tls://siem.example.in:6514"):
            self.assertEqual(found(), set())
