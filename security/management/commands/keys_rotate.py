"""Rotates the keys of one use, step by step, while the product runs."""

import json
import time
from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from security.crypto import KeyRing, KeyRingInvalid
from security.crypto.keyring import LOOK_EVERY_SECONDS, USES
from security.keys import ALIASES, STEPS, USES_IN_WORDS, Done, KeyStanding, Rotation, StepRefused, standings
from security.operator_account import operator_name

# Two looks of a running server at the file.
PICK_UP_SECONDS = 2 * LOOK_EVERY_SECONDS


class Command(BaseCommand):
    help = (
        "Rotate the keys of one use. With --step: one step, after which the ring goes to every host before the next. "
        "Without: on a single machine with SQLite, all that can be done now, in order. See docs/keys.md."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("use", nargs="?", help=USES_IN_WORDS)
        parser.add_argument("--step", choices=STEPS)
        parser.add_argument("--from", dest="other", type=Path, help="adopt: the file of the ring that has the keys")
        parser.add_argument("--status", action="store_true", help="show each key, its state and the rows that need it")
        parser.add_argument("--json", action="store_true", help="with --status: as JSON")
        parser.add_argument("--dry-run", action="store_true", help="check and say, change nothing")
        parser.add_argument("--out", type=Path, help="write the changed ring to this new file instead of its own")
        parser.add_argument("--batch", type=int, default=500, help="rows in one transaction (500)")
        parser.add_argument(
            "--force",
            action="store_true",
            help="jwt, pepper: do not wait. Tokens of a removed key are refused, its passwords must be reset",
        )

    def handle(self, *args: Any, use: str | None, **options: Any) -> None:
        if options["json"] and not options["status"]:
            # Before anything is done: a program that waits for JSON must not have rotated a key by the way.
            raise CommandError("--json is a form of --status; leave it out, or add --status")
        if use is not None and use not in ALIASES:
            raise CommandError(f"no key has the use {use}; name one: {USES_IN_WORDS}")
        rotation = Rotation(
            use=ALIASES[use] if use else "",
            operator=operator_name(),
            out=options["out"],
            other=options["other"],
            is_dry=options["dry_run"],
            is_forced=options["force"],
        )
        try:
            if options["status"]:
                self.show(rotation.ring(), uses=(rotation.use,) if use else USES, as_json=options["json"])
            elif not use:
                raise CommandError(f"name a use: {USES_IN_WORDS}; or ask for --status")
            elif options["step"]:
                self.say(self.step(rotation, options["step"], batch=max(1, options["batch"])), rotation)
            else:
                self.go_through(rotation, batch=max(1, options["batch"]))
        except StepRefused as error:
            raise CommandError(str(error)) from error
        except KeyRingInvalid as error:
            raise CommandError(f"{settings.KEYRING_FILE}: {error}; put the ring back from your copy") from error
        except OSError as error:
            where = error.filename or settings.KEYRING_FILE
            raise CommandError(
                f"cannot write {where}: {error.strerror}; run as the account that owns the ring, "
                "or name a new file with --out"
            ) from error

    def step(self, rotation: Rotation, name: str, *, batch: int) -> Done:
        steps: dict[str, Callable[[], Done]] = {
            "add": rotation.add,
            "activate": rotation.activate,
            "rewrap": lambda: rotation.rewrap(batch=batch, tell=lambda p: self.stdout.write(f"{p.seen} rows seen ...")),
            "remove": rotation.remove,
            "adopt": rotation.adopt,
        }
        return steps[name]()

    def go_through(self, rotation: Rotation, *, batch: int) -> None:
        """Finish the rotation that is under way, or else begin one and go as far as can be gone now."""
        if settings.IS_POSTGRESQL:
            raise StepRefused(
                "other hosts may share this database, and must have each ring before the next; go on with --step, "
                "as docs/keys.md shows"
            )
        states = {key.state for key in rotation.ring().all(rotation.use)}
        if states == {"active"}:
            self.say(rotation.add(), rotation)
            if rotation.is_dry:
                self.stdout.write("after it would come: activate, rewrap, remove")
                return
            states.add("next")
            wait(PICK_UP_SECONDS)
        if "next" in states:
            if not self.as_far_as_now(rotation.activate, rotation):
                return
            wait(PICK_UP_SECONDS)
        self.say(self.step(rotation, "rewrap", batch=batch), rotation)
        self.as_far_as_now(rotation.remove, rotation)

    def as_far_as_now(self, step: Callable[[], Done], rotation: Rotation) -> bool:
        """Whether the step could be done. If not that is no failure here: the rotation waits, and says for what."""
        try:
            self.say(step(), rotation)
        except StepRefused as reason:
            self.stdout.write(f"{reason}. Then run this again, which goes on from here.")
            return False
        return True

    def say(self, done: Done, rotation: Rotation) -> None:
        prefix = "dry run, nothing was changed; it would say: " if rotation.is_dry else ""
        self.stdout.write(prefix + done.sentence)

    def show(self, ring: KeyRing, *, uses: tuple[str, ...], as_json: bool) -> None:
        rows = standings(ring, uses=uses)
        if as_json:
            keys = [{name: _plain(value) for name, value in asdict(row).items()} for row in rows]
            self.stdout.write(json.dumps({"fingerprint": ring.fingerprint(), "keys": keys}, indent=1))
            return
        table = [("use", "id", "state", "created", "since", "rows"), *(_cells(row) for row in rows)]
        widths = [max(len(cells[at]) for cells in table) for at in range(len(table[0]))]
        for cells in table:
            self.stdout.write("  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip())
        self.stdout.write(f"ring {ring.fingerprint()}; the same on every host when all have it")


def wait(seconds: float) -> None:
    """Let a server that runs beside us take up the ring."""
    time.sleep(seconds)


def _cells(row: KeyStanding) -> tuple[str, ...]:
    if row.use == "jwt":
        rows = f"tokens live until {row.free_at:%Y-%m-%d %H:%M} UTC" if row.free_at else "-"
    else:
        rows = str(row.rows)
    return (row.use, row.id, row.state, _day(row.created), _day(row.since), rows)


def _day(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M}" if moment else "-"


def _plain(value: Any) -> Any:
    return value.isoformat().replace("+00:00", "Z") if isinstance(value, datetime) else value
