"""The closed list of what the audit log can say, one line an action. It decides nothing and stores nothing.

An action missing here cannot be recorded; a type, once released, never changes meaning, because sealed leaves
quote it. `owasp` is the event's name in the OWASP Application Logging Vocabulary, for those who feed a SIEM.
"""

from enum import Enum, StrEnum
from typing import Self


class AuditClass(StrEnum):
    """Groups events by subject, and so by how long they are kept (as company law keeps books, or a year)."""

    AUTH = "auth"  # sign-in, session, factor
    ACCESS = "access"  # refusals and reads of personal data
    ACCOUNT = "account"  # people, roles, keys, company
    ADMIN = "admin"  # staff and operators
    BOOKS = "books"  # reserved for accounting records
    SYSTEM = "system"  # keys, seals, back-ups, retention
    NOISE = "noise"  # counted floods

    @property
    def retention_days(self) -> int:
        """Days an event of this class is kept: the floor below which retention refuses to delete."""
        return _RETENTION_DAYS[self]


_ONE_YEAR_DAYS = 366
# Companies Act 2013, section 128(5): eight financial years before the present one. What happened on a 1 April must last
# the rest of its own year besides, and three of nine years may be leap years.
_NINE_YEARS_DAYS = 9 * 365 + 3
_RETENTION_DAYS = {
    AuditClass.AUTH: _ONE_YEAR_DAYS,
    AuditClass.ACCESS: _ONE_YEAR_DAYS,
    AuditClass.ACCOUNT: _NINE_YEARS_DAYS,
    AuditClass.ADMIN: _NINE_YEARS_DAYS,
    AuditClass.BOOKS: _NINE_YEARS_DAYS,
    AuditClass.SYSTEM: _NINE_YEARS_DAYS,
    AuditClass.NOISE: 180,
}


class Outcome(StrEnum):
    """How the act ended: it was done, we said no, or we could not."""

    SUCCESS = "success"
    REFUSED = "refused"
    FAILED = "failed"


_AUTH, _ACCESS, _ACCOUNT = AuditClass.AUTH, AuditClass.ACCESS, AuditClass.ACCOUNT
_ADMIN, _SYSTEM, _NOISE = AuditClass.ADMIN, AuditClass.SYSTEM, AuditClass.NOISE
_DONE, _NO = Outcome.SUCCESS, Outcome.REFUSED


