"""Changes what a person may change about themselves."""

from typing import Any

from accounts.identity.models import User
from accounts.sessions.models import Session
from accounts.sessions.standing import held
from accounts.sessions.trail import record_by
from security.audit import Action


def update_profile(*, session: Session, changes: dict[str, Any]) -> User:
    """Apply `changes` (`name`, `phone`) to the session's person; the event names the fields, never their values.

    Raises SessionInvalid.
    """
    with held(session) as user:
        changed = sorted(field for field, value in changes.items() if getattr(user, field) != value)
        if changed:
            for field in changed:
                setattr(user, field, changes[field])
            user.save(update_fields=changed)
            record_by(session, Action.PROFILE_UPDATED, target=user.subject, data={"fields": changed})
    return user
