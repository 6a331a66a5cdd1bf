"""One key a subject: wrapped in the table, opened when needed, gone when destroyed."""

import pickle
import uuid
from datetime import UTC, datetime

import pytest
from django.db import IntegrityError, transaction
from django.test import TestCase, override_settings

from security.crypto import DecryptionFailed, KeyDestroyed, SubjectKey, UnknownKey
from tests.security.crypto.rings import KEK_OF_RFC_3394, a_ring, entry, with_next_kek, written

NOW = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)
RING = a_ring()


class TestWrapping:
    """AES Key Wrap with a 256-bit KEK and 256 bits of key data (RFC 3394 section 4.6)."""

    def test_vector(self, settings):
        settings.KEYRING = a_ring(lambda keys: entry(keys, "kek").update(key=written(KEK_OF_RFC_3394)))
        wrapped = bytes.fromhex("28C9F404C4B810F4CBCCB35CFB87F8263F5786E2D80ED326CBC7F0E71A99F43BFB988B9B7A02DD21")
        data = bytes.fromhex("00112233445566778899AABBCCDDEEFF000102030405060708090A0B0C0D0E0F")
        assert SubjectKey(wrapped=wrapped, kek_version=1).data_key() == data
        subject = SubjectKey(kek_version=1)
        subject._wrap(data)
        assert subject.wrapped == wrapped

    def test_a_memoryview_opens_too(self):
        subject = SubjectKey.objects.build()  # as PostgreSQL hands it out
        read = SubjectKey(wrapped=memoryview(subject.wrapped), kek_version=subject.kek_version)
        assert read.data_key() == subject.data_key()

    def test_each_subject_has_another_key(self):
        assert len({SubjectKey.objects.build().data_key() for _ in range(100)}) == 100

    @pytest.mark.parametrize("damage", [b"", b"x" * 40, b"x" * 8, b"x" * 41])
    def test_a_damaged_wrapping_is_refused(self, damage):
        with pytest.raises(DecryptionFailed):
            SubjectKey(wrapped=damage, kek_version=1).data_key()

    def test_a_128_bit_key_is_refused(self, settings):
        settings.KEYRING = a_ring(lambda keys: entry(keys, "kek").update(key=written(KEK_OF_RFC_3394)))
        wrapped = bytes.fromhex("64E8C3F9CE0F5BA263E9777905818A2A93C8191E7D6E8AE7")  # RFC 3394 section 4.3
        with pytest.raises(DecryptionFailed):
            SubjectKey(wrapped=wrapped, kek_version=1).data_key()

    def test_another_kek_does_not_open_it(self, settings):
        subject = SubjectKey.objects.build()
        settings.KEYRING = a_ring()
        with pytest.raises(DecryptionFailed):
            subject.data_key()

    def test_a_kek_the_ring_lacks_is_named_as_that(self):
        with pytest.raises(UnknownKey):
            SubjectKey(wrapped=b"x" * 40, kek_version=7).data_key()

    def test_an_opened_key_is_not_pickled(self):
        subject = SubjectKey.objects.build()
        secret = subject.data_key()
        assert secret not in pickle.dumps(subject)
        assert pickle.loads(pickle.dumps(subject)).data_key() == secret


class SubjectKeyRows(TestCase):
    """What the table holds."""

    def test_an_issued_key_is_saved_and_opens_again(self):
        subject = SubjectKey.objects.issue()
        self.assertIsInstance(subject.pk, uuid.UUID)
        self.assertEqual(subject.pk.version, 4)
        self.assertEqual(SubjectKey.objects.get(pk=subject.pk).data_key(), subject.data_key())

    def test_a_built_key_is_not_saved(self):
        self.assertFalse(SubjectKey.objects.filter(pk=SubjectKey.objects.build().pk).exists())

    @override_settings(KEYRING=RING)
    def test_rotation_of_the_kek_keeps_the_data_key(self):
        subject = SubjectKey.objects.issue()
        before = subject.data_key()
        self.assertFalse(subject.rewrap())
        with override_settings(KEYRING=with_next_kek(RING)):
            self.assertTrue(subject.rewrap())
            subject.save()
            read = SubjectKey.objects.get(pk=subject.pk)
            self.assertEqual((read.kek_version, read.data_key()), (2, before))
            self.assertFalse(read.rewrap())

    def test_a_destroyed_key_is_gone_here_and_in_the_table(self):
        subject = SubjectKey.objects.issue()
        subject.data_key()  # opened before: the copy in memory must go, too
        subject.destroy(at=NOW)
        for one in (subject, SubjectKey.objects.get(pk=subject.pk)):
            with self.assertRaises(KeyDestroyed):
                one.data_key()
            with self.assertRaises(KeyDestroyed):
                one.cipher()
        self.assertEqual((subject.wrapped, subject.destroyed_at), (None, NOW))

    def test_destroying_twice_keeps_the_first_moment(self):
        subject = SubjectKey.objects.issue()
        subject.destroy(at=NOW)
        subject.destroy(at=datetime(2027, 1, 1, tzinfo=UTC))
        self.assertEqual(SubjectKey.objects.get(pk=subject.pk).destroyed_at, NOW)

    def test_destruction_elsewhere_is_seen_after_reading_again(self):
        subject = SubjectKey.objects.issue()
        subject.data_key()
        SubjectKey.objects.get(pk=subject.pk).destroy(at=NOW)
        subject.refresh_from_db()
        with self.assertRaises(KeyDestroyed):
            subject.data_key()

    def test_a_key_replaced_elsewhere_is_used_after_reading_again(self):
        subject, other = SubjectKey.objects.issue(), SubjectKey.objects.build()
        subject.data_key()
        SubjectKey.objects.filter(pk=subject.pk).update(wrapped=other.wrapped)
        subject.refresh_from_db()
        self.assertEqual(subject.data_key(), other.data_key())

    def test_the_table_refuses_a_half_destroyed_key(self):
        subject = SubjectKey.objects.issue()
        for change in ({"wrapped": None}, {"destroyed_at": NOW}):
            with self.assertRaises(IntegrityError), transaction.atomic():
                SubjectKey.objects.filter(pk=subject.pk).update(**change)
