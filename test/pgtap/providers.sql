-- Users' own providers.  Documents have the fields of Okta's System Log.
\ir settings.psql
SELECT plan(78);

CREATE FUNCTION okta(at text, who text, event_type text, more jsonb = '{}') RETURNS jsonb LANGUAGE sql AS $$
	SELECT jsonb_build_object('uuid', md5(at || event_type), 'published', at, 'eventType', event_type, 'version', '0', 'severity', 'INFO',
		'actor', jsonb_build_object('id', '00u1', 'type', 'User', 'alternateId', who, 'displayName', 'Ann'),
		'client', '{"userAgent": {"rawUserAgent": "Mozilla/5.0", "os": "Linux"}, "zone": "null", "ipAddress": "192.0.2.3"}'::jsonb,
		'outcome', '{"result": "SUCCESS", "reason": null}'::jsonb,
		'target', '[{"id": "00u2", "type": "User", "alternateId": "bob@example.com"}, {"id": "rol1", "type": "ROLE", "alternateId": "admin"}]'::jsonb,
		'legacyEventType', 'core.user') || more
$$;
SELECT is(unreadable(okta('2026-01-01T00:00:00.123Z', 'ann@example.com', 'x')), 'of no provider: neither AWS (eventSource), GCP (protoPayload), Azure, nor one in iamwatch.providers', 'before: not known');

INSERT INTO providers (provider, recognised_by, account_default, identity_path, kind_path, kinds, kind_default, service_default,
	operation_path, event_time_path, result_path, success_values, error_code_path, event_id_path, source_ip_path, user_agent_path, region_path, target_path)
VALUES ('okta', '{legacyEventType}', 'example.okta.com', '{actor,alternateId}', '{actor,type}', '{"User": "user", "PublicClientApp": "service_account"}', 'service',
	'okta', '{eventType}', '{published}', '{outcome,result}', '{SUCCESS,ALLOW}', '{outcome,reason}', '{uuid}', '{client,ipAddress}', '{client,userAgent,rawUserAgent}',
	'{client,zone}', '{target,-1,alternateId}');
SELECT is(parse(okta('2026-01-01T00:00:00.123Z', 'ann@example.com', 'user.account.privilege.grant'))::text,
	'(okta,example.okta.com,' || md5('2026-01-01T00:00:00.123Zuser.account.privilege.grant') ||
	',"2026-01-01 00:00:00.123+00",ann@example.com,user,t,okta,user.account.privilege.grant,f,,192.0.2.3,,Mozilla/5.0,null,,admin,,)', 'every field, from the next statement on');
SELECT is(unreadable(okta('2026-01-01T00:00:00Z', 'a', 'x')), NULL, 'unreadable: null for what is read');

CREATE TABLE odd (what text, expected text, more jsonb);
INSERT INTO odd VALUES
('a kind that is mapped', 'service_account f ', '{"actor": {"alternateId": "a", "type": "PublicClientApp"}}'),
('a kind that is not mapped', 'service f ', '{"actor": {"alternateId": "a", "type": "SystemPrincipal"}}'),
('no kind', 'service f ', '{"actor": {"alternateId": "a"}}'),
('a kind that is no string', 'service f ', '{"actor": {"alternateId": "a", "type": ["User"]}}'),
('another success', 'user f ', '{"outcome": {"result": "ALLOW", "reason": "rule"}}'),
('a failure with its reason', 'user t VERIFICATION_ERROR', '{"outcome": {"result": "FAILURE", "reason": "VERIFICATION_ERROR"}}'),
('a failure without', 'user t DENY', '{"outcome": {"result": "DENY"}}'),
('no result', 'user f ', '{"outcome": null}'),
('a result that is a number', 'user t 500', '{"outcome": {"result": 500}}'),
('a result that is an object', 'user f ', '{"outcome": {"result": {}}}');
SELECT is((SELECT concat(identity_kind, ' ', failed, ' ', error_code) FROM parse(okta('2026-01-01T00:00:00Z', 'ann', 'x', more))), expected, what) FROM odd;
SELECT is((parse(okta('2026-01-01T00:00:00Z', 'ann', 'x', '{"target": []}'))).target, NULL, 'an element that the array does not have');
SELECT is((parse(okta('2026-01-01T00:00:00Z', 'ann', 'x', '{"target": {"-1": {"alternateId": "t"}}}'))).target, 't', 'an object where an array was expected is asked for the name');
SELECT is((parse(okta('2026-01-01T00:00:00Z', 'ann', 'x', '{"target": "t"}'))).target, NULL, 'a string has no elements');
SELECT is((parse(okta('2026-01-01T00:00:00Z', 'ann', 'x', '{"client": {"ipAddress": "unknown"}}'))).source_ip, NULL, 'a source that is no address');

