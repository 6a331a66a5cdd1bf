"""What only the running installation shows: its connection, clock, rights, and rows that should not be there.

Asked by the command alone: a system check never queries a database.
"""

import os
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import connection
from django.db.models import Count
from django.utils import timezone

from security.audit import AuditEvent
from security.crypto import SubjectKey, keyring
from security.lockout import CredentialCounter, full
from security.outbox import OutboxMessage
from security.posture.registry import Fault, NotVerified, Reads, Severity, finding
from security.posture.stores import is_by_socket
from security.siem import standing
from security.tlog import oldest_pending
from security.trail import triggers_not_in_place

MOST_CLOCK_SECONDS = 5.0
MOST_LOCKS = 20
MOST_FORWARD_LAG = timedelta(minutes=15)
MOST_SEAL_LAG = timedelta(minutes=15)
_LIVE = Reads.INSTALLATION


def _one(sql: str) -> Any:
    """The one value of a query on PostgreSQL. Raises NotVerified where there is no row."""
    with connection.cursor() as cursor:
        cursor.execute(sql)
        row = cursor.fetchone()
    if row is None:
        raise NotVerified("the database does not tell")
    return row[0]


def is_connection_encrypted() -> bool:
    """Whether this very connection runs over TLS, as the server sees it."""
    return bool(_one("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"))


def is_role_superuser() -> bool:
    """Whether the role we connect as is above every right."""
    return bool(_one("SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user"))


def database_time() -> datetime:
    """The database host's clock."""
    told: datetime = _one("SELECT clock_timestamp()")
    return told


def offset_seconds(*, before: datetime, there: datetime, after: datetime) -> float:
    """By how much `there`, read between `before` and `after`, differs for certain; 0 when it lies between them."""
    if there < before:
        return (before - there).total_seconds()
    return max(0.0, (there - after).total_seconds())


@finding(
    "KF.L001",
    severity=Severity.HIGH,
    title="The database connection runs in clear",
    why="Whatever the settings say, the server reports no TLS for this connection (pg_stat_ssl).",
    remedy="Say sslmode=verify-full in DATABASE_URL, and look for a proxy on the way that ends TLS.",
    reads=_LIVE,
    production_only=True,
)
def connection_is_in_clear() -> Iterable[Fault]:
    if connection.vendor != "postgresql" or is_by_socket(connection.settings_dict):
        return
    if not is_connection_encrypted():
        yield Fault("database", "pg_stat_ssl says ssl = false for our connection")


@finding(
    "KF.L002",
    severity=Severity.HIGH,
    title="The clocks of this host and of the database differ",
    why="Tokens end too soon or too late, second-factor codes fail, and the audit log's times lie.",
    remedy="Let both hosts follow one time source (chrony, systemd-timesyncd).",
    reads=_LIVE,
)
def clocks_differ() -> Iterable[Fault]:
    if connection.vendor != "postgresql":  # an embedded database has the host's own clock
        return
    before = timezone.now()
    there = database_time()
    offset = offset_seconds(before=before, there=there, after=timezone.now())
    if offset > MOST_CLOCK_SECONDS:
        yield Fault("clock", f"the database's clock differs by at least {offset:.0f} seconds")


@finding(
    "KF.L003",
    severity=Severity.HIGH,
    title="The product's database role stands above every right",
    why="One injected statement could then read files of the database host, or drop what guards the audit log.",
    remedy="Connect as a role made with NOSUPERUSER and NOBYPASSRLS.",
    reads=_LIVE,
    production_only=True,
)
def role_is_superuser() -> Iterable[Fault]:
    if connection.vendor == "postgresql" and is_role_superuser():
        yield Fault("database role", "the role is a superuser, or bypasses row security")


@finding(
    "KF.L004",
    severity=Severity.HIGH,
    title="The process runs as root",
    why="A hole in the product is then a hole in the whole host.",
    remedy="Run server, worker and commands under an account of their own.",
    reads=_LIVE,
    production_only=True,
)
def process_is_root() -> Iterable[Fault]:
    if os.geteuid() == 0:
        yield Fault("process", "the effective user is root")


@finding(
    "KF.L005",
    severity=Severity.MEDIUM,
    title="The process may change its own code",
    why="Whoever gets a file written stays in after the next restart.",
    remedy="Let another account own the code, and the service read it only.",
    reads=_LIVE,
    production_only=True,
)
def code_is_writable() -> Iterable[Fault]:
    for path in (settings.BASE_DIR, settings.BASE_DIR / "manage.py"):
        if os.access(path, os.W_OK):
            yield Fault(path.name if path.suffix else "code folder", "this account may write there")


@finding(
    "KF.L006",
    severity=Severity.MEDIUM,
    title="Messages to people were given up",
    why="A warning about a stolen session or a changed password never reached its owner.",
    remedy="Mend the mail relay; the reason stands beside each message's kind here.",
    reads=_LIVE,
)
def messages_are_dead() -> Iterable[Fault]:
    rows = OutboxMessage.objects.dead().values("channel", "kind", "last_error").annotate(count=Count("pk"))
    for row in rows.order_by("channel", "kind", "last_error"):
        where = f"{row['channel']} {row['kind']}"
        yield Fault(f"{where} {row['last_error']}".strip(), f"{row['count']} given up")


