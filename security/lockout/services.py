"""Limits guesses of credentials: a check is counted before it is made, and uncounted when it proves good.

Counting after the check lets parallel guesses through (30 at once were all evaluated by the stock library at
a limit of 5). This feature knows no users: an account is whatever text was submitted, so an unknown e-mail
locks as a known one does and tells nothing.
"""

import math
import unicodedata
from dataclasses import dataclass, field
from datetime import datetime

from django.conf import settings
from django.db import connections, router, transaction
from django.utils import timezone

from security.client_ip import network_of
from security.crypto.blind_index import blind_index
from security.errors import AccountLocked
from security.lockout import counters
from security.lockout.counters import Counter
from security.lockout.models import CredentialCounter

_MAX_ACCOUNT_LENGTH = 254  # RFC 5321 §4.5.3.1.3: no longer text can be an address of ours
_PURGE_BATCH = 1000


@dataclass(slots=True)
class Reservation:
    """One counted check. A wrong credential leaves it standing; settle it otherwise, once."""

    pair: Counter
    shared: list[Counter]
    taken_at: datetime
    _is_settled: bool = field(default=False, init=False)

    def give_back(self) -> None:
        """Uncount the check: the credential was never looked at (the service was busy)."""
        if not self._settle():
            return
        with transaction.atomic(using=_database()):
            for counter in (self.pair, *self.shared):
                counters.give_back(counter, taken_at=self.taken_at)

    def clear(self) -> None:
        """The credential was right: forget the pair's failures, and uncount this check in the two others.

        The account's and the address's other counts stay: a thief with one good password of their own must
        not be able to clear the address they attack from.
        """
        if not self._settle():
            return
        with transaction.atomic(using=_database()):
            CredentialCounter.objects.filter(key=self.pair.key).delete()
            for counter in self.shared:
                counters.give_back(counter, taken_at=self.taken_at)

    def _settle(self) -> bool:
        was_settled, self._is_settled = self._is_settled, True
        return not was_settled


def reserve(*, account: str, address: str, now: datetime | None = None) -> Reservation:
    """Count one check of `account`'s credential from `address` before it is made.

    Counts three ways (account at address, account, address), all or none, and commits before it returns: a
    worker killed in the hash leaves the guess counted. Raises AccountLocked with whole seconds to wait when
    any is full, RuntimeError inside a wider transaction.
    """
    now = now or timezone.now()
    wanted = _counters(account=account, address=address)
    try:
        _take_all(wanted, now=now)
    except _Full:
        until = counters.full_until(wanted, now=now)
        # None: the lock was lifted since. The caller may come back at once, but this check was not counted.
        raise AccountLocked(retry_after=_seconds_until(until or now, now=now)) from None
    pair, *shared = wanted
    return Reservation(pair=pair, shared=shared, taken_at=now)


def locked_seconds(*, account: str, address: str, now: datetime | None = None) -> int:
    """Seconds until `reserve` would succeed, 0 when it would now. Counts nothing."""
    now = now or timezone.now()
    until = counters.full_until(_counters(account=account, address=address), now=now)
    return 0 if until is None else _seconds_until(until, now=now)


def failures(*, account: str, address: str, now: datetime | None = None) -> int:
    """Checks that stand against `account` at `address` in the present window."""
    now = now or timezone.now()
    key = _counters(account=account, address=address)[0].key
    row = CredentialCounter.objects.filter(key=key, expires_at__gt=now).first()
    return row.count if row else 0


def unlock(account: str) -> int:
    """Forget every check that stands against `account`, wherever it came from; how many counters went."""
    digest = _digest("account", normal_account(account))
    with transaction.atomic(using=_database()):
        # Pairs before the account, as `reserve` takes them.
        pairs = CredentialCounter.objects.filter(account=digest).exclude(address="").delete()[0]
        return pairs + CredentialCounter.objects.filter(account=digest).delete()[0]


def unlock_address(address: str, *, account: str | None = None) -> int:
    """Forget the checks from `address`, or those against `account` from there; how many counters went."""
    rows = CredentialCounter.objects.filter(address=_digest("address", network_of(address)))
    if account is not None:
        return rows.filter(account=_digest("account", normal_account(account))).delete()[0]
    with transaction.atomic(using=_database()):
        pairs = rows.exclude(account="").delete()[0]
        return pairs + rows.delete()[0]


def unlock_all() -> int:
    """Forget every counter; how many went."""
    return CredentialCounter.objects.all().delete()[0]


def purge_counters(*, now: datetime | None = None) -> int:
    """Delete counters whose window is over; how many went. May run at any time, anywhere, twice."""
    now = now or timezone.now()
    using = _database()
    # A row somebody holds is about to begin a new window: leave it, and never wait for it.
    can_skip = connections[using].features.has_select_for_update_skip_locked
    purged = 0
    while True:
        with transaction.atomic(using=using):
            expired = CredentialCounter.objects.expired(now).select_for_update(skip_locked=can_skip)
            keys = list(expired.values_list("pk", flat=True)[:_PURGE_BATCH])
            purged += CredentialCounter.objects.filter(pk__in=keys).delete()[0]
        if len(keys) < _PURGE_BATCH:
            return purged


def normal_account(account: str) -> str:
    """The one spelling `account` is counted under, coarser than sign-in's: nobody has two buckets."""
    text = unicodedata.normalize("NFC", account.strip()[:_MAX_ACCOUNT_LENGTH]).casefold()
    # A lone surrogate has no UTF-8; it is a guess like any other.
    return unicodedata.normalize("NFC", text).encode(errors="replace").decode()


class _Full(Exception):  # noqa: N818 - never leaves this module
    """A counter has no room: leaving the block rolls back those already taken."""


def _take_all(wanted: list[Counter], *, now: datetime) -> None:
    # durable: a reservation inside a wider transaction would vanish with it, and others would not see it
    # meanwhile.
    with transaction.atomic(using=_database(), durable=True):
        # Everybody takes a pair, then an account, then an address: one of each kind, so nobody waits in a
        # circle, and the address, which an office shares, is held shortest.
        for counter in wanted:
            if not counters.take(counter, now=now, window_seconds=settings.LOCKOUT_WINDOW_SECONDS):
                raise _Full


def _counters(*, account: str, address: str) -> list[Counter]:
    who, where = normal_account(account), network_of(address)
    account_digest, address_digest = _digest("account", who), _digest("address", where)
    return [
        Counter(_digest("pair", f"{where}|{who}"), account_digest, address_digest, settings.LOCKOUT_LIMIT),
        Counter(account_digest, account_digest, "", settings.LOCKOUT_ACCOUNT_LIMIT),
        Counter(address_digest, "", address_digest, settings.LOCKOUT_ADDRESS_LIMIT),
    ]


def _digest(kind: str, value: str) -> str:
    return blind_index(table="lockout_counter", column=kind, value=value).hex()


def _seconds_until(moment: datetime, *, now: datetime) -> int:
    return max(1, math.ceil((moment - now).total_seconds()))


def _database() -> str:
    return router.db_for_write(CredentialCounter)
