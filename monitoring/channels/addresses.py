"""Which addresses our own requests may go to: a name that somebody set must not lead into the house. Pure."""

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

# All that the public internet has of IPv6 (RFC 4291 section 2.4). Beyond lie the translations of IPv4 addresses
# (::/96, ::ffff:0:0:0/96, 64:ff9b::/96, 64:ff9b:1::/48), site-local ones, SRv6 (5f00::/16) and whatever is assigned
# next; Python calls many of them global.
_PUBLIC_6 = ip_network("2000::/3")
# What within the public ranges leads elsewhere: relays of 6to4 (RFC 3056, 7526) and Teredo (RFC 4380), which wrap an
# IPv4 address, IETF protocol assignments (192.0.0.0/24), documentation (RFC 9637).
_NOT_PUBLIC = tuple(
    ip_network(text) for text in ("192.0.0.0/24", "192.88.99.0/24", "2001::/32", "2002::/16", "3fff::/20")
)


def is_allowed(text: str, networks: Sequence[str]) -> bool:
    """Whether `text` is an address of the public internet, or lies in one of `networks` (CIDR)."""
    address: IPv4Address | IPv6Address = ip_address(text.partition("%")[0])
    if isinstance(address, IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    if any(address in ip_network(network, strict=False) for network in networks):
        return True
    if any(address in network for network in _NOT_PUBLIC) or (address.version == 6 and address not in _PUBLIC_6):
        return False
    return address.is_global and not address.is_multicast
