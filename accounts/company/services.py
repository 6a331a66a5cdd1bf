"""Changes the profile of the signed-in person's company. Whether they may is the view's permission."""

from typing import Any

from accounts.erasure import is_erased
from accounts.identity.models import Company
from accounts.sessions.models import Session
from accounts.sessions.standing import held
from accounts.sessions.trail import record_by
from security.audit import Action
from security.errors import NotFound, SessionInvalid


def update_company(*, session: Session, changes: dict[str, Any]) -> Company:
    """Apply `changes` (`name`, `phone`); the event names the fields, never their values.

    Raises SessionInvalid, also where the company was erased, and NotFound for staff, who have none.
    """
    if session.user.company is None:
        raise NotFound
    with held(session, company=session.user.company) as user:
        company = user.company
        if company is None or is_erased(company.subject):
            raise SessionInvalid
        changed = sorted(field for field, value in changes.items() if getattr(company, field) != value)
        if changed:
            for field in changed:
                setattr(company, field, changes[field])
            company.save(update_fields=changed)
            record_by(session, Action.COMPANY_UPDATED, target=company.subject, data={"fields": changed})
    return company
