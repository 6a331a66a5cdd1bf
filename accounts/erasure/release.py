"""Destroys the keys that holds have kept since an erasure, once nothing keeps them any more. For good."""

import logging
from collections.abc import Mapping
from datetime import datetime

from django.db import OperationalError, connection, transaction
from django.db.models import Q
from django.utils import timezone

from accounts.erasure.holdings import values_in_audit
from accounts.erasure.holds import keys_about, locked, what_keeps
from accounts.erasure.models import Withheld
from accounts.identity.models import User
from accounts.identity.trail import company_subject
from security.audit import Action, erase_personal_values, record
from security.crypto import SubjectKey

logger = logging.getLogger("accounts.erasure")


def destroy_released_keys() -> int:
    """Destroy the key of everybody erased whom no hold keeps any more; how many. Idempotent.

    Each in a transaction of its own. On SQLite the freed pages are overwritten too, or the log says that they were not.
    """
    now = timezone.now()
    destroyed = 0
    is_over = Q(until__isnull=True) | Q(until__lt=now.date())
    for pk in Withheld.objects.filter(is_over).order_by("pk").values_list("pk", flat=True):
        with transaction.atomic(durable=True):
            subject = locked(keys_about(pk))[pk]
            # Asked again under the lock: a hold may have been placed since, or an operator been faster.
            if subject.destroyed_at is None and not what_keeps(subject, today=now.date()):
                destroy_withheld(subject, at=now, told={"operator": "schedule"})
                destroyed += 1
    if destroyed and not _is_overwritten():
        # Nobody is left whom the next night would find: an operator runs subject_erase once more.
        logger.warning("erasure_pages_not_overwritten")
    return destroyed


def destroy_withheld(subject: SubjectKey, *, at: datetime, told: Mapping[str, str]) -> int:
    """Delete what an erasure under a hold had kept of `subject`, destroy their key, and mark it; values that went.

    The caller holds the lock of the key, has found nothing that keeps it, and is in a transaction.
    """
    values = erase_personal_values(subject=subject) + values_in_audit(subject).delete()[0]
    Withheld.objects.filter(subject=subject).delete()
    subject.destroy(at=at)
    user = User.objects.filter(subject=subject).first()
    company = subject if user is None else company_subject(user)
    record(Action.SUBJECT_KEY_DESTROYED, target=subject, company=company, data={"values": values, **told})
    return values


def overwrite_freed_pages() -> bool:
    """Let nothing of deleted rows stay in SQLite's file; True where it did, or where the database does so itself.

    False where a transaction is open, or others keep the file busy: then another run does it.
    """
    if connection.vendor != "sqlite":
        return True  # its dumps hold living rows only, and vacuum follows by itself
    if connection.in_atomic_block:
        return False
    with connection.cursor() as cursor:
        cursor.execute("VACUUM")
        busy, *_ = cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    return not busy


def _is_overwritten() -> bool:
    try:
        return overwrite_freed_pages()
    except OperationalError:  # locked for longer than we wait, or no room for the second copy that VACUUM writes
        return False
