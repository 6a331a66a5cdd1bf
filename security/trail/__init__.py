"""What the database itself does for the audit log: refuses to change what was recorded, and notes what is written."""

from security.trail.audited import Audited, audited, not_audited, register_audited
from security.trail.installation import install_triggers, make_way, trigger_count, triggers_not_in_place
from security.trail.maintenance import maintenance, prepare_connection

__all__ = [
    "Audited",
    "audited",
    "install_triggers",
    "maintenance",
    "make_way",
    "not_audited",
    "prepare_connection",
    "register_audited",
    "trigger_count",
    "triggers_not_in_place",
]
