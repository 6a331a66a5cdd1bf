"""Where Django finds the models of the features."""

from security.audit.models import AuditEvent, AuditPii, UnidentifiedSubject
from security.crypto.models import SubjectKey
from security.lockout.models import CredentialCounter, KnownDevice
from security.outbox.models import OutboxMessage
from security.posture.models import SecurityAuditRun
from security.tlog.models import AuditAnchor, AuditCheckpoint, AuditLog, AuditTile

__all__ = [
    "AuditAnchor",
    "AuditCheckpoint",
    "AuditEvent",
    "AuditLog",
    "AuditPii",
    "AuditTile",
    "CredentialCounter",
    "KnownDevice",
    "OutboxMessage",
    "SecurityAuditRun",
    "SubjectKey",
    "UnidentifiedSubject",
]
