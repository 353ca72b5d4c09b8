-- What is asked in SQL and, on the way of an event, in C gets one answer.
\ir settings.psql
SELECT plan(8);

-- the catalogue, with rows of a user's own that are more and less exact than shipped ones
INSERT INTO operations (provider, service, operation, match, category, effect, attack_technique, sensitivity) VALUES
	('aws', 'iam', 'CreateUser', 'exact', 'own', 'create', 'T1000', 1), ('aws', '*', 'CreateRole', 'exact', 'own', 'create', NULL, 2),
	('aws', '*', 'Policy', 'suffix', 'own', 'modify', 'T1001', 3), ('aws', 'iam', 'UserPolicy', 'suffix', 'longer', 'modify', NULL, 2),
	('azure', '*', 'Microsoft.Own/Things/Write', 'exact', 'own', 'modify', NULL, 2), ('gcp', 'own', '.Set', 'suffix', 'own', 'modify', NULL, 4),
	('aws', '*', 'Zap', 'suffix', 'own', 'modify', NULL, 1), ('aws', 'iam', 'DeleteUser', 'exact', 'own', 'read', NULL, 1), ('gcp', '*', 'SetIamPolicy', 'suffix', 'own', 'read', NULL, 1);
-- as shipped, a row of a named service that ends as one of a user for any service does
INSERT INTO operations (provider, service, operation, match, category, effect, origin) VALUES ('aws', 'own', 'Zap', 'suffix', 'own', 'read', 'iamwatch');
-- a detector that watches all: of what none watches, C need not know
UPDATE detectors SET effects = '{create,modify,delete,read}', categories = (SELECT array_agg(DISTINCT category) FROM operations);
CREATE VIEW asked AS
SELECT DISTINCT o.provider, CASE o.service WHEN '*' THEN s.service ELSE o.service END AS service, w.written || o.operation AS operation
FROM operations AS o, unnest('{iam,other,own}'::text[]) AS s (service), unnest('{"",x,User}'::text[]) AS w (written)
UNION SELECT provider, upper(service), upper(operation) FROM operations WHERE provider = 'azure';
CREATE VIEW answers AS
SELECT a.*, o.effect <> 'read' AND o.category NOT IN ('session', 'sign_in') AS in_sql, is_iam(a.provider, a.service, a.operation) AS in_c
FROM asked AS a CROSS JOIN LATERAL find_operation(a.provider, a.service, a.operation) AS o
WHERE o.provider IS NOT NULL;	-- of what is remembered and no longer in it, C says that it was one
SELECT cmp_ok(count(*), '>', 2500::bigint, 'Catalogue: every row is asked for, exactly and by what ends so') FROM answers;
SELECT cmp_ok(least(count(*) FILTER (WHERE in_sql), count(*) FILTER (WHERE NOT in_sql)), '>', 100::bigint, 'Catalogue: with both answers') FROM answers;
SELECT is_empty('SELECT provider, service, operation, in_sql, in_c FROM answers WHERE in_sql IS DISTINCT FROM in_c LIMIT 10', 'Catalogue: find_operation() and the copy of a session say the same');

SELECT is(effect, 'read', 'Catalogue: of suffixes of one length a named service comes before any, whoever wrote them') FROM find_operation('aws', 'own', 'DoZap');

-- settings of a detector that is no more, whose alerts are still there
CREATE FUNCTION default_of(setting name) RETURNS integer LANGUAGE sql AS $$
	SELECT pg_get_expr(d.adbin, d.adrelid)::integer FROM pg_attrdef AS d JOIN pg_attribute AS a ON a.attrelid = d.adrelid AND a.attnum = d.adnum
	WHERE a.attrelid = 'detectors'::regclass AND a.attname = setting
$$;
SELECT is(urgent_most('no such detector'), 28 * default_of('daily_budget')::bigint, 'Urgent: the budget of a detector that is no more is the default of the column');
SELECT is(incident_gap('no such detector'), default_of('deduplication_days') * interval '24 hours', 'Incidents: and so is the gap between them');
UPDATE detectors SET daily_budget = 7;
SELECT is(urgent_most(detector), 7::bigint * 28, 'Urgent: as many a day as its budget says') FROM detectors;
DELETE FROM detectors;
SELECT is(ARRAY[training_days(), kept_days(), stored_days()],
	ARRAY[default_of('training_days'), default_of('memory_days') + default_of('lateness_days'), 2 * default_of('memory_days') + default_of('lateness_days')],
	'History: what is kept where there is no detector follows from the defaults of the columns');
SELECT * FROM finish();
ROLLBACK;
