\ir settings.psql
SELECT plan(13);

-- Whatever a document contains, the statement that stores it succeeds.
CREATE FUNCTION stored(event jsonb) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE before bigint;
BEGIN
	SELECT count(*) INTO before FROM log;
	INSERT INTO log VALUES (event);
	RETURN (SELECT count(*) FROM log) = before + 1;
END $$;
CREATE FUNCTION understood_or_rejected(event jsonb) RETURNS boolean LANGUAGE sql AS $$
	SELECT CASE WHEN parse(event) IS NULL THEN EXISTS (SELECT FROM rejected_events r WHERE r.event IS NOT DISTINCT FROM $1)
	ELSE EXISTS (SELECT FROM identities i WHERE i.identity = (parse(event)).identity)
		OR (parse(event)).event_time > now() END
$$;
CREATE TABLE odd (what text, event jsonb);
INSERT INTO odd VALUES
('strings of 20,000 characters', aws('2026-03-01T00:00:00Z', repeat('w', 20000), repeat('o', 20000), repeat('s', 20000), repeat('i', 20000),
	jsonb_build_object('userAgent', repeat('u', 20000), 'recipientAccountId', repeat('a', 20000), 'errorCode', repeat('e', 20000)))),
('an IAM operation by 20,000 characters', aws('2026-03-01T00:00:00Z', repeat('x', 20000), 'CreateUser', id => repeat('i', 20000))),
('year 9999', aws('9999-12-31T23:59:59Z', 'a', 'CreateUser')),
('year 0001', aws('0001-01-01T00:00:00Z', 'a', 'CreateUser', more => '{"recipientAccountId": "1"}')),
('wrong types everywhere', '{"eventSource": [], "eventName": {}, "eventTime": 7, "userIdentity": "x", "recipientAccountId": 1.5}'),
('wrong types beside what is needed', aws('2026-03-01T00:00:00Z', 'b', 'CreateUser', more =>
	'{"errorCode": {"a": []}, "sourceIPAddress": [1], "userAgent": {}, "eventID": 5, "requestParameters": [[{"userName": {}}]], "awsRegion": null}')),
('a payload that is no object', '{"protoPayload": [1, {"methodName": "x"}]}'),
('every field null', '{"eventSource": null, "eventName": null, "eventTime": null, "userIdentity": null}'),
('nested a thousand deep', (repeat('{"a":', 1000) || '1' || repeat('}', 1000))::jsonb),
('quotes and backslashes', aws('2026-03-01T00:00:00Z', E'a\\"''$$;--\t\u2028', 'CreateUser')),
('a number too large for any type', '{"protoPayload": {"serviceName": "iam.googleapis.com", "methodName": "x", "status": {"code": 1e999}}, "timestamp": "2026-03-01T00:00:00Z", "logName": "projects/p/logs/x"}');
SELECT is(stored(event) AND understood_or_rejected(event), true, 'Bad input: ' || what) FROM odd;

SELECT is((SELECT count(*) FROM rejected_events), (SELECT count(*) FROM odd WHERE parse(event) IS NULL OR (parse(event)).event_time > now()),
	'Rejected: what was not understood is kept, each once');
-- A statement of many mixed documents fails for none of them.
SELECT lives_ok('INSERT INTO log SELECT event FROM odd, generate_series(1, 50)', 'Bad input: all of them many times in one statement');
SELECT * FROM finish();
ROLLBACK;
