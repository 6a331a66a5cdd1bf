"""How passwords are stored and compared."""

import re

import pytest
from django.contrib.auth.hashers import check_password, identify_hasher, make_password
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from security.hashing import ImportedBcryptHasher, import_hash
from tests.security.crypto.rings import a_ring, entry
from tests.security.hashing.passwords import RIGHT, bare, ours, rotate_pepper, upgraded

pytestmark = pytest.mark.embedded  # no store is asked


class TestOurForm:
    """`bcrypt_hmac$<pepper id>$$2b$<cost>$…`, and every byte of the password counts."""

    def test_stored_form(self, settings):
        assert re.fullmatch(r"bcrypt_hmac\$[A-Za-z0-9_-]+\$\$2b\$04\$[./A-Za-z0-9]{53}", make_password(RIGHT))
        settings.BCRYPT_ROUNDS = 5
        assert "$$2b$05$" in make_password(RIGHT)
        assert len(ours()) <= 128  # the column

    def test_right_and_wrong(self):
        assert check_password(RIGHT, ours())
        assert not check_password(RIGHT + "x", ours())
        assert not check_password(RIGHT.lower(), ours())

    def test_salted(self):
        assert ours() != ours()

    def test_bytes_after_the_72nd_count(self):
        long = "a" * 72
        assert not check_password(long + "2", ours(long + "1"))
        assert check_password(long + "1", ours(long + "1"))

    def test_the_1024th_byte_counts(self):
        assert not check_password("a" * 1023 + "2", ours("a" * 1023 + "1"))

    def test_bytes_after_a_nul_count(self):
        assert check_password("ab\0cd1", ours("ab\0cd1"))
        assert not check_password("ab\0cd2", ours("ab\0cd1"))
        assert not check_password("ab", ours("ab\0cd1"))

    def test_nothing_is_normalised(self):
        assert not check_password("Cafe\u0301-Ledger-47", ours("Caf\u00e9-Ledger-47"))
        assert not check_password(RIGHT, ours(RIGHT + " "))

    @hypothesis_settings(max_examples=30)
    @given(st.text(min_size=1, max_size=200))
    def test_any_unicode(self, password):
        assert check_password(password, ours(password))

    @pytest.mark.parametrize("password", ["", "a" * 1025, "é" * 513])
    def test_too_short_or_too_long_cannot_be_set(self, password):
        with pytest.raises(ValueError, match="1024"):
            make_password(password)

    @pytest.mark.parametrize("password", ["", "a" * 100_000, "\ud800", "\0"])
    def test_odd_guesses_are_simply_wrong(self, password):
        assert not check_password(password, ours())

    def test_a_stolen_table_is_useless_without_the_pepper(self, settings):
        stored = ours()
        settings.KEYRING = a_ring(lambda keys: entry(keys, "pepper").update(id=stored.split("$")[1]))
        assert not check_password(RIGHT, stored)

    def test_summary_masks_salt_and_checksum(self):
        stored = ours()
        shown = str(identify_hasher(stored).safe_summary(stored))
        assert stored[-20:] not in shown
        assert stored.split("$")[-1][6:22] not in shown


class TestUpgrade:
    """An old hash is replaced when its owner signs in, and only then."""

    def test_todays_hash_stays(self):
        assert upgraded(ours()) is None

    @pytest.mark.parametrize("rounds", [4, 6])
    def test_another_cost(self, settings, rounds):
        settings.BCRYPT_ROUNDS = rounds
        stored = ours()
        settings.BCRYPT_ROUNDS = 5
        assert "$$2b$05$" in upgraded(stored)

    def test_another_pepper(self, settings):
        stored = ours()
        rotate_pepper(settings)
        assert upgraded(stored).startswith("bcrypt_hmac$pepper-2$")

    @pytest.mark.parametrize("algorithm", ["bcrypt_sha256", "pbkdf2_sha256"])
    def test_hashes_of_plain_django(self, algorithm):
        stored = make_password(RIGHT, hasher=algorithm)
        assert upgraded(stored).startswith("bcrypt_hmac$")

    def test_imported(self):
        new = upgraded(import_hash(bare(RIGHT.encode())))
        assert check_password(RIGHT, new)

    def test_a_wrong_password_upgrades_nothing(self, settings):
        stored = ours()
        settings.BCRYPT_ROUNDS = 5
        for old in (stored, import_hash(bare(RIGHT.encode()))):
            assert upgraded(old, "wrong") is None


class TestImported:
    """Hashes of other systems verify as they did there."""

    @pytest.mark.parametrize("prefix", ["$2a$", "$2b$", "$2y$"])
    def test_each_kind(self, prefix):
        stored = import_hash(bare(RIGHT.encode(), prefix=prefix))
        assert check_password(RIGHT, stored)
        assert not check_password("wrong", stored)

    def test_longer_than_72_bytes_works_as_before(self):
        long = "é" * 50  # 100 bytes, cut within no letter
        stored = import_hash(bare(long.encode()))
        assert check_password(long, stored)
        assert not check_password("é" * 35 + "x", stored)

    def test_cut_in_the_middle_of_a_letter(self):
        long = "a" * 71 + "é"
        assert check_password(long, import_hash(bare(long.encode())))

    def test_after_the_upgrade_every_byte_counts(self):
        long = "a" * 80
        new = upgraded(import_hash(bare(long.encode())), long)
        assert check_password(long, new)
        assert not check_password("a" * 79 + "b", new)

    def test_never_made(self):
        with pytest.raises(NotImplementedError):
            ImportedBcryptHasher().encode(RIGHT, "salt")
        with pytest.raises(NotImplementedError):
            make_password(RIGHT, hasher="bcrypt_imported")

    @pytest.mark.parametrize(
        "raw",
        ["", RIGHT, "$2x$" + bare(b"x")[4:], bare(b"x")[:-1], bare(b"x") + "\n", "bcrypt$" + bare(b"x"),
         bare(b"x").replace("$04$", "$31$"), bare(b"x").replace("$04$", "$03$")],
        ids=["empty", "a password", "2x", "cut", "a line end", "prefixed", "cost 31", "cost 3"],
    )  # fmt: skip
    def test_what_is_no_bcrypt_hash_is_refused(self, raw):
        with pytest.raises(ValueError, match="bcrypt"):
            import_hash(raw)

    def test_summary_masks_the_hash(self):
        stored = import_hash(bare(b"x"))
        assert stored[-20:] not in str(identify_hasher(stored).safe_summary(stored))
