"""The one resolver of a client's address. Limits, lock-outs, audit and sessions all use what it says.

Only a peer inside TRUSTED_PROXIES may tell us whom it speaks for, and its X-Forwarded-For is counted from the
right: the leftmost entries are whatever the client chose to send. A client whose own address is inside too counts
as one more proxy, and chooses the address it is known by: the setting must hold proxies' own addresses only
(koshflow.W001 warns of networks too wide for that).
"""

from functools import lru_cache
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from django.conf import settings

Network = IPv4Network | IPv6Network


@lru_cache(maxsize=8)
def _networks(texts: tuple[str, ...]) -> tuple[Network, ...]:
    return tuple(ip_network(text, strict=False) for text in texts)


@lru_cache(maxsize=4096)
def is_in_networks(address: str, networks: tuple[str, ...]) -> bool:
    """Whether `address` lies in one of `networks` (CIDR texts). An unreadable address lies nowhere."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return False
    if isinstance(parsed, IPv6Address) and parsed.ipv4_mapped:
        parsed = parsed.ipv4_mapped
    return any(parsed in network for network in _networks(networks))


def client_address(*, peer: str, forwarded_for: str) -> str:
    """Address of the client behind `peer` (the socket's other end), "" when it is unknown (a Unix socket).

    `forwarded_for` is the X-Forwarded-For header as received. The first address from the right that is not one
    of our proxies is the client; an unreadable entry ends the walk at the last address we could trust.
    """
    if not forwarded_for or not settings.TRUSTED_PROXIES:
        return _plain(peer)
    walk = _remembered_walk if len(forwarded_for) <= _MAX_REMEMBERED_CHARACTERS else _walk
    return walk(peer, forwarded_for, tuple(settings.TRUSTED_PROXIES))


def _walk(peer: str, forwarded_for: str, proxies: tuple[str, ...]) -> str:
    address = _plain(peer)
    for entry in reversed(forwarded_for.split(",")):
        if not is_in_networks(address, proxies):
            break
        claimed = _plain(entry.strip())
        if not claimed:
            break
        address = claimed
    return address


# A client asks more than once, by the same way. One address behind one proxy; longer ways are walked each time.
_MAX_REMEMBERED_CHARACTERS = 64
_remembered_walk = lru_cache(maxsize=4096)(_walk)


@lru_cache(maxsize=4096)
def _plain(text: str) -> str:
    if len(text) > 45:
        return ""
    try:
        parsed = ip_address(text)
    except ValueError:
        return ""
    if isinstance(parsed, IPv6Address) and parsed.ipv4_mapped:
        return str(parsed.ipv4_mapped)
    return str(parsed)


@lru_cache(maxsize=4096)
def network_of(address: str) -> str:
    """What an address is counted as: IPv4 whole, IPv6 by its /64, which one subscriber holds entirely.

    Text that is no address (a Unix socket has none) is counted as one client.
    """
    try:
        parsed = ip_address(address)
    except ValueError:
        return "unknown"
    if isinstance(parsed, IPv6Address):
        if parsed.ipv4_mapped:
            return str(parsed.ipv4_mapped)
        return f"{IPv6Address(int(parsed) >> 64 << 64)}/64"
    return str(parsed)
