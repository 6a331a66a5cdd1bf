"""Finds the subject under whose key events that name nobody keep the client's address: one a calendar month.

A wrong password for an unknown e-mail has no person to encrypt under; a month bounds what one key opens.
"""

from datetime import UTC, datetime
from typing import Any

from django.db import transaction
from django.db.models.signals import post_migrate

from security.audit.models import UnidentifiedSubject
from security.crypto.models import SubjectKey

_known: dict[str, SubjectKey] = {}  # by month


def ensure_unidentified_subject(*, at: datetime) -> SubjectKey:
    """Subject of the UTC month of `at`, created by whoever comes first."""
    month = at.astimezone(UTC).strftime("%Y-%m")
    cached = _known.get(month)
    if cached is not None:
        return cached
    subject = _subject_of(month)

    def remember() -> None:
        # Threads share the table: a copy of its keys cannot change under the loop.
        for earlier in list(_known):
            if earlier < month:
                _known.pop(earlier, None)
        _known[month] = subject

    # Only once it is committed: a rolled-back first event would leave a key in memory that no table knows.
    transaction.on_commit(remember)
    return subject


def _subject_of(month: str) -> SubjectKey:
    issue = SubjectKey.objects.issue
    months = UnidentifiedSubject.objects.select_related("subject")
    # The unique month decides a race: the loser's savepoint, its key included, is rolled back.
    row, _ = months.get_or_create(month=month, defaults={"subject": issue})  # type: ignore[misc] # callable
    if row.subject.destroyed_at is None:
        return row.subject
    # The running month's key was taken away: without a new one no refusal could be recorded, so none be answered.
    row = UnidentifiedSubject.objects.select_for_update().get(pk=row.pk)
    if row.subject.destroyed_at is not None:
        row.subject = issue()
        row.save(update_fields=["subject"])
    return row.subject


def forget_known_subjects(**_: Any) -> None:
    """Read the months from the database again, as after `migrate` and `flush`, which may empty it."""
    _known.clear()


post_migrate.connect(forget_known_subjects, dispatch_uid="security.audit.unidentified")
