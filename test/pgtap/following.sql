-- A watch that does not watch says so, updates are seen, and renaming loses nothing.
\ir settings.psql
SELECT plan(90);

CREATE FUNCTION seen(who text) RETURNS bigint LANGUAGE sql AS $$
	SELECT count(*) FROM identities WHERE identity LIKE '%/' || who $$;
CREATE FUNCTION problem_of(source text) RETURNS text LANGUAGE sql AS $$
	SELECT problem FROM source_status AS s WHERE s.source::text = $1 $$;
CREATE FUNCTION e(who text, operation text = 'CreateUser') RETURNS jsonb LANGUAGE sql AS $$
	SELECT aws('2026-02-10T10:00:00Z', who, operation) $$;

-- ---- documents that arrive by UPDATE ----
CREATE TABLE steps (id int PRIMARY KEY, note text, event jsonb);
SELECT watch('steps');
INSERT INTO steps VALUES (1, 'empty', NULL);
UPDATE steps SET event = e('updated') WHERE id = 1;
SELECT is(seen('updated'), 1::bigint, 'UPDATE: a document that is filled in later is seen');
INSERT INTO steps VALUES (1, 'again', e('upserted')) ON CONFLICT (id) DO UPDATE SET event = excluded.event;
SELECT is(seen('upserted'), 1::bigint, 'UPDATE: so is one that ON CONFLICT DO UPDATE stores');
SELECT CASE WHEN current_setting('server_version_num')::int >= 150000 THEN
	'MERGE INTO steps USING (VALUES (1)) AS v (id) ON v.id = steps.id WHEN MATCHED THEN UPDATE SET event = e(''merged'')'
	ELSE 'UPDATE steps SET event = e(''merged'')' END AS merge \gset
:merge;
SELECT is(seen('merged'), 1::bigint, 'UPDATE: and one that MERGE stores');
SELECT session_events_asked AS asked FROM status \gset
UPDATE steps SET note = 'changed';
UPDATE steps SET event = event;
SELECT is(session_events_asked, :asked::bigint, 'UPDATE: one that does not change the document is not even looked at') FROM status;
UPDATE steps SET event = NULL;
SELECT is((SELECT count(*) FROM rejected_events WHERE source = 'steps'::regclass AND event IS NULL), 1::bigint,
	'UPDATE: to nothing is rejected as an insert of nothing is');
CREATE TABLE texts (id int, j json, t text);
SELECT watch('texts', 'j');
INSERT INTO texts VALUES (1, NULL);
UPDATE texts SET j = e('of json')::json;
UPDATE texts SET j = j;
SELECT is(seen('of json'), 1::bigint, 'UPDATE: of a json column, which cannot be compared as such');
SELECT watch('texts', 't');
UPDATE texts SET t = e('of text')::text;
SELECT is(seen('of text'), 1::bigint, 'UPDATE: of a text column');
CREATE TABLE derived (raw text, event jsonb GENERATED ALWAYS AS (raw::jsonb) STORED);
SELECT watch('derived');
INSERT INTO derived VALUES ('{}');
UPDATE derived SET raw = e('derived')::text;
SELECT is(seen('derived'), 1::bigint, 'UPDATE: of what a generated column is made of');
CREATE TABLE flat (id int, "eventTime" timestamptz, "eventSource" text DEFAULT 'iam.amazonaws.com', "eventName" text, who json, note text);
SELECT map_columns('flat', '{"eventTime": "eventTime", "eventSource": "eventSource", "eventName": "eventName", "userIdentity": "who"}');
SELECT watch('flat');
INSERT INTO flat (id) VALUES (1);
UPDATE flat SET "eventTime" = '2026-02-10 10:00Z', "eventName" = 'CreateUser', who = '{"type": "IAMUser", "arn": "x/flat", "accountId": "1"}';
SELECT is(seen('flat'), 1::bigint, 'UPDATE: of mapped columns');
SELECT is(problem_of('flat'), NULL, 'Problem: none with mapped columns');
UPDATE column_fields SET column_name = 'as it was' WHERE source = 'flat'::regclass AND column_name = 'eventName';
SELECT is(problem_of('flat'), 'columns that are mapped are not there: "as it was"; call iamwatch.map_columns(''public.flat'') with what they are called now, then iamwatch.watch(''public.flat'')',
	'Problem: a mapped column that was renamed before a dump');
