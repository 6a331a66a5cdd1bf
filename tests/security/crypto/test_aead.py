"""The envelope of a sealed value: its layout, and that one changed bit closes it."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from security.crypto.aead import OVERHEAD_BYTES, DecryptionFailed, cipher, open_sealed, seal

pytestmark = pytest.mark.embedded  # no store is asked

KEY = b"k" * 32
AAD = b"koshflow|accounts_company|pan|row|subject|v1"


class TestLayout:
    """0x01, KEK version in two bytes, nonce of 12, ciphertext, tag of 16."""

    def test_parts(self):
        blob = seal(KEY, b"QZXCK4821M", aad=AAD, kek_version=0x0102)
        assert blob[:3] == b"\x01\x01\x02"
        assert len(blob) == 3 + 12 + len("QZXCK4821M") + 16 == OVERHEAD_BYTES + 10

    def test_nonces_differ(self):
        assert len({seal(KEY, b"", aad=AAD, kek_version=1)[3:15] for _ in range(1000)}) == 1000

    def test_opens_a_published_vector(self):
        # AES-256-GCM test case 16 of "The Galois/Counter Mode of Operation" (McGrew and Viega), in our
        # envelope.
        key = bytes.fromhex("feffe9928665731c6d6a8f9467308308" * 2)
        nonce = bytes.fromhex("cafebabefacedbaddecaf888")
        ciphertext = bytes.fromhex(
            "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
            "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662"
        )
        tag = bytes.fromhex("76fc6ece0f4e1768cddf8853bb2d551b")
        aad = bytes.fromhex("feedfacedeadbeeffeedfacedeadbeefabaddad2")
        opened = open_sealed(key, b"\x01\x00\x01" + nonce + ciphertext + tag, aad=aad)
        assert opened.hex() == (
            "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
            "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39"
        )

    @pytest.mark.parametrize("version", [-1, 65536])
    def test_a_version_beyond_two_bytes_is_refused(self, version):
        with pytest.raises(OverflowError):
            seal(KEY, b"", aad=AAD, kek_version=version)


class TestRoundTrip:
    """What was sealed opens under the same key and place, whatever it was."""

    @settings(max_examples=50)
    @given(st.binary(max_size=300), st.binary(max_size=60))
    def test_any_bytes(self, plaintext, aad):
        assert open_sealed(KEY, seal(KEY, plaintext, aad=aad, kek_version=1), aad=aad) == plaintext

    def test_a_kept_cipher_and_its_key_are_the_same(self):
        kept = cipher(KEY)
        assert open_sealed(KEY, seal(kept, b"text", aad=AAD, kek_version=1), aad=AAD) == b"text"
        assert open_sealed(kept, seal(KEY, b"text", aad=AAD, kek_version=1), aad=AAD) == b"text"

    @pytest.mark.parametrize("length", [0, 16, 24, 31, 33])
    def test_only_256_bit_keys(self, length):
        with pytest.raises(ValueError, match="32"):
            seal(b"k" * length, b"", aad=AAD, kek_version=1)


class TestRefusal:
    """Changed, cut, foreign or moved: one error, one message."""

    BLOB = seal(KEY, b"QZXCK4821M", aad=AAD, kek_version=1)

    def refused(self, key: bytes = KEY, blob: bytes = BLOB, aad: bytes = AAD) -> str:
        with pytest.raises(DecryptionFailed) as caught:
            open_sealed(key, blob, aad=aad)
        return str(caught.value)

    def test_every_bit_counts(self):
        for at in [0, *range(3, len(self.BLOB))]:  # bytes 1 and 2 are the KEK hint
            for bit in range(8):
                changed = bytearray(self.BLOB)
                changed[at] ^= 1 << bit
                assert self.refused(blob=bytes(changed)) == "sealed value refused"

    def test_every_length_but_its_own(self):
        for length in range(len(self.BLOB)):
            self.refused(blob=self.BLOB[:length])
        self.refused(blob=self.BLOB + b"\0")

    def test_one_message_for_all(self):
        messages = {
            self.refused(key=b"x" * 32),
            self.refused(aad=AAD + b"x"),
            self.refused(blob=b""),
            self.refused(blob=b"\x02" + self.BLOB[1:]),
        }
        assert messages == {"sealed value refused"}
