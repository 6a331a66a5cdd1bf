"""Reservations: a guess is counted before it is made, for whatever account was named."""

import threading
from datetime import UTC, datetime, timedelta

from django.conf import settings
from django.db import connection, transaction
from django.test import SimpleTestCase, TestCase, TransactionTestCase, override_settings

from security.client_ip import network_of
from security.errors import AccountLocked
from security.lockout import CredentialCounter, Unlocked, purge_counters, reserve, unlock
from security.lockout.names import normal_account
from security.lockout.services import failures, locked_seconds

ASHA, BILAL = "asha@example.in", "bilal@example.in"
OFFICE, ELSEWHERE = "203.0.113.9", "198.51.100.7"
NOON = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


class ParallelGuesses(TransactionTestCase):
    """However many guesses arrive at once, no more than the limit are evaluated."""

    def guess_at_once(self, guesses: int, *, account=lambda _: ASHA, address=lambda _: OFFICE) -> int:
        evaluated, errors = [], []
        barrier = threading.Barrier(guesses)

        def guess(number: int) -> None:
            try:
                barrier.wait(timeout=30)
                reserve(account=account(number), address=address(number))
                evaluated.append(number)  # here the password would be hashed; it is wrong
            except AccountLocked as refusal:
                self.assertGreater(refusal.retry_after, 0)
            except Exception as error:  # noqa: BLE001 - a thread's error must reach the test
                errors.append(error)
            finally:
                connection.close()

        threads = [threading.Thread(target=guess, args=(number,)) for number in range(guesses)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(timeout=60)
        self.assertEqual(errors, [])
        return len(evaluated)

    @override_settings(LOCKOUT_LIMIT=5)
    def test_fifty_at_once_are_five(self):
        for round_number in range(3):
            with self.subTest(round=round_number):
                self.assertEqual(self.guess_at_once(50), 5)
                unlock(ASHA)

    @override_settings(LOCKOUT_ACCOUNT_LIMIT=7)
    def test_one_account_from_many_addresses_is_limited_too(self):
        self.assertEqual(self.guess_at_once(30, address=lambda n: f"198.51.100.{n}"), 7)

    @override_settings(LOCKOUT_ADDRESS_LIMIT=7)
    def test_many_accounts_from_one_address_are_limited_too(self):
        self.assertEqual(self.guess_at_once(30, account=lambda n: f"person{n}@example.in"), 7)

    def test_a_refused_guess_leaves_the_other_counters_as_they_were(self):
        self.guess_at_once(20)
        self.assertEqual(sorted(CredentialCounter.objects.values_list("count", flat=True)), [5, 5, 5])

    def test_crossing_accounts_and_addresses_do_not_deadlock(self):
        accounts, addresses = (ASHA, BILAL), (OFFICE, ELSEWHERE)
        evaluated = self.guess_at_once(24, account=lambda n: accounts[n % 2], address=lambda n: addresses[n // 2 % 2])
        self.assertEqual(evaluated, 20)  # four pairs of five

    def test_an_expired_window_opens_once_for_all(self):
        old = datetime.now(UTC) - timedelta(seconds=settings.LOCKOUT_WINDOW_SECONDS + 60)
        for _ in range(5):
            reserve(account=ASHA, address=OFFICE, now=old)
        self.assertEqual(self.guess_at_once(20), 5)

    def test_a_reservation_does_not_hide_in_a_wider_transaction(self):
        with self.assertRaises(RuntimeError), transaction.atomic():
            reserve(account=ASHA, address=OFFICE)

    def test_the_reservation_is_committed_when_it_is_given(self):
        with self.assertRaises(ZeroDivisionError):
            reserve(account=ASHA, address=OFFICE)
            raise ZeroDivisionError  # the worker dies in the hash
        self.assertEqual(failures(account=ASHA, address=OFFICE), 1)


class LockoutCase(TestCase):
    """Guesses at a moment of the test's choosing."""

    def guess(self, times: int = 1, *, account=ASHA, address=OFFICE, at=NOON):
        for _ in range(times):
            reservation = reserve(account=account, address=address, now=at)
        return reservation

    def assert_locked(self, seconds: int, *, account=ASHA, address=OFFICE, at=NOON):
        with self.assertRaises(AccountLocked) as caught:
            reserve(account=account, address=address, now=at)
        self.assertEqual(caught.exception.retry_after, seconds)
        self.assertEqual(locked_seconds(account=account, address=address, now=at), seconds)


class Windows(LockoutCase):
    """Five guesses a window of 15 minutes; the lock ends by itself."""

    def test_the_sixth_guess_is_told_to_wait_the_window_out(self):
        self.guess(5)
        self.assert_locked(900)
        self.assert_locked(900, at=NOON + timedelta(seconds=0.5))  # a second too early would be refused again
        self.assert_locked(1, at=NOON + timedelta(seconds=899.5))

    def test_after_the_window_guesses_count_from_one(self):
        self.guess(5)
        later = NOON + timedelta(seconds=900)
        self.assertEqual(failures(account=ASHA, address=OFFICE, now=later), 0)
        self.guess(4, at=later)
        self.assertEqual(failures(account=ASHA, address=OFFICE, now=later), 4)

    def test_a_lock_lasts_a_whole_window_from_the_guess_that_caused_it(self):
        self.guess(4)
        self.guess(1, at=NOON + timedelta(seconds=890))
        self.assert_locked(880, at=NOON + timedelta(seconds=910))

    def test_knocking_on_a_locked_door_does_not_prolong_the_lock(self):
        self.guess(5)
        self.assert_locked(300, at=NOON + timedelta(seconds=600))
        self.guess(1, at=NOON + timedelta(seconds=900))

    def test_an_unknown_e_mail_locks_like_a_known_one(self):
        for account in ("nobody@example.in", "not an address", "", "x" * 10_000, "\ud800"):
            with self.subTest(account=account[:20]):
                self.guess(5, account=account)
                self.assert_locked(900, account=account)

    def test_spellings_of_one_account_share_a_counter(self):
        for account in (ASHA, " Asha@Example.IN ", "ASHA@EXAMPLE.IN\n", ASHA, ASHA):
            self.guess(account=account)
        self.assert_locked(900)

    def test_the_neighbours_are_not_locked(self):
        self.guess(5)
        self.guess(account=BILAL)  # beside her in the office
        self.guess(address=ELSEWHERE)  # herself, at home

    def test_addresses_of_one_ipv6_network_are_one_client(self):
        for last in range(5):
            self.guess(address=f"2001:db8:1:2:{last}::9")
        self.assert_locked(900, address="2001:db8:1:2:ffff:ffff:ffff:ffff")
        self.guess(address="2001:db8:1:3::9")

    @override_settings(LOCKOUT_ACCOUNT_LIMIT=6)
    def test_the_longest_wait_of_the_full_counters_is_told(self):
        self.guess(5)
        self.guess(1, address=ELSEWHERE, at=NOON + timedelta(seconds=100))
        self.assert_locked(800, at=NOON + timedelta(seconds=200))

    def test_no_account_or_address_lies_in_clear(self):
        self.guess()
        rows = str(list(CredentialCounter.objects.values_list())).lower()
        for canary in ("asha", "example.in", OFFICE):
            self.assertNotIn(canary, rows)


class Settling(LockoutCase):
    """A check that was no guess is not counted: the service was busy, or the password was right."""

    def counts(self) -> list[int]:
        return sorted(CredentialCounter.objects.values_list("count", flat=True))

    def test_given_back_it_leaves_room_for_another(self):
        self.guess(4)
        self.guess().give_back()
        self.assertEqual(self.counts(), [4, 4, 4])
        self.guess()
        self.assert_locked(900)

    def test_a_right_password_forgets_the_pair_and_uncounts_itself_elsewhere(self):
        self.guess(2, account=BILAL)
        self.guess(3)
        self.guess().clear()
        self.assertEqual(failures(account=ASHA, address=OFFICE, now=NOON), 0)
        self.assertEqual(failures(account=BILAL, address=OFFICE, now=NOON), 2)
        self.assertEqual(self.counts(), [2, 2, 3, 5])  # Bilal's pair, Bilal, Asha's account, the office

    def test_it_is_settled_once(self):
        self.guess(3)
        reservation = self.guess()
        reservation.give_back()
        reservation.give_back()
        reservation.clear()
        self.assertEqual(self.counts(), [3, 3, 3])

    def test_a_check_of_an_older_window_takes_nothing_from_the_new_one(self):
        late = self.guess()
        self.guess(5, at=NOON + timedelta(seconds=900))
        late.give_back()
        self.assert_locked(900, at=NOON + timedelta(seconds=900))

    def test_nothing_goes_below_zero(self):
        first, second = self.guess(), self.guess()
        unlock(ASHA, now=NOON)
        self.guess()  # at the very same moment: the two below belong to its window by the clock
        first.give_back()
        second.give_back()
        self.guess(5)
        self.assert_locked(900)


class Unlocking(LockoutCase):
    """An operator lifts a lock; what is over is swept."""

    def test_an_account_is_unlocked_everywhere(self):
        self.guess(5)
        self.guess(5, address=ELSEWHERE)
        self.assertEqual(unlock(" ASHA@example.in", now=NOON), Unlocked(counters=3, locks=2))
        self.guess()
        self.guess(address=ELSEWHERE)

    def test_the_neighbour_stays_locked(self):
        self.guess(5, account=BILAL)
        unlock(ASHA, address=OFFICE, now=NOON)
        self.assert_locked(900, account=BILAL)

    @override_settings(LOCKOUT_ADDRESS_LIMIT=5)
    def test_a_locked_address_is_unlocked_where_it_is_named(self):
        for number in range(5):
            self.guess(account=f"person{number}@example.in")
        self.assertEqual(unlock(ASHA, now=NOON), Unlocked(counters=0, locks=0))
        self.assertEqual(unlock(ASHA, address=ELSEWHERE, now=NOON), Unlocked(counters=0, locks=0))
        self.assert_locked(900)
        self.assertEqual(unlock(ASHA, address=OFFICE, now=NOON), Unlocked(counters=1, locks=1))
        self.guess()

    def test_a_look_lifts_nothing(self):
        self.guess(5)
        self.assertEqual(unlock(ASHA, address=OFFICE, dry_run=True, now=NOON), Unlocked(counters=3, locks=1))
        self.assert_locked(900)

    def test_what_is_over_is_not_told_of(self):
        self.guess(5)
        self.assertEqual(unlock(ASHA, now=NOON + timedelta(seconds=900)), Unlocked(counters=0, locks=0))

    def test_unlocking_twice_is_harmless(self):
        self.guess(5)
        unlock(ASHA, now=NOON)
        self.assertEqual(unlock(ASHA, now=NOON), Unlocked(counters=0, locks=0))

    def test_the_sweep_takes_what_is_over_and_nothing_else(self):
        self.guess(5)
        self.guess(5, account=BILAL, at=NOON + timedelta(seconds=600))
        # Asha's pair, Asha, and the office, whose window began with her first guess
        self.assertEqual(purge_counters(now=NOON + timedelta(seconds=900)), 3)
        self.assert_locked(600, account=BILAL, at=NOON + timedelta(seconds=900))
        self.assertEqual(purge_counters(now=NOON + timedelta(seconds=900)), 0)


class Cost(TestCase):
    """A reservation is three statements, a refusal by the pair three, apart from begin and commit."""

    def test_statements(self):
        with self.assertNumQueries(3 + 2):  # in a test the transaction is a savepoint and its release
            reservation = reserve(account=ASHA, address=OFFICE)
        with self.assertNumQueries(3 + 2):
            reservation.clear()
        for _ in range(5):
            reserve(account=ASHA, address=OFFICE)
        with self.assertNumQueries(3 + 3), self.assertRaises(AccountLocked):  # rolled back, then released
            reserve(account=ASHA, address=OFFICE)
        with self.assertNumQueries(1):
            locked_seconds(account=ASHA, address=OFFICE)


class Spelling(SimpleTestCase):
    """What is counted as one account and one client."""

    def test_accounts(self):
        self.assertEqual(normal_account(" Jose\u0301@Example.IN "), normal_account("JOSÉ@example.in"))
        self.assertEqual(len(normal_account("a" * 10_000)), 254)
        self.assertEqual(normal_account("\ud800@example.in"), "?@example.in")

    def test_clients(self):
        for address, network in {
            "203.0.113.9": "203.0.113.9",
            "2001:db8:1:2:3:4:5:6": "2001:db8:1:2::/64",
            "::ffff:203.0.113.9": "203.0.113.9",
            "": "unknown",
            "unix:": "unknown",
        }.items():
            with self.subTest(address=address):
                self.assertEqual(network_of(address), network)
