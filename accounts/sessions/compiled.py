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

from django.db import DEFAULT_DB_ALIAS, models
from django.db.models.base import ModelState

from accounts.identity.models import Company, User
from accounts.sessions.models import Session
from accounts.twofactor.models import TotpDevice
from security.crypto import SubjectKey
from security.statements import Parameter, Row, Select, Update, UpdateAndRead


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

    def instance(self, values: Row) -> models.Model:
        """What `from_db` makes of `values`, without asking each field and two signals: 10 µs, five times a request."""
        instance = self.model.__new__(self.model)
        state = instance._state = ModelState()
        state.adding, state.db = False, DEFAULT_DB_ALIAS
        vars(instance).update(zip(self.columns, values, strict=True))
        return instance


def _part(prefix: str, model: type[models.Model], *, only: tuple[str, ...] = (), without: tuple[str, ...] = ()) -> Part:
    # In the model's own order, which `from_db` expects.
    names = [field.attname for field in model._meta.concrete_fields]
    return Part(prefix, model, tuple(name for name in names if name not in without and (not only or name in only)))


# Parents stand before children. Of the second factor only whether it counts is read: its secret is not for here.
_SESSION = _part("", Session, without=("created_at", "end_reason", "client_label"))
_SUBJECT = _part("user__subject__", SubjectKey, without=("created_at",))
_REQUEST = (
    _SESSION,
    _part("user__", User, without=("password", "password_changed_at", "is_superuser", "is_staff")),
    _SUBJECT,
    _part("user__totp_device__", TotpDevice, only=("id", "user_id", "confirmed")),
    _part("user__company__", Company, without=("gstin_index",)),
    _part("user__company__subject__", SubjectKey, without=("created_at",)),
)
# Of the company, rotation needs the pseudonym; of its person, whether they may go on and where a warning goes.
_ROTATION = (
    _SESSION,
    _part("user__", User, only=("id", "subject_id", "company_id", "email", "is_active", "token_version")),
    _SUBJECT,
    _part("user__company__", Company, only=("id", "subject_id")),
    _part("user__company__subject__", SubjectKey, only=("id",)),
)
# A key that stands on both sides of a join is read once.
_TWICE = {
    "user__id": "user_id",
    "user__subject__id": "user__subject_id",
    "user__totp_device__user_id": "user_id",
    "user__company__id": "user__company_id",
    "user__company__subject__id": "user__company__subject_id",
}


class _Reader:
    """The read of `parts`, compiled once."""

    def __init__(self, parts: tuple[Part, ...]) -> None:
        names = [name for part in parts for name in part.names if name not in _TWICE]
        self._parts = parts
        # How each part picks the values of its columns out of a row; always a tuple, also of one.
        self._picks = [
            itemgetter(*(names.index(_TWICE.get(name, name)) for name in (*part.names, part.names[0])))
            for part in parts
        ]
        self.select = Select(
            lambda: Session.objects.filter(pk=Parameter("session_id", Session._meta.pk)).values_list(*names)
        )

    def read(self, session_id: UUID) -> Session | None:
        """The session with the other parts filled in, or None."""
        row = self.select.first(session_id=session_id)
        return self.assemble(row) if row else None

    def assemble(self, row: Row) -> Session:
        """The session of a row of `select`, with the other parts filled in."""
        made: dict[str, Any] = {"": None}
        for part, pick in zip(self._parts, self._picks, strict=True):
            values = pick(row)[:-1]
            holder = made.get(part.holder)
            is_there = values[part.columns.index(part.model._meta.pk.attname)] is not None
            instance = part.instance(values) if is_there else None
            made[part.prefix] = instance
            if holder is not None:
                # None is remembered too: staff have no company, most people no second factor.
                holder._meta.get_field(part.relation).set_cached_value(holder, instance)
                if isinstance(instance, TotpDevice):
                    TotpDevice._meta.get_field("user").set_cached_value(instance, holder)
        session: Session = made[""]
        return session


_of_request, _of_rotation = _Reader(_REQUEST), _Reader(_ROTATION)


def read_session(session_id: UUID) -> Session | None:
    """The session with `user`, `user.totp_device`, `user.company` and their `subject` filled in, or None."""
    return _of_request.read(session_id)


def read_for_rotation(session_id: UUID) -> Session | None:
    """The session with what rotating it needs: `user`, their `subject`, and of `user.company` the pseudonym."""
    return _of_rotation.read(session_id)


class RotatingRead:
    """An Update of the session `session_id` together with `read_for_rotation`, as the session was before it."""

    def __init__(self, update: Update) -> None:
        self._statement = UpdateAndRead(update, _of_rotation.select)

    def run(self, session_id: UUID, **values: Any) -> tuple[bool, Session | None]:
        """Whether the session was changed, and the session. Where it was not, read again: see UpdateAndRead."""
        changed, row = self._statement.run(session_id=session_id, **values)
        return bool(changed), _of_rotation.assemble(row) if row else None
