"""By which pseudonyms the audit trail names a person and their company."""

from accounts.identity.models import User
from security.crypto import SubjectKey


def subject_of(user: User | None) -> SubjectKey | None:
    """The person's key; None for nobody."""
    return user.subject if user is not None else None


def company_subject(user: User | None) -> SubjectKey | None:
    """The key of the person's company; None for nobody and for staff."""
    return user.company.subject if user is not None and user.company is not None else None
