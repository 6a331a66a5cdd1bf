"""Changes the profile of the signed-in person's company. Whether they may is the view's permission."""

from typing import Any

from django.db import transaction

from accounts.identity.models import Company
from accounts.sessions.models import Session
from accounts.sessions.trail import record_by
from security.audit import Action


def update_company(*, session: Session, company: Company, changes: dict[str, Any]) -> Company:
    """Apply `changes` (`name`, `phone`); the event names the fields, never their values."""
    changed = sorted(field for field, value in changes.items() if getattr(company, field) != value)
    if changed:
        for field in changed:
            setattr(company, field, changes[field])
        with transaction.atomic(durable=True):
            company.save(update_fields=changed)
            record_by(session, Action.COMPANY_UPDATED, target=company.subject, data={"fields": changed})
    return company
