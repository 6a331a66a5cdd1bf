"""What staff do for people: end sessions, lift a lock-out, send a reset link, read a page. Each leaves its mark.

Nobody sets or sees another's password or second factor here: a person is only let back in by what is theirs.
`by` is the staff member's own session in the admin. Every act raises RightMissing without the right it needs; upon
staff that is a right of administrators: support must not be able to shut out who could stop it.
"""

from collections.abc import Mapping

from django.core.exceptions import PermissionDenied
from django.db import transaction

from accounts.identity.models import Company, User
from accounts.identity.trail import company_subject, subject_of
from accounts.passwords.reset import request_password_reset
from accounts.sessions.models import EndReason, Session
from accounts.sessions.services import end_everything
from accounts.sessions.services import end_sessions as end_rows
from accounts.sessions.trail import record_by
from accounts.staff.unlocking import lift_lockout
from security.audit import Action
from security.crypto import SubjectKey

# Django's own rights, as `roles.py` gives them to the staff roles.
END_SESSIONS = "accounts.delete_session"
# To lift a lock-out and to mail a reset link are one right: both only let the owner try again.
LET_BACK_IN = "security.delete_credentialcounter"
# Upon staff; of the roles only administrators have it.
ACT_ON_STAFF = "accounts.change_user"


class RightMissing(PermissionDenied):
    """The staff member's groups do not give `right`, asked for on `target`."""

    def __init__(self, right: str, target: SubjectKey | None = None) -> None:
        super().__init__(right)
        self.right = right
        self.target = target


def end_session(*, by: Session, session: Session) -> bool:
    """End one session; False when it had ended already, which leaves no mark."""
    user = session.user
    _check(by, END_SESSIONS, user)
    with transaction.atomic(durable=True):
        ended = end_rows(user=user, session_ids=[session.pk], reason=EndReason.ADMINISTRATOR)
        if ended:
            _record(by, Action.SESSION_ENDED, user, session=str(session.pk), reason=EndReason.ADMINISTRATOR.value)
    return bool(ended)


def end_sessions_of(*, by: Session, user: User) -> int:
    """End every session of `user`, and void a sign-in that is under way; how many lived."""
    _check(by, END_SESSIONS, user)
    with transaction.atomic(durable=True):
        ended = end_everything(user=user, reason=EndReason.ADMINISTRATOR)
        _record(by, Action.SESSIONS_ENDED_ALL, user, count=len(ended), reason=EndReason.ADMINISTRATOR.value)
    return len(ended)


def unlock(*, by: Session, user: User, reason: str) -> int:
    """Forget the failed sign-ins that stand against `user`, from everywhere; how many counters went."""
    check_may_unlock(by=by, user=user)
    return lift_lockout(user=user, by=by, reason=reason).counters


def unlock_address(*, by: Session, address: str, reason: str) -> int:
    """Forget what stands against `address` as a whole, and against no account; how many counters went."""
    check_may_unlock(by=by)
    return lift_lockout(address=address, by=by, reason=reason).counters


def check_may_unlock(*, by: Session, user: User | None = None) -> None:
    """Raises RightMissing for staff who lift nobody's lock-out: they are not asked for a reason either."""
    _check(by, LET_BACK_IN, user)


def send_reset_link(*, by: Session, user: User) -> bool:
    """Mail `user` a link to choose a new password; False when none was sent (inactive, or too many this hour)."""
    _check(by, LET_BACK_IN, user)
    return request_password_reset(email=user.email, by=by)


def record_view_of_person(*, by: Session, user: User, page: str) -> None:
    """Mark that staff read personal data of `user` on `page`; if it cannot be written, nothing is shown."""
    with transaction.atomic(durable=True):
        _record(by, Action.USER_VIEWED, user, page=page)


def record_view_of_company(*, by: Session, company: Company) -> None:
    """The same for a company."""
    with transaction.atomic(durable=True):
        subject = company.subject
        record_by(by, Action.COMPANY_VIEWED, target=subject, company=subject, data={"surface": "admin"})


def record_view_of_list(
    *, by: Session, model: str, search: str, filters: Mapping[str, str], page: int, rows: int
) -> None:
    """Mark that staff read `rows` rows of the list of `model`; if it cannot be written, nothing is shown.

    What was sought is mostly an address or a name: the event commits to it, and holds it under the key of who asked.
    """
    data = {"model": model, "filters": sorted(filters), "searched": bool(search), "page": page, "rows": rows}
    sought = {"search": search, "filters": dict(filters)}
    with transaction.atomic(durable=True):
        pii = {"sought": sought} if search or filters else None
        record_by(by, Action.LIST_VIEWED, data={**data, "surface": "admin"}, pii=pii)


def rights_needed(right: str, user: User | None) -> tuple[str, ...]:
    """What an act that needs `right` needs upon `user`."""
    return (right, ACT_ON_STAFF) if user is not None and user.is_staff else (right,)


def _check(by: Session, right: str, user: User | None) -> None:
    for needed in rights_needed(right, user):
        if not by.user.has_perm(needed):
            raise RightMissing(needed, subject_of(user))


def _record(by: Session, action: Action, user: User, **data: str | int) -> None:
    told = {**data, "surface": "admin"}
    record_by(by, action, target=user.subject, company=company_subject(user), data=told)
