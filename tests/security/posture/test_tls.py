"""TLS to the database: the live check asks PostgreSQL itself, and verify-full refuses a server that is not ours."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest.mock import patch

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from django.db import OperationalError
from django.db.utils import ConnectionHandler
from django.test import TestCase, override_settings

from koshflow.settings.stores import databases
from tests.security.posture.plants import found
from tests.services import postgres


def a_certificate() -> tuple[bytes, bytes]:
    """(Key, certificate) in PEM of a server at 127.0.0.1 that vouches for itself."""
    key = generate_private_key(SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    address = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(address, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, SHA256())
    )
    return (
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
        certificate.public_bytes(Encoding.PEM),
    )


@pytest.mark.real
@pytest.mark.debian_postgres
class TlsToTheDatabase(TestCase):
    """Against a PostgreSQL of its own that speaks TLS."""

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        key, certificate = a_certificate()
        names = {"ssl": "on", "ssl_key_file": "../server.key", "ssl_cert_file": "../server.crt"}
        cls.server = postgres(private=True, settings=names, files={"server.key": key, "server.crt": certificate})
        cls.addClassCleanup(cls.server.stop)
        folder = TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.ours, cls.foreign = Path(folder.name) / "ours.crt", Path(folder.name) / "foreign.crt"
        cls.ours.write_bytes(certificate)
        cls.foreign.write_bytes(a_certificate()[1])

    @contextmanager
    def connected(self, query: str) -> Iterator[None]:
        """The live rules look through a connection made with the product's own settings of `query`."""
        settings = databases(url=f"{self.server.url}?{query}", data_dir=Path())
        connection = ConnectionHandler(settings)["default"]
        try:
            with patch("security.posture.live.connection", connection), override_settings(ENVIRONMENT="production"):
                yield
        finally:
            connection.close()

    def test_a_verified_connection_is_silent(self):
        with self.connected(f"sslmode=verify-full&sslrootcert={self.ours}"):
            self.assertEqual(found(ids="KF.L001"), set())

    def test_a_connection_in_clear_is_found_though_the_server_could_do_tls(self):
        with self.connected("sslmode=disable"):
            self.assertEqual(found(ids="KF.L001"), {"KF.L001"})

    def test_a_server_that_our_authority_does_not_know_is_refused(self):
        with (
            self.connected(f"sslmode=verify-full&sslrootcert={self.foreign}"),
            self.assertLogs("security.posture", "WARNING"),
            self.assertRaisesMessage(AssertionError, OperationalError.__name__),
        ):
            found(ids="KF.L001")

    def test_a_role_above_every_right_is_found(self):
        with self.connected("sslmode=require"):
            self.assertEqual(found(ids="KF.L003"), set())
        with patch.object(self.server, "url", self.server.superuser_url), self.connected("sslmode=require"):
            self.assertEqual(found(ids="KF.L003"), {"KF.L003"})
