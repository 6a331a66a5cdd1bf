"""Says whom the standing locks are on, as far as that can be known: the counters hold keyed digests, no names.

The audit log tells who was refused lately; a lock is theirs whose address gives its digest. Nothing is lifted here.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.utils import timezone

from accounts.identity.models import User
from accounts.passwords.reset import counted_as
from security.audit import Action, AuditEvent
from security.lockout import Lock, account_digest, standing_locks
from security.statements import planned_for_its_values

# What a try at a password leaves, and a request for a reset link, which is counted with them under its own name.
_TELLING = (Action.SESSION_CREATE_REFUSED, Action.SESSION_LOCKED_OUT, Action.PASSWORD_RESET_REQUESTED)
# Read of each kind, the latest first. No index orders events by time, so that the number must be bounded, not the age.
MOST_EVENTS = 1000


@dataclass(frozen=True, slots=True)
class Person:
    """Whom a lock is on. `is_reset`: it holds back requests for reset links, and no sign-in."""

    pk: UUID
    email: str
    is_staff: bool
    is_reset: bool


@dataclass(frozen=True, slots=True)
class NamedLock:
    """A lock and its person; None where it spans many, or where nobody is known."""

    lock: Lock
    person: Person | None


@dataclass(frozen=True, slots=True)
class LockList:
    """Newest first. `is_whole`: there are no other locks."""

    locks: tuple[NamedLock, ...]
    is_whole: bool


def list_locks() -> LockList:
    """The locks that stand now, with the people they are on. Six statements at most, each of bounded work."""
    now = timezone.now()
    standing = standing_locks(now=now)
    people = _people_behind({lock.account for lock in standing.locks if lock.account}, now=now)
    named = tuple(NamedLock(lock, people.get(lock.account)) for lock in standing.locks)
    return LockList(locks=named, is_whole=standing.is_whole)


def _people_behind(wanted: set[str], *, now: datetime) -> dict[str, Person]:
    """The person of each of these digests that one of the people refused lately has."""
    found: dict[str, Person] = {}
    if not wanted:
        return found
    # A lock ends a window after the try that caused it: a person whose lock stands was refused within one.
    refused = _refused_since(now - timedelta(seconds=settings.LOCKOUT_WINDOW_SECONDS))
    for pk, email, is_staff in User.objects.filter(subject__in=refused).values_list("pk", "email", "is_staff"):
        for account, is_reset in ((email, False), (counted_as(email), True)):
            digest = account_digest(account)
            if digest in wanted:
                found[digest] = Person(pk, email, is_staff, is_reset)
        if len(found) == len(wanted):
            break
    return found


def _refused_since(moment: datetime) -> set[UUID]:
    with planned_for_its_values():
        return {target for action in _TELLING for target in _targets(action, moment)}


def _targets(action: Action, moment: datetime) -> Iterator[UUID]:
    events = AuditEvent.objects.filter(type=action.type).order_by("-pk").values_list("target", "occurred_at")
    for target, occurred_at in events[:MOST_EVENTS]:
        if target is not None and occurred_at >= moment:
            yield target
