"""Limits guesses of credentials: a check is counted before it is made, and uncounted when it proves good.

Counting after the check lets parallel guesses through (30 at once were all evaluated by the stock library at
a limit of 5). This feature knows no users: an account is whatever text was submitted, so an unknown e-mail
locks as a known one does and tells nothing.
"""

import math
from dataclasses import dataclass, field
from datetime import datetime

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Q
from django.utils import timezone

from security.client_ip import network_of
from security.errors import AccountLocked
from security.lockout import counters
from security.lockout.counters import Counter
from security.lockout.devices import device_key, is_known_device
from security.lockout.kinds import KNOWN_DEVICE, kind_of, limit_of
from security.lockout.models import CredentialCounter
from security.lockout.names import account_digest, digest, normal_account

_PURGE_BATCH = 1000


@dataclass(slots=True)
class Reservation:
    """One counted check. A wrong credential leaves it standing; settle it otherwise, once.

    `own` counts only this account's checks from here and is forgotten by a right one; `shared` spans others.
    `failures` is what stands in `own`, this check included.
    """

    own: Counter
    shared: list[Counter]
    taken_at: datetime
    failures: int
    forgets: tuple[str, ...]
    _is_settled: bool = field(default=False, init=False)

    def give_back(self) -> None:
        """Uncount the check: the credential was never looked at (the service was busy)."""
        if not self._settle():
            return
        with transaction.atomic():
            for counter in (self.own, *self.shared):
                counters.give_back(counter, taken_at=self.taken_at)

    def clear(self) -> None:
        """The credential was right: forget the failures from here, and uncount this check in the others.

        The account's and the address's other counts stay: a thief with one good password of their own must
        not be able to clear the address they attack from.
        """
        if not self._settle():
            return
        with transaction.atomic():
            CredentialCounter.objects.filter(key__in=self.forgets).delete()
            for counter in self.shared:
                counters.give_back(counter, taken_at=self.taken_at)

    def _settle(self) -> bool:
        was_settled, self._is_settled = self._is_settled, True
        return not was_settled


def reserve(*, account: str, address: str, devices_of: str = "", now: datetime | None = None) -> Reservation:
    """Count one check of `account`'s credential from `address` before it is made.

    Counts three ways (account at address, account, address), all or none, and commits before it returns: a
    worker killed in the hash leaves the guess counted. Where one is full, a device that has signed in lately has a
    counter of its own, which no stranger can fill. `devices_of` is whose devices these are, where `account` is a name
    under which nobody signs in. Raises AccountLocked with whole seconds to wait when that is full
    too, RuntimeError inside a wider transaction.
    """
    now = now or timezone.now()
    wanted = _counters(account=account, address=address)
    device = Counter(device_key(account), wanted[1].account, KNOWN_DEVICE, settings.LOCKOUT_DEVICE_LIMIT)
    forgets = (wanted[0].key, device.key)
    try:
        failures = _take_all(wanted, now=now)
    except _Full:
        if not is_known_device(devices_of or account, now=now):
            raise _locked(wanted, now=now) from None
    else:
        own, *shared = wanted
        return Reservation(own=own, shared=shared, taken_at=now, failures=failures, forgets=forgets)
    # All known devices of one network together, or a thief in the same office had ten guesses at each colleague.
    all_devices = Counter(_devices_key(address), "", KNOWN_DEVICE, settings.LOCKOUT_DEVICES_LIMIT)
    try:
        failures = _take_all([device, all_devices], now=now)
    except _Full:
        raise _locked([device, all_devices], now=now) from None
    return Reservation(own=device, shared=[all_devices], taken_at=now, failures=failures, forgets=forgets)


