\set SHOW_CONTEXT never
\set VERBOSITY terse
SET client_min_messages = warning;
DROP EXTENSION iamwatch CASCADE;
CREATE EXTENSION iamwatch;
-- Nothing that a function in C is called with ends the server: nulls, rows of
-- nulls, wrong triggers.  Found from the catalogs, so that a
-- new one is called too.  The calls and what each says are nobody's concern here.
CREATE FUNCTION attempt(statement text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE statement;
	RAISE EXCEPTION 'done';
EXCEPTION WHEN OTHERS THEN
	RETURN;		-- and what it did is undone
END $$;
CREATE VIEW functions_in_c AS
SELECT p.oid::regprocedure AS function, p.pronamespace::regnamespace || '.' || quote_ident(p.proname) AS name, p.proargtypes::oid[] AS types, p.prorettype
FROM pg_proc AS p JOIN pg_language AS l ON l.oid = p.prolang
WHERE l.lanname = 'c' AND p.pronamespace = ANY ('{iamwatch,iamwatch_internal}'::regnamespace[]) AND p.prokind = 'f';

-- all arguments null; and rows of nulls, beside nulls
SELECT count(attempt(format('SELECT %s(%s)', f.name, (SELECT string_agg(CASE WHEN rows AND y.typrelid <> 0
		THEN format('ROW(%s)::%s', (SELECT string_agg('NULL', ', ') FROM pg_attribute AS c
			WHERE c.attrelid = y.typrelid AND c.attnum > 0 AND NOT c.attisdropped), a.t::regtype)
		WHEN a.t IN ('anyelement'::regtype, '"any"'::regtype) THEN 'NULL::text' ELSE format('NULL::%s', a.t::regtype) END, ', ' ORDER BY a.n)
	FROM unnest(f.types) WITH ORDINALITY AS a (t, n) JOIN pg_type AS y ON y.oid = a.t)))) > 100 AS called
FROM functions_in_c AS f, unnest('{false,true}'::boolean[]) AS rows
WHERE f.prorettype <> 'trigger'::regtype AND NOT f.types && ARRAY['internal'::regtype, 'cstring'::regtype]::oid[];

-- trigger functions, on the table of the alerts and on another
CREATE TABLE other (event jsonb, x integer);
INSERT INTO other VALUES ('{}', 1);
SELECT count(attempt(format('DO %L', format('BEGIN CREATE TRIGGER odd %s %s ON %s FOR EACH %s EXECUTE FUNCTION %s; %s; END',
	w.fired, s.operation, s.relation, l.level, f.function, s.statement)))) > 100 AS fired
FROM functions_in_c AS f, unnest('{BEFORE,AFTER}'::text[]) AS w (fired), unnest('{ROW,STATEMENT}'::text[]) AS l (level),
	(VALUES ('INSERT', 'other', 'INSERT INTO other VALUES (''{}'', 2)'), ('UPDATE', 'other', 'UPDATE other SET x = 3'),
		('DELETE', 'other', 'DELETE FROM other'), ('TRUNCATE', 'other', 'TRUNCATE other'),
		('INSERT', 'iamwatch.alerts', 'INSERT INTO iamwatch.alerts OVERRIDING SYSTEM VALUE SELECT * FROM iamwatch.alerts'),
		('UPDATE', 'iamwatch.alerts', 'UPDATE iamwatch.alerts SET status = status'),
		('DELETE', 'iamwatch.alerts', 'DELETE FROM iamwatch.alerts'),
		('TRUNCATE', 'iamwatch.alerts', 'TRUNCATE iamwatch.alerts CASCADE')) AS s (operation, relation, statement)
WHERE f.prorettype = 'trigger'::regtype;
CREATE TRIGGER odd AFTER UPDATE ON iamwatch.alerts FOR EACH STATEMENT EXECUTE FUNCTION iamwatch_internal.note_changed_incident();
UPDATE iamwatch.alerts SET status = status;
DROP TRIGGER odd ON iamwatch.alerts;
SELECT iamwatch_internal.incidents_behind(ROW(NULL, 'aws', '1', 'ann', now(), now())::iamwatch_internal.incident_part);
SELECT iamwatch_internal.journal_class_days(NULL, '1', true, 'iam', 'x', true, '2026-01-01', '2026-01-02');

-- until the last day that there is: it can be cancelled
SET statement_timeout = '50ms';
SELECT iamwatch_internal.journal_class_days('aws', '1', true, 'iam', 'x', true, '-infinity', 'infinity');
RESET statement_timeout;
DROP TABLE other;
DROP VIEW functions_in_c;
DROP FUNCTION attempt;
