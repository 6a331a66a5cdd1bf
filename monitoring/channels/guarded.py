"""Our requests to receivers of alerts: to addresses that are allowed alone, and to the very one that was looked at.

A name may mean another address a moment later (DNS rebinding): the one that was checked is the one we connect to.
"""

import socket
from collections.abc import Mapping
from urllib.parse import urlsplit

from django.conf import settings

from monitoring.channels.addresses import is_allowed
from security.exchange import ExchangeFailed, Reply, post

PATIENCE_SECONDS = 10.0
MAX_ANSWER_BYTES = 64 * 1024


class AddressRefused(ExchangeFailed):
    """The name leads to an address that we do not speak to."""


def post_guarded(url: str, body: bytes, *, headers: Mapping[str, str]) -> Reply:
    """POST `body` to `url` within ten seconds. Raises ExchangeFailed, AddressRefused; nothing of the URL is in them.

    Looking the name up has the resolver's own time-outs.
    """
    try:
        where = urlsplit(url)
        port = where.port or (443 if where.scheme == "https" else 80)
        found = socket.getaddrinfo(where.hostname, port, type=socket.SOCK_STREAM)
    except (OSError, ValueError) as error:
        raise ExchangeFailed(f"its name leads nowhere ({type(error).__name__})") from error
    addresses = [str(info[4][0]) for info in found]
    # One that is not allowed spoils them all: which of them is taken must not be left to chance.
    if not addresses or not all(is_allowed(address, settings.ALERT_PRIVATE_NETWORKS) for address in addresses):
        raise AddressRefused("its name leads to an address that ALERT_PRIVATE_NETWORKS does not allow")
    return post(
        url,
        body,
        headers={"User-Agent": f"KoshFlow/{settings.VERSION}", **headers},
        patience_seconds=PATIENCE_SECONDS,
        most_bytes=MAX_ANSWER_BYTES,
        address=addresses[0],
    )
