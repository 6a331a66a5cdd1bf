"""Erases people and companies: blanks their rows, deletes what hangs on them, destroys their key. For good.

Under a legal hold the key waits, and with it the values of the audit log and who they were, sealed; all else goes.
Where the log needs somebody named, the pseudonym goes on naming them; it resolves to nothing.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from accounts.erasure.finding import ErasureRefused, check_reason, named
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
from security.rbac import Role


@dataclass(frozen=True, slots=True)
class Erased:
    """One person or company that was, or would be, erased, and how many rows of each kind with it.

    `at` is when; None where it has not happened. `is_new` is False where it had happened before. `kept` is what keeps
    the key that opens what is sealed of them.
    """

    kind: str
    subject: UUID
    at: datetime | None
    is_new: bool = True
    rows: Mapping[str, int] = field(default_factory=dict)
    kept: Kept = Kept()  # noqa: RUF009 - frozen


@dataclass(frozen=True, slots=True)
class _Target:
    company: Company | None  # None: it stays
    people: list[User]


def survey(*, who: str, with_company: bool = False) -> list[Erased]:
    """What `erase` would take away with the same arguments. Raises ErasureRefused as it would."""
    target = _find(who, with_company=with_company)
    now = timezone.now()
    found = []
    if target.company is not None:
        found.append(_surveyed("company", target.company.subject, rows_of_company(target.company.subject), at=now))
    for user in target.people:
        alive = Session.objects.filter(user=user).alive(now)
        found.append(_surveyed("person", user.subject, {"sessions": alive, **rows_of_person(user)}, at=now))
    return found


def erase(*, who: str, reason: str, operator: str, with_company: bool = False) -> list[Erased]:
    """Erase the person whose e-mail address or pseudonym `who` is; with `with_company` their company and its people.

    All of it or nothing, with one event for each. `reason` is a short reference that stays in the log for ever;
    `operator` the system account that runs this. May run twice: whose key was kept loses it then, if nothing keeps it
    any more. Raises ErasureRefused.
    """
    check_reason(reason)
    now = timezone.now()
    told = {"reason": reason, "operator": operator}
    with transaction.atomic(durable=True):
        target = _find(who, with_company=with_company, is_locked=True)
        keys = {one.subject_id for one in (target.company, *target.people) if one is not None}
        # All at once, in the order in which keys_rotate takes them: neither must wait for the other for ever.
        list(SubjectKey.objects.select_for_update(no_key=True).filter(pk__in=keys).order_by("pk"))
        company = [] if target.company is None else [_erase_company(target.company, at=now, told=told)]
        return company + [_erase_person(user, at=now, told=told) for user in target.people]


def _surveyed(kind: str, subject: SubjectKey, rows: Mapping[str, QuerySet], *, at: datetime) -> Erased:
    stays = what_keeps(subject, today=at.date())
    found = _erased_before(kind, subject, stays)
    if found is not None:
        return found
    counts = {name: len(rows[name]) for name in rows if not (stays and name == VALUES_IN_AUDIT)}
    return Erased(kind, subject.pk, None, rows=counts, kept=stays)


def _erased_before(kind: str, subject: SubjectKey, stays: Kept) -> Erased | None:
    """What there is to say of somebody erased earlier; None where something is left to do."""
    if subject.destroyed_at is not None:
        return Erased(kind, subject.pk, subject.destroyed_at, is_new=False)
    withheld = Withheld.objects.filter(subject=subject).first()
    if withheld is not None and stays:
        return Erased(kind, subject.pk, withheld.erased_at, is_new=False, kept=stays)
    return None


def _find(who: str, *, with_company: bool, is_locked: bool = False) -> _Target:
    """Whom `who` names, locked in one order: the company, then people. Raises ErasureRefused."""
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
        wanted = Q(company=company)
    else:
        wanted = Q(pk=user.pk if user else None)
    people = User.objects.filter(wanted).order_by("pk")
    rows = list(people.select_for_update(of=("self",), no_key=True) if is_locked else people)
    if not with_company:
        _check_company_keeps_an_admin(rows[0])
    return _Target(company=company if with_company else None, people=rows)


def _check_company_keeps_an_admin(user: User) -> None:
    if user.role != Role.ADMIN or not user.is_active:
        return
    others = User.objects.filter(company=user.company, is_active=True).exclude(pk=user.pk)
    if others.exists() and not others.filter(role=Role.ADMIN).exists():
        raise ErasureRefused(
            f"this is the last active administrator of a company in which {others.count()} more work, who would be "
            "left without one; give another the role ADMIN first, or erase the whole company with --company"
        )


def _erase_person(user: User, *, at: datetime, told: Mapping[str, str]) -> Erased:
    subject = user.subject = locked(user.subject_id)
    stays = what_keeps(subject, today=at.date())
    if found := _erased_before("person", subject, stays) or _finished("person", subject, at=at, told=told):
        return found
    counts = {"sessions": len(end_everything(user=user, reason=EndReason.ADMINISTRATOR))}
    Session.objects.filter(user=user).update(address=None, client_label="")
    identity = {"name": user.name, "email": user.email, "phone": user.phone}
    counts |= _take_away(subject, rows_of_person(user), identity, stays=stays, at=at)
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
    return _erased("person", subject, counts, company=company_subject(user), stays=stays, at=at, told=told)


def _erase_company(company: Company, *, at: datetime, told: Mapping[str, str]) -> Erased:
    subject = company.subject = locked(company.subject_id)
    stays = what_keeps(subject, today=at.date())
    if found := _erased_before("company", subject, stays) or _finished("company", subject, at=at, told=told):
        return found
    identity = {name: getattr(company, name) for name in ("name", "email", "phone", "gstin", "pan")}
    counts = _take_away(subject, rows_of_company(subject), identity, stays=stays, at=at)
    company.email, company.name = _placeholder(subject), "Erased company"
    company.phone = company.gstin = company.pan = company.gstin_index = None
    company.save(update_fields=["email", "name", "phone", "gstin", "pan", "gstin_index"])
    return _erased("company", subject, counts, company=subject, stays=stays, at=at, told=told)


def _finished(kind: str, subject: SubjectKey, *, at: datetime, told: Mapping[str, str]) -> Erased | None:
    """Of somebody erased under a hold that is over: the rest goes now. None for who was not."""
    if not Withheld.objects.filter(subject=subject).exists():
        return None
    values = destroy_withheld(subject, at=at, told=told)
    return Erased(kind, subject.pk, at, rows={VALUES_IN_AUDIT: values})


def _take_away(
    subject: SubjectKey,
    rows: Mapping[str, QuerySet],
    identity: Mapping[str, str | None],
    *,
    stays: Kept,
    at: datetime,
) -> dict[str, int]:
    """Delete `rows`; but where something keeps the key, keep the log's values, and `identity` sealed beside them."""
    if not stays:
        # First: it finds the events whose searchable address goes by the rows that go.
        own_values = erase_personal_values(subject=subject)
        counts = {name: found.delete()[0] for name, found in rows.items()}
        return counts | {VALUES_IN_AUDIT: counts[VALUES_IN_AUDIT] + own_values}
    withheld = Withheld(subject=subject, until=stays.until, erased_at=at)
    withheld.identity = json.dumps({name: value for name, value in identity.items() if value}, ensure_ascii=False)
    withheld.save(force_insert=True)
    return {name: found.delete()[0] for name, found in rows.items() if name != VALUES_IN_AUDIT}


def _erased(
    kind: str,
    subject: SubjectKey,
    counts: Mapping[str, int],
    *,
    company: SubjectKey | None,
    stays: Kept,
    at: datetime,
    told: Mapping[str, str],
) -> Erased:
    """Destroy the key unless something keeps it, and mark the erasure."""
    if not stays:
        subject.destroy(at=at)
    rows = {name.replace(" ", "_").replace("-", "_"): count for name, count in counts.items()}
    kept = {"kept_under": [str(hold.pk) for hold in stays.holds]} if stays else {}
    record(Action.SUBJECT_ERASED, target=subject, company=company, data={"kind": kind, "rows": rows, **kept, **told})
    return Erased(kind, subject.pk, at, rows=counts, kept=stays)


def _placeholder(subject: SubjectKey) -> str:
    """An address that nobody can have or be sent mail to, and that no two share (RFC 2606 section 2)."""
    return f"erased-{subject.pk.hex}@erased.invalid"
