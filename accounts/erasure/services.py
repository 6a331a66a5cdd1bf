"""Erases people and companies: blanks their rows, deletes what hangs on them, destroys their key. For good.

Where the log needs somebody named, the pseudonym goes on naming them; it resolves to nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from accounts.erasure.holdings import VALUES_IN_AUDIT, rows_of_company, rows_of_person
from accounts.identity.models import Company, User
from accounts.identity.names import normalise_email
from accounts.identity.trail import company_subject
from accounts.passwords.reset import counted_as
from accounts.sessions.models import EndReason, Session
from accounts.sessions.services import end_everything
from security.audit import Action, erase_personal_values, record
from security.crypto import SubjectKey
from security.lockout import forget_devices, unlock
from security.rbac import Role
from security.redaction import scrub

MAX_REASON_LENGTH = 100


class ErasureRefused(Exception):  # noqa: N818 - the sentence that the operator reads
    """Why nobody was erased, and what to do instead."""


@dataclass(frozen=True, slots=True)
class Erased:
    """One person or company that was, or would be, erased, and how many rows of each kind with it.

    `at` is when; None where it has not happened. `is_new` is False where it had happened before.
    """

    kind: str
    subject: UUID
    at: datetime | None
    is_new: bool = True
    rows: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Target:
    company: Company | None  # None: it stays
    people: list[User]


def survey(*, who: str, with_company: bool = False) -> list[Erased]:
    """What `erase` would take away with the same arguments. Raises ErasureRefused as it would."""
    target = _find(who, with_company=with_company)
    found = []
    if target.company is not None:
        found.append(_surveyed("company", target.company.subject, rows_of_company(target.company.subject)))
    for user in target.people:
        alive = Session.objects.filter(user=user).alive(timezone.now())
        found.append(_surveyed("person", user.subject, {"sessions": alive, **rows_of_person(user)}))
    return found


def erase(*, who: str, reason: str, operator: str, with_company: bool = False) -> list[Erased]:
    """Erase the person whose e-mail address or pseudonym `who` is; with `with_company` their company and its people.

    All of it or nothing, with one event for each. `reason` is a short reference that stays in the log for ever;
    `operator` the system account that runs this. May run twice. Raises ErasureRefused.
    """
    check_reason(reason)
    now = timezone.now()
    with transaction.atomic(durable=True):
        target = _find(who, with_company=with_company, is_locked=True)
        done = []
        if target.company is not None:
            done.append(_erase_company(target.company, at=now))
        done += [_erase_person(user, at=now) for user in target.people]
        companies = {user.subject_id: company_subject(user) for user in target.people}
        for erased in done:
            if erased.is_new:
                subject = SubjectKey.objects.get(pk=erased.subject)
                record(
                    Action.SUBJECT_ERASED,
                    target=subject,
                    company=companies.get(erased.subject, subject),
                    data={
                        "kind": erased.kind,
                        "reason": reason,
                        "operator": operator,
                        "rows": {name.replace(" ", "_").replace("-", "_"): n for name, n in erased.rows.items()},
                    },
                )
    return done


def check_reason(reason: str) -> None:
    """Raises ErasureRefused for a reason that may not stand in the log for ever."""
    if not reason.strip() or len(reason) > MAX_REASON_LENGTH or not reason.isprintable():
        raise ErasureRefused(f"a reason has 1 to {MAX_REASON_LENGTH} printable characters, such as a ticket's number")
    if scrub(reason) != reason:
        raise ErasureRefused("the reason stays in the log for ever; name a ticket in it, and no person")


def overwrite_freed_pages() -> bool:
    """Let nothing of deleted rows stay in SQLite's file; True where it did, or where the database does so itself.

    False where a transaction is open, or others keep the file busy: then another run does it.
    """
    if connection.vendor != "sqlite":
        return True  # its dumps hold living rows only, and vacuum follows by itself
    if connection.in_atomic_block:
        return False
    with connection.cursor() as cursor:
        cursor.execute("VACUUM")
        busy, *_ = cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    return not busy


def _surveyed(kind: str, subject: SubjectKey, rows: Mapping[str, QuerySet]) -> Erased:
    counts = {name: len(found) for name, found in rows.items()}
    return Erased(kind, subject.pk, subject.destroyed_at, is_new=subject.destroyed_at is None, rows=counts)


def _find(who: str, *, with_company: bool, is_locked: bool = False) -> _Target:
    """Whom `who` names, locked in one order: the company, then people. Raises ErasureRefused."""
    user, company = _named(who)
    if company is None and user is not None:
        company = user.company
    if company is not None and is_locked:
        # Two last administrators cannot both find the other still there.
        company = Company.objects.select_for_update(of=("self",), no_key=True).get(pk=company.pk)
    if user is None and not with_company:
        raise ErasureRefused("that is a company; --company erases it with everybody in it")
    if with_company:
        if company is None:
            raise ErasureRefused("staff have no company; leave --company out")
        wanted = Q(company=company)
    else:
        wanted = Q(pk=user.pk if user else None)
    people = User.objects.filter(wanted).order_by("pk")
    rows = list(people.select_for_update(of=("self",), no_key=True) if is_locked else people)
    if not with_company:
        _check_company_keeps_an_admin(rows[0])
    return _Target(company=company if with_company else None, people=rows)


def _named(who: str) -> tuple[User | None, Company | None]:
    try:
        pseudonym = UUID(who)
    except ValueError:
        user = User.objects.filter(email=normalise_email(who)).first()
        if user is None:
            raise ErasureRefused(
                f"nobody has the address {who}; an erased person is found by their pseudonym, which the event "
                "subject.erased tells"
            ) from None
        return user, None
    user = User.objects.filter(subject=pseudonym).first()
    company = None if user else Company.objects.filter(subject=pseudonym).first()
    if user is None and company is None:
        raise ErasureRefused(f"{who} is the pseudonym of no person and no company")
    return user, company


def _check_company_keeps_an_admin(user: User) -> None:
    if user.role != Role.ADMIN or not user.is_active:
        return
    others = User.objects.filter(company=user.company, is_active=True).exclude(pk=user.pk)
    if others.exists() and not others.filter(role=Role.ADMIN).exists():
        raise ErasureRefused(
            f"this is the last active administrator of a company in which {others.count()} more work, who would be "
            "left without one; give another the role ADMIN first, or erase the whole company with --company"
        )


def _erase_person(user: User, *, at: datetime) -> Erased:
    subject = user.subject
    if subject.destroyed_at is not None:
        return Erased("person", subject.pk, subject.destroyed_at, is_new=False)
    counts = {"sessions": len(end_everything(user=user, reason=EndReason.ADMINISTRATOR))}
    Session.objects.filter(user=user).update(address=None, client_label="")
    counts |= _delete(subject, rows_of_person(user))
    for account in (user.email, counted_as(user.email)):
        unlock(account)
    forget_devices(user.email)
    user.email, user.name, user.phone = _placeholder(subject), "Erased person", None
    user.set_unusable_password()
    user.is_active = user.is_superuser = False
    user.last_login = user.password_changed_at = None
    user.save(
        update_fields=[
            "email",
            "name",
            "phone",
            "password",
            "is_active",
            "is_superuser",
            "last_login",
            "password_changed_at",
        ]
    )
    user.groups.clear()
    user.user_permissions.clear()
    subject.destroy(at=at)
    return Erased("person", subject.pk, at, rows=counts)


def _erase_company(company: Company, *, at: datetime) -> Erased:
    subject = company.subject
    if subject.destroyed_at is not None:
        return Erased("company", subject.pk, subject.destroyed_at, is_new=False)
    counts = _delete(subject, rows_of_company(subject))
    company.email, company.name = _placeholder(subject), "Erased company"
    company.phone = company.gstin = company.pan = company.gstin_index = None
    company.save(update_fields=["email", "name", "phone", "gstin", "pan", "gstin_index"])
    subject.destroy(at=at)
    return Erased("company", subject.pk, at, rows=counts)


def _delete(subject: SubjectKey, rows: Mapping[str, QuerySet]) -> dict[str, int]:
    # First: it finds the events whose searchable address goes by the rows that go.
    own_values = erase_personal_values(subject=subject)
    counts = {name: found.delete()[0] for name, found in rows.items()}
    return counts | {VALUES_IN_AUDIT: counts[VALUES_IN_AUDIT] + own_values}


def _placeholder(subject: SubjectKey) -> str:
    """An address that nobody can have or be sent mail to, and that no two share (RFC 2606 section 2)."""
    return f"erased-{subject.pk.hex}@erased.invalid"
