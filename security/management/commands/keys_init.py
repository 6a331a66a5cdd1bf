"""Makes the key ring of a new installation."""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from security.crypto.ring_file import write_fresh_ring


class Command(BaseCommand):
    help = "Write a fresh key ring to a file (mode 0600). Refuses to replace a file."
    requires_system_checks = ()  # a new installation cannot pass them before it has its keys

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("path", type=Path, help="file to create; name it in KEYRING_FILE")

    def handle(self, *args: Any, path: Path, **options: Any) -> None:
        try:
            write_fresh_ring(path)
        except FileExistsError as error:
            raise CommandError(
                f"{path} exists; a key ring is never replaced: use the one that is there, or name another file"
            ) from error
        except OSError as error:
            raise CommandError(
                f"cannot write {path}: {error.strerror}; make its folder, or name a file that this account may write"
            ) from error
        self.stdout.write(f"Key ring written to {path}; keep a copy apart from the backups of the database.")
