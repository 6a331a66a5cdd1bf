"""Which locks stand now: told from the counters alone, in bounded work, with no name and no address."""

from datetime import timedelta
from unittest.mock import patch

from django.conf import settings
from django.db.models import Q
from django.test import SimpleTestCase, override_settings

from security.lockout import (
    CredentialCounter,
    Kind,
    account_digest,
    remember_device,
    reserve,
    standing,
    standing_locks,
    unlock,
)
from security.lockout.kinds import full, kind_of, limit_of
from tests.security.lockout.test_reserve import ASHA, BILAL, ELSEWHERE, NOON, OFFICE, LockoutCase

WINDOW = timedelta(seconds=settings.LOCKOUT_WINDOW_SECONDS)
LATER = NOON + timedelta(minutes=5)


class Standing(LockoutCase):
    """A lock is a counter that is full in a window that is not over."""

    def found(self, at=LATER):
        return standing_locks(now=at).locks

    def test_it_says_whose_since_when_until_when_and_how_many(self):
        self.guess(4)
        self.guess(at=NOON + timedelta(minutes=2))
        (lock,) = self.found()
        self.assertEqual((lock.kind, lock.account, lock.failures), (Kind.PAIR, account_digest(ASHA), 5))
        filled = NOON + timedelta(minutes=2)
        self.assertEqual((lock.began, lock.since, lock.until), (NOON, filled, filled + WINDOW))

    def test_four_failures_lock_nobody(self):
        self.guess(4)
        self.assertEqual(self.found(), ())

    def test_it_ends_by_itself(self):
        self.guess(5)
        self.assertEqual(len(self.found(at=NOON + WINDOW - timedelta(seconds=1))), 1)
        self.assertEqual(self.found(at=NOON + WINDOW), ())

    def test_an_unlocked_one_is_gone_and_the_neighbours_stays(self):
        self.guess(5)
        self.guess(5, account=BILAL)
        unlock(ASHA, now=LATER)
        self.assertEqual([lock.account for lock in self.found()], [account_digest(BILAL)])

    @override_settings(LOCKOUT_ACCOUNT_LIMIT=6, LOCKOUT_ADDRESS_LIMIT=7)
    def test_accounts_and_addresses_lock_as_a_whole(self):
        for number in range(6):
            self.guess(address=f"198.51.100.{number}")
        for number in range(7):
            self.guess(account=f"person{number}@example.in")
        self.assertEqual(
            {(lock.kind, lock.account) for lock in self.found()},
            {(Kind.ACCOUNT, account_digest(ASHA)), (Kind.ADDRESS, "")},
        )

    def test_the_newest_is_first(self):
        self.guess(5)
        self.guess(5, account=BILAL, at=NOON + timedelta(minutes=1))
        self.assertEqual([lock.account for lock in self.found()], [account_digest(BILAL), account_digest(ASHA)])

    def test_two_statements_read_no_more_than_the_bound(self):
        self.guess(5, at=NOON)
        self.guess(5, account=BILAL, at=NOON + timedelta(minutes=1))
        with patch.object(standing, "MOST_READ", 3), self.assertNumQueries(2):
            told = standing_locks(now=LATER)
        self.assertEqual(([lock.account for lock in told.locks], told.is_whole), ([account_digest(BILAL)], False))

    def test_no_more_are_listed_than_the_bound_and_it_says_so(self):
        self.guess(5)
        self.guess(5, account=BILAL)
        for most, is_whole in ((1, False), (2, True)):
            with patch.object(standing, "MOST_LISTED", most):
                told = standing_locks(now=LATER)
            self.assertEqual((len(told.locks), told.is_whole), (most, is_whole))


class Kinds(SimpleTestCase):
    """Every counter is of one kind."""

    def test_a_counter_tells_its_kind(self):
        for account, address, kind in (
            ("a", "b", Kind.PAIR),
            ("a", "", Kind.ACCOUNT),
            ("", "b", Kind.ADDRESS),
            ("a", "device", Kind.DEVICE),
            ("", "device", Kind.DEVICES),
        ):
            self.assertIs(kind_of(account=account, address=address), kind)

    def test_each_has_a_limit_of_its_own(self):
        self.assertEqual([limit_of(kind) for kind in Kind], [5, 50, 100, 10, 30])


class Full(LockoutCase):
    """The database finds the full ones by the same limits."""

    def test_each_kind_is_full_at_its_limit_and_not_before(self):
        for number, (account, address) in enumerate(
            (("a", "b"), ("c", ""), ("", "d"), ("e", "device"), ("", "device"))
        ):
            limit = limit_of(kind_of(account=account, address=address))
            for count in (limit - 1, limit):
                CredentialCounter.objects.create(
                    key=f"{number} {count}",
                    account=account,
                    address=address,
                    count=count,
                    started_at=NOON,
                    expires_at=NOON,
                )
        is_full = set(CredentialCounter.objects.filter(full()).values_list("key", flat=True))
        self.assertEqual(is_full, {"0 5", "1 50", "2 100", "3 10", "4 30"})
        self.assertEqual(CredentialCounter.objects.filter(~Q(full())).count(), 5)


class UnlockingAnAddress(LockoutCase):
    """Without an account, only what stands against the address as a whole goes."""

    @override_settings(LOCKOUT_ADDRESS_LIMIT=6)
    def test_it_is_freed_and_no_account_is(self):
        self.guess(5)
        self.guess(account=BILAL)
        told = unlock(address=OFFICE, now=LATER)
        self.assertEqual((told.counters, told.locks), (1, 1))
        reserve(account=BILAL, address=OFFICE, now=LATER)
        self.assert_locked(600, at=LATER)

    @override_settings(LOCKOUT_ADDRESS_LIMIT=6)
    def test_the_neighbouring_address_stays_locked(self):
        self.guess(5, address=ELSEWHERE)
        self.guess(account=BILAL, address=ELSEWHERE)
        self.assertEqual(unlock(address=OFFICE, now=LATER).counters, 0)
        self.assert_locked(600, account=BILAL, address=ELSEWHERE, at=LATER)

    @override_settings(LOCKOUT_DEVICES_LIMIT=3)
    def test_the_known_devices_of_its_network_are_freed_with_it(self):
        remember_device(ASHA, now=NOON)
        self.guess(8)
        self.assertIn(Kind.DEVICES, [lock.kind for lock in standing_locks(now=LATER).locks])
        told = unlock(address=OFFICE, now=LATER)
        self.assertEqual((told.counters, told.locks), (2, 1))
        self.assertNotIn(Kind.DEVICES, [lock.kind for lock in standing_locks(now=LATER).locks])

    def test_without_either_nothing_goes(self):
        self.guess(5)
        self.assertEqual(unlock(now=LATER).counters, 0)
