SELECT setseed(0.31);
CREATE TABLE depot (id bigint PRIMARY KEY, name varchar(60), region varchar(20), score integer);
INSERT INTO depot SELECT n, 'Depot ' || md5(n::text), 'region' || n % 40, CASE WHEN n % 3 = 0 THEN NULL ELSE (n * 7919) % 100000 END
  FROM generate_series(1, 20000) n;
CREATE TABLE driver (id bigint PRIMARY KEY, username varchar(80), depot_id bigint REFERENCES depot, retired_at timestamp,
  licence varchar(40), is_certified boolean);
INSERT INTO driver SELECT n, 'Driver' || md5(n::text), 1 + (n * 31) % 20000,
  CASE WHEN n % 25 = 0 THEN timestamp '2026-01-01' ELSE NULL END, 'L' || md5((n * 3)::text), n % 20 <> 0
  FROM generate_series(1, 60000) n;
CREATE TABLE carrier (id bigint PRIMARY KEY, name varchar(60));
INSERT INTO carrier SELECT n, 'Carrier ' || n FROM generate_series(1, 80) n;
CREATE TABLE shipper (id bigint PRIMARY KEY, name varchar(60));
INSERT INTO shipper SELECT n, 'Shipper ' || n FROM generate_series(1, 3000) n;
CREATE TABLE shipment (id bigint PRIMARY KEY, carrier_id bigint REFERENCES carrier, customer_no integer, eta timestamp,
  status varchar(12), code varchar(20), booked_at timestamp, meta jsonb, tags text[], weight integer, kind varchar(10));
INSERT INTO shipment SELECT n, 1 + (random() * 79)::int, (random() * 15000)::int, timestamp '2026-01-01' + n * interval '3 minutes',
  CASE WHEN n % 150 = 0 THEN 'lost' WHEN n % 3 = 0 THEN 'moving' ELSE 'delivered' END, substr(md5(n::text), 1, 12),
  timestamp '2026-01-01' + n * interval '2 minutes', jsonb_build_object('channel', 'ch' || n % 500, 'legs', n % 5),
  ARRAY['t' || n % 3000, 'all'], (random() * 100000)::int, 'kind' || n % 30 FROM generate_series(1, 120000) n;
CREATE TABLE parcel (id bigint PRIMARY KEY, shipment_id bigint REFERENCES shipment, barcode varchar(40), locker_no integer,
  size varchar(2), note text);
INSERT INTO parcel SELECT n, 1 + (random() * 119999)::int, md5(n::text), (random() * 4000)::int, CASE n % 4 WHEN 0 THEN 'S'
  WHEN 1 THEN 'M' WHEN 2 THEN 'L' ELSE 'XL' END, 'note ' || md5((n * 5)::text) FROM generate_series(1, 250000) n;
CREATE TABLE scan_event (id bigint PRIMARY KEY, parcel_id bigint, scanned_at timestamp, place varchar(20));
INSERT INTO scan_event SELECT n, 1 + (random() * 20000)::int, timestamp '2026-01-01' + n * interval '1 minute', 'p' || n % 50
  FROM generate_series(1, 250000) n;
CREATE TABLE complaint (id bigint PRIMARY KEY, shipment_id bigint, is_open boolean, body text);
INSERT INTO complaint SELECT n, 1 + (random() * 119999)::int, n % 10 = 0, repeat('x', 60) FROM generate_series(1, 90000) n;
CREATE TABLE pickup (id bigint PRIMARY KEY, shipper_id bigint REFERENCES shipper ON DELETE CASCADE, day date);
INSERT INTO pickup SELECT n, 1 + n % 2900, date '2026-01-01' + n % 300 FROM generate_series(1, 150000) n;
CREATE TABLE zone (id integer PRIMARY KEY, name varchar(20), is_rural boolean);
INSERT INTO zone SELECT n, 'zone ' || n, n % 2 = 0 FROM generate_series(1, 120) n;
CREATE TABLE tariff (id bigint PRIMARY KEY, zone_id integer REFERENCES zone, price integer, is_current boolean);
INSERT INTO tariff SELECT n, 1 + n % 120, n % 900, n % 10 < 9 FROM generate_series(1, 80000) n;
CREATE INDEX tariff_zone ON tariff (zone_id);
CREATE TABLE ledger (id bigint PRIMARY KEY, account integer, moved_at timestamp, amount integer);
INSERT INTO ledger SELECT n, n % 5000, timestamp '2026-01-01' + n * interval '1 minute', n % 977 FROM generate_series(1, 150000) n;
CREATE INDEX ledger_account_moved ON ledger (account, moved_at);
CREATE INDEX ledger_account ON ledger (account);
CREATE UNIQUE INDEX driver_licence ON driver (licence);
CREATE INDEX driver_licence_copy ON driver (licence);
CREATE INDEX driver_licence_like ON driver (licence varchar_pattern_ops);
