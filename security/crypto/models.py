"""One data key for each person or company, wrapped under the ring's key-encryption key. No key, no person.

The id is the subject's pseudonym: other tables name people by it where no foreign key may stand.
"""

import secrets
from datetime import datetime
from typing import Any
from uuid import uuid4

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap, aes_key_wrap
from django.db import models
from django.utils import timezone

from security.crypto.aead import KEY_BYTES, DecryptionFailed, cipher
from security.crypto.keyring import keyring


class KeyDestroyed(Exception):  # noqa: N818 - named for what happened
    """The subject was erased: nothing sealed under their key can be read or written any more."""


class SubjectKeyManager(models.Manager["SubjectKey"]):
    """Makes keys."""

    def build(self) -> "SubjectKey":
        """A fresh key that is not saved yet."""
        subject = self.model()
        subject._wrap(secrets.token_bytes(KEY_BYTES))
        return subject

    def issue(self) -> "SubjectKey":
        """A fresh, saved key."""
        subject = self.build()
        subject.save(using=self._db, force_insert=True)
        return subject


class SubjectKey(models.Model):
    """A subject's 256-bit data key, in AES Key Wrap (RFC 3394) under the KEK of version `kek_version`."""

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    wrapped = models.BinaryField(null=True)
    kek_version = models.PositiveIntegerField()
    created_at = models.DateTimeField(default=timezone.now)
    destroyed_at = models.DateTimeField(null=True)

    objects = SubjectKeyManager()

    class Meta:
        db_table = "subject_key"
        constraints = [
            models.CheckConstraint(
                name="subject_key_is_there_until_destroyed",
                condition=models.Q(wrapped__isnull=False, destroyed_at__isnull=True)
                | models.Q(wrapped__isnull=True, destroyed_at__isnull=False),
            ),
        ]
        indexes = [models.Index(fields=["kek_version", "id"], name="subject_key_kek_version")]

    # The wrapped bytes that were opened, the key they held, its cipher. Tied to those bytes, so that a row
    # read again, re-wrapped or destroyed never answers with an older key.
    _opened: tuple[Any, bytes, AESGCM] | None = None

    def __str__(self) -> str:
        return str(self.pk)

    def __getstate__(self) -> dict[str, Any]:
        # A pickled row (a cache, a queue) must not carry the opened key along.
        return {name: value for name, value in super().__getstate__().items() if name != "_opened"}

    def data_key(self) -> bytes:
        """The 32-byte data key.

        Raises KeyDestroyed for an erased subject, UnknownKey where the ring lacks the KEK, DecryptionFailed
        for a damaged or foreign wrapping.
        """
        return self._open()[1]

    def cipher(self) -> AESGCM:
        """The data key's cipher, kept on this instance. Raises as `data_key`."""
        return self._open()[2]

    def rewrap(self) -> bool:
        """Put the same data key under the active KEK; whether anything changed.

        The caller saves. Raises as `data_key`.
        """
        if str(self.kek_version) == keyring().active("kek").id:
            return False
        self._wrap(self.data_key())
        return True

    def destroy(self, *, at: datetime) -> None:
        """Erase the data key and save, for good.

        Everything sealed under it is noise from then on. May run twice.
        """
        if self.destroyed_at is not None:
            return
        self.wrapped = None
        self.destroyed_at = at
        self._opened = None
        self.save(update_fields=["wrapped", "destroyed_at"])

    def _wrap(self, data_key: bytes) -> None:
        kek = keyring().active("kek")
        self.wrapped = aes_key_wrap(kek.secret, data_key)
        self.kek_version = int(kek.id)

    def _open(self) -> tuple[Any, bytes, AESGCM]:
        if self.wrapped is None or self.destroyed_at is not None:
            raise KeyDestroyed(f"the key of subject {self.pk} was destroyed")
        if self._opened is None or self._opened[0] is not self.wrapped:
            kek = keyring().get("kek", str(self.kek_version))
            try:
                data_key = aes_key_unwrap(kek.secret, bytes(self.wrapped))
            except (InvalidUnwrap, ValueError) as error:
                raise DecryptionFailed from error
            if len(data_key) != KEY_BYTES:
                raise DecryptionFailed
            self._opened = (self.wrapped, data_key, cipher(data_key))
        return self._opened
