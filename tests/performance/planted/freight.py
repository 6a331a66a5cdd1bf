"""Freight: held out. Parcels, shipments, drivers, depots."""

from pathlib import Path

from tests.performance.planted import DIGESTS, Asked, N, Planted, day

PLANTED = Planted(
    schema=Path(__file__).with_suffix(".sql").read_text(),
    workload=[
        Asked(
            'SELECT "shipment"."id" FROM "shipment" WHERE "shipment"."carrier_id" = %s AND "shipment"."eta" > %s '
            'ORDER BY "shipment"."eta" ASC LIMIT 10',
            [(n, day(240)) for n in N],
            ("CREATE INDEX ON shipment (carrier_id, eta)",),
        ),
        Asked(
            'SELECT * FROM "parcel" WHERE "parcel"."barcode" = %s',
            [(m,) for m in DIGESTS],
            ("CREATE INDEX ON parcel (barcode)",),
        ),
        Asked(
            'SELECT "parcel"."id", "parcel"."size" FROM "parcel" WHERE "parcel"."shipment_id" IN (%s, %s, %s)',
            [(n, n + 100, n + 500) for n in N],
            ("CREATE INDEX ON parcel (shipment_id)",),
        ),
        Asked(
            'SELECT * FROM "scan_event" WHERE ("scan_event"."parcel_id" = %s AND "scan_event"."scanned_at" > %s)',
            [(n * 50, day(150)) for n in N],
            ("CREATE INDEX ON scan_event (parcel_id, scanned_at)",),
        ),
        Asked(
            'SELECT "driver"."id" FROM "driver" WHERE LOWER("driver"."username"::text) = LOWER(%s)',
            [(f"Driver{m}",) for m in DIGESTS],
            ("CREATE INDEX ON driver (LOWER(username::text))",),
        ),
        Asked(
            'SELECT "driver"."id" FROM "driver" WHERE ("driver"."retired_at" IS NOT NULL AND "driver"."depot_id" = %s)',
            [(n * 775 % 20000 + 1,) for n in N],
            ("CREATE INDEX ON driver (depot_id)",),
        ),
        Asked(
            'SELECT "shipment"."id" FROM "shipment" WHERE "shipment"."code"::text LIKE %s',
            [("c4ca%",), ("c81e%",), ("eccb%",)],
            ("CREATE INDEX ON shipment ((code::text) text_pattern_ops)",),
        ),
        Asked(
            'SELECT "shipment"."id" FROM "shipment" WHERE ("shipment"."meta" ->> %s) = %s',
            [("channel", f"ch{n}") for n in N],
            ("CREATE INDEX ON shipment ((meta ->> 'channel'))",),
        ),
        Asked(
            'SELECT "shipment"."id" FROM "shipment" WHERE "shipment"."tags" @> %s::text[]',
            [(["t1"],), (["t2"],), (["t77"],)],
            ("CREATE INDEX ON shipment USING gin (tags)",),
        ),
        Asked(
            'SELECT * FROM "depot" ORDER BY "depot"."score" DESC NULLS LAST, "depot"."id" ASC LIMIT 20',
            [()],
            ("CREATE INDEX ON depot (score DESC NULLS LAST, id)",),
        ),
        Asked(
            'DELETE FROM "shipper" WHERE "shipper"."id" IN (%s)',
            [(2900 + n,) for n in N],
            ("CREATE INDEX ON pickup (shipper_id)",),
            is_cascade=True,
        ),
        Asked(
            'SELECT COUNT(*) FROM "shipment" WHERE ("shipment"."booked_at")::date = %s',
            [(day(n).date(),) for n in N],
            ("CREATE INDEX ON shipment ((booked_at::date))",),
        ),
        Asked(
            'SELECT "shipment"."id" FROM "shipment" WHERE "shipment"."status" = %s AND "shipment"."customer_no" > %s',
            [("lost", 14000)],
            ("CREATE INDEX ON shipment (status, customer_no)",),
        ),
        Asked(
            'SELECT "driver"."id" FROM "driver" INNER JOIN "depot" ON ("driver"."depot_id" = "depot"."id") '
            'WHERE "depot"."name" = %s',
            [(f"Depot {m}",) for m in DIGESTS],
            ("CREATE INDEX ON depot (name)", "CREATE INDEX ON driver (depot_id)"),
        ),
        Asked(
            'UPDATE "parcel" SET "note" = %s WHERE ("parcel"."locker_no" = %s AND "parcel"."size" = %s)',
            [("moved", n * 10, "S") for n in N],
            ("CREATE INDEX ON parcel (locker_no, size)",),
        ),
        Asked(
            'SELECT MAX("shipment"."weight") FROM "shipment" WHERE "shipment"."kind" = %s '
            'AND "shipment"."customer_no" = %s',
            [(f"kind{n}", n * 7) for n in N],
            ("CREATE INDEX ON shipment (customer_no, kind)",),
        ),
        Asked(
            'SELECT "shipment"."id" FROM "shipment" WHERE ("shipment"."customer_no" = %s AND EXISTS(SELECT 1 AS "a" '
            'FROM "complaint" U0 WHERE (U0."shipment_id" = "shipment"."id" AND U0."is_open") LIMIT 1))',
            [(n * 11,) for n in N],
            ("CREATE INDEX ON shipment (customer_no)", "CREATE INDEX ON complaint (shipment_id)"),
        ),
        # traps
        Asked('SELECT COUNT(*) FROM "driver" WHERE "driver"."is_certified"', [()]),
        Asked('SELECT * FROM "shipment" WHERE "shipment"."status" = %s', [("delivered",)], calls=6),
        Asked('SELECT * FROM "zone" WHERE "zone"."is_rural" ORDER BY "zone"."name" ASC', [()], calls=200),
        Asked('SELECT AVG("tariff"."price") FROM "tariff" WHERE "tariff"."is_current"', [()]),
        Asked(
            'SELECT * FROM "ledger" WHERE "ledger"."account" = %s ORDER BY "ledger"."moved_at" ASC',
            [(n,) for n in N],
            calls=50,
        ),
        Asked('SELECT "scan_event"."place", COUNT(*) FROM "scan_event" GROUP BY "scan_event"."place"', [()]),
        Asked('SELECT * FROM "parcel" WHERE "parcel"."note" = %s', [("note x",)], calls=3),
    ],
    redundant={"ledger_account", "driver_licence_copy"},
)
