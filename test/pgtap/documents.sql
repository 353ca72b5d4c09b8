\ir settings.psql
SELECT plan(32);

-- Tables with the document as text or json.
CREATE TABLE plain (id bigint GENERATED ALWAYS AS IDENTITY, line text, doc json, short varchar(2000));
CREATE FUNCTION text_of(day text, who text, operation text, agent text DEFAULT 'cli') RETURNS text LANGUAGE sql AS $$
	SELECT replace(aws(day || 'T08:00:00Z', who, operation)::text, '"cli"', agent) $$;
CREATE FUNCTION lives_in(col name, who text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	PERFORM watch('plain', col);
	EXECUTE format('INSERT INTO plain (%I) SELECT (text_of(d::date::text, %L, ''ListUsers'', ''"cli"''))::%s
		FROM generate_series(''2026-03-01''::date, ''2026-03-20'', ''1 day'') AS d', col, who, (SELECT atttypid::regtype FROM pg_attribute
		WHERE attrelid = 'plain'::regclass AND attname = col));
END $$;
SELECT lives_in('line', 'text'), lives_in('doc', 'json'), lives_in('short', 'varchar');
SELECT results_eq('SELECT identity, count_days(days, ''2026-03-01'', ''2026-03-20'') FROM identities ORDER BY 1',
	$$VALUES ('arn:aws:iam::111122223333:user/json', 20), ('arn:aws:iam::111122223333:user/text', 20), ('arn:aws:iam::111122223333:user/varchar', 20)$$,
	'Columns of type text, json and varchar are learned from');
SELECT watch('plain', 'line');
SELECT watch('plain', 'line');
SELECT is((SELECT count(*) FROM pg_trigger WHERE tgrelid = 'plain'::regclass), 2::bigint, 'Watching a text column again changes nothing');
INSERT INTO plain (line) VALUES (text_of('2026-03-21', 'text', 'CreateUser', '"cli"'));
SELECT is((SELECT identity FROM alerts), 'arn:aws:iam::111122223333:user/text', 'An alert is raised from a text column');

SELECT is((SELECT event->>'eventName' FROM raw_events((SELECT max(alert_id) FROM alerts))), 'CreateUser', 'and its events are found in it');

-- Whatever the text, the insert succeeds; what is no JSON is kept with its reason.
CREATE TABLE odd (line text);
INSERT INTO odd VALUES (''), ('{"cut": "sho'), ('not json'), ('{"a": 1e999999}'), (repeat('[', 20000)), (E'\\u0000'), ('{"a": "\u00zz"}'), ('[1, 2]'), ('null'), ('"{}"');
SELECT lives_ok('INSERT INTO plain (line) SELECT line FROM odd', 'Text that is no JSON never fails the insert');
SELECT results_eq('SELECT reason, count(*) FROM rejected_events GROUP BY 1 ORDER BY 1',
	$$VALUES ('the document is JSON inside of a string: use iamwatch.records()', 1::bigint), ('the document is a string that is not valid JSON', 7), ('the document is an array: use iamwatch.records()', 1), ('the document is not a JSON object', 1)$$,
	'It is rejected with the reason');
SELECT is((SELECT count(*) FROM odd JOIN rejected_events ON event = to_jsonb(line)), 7::bigint, 'and kept to the letter');
INSERT INTO plain (line) VALUES (NULL);
SELECT is((SELECT count(*) FROM rejected_events WHERE reason = 'the document is null'), 1::bigint, 'A null text is rejected as a null document');
SELECT is(to_document(line), to_jsonb(line), 'Not JSON: ' || left(line, 20)) FROM odd WHERE line NOT IN ('[1, 2]', 'null', '"{}"');

