"""What shows that the log is kept: how old each class is, how many sealed events are still held, what was pruned."""

from typing import Any

from accounts.audit.edit_log import Scope
from accounts.audit.years import data_of, in_india
from security.audit import Action, AuditClass, AuditEvent
from security.retention import kept_days


def retention_proof(scope: Scope) -> dict[str, Any]:
    """Of each class its floor and how long it is kept, in days, its oldest event and the days from there to the
    checkpoint; of the whole log how many of the sealed events are held; and every pruning that the year's events tell
    of.
    """
    kept = kept_days()
    size, now = scope.checkpoint.size, scope.checkpoint.created_at
    classes = []
    for one in AuditClass:
        oldest = AuditEvent.objects.filter(audit_class=one.value).order_by("id").first()
        at = oldest.occurred_at if oldest else None
        classes.append(
            {
                "class": one.value,
                "floorDays": one.retention_days,
                "keptDays": kept[one],
                "oldestEvent": in_india(at) if at else None,
                "oldestIndex": oldest.tree_index if oldest else None,
                "heldDays": (now - at).days if at else None,
            }
        )
    return {
        "sealed": size,
        "held": AuditEvent.objects.filter(tree_index__gte=0, tree_index__lt=size).count(),
        "classes": classes,
        "pruned": [
            {"index": event.tree_index, "time": in_india(event.occurred_at), "told": data_of(event)}
            for event in scope.walk(type=Action.AUDIT_PRUNED.type)
        ],
    }
