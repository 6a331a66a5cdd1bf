"""Brings database, static files and the first administrator up to this release.

Loaded after `django.setup()`.
"""

import hashlib
import os
import sys
from pathlib import Path

from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from accounts.identity.models import User
from accounts.staff import StaffRole, create_staff, has_staff
from koshflow.refusal import Refusal
from koshflow.static_config import StaticFilesConfig
from koshflow.variables import ROOT
from security.crypto import DecryptionFailed, SubjectKey, UnknownKey

FIRST_ADMINISTRATOR = "admin@localhost"


def prepare_installation() -> None:
    """Bring database and static files up to this release. Raises Refusal; the caller words what the database says."""
    try:
        _migrate()
        _check_keys_fit()
        _collect_static()
    except OSError as error:
        raise Refusal(f"cannot write {error.filename} ({error.strerror}); free the disk or fix its mode.") from error


def _migrate() -> None:
    executor = MigrationExecutor(connection)
    if executor.migration_plan(executor.loader.graph.leaf_nodes()):
        _say("Preparing the database ...")
        call_command("migrate", interactive=False, verbosity=0)


def _check_keys_fit() -> None:
    subject = SubjectKey.objects.filter(destroyed_at__isnull=True).first()
    try:
        if subject is not None:
            subject.data_key()
    except (UnknownKey, DecryptionFailed) as error:
        raise Refusal(
            "the key ring does not open what is in the database; put back the ring it was made with."
        ) from error


def _collect_static() -> None:
    """Collect static files when they differ from the last complete collection: it takes seconds, looking does
    not.
    """
    stamp = settings.DATA_DIR / "static.fingerprint"
    fingerprint = _static_fingerprint()
    if stamp.exists() and stamp.read_text() == fingerprint and settings.STATIC_ROOT.is_dir():
        return
    _say("Collecting static files ...")
    stamp.unlink(missing_ok=True)
    call_command("collectstatic", interactive=False, clear=True, verbosity=0)
    stamp.write_text(fingerprint)


def _static_fingerprint() -> str:
    digest = hashlib.sha256(settings.VERSION.encode())
    for finder in get_finders():
        for path, storage in finder.list(StaticFilesConfig.ignore_patterns):
            stat = Path(storage.path(path)).stat()
            digest.update(f"{path}|{stat.st_size}|{stat.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def introduce_administrator() -> None:
    """Make the first administrator and print their password; else, until they have signed in, how to get another.

    Called last: nothing may scroll the password away.
    """
    page = f"{settings.PUBLIC_URL}/admin/"
    if not has_staff():
        staff = create_staff(email=FIRST_ADMINISTRATOR, name="First Administrator", role=StaffRole.ADMINISTRATOR)
        _say(
            "",
            f"  First administrator: {FIRST_ADMINISTRATOR}",
            f"  Password, shown this once: {staff.password}",
            f"  Sign in at {page}: it first has you set up the second factor with an authenticator app.",
            "",
        )
    elif User.objects.filter(email=FIRST_ADMINISTRATOR, last_login__isnull=True).exists():
        again = f"staff_create --email {FIRST_ADMINISTRATOR} --name 'First Administrator' --role Administrator"
        # The data folder too: without it the command would act on another installation. DATABASE_URL holds a
        # password and is not printed.
        environment = f"KOSHFLOW_ENV={os.environ['KOSHFLOW_ENV']} KOSHFLOW_DATA_DIR={settings.DATA_DIR}"
        _say(
            f"{FIRST_ADMINISTRATOR} has not signed in at {page} yet. Password lost? "
            f"{environment} {sys.executable} {ROOT / 'manage.py'} {again}"
        )


def _say(*lines: str) -> None:
    sys.stdout.write("\n".join(lines) + "\n")
    sys.stdout.flush()
