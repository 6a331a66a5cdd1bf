"""Two people of staff agree on what goes (ASVS 5.0 2.3.5), each shown by a code of their own second factor.

A name at a command proves nothing: whoever has the shell can type it. What goes, and how, is `security.retention`.
"""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar
from uuid import UUID

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from accounts.erasure import LegalHold
from accounts.identity.finding import PersonUnknown, find_person
from accounts.identity.models import User
from accounts.identity.names import normalise_email
from accounts.staff import StaffRole
from accounts.twofactor.models import TotpDevice
from accounts.twofactor.verification import verify
from security.audit import Action, AuditClass, LeafRefused, record
from security.crypto import SubjectKey
from security.errors import AccountLocked
from security.operator_account import ReasonRefused, check_reason, operator_name
from security.retention import (
    ArchiveWrong,
    Done,
    LogHold,
    Plan,
    RetentionRefused,
    Surveyed,
    approve_plan,
    check_archive,
    check_no_log_hold,
    check_open,
    find_plan,
    lift_log_hold,
    place_log_hold,
    propose_plan,
    run_plan,
    survey,
)
from security.tlog import LogForked, NotSealed, ProofWrong, Pruning, SealRefused, SignerUnavailable

# Who acts is not who checks: an auditor agrees to what an administrator proposes, and proposes nothing.
PROPOSERS = (StaffRole.ADMINISTRATOR,)
APPROVERS = (StaffRole.ADMINISTRATOR, StaffRole.AUDITOR)

# Why nothing was done, in a word, where `security.retention` does not say it itself.
_WORDS = {
    ReasonRefused: "reason",
    NotSealed: "not_sealed",
    ArchiveWrong: "archive",
    LeafRefused: "changed",
    ProofWrong: "changed",
    SealRefused: "changed",
    LogForked: "forked",
    SignerUnavailable: "signer",
    OSError: "file",
}

REFUSED: tuple[type[Exception], ...] = (RetentionRefused, *_WORDS)

Got = TypeVar("Got")


def held_subjects() -> QuerySet[SubjectKey]:
    """Whom a standing hold names, and the people of each company that one names; not whose key is destroyed."""
    holds = LegalHold.objects.standing(timezone.now().date()).values("subject")
    people = User.objects.filter(company__subject__in=holds).values("subject")
    return SubjectKey.objects.filter(Q(pk__in=holds) | Q(pk__in=people), destroyed_at=None)


def survey_log() -> list[Surveyed]:
    """What could go now, by class. Raises RetentionRefused for a setting below a floor."""
    return survey(held=held_subjects())


def propose(*, operator: str, code: Callable[[], str], reason: str, classes: Iterable[AuditClass]) -> Plan:
    """Fix what may go. `operator` is the address of an administrator, `code` asks for one of their second factor.

    Raises RetentionRefused, ReasonRefused, NotSealed, LeafRefused.
    """

    def act() -> Plan:
        check_reason(reason)
        check_no_log_hold()
        wanted = set(classes) or set(AuditClass)
        going = [one.audit_class for one in survey_log() if one.audit_class in wanted and one.beyond > one.held]
        if not going:
            raise RetentionRefused("nothing", "nothing is old enough to go")
        by = _admit(operator, code, roles=PROPOSERS)
        return propose_plan(by=by.subject, reason=reason, classes=going)

    return _marked(act, operator=operator)


def approve(*, plan_id: UUID, operator: str, code: Callable[[], str]) -> Plan:
    """Agree to a plan as a second person. Raises RetentionRefused, LeafRefused."""

    def act() -> Plan:
        plan = find_plan(plan_id)
        check_open(plan)
        by = _admit(operator, code, roles=APPROVERS, but=plan.proposed_by)
        approve_plan(plan, by=by.subject)
        return plan

    return _marked(act, operator=operator, plan=plan_id)


def run(*, plan_id: UUID, folder: Path, advance: Callable[[int], object]) -> list[Done]:
    """Archive and delete. Raises as `security.retention.run_plan`."""

    def act() -> list[Done]:
        return run_plan(find_plan(plan_id), folder=folder, held=held_subjects(), advance=advance)

    return _marked(act, plan=plan_id)


def hold_log(*, reason: str) -> LogHold:
    """Have nothing of the log go. Raises ReasonRefused."""
    return _marked(lambda: place_log_hold(reason=reason))


def release_log(hold_id: UUID, *, reason: str) -> None:
    """End such a hold. Raises ReasonRefused, RetentionRefused, LeafRefused."""
    _marked(lambda: lift_log_hold(hold_id, reason=reason))


def check(path: Path) -> Pruning:
    """As `security.retention.check_archive`: a file that is not what was archived is told of in the log."""
    return _marked(lambda: check_archive(path))


def _marked(act: Callable[[], Got], *, operator: str = "", plan: UUID | None = None) -> Got:
    """What `act` gives; a refusal leaves its mark, which names whose address was given where it is one of staff."""
    try:
        return act()
    except REFUSED as refused:
        email = normalise_email(operator)
        who = User.objects.filter(email=email, is_staff=True).first() if email else None
        told = {"reason": _word(refused), "account": operator_name()} | ({"plan": str(plan)} if plan else {})
        with transaction.atomic(durable=True):
            record(Action.RETENTION_REFUSED, target=who.subject if who else None, data=told)
        raise


def _word(refused: Exception) -> str:
    """For the event; what a sentence quotes may name somebody."""
    if isinstance(refused, RetentionRefused):
        return refused.code
    return next(word for kind, word in _WORDS.items() if isinstance(refused, kind))


def _admit(operator: str, code: Callable[[], str], *, roles: tuple[StaffRole, ...], but: UUID | None = None) -> User:
    """The person of staff with this address, shown to be there by their code. Raises RetentionRefused."""
    try:
        user = find_person(operator)
    except PersonUnknown as unknown:
        raise RetentionRefused("unknown_person", str(unknown)) from unknown
    is_of_role = user.groups.filter(name__in=roles).exists()
    if not (user.is_active and user.is_staff and is_of_role):
        raise RetentionRefused("role", f"{operator} is not {' or '.join(roles)}")
    if but is not None and user.subject_id == but:
        raise RetentionRefused("same_person", "who proposed a plan cannot approve it; ask a second person")
    device = TotpDevice.objects.of(user)
    if device is None:
        raise RetentionRefused("no_factor", f"{operator} has no second factor; the admin sets it up")
    try:
        is_there = verify(device, code=code(), act="retention")
    except AccountLocked as locked:
        raise RetentionRefused("locked", f"{operator}: {locked.detail}") from locked
    if not is_there:
        raise RetentionRefused("code", "the code is not valid")
    return user
