"""Trade: invoices, customers, tickets. The database that advice was tuned on."""

from datetime import timedelta
from pathlib import Path

from tests.performance.planted import DIGESTS, Asked, N, Planted, day

PLANTED = Planted(
    schema=Path(__file__).with_suffix(".sql").read_text(),
    workload=[
        Asked(
            'SELECT "invoice"."id" FROM "invoice" WHERE ("invoice"."customer_id" = %s AND "invoice"."status" = %s) '
            'ORDER BY "invoice"."created_at" DESC LIMIT 20',
            [(n * 9, "open") for n in N],
            ("CREATE INDEX ON invoice (customer_id, status, created_at)",),
        ),
        Asked(
            'SELECT * FROM "line" WHERE "line"."invoice_id" = %s',
            [(n,) for n in N],
            ("CREATE INDEX ON line (invoice_id)",),
        ),
        Asked(
            'SELECT * FROM "payment" WHERE "payment"."reference" = %s LIMIT 21',
            [(m,) for m in DIGESTS],
            ("CREATE INDEX ON payment (reference)",),
        ),
        Asked(
            'SELECT "ticket"."id" FROM "ticket" WHERE ("ticket"."closed_at" IS NULL AND "ticket"."priority" = %s)',
            [(0,)],
            ("CREATE INDEX ON ticket (priority) WHERE closed_at IS NULL",),
        ),
        Asked(
            'SELECT "customer"."id" FROM "customer" WHERE UPPER("customer"."email"::text) = UPPER(%s)',
            [(f"Mail{m}@example.in",) for m in DIGESTS],
            ("CREATE INDEX ON customer (UPPER(email::text))",),
        ),
        Asked(
            'SELECT "product"."id" FROM "product" WHERE "product"."label" LIKE %s',
            [("c4ca%",), ("c81e%",), ("eccb%",)],
            ("CREATE INDEX ON product (label text_pattern_ops)",),
        ),
        Asked(
            """SELECT "event"."id" FROM "event" WHERE ("event"."data" -> %s) = %s::jsonb""",
            [("kind", f'"k{n}"') for n in N],
            ("CREATE INDEX ON event ((data -> 'kind'))",),
        ),
        Asked(
            'SELECT "event"."id" FROM "event" WHERE "event"."data" @> %s::jsonb',
            [(f'{{"who": {n}}}',) for n in N],
            ("CREATE INDEX ON event USING gin (data jsonb_path_ops)",),
        ),
        Asked(
            'SELECT "customer"."id" FROM "customer" ORDER BY "customer"."last_login" DESC NULLS LAST LIMIT 25',
            [()],
            ("CREATE INDEX ON customer (last_login DESC NULLS LAST)",),
        ),
        Asked(
            'DELETE FROM "supplier" WHERE "supplier"."id" IN (%s)',
            [(2900 + n,) for n in N],
            ("CREATE INDEX ON purchase (supplier_id)",),
            is_cascade=True,
        ),
        Asked(
            'SELECT SUM("payment"."amount") FROM "payment" WHERE ("payment"."method" = %s AND "payment"."paid_on" '
            "BETWEEN %s AND %s)",
            [(f"m{n % 12}", day(-300).date(), day(-290).date()) for n in N],
            ("CREATE INDEX ON payment (method, paid_on)",),
        ),
        Asked(
            'SELECT "invoice"."id" FROM "invoice" WHERE "invoice"."is_flagged"',
            [()],
            ("CREATE INDEX ON invoice (is_flagged) WHERE is_flagged",),
        ),
        Asked(
            'SELECT * FROM "ticket" WHERE ("ticket"."assignee_id" = %s AND "ticket"."state" IN (%s, %s))',
            [(n * 5, "waiting", "escalated") for n in N],
            ("CREATE INDEX ON ticket (assignee_id, state)",),
        ),
        Asked(
            'SELECT "line"."id" FROM "line" INNER JOIN "invoice" ON ("line"."invoice_id" = "invoice"."id") '
            'WHERE "invoice"."number" = %s',
            [(f"INV{n * 100}",) for n in N],
            ("CREATE INDEX ON invoice (number)", "CREATE INDEX ON line (invoice_id)"),
        ),
        Asked(
            'SELECT "ticket"."id" FROM "ticket" WHERE "ticket"."state" = %s ORDER BY "ticket"."created_at" ASC',
            [("escalated",)],
            ("CREATE INDEX ON ticket (created_at) WHERE state = 'escalated'",),
        ),
        Asked(
            'UPDATE "message" SET "sent_at" = %s WHERE "message"."token" = %s',
            [(day(3), m) for m in DIGESTS],
            ("CREATE INDEX ON message (token)",),
        ),
        Asked(
            'DELETE FROM "old_log" WHERE "old_log"."made_at" < %s',
            [(day(0) + timedelta(minutes=n),) for n in N],
            ("CREATE INDEX ON old_log (made_at)",),
        ),
        Asked(
            'SELECT "product"."id" FROM "product" WHERE "product"."name" LIKE %s',
            [("%c4ca42%",), ("%c81e72%",), ("%eccbc8%",)],
            ("CREATE INDEX ON product USING gin (name gin_trgm_ops)",),
        ),
        Asked(
            'SELECT "message"."id" FROM "message" WHERE ("message"."sender_id" = %s OR "message"."recipient_id" = %s)',
            [(n, n) for n in N],
            ("CREATE INDEX ON message (sender_id)", "CREATE INDEX ON message (recipient_id)"),
        ),
        Asked(
            'SELECT "customer"."id", "customer"."name" FROM "customer" WHERE ("customer"."city" = %s AND '
            '"customer"."is_active") ORDER BY "customer"."name" ASC LIMIT 10',
            [(f"city{n}",) for n in N],
            ("CREATE INDEX ON customer (city, name)",),
        ),
        # traps
        Asked('SELECT * FROM "country" WHERE "country"."is_open" ORDER BY "country"."name" ASC', [()], calls=200),
        Asked('SELECT COUNT(*) FROM "customer" WHERE "customer"."is_active"', [()]),
        Asked('SELECT SUM("invoice"."total") FROM "invoice" WHERE "invoice"."status" = %s', [("paid",)]),
        Asked('SELECT "line"."product_id", COUNT(*) FROM "line" GROUP BY "line"."product_id"', [()], calls=6),
        Asked(
            'SELECT * FROM "stock" WHERE "stock"."shelf" = %s ORDER BY "stock"."moved_at" ASC',
            [(n,) for n in N],
            calls=60,
        ),
        Asked('SELECT COUNT(*) FROM "invoice" WHERE "invoice"."total" > %s', [(20000,)]),
        Asked('SELECT * FROM "payment" WHERE "payment"."amount" = %s', [(7,)], calls=3),
        Asked('SELECT "customer"."country_code", COUNT(*) FROM "customer" GROUP BY "customer"."country_code"', [()]),
    ],
    redundant={"stock_shelf", "stock_item_copy", "stock_moved_backwards", "stock_gone_copy", "stock_code_copy"},
    invalid={"payment_twice"},
    bloated={"big_a", "big_b"},
    # Fails for the values that repeat, and leaves the index behind.
    invalidate=("CREATE UNIQUE INDEX CONCURRENTLY payment_twice ON payment (method)",),
)
