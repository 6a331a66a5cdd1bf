"""What each staff role may do in the admin: one table. Pure; `services.py` writes it into Django's groups."""

from collections.abc import Iterable
from enum import StrEnum

OUR_APPS = frozenset({"accounts", "security", "monitoring"})
# Of these nobody gets more than to look, whatever the table says: the log's own rules forbid the act besides; holds and
# what they keep are an operator's, and what lets somebody in is its owner's.
_NEVER = frozenset(
    {
        *("auditevent", "auditpii", "unidentifiedsubject", "subjectkey", "outboxmessage", "securityauditrun"),
        # Numbers of the product at work, which nobody writes by hand; alerts are silenced, not edited.
        *("schedulerun", "recordedstatement", "metricseries", "performancereview", "alertstate", "lastbackup"),
        *("legalhold", "withheld", "passwordreset", "challenge", "totpdevice", "recoverycode"),
    }
)


class StaffRole(StrEnum):
    """A staff role, which is the name of its group."""

    ADMINISTRATOR = "Administrator"
    SUPPORT = "Support"
    AUDITOR = "Auditor"


_SUPPORT = frozenset(
    {
        "accounts.view_user",
        "accounts.view_company",
        "accounts.view_session",
        "accounts.delete_session",  # end a session that its owner reports
        "security.view_credentialcounter",
        "security.delete_credentialcounter",  # lift a lock-out
        "monitoring.view_errorgroup",
        "monitoring.change_errorgroup",  # say that somebody looks at a failure, or that it is mended
        "monitoring.view_metricseries",  # the dashboard: is it us?
        "monitoring.view_alertstate",
    }
)
_AUDITOR = frozenset(
    {
        "accounts.view_user",
        "accounts.view_company",
        "accounts.view_session",
        "security.view_auditevent",
        "security.view_securityauditrun",
        "monitoring.view_alertstate",  # who silenced what
        "monitoring.view_schedulerun",
    }
)


def rights_of(role: StaffRole, *, offered: Iterable[tuple[str, str]]) -> set[tuple[str, str]]:
    """The rights of `role` among `offered`, pairs of (app label, codename) as Django makes them.

    Support cannot read the audit log and an auditor changes nothing: who acts is not who checks.
    """
    ours = {(app, codename) for app, codename in offered if app in OUR_APPS}
    if role is StaffRole.ADMINISTRATOR:
        return {(app, name) for app, name in ours if name.startswith("view_") or name.split("_", 1)[1] not in _NEVER}
    wanted = _SUPPORT if role is StaffRole.SUPPORT else _AUDITOR
    return {(app, name) for app, name in ours if f"{app}.{name}" in wanted}
