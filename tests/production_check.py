"""`make check`: Django's deployment checks under production's settings, and no migration missing.

Production settings are given by name here and nowhere else; the secrets are made for the run and forgotten.
"""

import os
import secrets
import subprocess
import sys
import tempfile
from pathlib import Path

from security.crypto.keyring import generate

ROOT = Path(__file__).resolve().parents[1]


def production_environment(data_dir: str) -> dict[str, str]:
    """A complete, well-formed production environment; nothing in it is reachable."""
    inherited = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return inherited | {
        "KOSHFLOW_ENV": "production",
        "KOSHFLOW_DATA_DIR": data_dir,
        "SECRET_KEY": secrets.token_urlsafe(48),
        "KEYRING": generate(),
        "ALLOWED_HOSTS": "api.example.in",
        "PUBLIC_URL": "https://api.example.in",
        "WEB_URL": "https://app.example.in",
        "DATABASE_URL": "postgres://koshflow:invented@db.example.in:5432/koshflow?sslmode=verify-full",
        "REDIS_URL": "rediss://:invented@cache.example.in:6379/0",
        "EMAIL_URL": "submission://mailer:invented@mail.example.in:587",
    }


def run(*arguments: str, environment: dict[str, str]) -> int:
    """Exit code of `manage.py` with `arguments`; what it runs is printed first."""
    print("manage.py", *arguments, flush=True)
    command = [sys.executable, "manage.py", *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode


def main() -> int:
    with tempfile.TemporaryDirectory() as data_dir:
        production = production_environment(data_dir)
        testing = {**os.environ, "KOSHFLOW_ENV": "test", "KOSHFLOW_DATA_DIR": data_dir}
        codes = [
            run("check", "--deploy", "--fail-level", "WARNING", environment=production),
            run("makemigrations", "--check", "--dry-run", environment=testing),
        ]
    return max(codes)


if __name__ == "__main__":
    sys.exit(main())
