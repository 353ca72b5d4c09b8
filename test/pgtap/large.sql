\ir settings.psql
SELECT plan(21);
-- However large a document is, the statement that stores it succeeds, with
-- memory for it that is bounded, and what can be read of it is.

-- A column for each field.
CREATE TABLE trail ("eventTime" text, "eventSource" text, "eventName" text, "recipientAccountId" text,
	"userIdentity" text, "userAgent" text, "requestParameters" text, "responseElements" jsonb);
SELECT map_columns('trail'), watch('trail');
CREATE FUNCTION row_of(who text, agent text, parameters text DEFAULT NULL, elements jsonb DEFAULT NULL) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO trail VALUES ('2026-02-20T11:00:00Z', 'iam.amazonaws.com', 'CreateUser', '111122223333',
		format('{"type": "IAMUser", "arn": "arn:aws:iam::111122223333:user/%s"}', who), agent, parameters, elements);
	RETURN (SELECT count(*) FROM iamwatch.identities WHERE identity LIKE '%/' || who) || ' ' || (SELECT count(*) FROM iamwatch.rejected_events);
END $$;
SELECT is(row_of('control', repeat(chr(1), 180000000)), '1 0', 'Columns: text of 180 MB that its escapes would make six times as long');
SELECT is(row_of('long', repeat('a', 70000000)), '1 0', 'Columns: text that is longer than a document may be');
SELECT is(row_of('both', repeat(chr(1), 250000000), repeat(chr(1), 250000000)), '1 0', 'Columns: several that are together');
SELECT is(row_of('object', 'cli', '{"userName": "' || repeat('c', 70000000) || '"}'), '1 0', 'Columns: an object that is too large');
SELECT is(row_of('jsonb', 'cli', NULL, to_jsonb(repeat('d', 70000000))), '1 0', 'Columns: jsonb that is too large');
SELECT is(row_of('digits', 'cli', NULL, ('[' || repeat('1e131071,', 20000) || '1]')::jsonb), '1 0', 'Columns: numbers of 2.6 GB as text');
SELECT is(row_of(repeat('e', 2000000), 'cli'), '0 1', 'Columns: a name that is too long is rejected');
SELECT is((SELECT reason FROM rejected_events), 'a name is longer than 64 kB', 'Columns: as such');
SELECT is((SELECT length(to_document(two, '{x,a,y,b}')->>'x') FROM (SELECT repeat(U&'\00e9', 2000000), '1'::jsonb) AS two (a, b)), 524296, 'Columns: text is cut to a megabyte, between two characters');
SELECT is((SELECT to_document(two, '{x.p,a,x.q,b}') FROM (SELECT 't'::text, '{"n": [1, {"m": null}], "s": "\u0001"}'::jsonb) AS two (a, b)),
	'{"x": {"p": "t", "q": {"n": [1, {"m": null}], "s": "\u0001"}}}'::jsonb, 'Columns: jsonb becomes what it is');

-- A document as jsonb or text.
CREATE TABLE lines (event text);
SELECT watch('lines');
TRUNCATE rejected_events;
CREATE FUNCTION line(event text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO lines VALUES (event);
	RETURN (SELECT string_agg(reason, '; ') FROM iamwatch.rejected_events WHERE source = 'lines'::regclass);
END $$;
INSERT INTO log VALUES (('[' || repeat('1e131071,', 20000) || '1]')::jsonb);
SELECT is((SELECT left(event #>> '{}', 10) || ' ' || length(event #>> '{}') FROM rejected_events), '[100000000 1000', 'jsonb: of numbers of 2.6 GB as text the beginning is kept');
SELECT is(line('[' || repeat('1,', 30000000) || '1]'), 'the document is larger than iamwatch reads, or a string that is not valid JSON', 'Text: an array of thirty million');
TRUNCATE rejected_events;
SELECT is(line('{' || repeat('"":1,', 12000000) || '"":1}'), 'the document is larger than iamwatch reads, or a string that is not valid JSON', 'Text: an object of twelve million');
TRUNCATE rejected_events;
SELECT is(line('{"a":"' || repeat('\u0000', 10000000) || '"}'), unreadable('{"a": "b"}'), 'Text: ten million escapes that jsonb cannot hold');
TRUNCATE rejected_events;
SELECT is(line(repeat('[', 60000000)), 'the document is larger than iamwatch reads, or a string that is not valid JSON', 'Text: sixty million brackets');
TRUNCATE rejected_events;
SELECT is(line(repeat('a', 1000000000)), 'the document is larger than iamwatch reads, or a string that is not valid JSON', 'Text: a gigabyte that is no JSON');
TRUNCATE rejected_events;
SELECT is(line('{"a":' || repeat('9', 60000000) || '}'), 'the document is larger than iamwatch reads, or a string that is not valid JSON', 'Text: a number of sixty million digits');

-- What is kept of a rejected document.
SELECT is(document_beginning(d, n), left(d::text, n), 'The beginning of a document is that of its text, ' || n)
FROM (SELECT ('{"a": [1.50, -2e3, true, null, {}, [], "q\"\\\n\t' || U&'\00e9\20ac' || '"], "b": {"c": {"d": [[], {"e": 1}]}}}')::jsonb) AS x (d),
	unnest('{1000,20,0}'::integer[]) AS n;
SELECT is(document_beginning('"s"', 5), '"s"', 'and of a string');
SELECT * FROM finish();
ROLLBACK;
