"""Compares what clients were told with what the database holds: every acknowledged act, and no event without one."""

from dataclasses import dataclass, field
from typing import Any

from security.audit.leaf import Leaf
from tests.faults.stand import RealStand
from tests.faults.traffic import LOGIN, LOGOUT, REFRESH, Refresher, Visitor

_TYPES = {REFRESH: "session.refreshed", LOGIN: "session.created", LOGOUT: "session.ended"}


@dataclass
class History:
    """Counts of the comparison; `faults` names each contradiction."""

    acknowledged: int = 0
    faults: list[str] = field(default_factory=list)

    @property
    def is_clean(self) -> bool:
        return not self.faults

    @property
    def measured(self) -> dict[str, Any]:
        return {"acknowledged": self.acknowledged, "contradictions": len(self.faults)}


def check_history(stand: RealStand, visitors: list[Visitor]) -> History:
    """What contradicts: an acknowledged act without its event, an event without its act, a token exchanged for two."""
    history = History()
    rows = stand.query("SELECT request_id, type, session_id, leaf FROM audit_event")
    recorded = {(request_id, kind) for request_id, kind, _, _ in rows}
    for visitor in visitors:
        for path, answer in visitor.told:
            if answer.status == 200 and path in _TYPES:
                history.acknowledged += 1
                if (answer.request_id, _TYPES[path]) not in recorded:
                    history.faults.append(f"lost: {_TYPES[path]} of request {answer.request_id}")
        if isinstance(visitor, Refresher):
            forked = [token for token, successors in visitor.successors.items() if len(successors) > 1]
            history.faults += [f"forked: {token[-8:]}" for token in forked]
    _check_events(stand, rows, history)
    return history


def _check_events(stand: RealStand, rows: list[tuple[Any, ...]], history: History) -> None:
    sessions = {
        str(key): (counter, ended is not None)
        for key, counter, ended in stand.query("SELECT id, counter, revoked_at FROM accounts_session")
    }
    rotations = dict.fromkeys(sessions, 0)
    for _, kind, session_id, leaf in rows:
        if session_id is None:
            continue  # of a person, not of a session
        if session_id not in sessions:
            history.faults.append(f"event without act: {kind} of no session")
        elif kind == "session.refreshed" and not Leaf.parse(bytes(leaf)).data["repeated"]:
            rotations[session_id] += 1
        elif kind == "session.ended" and not sessions[session_id][1]:
            history.faults.append(f"event without act: {session_id} was not ended")
    for session_id, (counter, _) in sessions.items():
        if rotations[session_id] != counter:
            history.faults.append(f"{rotations[session_id]} rotations recorded, {counter} made")
