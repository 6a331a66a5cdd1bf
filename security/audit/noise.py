"""Leaves a mark of refusals that anybody can cause in any number: one a client, code and minute, of so many clients."""

from security.audit.actions import Action
from security.audit.floods import Allowance, windows
from security.audit.services import record_refusal
from security.context import current


def mark_refusal(action: Action, *, code: str, allowance: Allowance, **data: str) -> None:
    """Record that the present request was refused with `code`, or count it for the next event that says so.

    Raises what record_refusal() does.
    """
    repeats = windows.repeats_to_tell(current().client.address, f"{action.type}:{code}")
    held_back = allowance.spend() if repeats is not None else None
    if held_back is not None:
        record_refusal(action, data={"code": code, **data, "repeats": repeats, "held_back": held_back})
