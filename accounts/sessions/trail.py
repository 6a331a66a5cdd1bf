"""Records what a signed-in person did, under their session."""

from collections.abc import Mapping
from typing import Any

from accounts.identity.trail import company_subject
from accounts.sessions.models import Session
from security.audit import Action, AuditEvent, record
from security.crypto import SubjectKey


def record_by(
    session: Session,
    action: Action,
    *,
    target: SubjectKey | None = None,
    company: SubjectKey | None = None,
    data: Mapping[str, Any] | None = None,
    pii: Mapping[str, Any] | None = None,
) -> AuditEvent:
    """`security.audit.record` with actor, company and session filled in from `session`.

    `company` is for staff, who have none: whose row they acted upon, or looked at.
    """
    return record(
        action,
        actor=session.user.subject,
        target=target,
        company=company or company_subject(session.user),
        session_id=session.pk,
        data=data,
        pii=pii,
    )