SELECT map_columns('flat', '{"eventTime": "eventTime", "eventSource": "eventSource", "eventName": "eventName", "userIdentity": "who"}'), watch('flat');
SELECT is(problem_of('flat'), NULL, 'Problem: mended as it says');
CREATE TABLE split (at int, event jsonb) PARTITION BY LIST (at);
CREATE TABLE split_1 PARTITION OF split FOR VALUES IN (1);
CREATE TABLE split_2 PARTITION OF split FOR VALUES IN (2);
SELECT watch('split');
INSERT INTO split VALUES (1, NULL);
UPDATE split_1 SET event = e('in a partition');
UPDATE split SET at = 2, event = e('moved');
SELECT is(seen('in a partition') + seen('moved'), 2::bigint, 'UPDATE: in a partition, and into another');
SELECT unwatch('steps');
SELECT is((SELECT count(*) FROM pg_trigger WHERE tgrelid = 'steps'::regclass), 0::bigint, 'unwatch() takes both triggers away');


-- a trigger that fills the column, in an UPDATE that does not name it
CREATE TABLE filled (raw text, n int, event jsonb);
CREATE FUNCTION fill() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN NEW.event := NEW.raw::jsonb; RETURN NEW; END$$;
CREATE TRIGGER fill BEFORE INSERT OR UPDATE ON filled FOR EACH ROW EXECUTE FUNCTION fill();
SELECT watch('filled');
INSERT INTO filled VALUES (e('filled1')::text);
UPDATE filled SET raw = e('filled2')::text;
SELECT is(seen('filled1') + seen('filled2'), 2::bigint, 'UPDATE: of what a trigger makes the document of');
SELECT is(problem_of('filled'), NULL, 'Problem: none then');
DROP TRIGGER fill ON filled;
SELECT watch('filled');
SELECT matches(pg_get_triggerdef(oid), 'UPDATE OF event', 'UPDATE: without such a trigger, one of other columns is no business of ours')
FROM pg_trigger WHERE tgrelid = 'filled'::regclass AND tgname = 'iamwatch_observe_update';
CREATE TRIGGER fill BEFORE UPDATE ON filled FOR EACH ROW EXECUTE FUNCTION fill();
SELECT is(problem_of('filled'), 'a trigger BEFORE UPDATE may change documents in an UPDATE that names other columns, for which the trigger iamwatch_observe_update does not fire; call iamwatch.watch(''public.filled'', ''event'')',
	'Problem: a trigger that was made since may change documents');
SELECT watch('filled');
UPDATE filled SET raw = e('filled3')::text;
SELECT is(seen('filled3') || coalesce(problem_of('filled'), ''), '1', 'Problem: watch() mends that');
CREATE TABLE filled_in_part (at int, raw text, event jsonb) PARTITION BY LIST (at);
CREATE TABLE filled_in_part_1 PARTITION OF filled_in_part FOR VALUES IN (1);
SELECT watch('filled_in_part');
CREATE TRIGGER fill BEFORE UPDATE ON filled_in_part_1 FOR EACH ROW EXECUTE FUNCTION fill();
SELECT matches(problem_of('filled_in_part'), 'BEFORE UPDATE may change documents', 'Problem: such a trigger on a partition');
SELECT watch('filled_in_part');
INSERT INTO filled_in_part VALUES (1);
UPDATE filled_in_part SET raw = e('filled4')::text;
SELECT is(seen('filled4') || coalesce(problem_of('filled_in_part'), ''), '1', 'Problem: watch() mends that as well');
SELECT unwatch('filled'), unwatch('filled_in_part');
DROP TABLE filled, filled_in_part;

