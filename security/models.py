"""Where Django finds the models of the features."""

from security.audit.models import AuditEvent, AuditPii, UnidentifiedSubject
from security.crypto.models import SubjectKey
from security.lockout.models import CredentialCounter, KnownDevice
from security.outbox.models import OutboxMessage
from security.posture.models import SecurityAuditRun
from security.siem.models import AuditForward
from security.tlog.models import AuditAnchor, AuditCheckpoint, AuditLog, AuditPruned, AuditTile, AuditVerification
from security.trail.models import AuditChange

__all__ = [
    "AuditAnchor",
    "AuditChange",
    "AuditCheckpoint",
    "AuditEvent",
    "AuditForward",
    "AuditLog",
    "AuditPii",
    "AuditPruned",
    "AuditTile",
    "AuditVerification",
    "CredentialCounter",
    "KnownDevice",
    "OutboxMessage",
    "SecurityAuditRun",
    "SubjectKey",
    "UnidentifiedSubject",
]
