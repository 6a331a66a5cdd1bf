"""Holds a session to the client it was opened by: the program's family, and as a signal the network.

A stolen token is used from somewhere else. Another family (Chrome became curl) ends the session. Another network is
what telephones do all day, so it is only told; `SESSION_BINDING=strict` ends the session for it too.
"""

from django.conf import settings
from django.db import transaction

from accounts.sessions.models import EndReason, Session
from accounts.sessions.services import end_sessions
from accounts.sessions.trail import record_by
from security.audit import Action, agent_family
from security.client_ip import network_of
from security.context import current

# Families that name nothing: a header that is missing or unknown proves no other client.
_UNTOLD = ("", "other")


def is_other_client(session: Session) -> bool:
    """Whether the program of the present request is surely not the one that opened `session`. No statement."""
    if settings.SESSION_BINDING == "off" or session.client_family in _UNTOLD:
        return False
    family = agent_family(current().client.user_agent)
    return family not in _UNTOLD and family != session.client_family


def end_for_other_client(session: Session) -> None:
    """End `session`, and tell of it once; in a transaction of its own."""
    with transaction.atomic(durable=True):
        _end(session, EndReason.CLIENT_CHANGED, family=session.client_family)


def may_go_on(session: Session) -> bool:
    """Whether a refresh from the present client may go on; else the session has ended. Tells of another network.

    Runs inside the caller's transaction.
    """
    if is_other_client(session):
        _end(session, EndReason.CLIENT_CHANGED, family=session.client_family)
        return False
    address = current().client.address
    if settings.SESSION_BINDING == "off" or not address or not session.address:
        return True
    if network_of(address) == network_of(session.address):
        return True
    if settings.SESSION_BINDING == "strict":
        _end(session, EndReason.NETWORK_CHANGED)
        return False
    session.address = address
    session.save(update_fields=["address"])
    record_by(session, Action.SESSION_NETWORK_CHANGED)
    return True


def _end(session: Session, reason: EndReason, **data: str) -> None:
    if end_sessions(user=session.user, session_ids=[session.pk], reason=reason):
        record_by(session, Action.SESSION_ENDED, data={"reason": reason.value, **data})
