"""Verifications that are kept: by the command and the schedule, for pages and health; no good part hides the whole."""

from concurrent.futures.process import BrokenProcessPool
from datetime import timedelta
from io import StringIO
from unittest.mock import patch

import time_machine
from django.core.management import CommandError, call_command
from django.db import OperationalError
from django.utils import timezone

from monitoring.health.probes import AuditProbe
from monitoring.health.readings import Status
from security.tlog import AuditVerification, history, seal_pending, verify_on_schedule
from tests.security.tlog.log import SIZES, Intruder, SealedLog

SIZE = SIZES[-1]


class KeptVerifications(SealedLog):
    def kept(self) -> list[tuple[int, int, int, bool]]:
        """(since, size, proved to, whether something was found) of each run, oldest first."""
        return [(run.since, run.size, run.proved_to, bool(run.faults)) for run in AuditVerification.objects.all()]

    def verify_by_command(self, *arguments: str) -> int:
        try:
            call_command("audit_verify", *arguments, stdout=StringIO(), stderr=StringIO())
        except SystemExit as end:
            return int(end.code)
        return 0

    def reading(self):
        with patch("monitoring.health.probes.connections"):  # the probe closes its thread's; this one is the test's
            return AuditProbe()()[-1]

    def edit(self, index: int) -> None:
        Intruder().run("UPDATE audit_event SET outcome = 'failed' WHERE tree_index = %s", index)

    def test_the_command_keeps_what_it_found(self):
        self.assertEqual(self.verify_by_command(), 0)
        self.assertEqual(self.kept(), [(0, SIZE, SIZE, False)])
        self.edit(7)
        self.assertEqual(self.verify_by_command(), 1)
        self.assertEqual(self.kept()[1], (0, SIZE, 0, True))
        self.assertEqual(AuditVerification.objects.latest("pk").faults[0]["kind"], "column_edited")

    def test_a_database_that_takes_no_row_can_still_be_verified(self):
        out, err = StringIO(), StringIO()
        with patch("security.management.commands.audit_verify.keep_verification", side_effect=OperationalError):
            call_command("audit_verify", stdout=out, stderr=err)
        self.assertIn("Proved.", out.getvalue())
        self.assertIn("not kept", err.getvalue())

    def test_what_is_in_the_way_says_nothing_of_the_log(self):
        for trouble in (BrokenProcessPool, OperationalError):
            with (
                self.subTest(trouble.__name__),
                patch("security.management.commands.audit_verify.verify_log", side_effect=trouble),
                self.assertRaisesRegex(CommandError, f"nothing was verified .{trouble.__name__}") as raised,
            ):
                call_command("audit_verify")
            self.assertEqual(raised.exception.returncode, 2)
        self.assertEqual(self.kept(), [])

    def test_the_schedule_looks_at_what_is_new(self):
        verify_on_schedule()
        self.act(3)
        seal_pending()
        verify_on_schedule()
        self.assertEqual(self.kept(), [(0, SIZE, SIZE, False), (SIZE, SIZE + 3, SIZE + 3, False)])

    def test_in_the_seventh_night_it_looks_at_everything_again(self):
        """What a run found is kept when it ends, which the slot of the seventh night after comes before."""
        slot = timezone.now()
        verify_on_schedule()
        self.assertGreater(AuditVerification.objects.get().at, slot)
        for days in range(1, 8):
            with time_machine.travel(slot + timedelta(days=days), tick=False):
                verify_on_schedule()
        self.assertEqual([run[0] for run in self.kept()], [0, *[SIZE] * 6, 0])

    def test_the_first_event_of_a_night_is_compared_with_those_before_it(self):
        """Else one that was kept back for days could be put there, with its own mark and an old time."""
        verify_on_schedule()
        with time_machine.travel(timezone.now() - timedelta(hours=1)):
            self.act()
        seal_pending()
        self.assertEqual(self.found(since=SIZE), {"event_backdated": SIZE})

    def test_what_was_found_is_looked_at_again_until_it_is_gone(self):
        self.edit(7)
        verify_on_schedule()
        with self.assertLogs("security.tlog", "ERROR") as logs:
            verify_on_schedule()
        self.assertEqual(logs.records[0].message, "audit_log_changed")
        self.assertEqual([(run[0], run[3]) for run in self.kept()], [(0, True), (0, True)])

    def test_a_good_part_is_not_kept_while_the_rest_is_in_doubt(self):
        self.edit(7)
        self.verify_by_command()
        self.assertEqual(self.verify_by_command("--since", "300"), 0)
        self.assertEqual(len(self.kept()), 1)
        self.assertEqual(self.reading().status, Status.FAIL)

    def test_an_index_that_is_not_there_yet_is_a_slip_and_no_tampering(self):
        self.verify_by_command()
        self.assertEqual(self.verify_by_command("--since", str(SIZE)), 0)
        self.assertEqual(self.verify_by_command("--since", str(SIZE + 1)), 2)
        self.assertEqual(self.reading().status, Status.PASS)

    def test_health_tells_of_the_last_one(self):
        self.assertEqual(self.reading().name, "audit:sealLag")  # none yet
        verify_on_schedule()
        reading = self.reading()
        self.assertEqual((reading.name, reading.status), ("audit:lastVerification", Status.PASS))
        with time_machine.travel(timezone.now() + timedelta(hours=50)):
            self.assertEqual(self.reading().output, "not verified for two nights")
        for path in self.folder.iterdir():
            path.unlink()
        verify_on_schedule()
        self.assertEqual((self.reading().status, self.reading().output), (Status.WARN, "not all of the log is proved"))
        self.edit(7)
        self.verify_by_command()
        reading = self.reading()
        self.assertEqual(
            (reading.status, reading.output, reading.is_required), (Status.FAIL, "the log was changed", False)
        )

    def test_no_more_than_the_newest_are_kept(self):
        with patch.object(history, "MOST_KEPT", 2):
            for _ in range(4):
                verify_on_schedule()
        self.assertEqual(len(self.kept()), 2)
