"""Witnesses of the log: each signed checkpoint is cosigned and kept, and no witness holds anything up."""

import socket
import threading
import time
from datetime import timedelta
from unittest import mock

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.core.management import call_command
from django.utils import timezone

from security.audit import AuditEvent
from security.tlog import (
    AuditAnchor,
    AuditLog,
    anchoring,
    last_signed,
    log_standing,
    prove,
    seal_pending,
    standing_of,
    witness_checkpoint,
    witness_lag,
)
from security.tlog.note import COSIGNATURE, VerifierKey, cosignature, open_note, verifier_key
from security.tlog.witness import trust_log
from security.tlog.witness_client import Answer, WitnessUnreachable, submit
from tests.ports import free_port
from tests.security.tlog.log import SIZES, Intruder, signer_is_lost
from tests.security.tlog.witnesses import NAME, WitnessedLog

pytestmark = pytest.mark.usefixtures("witness")


class AnchorCase(WitnessedLog):
    def sizes(self) -> list[int]:
        return list(AuditAnchor.objects.order_by("size").values_list("size", flat=True))

    def assert_told(self, what: str) -> None:
        """Of a witness that does not cosign the log tells once, whatever follows."""
        with self.assertLogs("security.tlog", "ERROR") as log:
            self.assertEqual(witness_checkpoint(), 0)
        self.assertEqual([record.getMessage() for record in log.records], ["audit_witness_does_not_cosign"])
        self.assertIn(what, log.records[0].what)
        with self.assertNoLogs("security.tlog", "ERROR"):
            witness_checkpoint()
            witness_checkpoint()


class Anchors(AnchorCase):
    """Each tree that is signed is cosigned once, from the size that the witness has."""

    def test_the_last_checkpoint_is_cosigned_and_kept(self):
        self.assertEqual(witness_checkpoint(), 1)
        anchor = AuditAnchor.objects.get()
        self.assertEqual((anchor.sink, anchor.size), (NAME, SIZES[-1]))
        keys = [VerifierKey.parse(text) for text in (self.host.key, last_signed().log.verifier_key)]
        opened = open_note(anchor.note, keys)
        self.assertEqual(opened.text, last_signed().as_checkpoint().text)
        self.assertEqual(opened.signers[NAME], anchor.seen_at.timestamp())
        self.assertLess(abs(time.time() - anchor.seen_at.timestamp()), 60)

    def test_once_and_then_each_that_follows(self):
        for size in (SIZES[-1], SIZES[-1] + 3):
            self.assertEqual(witness_checkpoint(), 1)
            with mock.patch.object(anchoring, "submit", side_effect=AssertionError):
                self.assertEqual(witness_checkpoint(), 0)
            self.assertEqual(self.sizes()[-1], size)
            self.act(3)
            seal_pending()
        self.assertEqual(self.verify().exit_code, 0)

    def test_a_witness_that_knows_more_than_we_remember_says_so_and_is_asked_again(self):
        witness_checkpoint()
        Intruder().forget_anchors()
        self.act(3)
        seal_pending()
        self.assertEqual((witness_checkpoint(), self.sizes()), (1, [SIZES[-1] + 3]))

    def test_a_tree_that_grew_while_the_witness_was_asked_is_no_difference(self):
        witness_checkpoint()
        Intruder().forget_anchors()

        def grown(url, **sent):
            if not AuditAnchor.objects.exists():  # another process, a moment earlier
                self.act()
                seal_pending()
                anchoring.submit = submit
                witness_checkpoint()
            return submit(url, **sent)

        with mock.patch.object(anchoring, "submit", side_effect=grown):
            (witness,) = anchoring.configured_witnesses()
            self.assertEqual(anchoring.ask(witness).standing, "cosigns")

    @signer_is_lost
    def test_a_new_epoch_is_another_log_to_the_witness(self):
        witness_checkpoint()
        with self.settings(AUDIT_SIGNER_DIR=self.folder.parent / "new"):
            call_command("audit_recover", "--reason", "OPS-9", "--confirm", stdout=mock.Mock())
            self.assert_told("refuses with 404")
            self.assertEqual(self.verify().exit_code, 2)
            trust_log(self.host.folder, VerifierKey.parse(AuditLog.objects.last().verifier_key))
            self.assertEqual(witness_checkpoint(), 1)
            self.assertEqual((self.found(), self.verify().exit_code), ({}, 0))


