"""A URL that cannot be taken apart is one line, and no password that stands in it is told to a terminal or a log."""

from unittest import TestCase

import pytest

from koshflow.settings.guard import mistakes, unreadable
from tests.koshflow import test_settings

pytestmark = pytest.mark.embedded

SOUND = test_settings.Mistakes.SOUND
SECRET = "canary-4711"
SPOILT = {
    "PUBLIC_URL": "https://[books.example.in",
    "WEB_URL": "https://books.example.in:port/",
    "DATABASE_URL": f"postgres://koshflow:{SECRET}/x@db.example.in/koshflow",
    "REDIS_URL": f"redis://:{SECRET}#@cache.example.in:6379/0",
    "EMAIL_URL": f"submission://koshflow:{SECRET}/x@mail.example.in:587",
    "ALERT_WEBHOOK_URL": "https://[hooks.example.in/",
    "ALERT_HEARTBEAT_URL": "https://watch.example.in:99999/",
    "AUDIT_WITNESSES": ["https://[witness.example.in w+00000000+AAAA"],
}


class UrlsThatAreNone(TestCase):
    def test_each_is_named_and_none_is_quoted(self):
        for name, value in SPOILT.items():
            with self.subTest(name):
                [found] = unreadable(SOUND | {name: value})
                self.assertTrue(found.startswith(f"{name}: cannot be read as a URL"), found)
                self.assertNotIn("example", found)
        self.assertEqual(len(unreadable(SPOILT)), len(SPOILT))

    def test_sound_ones_pass(self):
        good = {
            "DATABASE_URL": "postgres://koshflow:p%2Fw@%2Frun%2Fpostgresql/koshflow",
            "REDIS_URL": "unix:///run/redis.sock?db=0",
            "EMAIL_URL": "submission://koshflow:p%2Fw@[2001:db8::7]:587",
        }
        self.assertEqual((unreadable(SOUND), unreadable(SOUND | good)), ([], []))

    def test_the_process_ends_with_one_line(self):
        for environment in ({"KOSHFLOW_ENV": "local"}, {"KOSHFLOW_ENV": "test"}):
            with self.subTest(**environment):
                ended = test_settings.run_manage(environment | {"EMAIL_URL": SPOILT["EMAIL_URL"]}, "check")
                self.assertEqual(ended.returncode, 78, ended.stderr)
                self.assertRegex(ended.stderr, "^koshflow: EMAIL_URL: cannot be read as a URL")
                self.assertNotIn(SECRET, ended.stderr + ended.stdout)

    def test_no_receiver_of_alerts_has_a_password_in_its_address(self):
        for user in ("koshflow", "koshflow:x", ":x", ""):
            url = f"https://{user}@hooks.example.in/"
            [found] = mistakes(SOUND | {"ALERT_SLACK_URL": url})
            self.assertTrue(found.startswith("ALERT_SLACK_URL: must begin with https:// and hold no user"), found)
