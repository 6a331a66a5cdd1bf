"""Legal holds: places, lifts and lists them, and says what keeps a key. Erases nobody (decision 12)."""

import json
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from accounts.erasure.finding import ErasureRefused, named
from accounts.erasure.models import Basis, LegalHold, Withheld
from accounts.identity.models import User
from accounts.identity.trail import company_subject
from security.audit import Action, AuditEvent, record
from security.crypto import SubjectKey
from security.operator_account import check_reason


@dataclass(frozen=True, slots=True)
class Kept:
    """What keeps one key: `holds` that stand, and `until`, the last day (UTC) of the terms of law among them.

    False where nothing does.
    """

    holds: tuple[LegalHold, ...] = ()
    until: date | None = None

    def __bool__(self) -> bool:
        return bool(self.holds or self.until)

    def __str__(self) -> str:
        disputes = [f"{hold}, {hold.ends}" for hold in self.holds if hold.term_days is None]
        return "; ".join([f"terms of law until {self.until}"] * bool(self.until) + disputes)


@dataclass(frozen=True, slots=True)
class Listed:
    """A hold that stands. `runs_until` is the last day of its term for whom it was placed on, once they are erased."""

    hold: LegalHold
    runs_until: date | None


def place_hold(
    *, who: str, basis: Basis, reason: str, operator: str, until: date | None = None, with_company: bool = False
) -> LegalHold:
    """Have the key of `who` kept when they are erased; with `with_company` those of their company and its people.

    Somebody erased under another hold can be held further, also by their company's; whose key is destroyed cannot.
    Raises ErasureRefused, ReasonRefused.
    """
    check_reason(reason)
    now = timezone.now()
    with transaction.atomic(durable=True):
        found = _subject(who, with_company=with_company)
        subject = locked(keys_about(found.pk))[found.pk]
        if subject.destroyed_at is not None:
            raise ErasureRefused(f"{subject.pk} was erased on {subject.destroyed_at:%Y-%m-%d}; nothing is left to hold")
        least = _least_day(subject, basis, today=now.date())
        if until is not None and until < least:
            raise ErasureRefused(f"a {basis} hold may not end before {least}; name a later day, or leave --until out")
        hold = LegalHold(subject=subject, basis=basis, until=until, reason=reason, placed_by=operator, placed_at=now)
        hold.save(force_insert=True)
        if hold.term_days is not None:
            people = User.objects.filter(company__subject=subject).values("subject")
            kept = Withheld.objects.filter(Q(subject=subject) | Q(subject__in=people)).select_related("subject")
            for withheld in kept:
                _lengthen(withheld, _least_day(withheld.subject, basis, today=now.date()), until)
        _record(Action.SUBJECT_HOLD_PLACED, hold, reason=reason, operator=operator)
    return hold


def lift_hold(*, hold_id: UUID, reason: str, operator: str, dry_run: bool = False) -> LegalHold:
    """End a hold; who was erased under it loses their key at the next nightly run, if nothing else keeps it.

    A term of law that runs since an erasure is never shortened. Raises ErasureRefused, ReasonRefused.
    """
    check_reason(reason)
    now = timezone.now()
    with transaction.atomic(durable=True):
        hold = LegalHold.objects.standing(now.date()).select_for_update(no_key=True).filter(pk=hold_id).first()
        if hold is None:
            raise ErasureRefused(f"no hold {hold_id} stands; subject_hold list shows those that do")
        locked(keys_about(hold.subject_id))
        withheld = Withheld.objects.filter(subject=hold.subject_id).first()
        if withheld is not None and hold.term_days is not None:
            raise ErasureRefused(f"{hold} is a term of law that runs since the erasure; it ends on {withheld.until}")
        if not dry_run:
            hold.lifted_at = now
            hold.save(update_fields=["lifted_at"])
            _record(Action.SUBJECT_HOLD_LIFTED, hold, reason=reason, operator=operator)
    return hold


def list_holds(*, who: str | None = None, with_company: bool = False) -> list[Listed]:
    """The holds that stand, or of them those on `who`, the oldest first. Raises ErasureRefused."""
    holds = LegalHold.objects.standing(timezone.now().date()).order_by("pk")
    if who is not None:
        subject = _subject(who, with_company=with_company)
        holds = holds.filter(Q(subject=subject) | Q(subject__in=_company_of(subject)))
    kept = dict(Withheld.objects.filter(subject__in=holds.values("subject")).values_list("pk", "until"))
    return [Listed(hold, None if hold.term_days is None else kept.get(hold.subject_id)) for hold in holds]


