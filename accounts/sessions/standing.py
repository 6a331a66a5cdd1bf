"""Holds the person of a session while a request changes them. Whom a token admits is `authentication.py`'s matter.

Between the reading of a session and a write a person may have been erased, or their sign-in ended: what was read then
must not come back.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import transaction
from django.utils import timezone

from accounts.identity.models import Company, User
from accounts.sessions.models import Session
from accounts.sessions.refusals import record_refused_token
from security.errors import SessionInvalid


@contextmanager
def held(session: Session, *, company: Company | None = None) -> Iterator[User]:
    """A transaction that holds the session's person, read anew, and where it is given their `company` too.

    Until it ends nobody signs in as them, ends this session or erases them. Raises SessionInvalid, marked, where the
    session no longer stands; so may the block, whose writes are then undone.
    """
    try:
        with transaction.atomic(durable=True):
            if company is not None:
                # Before the person, as an erasure locks them: neither must wait for the other for ever.
                Company.objects.select_for_update(of=("self",), no_key=True).get(pk=company.pk)
            yield _standing(session)
    except SessionInvalid as refusal:
        record_refused_token(refusal)
        raise


def is_standing(session: Session) -> bool:
    """Whether the session still admits its person, read anew; for work that goes on after they were let in."""
    return Session.objects.admitting(timezone.now()).filter(pk=session.pk).exists()


def _standing(session: Session) -> User:
    # Locked in this order, as whatever ends sessions does. One statement: PostgreSQL asks its conditions again of both
    # rows once it has the locks.
    rows = Session.objects.admitting(timezone.now()).select_for_update(of=("user", "self"), no_key=True)
    rows = rows.select_related("user__subject", "user__totp_device", "user__company__subject").defer("user__password")
    found = rows.filter(pk=session.pk).first()
    if found is None:
        raise SessionInvalid
    return found.user
