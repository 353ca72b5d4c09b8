-- Writes docs/reference.md: every object of the extension, from its comments.
-- make reference runs it; a test compares.
\set QUIET 1
\pset format unaligned
\pset tuples_only on
\pset pager off
SET search_path = pg_catalog;
CREATE FUNCTION pg_temp.cell(t text) RETURNS text LANGUAGE sql AS $$SELECT coalesce(replace(replace(t, '|', '\|'), E'\n', ' '), '')$$;
CREATE TEMP VIEW member AS
SELECT d.classid, d.objid FROM pg_depend AS d
WHERE d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e'
AND d.refobjid = (SELECT oid FROM pg_extension WHERE extname = 'iamwatch');
CREATE TEMP VIEW routine AS
SELECT p.oid, p.proname, p.prokind, pg_get_function_identity_arguments(p.oid) AS identity,
	replace(regexp_replace(pg_get_function_arguments(p.oid), '::(text|name|integer)(\[\])?', '', 'g'), 'timestamp with time zone', 'timestamptz') AS arguments,
	replace(replace(pg_get_function_result(p.oid), 'timestamp with time zone', 'timestamptz'), 'double precision', 'float8') AS result,
	p.provolatile, p.proparallel, p.proisstrict, p.prorettype, obj_description(p.oid, 'pg_proc') AS comment
FROM pg_proc AS p JOIN member AS m ON m.classid = 'pg_proc'::regclass AND m.objid = p.oid
WHERE p.pronamespace = 'iamwatch'::regnamespace;

SELECT $$# Reference

What people call and read, made from its comments by `make reference`. All of it is
in the schema `iamwatch`; the machinery is in `iamwatch_internal`, and told in the sources. In psql, `\d+` and `\df+` show the same.
$$;

SELECT E'\n## ' || CASE c.relkind WHEN 'r' THEN 'Table' ELSE 'View' END || ' `' || c.relname || E'`\n\n' || coalesce(upper(left(obj_description(c.oid, 'pg_class'), 1)) || substr(obj_description(c.oid, 'pg_class'), 2) || E'.\n', '')
	|| coalesce(E'\n| column | type | what it is |\n|---|---|---|\n' || (
		SELECT string_agg(format('| `%s` | %s | %s |', a.attname, replace(replace(format_type(a.atttypid, a.atttypmod), 'timestamp with time zone', 'timestamptz'), 'double precision', 'float8'),
			pg_temp.cell(concat_ws('; ', col_description(c.oid, a.attnum),
				CASE WHEN a.attidentity <> '' THEN 'identity' END,
				'default ' || (SELECT regexp_replace(pg_get_expr(d.adbin, d.adrelid), '::[a-z ]+(\[\])?', '', 'g') FROM pg_attrdef AS d
					WHERE d.adrelid = c.oid AND d.adnum = a.attnum AND a.attgenerated = '')))), E'\n' ORDER BY a.attnum)
		FROM pg_attribute AS a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped), '')
FROM pg_class AS c JOIN member AS m ON m.classid = 'pg_class'::regclass AND m.objid = c.oid
WHERE c.relkind IN ('r', 'v') AND c.relnamespace = 'iamwatch'::regnamespace ORDER BY c.relkind, c.relname COLLATE "C";

SELECT E'\n## Types\n\n| type | what it is |\n|---|---|';
SELECT format('| `%s` | %s%s |', t.typname, pg_temp.cell(obj_description(t.oid, 'pg_type')),
	coalesce('. Attributes: ' || (SELECT string_agg(format('`%s` %s', a.attname, replace(format_type(a.atttypid, a.atttypmod), 'timestamp with time zone', 'timestamptz')), ', ' ORDER BY a.attnum)
		FROM pg_attribute AS a WHERE a.attrelid = t.typrelid AND a.attnum > 0), ''))
FROM pg_type AS t JOIN member AS m ON m.classid = 'pg_type'::regclass AND m.objid = t.oid
WHERE t.typnamespace = 'iamwatch'::regnamespace AND t.typtype IN ('b', 'c', 'd', 'e') AND t.typelem = 0 AND (t.typrelid = 0 OR (SELECT c.relkind = 'c' FROM pg_class AS c WHERE c.oid = t.typrelid))
ORDER BY t.typname COLLATE "C";

SELECT E'\n## Operators and casts\n\nWith `iamwatch` in the `search_path`, or spelled `OPERATOR(iamwatch.@>)`.\n\n| operator | result | what it is |\n|---|---|---|';
SELECT format('| `%s %s %s` | %s | %s |', format_type(o.oprleft, NULL), pg_temp.cell(o.oprname), format_type(o.oprright, NULL), format_type(o.oprresult, NULL),
	pg_temp.cell(coalesce(obj_description(o.oid, 'pg_operator'), obj_description(o.oprcode, 'pg_proc'))))
FROM pg_operator AS o JOIN member AS m ON m.classid = 'pg_operator'::regclass AND m.objid = o.oid
ORDER BY o.oprname COLLATE "C", format_type(o.oprright, NULL) COLLATE "C";
SELECT format('| `CAST (%s AS %s)` | %s | %s |', format_type(c.castsource, NULL), format_type(c.casttarget, NULL), format_type(c.casttarget, NULL),
	CASE c.castcontext WHEN 'i' THEN 'implicit' WHEN 'a' THEN 'on assignment' ELSE 'when asked for' END)
FROM pg_cast AS c JOIN member AS m ON m.classid = 'pg_cast'::regclass AND m.objid = c.oid
ORDER BY format_type(c.castsource, NULL) COLLATE "C";

SELECT E'\n## ' || kind || E'\n\n' || string_agg(format(E'### `%s(%s)`%s\n\n%s%s\n', proname, arguments,
	CASE WHEN kind IN ('Procedures', 'Triggers') THEN '' ELSE format(E'\n\nReturns `%s`%s.', result,
		concat_ws(', ', CASE provolatile WHEN 'i' THEN ', immutable' WHEN 's' THEN ', stable' ELSE '' END,
			CASE WHEN proisstrict THEN 'strict' END, CASE proparallel WHEN 's' THEN 'parallel safe' END)) END,
	upper(left(comment, 1)) || substr(comment, 2), CASE WHEN comment IS NULL THEN '' ELSE '.' END), E'\n'
	ORDER BY proname COLLATE "C", arguments COLLATE "C")
FROM (SELECT r.*, CASE WHEN r.prorettype = 'trigger'::regtype THEN 'Triggers' WHEN r.prokind = 'p' THEN 'Procedures'
	WHEN r.prokind = 'a' THEN 'Aggregates' ELSE 'Functions' END AS kind FROM routine AS r) AS k
GROUP BY kind ORDER BY array_position('{Procedures,Functions,Aggregates,Triggers}'::text[], kind);
