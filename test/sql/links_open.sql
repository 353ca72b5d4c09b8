\set SHOW_CONTEXT never
SET client_min_messages = warning;
DROP EXTENSION iamwatch CASCADE;
CREATE EXTENSION iamwatch;
-- What incidents led to is looked up in tables that stay open as long as the
-- statement.  However it ends, they are closed: none of this gives a warning.
INSERT INTO iamwatch_internal.kept_incidents
SELECT n, 'unusual_iam_activity', 'aws', '1', 'user-' || n, 'user', n, 'low', 'new', 1, 1, 1, t, t, t::date, '{}', '{}', 1, NULL, ARRAY[n],
	'', '{a}', ARRAY[t], '{b}', '{}', '{}', t + interval '5 days', '0'
FROM generate_series(1, 40) AS n, LATERAL (SELECT '2026-01-01'::timestamptz + n * interval '1 hour' AS t) AS at;
INSERT INTO iamwatch_internal.kept_links SELECT n, n + 1, 'made it' FROM generate_series(1, 39) AS n;
UPDATE iamwatch_internal.links_done SET before = pg_current_xact_id();
ALTER TABLE iamwatch_internal.kept_incidents DISABLE TRIGGER kept_by_whom;
UPDATE iamwatch_internal.kept_incidents SET kept_by = '3';
-- a cursor that is begun, and read on, in savepoints that are rolled back
BEGIN;
DECLARE incident CURSOR FOR SELECT incident_id, led_to, came_from FROM iamwatch.incidents ORDER BY risk DESC;
SAVEPOINT a;
FETCH 2 incident;
ROLLBACK TO a;
FETCH 2 incident;
SAVEPOINT b;
FETCH 2 incident;
ROLLBACK TO b;
FETCH 2 incident;
COMMIT;
-- one that is declared before a savepoint, and fails in it
BEGIN;
DECLARE incident CURSOR FOR SELECT incident_id, led_to, came_from, 1 / (incident_id - 38) FROM iamwatch.incidents ORDER BY risk DESC LIMIT 4;
FETCH 1 incident;
SAVEPOINT a;
FETCH 4 incident;
ROLLBACK TO a;
SELECT count(*), sum(cardinality(led_to)) FROM iamwatch.incidents;
CLOSE incident;
DECLARE incident CURSOR FOR SELECT incident_id, led_to, came_from, 1 / (incident_id - 38) FROM iamwatch.incidents ORDER BY risk DESC LIMIT 4;
FETCH 1 incident;
SAVEPOINT b;
SAVEPOINT c;
FETCH 4 incident;
ROLLBACK TO b;
COMMIT;
-- one that outlives its transaction
BEGIN;
DECLARE incident CURSOR WITH HOLD FOR SELECT incident_id, led_to, came_from FROM iamwatch.incidents ORDER BY risk DESC LIMIT 4;
FETCH 1 incident;
COMMIT;
FETCH 1 incident;
CLOSE incident;
-- a statement that fails on its way
BEGIN;
SAVEPOINT a;
SELECT 1 / cardinality(led_to) FROM iamwatch.incidents ORDER BY incident_id;
ROLLBACK TO a;
SELECT count(*), sum(cardinality(led_to)) FROM iamwatch.incidents;
COMMIT;
-- expressions, which keep their memory for longer, around the ends of transactions and of blocks
DO $$
DECLARE
	led_to bigint[];
BEGIN
	FOR n IN 1..6 LOOP
		BEGIN
			led_to := iamwatch_internal.linked_incidents(n, true, '3', '1000000', false, NULL);
		EXCEPTION WHEN division_by_zero THEN
			RAISE WARNING 'never';
		END;
		led_to := led_to || iamwatch_internal.linked_incidents(n, n % 2 = 0, '3', '1000000', false, NULL);
		IF n % 3 = 0 THEN
			COMMIT;
		END IF;
		RAISE WARNING '%: %', n, led_to;
	END LOOP;
END $$;
CREATE FUNCTION linked(n bigint) RETURNS bigint[] LANGUAGE plpgsql AS $$
DECLARE
	led_to bigint[] := iamwatch_internal.linked_incidents(n, true, '3', '1000000', false, NULL);
BEGIN
	RETURN led_to;
END $$;
BEGIN;
SELECT linked(7);
SAVEPOINT a;
SELECT linked(8);
ROLLBACK TO a;
SELECT linked(9);
COMMIT;
DROP FUNCTION linked;
DROP EXTENSION iamwatch CASCADE;
CREATE EXTENSION iamwatch;