-- ---- a watch that does not watch ----
SELECT is((SELECT string_agg(problem, ' ') FROM source_status), NULL, 'Problem: none when all is well');
SELECT is(source_problems, '{}', 'Problem: none in status then') FROM status;
ALTER TABLE log DISABLE TRIGGER USER;
SELECT is(problem_of('log'), 'the trigger iamwatch_observe is disabled; ALTER TABLE public.log ENABLE TRIGGER iamwatch_observe', 'Problem: a disabled trigger');
SELECT ok(source_problems ? 'log', 'Problem: in status too') FROM status;
SELECT watch('log');
SELECT is(problem_of('log'), NULL, 'Problem: watch() mends it');
ALTER TABLE log DISABLE TRIGGER iamwatch_observe_update;
SELECT matches(problem_of('log'), 'iamwatch_observe_update is disabled', 'Problem: that for updates as well');
DROP TRIGGER iamwatch_observe ON log;
SELECT is(problem_of('log'), 'the trigger iamwatch_observe is not there; call iamwatch.watch(''public.log'', ''event'')', 'Problem: a dropped trigger');
SELECT watch('log');
CREATE FUNCTION does_nothing() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RETURN NULL; END$$;
DROP TRIGGER iamwatch_observe ON log;
CREATE TRIGGER iamwatch_observe AFTER INSERT ON log FOR EACH ROW WHEN (iamwatch_internal.may_be_new(new.event, new.ctid)) EXECUTE FUNCTION does_nothing('event');
SELECT is(problem_of('log'), 'the trigger iamwatch_observe is not that of iamwatch; call iamwatch.watch(''public.log'', ''event'')',
	'Problem: a trigger of the same name that calls another function');
SELECT watch('log');
INSERT INTO log VALUES (e('after another one'));
SELECT is(seen('after another one') || coalesce(problem_of('log'), ''), '1', 'Problem: watch() puts its own in the place of that');
DROP TRIGGER iamwatch_observe ON log;
CREATE TRIGGER iamwatch_observe AFTER DELETE ON log FOR EACH ROW WHEN (old.event IS NOT NULL) EXECUTE FUNCTION iamwatch_internal.observe('event');
SELECT matches(problem_of('log'), 'iamwatch_observe is not that of iamwatch', 'Problem: one that fires for something else');
SELECT watch('log');
ALTER TABLE split_2 DISABLE TRIGGER iamwatch_observe;
SELECT matches(problem_of('split'), 'iamwatch_observe does not fire in partitions: public.split_2;', 'Problem: a partition whose owner disabled the clone');
ALTER TABLE split ENABLE TRIGGER iamwatch_observe;
SELECT is(problem_of('split'), NULL, 'Problem: mended as it says');
ALTER TABLE split ENABLE REPLICA TRIGGER iamwatch_observe;
SELECT matches(problem_of('split'), 'a subscription applies, and none fills it', 'Problem: only for a subscription that is not there');
ALTER TABLE split ENABLE TRIGGER iamwatch_observe;
ALTER TABLE log ENABLE ALWAYS TRIGGER iamwatch_observe;
SELECT is(problem_of('log'), 'the trigger iamwatch_observe_update does not fire for the same as iamwatch_observe; call iamwatch.watch(''public.log'', ''event'', ''always'')',
	'Problem: triggers of which one is enabled for what a subscription applies');
SELECT watch('log', 'event', 'always');
SELECT is(problem_of('log'), NULL, 'Problem: watch() mends that too');
SELECT watch('log');
CREATE TABLE parent (event jsonb);
CREATE TABLE kid () INHERITS (parent);
CREATE TABLE grandkid () INHERITS (kid);
SET client_min_messages = error;
SELECT watch('parent');
SELECT matches(problem_of('parent'), 'tables that inherit from it: public.grandkid, public.kid;', 'Problem: children by inheritance');
SELECT watch('kid');
SELECT watch('grandkid');
SET client_min_messages = warning;
SELECT is(problem_of('parent'), NULL, 'Problem: none when they are watched');
ALTER TABLE grandkid NO INHERIT kid;
INSERT INTO grandkid VALUES (e('of no parent'));
SELECT is(coalesce(problem_of('parent'), problem_of('grandkid')), NULL, 'Problem: none when one of them leaves its parent, as it is watched by itself');
SELECT is(seen('of no parent'), 1::bigint, 'Child that left its parent: inserts go on');
CREATE FOREIGN DATA WRAPPER none;
CREATE SERVER nowhere FOREIGN DATA WRAPPER none;
CREATE FOREIGN TABLE outside () INHERITS (parent) SERVER nowhere;
SELECT matches(problem_of('parent'), 'tables that inherit from it: public.outside;', 'Problem: a foreign table that inherits');
DROP FOREIGN TABLE outside;
CREATE FOREIGN TABLE split_outside PARTITION OF split FOR VALUES IN (99) SERVER nowhere;
SELECT is(foreign_partitions('split'), '{split_outside}', 'Foreign partitions: are those of which watch() warns');
INSERT INTO sources (source, event_column, order_column) VALUES ('split_outside', 'event', 'at');
SELECT is(foreign_partitions('split'), NULL, 'Foreign partitions: not one that process() reads');
DELETE FROM sources WHERE source = 'split_outside'::regclass;
DROP FOREIGN TABLE split_outside;

