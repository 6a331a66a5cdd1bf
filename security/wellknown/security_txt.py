"""`security.txt` (RFC 9116): whom to tell of a weakness, and until when this file may be believed."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from django.core.checks import CheckMessage, Tags, Warning, register  # noqa: A004 - Django's name
from django.utils import timezone

CONTACT = "mailto:security@koshflow.com"
# The day of this release, moved with each: an installation nobody has updated for a year should not vouch for whom
# to write to (RFC 9116 §2.5.5 asks for less than a year).
RELEASED_ON = date(2026, 11, 24)
LIFETIME = timedelta(days=360)
LEAST_DAYS = 30


def expires_at() -> datetime:
    """When the file stops being good; it is the same on every installation of a release."""
    return datetime.combine(RELEASED_ON, time(), UTC) + LIFETIME


def security_txt(*, public_url: str) -> str:
    """The file's text. `public_url` is how this server is reached, without a slash at its end."""
    fields = (
        ("Contact", CONTACT),
        ("Expires", expires_at().strftime("%Y-%m-%dT%H:%M:%SZ")),
        ("Preferred-Languages", "en, hi"),
        ("Canonical", f"{public_url}/.well-known/security.txt"),
        ("Policy", f"{public_url}/security-policy"),
    )
    return "".join(f"{name}: {value}\n" for name, value in fields)


@register(Tags.security)
def check_expiry(app_configs: Sequence[Any] | None, **_: Any) -> list[CheckMessage]:  # noqa: ARG001 - Django's signature
    """Says so in good time, before finders of weaknesses are told not to believe the file."""
    days = (expires_at() - timezone.now()).days
    if days >= LEAST_DAYS:
        return []
    return [
        Warning(
            f"security.txt is good for {days} more days." if days > 0 else "security.txt has expired.",
            hint="Install a newer release. Its makers: RELEASED_ON in security/wellknown/security_txt.py is its day.",
            id="koshflow.W002",
        )
    ]
