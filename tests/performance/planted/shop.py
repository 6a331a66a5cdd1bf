"""Shop: a file of SQLite's. Eleven statements miss an index and five do not; written before it was looked at."""

import random
import sqlite3
from dataclasses import dataclass

ORDERS, BUYERS, LINES = 60_000, 8_000, 120_000
SCHEMA = """
CREATE TABLE buyer (id integer PRIMARY KEY, email text, city text, name text, joined text, is_active bool);
CREATE TABLE "order" (id integer PRIMARY KEY, buyer_id integer REFERENCES buyer, state text, number text, made text,
  total integer, closed text);
CREATE TABLE line (id integer PRIMARY KEY, order_id integer REFERENCES "order", sku text, amount integer);
CREATE TABLE country (id integer PRIMARY KEY, code text, name text, is_open bool);
CREATE INDEX line_sku ON line (sku);
"""


@dataclass(frozen=True)
class Wanted:
    """A statement as it is recorded, values to judge it with, and the keys that an expert would index, by table."""

    text: str
    values: tuple[object, ...] = ()
    expert: tuple[str, ...] = ()
    calls: int = 20


_ORDER = 'SELECT "order"."id", "order"."total" FROM "order" WHERE '
WORKLOAD = (
    Wanted(
        'SELECT "buyer"."id", "buyer"."name" FROM "buyer" WHERE "buyer"."email" = $1', ("b77@x.in",), ("buyer (email)",)
    ),
    Wanted(f'{_ORDER}"order"."number" = $1', ("N00077",), ('"order" (number)',)),
    Wanted(f'{_ORDER}"order"."buyer_id" = $1', (77,), ('"order" (buyer_id)',)),
    Wanted(
        f'{_ORDER}"order"."buyer_id" = $1 ORDER BY "order"."made" DESC LIMIT $2', (78, 5), ('"order" (buyer_id, made)',)
    ),
    Wanted('SELECT * FROM "line" WHERE "line"."order_id" IN ($1)', (7,), ("line (order_id)",)),
    Wanted(
        'SELECT "line"."id", "line"."sku" FROM "line" INNER JOIN "order" ON ("line"."order_id" = "order"."id") '
        'WHERE "order"."number" = $1',
        ("N00078",),
        ('"order" (number)', "line (order_id)"),
    ),
    Wanted(f'{_ORDER}"order"."made" > $1 ORDER BY "order"."made" LIMIT $2', ("2026-09-20", 20), ('"order" (made)',)),
    Wanted(
        'SELECT "buyer"."id", "buyer"."name" FROM "buyer" WHERE "buyer"."city" = $1 AND "buyer"."joined" > $2',
        ("c7", "2026-10-01"),
        ("buyer (city, joined)",),
    ),
    Wanted(
        'SELECT "buyer"."id", "buyer"."email" FROM "buyer" WHERE UPPER("buyer"."name") = UPPER($1)',
        ("Name 99",),
        ('buyer (UPPER("name"))',),
    ),
    Wanted(
        'SELECT "order"."id", "order"."total" FROM "order" ORDER BY "order"."total" DESC LIMIT $1',
        (10,),
        ('"order" (total)',),
    ),
    Wanted(
        'SELECT COUNT(*) FROM "order" WHERE "order"."state" = $1 AND "order"."buyer_id" = $2',
        ("paid", 79),
        ('"order" (buyer_id)',),
    ),
    # no index helps, or one is there
    Wanted('SELECT "country"."code" FROM "country" WHERE "country"."is_open" ORDER BY "country"."name"', calls=200),
    Wanted(f'{_ORDER}"order"."state" = $1', ("paid",)),
    Wanted('SELECT * FROM "line" WHERE "line"."sku" = $1', ("s77",)),
    Wanted('SELECT AVG("order"."total") FROM "order"'),
    Wanted('SELECT "order"."number", "order"."total" FROM "order" WHERE "order"."total" > $1', (2000,)),
)


def fill(database: sqlite3.Connection) -> None:
    """Make its tables, the same each time."""
    chance = random.Random(4)
    day = [f"2026-{month:02}-{of:02}" for month in range(1, 11) for of in range(1, 29)]
    database.executescript(SCHEMA)
    with database:
        database.executemany(
            "INSERT INTO buyer VALUES (?, ?, ?, ?, ?, ?)",
            [(n, f"b{n}@x.in", f"c{n % 60}", f"Name {n}", chance.choice(day), n % 20 != 0) for n in range(BUYERS)],
        )
        database.executemany(
            'INSERT INTO "order" VALUES (?, ?, ?, ?, ?, ?, ?)',
            [
                (n, chance.randrange(BUYERS), "open" if n % 9 == 0 else "paid", f"N{n:05}", chance.choice(day),
                 chance.randrange(100_000), None)
                for n in range(ORDERS)
            ],
        )  # fmt: skip
        database.executemany(
            "INSERT INTO line VALUES (?, ?, ?, ?)",
            [(n, chance.randrange(ORDERS), f"s{n % 9000}", n % 50) for n in range(LINES)],
        )
        database.executemany(
            "INSERT INTO country VALUES (?, ?, ?, ?)", [(n, f"k{n}", f"Country {n}", n % 2) for n in range(250)]
        )
    database.execute("ANALYZE")
