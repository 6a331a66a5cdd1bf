"""Rules of sign-in and access that a setting may have loosened, and how the product logs."""

import logging
from collections.abc import Iterable
from typing import Any

from django.conf import settings

from security.posture.registry import Fault, Severity, finding

LEAST_ROUNDS = 12
LONGEST_ACCESS_SECONDS = 15 * 60
LONGEST_SESSION_SECONDS = 7 * 24 * 3600
MOST_GUESSES = 10
SHORTEST_LOCK_SECONDS = 15 * 60


@finding(
    "KF.S022",
    severity=Severity.HIGH,
    title="Password hashes are cheap",
    why="Stolen hashes are tried faster, each step of the cost by half.",
    remedy="Set BCRYPT_ROUNDS to 12 or more (14 is the default); hashes are renewed as people sign in.",
    production_only=True,
)
def hashes_are_cheap() -> Iterable[Fault]:
    if settings.BCRYPT_ROUNDS < LEAST_ROUNDS:
        yield Fault("BCRYPT_ROUNDS", f"BCRYPT_ROUNDS is {settings.BCRYPT_ROUNDS}")


@finding(
    "KF.S023",
    severity=Severity.MEDIUM,
    title="Tokens or sessions live too long",
    why="What is stolen works until it ends.",
    remedy="Keep access tokens within 15 minutes and sessions within 7 days.",
)
def lifetimes_are_long() -> Iterable[Fault]:
    limits = {"ACCESS_TOKEN_SECONDS": LONGEST_ACCESS_SECONDS, "SESSION_ABSOLUTE_SECONDS": LONGEST_SESSION_SECONDS}
    for name, longest in limits.items():
        if getattr(settings, name) > longest:
            yield Fault(name, f"{name} is {getattr(settings, name)}, more than {longest}")


@finding(
    "KF.S024",
    severity=Severity.HIGH,
    title="Passwords may be guessed too often",
    why="A lock-out that comes late or lifts soon leaves room for a dictionary.",
    remedy="Keep LOCKOUT_LIMIT within 10 and LOCKOUT_WINDOW_SECONDS at 900 or more.",
)
def lockout_is_loose() -> Iterable[Fault]:
    if settings.LOCKOUT_LIMIT > MOST_GUESSES:
        yield Fault("LOCKOUT_LIMIT", f"LOCKOUT_LIMIT is {settings.LOCKOUT_LIMIT}")
    if settings.LOCKOUT_WINDOW_SECONDS < SHORTEST_LOCK_SECONDS:
        yield Fault("LOCKOUT_WINDOW_SECONDS", f"LOCKOUT_WINDOW_SECONDS is {settings.LOCKOUT_WINDOW_SECONDS}")


@finding(
    "KF.S025",
    severity=Severity.CRITICAL,
    title="An endpoint that says nothing is open to everyone",
    why="A view that forgot its permission would answer strangers, or take a cookie for a sign-in.",
    remedy="Keep security.rbac.SignedIn as default permission, and BearerAuthentication as the only authentication.",
)
def endpoints_are_open() -> Iterable[Fault]:
    framework: dict[str, Any] = settings.REST_FRAMEWORK
    permissions = framework.get("DEFAULT_PERMISSION_CLASSES", [])
    if "security.rbac.SignedIn" not in permissions:
        yield Fault("DEFAULT_PERMISSION_CLASSES", "the default permission does not ask for a sign-in")
    for name in framework.get("DEFAULT_AUTHENTICATION_CLASSES", ["every default of the framework"]):
        if not name.endswith(".BearerAuthentication"):
            yield Fault(name, f"{name} is a default authentication")


@finding(
    "KF.S026",
    severity=Severity.MEDIUM,
    title="A check of ours is silenced",
    why="`manage.py check` no longer says what it guards.",
    remedy="Take the id out of SILENCED_SYSTEM_CHECKS and mend what it reports.",
)
def checks_are_silenced() -> Iterable[Fault]:
    for id_ in settings.SILENCED_SYSTEM_CHECKS:
        if id_.startswith(("KF.", "koshflow.")):
            yield Fault(id_, f"SILENCED_SYSTEM_CHECKS holds {id_}")


@finding(
    "KF.S027",
    severity=Severity.MEDIUM,
    title="Every detail is logged",
    why="At this level libraries log statements and headers, with what people sent in them.",
    remedy="Set LOG_LEVEL to INFO.",
    production_only=True,
)
def logging_is_verbose() -> Iterable[Fault]:
    level = settings.LOGGING["root"]["level"]
    if logging.getLevelNamesMapping().get(str(level).upper(), logging.DEBUG) < logging.INFO:
        yield Fault("LOG_LEVEL", f"LOG_LEVEL is {level}")
