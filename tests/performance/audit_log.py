"""What the audit log costs, in one process on the product's stores: an act's event, sealing, verifying.

    python -m tests.performance.audit_log PAIRS [EVENTS MILLISECONDS]

Prints one JSON object: with PAIRS alone, an act's event only; where MILLISECONDS is 0, nothing of writers. Those are
processes, as in a server; the chain they are compared with is the same event behind a lock that the whole cluster
shares, which reads the event before it: what a chain of hashes must do.
"""

import json
import logging
import multiprocessing
import os
import resource
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from itertools import islice
from statistics import median

from koshflow.wsgi import application  # noqa: F401  (sets Django up, as for a server)

# isort: split
from django.db import connection, transaction
from uuid_utils.compat import uuid7

from accounts.identity.models import User
from security.audit import ADDRESS_FIELD, Action, AuditEvent, AuditPii, record
from security.audit.disclosure import seal_value
from security.audit.leaf import SALT_BYTES, commitment, leaf_hash, window_mac
from security.context import Client, RequestContext, bind
from security.crypto import SubjectKey, keyring
from security.tlog import seal_pending, verify_log

WRITERS = 8
_REQUEST = RequestContext(request_id="req-bench", client=Client(address="203.0.113.9", user_agent="curl/8"))
_LOCK = 4711


def main(pairs: int, events: int = 0, milliseconds: int = 0) -> dict[str, object]:
    logging.disable(logging.WARNING)
    user = User.objects.select_related("subject", "company__subject").filter(company__isnull=False).earliest("id")
    seal_pending()
    measured: dict[str, object] = {"added_ms": added(user, pairs)}
    if not events:
        return measured
    if milliseconds:
        measured["writers"] = writers(milliseconds / 1000)
        seal_pending()
    fill(events)
    started = time.perf_counter()
    sealed = seal_pending().events
    measured["seal_10000_s"] = round((time.perf_counter() - started) * 10_000 / sealed, 2)
    size = AuditEvent.objects.count()
    before, started, cpu = _peak_mb(), time.perf_counter(), _cpu()
    report = verify_log(processes=None)
    assert report.exit_code == 0, report
    seconds, cpu = time.perf_counter() - started, _cpu() - cpu
    return measured | {
        "verify_s": round(seconds, 1),
        "verify_million_s": round(seconds * 1_000_000 / size, 1),
        "verify_million_cpu_s": round(cpu * 1_000_000 / size, 1),
        "verify_grew_mb": _peak_mb() - before,
        "other_mb": _peak_mb(resource.RUSAGE_CHILDREN),  # the greatest of the processes that looked too
        "events": size,
    }


def added(user: User, pairs: int) -> float:
    """Milliseconds that an event adds to a transaction of one UPDATE: the median over alternating pairs."""
    differences = []
    for _ in range(pairs):
        alone, told = _timed(user, is_told=False), _timed(user, is_told=True)
        differences.append(told - alone)
    return round(median(differences) * 1000, 3)


def _timed(user: User, *, is_told: bool) -> float:
    started = time.perf_counter()
    _act(user, is_told=is_told)
    return time.perf_counter() - started


def _act(user: User, *, is_told: bool = True, is_chained: bool = False) -> None:
    with bind(_REQUEST), transaction.atomic():
        User.objects.filter(pk=user.pk).update(last_login=datetime.now(UTC))
        if is_chained and connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
        if is_chained:
            AuditEvent.objects.order_by("-id").values_list("leaf_hash", flat=True).first()
        if is_told:
            record(Action.PROFILE_UPDATED, actor=user.subject, target=user.subject, data={"fields": ["phone"]})


def writers(seconds: float) -> dict[str, float]:
    """Transactions a second of 8 writers, with the tree and with a chain, in alternating rounds; and their ratio."""
    rounds = [(_rate(seconds, is_chained=False), _rate(seconds, is_chained=True)) for _ in range(3)]
    tree, chain = (median(side) for side in zip(*rounds, strict=True))
    return {"tree": tree, "chain": chain, "ratio": round(median(one / other for one, other in rounds), 2)}


def _rate(seconds: float, *, is_chained: bool) -> float:
    people = list(User.objects.select_related("subject").filter(company__isnull=False)[:WRITERS])
    connection.close()
    fork = multiprocessing.get_context("fork")
    counts = fork.Queue()

    def write(user: User) -> None:
        connection.close()
        _act(user)
        done, ends_at = 0, time.monotonic() + seconds
        while time.monotonic() < ends_at:
            _act(user, is_chained=is_chained)
            done += 1
        connection.close()
        counts.put(done)
        counts.close()
        counts.join_thread()
        os._exit(0)

    processes = [fork.Process(target=write, args=(user,)) for user in people]
    for process in processes:
        process.start()
    total = sum(counts.get(timeout=60) for _ in processes)
    for process in processes:
        process.join(60)
    return round(total / seconds)


def fill(events: int) -> None:
    """Put events of one person into the log that differ in nothing but id, time and what hides the client's address."""
    person = SubjectKey.objects.issue()
    with bind(_REQUEST), transaction.atomic():
        pattern = record(Action.PROFILE_UPDATED, actor=person, target=person, data={"fields": ["phone", "name"]})
    made = _events(pattern, person, events)
    while chunk := list(islice(made, 2000)):
        stored = AuditEvent.objects.bulk_create(event for event, _ in chunk)
        AuditPii.objects.bulk_create(
            AuditPii(event=event, field=ADDRESS_FIELD, subject=person.pk, ciphertext=cell)
            for event, (_, cell) in zip(stored, chunk, strict=True)
        )


def _events(pattern: AuditEvent, person: SubjectKey, number: int) -> Iterator[tuple[AuditEvent, bytes]]:
    key, address = keyring().active("audit_mac"), _REQUEST.client.address
    columns = ("type", "audit_class", "outcome", "occurred_at", "session_id", "request_id", "actor", "target")
    said = pattern.parsed_leaf()
    for _ in range(number):
        salt = os.urandom(SALT_BYTES)
        pii = {ADDRESS_FIELD: commitment(name=ADDRESS_FIELD, value=address, salt=salt)}
        leaf = replace(said, id=uuid7(), occurred_at=datetime.now(UTC), pii=pii)
        encoded = leaf.encode()
        digest = leaf_hash(encoded)
        event = AuditEvent(
            leaf=encoded,
            leaf_hash=digest,
            mac=window_mac(key=key.secret, digest=digest, node=leaf.node),
            mac_key=key.id,
            event_id=leaf.id,
            address_index=pattern.address_index,
            address_key=pattern.address_key,
            **{name: getattr(leaf, name) for name in columns},
        )
        yield event, seal_value(event_id=leaf.id, field=ADDRESS_FIELD, salt=salt, value=address, subject=person)


def _peak_mb(whose: int = resource.RUSAGE_SELF) -> int:
    return resource.getrusage(whose).ru_maxrss // 1024


def _cpu() -> float:
    """Seconds of this process and of those that it started and that have ended."""
    return sum(os.times()[:4])


if __name__ == "__main__":
    print(json.dumps(main(*map(int, sys.argv[1:]))))
