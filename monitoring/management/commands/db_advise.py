"""Says which indexes a database misses and which it could do without. It makes and drops none."""

import json
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError, connections

from monitoring.database import Advice, AdvisedIndex, advice


class Command(BaseCommand):
    help = "Advise on indexes by what was run on a database. Nothing is changed: run the lines you agree with yourself."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--alias", default="default", help="which database (default: default)")
        parser.add_argument("--json", dest="is_json", action="store_true", help="print one JSON document")

    def handle(self, *args: Any, alias: str, is_json: bool, **options: Any) -> None:
        if alias not in connections:
            raise CommandError(f"there is no database {alias}; there are: {', '.join(connections)}")
        try:
            given = advice(alias)
        except DatabaseError as error:
            raise CommandError(f"the database {alias} does not answer: {type(error).__name__}") from error
        if is_json:
            self.stdout.write(json.dumps(asdict(given), default=str))
            return
        self.stdout.write("\n".join(_lines(given)))


def _lines(given: Advice) -> list[str]:
    lines = [f"Database {given.alias} ({given.vendor}), by what was {given.source}:"]
    lines += [f"  note: {note}" for note in given.notes]
    lines += [f"  not read: statement {name}" for name in given.not_read]
    for number, index in enumerate(given.indexes, 1):
        lines += ["", *_index(number, index)]
    for one in given.upkeep:
        lines += [
            "",
            f"{one.kind}: {one.index} on {one.table} ({one.bytes / 1e6:.1f} MB): {one.reason}",
            f"  {one.sql}",
        ]
    repeated = [one for one in given.statements if one.repeats]
    for told in repeated:
        lines += ["", f"repeated: {told.repeats} requests ran {told.fingerprint} ten times or more"]
        lines += [f"  {told.route} from {told.call_site}", f"  {told.text[:300]}"]
    counts = f"{len(given.indexes)} to make, {len(given.upkeep)} to look at, {len(repeated)} repeated statements"
    return [*lines, "", f"{counts}. Nothing was changed."]


def _index(number: int, index: AdvisedIndex) -> list[str]:
    saved = f"estimate: {index.saves_ms:.0f} ms of the time watched"
    size = f", {index.size_bytes / 1e6:.1f} MB" if index.size_bytes else ""
    lines = [f"{number}. {index.table}: {index.reason} ({index.confidence}; {saved}{size})"]
    for one in index.serves:
        costs = f", cost {one.cost_before:g} -> {one.cost_after:g}" if one.cost_before else ""
        lines.append(f"   {one.fingerprint}: {one.calls} calls of {one.mean_ms:g} ms{costs}: {one.text[:200]}")
    lines += [f"   warning: {warning}" for warning in index.warnings]
    lines.append(f"   {index.sql}")
    lines += [f"   Meta.indexes: {index.meta}"] if index.meta else []
    lines += [f"   migration with atomic = False: {index.migration}"] if index.migration else []
    return lines
