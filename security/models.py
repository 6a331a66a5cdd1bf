"""Where Django finds the models of the features."""

from security.audit.models import AuditEvent, AuditPii, UnidentifiedSubject
from security.crypto.models import SubjectKey
from security.lockout.models import CredentialCounter, KnownDevice
from security.outbox.models import OutboxMessage
from security.posture.models import SecurityAuditRun

__all__ = [
    "AuditEvent",
    "AuditPii",
    "CredentialCounter",
    "KnownDevice",
    "OutboxMessage",
    "SecurityAuditRun",
    "SubjectKey",
    "UnidentifiedSubject",
]
