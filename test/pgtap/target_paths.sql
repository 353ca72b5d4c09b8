-- What an operation was done to and what it granted: the paths, and which row
-- of the table decides.
\ir settings.psql
SELECT plan(52);

TRUNCATE target_paths;
CREATE FUNCTION event_of(request jsonb, operation text = 'Op', service text = 'svc') RETURNS jsonb LANGUAGE sql AS $$
	SELECT aws('2026-01-01T00:00:00Z', 'ann', operation, service, more => jsonb_build_object('requestParameters', request))
$$;
CREATE FUNCTION found(target text[], granted text[], request jsonb) RETURNS text LANGUAGE plpgsql AS $$
DECLARE e event;
BEGIN
	TRUNCATE target_paths;
	INSERT INTO target_paths VALUES ('aws', 'svc', 'Op', 'exact', target, granted);
	e := parse(event_of(request));
	RETURN concat(e.target, '|', e.granted);
END $$;

-- The grammar of paths.
CREATE TABLE paths (what text, path text, request jsonb, expected text);
INSERT INTO paths VALUES
('a field', 'requestParameters.a', '{"a": "x"}', 'x'),
('a field of a field', 'requestParameters.a.b', '{"a": {"b": "x"}}', 'x'),
('a number', 'requestParameters.a', '{"a": 7.50}', '7.50'),
('a boolean', 'requestParameters.a', '{"a": false}', 'false'),
('null', 'requestParameters.a', '{"a": null}', ''),
('an empty string', 'requestParameters.a', '{"a": ""}', ''),
('all elements: the first', 'requestParameters.a[].b', '{"a": [{"c": 1}, {"b": "x"}, {"b": "y"}]}', 'x'),
('all elements that are strings', 'requestParameters.a[]', '{"a": ["x", "y"]}', 'x'),
('elements by a field', 'requestParameters.a[type=User].id', '{"a": [{"type": "Role", "id": "r"}, {"type": "User", "id": "u"}]}', 'u'),
('elements by a field whose value has dots', 'requestParameters.a[k=Role.Name].v', '{"a": [{"k": "Role", "v": "no"}, {"k": "Role.Name", "v": "yes"}]}', 'yes'),
('one element', 'requestParameters.a[1]', '{"a": ["x", "y"]}', 'y'),
('from the end', 'requestParameters.a[-1]', '{"a": ["x", "y"]}', 'y'),
('beyond the end', 'requestParameters.a[2]', '{"a": ["x", "y"]}', ''),
('what follows the last slash', 'requestParameters.a(last)', '{"a": "p/q/r"}', 'r'),
('what follows the last slash of elements', 'requestParameters.a[](last)', '{"a": ["p/q"]}', 'q'),
('without a slash all', 'requestParameters.a(last)', '{"a": "r"}', 'r'),
('nothing behind the slash', 'requestParameters.a(last)', '{"a": "r/"}', ''),
('fields put together', 'requestParameters.a[].{r} on {s.t}', '{"a": [{"r": "admin", "s": {"t": "x"}}]}', 'admin on x'),
('fields put together, one missing', 'requestParameters.a.{r} {s}', '{"a": {"r": "admin"}}', 'admin'),
('fields put together, all missing', 'requestParameters.a.{r} on {s}', '{"a": {"q": 1}}', ''),
('an object as text', 'requestParameters.a.b', '{"a": "{\"b\": \"x\"}"}', 'x'),
('an array as text', 'requestParameters.a[0].b', '{"a": "[{\"b\": \"x\"}]"}', 'x'),
('names in lower case', 'requestParameters.roleName', '{"rolename": "x"}', 'x'),
('an object is no target', 'requestParameters.a', '{"a": {"b": 1}}', ''),
('text that is a JSON string', 'requestParameters.a', '{"a": "\"Global \\\"Administrator\\\"\""}', 'Global "Administrator"'),
('quotes that are no JSON', 'requestParameters.a', '{"a": "\"a\"b\""}', '"a"b"'),
('the constant default', 'requestParameters.a', '{"a": "default"}', ''),
('the constant -', 'requestParameters.a', '{"a": "-"}', ''),
('an element that is a constant is passed over', 'requestParameters.a[]', '{"a": ["default", "x"]}', 'x'),
('a path that is none', 'requestParameters.a[', '{"a": ["x"]}', ''),
('a path that is none, of dots', '...', '{"a": "x"}', '');
SELECT is(found(ARRAY[path], NULL, request), expected || '|', 'Target: ' || what) FROM paths;
SELECT is(found('{requestParameters.a,requestParameters.b,requestParameters.c}', NULL, '{"b": "x", "c": "y"}'), 'x|', 'Target: the first path that finds something');
SELECT is(found('{requestParameters.a,requestParameters.b}', NULL, '{"a": "default", "b": "x"}'), 'x|', 'Target: a constant is nothing found');

