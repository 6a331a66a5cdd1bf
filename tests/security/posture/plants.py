"""A sound production installation without a database, and faults to plant in it."""

import secrets
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from unittest.mock import patch

import time_machine
from django.conf import settings
from django.test import override_settings

from security.posture.registry import Reads, rules
from security.posture.services import audit_installation

REDIS = {
    "BACKEND": "django_redis.cache.RedisCache",
    "LOCATION": "rediss://:invented@cache.example.in:6379/0",
    "OPTIONS": {"SERIALIZER": "django_redis.serializers.json.JSONSerializer"},
}
POSTGRESQL = {
    "ENGINE": "django.db.backends.postgresql",
    "NAME": "koshflow",
    "HOST": "db.example.in",
    "PASSWORD": "invented",
    "ATOMIC_REQUESTS": False,
    "OPTIONS": {"sslmode": "verify-full"},
}


def found(*, reads: Reads | None = None, ids: str = "KF.") -> set[str]:
    """Ids of what is found by the rules that read `reads` and whose id begins with `ids`; each must answer."""
    asked = [rule for rule in rules() if reads in (None, rule.reads) and rule.id.startswith(ids)]
    report = audit_installation(asked)
    assert not report.troubles, report.troubles
    return {finding.id for finding in report.findings}


def configured() -> set[str]:
    """Ids of what the settings, files and packages show."""
    return found(reads=Reads.CONFIGURATION)


@contextmanager
def production(**more: object) -> Iterator[Path]:
    """Sound settings of production; the data folder, in which nothing lies."""
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        folder = home / "data"
        folder.mkdir(mode=0o700)
        values = {
            "ENVIRONMENT": "production",
            "SECRET_KEY": secrets.token_urlsafe(64),
            "OPERATOR_TOKEN": secrets.token_urlsafe(32),
            "ALLOWED_HOSTS": ["api.example.in"],
            "PUBLIC_URL": "https://api.example.in",
            "WEB_URL": "https://app.example.in",
            "SESSION_COOKIE_NAME": "__Host-sessionid",
            "CSRF_COOKIE_NAME": "__Host-csrftoken",
            "SESSION_COOKIE_SECURE": True,
            "CSRF_COOKIE_SECURE": True,
            "BCRYPT_ROUNDS": 14,
            "API_DOCS_PUBLIC": False,
            "EMAIL_BACKEND": "django.core.mail.backends.smtp.EmailBackend",
            "EMAIL_HOST": "mail.example.in",
            "EMAIL_USE_TLS": True,
            "CACHES": {"default": REDIS, "security": REDIS},
            "DATA_DIR": folder,
            "BASE_DIR": home,
        }
        stack.enter_context(time_machine.travel("2026-11-24T06:00:00Z", tick=False))
        stack.enter_context(patch.dict("os.environ", {"KEYRING_FILE": "", "SECRET_KEY_FILE": ""}))
        stack.enter_context(patch.dict(settings.DATABASES, default=POSTGRESQL))
        stack.enter_context(override_settings(**{**values, **more}))
        yield folder
