"""`security_audit`: text or JSON, an exit code by severity, and what changed since the run before."""

import json
import sys
from datetime import date
from io import StringIO
from unittest.mock import patch

from django.conf import settings
from django.core.management import call_command
from django.db import OperationalError
from django.test import TestCase, override_settings

from security.audit import AuditEvent
from security.operator_account import operator_name
from security.posture import SecurityAuditRun

SOUND = {"BASE_DIR": settings.BASE_DIR / "nowhere", "DATA_DIR": settings.BASE_DIR / "nowhere"}
MEMBERS = {
    "format",
    "startedAt",
    "endedAt",
    "version",
    "environment",
    "exitCode",
    "isKept",
    "counts",
    "findings",
    "notVerified",
    "verified",
    "notAsked",
}


@patch.dict("security.posture.packages.PYTHON_ENDS", {sys.version_info[:2]: date.max})  # the day will come
@override_settings(**SOUND)
class SecurityAudit(TestCase):
    """One run: what it prints, how it ends, what it leaves."""

    def audit(self, *arguments: str, code: int = 0) -> str:
        out = StringIO()
        if code:
            with self.assertRaises(SystemExit) as ended:
                call_command("security_audit", *arguments, stdout=out)
            self.assertEqual(ended.exception.code, code, out.getvalue())
        else:
            call_command("security_audit", *arguments, stdout=out)
        return out.getvalue()

    def document(self, *arguments: str, code: int = 0) -> dict:
        return json.loads(self.audit("--json", *arguments, code=code))

    def test_a_sound_installation_ends_with_0(self):
        said = self.audit()
        self.assertRegex(said, r"^\d+ checks: nothing found; not verified: 0\n\d+ checks matter in production only")

    @override_settings(DEBUG=True)
    def test_a_fault_is_told_with_its_id_and_remedy_and_ends_with_1(self):
        said = self.audit(code=1)
        self.assertIn("critical  KF.S001  Debug pages are on: DEBUG is True\n", said)
        self.assertIn("Set DEBUG = False", said)
        self.assertIn("checks: 1 critical; not verified: 0", said)

    @override_settings(ACCESS_TOKEN_SECONDS=3600)
    def test_fail_on_decides_from_which_severity(self):
        self.audit()
        self.audit("--fail-on", "critical")
        self.audit("--fail-on", "medium", code=1)
        self.audit("--fail-on", "low", code=1)
        self.audit("--fail-on", "never")

    @override_settings(DEBUG=True)
    def test_what_could_not_be_verified_ends_with_2_whatever_else_was_found(self):
        with patch("security.posture.packages.version", lambda _: "unknown"):
            said = self.audit("--fail-on", "never", code=2)
        self.assertIn("unknown   KF.S028  A package has a known hole: not verified, a package does not say", said)
        self.assertIn("KF.S001", said)

    @override_settings(DEBUG=True)
    def test_the_document(self):
        document = self.document(code=1)
        self.assertEqual(set(document), MEMBERS)
        self.assertEqual((document["format"], document["exitCode"], document["isKept"]), (1, 1, True))
        (found,) = document["findings"]
        self.assertEqual(
            {name: found[name] for name in ("key", "id", "severity", "subject", "detail")},
            {
                "key": "KF.S001:DEBUG",
                "id": "KF.S001",
                "severity": "critical",
                "subject": "DEBUG",
                "detail": "DEBUG is True",
            },
        )
        self.assertIn("KF.S001", document["verified"])
        self.assertIn("KF.S016", document["notAsked"])

    def test_what_changed_since_the_run_before(self):
        self.assertIsNone(self.document("--since-last")["sinceLast"])
        with override_settings(DEBUG=True):
            changes = self.document("--since-last", code=1)["sinceLast"]
            self.assertEqual(changes, {"new": ["KF.S001:DEBUG"], "fixed": [], "standing": [], "unknown": []})
            self.assertEqual(self.document("--since-last", code=1)["sinceLast"]["standing"], ["KF.S001:DEBUG"])
            said = self.audit("--since-last", code=1)
            self.assertIn("since the run before: 0 new, 0 fixed, 1 standing, 0 unknown\n", said)
            self.assertNotIn("standing: KF.S001", said)  # it stands above already
        self.assertIn("fixed: KF.S001:DEBUG Debug pages are on\n", self.audit("--since-last"))
        self.assertIn("since the run before: 0 new, 0 fixed, 0 standing, 0 unknown\n", self.audit("--since-last"))

    def test_a_first_run_has_nothing_to_compare_with(self):
        self.assertIn("no run before this one is kept\n", self.audit("--since-last"))

    def test_it_leaves_a_run_and_an_event_that_names_the_operator(self):
        self.audit()
        event = AuditEvent.objects.get(type="security_audit.run")
        self.assertEqual(event.parsed_leaf().data["operator"], operator_name())
        self.assertEqual(event.parsed_leaf().data["run"], str(SecurityAuditRun.objects.get().pk))

    def test_a_run_that_cannot_be_kept_is_told_and_ends_with_2(self):
        with (
            patch("security.posture.services.keep_run", side_effect=OperationalError("host=db.example.in")),
            self.assertLogs("security.posture", "ERROR"),
        ):
            said = self.audit("--since-last", code=2)
            self.assertIn("unknown   the run was not kept and has no audit event", said)
            self.assertNotIn("no run before", said)
            self.assertFalse(self.document("--since-last", code=2)["isKept"])
