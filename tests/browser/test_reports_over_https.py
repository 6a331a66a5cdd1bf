"""Over HTTPS browsers tell of violations by `report-to`. (That they do so over plain HTTP, by `report-uri`, is at the
end of `test_every_admin_page`.)

Chromium sends nothing by `report-to` over plain HTTP, nor over HTTPS with a certificate that somebody told it to pass
over (Playwright's `ignore_https_errors`): here it is told to trust the one key.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from tests.browser.product import Product, running_product
from tests.browser.visitor import another, visitor

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

REPORT = ("script-src-elem", "inline", "/")


def self_signed(path: Path) -> str:
    """Write certificate and key to `path`; the fingerprint by which Chromium is told to trust the key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "koshflow-tests")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    own = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path.write_bytes(own + certificate.public_bytes(Encoding.PEM))
    public = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(sha256(public).digest()).decode()


@pytest.fixture
def secure(tmp_path) -> Iterator[tuple[Product, str]]:
    """The product over HTTPS, and the fingerprint of its key."""
    certificate = tmp_path / "certificate.pem"
    fingerprint = self_signed(certificate)
    with running_product(tmp_path, certificate=certificate) as running:
        yield running, fingerprint


def test_a_violation_is_reported_by_report_to(chromium, secure):
    product, fingerprint = secure
    flags = (f"--ignore-certificate-errors-spki-list={fingerprint}", "--short-reporting-delay")
    with another(chromium, *flags) as trusting:
        person = visitor(trusting, product.url)
        assert person.open("/") == 200
        assert not person.plants_a_script()
        assert product.has_noted(REPORT)
        assert product.policy_reports() == [REPORT]
        # By `report-uri` it would have been a request of the page.
        assert not [address for address in person.asked if address.endswith("/csp-report")]