@pytest.mark.embedded
class Claimed(AnchorCase):
    """A row says that the witness cosigned; its signature alone proves it."""

    def setUp(self):
        super().setUp()
        self.now = timezone.now() + timedelta(minutes=10)
        for size in (SIZES[-1], SIZES[-1] + 3, 2**40):
            AuditAnchor.objects.create(sink=NAME, size=size, note="claimed", seen_at=self.now)

    def test_it_counts_for_nothing(self):
        event = AuditEvent.objects.get(tree_index=0)
        self.assertEqual((log_standing().witnessed, standing_of(event).witnessed), (None, None))
        self.assertGreater(witness_lag(self.now), timedelta(minutes=9))
        self.assertEqual(prove(event).size, SIZES[-1])
        self.assertIn("witness_differs", self.found())

    def test_the_witness_is_asked_all_the_same(self):
        self.act(4)
        seal_pending()
        self.assertEqual(witness_checkpoint(), 1)
        self.assertEqual(log_standing().witnessed, SIZES[-1] + 4)
        self.assertEqual(standing_of(AuditEvent.objects.get(tree_index=0)).witnessed, SIZES[-1] + 4)


class Troubles(AnchorCase):
    """Whatever a witness does, sealing goes on, one line tells of it, and a verification says what it could not see."""

    def assert_goes_on(self, what: str) -> None:
        self.assert_told(what)
        self.act(2)
        self.assertEqual(seal_pending().events, 2)
        report = self.verify()
        self.assertEqual((report.faults, report.exit_code), ([], 2))
        self.assertIn(what, report.not_verified[0])

    def test_a_dead_one_and_its_return(self):
        entry = f"http://127.0.0.1:{free_port()} {self.host.key}"
        with self.settings(AUDIT_WITNESSES=[entry]):
            self.assert_goes_on("does not answer")
        with self.assertLogs("security.tlog", "INFO") as log:
            self.assertEqual(witness_checkpoint(), 1)
        self.assertIn("audit_witness_cosigns_again", [record.getMessage() for record in log.records])
        self.assertEqual(self.verify().exit_code, 0)

    def test_a_dead_one_is_not_in_the_way_of_another(self):
        other = verifier_key("dead.example.in", Ed25519PrivateKey.generate(), algorithm=COSIGNATURE)
        with self.settings(AUDIT_WITNESSES=[f"http://127.0.0.1:{free_port()} {other}", self.entry]):
            with self.assertLogs("security.tlog", "ERROR"):
                self.assertEqual(witness_checkpoint(), 1)
            self.assertEqual(AuditAnchor.objects.get().sink, NAME)

    def test_one_whose_key_is_another(self):
        other = verifier_key(NAME, Ed25519PrivateKey.generate(), algorithm=COSIGNATURE)
        with self.settings(AUDIT_WITNESSES=[f"{self.host.url} {other}"]):
            self.assert_goes_on("is no cosignature")
        self.assertEqual(self.sizes(), [])

    def test_one_that_signs_more_than_it_was_shown(self):
        private = Ed25519PrivateKey.generate()
        key = verifier_key(NAME, private, algorithm=COSIGNATURE)
        text = f"{last_signed().note}and more\n"
        answer = Answer(200, f"and more\n\n{cosignature(text, name=NAME, private=private, seen_at=int(time.time()))}")
        answered = mock.patch.object(anchoring, "submit", return_value=answer)
        with self.settings(AUDIT_WITNESSES=[f"{self.host.url} {key}"]), answered:
            self.assert_told("signs more than the checkpoint")
        self.assertEqual(self.sizes(), [])

    def test_one_whose_clock_is_ahead(self):
        with mock.patch.object(anchoring, "_MOST_AHEAD", -anchoring._MOST_AHEAD):
            self.assert_goes_on("clock")

    def test_one_that_trickles(self):
        with socket.create_server(("127.0.0.1", 0)) as server, mock.patch(f"{submit.__module__}.PATIENCE_SECONDS", 0.5):
            threading.Thread(target=trickle, args=[server], daemon=True).start()
            started = time.monotonic()
            with self.assertRaises(WitnessUnreachable):
                submit(f"http://127.0.0.1:{server.getsockname()[1]}", old=0, proof=[], note="")
            self.assertLess(time.monotonic() - started, 10)

    def test_an_entry_that_is_none_is_told_of(self):
        log_key = last_signed().log.verifier_key
        for entry in ("https://witness.example.in", f"{self.host.url} nonsense", f"{self.host.url} {log_key}"):
            with self.subTest(entry), self.settings(AUDIT_WITNESSES=[entry]):
                with self.assertRaises(anchoring.WitnessMisnamed):
                    witness_checkpoint()
                self.assertEqual(self.verify().exit_code, 2)
        with (
            self.settings(AUDIT_WITNESSES=[self.entry, self.entry]),
            self.assertRaisesRegex(anchoring.WitnessMisnamed, "twice"),
        ):
            witness_checkpoint()


def trickle(server: socket.socket) -> None:
    """An answer that never ends: one byte each tenth of a second, for twenty."""
    connection, _ = server.accept()
    with connection:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n")
        for _ in range(200):
            time.sleep(0.1)
            try:
                connection.sendall(b"x")
            except OSError:
                return
