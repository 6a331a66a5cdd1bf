"""The read behind every authenticated request: session, person, second factor, company and keys in one
SQL statement.

The ORM compiles it once in each process; building the same query anew costs 766 µs a request, running it 180. Only
the columns that such requests need are read: each costs 1 to 2 µs here and 1 in PostgreSQL. Django reads any other
when somebody asks for it, in one statement more; so a password's hash is in memory only where it is compared.
"""

from dataclasses import dataclass
from operator import itemgetter
from typing import Any
from uuid import UUID

from django.db import models

from accounts.identity.models import Company, User
from accounts.sessions.models import Session
from accounts.twofactor.models import TotpDevice
from security.crypto import SubjectKey
from security.statements import Parameter, Row, Select


@dataclass(frozen=True)
class Part:
    """A joined object: its lookup prefix, the model it becomes, and the columns that are read."""

    prefix: str
    model: type[models.Model]
    columns: tuple[str, ...]

    @property
    def names(self) -> list[str]:
        """The columns as the ORM looks them up from the session."""
        return [self.prefix + column for column in self.columns]

    @property
    def holder(self) -> str:
        """Prefix of the part whose relation this is."""
        parent = self.prefix.removesuffix("__").rpartition("__")[0]
        return f"{parent}__" if parent else ""

    @property
    def relation(self) -> str:
        """Name of that relation."""
        return self.prefix.removesuffix("__").rpartition("__")[2]


def _without(prefix: str, model: type[models.Model], *left_out: str) -> Part:
    names = [field.attname for field in model._meta.concrete_fields]
    return Part(prefix, model, tuple(name for name in names if name not in left_out))


# Parents stand before children. Of the second factor only whether it counts is read: its secret is not for here.
PARTS = (
    _without("", Session, "created_at", "end_reason", "client_label"),
    _without("user__", User, "password", "password_changed_at", "is_superuser", "is_staff"),
    _without("user__subject__", SubjectKey, "created_at"),
    Part("user__totp_device__", TotpDevice, ("id", "user_id", "confirmed")),
    _without("user__company__", Company, "gstin_index"),
    _without("user__company__subject__", SubjectKey, "created_at"),
)


# A key that stands on both sides of a join is read once.
_TWICE = {
    "user__id": "user_id",
    "user__subject__id": "user__subject_id",
    "user__totp_device__user_id": "user_id",
    "user__company__id": "user__company_id",
    "user__company__subject__id": "user__company__subject_id",
}
_NAMES = [name for part in PARTS for name in part.names if name not in _TWICE]
# How each part picks the values of its columns out of a row.
_PICKS = [itemgetter(*(_NAMES.index(_TWICE.get(name, name)) for name in part.names)) for part in PARTS]


def _by_id() -> "models.QuerySet[Session, Any]":
    return Session.objects.filter(pk=Parameter("session_id", Session._meta.pk)).values_list(*_NAMES)


_READ = Select(_by_id)


def read_session(session_id: UUID, *, using: str = "default") -> Session | None:
    """The session with `user`, `user.totp_device`, `user.company` and their `subject` filled in, or None."""
    row = _READ.first(using=using, session_id=session_id)
    return _assemble(row, using) if row else None


def _assemble(row: Row, using: str) -> Session:
    made: dict[str, Any] = {"": None}
    for part, pick in zip(PARTS, _PICKS, strict=True):
        values = pick(row)
        holder = made.get(part.holder)
        is_there = values[part.columns.index(part.model._meta.pk.attname)] is not None
        instance = part.model.from_db(using, part.columns, values) if is_there else None
        made[part.prefix] = instance
        if holder is not None:
            # None is remembered too: staff have no company, most people no second factor.
            holder._meta.get_field(part.relation).set_cached_value(holder, instance)
            if isinstance(instance, TotpDevice):
                TotpDevice._meta.get_field("user").set_cached_value(instance, holder)
    session: Session = made[""]
    return session
