"""How each shell command of the documents is run, and what it must say: the table that `test_commands.py` walks."""

import json
import os
import re
import signal
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from accounts.audit.years import FinancialYear
from monitoring.channels.signing import key_of
from security.crypto.keyring import generate
from tests.docs.reader import Reader
from tests.koshflow.servers import ROOT
from tests.ports import free_port
from tests.security.siem.receivers import Receiver, indexes


def runs(*said: str, code: int = 0, **environment: str) -> Callable[[Reader, str], None]:
    """The block ends with `code` and says each of `said`, regular expressions; on stderr where it is refused."""

    def run(reader: Reader, text: str) -> None:
        ended = reader.paste(text, code=code, **environment)
        for words in said:
            assert re.search(words, ended.stderr if code else ended.stdout), (words, ended)

    return run


def answers(*expected: str) -> Callable[[Reader, str], None]:
    """The block's calls of curl are answered with these statuses and methods."""

    def run(reader: Reader, text: str) -> None:
        assert reader.paste(text).stderr.split("\n")[:-1] == list(expected)

    return run


def journey(reader: Reader, text: str) -> None:
    ended = reader.paste(text)
    statuses = ["201 POST", "200 POST", "200 GET", "200 POST", "200 POST", "401 GET"]
    assert ended.stderr.splitlines() == statuses, ended.stderr
    documents = [json.loads(line) for line in ended.stdout.splitlines()]  # each on a line of its own
    assert documents[1]["user"]["email"] == "asha@lotus.example.in"
    assert documents[-1]["code"] == "TOKEN_REVOKED"


def reviews(reader: Reader, text: str) -> None:
    """A server of today counted nothing last week; where Monday has begun since it was started, it may have."""
    today = datetime.now(UTC).date()
    monday = today - timedelta(days=today.weekday())
    if reader.began.date() < monday:
        ended = reader.paste(f"{{ {text} }} || test $? = 1")
        assert re.search("^Performance, week of|no request was counted in the week of", ended.stdout + ended.stderr)
    else:
        runs("no request was counted in the week of", code=1)(reader, text)


def unlocks(reader: Reader, text: str) -> None:
    """After five wrong passwords. Run again there is nothing to lift, which is an error."""
    guess = '{"email": "admin@localhost", "password": "wrong"}'
    for _ in range(5):
        reader.paste(f"curl -sS http://127.0.0.1:8000/api/auth/login -H 'Content-Type: application/json' -d '{guess}'")
    said = "admin@localhost: lock-outs lifted: 1, counters emptied: 2\n"
    assert reader.paste(text).stdout == said
    assert "no failed sign-ins stand against admin@localhost" in reader.paste(text, code=1).stderr


def serves(reader: Reader, text: str) -> None:
    """The server that all other blocks meet was begun by these words, on a folder with nothing in it."""
    assert "shown this once" in (reader.home / "pasted.log").read_text()


def fills_in_the_demonstration(reader: Reader, text: str) -> None:
    """On a folder and a port of its own: the reader's server goes on."""
    other = Reader(reader.home / "demonstration")
    with other.serving(text) as launch:
        password = re.search(r"the same in every demonstration: (\S+)", launch.output)[1]
        body = json.dumps({"email": "asha@kaveri.example.in", "password": password})
        other.paste(f"curl -sSf http://127.0.0.1:8000/api/auth/login -H 'Content-Type: application/json' -d '{body}'")


def is_understood(reader: Reader, text: str) -> None:
    """make knows what it would do; doing it would run this very test again."""
    assert "tests/run.py" in reader.paste(f"make --dry-run {text.strip().removeprefix('make ')}").stdout


def prepares_the_host(reader: Reader, text: str) -> None:
    """Folders and their modes really; the account and its ownership as root would be asked for them."""
    reader.paste(text, **reader.as_root())
    keys, data = reader.home / "etc", reader.home / "lib"
    assert [path.stat().st_mode & 0o777 for path in (keys, data)] == [0o750, 0o700]
    assert (reader.home / "root" / "done").read_text().splitlines() == [
        f"useradd --system --home-dir {data} --shell /usr/sbin/nologin koshflow",
        f"chown root:koshflow {keys}",
        f"chown koshflow:koshflow {data}",
    ]


