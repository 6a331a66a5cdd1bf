"""Settings: every mistake named at once, secrets never shown, and production refuses what is weak."""

import os
import re
import subprocess
import tempfile
from pathlib import Path
from unittest import TestCase, mock

import pytest

from koshflow.env import read_environment, template
from koshflow.settings.guard import mistakes, weaknesses
from koshflow.variable import REQUIRED
from koshflow.variables import VARIABLES
from tests import warm
from tests.production_check import production_environment

pytestmark = pytest.mark.embedded  # processes with settings of their own

SECRET = "leaked-" + "s" * 20
WITNESS = "https://witness.example.in witness.example.in+0d7d7b34+" + "A" * 44


def run_manage(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    base = {"PATH": os.environ["PATH"]}
    return warm.python(["manage.py", *arguments], base | environment)


class Environment(TestCase):
    """What is missing or malformed is one line each, and no line holds a value."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.environment = production_environment(folder.name)

    def test_a_bare_command_names_each_missing_variable_and_the_template(self):
        answer = run_manage({}, "check")
        self.assertEqual(answer.returncode, 78)
        for name in ("SECRET_KEY", "KEYRING", "DATABASE_URL", "REDIS_URL", "ALLOWED_HOSTS", "PUBLIC_URL", "WEB_URL"):
            self.assertIn(f"koshflow: {name}: is not set.", answer.stderr)
        self.assertIn(".env.example", answer.stderr)
        self.assertNotIn("Traceback", answer.stderr)

    def test_malformed_values_are_named_together_and_not_echoed(self):
        wrong = {"SECRET_KEY": SECRET, "BCRYPT_ROUNDS": SECRET, "KOSHFLOW_DATA_DIR": str(self.folder)}
        answer = run_manage(self.environment | wrong, "check")
        self.assertEqual(answer.returncode, 78)
        self.assertIn("SECRET_KEY: is shorter than 50 characters.", answer.stderr)
        self.assertIn("BCRYPT_ROUNDS: cannot be read.", answer.stderr)
        self.assertNotIn(SECRET, answer.stderr + answer.stdout)

    def test_an_unknown_environment_is_refused(self):
        answer = run_manage(self.environment | {"KOSHFLOW_ENV": "staging"}, "check")
        self.assertIn("KOSHFLOW_ENV: must be one of production, local, test.", answer.stderr)

    def test_a_secret_may_come_from_a_file(self):
        file = self.folder / "key"
        file.write_text(self.environment.pop("SECRET_KEY") + "\n")
        answer = run_manage(self.environment | {"SECRET_KEY_FILE": str(file)}, "check")
        self.assertEqual(answer.returncode, 0, answer.stderr)

    def test_a_file_that_is_not_there_is_named(self):
        self.environment.pop("SECRET_KEY")
        answer = run_manage(self.environment | {"SECRET_KEY_FILE": "/nowhere/key"}, "check")
        self.assertEqual(answer.returncode, 78)
        self.assertIn("SECRET_KEY", answer.stderr)

    def test_production_starts_with_a_complete_environment(self):
        answer = run_manage(self.environment, "check", "--deploy", "--fail-level", "WARNING")
        self.assertEqual(answer.returncode, 0, answer.stderr)

    def test_a_dsn_may_come_from_a_file_and_without_its_packages_one_line_says_what_to_install(self):
        (self.folder / "dsn").write_text("https://leaked@sentry.example.in/42\n")
        told = self.environment | {"SENTRY_DSN_FILE": str(self.folder / "dsn")}
        self.assertEqual(run_manage(told, "check").returncode, 0)
        (self.folder / "sitecustomize.py").write_text("import sys\nsys.modules['sentry_sdk'] = None\n")
        answer = run_manage(told | {"PYTHONPATH": str(self.folder)}, "check")
        self.assertEqual(answer.returncode, 78)
        self.assertRegex(answer.stderr, r"^koshflow: SENTRY_DSN: .*requirements/sentry\.txt")
        self.assertNotIn("Traceback", answer.stderr)
        self.assertNotIn("leaked", answer.stderr)
        self.assertEqual(run_manage(self.environment | {"PYTHONPATH": str(self.folder)}, "check").returncode, 0)

    def test_production_refuses_a_plain_connection_to_the_database(self):
        url = self.environment["DATABASE_URL"].replace("verify-full", "require")
        answer = run_manage(self.environment | {"DATABASE_URL": url}, "check")
        self.assertEqual(answer.returncode, 78)
        self.assertIn("sslmode=verify-full", answer.stderr)
        self.assertNotIn("invented", answer.stderr)


class Mistakes(TestCase):
    """A value that means nothing stops the start in every environment, with a word that names it."""

    SOUND = {
        "TRUSTED_PROXIES": ["10.0.4.0/24", "192.0.2.7", "2001:db8::/48"],
        "OPERATOR_NETWORKS": [],
        "AUDIT_WITNESSES": [WITNESS, f" http://[::1]:8790/w1  {WITNESS.split()[1]}"],
        "AUDIT_RETENTION_DAYS": ["auth=730", " noise=365"],
        "EMAIL_URL": "submission://mailer:invented@mail.example.in",
        "AUDIT_SYSLOG": "tls://siem.example.in:6514",
        "SCREENING_THRESHOLD": 5,
        "SLOW_QUERY_MS": 200,
        "DATABASE_POOL": 0,
        "DRAIN_SECONDS": 5,
        "BACKUP_MAX_AGE_HOURS": 26,
        "RATE_LIMIT_GENERAL": "100/15m",
        "ALERT_PRIVATE_NETWORKS": [],
        "ALERT_MAIL_TO": ["ops@example.in"],
        "ALERT_WEBHOOK_URL": "https://hooks.example.in/koshflow",
        "ALERT_WEBHOOK_SECRETS": ["whsec_" + "A" * 32, "whsec_" + "A" * 42 + "=="],
        "ALERT_SLACK_URL": "",
        "ALERT_PAGERDUTY_URL": "https://events.pagerduty.com/v2/enqueue",
        "ALERT_HEARTBEAT_URL": "",
        "SENTRY_DSN": "",
    }

    def named(self, **changed):
        return [found.split(":")[0] for found in mistakes(self.SOUND | changed)]

    def test_sound_values_pass(self):
        self.assertEqual(self.named(), [])
        self.assertEqual(self.named(EMAIL_URL="", RATE_LIMIT_GENERAL="5/s"), [])

    def test_what_is_no_network(self):
        found = self.named(TRUSTED_PROXIES=["proxy.example.in"], OPERATOR_NETWORKS=["10.0.0.0/99", "*"])
        self.assertEqual(found, ["TRUSTED_PROXIES", "OPERATOR_NETWORKS", "OPERATOR_NETWORKS"])

    def test_what_is_no_time_and_no_pool(self):
        self.assertEqual(self.named(SLOW_QUERY_MS=0, DATABASE_POOL=-1), ["SLOW_QUERY_MS", "DATABASE_POOL"])

    def test_a_drain_that_nobody_would_wait_for(self):
        for seconds in (-1, 121):
            self.assertEqual(self.named(DRAIN_SECONDS=seconds), ["DRAIN_SECONDS"])

    def test_what_is_no_age_of_a_backup(self):
        for hours in (0, 721):
            self.assertEqual(self.named(BACKUP_MAX_AGE_HOURS=hours), ["BACKUP_MAX_AGE_HOURS"])

    def test_a_scheme_that_would_send_mail_in_clear(self):
        for scheme in ("smtp+tls", "smtps", "console"):
            self.assertEqual(self.named(EMAIL_URL=f"{scheme}://mail.example.in"), ["EMAIL_URL"])

    def test_what_is_no_rate(self):
        for rate in ("0/15m", "100", "100/15", "-1/m", "ten/1h"):
            self.assertEqual(self.named(RATE_LIMIT_GENERAL=rate), ["RATE_LIMIT_GENERAL"])

    def test_what_is_no_witness(self):
        url, key = WITNESS.split()
        for entry in ("", url, key, f"{key} {url}", f"ftp://w.example.in {key}", f"{url}?x {key}", f"{url} {key} {key}",
                      f"https://u:p@w.example.in {key}"):  # fmt: skip
            with self.subTest(entry):
                self.assertEqual(self.named(AUDIT_WITNESSES=[WITNESS, entry]), ["AUDIT_WITNESSES"])

    def test_what_is_no_class_and_days(self):
        for entry in ("", "noise", "365", "noise=", "noise=365d", "noise=-1", "noise=٣٦٥", "noise=100000"):
            with self.subTest(entry):
                self.assertEqual(self.named(AUDIT_RETENTION_DAYS=["auth=730", entry]), ["AUDIT_RETENTION_DAYS"])

    def test_what_is_no_syslog_receiver(self):
        for url in ("udp://192.0.2.7:514", "tcp://[2001:db8::7]:601", "tls://siem:6514", ""):
            self.assertEqual(self.named(AUDIT_SYSLOG=url), [], url)
        for url in ("siem.example.in:6514", "tls://siem.example.in", "tls://siem.example.in:0", "tls://siem:65536",
                    "http://siem.example.in:80", "tls://u:p@siem.example.in:6514", "tls://siem.example.in:6514/x",
                    "tls://siem example:6514", "tls://:6514", "tls://siem.example.in:6514 "):  # fmt: skip
            with self.subTest(url):
                self.assertEqual(self.named(AUDIT_SYSLOG=url), ["AUDIT_SYSLOG"])
                self.assertNotIn(url, str(mistakes(self.SOUND | {"AUDIT_SYSLOG": url})))

    def test_receivers_of_alerts_that_would_not_do(self):
        for url in (
            "http://hooks.example.in/",
            "hooks.example.in",
            "ftp://hooks.example.in/",
            "https://u:p@example.in/",
        ):
            for name in ("ALERT_WEBHOOK_URL", "ALERT_SLACK_URL", "ALERT_PAGERDUTY_URL", "ALERT_HEARTBEAT_URL"):
                with self.subTest(name, url=url):
                    self.assertEqual(self.named(**{name: url}), [name])
        inside = {"ALERT_SLACK_URL": "http://10.0.7.3/", "ALERT_PRIVATE_NETWORKS": ["10.0.7.0/28"]}
        self.assertEqual(self.named(**inside), [])
        self.assertEqual(self.named(ALERT_MAIL_TO=["ops"]), ["ALERT_MAIL_TO"])

    def test_what_is_no_dsn(self):
        for dsn in (
            "https://k1@s.example.in/42",
            "https://k1:s2@s.example.in:9000/a/b/42",
            "http://k1@127.0.0.1:9000/1",
        ):
            self.assertEqual(self.named(SENTRY_DSN=dsn), [], dsn)
        for dsn in (
            "http://leaked@s.example.in/42",
            "https://s.example.in/42",
            "https://leaked@s.example.in/",
            "https://leaked@s.example.in/team",
            "https://leaked@[::1]:9000/42",
            "https://leaked@s.example.in:99999/42",
            "ftp://leaked@s.example.in/42",
            "https://leaked@s.example.in/42?x=1",
            "https://leaked@[s/42",
            "leaked",
        ):
            with self.subTest(dsn):
                [found] = mistakes(self.SOUND | {"SENTRY_DSN": dsn})
                self.assertTrue(found.startswith("SENTRY_DSN: must be "))
                self.assertNotIn("leaked", found)

    def test_secrets_of_webhooks_that_are_none(self):
        self.assertEqual(self.named(ALERT_WEBHOOK_SECRETS=[]), ["ALERT_WEBHOOK_SECRETS"])
        for secret in ("plain", "whsec_short", "A" * 32):
            [found] = mistakes(self.SOUND | {"ALERT_WEBHOOK_SECRETS": [secret]})
            self.assertNotIn(secret, found)

    def test_a_threshold_that_blocks_everyone_or_nobody(self):
        for threshold in (2, 21):
            self.assertEqual(self.named(SCREENING_THRESHOLD=threshold), ["SCREENING_THRESHOLD"])


class Template(TestCase):
    """`.env.example` says of each line whether it is the default, an invented example, or required."""

    def setUp(self):
        found = re.findall(r"^# \[(\w+)(?:; else (.+?))?\] .*\n(#?)(\w+)=(.*)$", template(), re.MULTILINE)
        self.lines = {name: (mark, default, hash_, value) for mark, default, hash_, name, value in found}

    def test_every_variable_is_marked(self):
        self.assertEqual(self.lines.keys(), VARIABLES.keys())
        self.assertEqual({mark for mark, *_ in self.lines.values()}, {"default", "example", "required"})

    def test_only_what_is_required_stands_without_a_hash(self):
        for name, (mark, _, hash_, value) in self.lines.items():
            is_required = VARIABLES[name].default is REQUIRED
            self.assertEqual((mark == "required", hash_ == ""), (is_required, is_required), name)
            if is_required:
                self.assertEqual(value, VARIABLES[name].example)

    def test_what_is_called_the_default_holds_without_the_line(self):
        required = {name: value or "k" * 100 for name, (mark, _, _, value) in self.lines.items() if mark == "required"}
        given = {name: value for name, (mark, _, _, value) in self.lines.items() if mark == "default"}
        with mock.patch.dict(os.environ, required, clear=True):
            without = read_environment()
        with mock.patch.dict(os.environ, required | given, clear=True):
            self.assertEqual(read_environment(), without)
        elsewise = {name: default for name, (mark, default, *_) in self.lines.items() if mark == "example"}
        self.assertEqual(elsewise.pop("KOSHFLOW_DATA_DIR"), "var")
        self.assertEqual(set(elsewise.values()), {"none"})
        self.assertTrue(all(not without[name] for name in elsewise))


class Weaknesses(TestCase):
    """The rules of production, one by one."""

    STRONG = {
        "ALLOWED_HOSTS": ["api.example.in"],
        "CORS_ALLOWED_ORIGINS": ["https://app.example.in"],
        "PUBLIC_URL": "https://api.example.in",
        "WEB_URL": "https://app.example.in",
        "AUDIT_WITNESSES": [WITNESS, WITNESS.replace("https://witness.example.in", "http://127.0.0.1:8790", 1)],
        "DATABASE_URL": "postgres://u:p@db.example.in/k?sslmode=verify-full",
        "REDIS_URL": "rediss://cache.example.in/0",
        "BCRYPT_ROUNDS": 14,
        "WEB_THREADS": 8,
    }

    def test_a_strong_environment_has_none(self):
        self.assertEqual(weaknesses(self.STRONG), [])

    def test_unix_sockets_need_no_tls(self):
        local = {"DATABASE_URL": "postgres://u@%2Fvar%2Frun%2Fpostgresql/k", "REDIS_URL": "unix:///run/redis.sock"}
        self.assertEqual(weaknesses(self.STRONG | local), [])

    def test_each_weakness_is_named(self):
        for name, value in {
            "ALLOWED_HOSTS": ["*"],
            "CORS_ALLOWED_ORIGINS": ["*"],
            "PUBLIC_URL": "http://api.example.in",
            "WEB_URL": "http://app.example.in",
            "AUDIT_WITNESSES": [WITNESS.replace("https", "http", 1)],
            "DATABASE_URL": "sqlite:///var/db",
            "REDIS_URL": "redis://cache.example.in/0",
            "BCRYPT_ROUNDS": 9,
            "WEB_THREADS": 7,
        }.items():
            with self.subTest(name):
                (found,) = weaknesses(self.STRONG | {name: value})
                self.assertTrue(found.startswith(f"{name}: "), found)

    def test_every_form_of_weak_tls_to_the_database(self):
        for query in ("", "?sslmode=disable", "?sslmode=prefer", "?sslmode=require", "?sslmode=verify-ca",
                      "?sslmode=verify-full&sslmode=disable"):  # fmt: skip
            with self.subTest(query):
                url = f"postgres://u:p@db.example.in/k{query}"
                self.assertEqual(len(weaknesses(self.STRONG | {"DATABASE_URL": url})), 1)
