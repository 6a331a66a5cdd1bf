"""What was taken out by anybody but retention is found, and so is a pruning that was forged or changed."""

from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

from django.db import IntegrityError, connection, transaction

from security.audit import Action, AuditEvent, record
from security.audit.leaf import leaf_hash, timestamp
from security.tlog import AuditPruned, Digest, as_bits, leaf_hashes, seal_pending
from tests.accounts.retention.keeping import OF_EACH, Keeping


class Tampering(Keeping):
    def prepare(self):
        self.plan = self.prune("--class", "noise")
        self.pruned = self.audited("audit.pruned")[0]
        self.kept = self.base + 100  # an event of the class auth
        self.assertEqual(self.found(), {})

    def put(self, row: AuditPruned, indexes) -> None:
        self.intruder.run("UPDATE audit_pruned SET places = %s WHERE id = %s", as_bits(indexes), row.pk)

    def test_an_event_that_retention_did_not_take(self):
        self.intruder.remove(self.kept, self.kept + 1, is_renumbered=False)
        self.assertEqual(self.found(), {"event_missing": self.kept})

    def test_an_event_taken_out_and_its_place_marked(self):
        self.intruder.remove(self.kept, self.kept + 1, is_renumbered=False)
        row = AuditPruned.objects.get(tile=0)
        self.put(row, [self.kept, *(at for at in range(self.base, 256) if at % 4 == (self.base + 1) % 4)])
        found = self.found()
        self.assertEqual(found["pruning_differs"], self.base + 1)
        self.assertEqual(found["event_missing"], self.base + 1)

    def test_a_row_of_places_taken_out_or_slipped_in(self):
        self.intruder.run("DELETE FROM audit_pruned WHERE tile = 1")
        self.assertIn("pruning_differs", self.found())
        AuditPruned.objects.create(plan=uuid4(), audit_class="auth", tile=0, places=as_bits([self.kept]))
        self.intruder.remove(self.kept, self.kept + 1, is_renumbered=False)
        self.assertIn("event_missing", self.found())

    def test_places_that_no_tree_has(self):
        for tile in (-1, 2**60):
            with self.subTest(tile), transaction.atomic():
                known = {"plan": self.plan, "audit_class": "noise"}
                AuditPruned.objects.create(**known, tile=tile, places=as_bits([0]))
                self.assertIn("pruning_differs", self.found())
                transaction.set_rollback(True)

    def test_places_of_a_plan_without_its_event(self):
        AuditPruned.objects.create(plan=uuid4(), audit_class="auth", tile=0, places=as_bits([self.kept]))
        self.intruder.remove(self.kept, self.kept + 1, is_renumbered=False)
        self.assertEqual(self.found(), {"event_missing": self.kept})

    def forged(self) -> dict:
        digest = Digest()
        digest.add(self.kept, leaf_hashes(self.kept, self.kept + 1)[0])
        plan = uuid4()
        AuditPruned.objects.create(plan=plan, audit_class="auth", tile=0, places=as_bits([self.kept]))
        self.intruder.remove(self.kept, self.kept + 1, is_renumbered=False)
        until = timestamp(self.pruned.occurred_at - timedelta(days=366))
        told = {"plan": str(plan), "class": "auth", "until": until, "archive": "0" * 64, "count": 1}
        return told | {"digest": digest.hex(), "first": self.kept, "last": self.kept}

    def forge(self, index: int | None) -> None:
        """A row that looks like a pruning in the place of a later event; the intruder has no key of the ring."""
        leaf = replace(self.pruned.parsed_leaf(), id=uuid4(), data=self.forged()).encode()
        event = AuditEvent.objects.filter(tree_index=index).first()
        if event is None:
            self.act(1)
            event = AuditEvent.objects.get(tree_index=None)
        self.intruder.run(
            "UPDATE audit_event SET leaf = %s, leaf_hash = %s, type = 'audit.pruned' WHERE id = %s",
            leaf,
            leaf_hash(leaf),
            event.pk,
        )

    def test_a_forged_pruning_in_the_place_of_an_event(self):
        place = self.pruned.tree_index - 1
        self.forge(place)
        found = self.found()
        self.assertEqual((found["event_edited"], found["pruning_differs"]), (place, place))
        self.assertEqual(found["event_missing"], self.kept)

    def test_a_forged_pruning_among_those_that_wait(self):
        seal_pending()
        self.forge(None)
        found = self.found()
        self.assertEqual(found["event_missing"], self.kept)
        self.assertIn("event_unmarked", found)

    def test_a_pruning_below_the_floor_is_found_though_we_wrote_it_ourselves(self):
        """Somebody who runs our code can write any event. What they then took out is named."""
        told = self.forged()
        with transaction.atomic():
            record(Action.AUDIT_PRUNED, data=told | {"until": timestamp(self.pruned.occurred_at - timedelta(days=365))})
        seal_pending()
        found = self.found()
        self.assertIn("pruning_differs", found)
        self.assertEqual(found["event_missing"], self.kept)

    def test_the_event_that_tells_of_it_taken_out(self):
        place = self.pruned.tree_index
        self.intruder.remove(place, place + 1, is_renumbered=False)
        self.assertEqual(self.found(), {"event_missing": self.base + 1})

    def test_the_database_refuses_to_change_the_places(self):
        for sql in ("UPDATE audit_pruned SET tile = 9", "DELETE FROM audit_pruned"):
            with self.subTest(sql), self.assertRaises(IntegrityError), transaction.atomic(), connection.cursor() as c:
                c.execute(sql)

    def test_where_something_was_changed_nothing_more_goes(self):
        plan = self.agreed("--class", "auth")
        self.intruder.remove(self.kept, self.kept + 1, is_renumbered=False)
        self.assertIn("the log was changed", self.refused("--run", plan, "--archive", self.archive))
        self.assertEqual(self.left()["auth"], OF_EACH - 1)
        self.assertFalse(self.file(plan, "auth").exists())
        self.assertEqual(self.audited("retention.refused")[0].parsed_leaf().data["reason"], "changed")

    def test_a_young_event_made_old_by_its_column_does_not_go(self):
        young = AuditEvent.objects.filter(audit_class="auth").latest("id")
        self.intruder.run("UPDATE audit_event SET occurred_at = '2025-02-01 06:00:00+00:00' WHERE id = %s", young.pk)
        plan = self.agreed("--class", "auth")
        self.assertIn("changed", self.refused("--run", plan, "--archive", self.archive))
        self.assertTrue(AuditEvent.objects.filter(pk=young.pk).exists())
