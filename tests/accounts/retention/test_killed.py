"""`audit_retention --run` and kill -9: what is gone is archived, the tree is proved, and the next run goes on."""

import os
import signal
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from django.db import connection, connections
from django.test import override_settings

from security.audit import AuditEvent
from security.retention.archive import indexes_in, read_archive
from security.tlog import prunings, require_signed
from tests.accounts.retention.keeping import BEGUN, OF_EACH, OLD, KeepingMixin
from tests.base import CommittingApiTestCase
from tests.faults.form import LONG

# The database of the other leg lies in the process that is killed.
pytestmark = [pytest.mark.real, pytest.mark.timeout(1800 if LONG else 120)]

_ARCHIVE, _PRUNING = "security.retention.archive", "security.retention.pruning"
# In the order of a run: the function, its call that is the last, and whether the end comes after it, or before. Few, as
# each is a run and a verification; the long form has every step.
POINTS = (
    (_ARCHIVE, "_write", 1, True),  # the archive is on its way to the disk
    (_PRUNING, "_store_places", 1, True),  # within the transaction of the event that tells of it
    (_PRUNING, "seal_pending", 2, False),  # told of, and not sealed
    (_PRUNING, "take_out", 2, True),  # the first batch committed, the second deleted and not committed
)


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


@contextmanager
def death_in(module: str, name: str, call: int, is_after: bool) -> Iterator[None]:
    """kill -9 of this process at that call of the function."""
    real, calls = getattr(import_module(module), name), []

    def last(*arguments: Any, **named: Any) -> Any:
        calls.append(1)
        if len(calls) == call and not is_after:
            die()
        result = real(*arguments, **named)
        if len(calls) == call:
            die()
        return result

    with patch(f"{module}.{name}", last), patch(f"{_PRUNING}.BATCH", 1):
        yield


@contextmanager
def death_at_step(number: int) -> Iterator[None]:
    """kill -9 before the statement, or the sync or new name of a file, that is the `number`th of them all."""
    steps = []

    def count(act: Callable[..., Any], *arguments: Any) -> Any:
        steps.append(1)
        if len(steps) == number:
            die()
        return act(*arguments)

    with ExitStack() as stack:
        stack.enter_context(connection.execute_wrapper(count))
        for name in ("fsync", "link", "rename", "replace"):
            real = getattr(os, name)
            stack.enter_context(patch(f"os.{name}", lambda *given, real=real, **named: count(real, *given, **named)))
        stack.enter_context(patch(f"{_PRUNING}.BATCH", 1))
        yield


class Killed(KeepingMixin, CommittingApiTestCase):
    """Whichever moment is the last of a run, no event is lost, and none is deleted that is not archived and told of."""

    def setUp(self):
        super().setUp()
        self.home = Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.enterContext(override_settings(AUDIT_SIGNER_DIR=self.home / "signer"))
        self.clock = self.stop_the_clock(BEGUN)
        self.make_log()

    def run_until(self, death: Any, plan: Any) -> bool:
        """Run `plan` in a process of its own under `death`; whether it was killed."""
        connections.close_all()
        child = os.fork()
        if not child:
            try:
                with death:
                    self.run_plan(plan)
            finally:
                os._exit(0)  # no tidying up of what belongs to the parent
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        self.assertIn(status, (0, -signal.SIGKILL))
        return status != 0

    def check(self, plan: Any) -> int:
        """How many of the events that are to go still stand; all others are accounted for."""
        report = self.verify()
        self.assertEqual(report.faults, [])
        # A seal's signature comes after its root; the next seal, which runs every ten seconds, catches up.
        self.assertEqual([text for text in report.not_verified if not text.endswith("is not signed yet")], [])
        standing = set(AuditEvent.objects.filter(tree_index__in=self.places).values_list("tree_index", flat=True))
        gone = self.places - standing
        if gone:
            [told] = prunings()
            self.assertLess(told.index, require_signed().size)
            path = self.file(plan, "noise")
            self.assertEqual(read_archive(path).sha256, told.archive)
            self.assertLessEqual(gone, set(indexes_in(path)))
        self.assertEqual(sum(self.left().values()), OLD - len(gone))
        return len(standing)

    def finish(self, plan: Any) -> None:
        self.run_plan(plan)
        self.assertEqual((self.check(plan), self.verify().not_verified), (0, []))
        self.assertEqual(len(self.audited("audit.pruned")), 1)
        self.assertEqual([path.name for path in self.archive.iterdir()], [self.file(plan, "noise").name])

    def agree(self) -> Any:
        old = AuditEvent.objects.filter(tree_index__gte=self.base, tree_index__lt=self.base + OLD)
        self.places = set(old.filter(audit_class="noise").values_list("tree_index", flat=True))
        self.assertEqual(len(self.places), OF_EACH)
        return self.agreed("--class", "noise")

    def test_at_each_point_of_one_run_after_another(self):
        plan, left = self.agree(), []
        for point in POINTS:
            with self.subTest(point=point):
                self.assertTrue(self.run_until(death_in(*point), plan))
                left.append(self.check(plan))
        # The last one alone had committed a batch: it is the one of two tiles.
        self.assertEqual(left[:-1], [OF_EACH] * (len(POINTS) - 1))
        self.assertTrue(0 < left[-1] < OF_EACH)
        self.finish(plan)

    @pytest.mark.skipif(not LONG, reason="two hundred runs: KOSHFLOW_FAULTS=long")
    def test_at_every_step(self):
        plan, number = self.agree(), 1
        while self.run_until(death_at_step(number), plan):
            self.check(plan)
            number += 1
        self.assertGreater(number, 50)
        self.finish(plan)
