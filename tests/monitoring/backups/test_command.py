"""`backup_note` at its own door: what it takes down, what it refuses, what it leaves in the audit log."""

import json
from datetime import UTC, datetime, timedelta

from django.core.management import CommandError
from django.db import IntegrityError, transaction

from monitoring.backups import LastBackup, known_backups
from monitoring.backups.services import MOST_TARGETS
from security.operator_account import operator_name
from tests.base import CommittingApiTestCase
from tests.commands import output_of
from tests.security.trail.trail import TrailCase, run

NOON = datetime(2026, 11, 24, 6, 0, tzinfo=UTC)  # where the clock of these tests stands


def note(*arguments):
    return output_of("backup_note", *arguments)


def document(*arguments):
    return json.loads(note(*arguments, "--json"))


class BackupNote(CommittingApiTestCase):
    """The last step of an operator's job: one row a target, the newest that was told."""

    def setUp(self):
        super().setUp()
        self.clock = self.stop_the_clock()

    def events(self, type_="backup.noted"):
        return [event.parsed_leaf().data for event in self.audited(type_)]

    def refused(self, words, *arguments):
        before = list(LastBackup.objects.values())
        with self.subTest(arguments), self.assertRaisesRegex(CommandError, words):
            note(*arguments)
        self.assertEqual(list(LastBackup.objects.values()), before)
        self.assertEqual(self.events("backup_target.forgotten"), [])

    def test_a_backup_of_now(self):
        said = note("nightly", "--size", "12345")
        self.assertEqual(said, "nightly: last backup 2026-11-24T06:00:00Z, 12,345 bytes\n")
        [known] = known_backups()
        self.assertEqual((known.target, known.finished_at, known.size_bytes), ("nightly", NOON, 12345))
        [event] = self.events()
        self.assertEqual(
            event,
            {"target": "nightly", "finished": NOON.isoformat(), "bytes": 12345, "operator": operator_name()},
        )

    def test_of_another_time_and_of_no_known_size_as_json(self):
        told = document("snap_1", "--finished-at", "2026-11-24T02:10:00+05:30")
        self.assertEqual(
            told, {"target": "snap_1", "finishedAt": "2026-11-23T20:40:00Z", "sizeBytes": None, "noted": True}
        )

    def test_twice_is_once_and_an_older_one_never_replaces_a_newer(self):
        note("nightly", "--size", "10")
        note("nightly", "--size", "10")
        older = note("nightly", "--size", "7", "--finished-at", "2026-11-24T05:59:59Z")
        self.assertEqual(
            older,
            "nightly: last backup 2026-11-24T06:00:00Z, 10 bytes; what was told is older, and changed nothing\n",
        )
        self.assertFalse(document("nightly", "--finished-at", "2026-11-23T00:00:00Z")["noted"])
        [known] = known_backups()
        self.assertEqual((known.finished_at, known.size_bytes), (NOON, 10))
        self.assertEqual(len(self.events()), 2)
        self.clock.advance(seconds=60)
        self.assertEqual(document("nightly")["sizeBytes"], None)  # it was that of another backup
        self.assertEqual(known_backups()[0].finished_at, NOON + timedelta(minutes=1))

    def test_what_is_yet_to_come_is_none_but_a_clock_may_be_a_minute_ahead(self):
        self.refused("yet to come", "nightly", "--finished-at", "2026-11-24T06:01:01Z")
        note("nightly", "--finished-at", "2026-11-24T06:01:00Z")
        self.assertEqual(known_backups()[0].finished_at, NOON)  # and is not believed to be

    def test_what_is_no_time(self):
        for text in ("yesterday", "2026-11-24T06:00:00", "2026-11-24", "0001-01-01T00:00:00+05:30"):
            self.refused("no time, such as|has no offset", "nightly", "--finished-at", text)

    def test_what_is_no_name_of_a_target(self):
        for name in ("Nightly", "nightly dump", 'a"b', "-a", "_a", "a" * 41, "नाइट", "a\n", "a/b", "ops@example.in"):
            self.refused("a target is named by|arguments", name)
        note("a" * 40)

    def test_what_is_no_size(self):
        for size in ("-1", "0", str(2**53)):
            self.refused("a backup has 1 to", "nightly", "--size", size)
        self.refused("invalid int", "nightly", "--size", "12 MB")
        note("nightly", "--size", 2**53 - 1)
        with self.assertRaises(IntegrityError), transaction.atomic():
            LastBackup.objects.update(size_bytes=0)

    def test_targets_are_bounded(self):
        for number in range(MOST_TARGETS):
            note(f"target-{number}")
        self.refused("the most; --forget one", "one-more")
        note("target-7", "--size", "5")  # one that is known goes on
        note("target-7", "--forget")
        note("one-more")
        self.assertEqual(len(known_backups()), MOST_TARGETS)

    def test_a_retired_target_is_forgotten(self):
        note("nightly", "--size", "10")
        note("files")
        self.assertRegex(note("nightly", "--forget", "--dry-run"), "^dry run, nothing was changed; .*: nightly: last")
        self.assertFalse(document("nightly", "--forget", "--dry-run")["forgotten"])
        self.assertEqual((len(known_backups()), self.events("backup_target.forgotten")), (2, []))
        self.assertRegex(note("nightly", "--forget"), r"^forgotten: nightly: last backup \S+Z, 10 bytes\n$")
        self.assertEqual([known.target for known in known_backups()], ["files"])
        [event] = self.events("backup_target.forgotten")
        self.assertEqual(event, {"target": "nightly", "finished": NOON.isoformat(), "operator": operator_name()})
        with self.assertRaisesRegex(CommandError, "no backup of 'nightly' was ever told"):
            note("nightly", "--forget")

    def test_what_does_not_go_together(self):
        note("nightly")
        for arguments in (
            (),
            ("nightly", "--status"),
            ("nightly", "--forget", "--size", "1"),
            ("nightly", "--forget", "--finished-at", "2026-11-24T06:00:00Z"),
            ("nightly", "--dry-run"),
            ("--status", "--forget"),
            ("--status", "--size", "1"),
        ):
            self.refused("TARGET|go with neither|goes with --forget", *arguments)

    def test_status_says_what_is_known_the_oldest_first_and_what_is_late(self):
        self.assertEqual(note("--status"), "no backup was ever told\n")
        note("files", "--size", "5")
        note("nightly", "--finished-at", "2026-11-23T03:59:00Z")
        self.assertEqual(
            note("--status").splitlines(),
            ["nightly: last backup 2026-11-23T03:59:00Z, LATE", "files: last backup 2026-11-24T06:00:00Z, 5 bytes"],
        )
        with self.settings(BACKUP_MAX_AGE_HOURS=27):
            self.assertEqual([one["late"] for one in document("--status")["targets"]], [False, False])
        self.assertEqual(len(self.events()), 2)

    def test_two_that_are_told_at_one_moment_are_one_row(self):
        self.in_parallel(4, lambda number: note("nightly", "--size", number + 1))
        self.assertEqual(len(known_backups()), 1)
        self.assertEqual(len(self.events()), 4)


class PastTheProduct(TrailCase):
    """Whoever makes a backup that stopped look new, in the database, is told of by the audit log."""

    def test_what_the_command_writes_belongs_to_its_event_and_what_sql_writes_does_not(self):
        note("nightly", "--finished-at", "2026-01-01T00:00:00Z")
        leaf = self.only("records.changed")
        self.assertEqual(self.change(leaf, "last_backup", "insert")["after"]["target"], "nightly")
        self.forget()
        run("UPDATE last_backup SET finished_at = '2030-01-01 00:00:00+00'")
        leaf = self.only("record.out_of_band")
        self.assertIn("2030-01-01", self.change(leaf, "last_backup", "update")["after"]["finished_at"])
