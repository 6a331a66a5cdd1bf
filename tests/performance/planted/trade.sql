SELECT setseed(0.42);
CREATE TABLE country (code varchar(2) PRIMARY KEY, name varchar(40), is_open boolean);
INSERT INTO country SELECT chr(65 + n / 26) || chr(65 + n % 26), 'Country ' || n, n % 2 = 0 FROM generate_series(0, 199) n;
CREATE TABLE customer (id bigint PRIMARY KEY, email varchar(120), country_code varchar(2) REFERENCES country,
  last_login timestamp, is_active boolean, name varchar(80), city varchar(40));
INSERT INTO customer SELECT n, 'Mail' || md5(n::text) || '@example.in', chr(65 + n % 7) || chr(65 + n % 26),
  CASE WHEN n % 3 = 0 THEN NULL ELSE timestamp '2026-01-01' + ((n * 7919) % 400000) * interval '1 minute' END, n % 20 <> 0,
  'Name ' || md5((n * 3)::text), 'city' || n % 400 FROM generate_series(1, 60000) n;
CREATE TABLE invoice (id bigint PRIMARY KEY, customer_id bigint REFERENCES customer, number varchar(20), status varchar(12),
  created_at timestamp, total integer, is_flagged boolean, due date);
INSERT INTO invoice SELECT n, 1 + (random() * 1500)::int, 'INV' || n, CASE WHEN n % 100 = 0 THEN 'draft' WHEN n % 5 = 0
  THEN 'open' ELSE 'paid' END, timestamp '2026-01-01' + n * interval '2 minutes', (random() * 100000)::int, n % 120 = 0,
  date '2026-01-01' + n % 360 FROM generate_series(1, 150000) n;
CREATE TABLE line (id bigint PRIMARY KEY, invoice_id bigint REFERENCES invoice, product_id integer, amount integer);
INSERT INTO line SELECT n, 1 + (random() * 149999)::int, (random() * 10000)::int, n % 500 FROM generate_series(1, 300000) n;
CREATE TABLE payment (id bigint PRIMARY KEY, reference varchar(40), method varchar(10), paid_on date, amount integer);
INSERT INTO payment SELECT n, md5(n::text), 'm' || n % 12, date '2020-01-01' + (n * 17) % 2400, n % 900
  FROM generate_series(1, 150000) n;
CREATE TABLE ticket (id bigint PRIMARY KEY, assignee_id integer, state varchar(12), priority integer, closed_at timestamp,
  created_at timestamp, body text);
INSERT INTO ticket SELECT n, (random() * 3000)::int, CASE WHEN n % 130 = 0 THEN 'escalated' WHEN n % 4 = 0 THEN 'waiting'
  ELSE 'done' END, n % 5, CASE WHEN n % 40 = 0 THEN NULL ELSE timestamp '2026-02-01' END,
  timestamp '2026-01-01' + n * interval '1 minute', md5(n::text) || md5((n + 1)::text) FROM generate_series(1, 100000) n;
CREATE TABLE product (id integer PRIMARY KEY, name varchar(60), label text, price integer);
INSERT INTO product SELECT n, md5(n::text), md5((n * 7)::text), n % 1000 FROM generate_series(1, 60000) n;
CREATE TABLE event (id bigint PRIMARY KEY, data jsonb, at timestamp);
INSERT INTO event SELECT n, jsonb_build_object('kind', 'k' || n % 800, 'who', n % 20000),
  timestamp '2026-01-01' + n * interval '1 minute' FROM generate_series(1, 100000) n;
CREATE TABLE supplier (id bigint PRIMARY KEY, name varchar(40));
INSERT INTO supplier SELECT n, 'Supplier ' || n FROM generate_series(1, 3000) n;
CREATE TABLE purchase (id bigint PRIMARY KEY, supplier_id bigint REFERENCES supplier ON DELETE CASCADE, amount integer);
INSERT INTO purchase SELECT n, 1 + n % 2900, n % 700 FROM generate_series(1, 150000) n;
CREATE TABLE message (id bigint PRIMARY KEY, sender_id integer, recipient_id integer, sent_at timestamp, token varchar(40));
INSERT INTO message SELECT n, (random() * 20000)::int, (random() * 20000)::int, timestamp '2026-01-01' + n * interval '1 minute',
  md5((n * 11)::text) FROM generate_series(1, 150000) n;
CREATE TABLE old_log (id bigint PRIMARY KEY, made_at timestamp, words text);
INSERT INTO old_log SELECT n, timestamp '2026-01-01' + n * interval '1 minute', repeat('w', 80) FROM generate_series(1, 120000) n;
CREATE TABLE big (id bigint PRIMARY KEY, a bigint, b bigint);
INSERT INTO big SELECT n, (n::bigint * 7919) % 900001, (n::bigint * 104729) % 900001 FROM generate_series(1, 640000) n;
CREATE INDEX big_a ON big (a);
CREATE INDEX big_b ON big (b);
DELETE FROM big WHERE id % 5 <> 0;
CREATE TABLE stock (id bigint PRIMARY KEY, shelf integer, item varchar(20), moved_at timestamp, is_gone boolean, code varchar(20));
INSERT INTO stock SELECT n, n % 3000, 'item' || n % 9000, timestamp '2026-01-01' + n * interval '1 minute', n % 9 = 0,
  'c' || n FROM generate_series(1, 60000) n;
CREATE INDEX stock_shelf_moved ON stock (shelf, moved_at);
CREATE INDEX stock_shelf ON stock (shelf);
CREATE INDEX stock_item ON stock (item);
CREATE INDEX stock_item_copy ON stock (item);
CREATE INDEX stock_item_like ON stock (item varchar_pattern_ops);
CREATE INDEX stock_moved ON stock (moved_at DESC NULLS FIRST);
CREATE INDEX stock_moved_backwards ON stock (moved_at);
CREATE INDEX stock_gone ON stock (item) WHERE is_gone;
CREATE INDEX stock_gone_copy ON stock (item) WHERE is_gone;
CREATE UNIQUE INDEX stock_code ON stock (code);
CREATE INDEX stock_code_copy ON stock (code);
