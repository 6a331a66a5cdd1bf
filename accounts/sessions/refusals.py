"""Marks refused access tokens in the audit trail, one event a client, code and minute."""

from security.audit import Action, record_refusal, windows
from security.context import current
from security.errors import Problem


def record_refused_token(refusal: Problem) -> None:
    """One `access_token.refused` event for this client and code, at most once a minute in each process."""
    if windows.is_first(current().client.address, refusal.code.name):
        record_refusal(Action.ACCESS_TOKEN_REFUSED, data={"code": refusal.code.name})
