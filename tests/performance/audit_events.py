"""Puts a year of believable events into the product's audit log by COPY, for the figures of the auditors' list.

    python -m tests.performance.audit_events EVENTS

On PostgreSQL, into a log that is empty but for the seed. Events come at the pace of five million a year and end now, so
that an hour holds as many in a short log as in a long one. They have the bytes of events and stand in no tree: what is
measured is finding them.
"""

import hashlib
import os
import random
import sys
from bisect import bisect
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from typing import Any
from uuid import UUID

from koshflow.wsgi import application  # noqa: F401  (sets Django up, as for a server)

# isort: split
import psycopg
from psycopg import sql

from accounts.identity.models import User
from security.audit import Action, Leaf, Outcome
from security.audit.models import ADDRESS_FIELD
from security.crypto import blind_index
from security.crypto.keyring import keyring

PACE = timedelta(days=365) / 5_000_000
ADDRESSES = 20_000
# What a day of an accounting service is made of; every other action comes as often as OTHERS a million.
_OFTEN = {
    Action.SESSION_CREATED: 180_000,
    Action.RECORDS_CHANGED: 220_000,
    Action.SESSION_ENDED: 90_000,
    Action.SESSION_REFRESHED: 300_000,
    Action.SESSION_CREATE_REFUSED: 60_000,
    Action.PROFILE_UPDATED: 20_000,
    Action.ACCESS_TOKEN_REFUSED: 40_000,
    Action.LIST_VIEWED: 30_000,
}
_OTHERS = 600
_RARE = {Action.AUDIT_LOG_RECOVERED: 0, Action.KEYS_ACTIVATED: 1, Action.SUBJECT_ERASED: 2}
FAILED_OF = 4_000  # one event of so many failed
# Companies of the last share of people fell silent when a tenth of the year was over.
SILENT = 0.05
SILENT_AFTER = 0.1

# Those that no constraint needs.
_INDEXES = """
SELECT indexrelid::regclass::text, pg_get_indexdef(indexrelid) FROM pg_index i
WHERE indrelid = 'audit_event'::regclass AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = i.indexrelid)
"""
COLUMNS = (
    "leaf", "leaf_hash", "mac", "mac_key", "tree_index", "event_id", "type", "audit_class", "outcome", "occurred_at",
    "actor", "target", "company", "session_id", "request_id", "address_index", "address_key", "tx",
)  # fmt: skip


def fill(events: int) -> None:
    """Write `events` events; indexes are made once they are there, then VACUUM ANALYZE."""
    people = list(
        User.objects.filter(company__isnull=False).order_by("email").values_list("subject", "company__subject")
    )
    # A connection of its own: the product's gives up waiting after some seconds.
    with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as own:
        indexes = own.execute(_INDEXES).fetchall()
        own.execute("SET maintenance_work_mem = '512MB'")
        for name, _ in indexes:
            own.execute(sql.SQL("DROP INDEX {}").format(sql.Identifier(name)))
        with own.cursor().copy(f"COPY audit_event ({', '.join(COLUMNS)}) FROM STDIN") as copy:
            for lines in _lines(events, people=people):
                copy.write(lines)
        for _, definition in indexes:
            own.execute(definition)
        own.execute("VACUUM (ANALYZE) audit_event")


def _lines(events: int, *, people: Sequence[tuple[Any, Any]]) -> Iterator[str]:
    """Rows as COPY reads them, many at a time. `people` are pseudonyms, each with that of the company."""
    dice = random.Random(4712)
    silent_from = int(len(people) * (1 - SILENT))
    # The n-th person acts as often as 1/n: some companies fill pages a day, most a few in a month.
    by_person = list(accumulate(1 / (rank + 20) for rank in range(len(people))))
    often = {action: _OFTEN.get(action, _RARE.get(action, _OTHERS)) for action in Action}
    actions, by_action = list(often), list(accumulate(often.values()))
    patterns = {action: _pattern(action) for action in actions}
    addresses = [
        blind_index(table="audit_event", column=ADDRESS_FIELD, value=address_of(number)).hex()
        for number in range(ADDRESSES)
    ]
    by_address = list(accumulate(1 / (rank + 50) for rank in range(ADDRESSES)))
    mac_key, index_key = keyring().active("audit_mac").id, keyring().active("index").id
    mac = os.urandom(32).hex()
    begins = datetime.now(UTC) - events * PACE
    lines: list[str] = []
    for number in range(events):
        at = begins + number * PACE
        action = actions[bisect(by_action, dice.random() * by_action[-1])]
        who = bisect(by_person, dice.random() * by_person[-1])
        if who >= silent_from and number > events * SILENT_AFTER:
            who -= silent_from
        actor, company = people[who]
        noise = dice.getrandbits(128)
        event_id = UUID(int=int(at.timestamp() * 1000) << 80 | 7 << 76 | 2 << 62 | noise & (1 << 62) - 1)
        outcome = Outcome.FAILED.value if dice.randrange(FAILED_OF) == 0 else action.outcome.value
        leaf = patterns[action].replace(_NOBODY, str(event_id).encode())
        address = addresses[bisect(by_address, dice.random() * by_address[-1])]
        lines.append(
            f"\\\\x{leaf.hex()}\t\\\\x{hashlib.sha256(leaf).hexdigest()}\t\\\\x{mac}\t{mac_key}\t{number}"
            f"\t{event_id}\t{action.type}\t{action.audit_class.value}\t{outcome}\t{at.isoformat()}"
            f"\t{actor}\t{actor}\t{company}\t{noise:032x}\t{noise ^ _OTHER:032x}\t\\\\x{address}\t{index_key}"
            f"\t{number}@{at.timestamp():.6f}\n"
        )
        if len(lines) == 2_000:
            yield "".join(lines)
            lines.clear()
    yield "".join(lines)


def address_of(number: int) -> str:
    """Client address of the pool; the first is seen the most often."""
    return f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}"


_OTHER = 0x9E3779B97F4A7C15F39CC0605CEDC834  # what makes a request id of a session id
_NOBODY = b"00000000-0000-7000-8000-000000000000"


def _pattern(action: Action) -> bytes:
    """The bytes of an event of this kind; its id is _NOBODY."""
    named: Any = UUID(int=1)
    return Leaf(
        id=UUID(_NOBODY.decode()),
        occurred_at=datetime.now(UTC),
        audit_class=action.audit_class.value,
        type=action.type,
        outcome=action.outcome.value,
        actor=named,
        target=named,
        company=named,
        session_id="0" * 32,
        request_id="0" * 32,
        node="app-1",
        data={"agent": "firefox", "fields": ["phone", "name"]},
        pii={ADDRESS_FIELD: "A" * 44},
    ).encode()


if __name__ == "__main__":
    fill(int(sys.argv[1]))
