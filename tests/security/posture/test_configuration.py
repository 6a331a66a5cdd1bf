"""Each configuration rule finds the fault it is for, and nothing else; a sound installation is silent."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from unittest.mock import patch

import pytest
from django.conf import settings
from django.test import SimpleTestCase, override_settings

from security.crypto.keyring import generate
from security.posture.registry import Reads, rules
from tests.security.posture.plants import POSTGRESQL, REDIS, configured, production

pytestmark = pytest.mark.embedded

_TOKEN = "k3Jq9-vXw2_Lr8TzB6nYc4Hd7FgMs5Pa"
_OPEN_POLICY = {"DIRECTIVES": {**settings.CONTENT_SECURITY_POLICY["DIRECTIVES"], "script-src": ["'unsafe-inline'"]}}
_ROOT_DEBUG = {**settings.LOGGING, "root": {"level": "DEBUG"}}

# Rule: the settings that plant its fault, one at a time.
SETTINGS: dict[str, list[dict]] = {
    "KF.S001": [{"DEBUG": True}],
    "KF.S002": [{"ALLOWED_HOSTS": ["*"]}, {"ALLOWED_HOSTS": ["api.example.in", ".example.in"]}],
    "KF.S003": [{"PUBLIC_URL": "http://api.example.in"}, {"WEB_URL": "http://app.example.in"}],
    "KF.S004": [
        {"CORS_ALLOWED_ORIGINS": ["https://*.example.in"]},
        {"CORS_ALLOWED_ORIGINS": ["null"]},
        {"CORS_ALLOW_ALL_ORIGINS": True},
        {"CORS_ALLOWED_ORIGIN_REGEXES": [r".*"]},
    ],
    "KF.S005": [{"CORS_ALLOWED_ORIGINS": ["http://app.example.in"]}],
    "KF.S006": [
        {"SESSION_COOKIE_NAME": "sessionid"},
        {"CSRF_COOKIE_SECURE": False},
        {"SESSION_COOKIE_HTTPONLY": False},
        {"CSRF_COOKIE_SAMESITE": "None"},
    ],
    "KF.S007": [{"SECURE_HSTS_SECONDS": 31_535_999}],
    "KF.S008": [{"CONTENT_SECURITY_POLICY": _OPEN_POLICY}, {"CONTENT_SECURITY_POLICY": {"DIRECTIVES": {}}}],
    "KF.S009": [{"API_DOCS_PUBLIC": True}],
    "KF.S010": [
        {"OPERATOR_NETWORKS": ["10.0.0.0/15"]},
        {"OPERATOR_NETWORKS": ["::/0"]},
        {"OPERATOR_NETWORKS": ["127.0.0.1/32"]},
        {"OPERATOR_NETWORKS": ["::1/128"], "TRUSTED_PROXIES": ["127.0.0.1/32"]},
    ],
    "KF.S011": [
        {"SECRET_KEY": _TOKEN},
        {"SECRET_KEY": "ab" * 40},
        {"SECRET_KEY": "django-insecure-" + _TOKEN * 2},
        {"SECRET_KEY_FALLBACKS": ["short"]},
    ],
    "KF.S012": [{"OPERATOR_TOKEN": _TOKEN[:31]}, {"OPERATOR_TOKEN": "t" * 40}, {"OPERATOR_TOKEN": "changeme" + _TOKEN}],
    "KF.S013": [{"SECRET_KEY": _TOKEN * 2, "OPERATOR_TOKEN": _TOKEN * 2}],
    "KF.S018": [
        {"CACHES": {"default": {**REDIS, "LOCATION": "redis://:invented@cache.example.in"}}},
        {"CACHES": {"default": {**REDIS, "LOCATION": "rediss://:invented@cache.example.in?ssl_cert_reqs=none"}}},
    ],
    "KF.S019": [{"CACHES": {"default": {**REDIS, "LOCATION": "rediss://cache.example.in:6379/0"}}}],
    "KF.S020": [{"CACHES": {"default": {**REDIS, "OPTIONS": {}}}}],
    "KF.S021": [{"EMAIL_USE_TLS": False}],
    "KF.S022": [{"BCRYPT_ROUNDS": 11}],
    "KF.S023": [{"ACCESS_TOKEN_SECONDS": 901}, {"SESSION_ABSOLUTE_SECONDS": 7 * 24 * 3600 + 1}],
    "KF.S024": [{"LOCKOUT_LIMIT": 11}, {"LOCKOUT_WINDOW_SECONDS": 899}],
    "KF.S025": [
        {"REST_FRAMEWORK": {**settings.REST_FRAMEWORK, "DEFAULT_PERMISSION_CLASSES": []}},
        {
            "REST_FRAMEWORK": {
                **settings.REST_FRAMEWORK,
                "DEFAULT_AUTHENTICATION_CLASSES": ["rest_framework.authentication.SessionAuthentication"],
            }
        },
    ],
    "KF.S026": [{"SILENCED_SYSTEM_CHECKS": ["KF.S001"]}, {"SILENCED_SYSTEM_CHECKS": ["koshflow.E003"]}],
    "KF.S027": [{"LOGGING": _ROOT_DEBUG}],
}


@contextmanager
def database(**changed: object) -> Iterator[None]:
    with patch.dict(settings.DATABASES, default={**POSTGRESQL, **changed}):
        yield


@contextmanager
def installed(**releases: str) -> Iterator[None]:
    with patch("security.posture.packages.version", lambda name: releases.get(name, "9999.1")):
        yield


@contextmanager
def key_ring(text: str) -> Iterator[None]:
    with override_settings(KEYRING=text):
        yield


def aged(created: str) -> str:
    """A fresh ring whose keys were made at `created`."""
    ring = generate()
    made = ring.split('"created": "')[1].split('"')[0]
    return ring.replace(made, created)


# The same for what is no plain setting.
OTHERS = {
    "KF.S016": [database(ENGINE="django.db.backends.sqlite3")],
    "KF.S017": [database(OPTIONS={"sslmode": "verify-ca"}), database(OPTIONS={})],
    "KF.S028": [installed(Django="5.2.10"), installed(PyJWT="2.12.1"), installed(gunicorn="22.0")],
    "KF.S029": [patch.dict("security.posture.packages.PYTHON_ENDS", {sys.version_info[:2]: date(2026, 11, 23)})],
    "KF.S015": [key_ring(aged("2025-10-19T05:00:00Z"))],
}
ELSEWHERE = {
    "KF.S014": "test_a_ring_that_is_none",
    "KF.S030": "tests/security/posture/test_files.py",
    "KF.S031": "tests/security/posture/test_files.py",
    "KF.S032": "tests/security/posture/test_files.py",
}


@patch.dict("security.posture.packages.PYTHON_ENDS", {sys.version_info[:2]: date.max})  # the day will come
class Configuration(SimpleTestCase):
    """A fault in the configuration is found under its own id, and sound settings are silent."""

    def test_a_sound_production_installation_is_silent(self):
        with production():
            self.assertEqual(configured(), set())

    def test_the_settings_as_they_stand_are_silent(self):
        with override_settings(BASE_DIR=settings.BASE_DIR / "nowhere", DATA_DIR=settings.BASE_DIR / "nowhere"):
            self.assertEqual(configured(), set())

    def test_every_rule_has_its_fault_here(self):
        planted = [*SETTINGS, *OTHERS, *ELSEWHERE]
        self.assertEqual(sorted(planted), [r.id for r in rules() if r.reads is Reads.CONFIGURATION])

    def test_each_setting_gone_wrong_is_found_alone(self):
        for id_, faults in SETTINGS.items():
            for fault in faults:
                with self.subTest(id_, fault=fault), production(**fault):
                    self.assertEqual(configured(), {id_})

    def test_stores_packages_and_keys_gone_wrong_are_found_alone(self):
        for id_, faults in OTHERS.items():
            for number, fault in enumerate(faults):
                with self.subTest(id_, number=number), production(), fault:
                    self.assertEqual(configured(), {id_})

    def test_a_ring_that_is_none(self):
        """It is found, and what reads the ring says that it could not."""
        rule = {rule.id: rule for rule in rules()}
        with production(KEYRING="{}"):
            self.assertEqual([fault.subject for fault in rule["KF.S014"].question()], ["KEYRING"])
            with self.assertRaisesMessage(Exception, "the key ring cannot be read"):
                list(rule["KF.S015"].question())


class Neighbours(SimpleTestCase):
    """What comes close to a fault and is none."""

    def test_a_unix_socket_needs_no_tls_and_redis_behind_one_no_password(self):
        socket = {**REDIS, "LOCATION": "unix:///run/redis.sock?db=1"}
        with production(CACHES={"default": socket}), database(HOST="/run/postgresql", OPTIONS={}):
            self.assertEqual(configured(), set())

    def test_networks_of_a_machine_room(self):
        with production(OPERATOR_NETWORKS=["10.0.0.0/16", "2001:db8::/48"]):
            self.assertEqual(configured(), set())

    def test_this_host_where_its_proxy_tells_whom_it_speaks_for(self):
        with production(OPERATOR_NETWORKS=["127.0.0.1/32"], TRUSTED_PROXIES=["127.0.0.1"]):
            self.assertEqual(configured(), set())

    def test_no_token_for_operators_and_a_key_in_hexadecimal(self):
        with production(OPERATOR_TOKEN="", SECRET_KEY="0123456789abcdef9f8e7d6c5b4a39281706f5e4d3c2b1a0" * 2):
            self.assertEqual(configured(), set())

    def test_a_key_of_400_days(self):
        with production(KEYRING=aged("2025-10-20T05:00:00Z")):
            self.assertEqual(configured(), set())

    def test_a_relay_on_this_host(self):
        with production(EMAIL_HOST="localhost", EMAIL_USE_TLS=False):
            self.assertEqual(configured(), set())

    def test_releases_are_compared_by_number(self):
        with production(), installed(Django="5.10", PyJWT="2.13", gunicorn="23.0.0.post1"):
            self.assertEqual(configured(), set())

    def test_a_python_on_its_last_day(self):
        last_day = {sys.version_info[:2]: date(2026, 11, 24)}
        with production(), patch.dict("security.posture.packages.PYTHON_ENDS", last_day):
            self.assertEqual(configured(), set())

    def test_a_newer_python_than_the_table_knows(self):
        with production(), patch.object(sys, "version_info", (3, 99, 0)):
            self.assertEqual(configured(), set())

    def test_production_rules_are_not_asked_elsewhere(self):
        with production(ENVIRONMENT="local", ALLOWED_HOSTS=["*"], BCRYPT_ROUNDS=4, SECRET_KEY="short"):
            self.assertEqual(configured(), set())

    def test_no_secret_is_repeated(self):
        with production(SECRET_KEY=_TOKEN, OPERATOR_TOKEN=_TOKEN):
            said = [fault for rule in rules() if rule.id in {"KF.S011", "KF.S013"} for fault in rule.question()]
            self.assertEqual(len(said), 2)
            self.assertNotIn(_TOKEN, str(said))