def makes_keys(reader: Reader, text: str) -> None:
    """As on a server on which nothing is yet."""
    nothing = {"KOSHFLOW_DATA_DIR": str(reader.home / "nothing"), **reader.as_root()}
    reader.paste(text, **nothing)
    made = sorted((reader.home / "etc").iterdir())
    assert [path.name for path in made] == ["keyring.json", "secret_key"]
    assert [path.stat().st_mode & 0o077 for path in made] == [0, 0]
    assert len(made[1].read_text().strip()) >= 50
    given = f"chown koshflow:koshflow {made[1]} {made[0]}"
    assert (reader.home / "root" / "done").read_text().splitlines()[-1] == given
    with pytest.raises(AssertionError, match="a key ring is never replaced"):
        reader.paste(text, **nothing)


def released(reader: Reader, text: str) -> None:
    """Under local's settings: production's database must be reached by TLS, which a laptop has none of."""
    ended = reader.paste(text, KOSHFLOW_ENV="local")
    assert "Administrator omar@example.in created" in ended.stdout


def gunicorn_serves(reader: Reader, text: str) -> None:
    """Likewise, on what `make demo` made elsewhere."""
    other = Reader(reader.home / "demonstration")
    with other.serving(text, KOSHFLOW_ENV="local"):
        pass


def worker_wants_postgresql(reader: Reader, text: str) -> None:
    """What it does there, `tests/koshflow/test_worker.py` shows."""
    assert "the worker needs PostgreSQL" in reader.paste(text, code=78, KOSHFLOW_ENV="local").stderr


def on_servers(*said: str) -> Callable[[Reader, str], None]:
    """As `runs`, under local's settings: SQLite is one host too, and the server beside it goes on all the while."""
    return runs(*said, KOSHFLOW_ENV="local")


def makes_a_secret(reader: Reader, text: str) -> None:
    assert len(key_of(reader.paste(text).stdout)) == 32


def takes_this_years_pack(reader: Reader, text: str) -> None:
    year = str(FinancialYear.of(datetime.now(UTC)))
    runs(rf"^{year}, all companies .* written to ")(reader, text.replace("2026-27", year))