-- What JSON allows and jsonb does not must not hide an event.
SELECT is(to_document('{"a": "x\u0000y", "b": "\\u0000"}'), E'{"a": "x\uFFFDy", "b": "\\\\u0000"}'::jsonb, 'A zero byte becomes a replacement character, an escaped backslash stays');
SELECT is(to_document('{"a": "\ud83d\ude00 \ud83d \ude00 \ud83d"}'), E'{"a": "\U0001F600 \uFFFD \uFFFD \uFFFD"}'::jsonb, 'So does half a surrogate pair; a whole one stays');
SELECT is(to_document('{"a": "\ud83d\u0000\udbff\udbff\ude00"}'), E'{"a": "\uFFFD\uFFFD\uFFFD\U0010FE00"}'::jsonb, 'in any sequence');
SELECT is(to_document('{"a": "\u0000", "b": "\'), to_jsonb('{"a": "\u0000", "b": "\'::text), 'Text that ends in the middle of an escape is kept as it was');
INSERT INTO plain (line) VALUES (text_of('2026-03-22', 'text', 'DeleteUser', '"\u0000 evil"'));
SELECT is((SELECT evidence->'user_agents'->>0 FROM alerts WHERE operation = 'DeleteUser'), E'\uFFFD evil', 'An attacker''s user agent with a zero byte does not hide the event');
SELECT watch('plain', 'doc');
INSERT INTO plain (doc) VALUES (text_of('2026-03-22', 'json', 'DeleteUser', '"\u0000 evil"')::json);
SELECT is((SELECT count(*) FROM alerts WHERE operation = 'DeleteUser'), 2::bigint, 'nor in a json column');
SELECT is(pg_column_size(to_document(repeat('x', 70000000))) < 2000000, true, 'Of text that is far too long the beginning is kept');

-- Real text with a piece cut out, put in or changed: read as JSON is read, or kept to the letter.
CREATE FUNCTION damaged(line text, n int) RETURNS text LANGUAGE sql AS $$
	SELECT CASE n % 3 WHEN 0 THEN left(line, at) || substr(line, at + n % 7)
		WHEN 1 THEN overlay(line PLACING (ARRAY['"', '\', '\u0000', '\ud800', '{', ']', ',', E'\x01', '1e9', '€'])[1 + n % 10] FROM at FOR 1)
		ELSE left(line, at) END
	FROM (SELECT 1 + (hashint4(n) & 2147483647) % length(line) AS at) AS x $$;
CREATE FUNCTION is_json(t text) RETURNS boolean LANGUAGE plpgsql AS $$BEGIN RETURN t::jsonb IS NOT NULL; EXCEPTION WHEN OTHERS THEN RETURN false; END$$;
SELECT is(count(*) FILTER (WHERE is_json(t) AND to_document(t) = t::jsonb
	OR NOT is_json(t) AND (to_document(t) = to_jsonb(t) OR t ~ '\\u[0d]' AND jsonb_typeof(to_document(t)) = 'object')), 1500::bigint,
	'Damaged records: what is JSON is read as such, what is not is kept to the letter')
FROM (SELECT damaged(text_of('2026-03-01', 'someone' || n, 'CreateUser', '"\u00e9\ud83d\ude00 \\u0000"'), n) AS t FROM generate_series(1, 1500) AS n OFFSET 0) AS x;

-- The set-based path gives the same.
CREATE TABLE again AS SELECT id, line FROM plain WHERE line IS NOT NULL;
SELECT is((SELECT count(*) FROM backtest('again', event_column => 'line')), 2::bigint, 'Backtest reads a text column');
INSERT INTO sources (source, event_column, order_column) VALUES ('again', 'line', 'id');
SELECT is(process_rows('again', 1000), (SELECT count(*) FROM again), 'Process reads a text column');
SELECT is((SELECT sum(event_count) FROM alerts), 3::numeric, 'and knows its events again');

-- Who may only insert needs nothing else.
CREATE ROLE iamwatch_test_inserter;
GRANT INSERT ON plain TO iamwatch_test_inserter;
SET ROLE iamwatch_test_inserter;
INSERT INTO public.plain (doc) VALUES ('{"eventTime": "2026-03-22T09:00:00Z", "eventSource": "iam.amazonaws.com", "eventName": "CreateUser",
	"recipientAccountId": "7", "userIdentity": {"type": "IAMUser", "arn": "by a writer"}}');
RESET ROLE;
SELECT is((SELECT count(*) FROM identities WHERE identity = 'by a writer'), 1::bigint, 'A role that may only insert is enough for a json column');

-- Files and messages of many records.
SELECT is((SELECT array_agg(r) FROM records('{"Records": [{"a": 1}, {"a": 2}]}') AS r), ARRAY['{"a": 1}', '{"a": 2}']::jsonb[], 'Records of a CloudTrail file');
SELECT is((SELECT array_agg(r) FROM records('[{"a": 1}, {"Records": [{"a": 2}, {"a": 3}]}, [{"a": 4}]]') AS r),
	ARRAY['{"a": 1}', '{"a": 2}', '{"a": 3}', '{"a": 4}']::jsonb[], 'of an array, of files too');
SELECT is((SELECT array_agg(r) FROM records('{"insertId": "x", "protoPayload": {}}') AS r), ARRAY['{"insertId": "x", "protoPayload": {}}']::jsonb[], 'A line of a Cloud Logging sink is a record');
SELECT is((SELECT array_agg(r) FROM records('{"entries": [{"insertId": "x"}]}') AS r), ARRAY['{"insertId": "x"}']::jsonb[], 'of what the Logging API lists');
SELECT is((SELECT array_agg(r) FROM (SELECT records('{"Events": [{"EventId": "1", "CloudTrailEvent": "{\"eventName\": \"A\"}"}, {"EventId": "2"}]}')
	UNION ALL SELECT records('{"logEvents": [{"id": "1", "message": "{\"eventName\": \"B\"}"}]}')
	UNION ALL SELECT records('{"records": [{"operationName": "D"}]}')
	UNION ALL SELECT records('{"@odata.context": "x", "value": [{"id": "E"}]}')
	UNION ALL SELECT records('{"detail-type": "AWS API Call via CloudTrail", "detail": {"eventName": "C"}}')) AS x (r)),
	ARRAY['{"eventName": "A"}', '{"EventId": "2"}', '{"eventName": "B"}', '{"operationName": "D"}', '{"id": "E"}', '{"eventName": "C"}']::jsonb[],
	'of LookupEvents, log subscriptions, Event Hubs, Graph and EventBridge');
SELECT * FROM finish();
ROLLBACK;
