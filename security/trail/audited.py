"""Which tables are watched, and which of their columns an event may show: what is told is listed, not what is hidden.

Apps register their own tables. A table stands here or there, or in a list of those that are not watched, each with its
reason; a test finds one that stands nowhere.
"""

from collections.abc import Callable, Iterable, Mapping, Set
from contextlib import suppress
from dataclasses import dataclass, field
from uuid import UUID

from django.apps import apps
from django.db import models


@dataclass(frozen=True, slots=True, kw_only=True)
class Audited:
    """A watched table.

    `values` are columns whose values are told, `changed` those of which only is told that they changed. `people` are
    columns that refer to a table with a column `subject_id`, by which the other row is told: ids of people and of
    companies stay out of the log, pseudonyms are in it. `row` names the row, and `subject`, where it is given, the
    column with the pseudonym of whom the row is about. `quiet` are the columns whose UPDATE is not noted, each with the
    reason: a test finds one that stands nowhere.

    `inserts` may be left out where each one comes with a row that is watched. A row that is `over` (SQL about OLD, with
    NOW for the present) is cleared away by the schedule, and its end was told when it came.
    """

    table: str
    values: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    people: Mapping[str, str] = field(default_factory=dict)
    quiet: Mapping[str, str] = field(default_factory=dict)
    row: str = "id"
    subject: str = ""
    inserts: bool = True
    over: str = ""

    @property
    def watched(self) -> tuple[str, ...]:
        """Columns whose UPDATE is noted: also those that say which row it is, and so whose all else is."""
        return tuple(dict.fromkeys((*self.values, *self.people, *self.changed, self.row, self.key)))

    @property
    def key(self) -> str:
        """The column of the primary key."""
        return str(self.model._meta.pk.column)

    @property
    def model(self) -> type[models.Model]:
        """The model of the table."""
        every = apps.get_models(include_auto_created=True)
        return next(model for model in every if model._meta.db_table == self.table)

    def subject_of(self, row: str, subject: UUID | None) -> UUID | None:
        """The pseudonym of whom a noted row is about, from the name of the row and the subject that were noted."""
        if subject is None and self.row == "subject_id":
            with suppress(AttributeError, TypeError, ValueError):  # raw SQL writes what it likes
                return UUID(row)
        return subject


CompaniesOf = Callable[[Set[UUID]], Mapping[UUID, UUID]]
_audited: dict[str, Audited] = {}
_companies_of: list[CompaniesOf] = []
_reasons: dict[str, str] = {}


def register_audited(
    entries: Iterable[Audited], *, not_audited: Mapping[str, str], companies_of: CompaniesOf | None = None
) -> None:
    """Have these tables watched; `not_audited` says of others why they are not.

    `companies_of` finds the companies of pseudonyms, of those that have one.
    """
    if companies_of is not None:
        _companies_of.append(companies_of)
    _audited.update({entry.table: entry for entry in entries})
    _reasons.update(not_audited)


def audited() -> tuple[Audited, ...]:
    """Every watched table."""
    return tuple(_audited.values())


def companies_of(subjects: Set[UUID]) -> dict[UUID, UUID]:
    """Pseudonym of a person or a company → that of the company, as they are now."""
    return {who: company for find in _companies_of for who, company in find(subjects).items()}


def not_audited() -> Mapping[str, str]:
    """Table → why it is not watched."""
    return _reasons


register_audited(
    [
        Audited(
            table="subject_key",
            values=("destroyed_at", "created_at"),
            quiet=dict.fromkeys(("wrapped", "kek_version"), "keys_rotate wraps every key anew, and is an event."),
            subject="id",
            inserts=False,
        )
    ],
    not_audited={
        "audit_event": "It is the log: nothing in it may change (guards.py).",
        "audit_pii": "Likewise; erasure takes rows out, and is an event.",
        "audit_tile": "Likewise.",
        "audit_checkpoint": "Likewise.",
        "audit_log": "Likewise.",
        "audit_anchor": "Likewise.",
        "audit_pruned": "Likewise.",
        "audit_change": "Where changes wait for their event.",
        "audit_forward": "How far the log was sent; to move it by hand is an event, and its receiver sees a gap.",
        "audit_unidentified": "Names the key of a month; the key is watched.",
        "lockout_counter": "Counts tries for minutes; what it leads to is an event.",
        "lockout_known_device": "Remembers a digest of a device for 30 days.",
        "outbox_message": "A queue: each act that queues is an event.",
        "audit_verification": "What a verification found, for pages and health; the log itself is the proof.",
        "security_audit_run": "The result of a run, which is an event.",
        "auth_permission": "Made by migrate from the code.",
        "django_content_type": "Made by migrate from the code.",
        "django_admin_log": "Stays empty: what staff do are events.",
        "django_session": "Points of a browser to a session that is watched.",
        "axes_accessattempt": "Stays empty: our handler counts elsewhere.",
        "axes_accessattemptexpiration": "Likewise.",
        "axes_accessfailurelog": "Likewise.",
        "axes_accesslog": "Likewise.",
    },
)
