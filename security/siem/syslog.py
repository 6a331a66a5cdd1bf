"""An event as a syslog message (RFC 5424), and messages as a stream (RFC 6587 §3.4.1, RFC 5425 §4.3)."""

import json
import re
from collections.abc import Callable, Iterable

from security.siem.cef import cef
from security.siem.events import Level, SealedEvent
from security.siem.ocsf import ocsf

_FACILITY = 13  # log audit
_SEVERITY = {Level.INFORMATIONAL: 6, Level.LOW: 5, Level.MEDIUM: 4, Level.HIGH: 2}
_SEQUENCE_IDS = 2**31 - 1  # they run from 1 to this one and begin again (§7.3.1)
_UNPRINTABLE = re.compile(r"[^\x21-\x7e]")
_IN_PARAMETER = re.compile(r'(["\\\]])')
_LONGEST_HOST, _LONGEST_ID = 255, 32
_BOM = b"\xef\xbb\xbf"


def _json(event: SealedEvent, *, version: str) -> str:  # noqa: ARG001 - the formats are called alike
    return _ascii({"index": event.index, "leaf_hash": event.leaf_hash.hex(), "leaf": event.members})


def _ocsf(event: SealedEvent, *, version: str) -> str:
    return _ascii(ocsf(event, version=version))


def _ascii(document: object) -> str:
    # In ASCII a message needs no byte order mark, at which some readers of JSON stop.
    return json.dumps(document, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


FORMATS: dict[str, Callable[..., str]] = {"json": _json, "cef": cef, "ocsf": _ocsf}


def message(event: SealedEvent, *, form: str, version: str) -> bytes:
    """The syslog message of `event` in one of FORMATS, without framing; `version` is the product's.

    Its sequence id is the place in the tree plus one, so that who receives sees a gap.
    """
    leaf = event.members
    header = " ".join(
        [
            f"<{_FACILITY * 8 + _SEVERITY[event.level]}>1",
            leaf["ts"],
            _printable(leaf["node"], longest=_LONGEST_HOST),
            "koshflow",
            "-",
            _printable(leaf["type"], longest=_LONGEST_ID),
        ]
    )
    software = _IN_PARAMETER.sub(r"\\\1", version)
    sequence = event.index % _SEQUENCE_IDS + 1
    data = f'[meta sequenceId="{sequence}"][origin software="KoshFlow" swVersion="{software}"]'
    text = FORMATS[form](event, version=version)
    mark = b"" if text.isascii() else _BOM  # §6.4: UTF-8 must say so
    return f"{header} {data} ".encode() + mark + text.encode()


def octet_counted(messages: Iterable[bytes]) -> bytes:
    """The messages as one stream: no byte inside of one can end it."""
    return b"".join(b"%d %s" % (len(one), one) for one in messages)


def _printable(text: str, *, longest: int) -> str:
    return _UNPRINTABLE.sub("_", text)[:longest] or "-"