-- What was granted.
CREATE TABLE grants (what text, path text, request jsonb, expected text);
INSERT INTO grants VALUES
('several values', 'requestParameters.a[]', '{"a": ["x", "y", "x"]}', 'x, y'),
('an object', 'requestParameters.a', '{"a": {"b": [1, "x"]}}', '{"b": [1, "x"]}'),
('an array', 'requestParameters.a', '{"a": [{"b": 1}]}', '[{"b": 1}]'),
('an empty object', 'requestParameters.a', '{"a": {}}', ''),
('several put together', 'requestParameters.a[].{action} {role} {member}', '{"a": [{"action": "ADD", "role": "r", "member": "m"}, {"action": "REMOVE", "role": "r", "member": "n"}]}', 'ADD r m, REMOVE r n'),
('default is a grant', 'requestParameters.a', '{"a": "default"}', 'default'),
('text stays text', 'requestParameters.a', '{"a": "{\"Version\": 1}"}', '{"Version": 1}');
SELECT is(found('{}', ARRAY[path], request), '|' || expected, 'Granted: ' || what) FROM grants;
SELECT is(length(found('{}', '{requestParameters.a[]}', jsonb_build_object('a', (SELECT jsonb_agg(repeat('x', 5000) || n) FROM generate_series(1, 500) AS n)))) <= 65537, true, 'Granted: bounded');

-- Which row decides.
TRUNCATE target_paths;
INSERT INTO target_paths VALUES ('aws', '*', '*', 'exact', '{requestParameters.provider}', '{requestParameters.granted}'),
	('aws', 'svc', '*', 'exact', '{requestParameters.service}', NULL), ('aws', '*', 'Ending', 'suffix', '{requestParameters.suffix}', NULL),
	('aws', '*', 'LongEnding', 'suffix', '{requestParameters.longer}', NULL), ('aws', 'svc', 'LongEnding', 'suffix', '{requestParameters.named}', NULL),
	('aws', 'svc', 'TheLongEnding', 'exact', '{requestParameters.exact}', '{}'), ('azure', 'core directory', 'add member', 'exact', '{properties.targetResources[0].id}', '{targetResources[0].modifiedProperties[displayName=Role.DisplayName].newValue}');
CREATE TABLE rows (service text, operation text, expected text, what text);
INSERT INTO rows VALUES ('svc', 'TheLongEnding', 'exact|', 'the row of the operation'), ('svc', 'ALongEnding', 'named|granted', 'the longest suffix, of the service'),
	('s3', 'ALongEnding', 'longer|granted', 'the longest suffix, of any'), ('svc', 'AnEnding', 'suffix|granted', 'a suffix before what the service has for all'),
	('svc', 'Other', 'service|granted', 'what the service has for all'), ('s3', 'Other', 'provider|granted', 'what the provider has for all');
SELECT is((SELECT concat(e.target, '|', e.granted) FROM parse(event_of('{"provider": "provider", "granted": "granted", "service": "service", "suffix": "suffix",
	"longer": "longer", "named": "named", "exact": "exact"}', operation, service)) AS e), expected, 'Decides: ' || what) FROM rows;

-- Azure: in any form and case.
SELECT is((SELECT concat(e.target, '|', e.granted) FROM parse(document) AS e), 'u|Admin', 'Azure: ' || what) FROM (VALUES
	('under properties', '{"category": "AuditLogs", "time": "2026-01-01T00:00:00Z", "properties": {"activityDisplayName": "Add member", "loggedByService": "core directory", "initiatedBy": {"user": {"id": "a"}},
		"targetResources": [{"id": "u", "modifiedProperties": [{"displayName": "Role.DisplayName", "newValue": "Admin"}]}]}}'::jsonb),
	('of Graph', '{"activityDateTime": "2026-01-01T00:00:00Z", "activityDisplayName": "ADD MEMBER", "loggedByService": "Core Directory", "initiatedBy": {"user": {"id": "a"}},
		"targetResources": "[{\"id\": \"u\", \"modifiedProperties\": [{\"displayName\": \"Role.DisplayName\", \"newValue\": \"Admin\"}]}]"}'),
	('in PascalCase', '{"ActivityDateTime": "2026-01-01T00:00:00Z", "ActivityDisplayName": "Add member", "LoggedByService": "Core Directory", "InitiatedBy": {"User": {"Id": "a"}},
		"TargetResources": [{"Id": "u", "ModifiedProperties": [{"DisplayName": "Role.DisplayName", "NewValue": "Admin"}]}]}')) AS v (what, document);

-- The reader needs no rights.
CREATE ROLE target_reader;
GRANT USAGE ON SCHEMA iamwatch TO target_reader;
GRANT EXECUTE ON FUNCTION iamwatch.parse(jsonb) TO target_reader;
CREATE TABLE kept AS SELECT event_of('{"exact": "exact"}', 'TheLongEnding') AS event;
GRANT SELECT ON kept TO target_reader;
SET LOCAL ROLE target_reader;
SELECT is((iamwatch.parse(event)).target, 'exact', 'Rights: whoever may read documents learns the target') FROM kept;
RESET ROLE;
DELETE FROM target_paths WHERE operation = 'TheLongEnding';
SELECT isnt((parse(event)).target, 'exact', 'a change holds from the next statement') FROM kept;

SELECT * FROM finish();
ROLLBACK;
