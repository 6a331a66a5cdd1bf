"""Sealing: every event once, in one tree, whatever ends in between; and never a tree that did not grow."""

import json
import os
import stat
import threading
from io import StringIO
from pathlib import Path
from unittest import mock

from django.core.management import CommandError, call_command
from django.db import close_old_connections, connection, transaction
from django.test import TransactionTestCase

from security.audit import Action, AuditEvent, record
from security.context import bind
from security.crypto.models import SubjectKey
from security.tlog import (
    AuditCheckpoint,
    LogForked,
    seal_on_schedule,
    seal_pending,
    sealing,
    verify_log,
)
from security.tlog.note import VerifierKey, open_note
from security.tlog.signer import hold_signer
from tests.commands import output_of
from tests.security.audit.examples import REQUEST
from tests.security.tlog.log import SIZES, Intruder, SealedLog


class Sealing(SealedLog):
    def test_every_event_has_a_place_and_the_last_tree_is_signed(self):
        self.act(5)
        sealed = seal_pending()
        self.assertEqual((sealed.events, sealed.size), (5, SIZES[-1] + 5))
        indexes = list(AuditEvent.objects.order_by("id").values_list("tree_index", flat=True))
        self.assertEqual(indexes, list(range(SIZES[-1] + 5)))
        last = AuditCheckpoint.objects.select_related("log").last()
        opened = open_note(last.note, [VerifierKey.parse(last.log.verifier_key)])
        self.assertEqual(opened.text, last.as_checkpoint().text)

    def test_with_nothing_to_seal_nothing_is_signed(self):
        # Two transactions, on PostgreSQL with a lock each; four reads of which log and what end, one of
        # what the database noted, one update of nothing.
        with self.assertNumQueries(4 + 6 + 2 * (connection.vendor == "postgresql")):
            self.assertEqual(seal_pending().events, 0)
        self.assertEqual(AuditCheckpoint.objects.count(), len(SIZES))

    def test_many_events_are_sealed_in_batches(self):
        self.act(25)
        self.assertEqual(seal_pending(batch=10).events, 25)
        self.assertEqual(AuditCheckpoint.objects.count(), len(SIZES) + 3)
        self.assertEqual(self.found(), {})

    def test_a_late_event_gets_a_later_place_than_its_number(self):
        for _ in range(2):
            record(Action.KEYS_ADDED)
        early = AuditEvent.objects.filter(tree_index=None).earliest("id")
        # As if the transaction of the smaller id committed after the larger was sealed.
        Intruder().run("UPDATE audit_event SET id = id + 1000 WHERE id = %s", early.pk)
        seal_pending()
        self.act()
        self.assertEqual(self.found(), {})

    def test_what_ended_before_its_signature_is_signed_by_the_next_run(self):
        self.act(3)
        with (
            mock.patch.object(sealing, "_sign", side_effect=[SIZES[-1], KeyboardInterrupt]),
            self.assertRaises(KeyboardInterrupt),
        ):
            seal_pending()
        self.assertEqual(AuditCheckpoint.objects.last().note, "")
        self.assertEqual(self.verify().not_verified, [f"checkpoint {SIZES[-1] + 3} is not signed yet"])
        self.act(1)
        self.assertEqual(seal_pending().size, SIZES[-1] + 4)
        self.assertEqual((self.found(), self.verify().exit_code), ({}, 0))

    def test_a_signature_that_the_database_lost_is_made_again_the_same(self):
        before = AuditCheckpoint.objects.last()
        Intruder().run("UPDATE audit_checkpoint SET note = '' WHERE size = %s", before.size)
        seal_pending()
        self.assertEqual(AuditCheckpoint.objects.last().note, before.note)

    def test_the_folder_is_its_owners_alone(self):
        self.assertEqual(stat.S_IMODE(self.folder.stat().st_mode), 0o700)
        self.assertEqual(stat.S_IMODE((self.folder / "signed.json").stat().st_mode), 0o600)

    def test_every_checkpoint_is_published_outside_the_database(self):
        text = (self.folder / "checkpoints.txt").read_text()
        for row in AuditCheckpoint.objects.all():
            self.assertIn(row.note, text)

    def test_one_folder_serves_one_log(self):
        Intruder().run("UPDATE audit_log SET origin = %s", "testserver/audit/feed/1")
        with self.assertRaisesRegex(LogForked, "feed"):
            seal_pending()

    def test_a_host_without_the_signer_leaves_the_log_to_the_one_that_has_it(self):
        self.act(2)
        with self.settings(AUDIT_SIGNER_DIR=self.folder.parent / "another host"):
            seal_on_schedule()
            with self.assertRaisesRegex(CommandError, "run this where it is"):
                call_command("audit_seal")
            self.assertFalse((self.folder.parent / "another host").exists())
        self.assertEqual(seal_pending().events, 2)

    def test_two_hosts_that_met_an_empty_database_agree_on_the_first(self):
        late = self.folder.parent / "late host"
        with hold_signer(late, host="testserver", may_create=True):
            pass
        self.act(2)
        with self.settings(AUDIT_SIGNER_DIR=late):
            seal_on_schedule()
            self.assertEqual(AuditEvent.objects.filter(tree_index=None).count(), 2)
        self.assertEqual(seal_pending().events, 2)

    def test_half_a_state_is_no_signer(self):
        state = self.folder / "signed.json"
        text = state.read_text()
        state.write_text(text[: len(text) // 2])
        with self.assertRaisesRegex(CommandError, "put back the copy") as raised:
            call_command("audit_seal")
        self.assertEqual(raised.exception.returncode, 2)
        self.assertNotIn(json.loads(text)["key"], str(raised.exception))

    def test_a_folder_that_this_account_may_not_look_into_is_said_to_be_one(self):
        allowed = Path.stat

        def denied(path: Path, **options: bool) -> os.stat_result:
            if path.parent == self.folder:
                raise PermissionError(13, "Permission denied", str(path))
            return allowed(path, **options)

        with mock.patch.object(Path, "stat", denied):
            for command in (["audit_seal"], ["audit_recover", "--reason", "OPS-9"]):
                with self.subTest(command), self.assertRaisesRegex(CommandError, "writable by this account") as raised:
                    call_command(*command)
                self.assertEqual(raised.exception.returncode, 2)
            self.assertEqual((self.found(), self.verify().exit_code), ({}, 2))

    def test_an_event_under_a_wrong_mark_stops_everything(self):
        self.act(2)
        Intruder().run("UPDATE audit_event SET mac = %s WHERE tree_index IS NULL", b"\0" * 32)
        with self.assertRaisesRegex(CommandError, "was not written by this installation") as raised:
            call_command("audit_seal")
        self.assertEqual(raised.exception.returncode, 1)
        self.assertEqual(AuditEvent.objects.filter(tree_index=None).count(), 2)


class Commands(SealedLog):
    def test_seal_says_how_many(self):
        self.act(2)
        self.assertEqual(output_of("audit_seal"), f"2 events sealed; the signed tree has {SIZES[-1] + 2}.\n")
        self.assertEqual(json.loads(output_of("audit_seal", "--json")), {"events": 0, "size": SIZES[-1] + 2})

    def test_the_printed_checkpoint_opens_with_the_printed_key(self):
        note, _, key = output_of("audit_checkpoint").rpartition("\nkey: ")
        opened = open_note(note, [VerifierKey.parse(key.strip())])
        self.assertEqual(opened.text.split("\n")[1], str(SIZES[-1]))
        told = json.loads(output_of("audit_checkpoint", "--json"))
        self.assertEqual((told["note"], told["size"], told["verifierKey"]), (note, SIZES[-1], key.strip()))

    def test_verify_proves_and_says_what_is_wrong(self):
        self.assertTrue(output_of("audit_verify", "--full").endswith("Proved.\n"))
        self.assertTrue(json.loads(output_of("audit_verify", "--json"))["verified"])
        Intruder().remove(7, 8, is_renumbered=False)
        for arguments, expected in (((), "WRONG  event_missing at 7"), (("--json",), '"firstBadIndex": 7')):
            out = StringIO()
            with self.subTest(arguments=arguments), self.assertRaises(SystemExit) as ended:
                call_command("audit_verify", *arguments, stdout=out)
            self.assertEqual(ended.exception.code, 1)
            self.assertIn(expected, out.getvalue())

    def test_verify_refuses_what_is_no_key_and_no_index(self):
        for arguments in (("--key", "nonsense"), ("--since", "-1")):
            with self.subTest(arguments=arguments), self.assertRaises(CommandError) as raised:
                call_command("audit_verify", *arguments)
            self.assertEqual(raised.exception.returncode, 2)


class SealersAtOnce(TransactionTestCase):
    def test_four_sealers_and_a_recorder_make_one_tree(self):
        asha = SubjectKey.objects.issue()
        problems: list[BaseException] = []

        def act() -> None:
            with bind(REQUEST):
                for _ in range(60):
                    with transaction.atomic():
                        record(Action.SESSION_CREATED, actor=asha)

        def seal() -> None:
            for _ in range(8):
                seal_pending(batch=7)

        def thread(work) -> None:
            try:
                work()
            except BaseException as error:  # noqa: BLE001 - told to the test
                problems.append(error)
            finally:
                close_old_connections()
                connection.close()

        threads = [threading.Thread(target=thread, args=(work,)) for work in (act, act, seal, seal, seal, seal)]
        for one in threads:
            one.start()
        for one in threads:
            one.join(60)
        self.assertEqual(problems, [])
        seal_pending()
        self.assertEqual(AuditEvent.objects.filter(tree_index=None).count(), 0)
        report = verify_log()
        self.assertEqual((report.faults, report.exit_code, report.size), ([], 0, 120))
