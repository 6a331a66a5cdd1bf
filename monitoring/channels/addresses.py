"""Which addresses our own requests may go to: a name that somebody set must not lead into the house. Pure."""

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

# Wrap an IPv4 address, so that what looks public may lead inside: NAT64 (RFC 6052), 6to4 (RFC 3056), Teredo (RFC 4380).
_WRAPPERS = tuple(ip_network(text) for text in ("64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32"))
_NOT_FOR_HOSTS = ip_network("192.0.0.0/24")  # IETF protocol assignments, of which Python calls some global


def is_allowed(text: str, networks: Sequence[str]) -> bool:
    """Whether `text` is an address of the public internet, or lies in one of `networks` (CIDR)."""
    address: IPv4Address | IPv6Address = ip_address(text.partition("%")[0])
    if isinstance(address, IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    if any(address in ip_network(network, strict=False) for network in networks):
        return True
    if address in _NOT_FOR_HOSTS or any(address in network for network in _WRAPPERS):
        return False
    return address.is_global and not address.is_multicast
