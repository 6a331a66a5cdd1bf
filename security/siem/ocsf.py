"""An event as the Open Cybersecurity Schema Framework 1.5 has it (schema.ocsf.io): which class, and which activity."""

from typing import Any

from security.audit import Action, Outcome
from security.siem.events import SealedEvent

VERSION = "1.5.0"
_ACCOUNT, _AUTHENTICATION, _ENTITY, _API = 3001, 3002, 3004, 6003
_OTHER = 99

# Class → activity → what we do in it. What stands in no list of its class is the class's activity "other".
_ACTIVITIES: dict[int, dict[int, tuple[Action, ...]]] = {
    _AUTHENTICATION: {
        1: (  # a log-on, which the status may say was refused
            Action.SESSION_CREATED,
            Action.SESSION_CREATE_REFUSED,
            Action.SESSION_LOCKED_OUT,
            Action.SECOND_FACTOR_REFUSED,
        ),
        2: (Action.SESSION_ENDED, Action.SESSIONS_ENDED_ALL, Action.SESSION_DISPLACED),
        6: (Action.SECOND_FACTOR_CHALLENGED,),
        _OTHER: (
            Action.SESSION_REFRESHED,
            Action.SESSION_REFRESH_REFUSED,
            Action.REFRESH_TOKEN_REUSED,
            Action.SESSION_STRENGTHENED,
            Action.SESSION_NETWORK_CHANGED,
            Action.STAFF_DEVICE_UNKNOWN,
            Action.RECOVERY_CODE_USED,
            Action.ACCESS_TOKEN_REFUSED,
        ),
    },
    _ACCOUNT: {
        1: (
            Action.COMPANY_REGISTERED,
            Action.REGISTRATION_REFUSED,
            Action.STAFF_CREATED,
            Action.STAFF_FIRST_CREATED,
            Action.DEMO_FILLED,
        ),
        3: (Action.PASSWORD_CHANGED, Action.PASSWORD_CHANGE_REFUSED),
        4: (Action.PASSWORD_RESET_REQUESTED, Action.PASSWORD_RESET, Action.PASSWORD_RESET_REFUSED),
        5: (Action.STAFF_REMOVED,),
        6: (Action.SUBJECT_ERASED,),
        10: (Action.SECOND_FACTOR_ENABLED,),
        11: (Action.SECOND_FACTOR_DISABLED, Action.SECOND_FACTOR_DISABLE_REFUSED, Action.ACCOUNT_RECOVERED),
        12: (Action.ACCOUNT_UNLOCKED,),
        _OTHER: (
            Action.SECOND_FACTOR_SETUP_STARTED,
            Action.RECOVERY_CODES_REGENERATED,
            Action.PASSWORD_REHASHED,
            Action.PROFILE_UPDATED,
        ),
    },
    _ENTITY: {
        1: (
            Action.SUBJECT_HOLD_PLACED,
            Action.RETENTION_HOLD_PLACED,
            Action.RETENTION_PROPOSED,
            Action.KEYS_CREATED,
            Action.KEYS_ADDED,
            Action.AUDIT_EXPORT_CREATED,
            Action.ALERT_SILENCED,
        ),
        2: (
            Action.SUBJECT_DISCLOSED,
            Action.COMPANY_VIEWED,
            Action.USER_VIEWED,
            Action.LIST_VIEWED,
            Action.AUDIT_EVENT_VIEWED,
            Action.AUDIT_EVENT_DISCLOSED,
            Action.AUDIT_EXPORTED,
            Action.SECURITY_AUDIT_VIEWED,
            Action.ERROR_VIEWED,
        ),
        3: (
            Action.COMPANY_UPDATED,
            Action.KEYS_REWRAPPED,
            Action.AUDIT_LOG_RECOVERED,
            Action.AUDIT_FORWARD_MOVED,
            Action.BACKUP_NOTED,
            Action.RECORDS_CHANGED,
            Action.RECORD_OUT_OF_BAND,
            Action.ERROR_ACKNOWLEDGED,
            Action.ERROR_RESOLVED,
        ),
        4: (
            Action.SUBJECT_KEY_DESTROYED,
            Action.SUBJECT_HOLD_LIFTED,
            Action.RETENTION_HOLD_LIFTED,
            Action.AUDIT_PRUNED,
            Action.KEYS_REMOVED,
            Action.LOGS_PRUNED,
            Action.ALERT_SILENCE_ENDED,
            Action.BACKUP_TARGET_FORGOTTEN,
        ),
        10: (Action.KEYS_ACTIVATED,),
        _OTHER: (
            Action.SECURITY_AUDIT_RUN,
            Action.AUDIT_HEARTBEAT,
            Action.ALERT_TESTED,
            Action.RETENTION_APPROVED,
            Action.RETENTION_REFUSED,
        ),
    },
    _API: {
        _OTHER: (
            Action.PERMISSION_DENIED,
            Action.REQUEST_SCREENED,
            Action.REQUEST_FORGERY_REFUSED,
            Action.REQUEST_NOT_FOUND_REFUSED,
            Action.REQUEST_UNREADABLE_REFUSED,
            Action.REQUEST_RATE_REFUSED,
        ),
    },
}
PLACES = {
    action: (class_uid, activity)
    for class_uid, activities in _ACTIVITIES.items()
    for activity, actions in activities.items()
    for action in actions
}
_UNKNOWN_PLACE = (_ENTITY, _OTHER)  # of a type that another release of ours recorded


