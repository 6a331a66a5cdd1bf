"""Secrets and keys: guessable, shared between uses, unreadable, or too old. It never repeats one."""

from collections.abc import Iterable
from datetime import timedelta

from django.conf import settings
from django.utils import timezone

from security.crypto import KeyRing, KeyRingInvalid, keyring
from security.posture.registry import Fault, NotVerified, Severity, finding

LEAST_SECRET_CHARACTERS = 50
LEAST_TOKEN_CHARACTERS = 32
# Different characters. Random hex of that length holds fewer once in ten million times.
LEAST_VARIETY = 10
LEAST_TOKEN_VARIETY = 8
OLDEST_KEY = timedelta(days=400)  # rotated each year, with a month to get round to it
_TELL_TALE = ("django-insecure", "changeme", "change-me", "change_me", "test-only", "secret", "password", "example")


def _weakness(text: str, *, characters: int, variety: int) -> str:
    """Why `text` may be guessed; "" when it looks random. Says nothing of what it holds."""
    if len(text) < characters:
        return f"is shorter than {characters} characters"
    if any(word in text.lower() for word in _TELL_TALE):
        return "is a default or an example"
    if len(set(text)) < variety:
        return "repeats few characters: it was not drawn at random"
    return ""


@finding(
    "KF.S011",
    severity=Severity.CRITICAL,
    title="The signing key of cookies can be guessed",
    why="Whoever has SECRET_KEY makes a session of the admin for anybody.",
    remedy="Put 64 random bytes into SECRET_KEY: python3 -c 'import secrets; print(secrets.token_urlsafe(64))'.",
    production_only=True,
)
def secret_key_is_weak() -> Iterable[Fault]:
    for name, value in (("SECRET_KEY", settings.SECRET_KEY), *_fallbacks()):
        weakness = _weakness(value, characters=LEAST_SECRET_CHARACTERS, variety=LEAST_VARIETY)
        if weakness:
            yield Fault(name, f"{name} {weakness}")


def _fallbacks() -> list[tuple[str, str]]:
    return [(f"SECRET_KEY_FALLBACKS[{at}]", str(text)) for at, text in enumerate(settings.SECRET_KEY_FALLBACKS)]


@finding(
    "KF.S012",
    severity=Severity.HIGH,
    title="The operators' token can be guessed",
    why="It opens health details and metrics from anywhere.",
    remedy="Put 32 random bytes or more into OPERATOR_TOKEN, or leave it empty.",
    production_only=True,
)
def operator_token_is_weak() -> Iterable[Fault]:
    if not settings.OPERATOR_TOKEN:
        return
    weakness = _weakness(settings.OPERATOR_TOKEN, characters=LEAST_TOKEN_CHARACTERS, variety=LEAST_TOKEN_VARIETY)
    if weakness:
        yield Fault("OPERATOR_TOKEN", f"OPERATOR_TOKEN {weakness}")


@finding(
    "KF.S013",
    severity=Severity.HIGH,
    title="One secret serves two uses",
    why="Who learns it by one use has the other too.",
    remedy="Make a secret of its own for each.",
    production_only=True,
)
def secrets_are_shared() -> Iterable[Fault]:
    database = settings.DATABASES["default"].get("PASSWORD", "")
    secrets = {
        "SECRET_KEY": settings.SECRET_KEY,
        "OPERATOR_TOKEN": settings.OPERATOR_TOKEN,
        "the password in DATABASE_URL": database,
    }
    seen: dict[str, str] = {}
    for name, value in secrets.items():
        if value and value in seen:
            yield Fault(name, f"{seen[value]} and {name} are the same")
        seen.setdefault(value, name)


@finding(
    "KF.S014",
    severity=Severity.CRITICAL,
    title="The key ring is not fit for use",
    why="Nothing sealed can be read and no token signed.",
    remedy="Put the ring back from your copy; each use needs exactly one active key.",
    production_only=True,
)
def key_ring_is_unfit() -> Iterable[Fault]:
    try:
        KeyRing.parse(settings.KEYRING)
    except KeyRingInvalid as error:
        yield Fault("KEYRING", f"KEYRING: {error}")


@finding(
    "KF.S015",
    severity=Severity.MEDIUM,
    title="An active key is old",
    why="The longer a key serves, the more lies behind it and the more copies of it exist.",
    remedy="Rotate it: manage.py keys_rotate and its use, one step after the other.",
    production_only=True,
)
def keys_are_old() -> Iterable[Fault]:
    now = timezone.now()
    try:
        ring = keyring()
    except KeyRingInvalid as error:
        raise NotVerified("the key ring cannot be read") from error
    for key in ring.keys:
        days = (now - key.created).days
        if key.state == "active" and days > OLDEST_KEY.days:
            yield Fault(f"{key.use} {key.id}", f"the active {key.use} key {key.id} was made {days} days ago")
