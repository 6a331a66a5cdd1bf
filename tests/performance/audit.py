"""What the audit log costs: an act's event, eight writers beside a chain, sealing and verifying."""

import json
from typing import Any

from tests.performance.servers import Project, product
from tests.performance.stand import CHEAP_ROUNDS, Bench

ADDED_MS = 1.0  # on both stores: decision 33
WRITERS_RATIO = 2.0
SEAL_SECONDS = 1.0
VERIFY_SECONDS = 60.0


def audit(bench: Bench) -> None:
    """On PostgreSQL, in one process, but the writers; an act's event on SQLite too, whose file lies in the folder.

    Sealing by 10,000 events, verifying by a million: a shorter log's time many times over, the start of processes too.
    """
    form = bench.form
    folder = bench.folder / "sqlite"
    small = product(
        database_url=f"sqlite:///{folder}/db.sqlite3", redis_url="", folder=folder, bcrypt_rounds=CHEAP_ROUNDS
    )
    small.environment |= {"WEB_WORKERS": "1"}
    small.migrate_and_seed("tests.performance.seed", sessions=2, filler=0)
    added = _measured(small, form.audit_pairs)["added_ms"]
    bench.show("audit_added_sqlite_ms", added, judged=added, at_most=ADDED_MS, rounds=form.audit_pairs)
    taken = _measured(bench.product, form.audit_pairs, form.audit_events, round(form.slice_seconds * 1000))
    added, writers = taken["added_ms"], taken["writers"]
    bench.show("audit_added_ms", added, judged=added, at_most=ADDED_MS, rounds=form.audit_pairs)
    bench.show("audit_writers", writers, judged=writers["ratio"], at_least=WRITERS_RATIO, rounds=3)
    _show_sealed_and_verified(bench, taken)


def audit_million(bench: Bench) -> None:
    """Sealing and verifying a log that has a million events."""
    _show_sealed_and_verified(bench, _measured(bench.product, 1, bench.form.audit_million))


def _show_sealed_and_verified(bench: Bench, taken: Any) -> None:
    seal, verify, events = taken["seal_10000_s"], taken["verify_million_s"], taken["events"]
    bench.show("audit_seal_10000_s", seal, judged=seal, at_most=SEAL_SECONDS, rounds=1, events=events)
    told = {name: taken[name] for name in ("verify_s", "verify_million_cpu_s", "verify_grew_mb", "other_mb", "events")}
    bench.show("audit_verify_million_s", verify, judged=verify, at_most=VERIFY_SECONDS, rounds=1, **told)


def _measured(project: Project, *arguments: int) -> Any:
    return json.loads(project.run("tests.performance.audit_log", *map(str, arguments)).splitlines()[-1])