CREATE TABLE unread (what text, reason text, more jsonb);
INSERT INTO unread VALUES
('not recognised: null', 'of no provider: neither AWS (eventSource), GCP (protoPayload), Azure, nor one in iamwatch.providers', '{"legacyEventType": null}'),
('no operation', 'no operation where iamwatch.providers says it is', '{"eventType": ""}'),
('no time', 'no event time where iamwatch.providers says it is', '{"published": null}'),
('no time in RFC 3339', 'the event time is not a time in RFC 3339: yesterday', '{"published": "yesterday"}'),
('a time that is a number', 'the event time is not a time in RFC 3339: 1767225600', '{"published": 1767225600}'),
('no identity', 'no identity where iamwatch.providers says it is', '{"actor": {"alternateId": null}}'),
('an identity that is an object', 'no identity where iamwatch.providers says it is', '{"actor": {"alternateId": {"a": 1}}}');
SELECT is(unreadable(okta('2026-01-01T00:00:00Z', 'ann', 'x', more)), reason, 'unreadable: ' || what) FROM unread;
SELECT put(okta('2026-01-01T00:00:00Z', 'ann', 'x', '{"actor": 7}'));
SELECT is((SELECT reason FROM rejected_events), 'no identity where iamwatch.providers says it is', 'what cannot be read is kept with its reason');
DELETE FROM rejected_events;

CREATE INDEX ON log (((parse(event)).event_id));
SELECT lives_ok($$INSERT INTO log VALUES (okta('2026-01-02T00:00:00Z', 'ann@example.com', 'x'))$$, 'what is read may be indexed');

-- Built-in providers come first.
SELECT is((parse(okta('2026-01-01T00:00:00Z', 'ann', 'x', aws('2026-01-01T00:00:00Z', 'a', 'CreateUser')))).provider, 'aws', 'a document of AWS is of AWS');
SELECT is((parse(okta('2026-01-01T00:00:00Z', 'ann', 'x', '{"operationName": "Sign-in activity"}'))).provider, 'okta', 'what only resembles Azure''s can be of your own');

-- Values, not only paths, may tell; accounts, services and times may be in the document.
INSERT INTO providers (provider, recognised_by, recognised_value, account_path, identity_path, service_path, service_default, operation_path, event_time_path, event_time_format)
VALUES ('forge', '{source}', 'forge', '{org}', '{who,0}', '{part}', 'forge', '{what}', '{at}', 'milliseconds');
CREATE FUNCTION forge(more jsonb) RETURNS jsonb LANGUAGE sql AS $$
	SELECT '{"source": "forge", "org": 7, "who": ["ann"], "part": "repo", "what": true, "at": 1767225600123}'::jsonb || more
$$;
SELECT is(parse(forge('{}'))::text, '(forge,7,,"2026-01-01 00:00:00.123+00",ann,user,t,repo,true,f,,,,,,,,,)', 'numbers and booleans count as text; milliseconds since 1970');

