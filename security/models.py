"""Where Django finds the models of the features."""

from security.audit.models import AuditEvent, AuditPii, UnidentifiedSubject
from security.crypto.models import SubjectKey
from security.lockout.models import CredentialCounter
from security.outbox.models import OutboxMessage

__all__ = [
    "AuditEvent",
    "AuditPii",
    "CredentialCounter",
    "OutboxMessage",
    "SubjectKey",
    "UnidentifiedSubject",
]
