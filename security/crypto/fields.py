"""A model column of text that is stored sealed under the row's subject. Does not index or search it.

Like a foreign key, the column has two attributes. `phone` is the text, decrypted at each reading and never
kept; `phone_sealed` is what the database holds. Django's own machinery (loading, refreshing, dumping) moves
the latter, so that it never decrypts, and no plaintext reaches a dump, a pickle of a loaded row or a debug
page.
"""

from base64 import b64decode, b64encode
from typing import TYPE_CHECKING, Any

from django.core.exceptions import ValidationError
from django.db import models

from security.crypto.aead import open_sealed, seal

_OPEN_LOOKUPS = frozenset({"isnull", "exact"})  # exact serves `=None`; a text is refused when it is prepared


class Sealed:
    """Stored bytes of an encrypted cell. Shows nothing of itself."""

    __slots__ = ("blob",)

    def __init__(self, blob: bytes) -> None:
        self.blob = blob

    def __repr__(self) -> str:
        return "<sealed>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sealed) and self.blob == other.blob

    def __hash__(self) -> int:
        return hash(self.blob)


class Unsealed:
    """A text that was assigned and waits to be sealed when the row is saved."""

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text

    def __repr__(self) -> str:
        return "<unsealed>"


class TextAttribute:
    """What `instance.phone` is: reading decrypts, assigning keeps the text until the row is saved."""

    def __init__(self, field: "EncryptedTextField") -> None:
        self.field = field

    def __get__(self, instance: models.Model | None, owner: type[models.Model] | None = None) -> Any:
        if instance is None:
            return self
        value = getattr(instance, self.field.attname)
        if isinstance(value, Unsealed):
            return value.text
        return None if value is None else self.field.unseal(value, instance)

    def __set__(self, instance: models.Model, value: str | Sealed | None) -> None:
        if isinstance(value, str):
            stored: Any = Unsealed(value)
        elif value is None or isinstance(value, Sealed):
            stored = value  # a cell comes from a dump that is being loaded
        else:
            raise TypeError(f"{self.field.name} takes a text or None")
        setattr(instance, self.field.attname, stored)


class EncryptedTextField(models.BinaryField):
    """Text sealed under `instance.<subject_attr>`, a SubjectKey.

    Bound to its place by the associated data `koshflow|table|column|row id|subject id|v1`: a cell moved to
    another column, row or subject does not open. So renaming the table or column, or giving a row another id
    or subject, needs a rewrite of its cells. The row's id must be known before it is inserted (a UUID with a
    default).

    Reading raises DecryptionFailed, KeyDestroyed or UnknownKey. `filter()` and `update()` with a text raise
    TypeError: find the row by a blind index, save it through an instance.
    """

    description = "Text encrypted under the row's subject"

    if TYPE_CHECKING:
        _pyi_private_set_type: str | None
        _pyi_private_get_type: str | None  # type: ignore[assignment]

    def __init__(self, *args: Any, subject_attr: str = "subject", **kwargs: Any) -> None:
        self.subject_attr = subject_attr
        super().__init__(*args, **kwargs)

    def deconstruct(self) -> Any:
        name, path, args, kwargs = super().deconstruct()
        if self.subject_attr != "subject":
            kwargs["subject_attr"] = self.subject_attr
        return name, path, args, kwargs

    def get_attname(self) -> str:
        return f"{self.name}_sealed"

    def get_attname_column(self) -> tuple[str, str]:
        return self.get_attname(), self.db_column or self.name

    def contribute_to_class(self, cls: type[models.Model], name: str, private_only: bool = False) -> None:  # noqa: FBT001, FBT002 - Django's signature
        super().contribute_to_class(cls, name, private_only=private_only)
        setattr(cls, name, TextAttribute(self))

    # Sealing

    def pre_save(self, model_instance: models.Model, add: bool) -> Sealed | None:  # noqa: FBT001 - Django's signature
        """What to store. Raises DecryptionFailed on inserting a cell that was sealed for another row."""
        value = getattr(model_instance, self.attname)
        if isinstance(value, Unsealed):
            value = self.seal(value.text, model_instance)
            setattr(model_instance, self.attname, value)
        elif isinstance(value, Sealed) and add:
            # A copied row (pk set to None, then saved) would be stored unreadable and noticed when it is too
            # late.
            self.unseal(value, model_instance)
        return value

    def seal(self, text: str, instance: models.Model) -> Sealed:
        """The cell of `text` in the row of `instance`. Raises KeyDestroyed, UnknownKey."""
        subject = getattr(instance, self.subject_attr)
        aad = self._aad(instance, subject)
        return Sealed(seal(subject.cipher(), text.encode(), aad=aad, kek_version=subject.kek_version))

    def unseal(self, cell: Sealed, instance: models.Model) -> str:
        """The text of a cell read from the row of `instance`.

        Raises DecryptionFailed, KeyDestroyed, UnknownKey.
        """
        subject = getattr(instance, self.subject_attr)
        return open_sealed(subject.cipher(), cell.blob, aad=self._aad(instance, subject)).decode()

    def _aad(self, instance: models.Model, subject: models.Model) -> bytes:
        row = self.model._meta.pk.to_python(instance.pk)  # one spelling for an id that was given as text
        if row is None:
            raise TypeError(f"{self.model.__name__} needs its id before {self.name} can be sealed")
        return f"koshflow|{self.model._meta.db_table}|{self.column}|{row}|{subject.pk}|v1".encode()

    # The way to and from the database: sealed cells only

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> Sealed | None:
        return None if value is None else Sealed(bytes(value))  # PostgreSQL hands out a memoryview

    def get_prep_value(self, value: Any) -> Any:
        if value is None or isinstance(value, Sealed) or hasattr(value, "resolve_expression"):
            return value
        raise TypeError(f"{self.name} is encrypted: save it through an instance, find it by its blind index")

    def get_db_prep_value(self, value: Any, connection: Any, prepared: bool = False) -> Any:  # noqa: FBT001, FBT002 - Django's signature
        value = value if prepared else self.get_prep_value(value)
        blob = value.blob if isinstance(value, Sealed) else value
        return super().get_db_prep_value(blob, connection, prepared=True)

    def get_lookup(self, lookup_name: str) -> Any:
        if lookup_name not in _OPEN_LOOKUPS:
            raise TypeError(f"{self.name} is encrypted: it cannot be searched with {lookup_name}")
        return super().get_lookup(lookup_name)

    # Dumps carry the sealed cell in base64; the text stays out of them

    def value_to_string(self, obj: models.Model) -> str:
        value = self.pre_save(obj, add=False)
        return "" if value is None else b64encode(value.blob).decode("ascii")

    def to_python(self, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        if not value:
            return None
        try:
            return Sealed(b64decode(value, validate=True))
        except ValueError as error:
            raise ValidationError(f"{self.name} takes a sealed cell in base64") from error