-- ---- a partition that was detached ----
-- its triggers go with it, and no catalog tells of it any more
CREATE FUNCTION detached(VARIADIC names text[]) RETURNS text LANGUAGE sql AS $$
	SELECT format('no trigger fires for what was detached from it: %s; call iamwatch.watch() for each into which rows still come, and iamwatch.unwatch() for the others',
		array_to_string(names, ', ')) $$;
ALTER TABLE split DETACH PARTITION split_2;
SELECT is(problem_of('split'), detached('public.split_2'), 'Detached: one that was there at watch() is missed at once');
ALTER TABLE split ATTACH PARTITION split_2 FOR VALUES IN (2);
SELECT is(problem_of('split'), NULL, 'Detached: and not when it is attached again');
CREATE TABLE split_3 PARTITION OF split FOR VALUES IN (3);
INSERT INTO split VALUES (3, e('through a new one'));
ALTER TABLE split DETACH PARTITION split_3;
SELECT is(problem_of('split'), detached('public.split_3'), 'Detached: so is one that was made later, if an event came through it');
SELECT watch('split_3');
INSERT INTO split_3 VALUES (3, e('by itself'));
SELECT is(coalesce(problem_of('split'), problem_of('split_3')), NULL, 'Detached: none when it is watched by itself');
SELECT is(seen('by itself'), 1::bigint, 'Detached: then its rows are seen');
SELECT unwatch('split_3');
SELECT is(problem_of('split'), NULL, 'Detached: nor when it is unwatched by itself, which says that it is meant');
CREATE TABLE split_4 (LIKE split) PARTITION BY LIST (at);
CREATE TABLE split_4a PARTITION OF split_4 FOR VALUES IN (4);
ALTER TABLE split ATTACH PARTITION split_4 FOR VALUES IN (4);
SELECT is(count(*), 0::bigint, 'Detached: one that nothing came through is not remembered') FROM source_counts WHERE relation = 'split_4a'::regclass;
SELECT remember_partitions('split'), note_quiet_partitions('split');	-- as maintain() does
ALTER TABLE split DETACH PARTITION split_4;
SELECT is(problem_of('split'), detached('public.split_4'), 'Detached: until maintain(); with partitions of its own, it alone is named');
ALTER TABLE split_4 DETACH PARTITION split_4a;
SELECT is(problem_of('split'), detached('public.split_4', 'public.split_4a'), 'Detached: if they part later, both');
ALTER TABLE split DETACH PARTITION split_2;
SELECT ok(source_problems->>'split' LIKE '%public.split_2, public.split_4,%', 'Detached: in status too') FROM status;
DROP TABLE split_4, split_4a;
SELECT is(problem_of('split'), detached('public.split_2'), 'Detached: not one that was dropped');
CREATE TABLE other_parent (LIKE split) PARTITION BY LIST (at);
ALTER TABLE other_parent ATTACH PARTITION split_2 FOR VALUES IN (2);
SELECT is(problem_of('split'), detached('public.split_2'), 'Detached: one that went to a table that nobody watches is missed');
SELECT watch('other_parent');
SELECT is(problem_of('split'), NULL, 'Detached: and not when that is watched');
SELECT events_learned AS learned FROM source_status WHERE source = 'split'::regclass \gset
DROP TABLE split_1;
SELECT fold_source_counts();
SELECT is(events_learned, :learned::bigint, 'Detached: what came through a partition that was dropped goes on counting') FROM source_status WHERE source = 'split'::regclass;
SELECT is(count(*), 0::bigint, 'Detached: in the row of its source') FROM source_counts WHERE source = 'split'::regclass
AND relation NOT IN ('split', 'split_2', 'split_3');
SELECT unwatch('other_parent');
SELECT watch('split');
SELECT is(problem_of('split'), detached('public.split_2'), 'Detached: watch() of the table forgets none');
SELECT unwatch('split');
SELECT watch('split');
SELECT is(problem_of('split'), NULL, 'Detached: unwatch() of the table forgets all');

