"""What the audit log costs: an act's event, eight writers beside a chain, sealing and verifying."""

import json

from tests.performance.stand import Bench

ADDED_MS = 1.0
WRITERS_RATIO = 2.0
SEAL_SECONDS = 1.0
VERIFY_SECONDS = 60.0


def audit(bench: Bench) -> None:
    """On PostgreSQL, in one process, but the writers. Sealing by 10,000 events, verifying by a million."""
    form = bench.form
    arguments = (str(form.audit_events), str(form.audit_pairs), str(form.slice_seconds))
    taken = json.loads(bench.product.run("tests.performance.audit_log", *arguments).splitlines()[-1])
    added, writers, events = taken["added_ms"], taken["writers"], taken["events"]
    bench.show("audit_added_ms", added, judged=added, at_most=ADDED_MS, rounds=form.audit_pairs)
    bench.show("audit_writers", writers, judged=writers["ratio"], at_least=WRITERS_RATIO, rounds=3)
    seal, verify = taken["seal_10000_s"], taken["verify_million_s"]
    bench.show("audit_seal_10000_s", seal, judged=seal, at_most=SEAL_SECONDS, rounds=1, events=events)
    told = {name: taken[name] for name in ("verify_million_cpu_s", "verify_grew_mb", "events")}
    bench.show("audit_verify_million_s", verify, judged=verify, at_most=VERIFY_SECONDS, rounds=1, **told)
