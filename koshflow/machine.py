"""What a launch needs of this machine before any code of the product can load: a port, a folder, keys."""

import errno
import os
import secrets
import socket
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from koshflow.instance import server_lock
from koshflow.refusal import FOLDER_IN_USE, STORES_NOT_SHARED, Refusal
from security.crypto.keyring import KeyRing, KeyRingInvalid
from security.crypto.ring_file import write_fresh_ring

_OTHERS = 0o077
# Commands that open neither database nor key ring, and those that are how one makes them.
_NEED_NOTHING = frozenset(
    {
        "",
        "audit_witness",
        "check",
        "collectstatic",
        "diffsettings",
        "findstatic",
        "help",
        "keys_init",
        "spectacular",
        "version",
    }
)
_MAKE_THE_DATABASE = frozenset({"migrate"})
# Commands of Django that know neither our roles nor our log, and what to do in their place.
_REPLACED = {
    "createsuperuser": "makes nobody here; use manage.py staff_create --email EMAIL --name NAME --role Administrator",
    "flush": "would empty the audit log, which the database refuses; remove the database instead",
}


def prepare_machine(values: Mapping[str, Any]) -> tuple[str, Path]:
    """Check or make port, folder and keys for the environment `values`; the server's URL and the folder.

    Raises Refusal.
    """
    os.umask(_OTHERS)
    host, port = read_address()
    folder = Path(values["KOSHFLOW_DATA_DIR"]).absolute()
    if not values["REDIS_URL"] and os.access(server_lock(folder).path, os.R_OK | os.W_OK):
        # Before the port: where our own server has it, as `make demo` beside `make run`, another would not do.
        check_folder_is_unused(folder)
    check_port_is_free(host, port)
    ensure_data_folder(folder)
    if values["WEB_WORKERS"] > 1 and not (values["DATABASE_URL"] and values["REDIS_URL"]):
        raise Refusal(STORES_NOT_SHARED)
    if not values["REDIS_URL"]:
        check_folder_is_unused(folder)
    if values["KOSHFLOW_ENV"] == "local":
        ensure_keys(folder, values)
    announce_address(host, port)
    return url_of(host, port), folder


def read_address() -> tuple[str, int]:
    """HOST and PORT, with their defaults put into the environment for the server. Raises Refusal."""
    host, text = os.environ.setdefault("HOST", "127.0.0.1"), os.environ.setdefault("PORT", "8000")
    if not text.isascii() or not text.isdigit() or not 0 < int(text) < 65536:
        raise Refusal(f"PORT must be a number from 1 to 65535, not {text!r}.")
    return host, int(text)


def check_port_is_free(host: str, port: int) -> None:
    """Raises Refusal where nobody could listen on `host` and `port`."""
    try:
        family, kind, proto, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, proto) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except socket.gaierror as error:
        raise Refusal(f"HOST {host!r} is no address of this machine.") from error
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise Refusal(
                f"port {port} on {host} is taken; stop the other program, or choose another port: "
                f"PORT={port + 1} make run"
            ) from error
        raise Refusal(f"cannot listen on {host} port {port}: {error.strerror}; set HOST or PORT.") from error


def ensure_data_folder(folder: Path) -> None:
    """Make the data folder with mode 0700, or see that it is one. Raises Refusal."""
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        stat = folder.stat()
        if stat.st_mode & _OTHERS and stat.st_uid == os.geteuid() and not any(folder.iterdir()):
            folder.chmod(0o700)  # somebody made it for us a moment ago; nothing lies in it yet
        elif stat.st_mode & _OTHERS:
            raise Refusal(f"the data folder {folder} is open to others; run: chmod 700 {folder}")
        trial = folder / f".write-test-{os.getpid()}"
        trial.touch()
        trial.unlink()
    except OSError as error:
        raise Refusal(_unusable(folder, error)) from error


def _unusable(folder: Path, error: OSError) -> str:
    """What stands in the way of the data folder, and what to do about that."""
    otherwise = "set KOSHFLOW_DATA_DIR to a folder of your own."
    nearest = next(path for path in (folder, *folder.parents) if os.path.lexists(path))
    if not nearest.is_dir():
        return f"the data folder cannot be {folder}: {nearest} is no folder; move it away, or {otherwise}"
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"the disk of the data folder {folder} is full; free some of it, or {otherwise}"
    if nearest != folder:
        return f"cannot make the data folder {folder} in {nearest} ({error.strerror}); make it yourself, or {otherwise}"
    return f"cannot write in the data folder {folder} ({error.strerror}); make it yours, or {otherwise}"