SET LOCAL session_replication_role = replica;
SELECT matches(problem_of('log'), 'session_replication_role is replica', 'Problem: triggers are off in this session');
SET LOCAL session_replication_role = origin;
CREATE TABLE gone (event jsonb);
SELECT watch('gone');
DROP TABLE gone;
SELECT is((SELECT count(*) FROM source_status WHERE problem = 'the relation was dropped; CALL iamwatch.maintain() forgets it'), 1::bigint, 'Problem: a source that was dropped');
DELETE FROM sources WHERE source NOT IN (SELECT oid FROM pg_class);
CREATE TABLE filled (id int, event jsonb);
INSERT INTO filled VALUES (1, e('by process'));
INSERT INTO sources (source, event_column, order_column) VALUES ('filled', 'event', 'id');
SELECT is(problem_of('filled'), NULL, 'Problem: none for what is processed');
ALTER TABLE filled DROP COLUMN id;
SELECT is(problem_of('filled'), 'column "id" of relation "public.filled" does not exist; name the column in iamwatch.process()', 'Problem: the order column is gone');

-- ---- following the table ----
CREATE TABLE moving (event jsonb, n int GENERATED ALWAYS AS IDENTITY);
SELECT watch('moving');
ALTER TABLE moving RENAME event TO doc;
INSERT INTO moving VALUES (e('after a rename'));
SELECT is(seen('after a rename'), 1::bigint, 'Rename of the column: inserts go on');
ALTER TABLE moving ADD COLUMN event jsonb;
INSERT INTO moving VALUES (e('and another took its name'));
SELECT is(seen('and another took its name'), 1::bigint, 'Rename of the column: another one that takes the name is not taken for it');
SELECT is(problem_of('moving'), NULL, 'Rename of the column: is no problem');
SELECT is(event_column_of('moving'), 'doc'::name, 'Rename of the column: every path takes it from here');
SELECT is(event_column, 'event'::name, 'Rename of the column: sources has the old name') FROM sources WHERE source = 'moving'::regclass;
SELECT refresh_columns();
SELECT is(event_column, 'doc'::name, 'Rename of the column: until maintain()') FROM sources WHERE source = 'moving'::regclass;
SELECT is((SELECT count(*) FROM backtest('moving', activation_days => 0)), 2::bigint, 'Rename of the column: backtest() reads it');
SELECT set_eq($$SELECT document->'userIdentity'->>'arn' FROM read_by_id('moving', event_column_of('moving'), 'aws', (SELECT array_agg(doc->>'eventID') FROM moving))$$,
	$$SELECT doc->'userIdentity'->>'arn' FROM moving$$, 'Rename of the column: its events are found');
