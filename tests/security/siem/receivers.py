"""Receivers of syslog: one of our own, which does what a test wants, and rsyslog."""

import datetime
import json
import socket
import ssl
import threading
from contextlib import suppress
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.ports import free_port
from tests.programs import RSYSLOGD
from tests.security.siem.readers import frames, syslog
from tests.service_process import PrivateProcess


class Receiver:
    """Takes streams of messages on 127.0.0.1 and keeps what came whole.

    It writes what it has to its disk, `written`, when the next connection comes; `die` loses what it only remembers. It
    dies by itself after `most_bytes`.
    """

    def __init__(self, *, context: ssl.SSLContext | None = None, ends: bool = True, most_bytes: int = 10**9) -> None:
        self.written: list[bytes] = []
        self.remembered: list[bytes] = []
        self._context, self._ends, self._most = context, ends, most_bytes
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = self._server.getsockname()[1]
        self._held: list[socket.socket] = []
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._server.accept()
            except OSError:
                return
            self.written += self.remembered
            self.remembered = []
            with suppress(OSError):
                self._read(connection)

    def _read(self, connection: socket.socket) -> None:
        if self._context:
            connection = self._context.wrap_socket(connection, server_side=True)
        self._held.append(connection)
        stream = b""
        while self._most > 0 and (part := connection.recv(4096)):
            stream += part
            self._most -= len(part)
        self.remembered, _ = frames(stream)
        if self._most <= 0:
            self.die()  # in the middle: what lies unread in its socket becomes a reset
        if self._ends:
            connection.close()

    def die(self) -> None:
        """As kill -9 would end it: what it had not written is gone, and nobody listens."""
        self.remembered = []
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        for connection in self._held:
            connection.close()

    def end(self) -> list[bytes]:
        """End in order; everything that was written."""
        with suppress(OSError):  # it may be closed already
            self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self._thread.join(10)
        for connection in self._held:
            connection.close()
        self.written += self.remembered
        self.remembered = []
        return self.written


def indexes(messages: list[bytes]) -> list[int]:
    """Places in the tree, by the sequence ids of messages that conform."""
    return [int(syslog(one).elements["meta"]["sequenceId"]) - 1 for one in messages]


_CONFIGURATION = """
global(workDirectory="{folder}" maxMessageSize="64k" defaultNetstreamDriverCAFile="{folder}/ca.pem"
       defaultNetstreamDriverCertFile="{folder}/cert.pem" defaultNetstreamDriverKeyFile="{folder}/key.pem")
module(load="imptcp")
module(load="imudp")
module(load="imtcp" StreamDriver.Name="gtls" StreamDriver.Mode="1" StreamDriver.AuthMode="anon")
template(name="parts" type="list" option.jsonf="on") {{
  property(outname="priority" name="pri" format="jsonf")
  property(outname="at" name="timereported" dateFormat="rfc3339" format="jsonf")
  property(outname="host" name="hostname" format="jsonf")
  property(outname="app" name="app-name" format="jsonf")
  property(outname="kind" name="msgid" format="jsonf")
  property(outname="data" name="structured-data" format="jsonf")
  property(outname="text" name="msg" format="jsonf")
}}
ruleset(name="all") {{ action(type="omfile" file="{folder}/received" template="parts") }}
input(type="imptcp" address="127.0.0.1" port="{tcp}" ruleset="all")
input(type="imtcp" address="127.0.0.1" port="{tls}" ruleset="all")
input(type="imudp" address="127.0.0.1" port="{udp}" ruleset="all")
"""


class Rsyslog(PrivateProcess):
    """Debian's rsyslog in a folder of its own; what it made of each message is a line of JSON."""

    def __init__(self) -> None:
        super().__init__()
        self.ports = {scheme: free_port() for scheme in ("tcp", "tls", "udp")}
        authority, certificate, key = certificates()
        text = _CONFIGURATION.format(folder=self.folder, **self.ports)
        self.write({"ca.pem": authority, "cert.pem": certificate, "key.pem": key, "conf": text.encode()})

    def run_again(self) -> None:
        """Start it; it may have been killed before."""
        (self.folder / "pid").unlink(missing_ok=True)
        self.start([RSYSLOGD, "-n", "-f", f"{self.folder}/conf", "-i", f"{self.folder}/pid"], ready=self._listens)

    def _listens(self) -> bool:
        for scheme in ("tls", "tcp"):
            try:
                socket.create_connection(("127.0.0.1", self.ports[scheme]), timeout=1).close()
            except OSError:
                return False
        return True

    def url(self, scheme: str) -> str:
        return f"{scheme}://127.0.0.1:{self.ports[scheme]}"

    @property
    def received(self) -> list[dict[str, str]]:
        """What is in its file; the last line may be cut where it was killed."""
        path = self.folder / "received"
        found = []
        for line in path.read_text().splitlines() if path.exists() else []:
            with suppress(json.JSONDecodeError):
                found.append(json.loads(line))
        return found


def certificates(host: str = "127.0.0.1") -> tuple[bytes, bytes, bytes]:
    """PEM of an authority, and of a certificate that it made out to `host` with its key."""
    authority_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    authority_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Lotus Test Authority")])
    own_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    authority = (
        _certificate(authority_name, authority_name, authority_key)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(authority_key, hashes.SHA256())
    )
    own = (
        _certificate(own_name, authority_name, key)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address(host))]), critical=False)
        .sign(authority_key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return authority.public_bytes(pem), own.public_bytes(pem), private


def _certificate(name, issuer, key):
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
    )


def server_context(folder: Path) -> tuple[ssl.SSLContext, Path]:
    """What a TLS receiver on 127.0.0.1 serves with, and the file of the authority that vouches for it."""
    authority, certificate, key = certificates()
    (folder / "ca.pem").write_bytes(authority)
    (folder / "both.pem").write_bytes(certificate + key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "both.pem")
    return context, folder / "ca.pem"
