"""Erases people and companies: blanks their rows, deletes what hangs on them, destroys their key. For good.

Under a legal hold the key waits, and with it the values of the audit log and who they were, sealed; all else goes.
Where the log needs somebody named, the pseudonym goes on naming them; it resolves to nothing.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from uuid import UUID

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from accounts.erasure.blanking import blank, telling
from accounts.erasure.finding import ErasureRefused, named
from accounts.erasure.holdings import VALUES_IN_AUDIT, rows_of_company, rows_of_person
from accounts.erasure.holds import Kept, locked, what_keeps
from accounts.erasure.models import Withheld
from accounts.erasure.release import destroy_withheld
from accounts.identity.models import Company, User
from accounts.identity.trail import company_subject
from accounts.passwords.reset import counted_as
from accounts.sessions.models import EndReason, Session
from accounts.sessions.services import end_everything
from security.audit import Action, erase_personal_values, record
from security.crypto import SubjectKey
from security.lockout import forget_devices, unlock
from security.operator_account import check_reason
from security.rbac import Role

_COLUMNS = "rows that told of them"
_IDENTITY = {"person": ("name", "email", "phone"), "company": ("name", "email", "phone", "gstin", "pan")}


@dataclass(frozen=True, slots=True)
class Erased:
    """One person or company that was, or would be, erased, and how many rows of each kind with it.

    `at` is when; None where it has not happened. `is_new` is False where it had happened before: `rows` then came back
    since, written by hand or by a request that was under way. `kept` is what keeps the key that opens what is sealed.
    """

    kind: str
    subject: UUID
    at: datetime | None
    is_new: bool = True
    rows: Mapping[str, int] = field(default_factory=dict)
    kept: Kept = Kept()  # noqa: RUF009 - frozen


def survey(*, who: str, with_company: bool = False) -> list[Erased]:
    """What `erase` would take away with the same arguments. Raises ErasureRefused as it would."""
    now = timezone.now()
    return [_surveyed(row, at=now) for row in _find(who, with_company=with_company)]


def erase(*, who: str, reason: str, operator: str, with_company: bool = False) -> list[Erased]:
    """Erase the person whose e-mail address or pseudonym `who` is; with `with_company` their company and its people.

    All of it or nothing, with one event for each. `reason` is a short reference that stays in the log for ever;
    `operator` the system account that runs this. May run twice: what came back since goes again, and whose key was
    kept loses it then, if nothing keeps it any more. Raises ErasureRefused, ReasonRefused.
    """
    check_reason(reason)
    now = timezone.now()
    told = {"reason": reason, "operator": operator}
    with transaction.atomic(durable=True):
        rows = _find(who, with_company=with_company, is_locked=True)
        # With the keys of companies that stay, as `keys_about` says: a hold on one must not be placed unseen.
        companies = {row.company.subject_id for row in rows if isinstance(row, User) and row.company is not None}
        keys = locked(SubjectKey.objects.filter(pk__in=companies.union(row.subject_id for row in rows)))
        return [_erase(row, keys[row.subject_id], at=now, told=told) for row in rows]


def _surveyed(row: Company | User, *, at: datetime) -> Erased:
    subject, kind = row.subject, _kind(row)
    stays = what_keeps(subject, today=at.date())
    alive = {"sessions": Session.objects.filter(user=row).alive(at)} if isinstance(row, User) else {}
    counts = {name: len(found) for name, found in {**alive, **_hanging_on(row, with_values=not stays)}.items()}
    before = _erased_before(kind, subject, stays)
    if before is not None:
        return _with_rows(before, {**counts, _COLUMNS: len(telling(row))})
    return Erased(kind, subject.pk, None, rows=counts, kept=stays)


def _erased_before(kind: str, subject: SubjectKey, stays: Kept) -> Erased | None:
    """What there is to say of somebody erased earlier; None where something is left to do."""
    if subject.destroyed_at is not None:
        return Erased(kind, subject.pk, subject.destroyed_at, is_new=False)
    withheld = Withheld.objects.filter(subject=subject).first()
    if withheld is not None and stays:
        return Erased(kind, subject.pk, withheld.erased_at, is_new=False, kept=stays)
    return None


def _find(who: str, *, with_company: bool, is_locked: bool = False) -> list[Company | User]:
    """The rows of whom `who` names, locked in one order: the company, then people. Raises ErasureRefused."""
    user, company = named(who)
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
        wanted, found = Q(company=company), [company]
    else:
        wanted, found = Q(pk=user.pk if user else None), []
    people = User.objects.filter(wanted).order_by("pk")
    rows = list(people.select_for_update(of=("self",), no_key=True) if is_locked else people)
    if not with_company:
        _check_company_keeps_an_admin(rows[0])
    return [*found, *rows]


def _check_company_keeps_an_admin(user: User) -> None:
    if user.role != Role.ADMIN or not user.is_active:
        return
    others = User.objects.filter(company=user.company, is_active=True).exclude(pk=user.pk)
    if others.exists() and not others.filter(role=Role.ADMIN).exists():
        raise ErasureRefused(
            f"this is the last active administrator of a company in which {others.count()} more work, who would be "
            "left without one; give another the role ADMIN first, or erase the whole company with --company"
        )


def _erase(row: Company | User, subject: SubjectKey, *, at: datetime, told: Mapping[str, str]) -> Erased:
    """Erase whose key is locked; of who was erased before, what came back since."""
    row.subject, kind = subject, _kind(row)
    stays = what_keeps(subject, today=at.date())
    before = _erased_before(kind, subject, stays) or _finished(kind, subject, at=at, told=told)
    if before is None and stays:
        _withhold(row, until=stays.until, at=at)
    counts = _end_sign_ins(row) if isinstance(row, User) else {}
    # First: it finds the events whose searchable address goes by the rows that go.
    own_values = 0 if stays else erase_personal_values(subject=subject)
    counts |= {name: found.delete()[0] for name, found in _hanging_on(row, with_values=not stays).items()}
    if not stays:
        counts[VALUES_IN_AUDIT] += own_values
    columns = blank(row)
    # Who verifies the log believes from an event without it that the values went.
    data = {**told, "kept_under": [str(hold.pk) for hold in stays.holds]} if stays else told
    if before is not None:
        erased = _with_rows(before, {**counts, _COLUMNS: columns})
        if erased.rows != before.rows:
            _record(row, erased.rows, is_again=True, **data)
        return erased
    if not stays:
        subject.destroy(at=at)
    _record(row, counts, **data)
    return Erased(kind, subject.pk, at, rows=counts, kept=stays)


def _kind(row: Company | User) -> str:
    return "person" if isinstance(row, User) else "company"


def _hanging_on(row: Company | User, *, with_values: bool) -> dict[str, QuerySet]:
    rows = rows_of_person(row) if isinstance(row, User) else rows_of_company(row.subject)
    return {name: found for name, found in rows.items() if with_values or name != VALUES_IN_AUDIT}


def _with_rows(erased: Erased, counts: Mapping[str, int]) -> Erased:
    return replace(erased, rows={**erased.rows, **{name: count for name, count in counts.items() if count}})


def _end_sign_ins(user: User) -> dict[str, int]:
    """End the sessions of `user` and forget where they were opened and what was counted; how many ended."""
    ended = end_everything(user=user, reason=EndReason.ADMINISTRATOR)
    Session.objects.filter(user=user).update(address=None, client_label="")
    for account in (user.email, counted_as(user.email)):
        unlock(account)
    forget_devices(user.email)
    user.groups.clear()
    user.user_permissions.clear()
    return {"sessions": len(ended)}


def _finished(kind: str, subject: SubjectKey, *, at: datetime, told: Mapping[str, str]) -> Erased | None:
    """Of somebody erased under a hold that is over: the rest goes now. None for who was not."""
    if not Withheld.objects.filter(subject=subject).exists():
        return None
    values = destroy_withheld(subject, at=at, told=told)
    return Erased(kind, subject.pk, at, rows={VALUES_IN_AUDIT: values})


def _withhold(row: Company | User, *, until: date | None, at: datetime) -> None:
    """Keep what `row` says, sealed under the key that is kept."""
    values = {name: getattr(row, name) for name in _IDENTITY[_kind(row)]}
    withheld = Withheld(subject=row.subject, until=until, erased_at=at)
    withheld.identity = json.dumps({name: value for name, value in values.items() if value}, ensure_ascii=False)
    withheld.save(force_insert=True)


def _record(row: Company | User, counts: Mapping[str, int], **data: object) -> None:
    rows = {name.replace(" ", "_").replace("-", "_"): count for name, count in counts.items()}
    company = company_subject(row) if isinstance(row, User) else row.subject
    told = {"kind": _kind(row), "rows": rows, **data}
    record(Action.SUBJECT_ERASED, target=row.subject, company=company, data=told)