def check_folder_is_unused(folder: Path) -> None:
    """Raises Refusal where another server keeps its cache in itself beside the same data."""
    lock = server_lock(folder)
    if not lock.acquire():
        raise Refusal(FOLDER_IN_USE.format(folder=folder))
    lock.release()  # the server itself takes it


def ensure_keys(folder: Path, values: Mapping[str, Any]) -> None:
    """Make the cookie secret and the key ring in `folder`, unless they are given or there. Raises Refusal.

    Both appear whole or not at all. A database without its keys gets none: fresh ones would make everything
    in it unreadable for good.
    """
    secret, ring = folder / "secret_key", folder / "keyring.json"
    if not values["SECRET_KEY"] and not secret.exists():
        draft = secret.with_suffix(".new")
        draft.write_text(secrets.token_urlsafe(64))
        draft.rename(secret)
    if values["KEYRING"]:
        return
    if not ring.exists():
        if not values["DATABASE_URL"] and (folder / "koshflow.sqlite3").exists():
            raise _keys_lost(folder)
        draft = ring.with_suffix(".new")
        draft.unlink(missing_ok=True)
        write_fresh_ring(draft)
        draft.rename(ring)
    try:
        KeyRing.parse(ring.read_text())
    except KeyRingInvalid as error:
        raise Refusal(f"{ring} is damaged ({error}); put it back from your copy.") from error


def check_is_not_replaced(arguments: Sequence[str]) -> None:
    """Raises Refusal where something else stands in the place of the command that `arguments` name.

    Asked first, in every environment: without a terminal Django's own says that it was skipped, and ends with 0.
    """
    command = next(iter(arguments), "")
    if command in _REPLACED:
        raise Refusal(f"{command} {_REPLACED[command]}")


def check_is_text(arguments: Sequence[str]) -> None:
    """Raises Refusal where one of `arguments` is not UTF-8, which neither a table nor an audit event can hold."""
    for place, argument in enumerate(arguments, start=1):
        try:
            argument.encode()
        except UnicodeEncodeError as error:  # Python keeps such a byte as half a character
            raise Refusal(f"argument {place} is not text in UTF-8; write it so, also where it names a file.") from error


def check_is_installed(values: Mapping[str, Any], *, arguments: Sequence[str]) -> None:
    """Raises Refusal where `manage.py` with `arguments` would find nothing on a laptop.

    It must not begin either: SQLite makes the file it is asked to open, and the next launch would take that
    for a database whose keys are lost.
    """
    command = next(iter(arguments), "")
    is_asked_of_itself = command.startswith("-") or {"-h", "--help"} & set(arguments)
    if values["KOSHFLOW_ENV"] != "local" or command in _NEED_NOTHING or is_asked_of_itself:
        return
    folder = Path(values["KOSHFLOW_DATA_DIR"]).absolute()
    has_keys = values["KEYRING"] or (folder / "keyring.json").exists()
    has_database = values["DATABASE_URL"] or (folder / "koshflow.sqlite3").exists()
    if has_database and not has_keys and not values["DATABASE_URL"]:
        raise _keys_lost(folder)
    if not has_keys or not (has_database or command in _MAKE_THE_DATABASE):
        raise Refusal(
            f"nothing is installed in {folder} yet, and {command} needs it; run `make run` once, "
            "or set KOSHFLOW_DATA_DIR to the folder of your installation."
        )


def _keys_lost(folder: Path) -> Refusal:
    return Refusal(
        f"{folder} has a database but not its keys; put {folder / 'keyring.json'} back from your copy, "
        "or set another KOSHFLOW_DATA_DIR to begin anew."
    )


def announce_address(host: str, port: int) -> None:
    """Let links and the check of the Host header follow HOST and PORT, unless they are set."""
    os.environ.setdefault("PUBLIC_URL", url_of(host, port))
    if host not in ("127.0.0.1", "0.0.0.0", "::", "::1"):  # noqa: S104  # nosec
        os.environ.setdefault("ALLOWED_HOSTS", f"localhost,127.0.0.1,[::1],{host}")


def url_of(host: str, port: int) -> str:
    """URL of the server at `host` and `port`."""
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
