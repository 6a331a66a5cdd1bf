"""An event in the Common Event Format, version 0 (ArcSight, Implementing CEF, revision 25)."""

import re
from collections.abc import Mapping

from security.audit.leaf import canonical
from security.siem.events import Level, SealedEvent

_SEVERITY = {Level.INFORMATIONAL: 1, Level.LOW: 3, Level.MEDIUM: 6, Level.HIGH: 8}
_LONGEST = 4000  # characters of a custom string
# A line's end can be written in a value, and in no header. What else a terminal or a parser would obey says nothing.
_CONTROL = re.compile(r"[\x00-\x09\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029]")


def cef(event: SealedEvent, *, version: str) -> str:
    """One line. `version` is the product's. Members of the leaf that are null are left out."""
    leaf = event.members
    kind = leaf["type"]
    header = ["KoshFlow", "KoshFlow", version, kind, kind.replace(".", " ").replace("_", " ")]
    customs = {
        "leafHash": event.leaf_hash.hex(),
        "company": leaf["company"],
        "session": leaf["sid"],
        "requestId": leaf["request_id"],
        "data": canonical(leaf["data"]).decode() if leaf["data"] else None,
        "owasp": event.action.owasp if event.action else None,
    }
    values: dict[str, object] = {
        "rt": event.unix_milliseconds,
        "externalId": leaf["id"],
        "cat": leaf["class"],
        "act": kind,
        "outcome": leaf["outcome"],
        "suid": leaf["actor"],
        "duid": leaf["target"],
        "dvchost": leaf["node"],
        "cn1": event.index,
        "cn1Label": "index",
    }
    for number, (label, value) in enumerate(customs.items(), start=1):
        if value:
            values |= {f"cs{number}": value[:_LONGEST], f"cs{number}Label": label}
    return "|".join(["CEF:0", *map(_header, header), str(_SEVERITY[event.level]), _extension(values)])


def _header(text: str) -> str:
    plain = _CONTROL.sub(" ", text).replace("\n", " ").replace("\r", " ")
    return plain.replace("\\", "\\\\").replace("|", "\\|")


def _extension(values: Mapping[str, object]) -> str:
    return " ".join(f"{key}={_value(str(value))}" for key, value in values.items() if value not in (None, ""))


def _value(text: str) -> str:
    plain = _CONTROL.sub(" ", text).replace("\\", "\\\\").replace("=", "\\=")
    return plain.replace("\n", "\\n").replace("\r", "\\r")
