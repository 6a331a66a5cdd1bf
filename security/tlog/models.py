"""Rows of the tree over the audit log: which log this is, its tiles, its checkpoints, who else signed those, what
was taken out, and when it was verified.
"""

from typing import ClassVar

from django.db import models

from security.tlog.note import Checkpoint


class AuditLog(models.Model):
    """One epoch of this installation's log. A new one begins only where an older database was put back.

    The tree goes on through all epochs; each signs under an origin and a key of its own.
    """

    epoch = models.PositiveIntegerField(primary_key=True)
    origin = models.CharField(max_length=200, unique=True)
    verifier_key = models.CharField(max_length=300)
    opened_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        db_table = "audit_log"
        ordering: ClassVar = ["epoch"]

    def __str__(self) -> str:
        return self.origin


class AuditTile(models.Model):
    """Up to 256 hashes of one level of the tree, 32 bytes each; grows at its end until it is full."""

    id = models.BigAutoField(primary_key=True)
    level = models.PositiveSmallIntegerField()
    index = models.BigIntegerField(db_column="idx")  # INDEX is a keyword
    hashes = models.BinaryField(max_length=8192)

    class Meta:
        db_table = "audit_tile"
        constraints: ClassVar = [models.UniqueConstraint(fields=["level", "index"], name="audit_tile_place")]

    def __str__(self) -> str:
        return f"tile {self.level}/{self.index}"


class AuditCheckpoint(models.Model):
    """The root over the first `size` events, and the note in which the log signed it.

    `note` is empty between the commit of the tree and the signature, which a crash can put apart: the next seal signs.
    """

    size = models.BigIntegerField(primary_key=True)
    log = models.ForeignKey(AuditLog, on_delete=models.PROTECT, related_name="checkpoints")
    root = models.BinaryField(max_length=32)
    note = models.TextField(blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        db_table = "audit_checkpoint"
        ordering: ClassVar = ["size"]

    def __str__(self) -> str:
        return f"checkpoint {self.size}"

    def as_checkpoint(self) -> Checkpoint:
        """What the note of this row says."""
        return Checkpoint(origin=self.log.origin, size=self.size, root=bytes(self.root))


class AuditAnchor(models.Model):
    """A checkpoint as a witness (`sink`, its key's name) signed it too; `note` has the log's and the witness's line."""

    id = models.BigAutoField(primary_key=True)
    sink = models.CharField(max_length=200)
    size = models.BigIntegerField()
    note = models.TextField()
    seen_at = models.DateTimeField()  # the witness's time, which its signature covers

    class Meta:
        db_table = "audit_anchor"
        constraints: ClassVar = [models.UniqueConstraint(fields=["sink", "size"], name="audit_anchor_once")]

    def __str__(self) -> str:
        return f"{self.sink} over {self.size}"


class AuditPruned(models.Model):
    """Places of one tile whose events a pruning took out: a bit each, the tile's first place first.

    The event `audit.pruned` of this plan and class proves them. `taken_at` is when rows of the tile went last.
    """

    id = models.BigAutoField(primary_key=True)
    plan = models.UUIDField()
    audit_class = models.CharField(max_length=16)
    tile = models.BigIntegerField(db_index=True)
    places = models.BinaryField(max_length=32)
    taken_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "audit_pruned"
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["plan", "audit_class", "tile"], name="audit_pruned_once")
        ]

    def __str__(self) -> str:
        return f"{self.audit_class} of tile {self.tile}"


class AuditVerification(models.Model):
    """One verification that somebody ran here: what it looked at and what it found. It proves nothing by itself.

    `proved_to`: this run and those before it proved all events below this place.
    `faults` and `not_verified` are as in `Report.as_json`.
    """

    id = models.BigAutoField(primary_key=True)
    at = models.DateTimeField(auto_now_add=True)
    since = models.BigIntegerField()
    size = models.BigIntegerField()
    proved_to = models.BigIntegerField()
    faults = models.JSONField()
    not_verified = models.JSONField()

    class Meta:
        db_table = "audit_verification"
        ordering: ClassVar = ["id"]

    def __str__(self) -> str:
        return f"verification of {self.since} to {self.size}"

    @property
    def first_bad_index(self) -> int | None:
        """The lowest place of an event that a finding names."""
        return min((fault["index"] for fault in self.faults if fault.get("index") is not None), default=None)
