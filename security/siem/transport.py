"""Hands messages to a syslog receiver within a deadline. Knows no event and keeps nothing.

Syslog has no acknowledgement. Over TCP and TLS we end our side and wait for the receiver to end its own: it does so
after it has read the last byte. Over UDP nobody tells whether anything arrived.
"""

import socket
import ssl
from collections.abc import Sequence
from contextlib import suppress

from security.exchange import Deadline, connect
from security.siem.syslog import octet_counted
from security.syslog_url import Destination

PATIENCE_SECONDS = 10.0  # for the whole of one connection
_LISTEN_SECONDS = 0.2  # for word that nobody listens on a UDP port
_MOST_ANSWER_BYTES = 65_536
_CHUNK_BYTES = 65_536


class ReceiverUnavailable(RuntimeError):  # noqa: N818 - named for what happened
    """The receiver did not take everything. What it took nobody knows."""


class CertificatesUnreadable(ValueError):  # noqa: N818 - named for what happened
    """The file of AUDIT_SYSLOG_CA cannot be read, or holds no certificate."""


def trusted(ca_file: str) -> ssl.SSLContext:
    """What checks a receiver's certificate: the authorities in `ca_file`, or the system's. TLS 1.2 at least.

    Raises CertificatesUnreadable.
    """
    try:
        context = ssl.create_default_context(cafile=ca_file or None)
    except (OSError, ssl.SSLError) as error:
        raise CertificatesUnreadable(f"AUDIT_SYSLOG_CA: {ca_file} holds no certificates that can be read") from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def deliver(
    messages: Sequence[bytes], *, to: Destination, ca_file: str = "", patience: float = PATIENCE_SECONDS
) -> None:
    """Send all `messages`, in order, and see that the receiver took them, within `patience` seconds.

    Raises ReceiverUnavailable, CertificatesUnreadable.
    """
    context = trusted(ca_file) if to.scheme == "tls" else None
    deadline = Deadline(patience)
    try:
        if to.scheme == "udp":
            _send_datagrams(messages, to)
            return
        with connect(to.host, to.port, deadline) as plain:
            if context is None:
                _send_stream(plain, octet_counted(messages), deadline)
                return
            with context.wrap_socket(plain, server_hostname=to.host) as secured:
                _send_stream(secured, octet_counted(messages), deadline)
    except ssl.SSLCertVerificationError as error:
        raise ReceiverUnavailable(f"its certificate is not trusted: {error.verify_message}") from error
    except OSError as error:
        raise ReceiverUnavailable(f"it does not take what is sent ({type(error).__name__})") from error


def _send_stream(connection: socket.socket, stream: bytes, deadline: Deadline) -> None:
    view = memoryview(stream)
    for start in range(0, len(view), _CHUNK_BYTES):
        deadline.bound(connection)
        connection.sendall(view[start : start + _CHUNK_BYTES])
    deadline.bound(connection)
    if isinstance(connection, ssl.SSLSocket):
        _end_tls(connection)
    else:
        connection.shutdown(socket.SHUT_WR)
        _wait_for_end(connection, deadline)


def _end_tls(connection: ssl.SSLSocket) -> None:
    try:
        plain = connection.unwrap()
    except (ssl.SSLEOFError, ssl.SSLZeroReturnError):
        return  # it ended without a word of TLS, as most do
    except TimeoutError:
        raise
    except OSError as error:
        if error.errno:
            raise
        return  # likewise, as older OpenSSL says it
    with plain, suppress(OSError):
        plain.shutdown(socket.SHUT_WR)


def _wait_for_end(connection: socket.socket, deadline: Deadline) -> None:
    read = 0
    while read < _MOST_ANSWER_BYTES:
        deadline.bound(connection)
        part = connection.recv(4096)
        if not part:
            return
        read += len(part)
    raise ReceiverUnavailable("it answers, as no syslog receiver does")


def _send_datagrams(messages: Sequence[bytes], to: Destination) -> None:
    family, kind, protocol, _, address = socket.getaddrinfo(to.host, to.port, type=socket.SOCK_DGRAM)[0]
    with socket.socket(family, kind, protocol) as outlet:
        outlet.settimeout(_LISTEN_SECONDS)
        outlet.connect(address)
        for one in messages:
            outlet.send(one)
        with suppress(TimeoutError):
            outlet.recv(1)  # raises where a host has answered that the port is closed