UPDATE sources SET event_column = 'as in a dump', event_attnum = NULL WHERE source = 'moving'::regclass;
SELECT is(event_column_of('moving') || coalesce(problem_of('moving'), ''), 'doc', 'Rename of the column: after a dump with the old name its trigger tells it');
SELECT watch('moving', 'event');
INSERT INTO moving (doc, event) VALUES (e('no longer'), e('the other column'));
SELECT is(seen('no longer') * 10 + seen('the other column'), 1::bigint, 'watch() of the column that took the name watches that');
CREATE SCHEMA elsewhere;
ALTER TABLE moving SET SCHEMA elsewhere;
ALTER TABLE elsewhere.moving RENAME TO moved;
INSERT INTO elsewhere.moved (event) VALUES (e('in another schema'));
SELECT is(seen('in another schema'), 1::bigint, 'Rename and move of the table: inserts go on');
SELECT is(problem_of('elsewhere.moved'), NULL, 'Rename and move of the table: is no problem');
SELECT is((SELECT sum(events) FROM read_days('elsewhere.moved', event_column_of('elsewhere.moved'), NULL, NULL)), 4::numeric, 'Rename and move of the table: it is read');
CREATE TABLE ordered (id int, doc jsonb);
INSERT INTO ordered VALUES (1, e('first'));
INSERT INTO sources (source, event_column, order_column) VALUES ('ordered', 'doc', 'id');
SELECT is(process_rows('ordered', 10), 1::bigint, 'process() takes a row');
ALTER TABLE ordered RENAME id TO number;
ALTER TABLE ordered RENAME doc TO event;
ALTER TABLE ordered ADD COLUMN id int DEFAULT 0;
INSERT INTO ordered VALUES (2, e('second'));
SELECT is(process_rows('ordered', 10), 1::bigint, 'Rename of both columns: process() goes on from where it was');
SELECT is(seen('second'), 1::bigint, 'Rename of both columns: with the right ones');
ALTER TABLE flat RENAME who TO whoever;
SELECT is(fields_of('flat'), '{eventName,eventName,eventSource,eventSource,eventTime,eventTime,userIdentity,whoever}'::text[], 'Rename of a mapped column: is followed');
INSERT INTO flat (id, "eventTime", "eventName", whoever) VALUES (2, '2026-02-10 10:00Z', 'CreateUser', '{"type": "IAMUser", "arn": "x/mapped", "accountId": "1"}');
SELECT is(seen('mapped'), 1::bigint, 'Rename of a mapped column: inserts go on');
SELECT is(problem_of('flat'), NULL, 'Rename of a mapped column: is no problem');

SELECT map_columns('flat', '{"eventTime": "eventTime", "eventSource": "eventName", "eventName": "eventSource", "userIdentity": "whoever"}');
SELECT matches(problem_of('flat'), 'for another column', 'Columns mapped the other way round: is a problem');
SELECT watch('flat');
INSERT INTO flat ("eventTime", "eventName", "eventSource", whoever) VALUES ('2026-02-10 10:00Z', 'iam.amazonaws.com', 'CreateUser', '{"type": "IAMUser", "arn": "x/turned", "accountId": "1"}');
SELECT is(seen('turned'), 1::bigint, 'Columns mapped the other way round: watch() mends it');
ALTER TABLE flat DROP COLUMN note;
SELECT throws_ok('ALTER TABLE flat DROP COLUMN whoever', '2BP01', NULL, 'A mapped column is not dropped unseen');

-- ---- our schemas renamed ----
SET client_min_messages = error;
ALTER SCHEMA iamwatch_internal RENAME TO elsewhere_internal;
SELECT lives_ok($$INSERT INTO log VALUES (aws('2026-02-11T10:00:00Z', 'renamed', 'CreateUser'))$$, 'Schema renamed: an insert goes on');
SELECT throws_ok($$SELECT iamwatch.unwatch('log')$$, '3F000', 'schema "iamwatch_internal" does not exist', 'Schema renamed: an administrator is told');
ALTER SCHEMA elsewhere_internal RENAME TO iamwatch_internal;
ALTER SCHEMA iamwatch RENAME TO watcher;
SELECT lives_ok($$INSERT INTO log VALUES (aws('2026-02-12T10:00:00Z', 'renamed', 'CreateUser'))$$, 'Schema renamed: of the other one as well');
ALTER SCHEMA watcher RENAME TO iamwatch;
INSERT INTO log VALUES (aws('2026-02-13T10:00:00Z', 'renamed', 'CreateUser'));
SELECT is(seen('renamed'), 1::bigint, 'Schema renamed: and back, all goes on');
SELECT * FROM finish();
ROLLBACK;