def _locked(wanted: list[Counter], *, now: datetime) -> AccountLocked:
    until = counters.full_until(wanted, now=now)
    # None: the lock was lifted since. The caller may come back at once, but this check was not counted.
    seconds = _seconds_until(until or now, now=now)
    return AccountLocked(
        retry_after=seconds,
        headers={
            "RateLimit-Policy": f'"auth";q={settings.LOCKOUT_LIMIT};w={settings.LOCKOUT_WINDOW_SECONDS}',
            "RateLimit": f'"auth";r=0;t={seconds}',
        },
    )


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


@dataclass(frozen=True, slots=True)
class Unlocked:
    """What an unlocking took away: `counters` with checks on them, of which `locks` were full and refused more."""

    counters: int
    locks: int


def unlock(account: str = "", *, address: str = "", dry_run: bool = False, now: datetime | None = None) -> Unlocked:
    """Forget every check that stands against `account`, wherever it came from; the caller records who did it.

    With `address`, forget the counts of that address as a whole too; without an account, only those. Other accounts
    stay as they are, from there as from anywhere: who guessed at a neighbour goes on waiting. `dry_run` only looks.
    """
    now = now or timezone.now()
    _, by_account, by_address = _counters(account=account, address=address)
    wanted = Q(account=by_account.key) if account else Q(pk__in=[])
    if address:
        wanted |= Q(key__in=[by_address.key, _devices_key(address)])
    standing = CredentialCounter.objects.filter(wanted, expires_at__gt=now, count__gt=0)
    with transaction.atomic():
        # Digests before "": pairs, then the account, then the address, as `reserve` takes them.
        rows = standing if dry_run else standing.select_for_update().order_by("-account", "-address")
        found = list(rows)
        if not dry_run:
            CredentialCounter.objects.filter(pk__in=[row.pk for row in found]).delete()
    locks = sum(row.count >= limit_of(kind_of(account=row.account, address=row.address)) for row in found)
    return Unlocked(counters=len(found), locks=locks)


def purge_counters(*, now: datetime | None = None) -> int:
    """Delete counters whose window is over; how many went. May run at any time, anywhere, twice."""
    now = now or timezone.now()
    # A row somebody holds is about to begin a new window: leave it, and never wait for it.
    can_skip = connection.features.has_select_for_update_skip_locked
    purged = 0
    while True:
        with transaction.atomic():
            expired = CredentialCounter.objects.expired(now).select_for_update(skip_locked=can_skip)
            keys = list(expired.values_list("pk", flat=True)[:_PURGE_BATCH])
            purged += CredentialCounter.objects.filter(pk__in=keys).delete()[0]
        if len(keys) < _PURGE_BATCH:
            return purged


class _Full(Exception):  # noqa: N818 - never leaves this module
    """A counter has no room: leaving the block rolls back those already taken."""


def _take_all(wanted: list[Counter], *, now: datetime) -> int:
    """Count one check in each; what then stands in the first."""
    taken = []
    # durable: a reservation inside a wider transaction would vanish with it, and others would not see it
    # meanwhile.
    with transaction.atomic(durable=True):
        # Everybody takes a pair, then an account, then an address: one of each kind, so nobody waits in a
        # circle, and the address, which an office shares, is held shortest.
        for counter in wanted:
            count = counters.take(counter, now=now, window_seconds=settings.LOCKOUT_WINDOW_SECONDS)
            if count is None:
                raise _Full
            taken.append(count)
    return taken[0]


def _counters(*, account: str, address: str) -> list[Counter]:
    who, where = normal_account(account), network_of(address)
    by_account, by_address = account_digest(who), digest("address", where)
    return [
        Counter(digest("pair", f"{where}|{who}"), by_account, by_address, settings.LOCKOUT_LIMIT),
        Counter(by_account, by_account, "", settings.LOCKOUT_ACCOUNT_LIMIT),
        Counter(by_address, "", by_address, settings.LOCKOUT_ADDRESS_LIMIT),
    ]


def _devices_key(address: str) -> str:
    return digest("devices", network_of(address))


def _seconds_until(moment: datetime, *, now: datetime) -> int:
    return max(1, math.ceil((moment - now).total_seconds()))
