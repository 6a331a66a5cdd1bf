"""Tables of the audit log: events, the personal values they commit to, and whom unidentified ones belong to.

An event is written once. Sealing gives it an index later; nothing else about it may change.
"""

from collections.abc import Sequence
from operator import itemgetter
from typing import Any, NoReturn, Self

from django.db import models
from django.db.models import Q

from security.audit.actions import AuditClass, Outcome
from security.audit.leaf import Leaf
from security.crypto.models import SubjectKey
from security.statements import Insert, InsertPair
from security.trail.transactions import TransactionName

ADDRESS_FIELD = "address"  # of AuditPii: the client's address


class AuditIsAppendOnly(TypeError):  # noqa: N818 - named for what holds
    """Code tried to change or delete a recorded event."""


class AuditEventQuerySet(models.QuerySet["AuditEvent"]):
    """Reads of the log. Bulk writes are refused here against our own mistakes only."""

    def forget_addresses(self) -> int:
        """Drop the searchable address of these events (the person was erased); returns how many had one."""
        return super().update(address_index=None, address_key="")

    def indexed_under_others(self, key_id: str) -> "AuditEventQuerySet":
        """Events whose searchable address was made with another index key than `key_id`."""
        return self.filter(address_index__isnull=False).exclude(address_key=key_id)

    def update(self, **kwargs: Any) -> NoReturn:
        raise AuditIsAppendOnly("audit events are never updated")

    def delete(self) -> NoReturn:
        raise AuditIsAppendOnly("audit events are never deleted")

    def bulk_update(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise AuditIsAppendOnly("audit events are never updated")


class AuditEvent(models.Model):
    """One event. `leaf` is the truth; the columns after `tree_index` copy it for search and are checked
    against it.

    `actor`, `target` and `company` are values without a foreign key: an erased person stops resolving, and
    the event stays.
    """

    id = models.BigAutoField(primary_key=True)
    leaf = models.BinaryField()
    leaf_hash = models.BinaryField(max_length=32)
    mac = models.BinaryField(max_length=32)
    mac_key = models.CharField(max_length=32)
    tree_index = models.BigIntegerField(null=True, unique=True, editable=False)

    event_id = models.UUIDField(unique=True)
    type = models.CharField(max_length=64)
    audit_class = models.CharField(max_length=16, choices=[(c.value, c.value) for c in AuditClass])
    outcome = models.CharField(max_length=16, choices=[(o.value, o.value) for o in Outcome])
    occurred_at = models.DateTimeField()
    actor = models.UUIDField(null=True)
    target = models.UUIDField(null=True)
    company = models.UUIDField(null=True)
    session_id = models.CharField(max_length=64, null=True)
    request_id = models.CharField(max_length=128, blank=True)

    # Outside the leaf, so that erasing a person can drop it: keyed blind index of the client address, and by which key.
    address_index = models.BinaryField(max_length=32, null=True)
    address_key = models.CharField(max_length=32, default="", editable=False)

    # Outside the leaf: by it the changes that the database noted in the same transaction find their event.
    tx = models.TextField(null=True, editable=False)

    objects = AuditEventQuerySet.as_manager()

    class Meta:
        db_table = "audit_event"
        ordering = ["id"]
        indexes = [
            models.Index(fields=["id"], name="audit_pending", condition=Q(tree_index__isnull=True)),
            models.Index(fields=["company", "id"], name="audit_company", condition=Q(company__isnull=False)),
            models.Index(fields=["actor", "id"], name="audit_actor", condition=Q(actor__isnull=False)),
            models.Index(fields=["target", "id"], name="audit_target", condition=Q(target__isnull=False)),
            models.Index(fields=["type", "id"], name="audit_type"),
            models.Index(fields=["tx"], name="audit_tx", condition=Q(tx__isnull=False)),
            # For `search.py`: each criterion has the id beside it. A time is found by `event_id`, which begins with it.
            models.Index(fields=["request_id", "id"], name="audit_request"),
            models.Index(fields=["outcome", "id"], name="audit_outcome"),
            models.Index(fields=["audit_class", "id"], name="audit_class"),
            models.Index(
                fields=["address_index", "id"], name="audit_address", condition=Q(address_index__isnull=False)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.type} {self.event_id}"

    @classmethod
    def of_columns(cls, **columns: Any) -> Self:
        """An event with these columns, which must be all. By name the ORM would look for each and ask its default."""
        return cls(*_in_order(columns))

    def save(self, *, pii: "Sequence[AuditPii]" = ()) -> None:  # type: ignore[override]
        """Insert the event and its `pii`, by statements compiled once: nearly every act of anybody comes by here.

        The first personal value, mostly the client's address and the only one, shares the event's round trip.
        """
        if not self._state.adding:
            raise AuditIsAppendOnly("audit events are never updated")
        if not pii:
            _INSERT_EVENT.run(self)
            return
        _INSERT_BOTH.run(self, pii[0])
        for row in pii[1:]:
            row.event = self
            _INSERT_PII.run(row)

    def delete(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise AuditIsAppendOnly("audit events are never deleted")

    def is_among(self, size: int) -> bool:
        """Whether it has a place among the first `size` of the tree."""
        return self.tree_index is not None and 0 <= self.tree_index < size

    def parsed_leaf(self) -> Leaf:
        """What the event says, read from its leaf. Raises LeafRefused for bytes that are none."""
        return Leaf.parse(bytes(self.leaf))


class AuditPii(models.Model):
    """Salt and value behind one commitment of an event, encrypted under `subject`'s key. Deleted on erasure.

    The salt is inside the ciphertext: beside it in clear, it would let anyone with a copy of the table try
    all IPv4 addresses against the commitment, long after the key was destroyed.
    """

    id = models.BigAutoField(primary_key=True)
    event = models.ForeignKey(AuditEvent, on_delete=models.CASCADE, related_name="pii", db_index=False)
    field = models.CharField(max_length=64)
    subject = models.UUIDField(db_index=True)  # pseudonym, a value as in the event
    ciphertext = models.BinaryField()

    class Meta:
        db_table = "audit_pii"
        constraints = [models.UniqueConstraint(fields=["event", "field"], name="audit_pii_once")]

    def __str__(self) -> str:
        return f"{self.field} of event {self.event_id}"


def take_out(events: "models.QuerySet[AuditEvent]") -> int:
    """Delete events that are archived, and what is kept beside them; how many. Needs `maintenance`."""
    ids = list(events.values_list("pk", flat=True))
    if not ids:
        return 0
    AuditPii.objects.filter(event__in=ids)._raw_delete(events.db)
    return AuditEvent.objects.filter(pk__in=ids)._raw_delete(events.db)


_in_order = itemgetter(*(field.attname for field in AuditEvent._meta.concrete_fields))
_INSERT_EVENT = Insert(AuditEvent, tx=TransactionName())
_INSERT_PII = Insert(AuditPii)
_INSERT_BOTH = InsertPair(_INSERT_EVENT, _INSERT_PII, link="event")


class UnidentifiedSubject(models.Model):
    """Whose key protects the addresses of one month's events that name nobody."""

    month = models.CharField(max_length=7, unique=True)  # UTC, "2026-11"
    subject = models.ForeignKey(SubjectKey, on_delete=models.PROTECT, related_name="+")

    class Meta:
        db_table = "audit_unidentified"

    def __str__(self) -> str:
        return self.month
