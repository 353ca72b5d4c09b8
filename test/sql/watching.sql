SET client_min_messages = warning;
DROP EXTENSION iamwatch CASCADE;
CREATE EXTENSION iamwatch;
RESET client_min_messages;
-- watch() and unwatch(): idempotent, and clear about what cannot be watched
SET client_min_messages = notice;
CREATE TABLE "odd table" (id int, "odd ""column" jsonb, doc text);
SELECT iamwatch.watch('"odd table"', 'odd "column');
SELECT iamwatch.watch('"odd table"', 'odd "column');
SELECT source, event_column FROM iamwatch.sources;
SELECT pg_get_triggerdef(oid) FROM pg_trigger WHERE tgrelid = '"odd table"'::regclass ORDER BY tgname;
SELECT iamwatch.watch('"odd table"', 'odd "column', 'always');
SELECT tgenabled FROM pg_trigger WHERE tgrelid = '"odd table"'::regclass;
SELECT iamwatch.unwatch('"odd table"');
SELECT iamwatch.unwatch('"odd table"');
SELECT count(*) FROM iamwatch.sources;

-- what cannot be watched
\set SHOW_CONTEXT never
SELECT iamwatch.watch('"odd table"');
\echo :LAST_ERROR_SQLSTATE
SELECT iamwatch.watch('"odd table"', 'id');
\echo :LAST_ERROR_SQLSTATE
SELECT iamwatch.watch('"odd table"', 'odd "column', 'sometimes');
\echo :LAST_ERROR_SQLSTATE
SELECT iamwatch.watch(NULL);
\echo :LAST_ERROR_SQLSTATE
SELECT iamwatch.watch('pg_class', 'relname');
\echo :LAST_ERROR_SQLSTATE
SELECT iamwatch.watch('iamwatch.alerts', 'evidence');
\echo :LAST_ERROR_SQLSTATE
-- of other types, and what has no rows or belongs to somebody else
CREATE DOMAIN checked AS jsonb CHECK (value IS NOT NULL);
CREATE TYPE pair AS (a jsonb, b jsonb);
CREATE TABLE types (arrayed jsonb[], bytes bytea, marked xml, padded char(10), named name, dom checked, pair pair, short varchar(10));
CREATE MATERIALIZED VIEW kept AS SELECT short FROM types;
CREATE TEMP TABLE own (event jsonb);
CREATE SEQUENCE numbers;
CREATE INDEX types_short ON types (short);
SELECT iamwatch.watch('types', 'arrayed');
SELECT iamwatch.watch('types', 'bytes');
SELECT iamwatch.watch('types', 'marked');
SELECT iamwatch.watch('types', 'padded');
SELECT iamwatch.watch('types', 'named');
SELECT iamwatch.watch('types', 'dom');
SELECT iamwatch.watch('types', 'pair');
SELECT iamwatch.watch('types', 'short');
SELECT iamwatch.watch('own');
SELECT iamwatch.watch('kept', 'short');
SELECT iamwatch.watch('numbers', 'last_value');
SELECT iamwatch.watch('types_short', 'short');
SELECT iamwatch.watch('pair', 'a');
SELECT iamwatch.watch('iamwatch_internal.journal', 'identity');
SELECT iamwatch.watch('information_schema.sql_features', 'comments');
SELECT source FROM iamwatch.sources;
DROP TABLE types CASCADE;
DROP SEQUENCE numbers;
DROP TYPE pair;
DROP DOMAIN checked;
CREATE VIEW shown AS SELECT "odd ""column" AS event FROM "odd table";
SELECT iamwatch.watch('shown');
\echo :LAST_ERROR_SQLSTATE
SELECT iamwatch.unwatch(NULL);
\echo :LAST_ERROR_SQLSTATE

-- triggers made by hand, wrongly
CREATE TRIGGER wrong BEFORE INSERT ON "odd table" FOR EACH ROW EXECUTE FUNCTION iamwatch_internal.observe('doc');
INSERT INTO "odd table" VALUES (1);
DROP TRIGGER wrong ON "odd table";
CREATE TRIGGER wrong AFTER INSERT ON "odd table" FOR EACH ROW EXECUTE FUNCTION iamwatch_internal.observe('gone');
INSERT INTO "odd table" VALUES (1);
DROP TRIGGER wrong ON "odd table";
CREATE TRIGGER wrong AFTER INSERT ON "odd table" FOR EACH ROW EXECUTE FUNCTION iamwatch_internal.observe('id');
INSERT INTO "odd table" VALUES (1);
DROP TABLE "odd table" CASCADE;

-- a partitioned table: loads through the parent and into a partition
CREATE TABLE parted (at date, event jsonb) PARTITION BY RANGE (at);
CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM ('2026-01-01') TO ('2026-02-01');
SELECT iamwatch.watch('parted');
SELECT iamwatch.watch('parted_1');
SELECT iamwatch.unwatch('parted_1');
CREATE TABLE parted_2 PARTITION OF parted FOR VALUES FROM ('2026-02-01') TO ('2026-03-01');
CREATE FUNCTION made(day date, who text) RETURNS jsonb LANGUAGE sql AS $$
	SELECT jsonb_build_object('eventTime', to_char(day, 'YYYY-MM-DD"T08:00:00Z"'), 'eventSource', 'iam.amazonaws.com', 'eventName', 'CreateUser',
		'recipientAccountId', '1', 'userIdentity', jsonb_build_object('type', 'IAMUser', 'arn', who))
$$;
INSERT INTO parted VALUES ('2026-01-05', made('2026-01-05', 'through the parent'));
INSERT INTO parted_1 VALUES ('2026-01-06', made('2026-01-06', 'into a partition'));
INSERT INTO parted VALUES ('2026-02-05', made('2026-02-05', 'into a later partition'));
ALTER TABLE parted DETACH PARTITION parted_2;
INSERT INTO parted_2 VALUES ('2026-02-06', made('2026-02-06', 'detached: no longer watched'));
ALTER TABLE parted ATTACH PARTITION parted_2 FOR VALUES FROM ('2026-02-01') TO ('2026-03-01');
INSERT INTO parted_2 VALUES ('2026-02-07', made('2026-02-07', 'attached again'));
SELECT identity, days FROM iamwatch.baselines WHERE account = '1' ORDER BY first_seen;
SELECT identity, first_event_time FROM iamwatch.alerts;
-- one that is kept detached is no problem for ever: not when no row came into it
-- between two maintain(), until one does, which is one from then on
ALTER TABLE parted DETACH PARTITION parted_2;
SELECT problem FROM iamwatch.source_status WHERE source = 'parted'::regclass;
SELECT FROM pg_stat_force_next_flush();
CALL iamwatch.maintain();
SELECT problem IS NOT NULL AS named FROM iamwatch.source_status;
CALL iamwatch.maintain();
SELECT problem IS NOT NULL AS named FROM iamwatch.source_status;
INSERT INTO parted_2 VALUES ('2026-02-08', made('2026-02-08', 'not seen'));
SELECT FROM pg_stat_force_next_flush();
SELECT problem IS NOT NULL AS named FROM iamwatch.source_status;
CALL iamwatch.maintain();
CALL iamwatch.maintain();
SELECT problem IS NOT NULL AS named FROM iamwatch.source_status;
SELECT iamwatch.unwatch('parted_2');
SELECT problem IS NOT NULL AS named FROM iamwatch.source_status;
DROP TABLE parted_2;
SELECT iamwatch.unwatch('parted');
SELECT count(*) FROM pg_trigger WHERE tgname = 'iamwatch_observe';
DROP TABLE parted;
DROP FUNCTION made;
