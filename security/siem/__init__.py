"""Sends the sealed audit log to a SIEM by syslog: each event in the order of the tree, at least once."""

from security.siem.services import (
    Busy,
    ForwardingOff,
    NoSuchEvent,
    forward_on_schedule,
    forward_sealed,
    go_on_from,
    require_standing,
    standing,
)
from security.siem.transport import CertificatesUnreadable, ReceiverUnavailable, trusted

__all__ = [
    "Busy",
    "CertificatesUnreadable",
    "ForwardingOff",
    "NoSuchEvent",
    "ReceiverUnavailable",
    "forward_on_schedule",
    "forward_sealed",
    "go_on_from",
    "require_standing",
    "standing",
    "trusted",
]
