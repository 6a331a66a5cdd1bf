"""A small sealed log, and what somebody with every right in its database could do to it."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from unittest import mock
from uuid import uuid4

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.db import connection
from django.test import TestCase, override_settings
from django.utils import timezone

from security.audit import Action, AuditEvent, record
from security.audit.leaf import Leaf, leaf_hash
from security.context import bind
from security.crypto.models import SubjectKey
from security.tlog import (
    AuditCheckpoint,
    AuditLog,
    AuditTile,
    Report,
    SealRefused,
    recovery,
    seal_pending,
    sealing,
    verify_log,
)
from security.tlog.note import Checkpoint, sign_note, verifier_key
from security.tlog.store import load_tile, save_tiles, stored_nodes
from security.tlog.tiles import RightEdge
from security.tlog.tree import root_of
from security.trail import install_triggers
from tests.security.audit.examples import REQUEST

SIZES = (270, 520, 530)


# A log whose signer is gone and that was sealed a moment ago is believed to be sealed elsewhere.
signer_is_lost = mock.patch.object(recovery, "LONGEST_SILENCE", timedelta(0))


class SealedLog(TestCase):
    """530 events under three checkpoints, in a tree of three tiles; sealed once for all tests of a class."""

    @classmethod
    def setUpTestData(cls):
        cls.folder = Path(cls.enterClassContext(tempfile.TemporaryDirectory())) / "signer"
        cls.asha = SubjectKey.objects.issue()
        with override_settings(AUDIT_SIGNER_DIR=cls.folder):
            done = 0
            for size in SIZES:
                cls.act(size - done)
                seal_pending()
                done = size

    def setUp(self):
        # The signer's memory goes back with the database after each test.
        self.addCleanup(self.restore_folder, {path: path.read_bytes() for path in self.folder.iterdir()})
        self.enterContext(override_settings(AUDIT_SIGNER_DIR=self.folder))

    def restore_folder(self, files: dict[Path, bytes]) -> None:
        for path in self.folder.iterdir():
            path.unlink()
        for path, content in files.items():
            path.write_bytes(content)
            path.chmod(0o600)

    @classmethod
    def act(cls, times: int = 1) -> None:
        with bind(REQUEST):
            for _ in range(times):
                record(Action.SESSION_CREATED, actor=cls.asha)

    def verify(self, **options) -> Report:
        return verify_log(**options)

    def found(self, **options) -> dict[str, int | None]:
        """Kinds of what a verification finds wrong, and where."""
        return {fault.kind.value: fault.index for fault in self.verify(**options).faults}


class ForgedLog(SealedLog):
    """A sealed log, and what INSERT and the allowed UPDATE of a tile can do to it."""

    def forged_event(self, index: int, mac_key: str) -> AuditEvent:
        leaf = Leaf(
            id=uuid4(), occurred_at=timezone.now(), audit_class="admin", type="staff.role_changed", outcome="success",
            actor=self.asha.pk, target=None, company=None, session_id=None, request_id="forged", node="web-1",
        )  # fmt: skip
        encoded = leaf.encode()
        return AuditEvent(
            leaf=encoded, leaf_hash=leaf_hash(encoded), mac=bytes(32), mac_key=mac_key, tree_index=index,
            event_id=leaf.id, type=leaf.type, audit_class=leaf.audit_class, outcome=leaf.outcome,
            occurred_at=leaf.occurred_at, actor=leaf.actor, request_id=leaf.request_id,
        )  # fmt: skip

    def forge(self, *, mac_key: str = "gone", log: AuditLog | None = None, note: str = "", is_stored: bool = True):
        """One event more under one checkpoint more, as the log itself would write them."""
        last = AuditCheckpoint.objects.select_related("log").last()
        event = self.forged_event(last.size, mac_key)
        if is_stored:
            AuditEvent.objects.bulk_create([event])
        edge = RightEdge(last.size, load_tile)
        edge.append(event.leaf_hash)
        save_tiles(edge.changed().items())
        root = root_of(stored_nodes(), edge.size)
        return AuditCheckpoint.objects.create(size=edge.size, log=log or last.log, root=root, note=note)

    def leave_unsigned(self, events: int) -> None:
        """Have a seal end between its two transactions."""
        self.act(events)
        with mock.patch.object(sealing, "_sign", side_effect=[SIZES[-1], KeyboardInterrupt]):
            self.assertRaises(KeyboardInterrupt, seal_pending)

    def assert_not_sealed(self, why: str) -> None:
        with self.assertRaisesRegex(SealRefused, why):
            seal_pending()
        self.assertEqual(AuditCheckpoint.objects.last().note, "")


class Intruder:
    """Has all rights in the database and knows the code; has neither the signer's folder nor the ring's keys.

    Switches the triggers off for what they refuse, and leaves them as they were found.
    """

    _is_unguarded = False

    @contextmanager
    def unguarded(self) -> Iterator[None]:
        if self._is_unguarded:
            yield
            return
        self._is_unguarded = True
        switch_off_triggers()
        try:
            yield
        finally:
            switch_on_triggers()
            self._is_unguarded = False

    def run(self, sql: str, *values: object) -> None:
        with self.unguarded(), connection.cursor() as cursor:
            cursor.execute(sql, values)

    def forget_anchors(self) -> None:
        self.run("DELETE FROM audit_anchor")

    def put_leaf(self, index: int, leaf: Leaf, *, is_hashed: bool) -> None:
        event = AuditEvent.objects.get(tree_index=index)
        encoded = leaf.encode()
        digest = leaf_hash(encoded) if is_hashed else bytes(event.leaf_hash)
        self.run("UPDATE audit_event SET leaf = %s, leaf_hash = %s WHERE tree_index = %s", encoded, digest, index)

    def remove_values(self, index: int) -> None:
        self.run("DELETE FROM audit_pii WHERE event_id = (SELECT id FROM audit_event WHERE tree_index = %s)", index)

    def rebuild_tree(self) -> None:
        """Make tiles and roots fit the events that are there now."""
        with self.unguarded():
            self._rebuild_tree()

    def _rebuild_tree(self) -> None:
        AuditTile.objects.all().delete()
        edge = RightEdge(0, lambda *_: b"")
        for digest in AuditEvent.objects.exclude(tree_index=None).order_by("tree_index").values_list("leaf_hash"):
            edge.append(bytes(digest[0]))
        save_tiles(edge.changed().items())
        AuditCheckpoint.objects.filter(size__gt=edge.size).delete()
        for row in AuditCheckpoint.objects.all():
            self.run(
                "UPDATE audit_checkpoint SET root = %s WHERE size = %s", root_of(stored_nodes(), row.size), row.size
            )

    def sign_again(self, private: Ed25519PrivateKey, *, is_key_replaced: bool) -> None:
        """Sign every checkpoint with `private`."""
        for row in AuditCheckpoint.objects.select_related("log"):
            text = Checkpoint(origin=row.log.origin, size=row.size, root=bytes(row.root)).text
            note = sign_note(text, name=row.log.origin, private=private)
            self.run("UPDATE audit_checkpoint SET note = %s WHERE size = %s", note, row.size)
        if is_key_replaced:
            log = AuditLog.objects.get()
            self.run("UPDATE audit_log SET verifier_key = %s", str(verifier_key(log.origin, private)))

    def remove(self, first: int, end: int, *, is_renumbered: bool) -> None:
        """Take the events from `first` up to `end` out, and close the gap if asked."""
        self.run(
            "DELETE FROM audit_pii WHERE event_id IN (SELECT id FROM audit_event WHERE tree_index >= %s "
            "AND tree_index < %s)",
            first,
            end,
        )
        self.run("DELETE FROM audit_event WHERE tree_index >= %s AND tree_index < %s", first, end)
        if is_renumbered:
            self.move(end, by=first - end)

    def move(self, first: int, *, by: int) -> None:
        """Add `by` to every index from `first` on."""
        # By way of negative numbers: no two rows may have one index even for a moment.
        self.run("UPDATE audit_event SET tree_index = -tree_index - 1 WHERE tree_index >= %s", first)
        self.run("UPDATE audit_event SET tree_index = -tree_index - 1 + %s WHERE tree_index < 0", by)


GUARDED = ("audit_event", "audit_pii", "audit_tile", "audit_checkpoint", "audit_log", "audit_anchor", "audit_pruned")


def switch_off_triggers(*tables: str) -> None:
    """As whoever owns the tables can: of these, or of all that hold the log."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")  # rows that wait for a check would keep the table as it is
            for table in tables or GUARDED:
                cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
            cursor.execute("SET CONSTRAINTS ALL DEFERRED")
        else:
            cursor.execute("SELECT name, tbl_name FROM sqlite_master WHERE type = 'trigger'")
            for name, table in cursor.fetchall():
                if table in (tables or GUARDED):
                    cursor.execute(f"DROP TRIGGER {name}")


def switch_on_triggers(*tables: str) -> None:
    """As they were before."""
    if connection.vendor != "postgresql":
        install_triggers()
        return
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        for table in tables or GUARDED:
            cursor.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")
        cursor.execute("SET CONSTRAINTS ALL DEFERRED")
