"""Equality can be searched; nothing else can be told."""

import hashlib
import hmac

from security.crypto import blind_index, keyring
from tests.security.crypto.rings import a_ring

PLACE = {"table": "accounts_company", "column": "gstin"}


class TestBlindIndex:
    """HMAC-SHA-256 under the index key, over the place and the value."""

    def test_form(self):
        secret = keyring().active("index").secret
        expected = hmac.new(secret, b"accounts_company|gstin|29QZXCK4821M1Z5", hashlib.sha256).digest()
        assert blind_index(**PLACE, value="29QZXCK4821M1Z5") == expected
        assert len(expected) == 32

    def test_the_same_value_elsewhere_looks_different(self):
        indexes = {
            blind_index(**PLACE, value="x"),
            blind_index(table="accounts_user", column="gstin", value="x"),
            blind_index(table="accounts_company", column="pan", value="x"),
            blind_index(**PLACE, value="y"),
        }
        assert len(indexes) == 4

    def test_another_key_gives_another_index(self, settings):
        before = blind_index(**PLACE, value="x")
        settings.KEYRING = a_ring()
        assert blind_index(**PLACE, value="x") != before