-- What differs from another provider's only as the numbers of providers do is not taken for it.
CREATE TABLE alike AS SELECT 'RemoveAl' || chr(ascii('d') # n) || 'Members' AS operation, 'account-' || chr(ascii('d') # n) || '-000001' AS account
	FROM generate_series(0, 7) AS n;
CREATE TABLE arrives AS SELECT aws('2026-01-01T00:00:00.123Z', 'ann', 'ListBuckets', 's3', more => '{"recipientAccountId": "account-d-000001"}') AS event;
INSERT INTO log SELECT forge(jsonb_build_object('org', account, 'who', ARRAY[(parse(event)).identity])) FROM alike, arrives;
INSERT INTO log SELECT event FROM arrives;
SELECT is((SELECT count(*) FROM identities WHERE provider = 'forge' AND account LIKE 'account-%'), 8::bigint, 'Alike: an identity of eight accounts');
SELECT is((SELECT count(*) FROM identities WHERE provider = 'aws' AND account = 'account-d-000001'), 1::bigint, 'Alike: ... is not one of another provider''s');
INSERT INTO operations (provider, service, operation, category, effect) VALUES ('aws', 'alike.example.com', 'RemoveAldMembers', 'permission', 'modify');
INSERT INTO log VALUES (aws('2026-01-01T00:00:00.123Z', 'ann', 'RemoveAldMembers', 'alike', more => '{"eventSource": "alike.example.com"}'));
INSERT INTO log SELECT forge(jsonb_build_object('part', 'alike.example.com', 'what', operation)) FROM alike;
SELECT is((SELECT string_agg(provider || ' ' || operation, ', ') FROM baselines WHERE service = 'alike.example.com'), 'aws RemoveAldMembers', 'Alike: nor is an operation of the catalogue');
SELECT is((parse(forge('{"part": null}'))).service, 'forge', 'a default where the path finds nothing');
SELECT is(unreadable(forge('{"org": null}')), 'no account where iamwatch.providers says it is', 'without a default the account is missing');
SELECT is(unreadable(forge('{"source": "other"}')), 'of no provider: neither AWS (eventSource), GCP (protoPayload), Azure, nor one in iamwatch.providers', 'another value is not recognised');
SELECT is((parse(forge('{"at": "1767225600123.5"}'))).event_time::text, '2026-01-01 00:00:00.1235+00', 'a number may be a string, with a fraction');
SELECT is(unreadable(forge(jsonb_build_object('at', at))), 'the event time is not a number of milliseconds since 1970', 'no time: ' || at)
FROM unnest(ARRAY['-1', '1e300', 'nan', '12x', '0x', '99999999999999999999']) AS at;
UPDATE providers SET event_time_format = 'seconds' WHERE provider = 'forge';
SELECT is((parse(forge('{"at": 1767225600.000001}'))).event_time::text, '2026-01-01 00:00:00.000001+00', 'seconds since 1970; a change holds from the next statement');

-- Order of name decides.
INSERT INTO providers (provider, recognised_by, account_default, identity_path, service_default, operation_path, event_time_path, event_time_format)
VALUES ('all', '{source}', 'x', '{who,0}', 's', '{what}', '{at}', 'milliseconds');
SELECT is((parse(forge('{}'))).provider, 'all', 'the first in order of name reads what several recognise');
DELETE FROM providers WHERE provider = 'all';
SELECT is((parse(forge('{"at": 1}'))).provider, 'forge', 'without it the next one does');

SAVEPOINT before;
UPDATE providers SET service_default = 'other', service_path = NULL WHERE provider = 'forge';
SELECT is((parse(forge('{"at": 1}'))).service, 'other', 'a change that is not committed holds for its own transaction');
ROLLBACK TO before;
SELECT is((parse(forge('{"at": 1}'))).service, 'repo', 'and no longer once it is rolled back');

-- Detection, end to end.
INSERT INTO operations (provider, service, operation, category, effect, attack_technique, sensitivity)
VALUES ('okta', 'okta', 'user.account.privilege.grant', 'permission', 'create', 'T1098.003', 4);
INSERT INTO log SELECT okta(d::date || 'T08:00:00Z', 'ann@example.com', 'user.session.start') FROM generate_series(date '2026-01-01', '2026-01-31', '1 day') AS d;
INSERT INTO log SELECT okta(d::date || 'T08:00:00Z', 'bob@example.com', 'user.session.start') FROM generate_series(date '2026-01-01', '2026-01-31', '1 day') AS d;
SELECT put(okta('2026-02-01T09:00:00Z', 'ann@example.com', 'user.account.privilege.grant'));
SELECT put(okta('2026-02-01T09:00:00Z', 'ann@example.com', 'user.account.privilege.grant'));
SELECT results_eq($$SELECT provider, account, identity, service, operation, technique, event_count, (evidence->>'A')::int, (evidence->>'N')::int, evidence->'targets' FROM alerts$$,
	$$VALUES ('okta', 'example.okta.com', 'ann@example.com', 'okta', 'user.account.privilege.grant', 'T1098.003', 1::bigint, 30, 29, '["admin"]'::jsonb)$$,
	'an unusual operation raises one alert, with its evidence');
SELECT is((SELECT count(*) FROM identities WHERE provider = 'okta'), 2::bigint, 'identities are of the provider');
SELECT is(may_be_new(okta('2026-02-01T08:00:00Z', 'ann@example.com', 'user.session.start')), false, 'what is known may not be new');

-- The same name, account and identity at another provider is somebody else.
INSERT INTO providers (provider, recognised_by, account_default, identity_path, service_default, operation_path, event_time_path)
VALUES ('okta2', '{twin}', 'example.okta.com', '{actor,alternateId}', 'okta', '{eventType}', '{published}');
SELECT is(may_be_new(okta('2026-02-01T08:00:00Z', 'ann@example.com', 'user.session.start') - 'legacyEventType' || '{"twin": 1}'), true, 'news of one provider is not known from another');
SELECT put(okta('2026-02-01T08:00:00Z', 'ann@example.com', 'user.session.start') - 'legacyEventType' || '{"twin": 1}');
SELECT is((SELECT count(*) FROM identities WHERE identity = 'ann@example.com'), 2::bigint, 'baselines are kept apart by provider');
SELECT isnt((baseline_key(forge('{"at": 1}'))).key, (baseline_key(okta('2026-02-01T08:00:00Z', 'x', 'y'))).key, 'keys of marks differ by provider');
SELECT is((SELECT provider || ' ' || account || ' ' || operation FROM baseline_key_fields((baseline_key(okta('2026-02-01T09:00:00Z', 'ann@example.com', 'user.account.privilege.grant'))).key)),
	'okta example.okta.com user.account.privilege.grant', 'a mark tells its provider by name');
SELECT throws_ok($$SELECT baseline_key_fields('\x030000ff')$$, '22P03', NULL, 'a mark without its provider''s name is refused');
SELECT throws_ok($$SELECT baseline_key_fields('\x040000')$$, '22P03', NULL, 'so is one of no provider');
SELECT throws_ok($$SELECT baseline_key_fields(set_byte((baseline_key(aws('2026-02-01T09:00:00Z', 'ann', 'CreateUser'))).key, 5, 255))$$, '22021', NULL,
	'and a name that is no text of the database, which a mark of somebody''s own can have');

-- Mappings that cannot be.
CREATE FUNCTION map(more text) RETURNS text LANGUAGE sql AS $$
	SELECT format('UPDATE providers SET %s WHERE provider = ''forge''', more)
$$;
CREATE TABLE wrong (setting text, message text);
INSERT INTO wrong VALUES
('provider = ''aws''', 'provider "aws" is built in'), ('provider = ''My Cloud''', 'invalid name of a provider: ''My Cloud'''),
('recognised_by = NULL', 'recognised_by of provider "forge" must not be null'), ('operation_path = NULL', 'operation_path of provider "forge" must not be null'),
('identity_path = ''{}''', 'identity_path of provider "forge" is not a path: []'), ('target_path = ''{a,NULL}''', 'target_path of provider "forge" is not a path: ["a", null]'),
('target_path = ''{{a},{b}}''', 'target_path of provider "forge" is not a path: [["a"], ["b"]]'),
('account_path = NULL', 'provider "forge" has no account'), ('service_default = ''''', 'provider "forge" has no service'),
('kinds = ''[]''', 'kinds of provider "forge" is not a JSON object'), ('kind_path = ''{a}'', kinds = ''{"x": "robot"}''', 'provider "forge" maps to a kind that is none: ''robot'''),
('kinds = ''{"x": "user"}''', 'provider "forge" maps kinds but has no kind_path'), ('kind_default = ''User''', 'provider "forge" maps to a kind that is none: ''User'''),
('event_time_format = ''unix''', 'invalid event_time_format of provider "forge": ''unix'''), ('success_values = ''{ok}''', 'provider "forge" has no result_path');
SELECT throws_ok(map(setting), '22023', message, 'refused: ' || setting) FROM wrong;

-- Somebody deletes a provider while a statement stores more of its events than memory
-- holds: here by a trigger, elsewhere in another session.
SET LOCAL work_mem = '64kB';
SET LOCAL hash_mem_multiplier = 1;
INSERT INTO providers (provider, recognised_by, account_default, identity_path, kind_default, service_default, operation_path, event_time_path)
VALUES ('gone', '{gone}', 'gone', '{who}', 'user', 'gone', '{what}', '{at}');
CREATE FUNCTION forget_it() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN DELETE FROM iamwatch.providers WHERE provider = 'gone'; RETURN NULL; END $$;
CREATE TRIGGER zz AFTER INSERT ON log FOR EACH ROW WHEN (NEW.event->>'who' = 'who3000') EXECUTE FUNCTION forget_it();
DELETE FROM rejected_events;
SELECT lives_ok($$INSERT INTO log SELECT jsonb_build_object('gone', true, 'who', 'who' || n, 'what', 'x', 'at', '2026-01-0' || 1 + n % 8 || 'T08:00:00Z')
	FROM generate_series(1, 3000) AS n$$, 'gone: the statement that stores its events succeeds');
SELECT is((SELECT count(*) FROM identities WHERE account = 'gone') || ' ' || (SELECT count(*) FROM rejected_events WHERE reason LIKE 'of no provider%'),
	'3000 0', 'gone: each is learned as it was read when it was stored, also what memory did not hold');
DROP TRIGGER zz ON log;
RESET work_mem;
RESET hash_mem_multiplier;

-- Before ALTER EXTENSION UPDATE the table is not there.
SELECT is((parse(forge('{"at": 1}'))).provider, 'forge', 'read by the table');
ALTER EXTENSION iamwatch DROP TABLE providers;
ALTER TABLE providers RENAME TO taken;
SELECT is(unreadable(forge('{}')), 'of no provider: neither AWS (eventSource), GCP (protoPayload), Azure, nor one in iamwatch.providers', 'without the table its documents are of no provider');
SELECT lives_ok($$INSERT INTO log VALUES (forge('{}')), (aws('2026-02-01T00:00:00Z', 'ann', 'CreateUser'))$$, 'and the statement that stores them succeeds');
ALTER TABLE taken RENAME TO providers;
SELECT is((parse(forge('{"at": 1}'))).provider, 'forge', 'once it is there it is used');

SELECT * FROM finish();
ROLLBACK;
