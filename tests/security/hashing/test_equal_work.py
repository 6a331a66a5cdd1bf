"""Every check of a password does the same work, and waits its turn for it."""

import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import bcrypt
import pytest
from django.contrib.auth.hashers import check_password, get_hashers, make_password

from security.errors import Busy
from security.hashing import GuardedBCryptSHA256Hasher, burn, hash_slot, import_hash
from tests.security.hashing.passwords import RIGHT, bare, ours, rotate_pepper, upgraded

pytestmark = pytest.mark.embedded  # no store is asked


@contextmanager
def work_counted(monkeypatch):
    """Counts bcrypt's work: 2**cost for each hash made."""
    work = Counter()
    hashpw = bcrypt.hashpw

    def counted(secret, salt):
        work["units"] += 2 ** int(salt[4:6])
        return hashpw(secret, salt)

    with monkeypatch.context() as patch:
        patch.setattr(bcrypt, "hashpw", counted)
        yield work


class TestEqualWork:
    """Unknown, unusable, unreadable and wrong cost the same, so that time tells nothing."""

    TODAY = 2**6

    @pytest.fixture(autouse=True)
    def _cost(self, settings):
        settings.BCRYPT_ROUNDS = 6

    def test_nobody(self, monkeypatch):
        with work_counted(monkeypatch) as work:
            burn()
            burn("any guess, even \ud800")
        assert work["units"] == 2 * self.TODAY

    def test_unusable_password(self, monkeypatch):
        stored = make_password(None)
        with work_counted(monkeypatch) as work:
            assert not check_password(RIGHT, stored)
        assert work["units"] == self.TODAY

    def test_wrong_against_every_bcrypt_form_and_cost(self, monkeypatch, settings):
        settings.BCRYPT_ROUNDS = 4
        old = ours()
        settings.BCRYPT_ROUNDS = 6
        for stored in (ours(), old, import_hash(bare(b"x")), import_hash(bare(b"x", cost=6))):
            with work_counted(monkeypatch) as work:
                assert not check_password("wrong", stored)
            assert work["units"] == self.TODAY, stored

    def test_wrong_against_djangos_bcrypt(self, monkeypatch):
        hasher = GuardedBCryptSHA256Hasher()
        hasher.rounds = 5
        stored = hasher.encode(RIGHT, hasher.salt())
        with work_counted(monkeypatch) as work:
            assert not check_password("wrong", stored)
        assert work["units"] == self.TODAY

    @pytest.mark.parametrize("stored", ["bcrypt_hmac$x", "bcrypt_hmac$$$2b$04$", "bcrypt_imported$2b", "gibberish", ""])
    def test_unreadable(self, stored, monkeypatch):
        with work_counted(monkeypatch) as work:
            assert not check_password(RIGHT, stored)
        assert work["units"] == self.TODAY

    def test_a_missing_pepper_is_wrong_and_logged(self, monkeypatch, settings, caplog):
        stored = ours()
        rotate_pepper(settings, old_state="removed")
        with work_counted(monkeypatch) as work:
            assert not check_password(RIGHT, stored)
        assert work["units"] == self.TODAY
        assert [record.message for record in caplog.records] == ["password_pepper_missing"]


class TestBulkhead:
    """No path to a hash goes around the bulkhead."""

    STORED = {
        "ours": ours,
        "imported": lambda: import_hash(bare(RIGHT.encode())),
        "django bcrypt": lambda: make_password(RIGHT, hasher="bcrypt_sha256"),
        "django pbkdf2": lambda: make_password(RIGHT, hasher="pbkdf2_sha256"),
        "unusable": lambda: make_password(None),
        "unreadable": lambda: "bcrypt_hmac$x",
    }

    @pytest.fixture
    def full(self, settings):
        """Runs an act in another thread while this one holds the only slot."""
        settings.HASH_CONCURRENCY, settings.HASH_QUEUE = 1, 0

        def run(act):
            with hash_slot(), ThreadPoolExecutor(1) as pool:
                return pool.submit(act).result(10)

        return run

    @pytest.fixture(autouse=True)
    def _quick(self, monkeypatch):
        monkeypatch.setattr(GuardedBCryptSHA256Hasher, "rounds", 4)

    @pytest.mark.parametrize("make", STORED.values(), ids=STORED.keys())
    def test_verifying_waits_its_turn(self, full, make):
        stored = make()
        for password in (RIGHT, "wrong"):
            with pytest.raises(Busy):
                full(lambda password=password: check_password(password, stored))

    def test_setting_waits_its_turn(self, full):
        with pytest.raises(Busy):
            full(lambda: make_password(RIGHT))

    def test_nobodys_password_waits_its_turn(self, full):
        with pytest.raises(Busy):
            full(burn)

    def test_a_check_and_its_upgrade_fit_in_one_hold(self, settings):
        settings.HASH_QUEUE = 0
        stored = import_hash(bare(RIGHT.encode()))
        with hash_slot():
            assert upgraded(stored) is not None

    def test_every_installed_hasher_is_one_of_ours(self):
        # A stock one would hash outside the bulkhead.
        assert {type(hasher).__module__ for hasher in get_hashers()} == {"security.hashing.hashers"}


class TestCost:
    """bcrypt's cost means what it says: one more, twice the time."""

    def test_time_doubles(self, settings):
        def seconds(rounds: int) -> float:
            settings.BCRYPT_ROUNDS = rounds
            runs = []
            for _ in range(3):
                started = time.thread_time()
                burn()
                runs.append(time.thread_time() - started)
            return min(runs)

        assert seconds(9) > 4 * seconds(5)