def disclose(*, who: str, reason: str, operator: str) -> dict[str, str]:
    """What is kept sealed of somebody erased under a hold, by field; the event tells who read it and why.

    Raises ErasureRefused, ReasonRefused.
    """
    check_reason(reason)
    with transaction.atomic(durable=True):
        user, company = named(who)
        subject = _subject(who, with_company=False)
        withheld = Withheld.objects.filter(subject=subject).select_related("subject").first()
        if withheld is None:
            raise ErasureRefused(f"nothing is kept sealed of {subject.pk}: only an erasure under a hold does that")
        identity: dict[str, str] = json.loads(withheld.identity or "{}")
        record(
            Action.SUBJECT_DISCLOSED,
            target=subject,
            company=company.subject if company is not None else company_subject(user),
            data={"reason": reason, "operator": operator, "fields": sorted(identity)},
        )
    return identity


def what_keeps(subject: SubjectKey, *, today: date) -> Kept:
    """What keeps the key of `subject` on `today`: holds on them and, of a person, on their company.

    Before their erasure a term of law is counted from the last event about them; from then on it stands as it was.
    """
    holds = LegalHold.objects.standing(today).filter(Q(subject=subject) | Q(subject__in=_company_of(subject)))
    standing = tuple(holds.order_by("pk"))
    withheld = Withheld.objects.filter(subject=subject).first()
    if withheld is not None:
        runs = withheld.until is not None and withheld.until >= today
        return Kept(tuple(hold for hold in standing if hold.term_days is None), withheld.until if runs else None)
    ends = [
        max(_least_day(subject, Basis(hold.basis), today=today), hold.until or today)
        for hold in standing
        if hold.term_days is not None
    ]
    return Kept(standing, max(ends, default=None))


def is_erased(subject: SubjectKey) -> bool:
    """Whether the person or company of `subject` was erased, their key destroyed or not."""
    return subject.destroyed_at is not None or Withheld.objects.filter(subject=subject).exists()


def keys_about(subject_id: UUID) -> QuerySet[SubjectKey]:
    """The key of a person or company and, of a person, that of their company: a hold on either keeps the first.

    Both are locked by whatever decides on the first: who holds a company's key is alone with its people's.
    """
    return SubjectKey.objects.filter(Q(pk=subject_id) | Q(pk__in=_company_of(subject_id)))


def locked(keys: QuerySet[SubjectKey]) -> dict[UUID, SubjectKey]:
    """The keys' rows by id, locked: no hold is placed on a key while it is destroyed, and none is destroyed meanwhile.

    All that are needed at once, in the order in which keys_rotate takes them: neither must wait for the other for ever.
    """
    return {key.pk: key for key in keys.select_for_update(no_key=True).order_by("pk")}


def _subject(who: str, *, with_company: bool) -> SubjectKey:
    user, company = named(who)
    if user is not None and not with_company:
        return user.subject
    company = company or (user.company if user is not None else None)
    if company is None:
        raise ErasureRefused("staff have no company; leave --company out")
    return company.subject


def _company_of(subject: SubjectKey | UUID) -> QuerySet[Any]:
    return User.objects.filter(subject=subject, company__isnull=False).values("company__subject")


def _least_day(subject: SubjectKey, basis: Basis, *, today: date) -> date:
    """The first day on which a hold on `subject` may end: with a term of law, that after their last event; else now."""
    if basis.term_days is None:
        return today
    # By three indexes: one condition over three columns would read the whole log.
    days = [_day_of_last_event(**{column: subject.pk}) for column in ("actor", "target", "company")]
    return max(filter(None, days), default=today) + timedelta(days=basis.term_days)


def _day_of_last_event(**named_as: UUID) -> date | None:
    moment = AuditEvent.objects.filter(**named_as).order_by("-pk").values_list("occurred_at", flat=True).first()
    return None if moment is None else moment.date()


def _lengthen(withheld: Withheld, *days: date | None) -> None:
    """The key of who is erased already is kept until the last of these days at least."""
    until = max(day for day in (withheld.until, *days) if day is not None)
    Withheld.objects.filter(pk=withheld.pk).update(until=until)


def _record(action: Action, hold: LegalHold, *, reason: str, operator: str) -> None:
    subject = hold.subject
    user = User.objects.filter(subject=subject).first()
    record(
        action,
        target=subject,
        company=company_subject(user) if user is not None else subject,
        data={
            "hold": str(hold.pk),
            "basis": hold.basis,
            "until": hold.until.isoformat() if hold.until else None,
            "reason": reason,
            "operator": operator,
        },
    )