class Action(Enum):
    """One kind of event. `Action("session.created")` finds it by its type."""

    type: str
    audit_class: AuditClass
    owasp: str
    outcome: Outcome  # what record() writes unless its caller says otherwise

    def __new__(cls, dotted: str, audit_class: AuditClass, owasp: str, outcome: Outcome) -> Self:
        action = object.__new__(cls)
        action._value_ = action.type = dotted
        action.audit_class = audit_class
        action.owasp = owasp
        action.outcome = outcome
        return action

    # Sign-in and sessions
    SESSION_CREATED = "session.created", _AUTH, "authn_login_success", _DONE
    SESSION_CREATE_REFUSED = "session.create_refused", _AUTH, "authn_login_fail", _NO
    SESSION_LOCKED_OUT = "session.locked_out", _AUTH, "authn_login_lock", _NO
    SESSION_REFRESHED = "session.refreshed", _AUTH, "session_renewed", _DONE
    SESSION_REFRESH_REFUSED = "session.refresh_refused", _AUTH, "session_use_after_expire", _NO
    REFRESH_TOKEN_REUSED = "refresh_token.reused", _AUTH, "authn_token_reuse", _NO
    SESSION_ENDED = "session.ended", _AUTH, "authn_token_revoked", _DONE
    SESSIONS_ENDED_ALL = "sessions.ended_all", _AUTH, "authn_token_revoked", _DONE
    SESSION_DISPLACED = "session.displaced", _AUTH, "authn_token_revoked", _DONE  # the oldest made room
    SESSION_STRENGTHENED = "session.strengthened", _AUTH, "session_renewed", _DONE  # a second factor joined it
    SESSION_NETWORK_CHANGED = "session.network_changed", _AUTH, "session_renewed", _DONE  # a signal of risk
    STAFF_DEVICE_UNKNOWN = "staff.device_unknown", _AUTH, "authn_login_success", _DONE  # another, beside its sign-in

    # Second factor
    SECOND_FACTOR_CHALLENGED = "second_factor.challenged", _AUTH, "authn_token_created", _DONE
    SECOND_FACTOR_REFUSED = "second_factor.refused", _AUTH, "authn_login_fail", _NO
    SECOND_FACTOR_SETUP_STARTED = "second_factor.setup_started", _AUTH, "user_updated", _DONE
    SECOND_FACTOR_ENABLED = "second_factor.enabled", _AUTH, "user_updated", _DONE
    SECOND_FACTOR_DISABLED = "second_factor.disabled", _AUTH, "user_updated", _DONE
    SECOND_FACTOR_DISABLE_REFUSED = "second_factor.disable_refused", _AUTH, "authn_login_fail", _NO
    RECOVERY_CODE_USED = "recovery_code.used", _AUTH, "user_updated", _DONE
    RECOVERY_CODES_REGENERATED = "recovery_codes.regenerated", _AUTH, "user_updated", _DONE

    # People and companies
    COMPANY_REGISTERED = "company.registered", _ACCOUNT, "user_created", _DONE
    COMPANY_UPDATED = "company.updated", _ACCOUNT, "user_updated", _DONE
    REGISTRATION_REFUSED = "registration.refused", _ACCESS, "input_validation_fail", _NO
    PROFILE_UPDATED = "profile.updated", _ACCOUNT, "user_updated", _DONE
    PASSWORD_CHANGED = "password.changed", _ACCOUNT, "authn_password_change", _DONE
    PASSWORD_REHASHED = "password.rehashed", _AUTH, "user_updated", _DONE  # the same one, at today's cost
    PASSWORD_CHANGE_REFUSED = "password.change_refused", _AUTH, "authn_password_change_fail", _NO
    PASSWORD_RESET_REQUESTED = "password.reset_requested", _AUTH, "authn_token_created", _DONE
    PASSWORD_RESET = "password.reset", _ACCOUNT, "authn_password_change", _DONE
    PASSWORD_RESET_REFUSED = "password.reset_refused", _AUTH, "authn_password_change_fail", _NO
    ACCOUNT_RECOVERED = "account.recovered", _ACCOUNT, "user_updated", _DONE
    SUBJECT_ERASED = "subject.erased", _ACCOUNT, "user_deleted", _DONE
    SUBJECT_KEY_DESTROYED = "subject.key_destroyed", _ACCOUNT, "sensitive_delete", _DONE  # erased under a hold

    # Refusals and reads of personal data
    ACCESS_TOKEN_REFUSED = "access_token.refused", _ACCESS, "session_use_after_expire", _NO
    PERMISSION_DENIED = "permission.denied", _ACCESS, "authz_fail", _NO
    SUBJECT_DISCLOSED = "subject.disclosed", _ACCESS, "sensitive_read", _DONE  # an operator, of who was erased
    COMPANY_VIEWED = "company.viewed", _ACCESS, "sensitive_read", _DONE
    USER_VIEWED = "user.viewed", _ACCESS, "sensitive_read", _DONE
    LIST_VIEWED = "list.viewed", _ACCESS, "sensitive_read", _DONE
    AUDIT_EVENT_VIEWED = "audit_event.viewed", _ACCESS, "sensitive_read", _DONE
    AUDIT_EVENT_DISCLOSED = "audit_event.disclosed", _ACCESS, "sensitive_read", _DONE  # the personal values in it

    # Counted floods
    REQUEST_SCREENED = "request.screened", _NOISE, "input_validation_fail", _DONE
    REQUEST_FORGERY_REFUSED = "request.forgery_refused", _NOISE, "malicious_cors", _NO  # sent by another site's page
    REQUEST_NOT_FOUND_REFUSED = "request.not_found_refused", _NOISE, "malicious_excess_404", _NO
    REQUEST_UNREADABLE_REFUSED = "request.unreadable_refused", _NOISE, "input_validation_fail", _NO
    REQUEST_RATE_REFUSED = "request.rate_refused", _NOISE, "excess_rate_limit_exceeded", _NO

    # Staff, operators, machine
    DEMO_FILLED = "demo.filled", _ADMIN, "sensitive_create", _DONE  # `make demo` added people to its company
    STAFF_CREATED = "staff.created", _ADMIN, "user_created", _DONE
    STAFF_FIRST_CREATED = "staff.first_created", _ADMIN, "user_created", _DONE  # where nobody had an account yet
    STAFF_REMOVED = "staff.removed", _ADMIN, "user_archived", _DONE  # their account is closed, their row stays
    SUBJECT_HOLD_PLACED = "subject.hold_placed", _ADMIN, "authz_admin", _DONE
    SUBJECT_HOLD_LIFTED = "subject.hold_lifted", _ADMIN, "authz_admin", _DONE
    ACCOUNT_UNLOCKED = "account.unlocked", _ADMIN, "authz_admin", _DONE
    ERROR_VIEWED = "error.viewed", _ADMIN, "sensitive_read", _DONE
    ERROR_ACKNOWLEDGED = "error.acknowledged", _ADMIN, "sensitive_update", _DONE
    ERROR_RESOLVED = "error.resolved", _ADMIN, "sensitive_update", _DONE
    LOGS_PRUNED = "logs.pruned", _ADMIN, "sensitive_delete", _DONE
    ALERT_SILENCED = "alert.silenced", _ADMIN, "sys_monitor_disabled", _DONE
    ALERT_SILENCE_ENDED = "alert.silence_ended", _ADMIN, "sys_monitor_enabled", _DONE
    ALERT_TESTED = "alert.tested", _ADMIN, "sensitive_read", _DONE
    BACKUP_NOTED = "backup.noted", _SYSTEM, "sensitive_update", _DONE  # an operator's job made one
    BACKUP_TARGET_FORGOTTEN = "backup_target.forgotten", _ADMIN, "sys_monitor_disabled", _DONE
    KEYS_CREATED = "keys.created", _SYSTEM, "sensitive_create", _DONE
    KEYS_ADDED = "keys.added", _SYSTEM, "sensitive_create", _DONE
    KEYS_ACTIVATED = "keys.activated", _SYSTEM, "sensitive_update", _DONE
    KEYS_REWRAPPED = "keys.rewrapped", _SYSTEM, "sensitive_update", _DONE
    KEYS_REMOVED = "keys.removed", _SYSTEM, "sensitive_delete", _DONE
    AUDIT_EXPORTED = "audit.exported", _ADMIN, "sensitive_read", _DONE
    AUDIT_PRUNED = "audit.pruned", _SYSTEM, "sensitive_delete", _DONE  # archived and deleted; itself kept for ever
    RETENTION_PROPOSED = "retention.proposed", _ADMIN, "authz_admin", _DONE
    RETENTION_APPROVED = "retention.approved", _ADMIN, "authz_admin", _DONE  # by somebody else
    RETENTION_REFUSED = "retention.refused", _ADMIN, "authz_fail", _NO
    RETENTION_HOLD_PLACED = "retention.hold_placed", _ADMIN, "authz_admin", _DONE  # on the whole log
    RETENTION_HOLD_LIFTED = "retention.hold_lifted", _ADMIN, "authz_admin", _DONE
    AUDIT_EXPORT_CREATED = "audit_export.created", _ADMIN, "sensitive_create", _DONE  # its downloads: audit.exported
    AUDIT_HEARTBEAT = "audit.heartbeat", _SYSTEM, "sys_monitor_enabled", _DONE
    AUDIT_LOG_RECOVERED = "audit_log.recovered", _SYSTEM, "sensitive_update", _DONE  # begins an epoch; kept for ever
    AUDIT_FORWARD_MOVED = "audit_forward.moved", _ADMIN, "sensitive_update", _DONE  # what a SIEM gets next
    RECORDS_CHANGED = "records.changed", _ADMIN, "sensitive_update", _DONE  # by the event it names, and of its class
    RECORD_OUT_OF_BAND = "record.out_of_band", _ADMIN, "sensitive_update", _DONE  # past our services
    SECURITY_AUDIT_RUN = "security_audit.run", _SYSTEM, "sensitive_read", _DONE
    SECURITY_AUDIT_VIEWED = "security_audit.viewed", _ACCESS, "sensitive_read", _DONE


# Retention keeps them for ever: they alone tell why a personal value of a younger event is not there.
ERASURES = (Action.SUBJECT_ERASED, Action.SUBJECT_KEY_DESTROYED)
