-- Columns that somebody adds to tables of ours, or an upgrade below sessions that run.
\ir settings.psql
SET client_min_messages = error;
SELECT plan(5);

SELECT lives('ann', '2026-01-01', '2026-01-31');
SELECT lives('bob', '2026-01-01', '2026-01-31');
INSERT INTO log VALUES (aws('2026-01-31T09:00:00Z', 'ann', 'DeleteUser'));

-- Documents of every kind after one change of a table; what came of them, all undone.
CREATE FUNCTION came_after(change text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	BEGIN
		EXECUTE change;
		INSERT INTO log SELECT aws('2026-02-01T08:00:00Z', 'new' || n, 'CreateUser') FROM generate_series(1, 3) AS n;
		INSERT INTO log VALUES (aws('2026-02-01T09:00:00Z', 'ann', 'CreateUser')), (aws('2026-02-02T08:00:00Z', 'new1', 'CreateUser')),
			(aws('2026-02-02T09:00:00Z', 'new1', 'CreateRole')), (aws('2020-01-01T00:00:00Z', 'ann', 'CreateUser')), ('{"what": "is this?"}');
		INSERT INTO log VALUES (aws('2026-02-02T08:00:00Z', 'elsewhere', 'CreateUser') || '{"recipientAccountId": "another"}');
		INSERT INTO log VALUES (aws('2026-02-03T10:00:00Z', 'ann', 'CreateUser'));
		RAISE EXCEPTION USING ERRCODE = 'P0D0N', MESSAGE = concat_ws(' ',
			(SELECT md5(string_agg(concat_ws('|', a.identity, a.operation, a.event_count, a.surprise, a.risk, a.severity), ',' ORDER BY a.identity, a.operation)) FROM alerts AS a),
			(SELECT md5(string_agg(i::text, ',' ORDER BY i::text COLLATE "C")) FROM identities AS i),
			(SELECT md5(string_agg(b::text, ',' ORDER BY b::text COLLATE "C")) FROM baselines AS b),
			(SELECT md5(string_agg(t::text, ',' ORDER BY t::text COLLATE "C")) FROM contexts AS t),
			(SELECT count(*) FROM incidents), (SELECT count(*) FROM rejected_events), (SELECT sum(events_learned) FROM source_status));
	EXCEPTION WHEN SQLSTATE 'P0D0N' THEN
		RETURN SQLERRM;
	WHEN OTHERS THEN
		RETURN SQLSTATE || ' ' || SQLERRM;
	END;
END $$;
SELECT came_after('ALTER TABLE log ADD COLUMN added text') AS usual \gset
SELECT matches((:'usual')::text, ' 4 1 \d+$', 'Usually: four incidents, one document that is rejected');
CREATE TABLE ours AS SELECT c.oid::regclass AS name FROM pg_class AS c
WHERE relnamespace = ANY ('{iamwatch,iamwatch_internal}'::regnamespace[]) AND relkind = 'r';
SELECT cmp_ok(count(*), '>', 30::bigint, 'Tables: all that there are') FROM ours;
-- its rows are what functions return
SELECT set_eq(format($$SELECT name::text FROM ours WHERE came_after(format('ALTER TABLE %%s ADD COLUMN added text', name)) <> %L$$, (:'usual')::text),
	ARRAY['kept_incidents', 'stays_on_node'], 'A column that is added to a table of ours changes nothing, but that of incidents, or all that there are with it');
-- the server itself refuses one with a default where rows of the table are values of anything
SELECT is_empty(format($$SELECT name, came FROM ours, came_after(format('ALTER TABLE %%s ADD COLUMN added text NOT NULL DEFAULT ''x'', ADD COLUMN more text GENERATED ALWAYS AS (added || ''y'') STORED', name)) AS came
	WHERE name::text NOT IN ('kept_incidents', 'stays_on_node') AND came <> %L AND came !~ '^0A000 cannot alter table .* because '$$, :'usual'), 'Nor does one with a default, which it gets');
ALTER TABLE iamwatch_internal.identity_days ADD COLUMN added text DEFAULT 'x';
INSERT INTO log VALUES (aws('2026-02-01T10:00:00Z', 'new', 'ListBuckets', 's3'));
UPDATE iamwatch_internal.identity_days SET added = 'mine';
INSERT INTO log VALUES (aws('2026-02-02T10:00:00Z', 'new', 'ListBuckets', 's3')), (aws('2026-02-02T10:00:00Z', 'newer', 'ListBuckets', 's3'));
SELECT results_eq($$SELECT regexp_replace(identity, '.*/', ''), count_days(days), added FROM iamwatch_internal.identity_days WHERE identity ~ 'user/new' ORDER BY 1$$,
	$$VALUES ('new', 2, 'mine'), ('newer', 1, 'x')$$, 'What it has stays when the row is written again');
SELECT * FROM finish();
ROLLBACK;
