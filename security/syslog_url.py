"""Reads where the audit log is forwarded to. Pure, since settings are read before any app is there."""

import re
from dataclasses import dataclass

_URL = re.compile(
    r"(tcp|tls|udp)://(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?):([0-9]{1,5})", re.ASCII
)
_MOST_PORT = 65_535


class DestinationMisnamed(ValueError):  # noqa: N818 - named for what it says
    """It is no destination. The text does not quote it: somebody may have put a password there."""


@dataclass(frozen=True, slots=True)
class Destination:
    """A syslog receiver."""

    scheme: str
    host: str
    port: int


def parse_destination(url: str) -> Destination:
    """`tls://siem.example.in:6514` taken apart; the port is never guessed. Raises DestinationMisnamed."""
    parts = _URL.fullmatch(url)
    if parts is None or not 0 < int(parts[3]) <= _MOST_PORT:
        raise DestinationMisnamed("write tcp://, tls:// or udp://, a host, a colon and a port, and nothing else")
    return Destination(parts[1], parts[2].strip("[]"), int(parts[3]))
