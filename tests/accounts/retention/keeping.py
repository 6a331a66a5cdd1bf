"""A log with events of February 2025 in four classes, and two of staff who may agree on what goes in November 2026."""

import json
import subprocess
import sys
import tempfile
from io import StringIO
from pathlib import Path
from uuid import UUID

from django.core.management import CommandError, call_command
from django.db import transaction

from accounts.staff import StaffRole
from accounts.twofactor.totp import STEP_SECONDS
from security.audit import Action, AuditEvent, record
from security.context import bind
from security.tlog import VERIFIER, AuditCheckpoint, Report, seal_pending, verify_log
from tests.accounts.admin.door import Staff, hire, with_factor
from tests.accounts.twofactor.authenticator import code_of
from tests.base import MadeOnceTestCase
from tests.factories import asha, chitra
from tests.security.audit.examples import REQUEST
from tests.security.tlog.log import Intruder

TICKET = "TICKET-4713"
# In turn: one in four of the old events is of each class.
ACTIONS = (Action.SESSION_CREATED, Action.REQUEST_SCREENED, Action.PROFILE_UPDATED, Action.COMPANY_VIEWED)
BEGUN = "2025-02-01T06:00:00Z"
OLD = 300
OF_EACH = OLD // len(ACTIONS)
LATER_DAYS = 640
WHOLE = {"access": OF_EACH, "account": OF_EACH, "auth": OF_EACH, "noise": OF_EACH}


class KeepingMixin:
    """Asha's 300 old events, from `base` on, take two tiles; `early` is a checkpoint that somebody kept of 200."""

    home: Path

    @property
    def archive(self) -> Path:
        return self.home / "archive"

    def make_log(self) -> None:
        self.asha, self.chitra = asha(), chitra()
        self.base = seal_pending().size  # what the database noted of the people above
        self.act(200)
        self.early = AuditCheckpoint.objects.get(size=seal_pending().size)
        self.act(OLD - 200, first=200)
        seal_pending()
        self.clock.advance(seconds=LATER_DAYS * 86_400)
        self.omar = with_factor(hire())
        self.ivy = with_factor(hire(StaffRole.AUDITOR, email="ivy@staff.example.in"))
        self.act(8)
        seal_pending()

    def act(self, times: int, *, first: int = 0, by=None) -> None:
        by = by or self.asha
        with bind(REQUEST), transaction.atomic():
            for at in range(first, first + times):
                record(ACTIONS[at % len(ACTIONS)], actor=by.subject, company=by.company.subject)

    def retention(self, *arguments: object) -> str:
        out = StringIO()
        call_command("audit_retention", *map(str, arguments), stdout=out, stderr=StringIO())
        return out.getvalue()

    def told(self, *arguments: object):
        return json.loads(self.retention(*arguments, "--json"))

    def code(self, staff: Staff) -> str:
        """One that nobody used: the clock goes on."""
        self.clock.advance(seconds=STEP_SECONDS)
        return code_of(staff.secret)

    def propose(self, *arguments: object, by: Staff | None = None) -> UUID:
        by = by or self.omar
        given = ("--operator", by.user.email, "--code", self.code(by), "--reason", TICKET)
        return UUID(self.told("--propose", *given, *arguments)["plan"])

    def approve(self, plan: UUID, *, by: Staff | None = None) -> str:
        by = by or self.ivy
        return self.retention("--approve", plan, "--operator", by.user.email, "--code", self.code(by))

    def agreed(self, *arguments: object) -> UUID:
        plan = self.propose(*arguments)
        self.approve(plan)
        return plan

    def run_plan(self, plan: UUID):
        return self.told("--run", plan, "--archive", self.archive)

    def prune(self, *arguments: object) -> UUID:
        plan = self.agreed(*arguments)
        self.run_plan(plan)
        return plan

    def refused(self, *arguments: object) -> str:
        with self.assertRaises(CommandError) as error:
            self.retention(*arguments)
        return str(error.exception)

    def refusals(self) -> list[str]:
        """The word of each refusal that is marked, in order."""
        return [event.parsed_leaf().data["reason"] for event in self.audited("retention.refused")]

    def file(self, plan: UUID, audit_class: str) -> Path:
        return self.archive / f"audit-{audit_class}-{plan}.jsonl.gz"

    def verify(self, **options) -> Report:
        return verify_log(**options)

    def found(self, **options) -> dict[str, int | None]:
        return {fault.kind.value: fault.index for fault in self.verify(**options).faults}

    def left(self) -> dict[str, int]:
        """How many of the old events are still there, by class."""
        rows = AuditEvent.objects.filter(tree_index__gte=self.base, tree_index__lt=self.base + OLD)
        classes = list(rows.values_list("audit_class", flat=True))
        return {name: classes.count(name) for name in sorted(set(classes))}


class Keeping(KeepingMixin, MadeOnceTestCase):
    """The log is made once for all tests of a class, and `prepare` done with it."""

    begins_at = BEGUN

    def make(self):
        self.make_log()
        self.prepare()

    def prepare(self) -> None:
        """What all tests of a class begin with, beyond the log."""

    def setUp(self):
        super().setUp()
        self.intruder = Intruder()


class Verifying(Keeping):
    """Who checks bundles in the folder `out`, with nothing else of ours; `kept` is the place of an event that stays."""

    def setUp(self):
        super().setUp()
        self.out = Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.kept = self.base + 270
        self.key = AuditCheckpoint.objects.select_related("log").first().log.verifier_key

    def verified(self, path: Path, *more: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-I", str(VERIFIER), "--key", self.key, *more, str(path)]
        return subprocess.run(command, env={}, capture_output=True, text=True, timeout=60, check=False)
