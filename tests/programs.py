"""Programs of other people by which tests prove something, and what stays unproved where one is missing."""

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.services import postgres_binaries

GO_SOURCES = Path("/usr/share/gocode")
# Programs for administrators, which stand where others' PATH does not lead.
RSYSLOGD, NGINX = (shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin") for name in ("rsyslogd", "nginx"))


def _is_debians_postgres_here() -> bool:
    binaries = postgres_binaries()
    return binaries is not None and binaries.origin != "wheel"


def _is_go_here() -> bool:
    return shutil.which("go") is not None and (GO_SOURCES / "src" / "golang.org" / "x" / "mod").is_dir()


@dataclass(frozen=True, slots=True)
class Program:
    """What the tests of a marker need; `reason` they are skipped for, and `unproved` what a run then did not show."""

    marker: str
    is_here: Callable[[], bool]
    reason: str
    unproved: str


PROGRAMS = (
    Program(
        "debian_postgres",
        _is_debians_postgres_here,
        "only Debian's PostgreSQL can prove it (apt-get install postgresql)",
        "on the wheel: TLS to the database, hypopg, pg_dump",
    ),
    Program(
        "promtool",
        lambda: shutil.which("promtool") is not None,
        "only promtool can prove it (apt-get install prometheus)",
        "without promtool: rules and metrics as Prometheus reads them",
    ),
    Program(
        "go",
        _is_go_here,
        "Go is not here (apt-get install golang-go golang-golang-x-mod-dev)",
        "without Go: the audit log as Go's x/mod/sumdb reads it",
    ),
    Program(
        "rsyslog",
        lambda: RSYSLOGD is not None,
        "rsyslog is not here (apt-get install rsyslog rsyslog-gnutls)",
        "without rsyslog: the audit log as a receiver that is not ours takes it",
    ),
    Program(
        "nginx",
        lambda: NGINX is not None,
        "nginx is not here (apt-get install nginx-light)",
        "without nginx: slow clients behind the proxy",
    ),
)