def serves_a_witness(reader: Reader, text: str) -> None:
    """On a port of its own, until it is stopped."""
    process = subprocess.Popen(
        ["bash", "-c", reader.here(text).replace(":8790", f":{free_port()}")],
        cwd=ROOT,
        env=reader.environment,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        assert process.stdout.readline().startswith("Listening on http://127.0.0.1:")
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        assert process.communicate(timeout=60)[0] == "Stopped.\n"


def seals_what_another_ring_marked(reader: Reader, text: str) -> None:
    """After a command that ran with the ring of another installation."""
    other = reader.home / "etc" / "other-keyring.json"
    other.write_text(generate())
    other.chmod(0o600)
    reader.paste(_MANAGE + "security_audit", code=1, KEYRING_FILE=str(other))  # what waits is not under its key
    refused = reader.paste(_MANAGE + "audit_seal", code=1).stderr
    assert re.search(r"event \S+ waits under audit_mac key [0-9a-f]{8}, which the key ring lacks", refused), refused
    runs("adopted as retired", "events sealed; the signed tree has", " removed", r"\nProved\.\n$")(reader, text)
    other.unlink()


def forwards(*said: str) -> Callable[[Reader, str], None]:
    """To a receiver that is there."""

    def run(reader: Reader, text: str) -> None:
        receiver = Receiver()
        ended = reader.paste(text, AUDIT_SYSLOG=f"tcp://127.0.0.1:{receiver.port}")
        assert indexes(receiver.end())[0] == 0
        for words in said:
            assert re.search(words, ended.stdout), (words, ended.stdout)

    return run


def dumps(reader: Reader, text: str) -> None:
    """What pg_dump and pg_restore make of a real database, `tests/monitoring/backups/test_page.py` shows."""
    programs = reader.home / "dump"
    programs.mkdir()
    (reader.home / "lib-backups").mkdir()
    for name, body in (("pg_dump", 'for last; do :; done\necho dump > "${last#--file=}"\n'), ("pg_restore", "")):
        (programs / name).write_text(f"#!/bin/sh\n{body}")
        (programs / name).chmod(0o755)
    ended = reader.paste(text, KOSHFLOW_ENV="local", PATH=f"{programs}:{reader.environment['PATH']}")
    assert re.search(r"^nightly: last backup \S+Z, 5 bytes\n$", ended.stdout), ended.stdout


_MANAGE = "KOSHFLOW_ENV=local .venv/bin/python manage.py "
_WITNESS = _MANAGE + "audit_witness --folder /var/lib/koshflow-witness "
_RETENTION = _MANAGE + "audit_retention"
_PLAN = "01937c5e-0000-7000-8000-000000000001"
_PROPOSE = " --propose --operator omar@example.in --code 123456 --reason TICKET-4713"
_APPROVE = f" --approve {_PLAN} --operator ivy@example.in --code 123456"
_PACK = _MANAGE + "auditor_pack --fy 2026-27 --output var/auditor-pack.zip --reason TICKET-4712"
_ADOPT = _MANAGE + "keys_rotate audit --step adopt --from /etc/koshflow/other-keyring.json"
_STEP = ".venv/bin/python manage.py keys_rotate kek --step "
START = ("README.md", "make run")
# In this order, on one installation: each block may build upon those before it.
BLOCKS: dict[tuple[str, str], Callable[[Reader, str], None]] = {
    START: serves,
    ("README.md", "make demo"): fills_in_the_demonstration,
    ("README.md", "make test"): is_understood,
    ("README.md", "BASE=http://127.0.0.1:8000"): journey,
    ("docs/alerts.md", _MANAGE + "alert_list"): runs("."),
    ("docs/alerts.md", _MANAGE + "alert_silence --rule long_query --hours 2 --reason TICKET-4712"): runs(
        r"^silence \S+ stands: long_query until "
    ),
    ("docs/alerts.md", 'echo "whsec_$(head -c 32 /dev/urandom | base64)"'): makes_a_secret,
    ("docs/alerts.md", "ALERT_MAIL_TO=ops@example.in " + _MANAGE + "alert_test mail"): runs(
        "^mail: the receiver took it\n$"
    ),
    ("docs/audit-log.md", _MANAGE + "audit_verify"): runs(r"\nProved\.\n$"),
    ("docs/audit-log.md", _MANAGE + "audit_seal"): runs("signed tree has [1-9]", r"\n— 127\.0\.0\.1.*\n\nkey: "),
    ("docs/audit-log.md", _MANAGE + "audit_export var/bundle.zip --reason TICKET-4712"): runs(
        "signed events written to ", r"\nEvents 0 to \d+ are whole\."
    ),
    ("docs/audit-log.md", _PACK): takes_this_years_pack,
    ("docs/audit-log.md", _WITNESS + "--init witness.example.in"): runs(r"^witness\.example\.in\+[0-9a-f]{8}\+B"),
    ("docs/audit-log.md", "LOG_KEY=$(" + _MANAGE + "audit_checkpoint | sed -n 's/^key: //p')"): runs(
        "are cosigned from"
    ),
    ("docs/audit-log.md", _WITNESS + "--serve 127.0.0.1:8790"): serves_a_witness,
    ("docs/audit-log.md", _MANAGE + "audit_forward"): forwards(r"^[1-9]\d* events sent; .* are forwarded to tcp://"),
    ("docs/audit-log.md", _MANAGE + "audit_forward --from 0 --reason TICKET-4712"): forwards(r"^[1-9]\d* events sent"),
    ("docs/audit-log.md", _ADOPT): seals_what_another_ring_marked,
    ("docs/audit-log.md", _RETENTION): runs("Dry run, nothing was changed", r"\nnoise +180 days +180 days .* 0 +0\n"),
    ("docs/audit-log.md", _RETENTION + _PROPOSE): runs("nothing is old enough to go", code=1),
    ("docs/audit-log.md", _RETENTION + _APPROVE): runs("there is no plan", code=1),
    ("docs/audit-log.md", _RETENTION + f" --run {_PLAN}"): runs("there is no plan", code=1),
    ("docs/audit-log.md", _RETENTION + " --hold CASE-12"): runs(r"^hold \S+: nothing of the log goes"),
    ("docs/backups.md", "set -euo pipefail"): dumps,
    ("docs/backups.md", "("): runs(r"^laptop: last backup \S+Z, [\d,]{6,} bytes\n$"),
    ("docs/backups.md", _MANAGE + "backup_note --status"): runs(r"^nightly: last .*\nlaptop: last .* bytes\n$"),
    ("docs/backups.md", _MANAGE + "backup_note laptop --forget --dry-run"): runs(
        "^dry run, nothing was changed; would be forgotten: laptop: last ", r"\nforgotten: laptop: last .*\n$"
    ),
    ("docs/database.md", _MANAGE + "db_advise"): runs(r"^Database default \(sqlite\)", r"Nothing was changed\.\n$"),
    ("docs/watching.md", _MANAGE + "performance_review"): reviews,
    ("docs/keys.md", _MANAGE + "keys_rotate --status"): runs(
        r"use +id +state", r"\nkek +1 +active ", r"\nring [0-9a-f]{16};"
    ),
    ("docs/keys.md", _MANAGE + "keys_rotate kek"): runs("rows brought under kek key 2", "kek key 1 removed"),
    ("docs/keys.md", _STEP + "add"): on_servers("kek key 3 added as next", r"\nkek +3 +next "),
    ("docs/keys.md", _STEP + "activate"): on_servers("kek key 3 is active"),
    ("docs/keys.md", _STEP + "rewrap"): on_servers("rows brought under kek key 3"),
    ("docs/keys.md", _STEP + "remove"): on_servers("kek key 2 removed"),
    ("docs/keys.md", _MANAGE + "subject_erase asha@lotus.example.in"): runs(
        "would be erased, with values in the audit log: ",
        r"dry run, nothing was changed",
        r"\nperson \S+ erased, with values ",
    ),
    (
        "docs/keys.md",
        _MANAGE + "subject_hold place admin@localhost --basis dispute --until 2030-12-31 --reason CASE-12",
    ): runs(r"^dispute hold \S+ placed on \S+, until 2030-12-31\n", r"\ndispute hold .*: CASE-12\n$"),
    ("docs/logs.md", _MANAGE + "logs_prune --days 365 --most-mb 2000"): runs(
        "dry run, nothing was deleted; 0 files", "nothing is old enough to go"
    ),
    # Without a token of its own the reader's server lets nobody read them.
    ("docs/metrics.md", 'curl -sS http://127.0.0.1:8000/metrics -H "Authorization: Bearer $OPERATOR_TOKEN"'): answers(
        "401 GET"
    ),
    (
        "docs/operations.md",
        _MANAGE + "staff_create --email admin@localhost --name 'First Administrator' --role Administrator",
    ): runs("^Administrator admin@localhost was there and has never signed in; .*, shown this once: K\\S+\n$"),
    ("docs/operations.md", "BASE=http://127.0.0.1:8000"): answers("202 POST", "200 POST"),
    ("docs/operations.md", _MANAGE + "account_recover --email admin@localhost --dry-run"): runs(
        "^dry run, nothing was changed; admin@localhost: no second factor is on, sessions that would end: 0\n",
        r"\nadmin@localhost: no second factor was on, sessions ended: 0\n$",
    ),
    ("docs/operations.md", _MANAGE + "account_unlock admin@localhost"): unlocks,
    (
        "docs/operations.md",
        "useradd --system --home-dir /var/lib/koshflow --shell /usr/sbin/nologin koshflow",
    ): prepares_the_host,
    ("docs/operations.md", "make .venv/.runtime"): makes_keys,
    ("docs/operations.md", ".venv/bin/python manage.py check --deploy"): released,
    ("docs/operations.md", ".venv/bin/python -m gunicorn -c python:koshflow.gunicorn_conf koshflow.wsgi"): (
        gunicorn_serves
    ),
    ("docs/operations.md", ".venv/bin/python -m koshflow.worker"): worker_wants_postgresql,
    ("docs/operations.md", "curl -sS http://127.0.0.1:8000/health/live; echo"): answers("200 GET", "200 GET"),
    ("docs/operations.md", _MANAGE + 'shell -v 0 -c "'): runs("'sent': 2"),
}