@finding(
    "KF.L007",
    severity=Severity.MEDIUM,
    title="Many sign-ins are locked out at once",
    why="Somebody tries passwords on many accounts, or locks people out on purpose.",
    remedy="Look at session.locked_out in the audit log, and close the door to where it comes from.",
    reads=_LIVE,
)
def locks_are_many() -> Iterable[Fault]:
    locked = CredentialCounter.objects.filter(full(), expires_at__gt=timezone.now()).count()
    if locked > MOST_LOCKS:
        yield Fault("lock-outs", f"{locked} stand now")


@finding(
    "KF.L008",
    severity=Severity.CRITICAL,
    title="Sealed data has lost its key",
    why="Phone numbers, GSTIN, PAN and second factors of these people cannot be opened.",
    remedy="Put back the key ring that holds this key-encryption key.",
    reads=_LIVE,
)
def keys_are_missing() -> Iterable[Fault]:
    known = {int(key.id) for key in keyring().all("kek")}
    for version, count in _living_keys():
        if version not in known:
            yield Fault(f"kek {version}", f"{count} keys of people are wrapped under kek {version}, which is gone")


@finding(
    "KF.L009",
    severity=Severity.LOW,
    title="Keys of people are still wrapped under an older key",
    why="The key that was to be replaced is still needed, so its loss or theft still hurts.",
    remedy="Finish the rotation: manage.py keys_rotate kek says the next step.",
    reads=_LIVE,
)
def keys_are_not_rewrapped() -> Iterable[Fault]:
    ring = keyring()
    active, known = int(ring.active("kek").id), {int(key.id) for key in ring.all("kek")}
    for version, count in _living_keys():
        if version != active and version in known:
            yield Fault(f"kek {version}", f"{count} keys of people are wrapped under kek {version}, not {active}")


@finding(
    "KF.L010",
    severity=Severity.HIGH,
    title="The database does not guard the audit log",
    why=(
        "A trigger that refuses to change what was recorded, or notes what is written, is missing, switched off, or "
        "not the one it was; or a trigger, a rule or a policy that is not ours can have it note nothing."
    ),
    remedy=(
        "Ask who may change the schema, and run audit_verify. manage.py migrate puts our triggers back; drop by hand "
        "what is not ours."
    ),
    reads=_LIVE,
)
def guards_are_off() -> Iterable[Fault]:
    for name in triggers_not_in_place():
        yield Fault(name, f"not as it was put in place: {name}")


@finding(
    "KF.L011",
    severity=Severity.HIGH,
    title="The audit log does not reach the SIEM",
    why="Who watches there sees nothing of an attack that goes on, and takes the silence for peace.",
    remedy="Mend the receiver or AUDIT_SYSLOG; manage.py audit_forward says what is wrong, and sends what waits.",
    reads=_LIVE,
)
def log_is_not_forwarded() -> Iterable[Fault]:
    now = timezone.now()
    told = standing(now)
    if told is None:
        return
    waiting = f"{told.size - told.next_index} events wait"
    if told.failing_since:
        yield Fault("AUDIT_SYSLOG", f"since {told.failing_since:%Y-%m-%d %H:%M} UTC {told.last_error}; {waiting}")
    elif told.lag > MOST_FORWARD_LAG:
        yield Fault("AUDIT_SYSLOG", f"nothing is sent: {waiting}; does the schedule run?")


@finding(
    "KF.L012",
    severity=Severity.HIGH,
    title="The audit log is not sealed",
    why="Until an event is sealed, whoever has the database and our key ring may change it without a trace.",
    remedy=(
        "manage.py audit_seal says what is wrong. An event under a key that is not ours was written by another "
        "installation or by a stranger: docs/audit-log.md says how to tell which."
    ),
    reads=_LIVE,
)
def log_is_not_sealed() -> Iterable[Fault]:
    ours, waiting = {key.id for key in keyring().all("audit_mac")}, AuditEvent.objects.filter(tree_index=None)
    for key_id in waiting.order_by().values_list("mac_key", flat=True).distinct():
        if key_id not in ours:
            yield Fault(f"audit_mac {key_id}", f"events wait under audit_mac key {key_id}, which the key ring lacks")
    since = oldest_pending()
    if since and timezone.now() - since > MOST_SEAL_LAG:
        yield Fault("audit log", f"events wait since {since:%Y-%m-%d %H:%M} UTC; does the schedule run?")


def _living_keys() -> Iterable[tuple[int, int]]:
    """(Version of the key-encryption key, number of keys wrapped under it) of keys that were not destroyed."""
    living = SubjectKey.objects.filter(destroyed_at__isnull=True).order_by("kek_version")
    return living.values_list("kek_version").annotate(count=Count("pk"))