def ocsf(event: SealedEvent, *, version: str) -> dict[str, Any]:
    """The event as a JSON document; `version` is the product's. `unmapped` has the whole leaf, and its hash."""
    leaf = event.members
    class_uid, activity = PLACES[event.action] if event.action else _UNKNOWN_PLACE
    is_success = leaf["outcome"] == Outcome.SUCCESS
    document = {
        "class_uid": class_uid,
        "category_uid": class_uid // 1000,
        "activity_id": activity,
        "type_uid": class_uid * 100 + activity,
        "time": event.unix_milliseconds,
        "severity_id": event.level.value,
        "status_id": 1 if is_success else 2,
        "status": "Success" if is_success else "Failure",
        "message": f"{leaf['type']}: {leaf['outcome']}",
        "metadata": {
            "version": VERSION,
            "product": {"name": "KoshFlow", "vendor_name": "KoshFlow", "version": version},
            "uid": leaf["id"],
            "event_code": leaf["type"],
            "log_name": leaf["class"],
            "original_time": leaf["ts"],
            "sequence": event.index,
            **_known(correlation_uid=leaf["request_id"], tenant_uid=leaf["company"]),
        },
        "actor": _actor(leaf),
        "unmapped": {"leaf": leaf, "leaf_hash": event.leaf_hash.hex()},
        **_about(class_uid, leaf),
    }
    if activity == _OTHER:
        document["activity_name"] = leaf["type"]
    if not is_success:
        document["status_detail"] = leaf["outcome"]
    return document


def _actor(leaf: dict[str, Any]) -> dict[str, Any]:
    user = {"uid": leaf["actor"]} if leaf["actor"] else None
    session = {"uid": leaf["sid"]} if leaf["sid"] else None
    return {"app_name": "KoshFlow", **_known(user=user, session=session)}


def _about(class_uid: int, leaf: dict[str, Any]) -> dict[str, Any]:
    """What the class wants to be told beside."""
    if class_uid == _API:
        # The schema wants a source; the client's address is a personal value, which no leaf holds.
        return {"api": {"operation": leaf["type"]}, "src_endpoint": {"name": "undisclosed"}}
    if class_uid == _ENTITY:
        return {"entity": {"name": leaf["type"].partition(".")[0], **_known(uid=leaf["target"] or leaf["company"])}}
    whom = leaf["target"] or leaf["actor"]
    user = {"uid": whom} if whom else {"name": "unknown"}
    if class_uid == _AUTHENTICATION:
        return {"user": user, "service": {"name": "KoshFlow"}}
    return {"user": user}


def _known(**members: Any) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value}
