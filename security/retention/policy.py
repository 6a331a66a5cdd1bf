"""How long each class of events is kept: its floor, or longer where AUDIT_RETENTION_DAYS says so."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from django.conf import settings

from security.audit import AuditClass


class RetentionRefused(Exception):  # noqa: N818 - the sentence that the operator reads
    """Why nothing was done, and what to do instead. `code` is a word for the event that tells of it."""

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code


def kept_days() -> Mapping[AuditClass, int]:
    """Days by class, as the entries of AUDIT_RETENTION_DAYS ("noise=365") lengthen the floors.

    Raises RetentionRefused for an entry that is none, and for one below its floor.
    """
    days = {audit_class: audit_class.retention_days for audit_class in AuditClass}
    for entry in settings.AUDIT_RETENTION_DAYS:
        name, _, number = entry.strip().partition("=")
        if name not in set(AuditClass) or not (number.isascii() and number.isdigit() and len(number) <= 5):
            raise RetentionRefused("setting", f"AUDIT_RETENTION_DAYS: {entry!r} is no class and days, as noise=365 is")
        floor = AuditClass(name).retention_days
        if int(number) < floor:
            raise RetentionRefused("floor", f"AUDIT_RETENTION_DAYS: {name} must be kept for {floor} days at least")
        days[AuditClass(name)] = int(number)
    return days


def check_cutoffs(cutoffs: Mapping[AuditClass, datetime], *, now: datetime) -> None:
    """Raises RetentionRefused unless all that is younger than `kept_days` stays; the setting may have been raised."""
    for audit_class, days in kept_days().items():
        if audit_class in cutoffs and cutoffs[audit_class] > now - timedelta(days=days):
            raise RetentionRefused(
                "floor", f"{audit_class} is kept for {days} days; the plan would take younger events"
            )
