"""Which epoch of the log signs which sizes of the tree, as the tree itself tells.

A row of `audit_log` names a key, and whoever writes into the database can add one. An epoch is one of ours only where
the tree has it: the first, and each that an event `audit_log.recovered` begins. The key of one that is over is the one
that the event says it ended.
"""

import hmac
from bisect import bisect_left
from collections.abc import Iterator

from django.db.models import Max

from security.audit import Action, AuditEvent, LeafRefused
from security.audit.leaf import leaf_hash
from security.tlog.models import AuditCheckpoint, AuditLog
from security.tlog.pruned import leaf_hashes

FIRST = 1


class Epochs:
    """The epochs that the tree tells of; with `end`, those of its first `end` events."""

    def __init__(self, *, end: int | None = None) -> None:
        # Before the events: what is there now, the tree that is read after it tells of.
        logs = {log.origin: log for log in AuditLog.objects.all()}
        self._signs = [(-1, log) for log in logs.values() if log.epoch == FIRST]  # beyond which size
        for place, origin, ended in _recoveries(end):
            if ended and self._signs and self._signs[-1][1].verifier_key != ended:
                self._signs.pop()
            log = logs.get(origin)
            if log is not None and (not self._signs or log.epoch > self._signs[-1][1].epoch):
                self._signs.append((place, log))
        self.strange = [log for log in logs.values() if log not in self.known]

    @property
    def known(self) -> list[AuditLog]:
        """In order."""
        return [log for _, log in self._signs]

    def of(self, size: int) -> AuditLog | None:
        """The epoch that signs the tree of `size`."""
        at = bisect_left(self._signs, size, key=lambda signs: signs[0])
        return self._signs[at - 1][1] if at else None


def _recoveries(end: int | None) -> Iterator[tuple[int, str, str]]:
    """(place, origin of the epoch that it begins, key of the one that it ends) of each recovery that the tree has.

    Those of before this was told say "" for the key.
    """
    if end is None:  # beyond, and before the first, whoever may INSERT has a tile to every event
        end = AuditCheckpoint.objects.aggregate(end=Max("size"))["end"] or 0
    rows = AuditEvent.objects.filter(type=Action.AUDIT_LOG_RECOVERED.type, tree_index__gte=0, tree_index__lt=end)
    for event in rows.order_by("tree_index"):
        place = event.tree_index or 0
        try:
            leaf = event.parsed_leaf()
        except LeafRefused:
            continue
        is_placed = hmac.compare_digest(leaf_hash(bytes(event.leaf)), leaf_hashes(place, place + 1)[0])
        if is_placed and leaf.type == Action.AUDIT_LOG_RECOVERED.type:
            yield place, str(leaf.data.get("origin")), str(leaf.data.get("ended", ""))
