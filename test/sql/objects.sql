\set SHOW_CONTEXT never
SET client_min_messages = warning;
DROP EXTENSION iamwatch CASCADE;
CREATE EXTENSION iamwatch;
RESET client_min_messages;
-- Every function, table, view and type of the extension has a comment.
SELECT p.oid::regprocedure FROM pg_proc p JOIN pg_depend d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
WHERE d.refobjid = (SELECT oid FROM pg_extension WHERE extname = 'iamwatch')
AND obj_description(p.oid, 'pg_proc') IS NULL AND p.proname <> 'grant_access';
SELECT c.oid::regclass FROM pg_class c WHERE relnamespace = ANY ('{iamwatch,iamwatch_internal}'::regnamespace[])
AND relkind IN ('r', 'v') AND obj_description(c.oid, 'pg_class') IS NULL;

-- Functions with the owner's rights: the trigger that writes the history of alerts,
-- and what iamwatch.why() and iamwatch.explain() ask: counts, who is called so and who
-- uses a key, of which the views tell as much.
-- C code changes the user id in one place.
SELECT oid::regprocedure FROM pg_proc WHERE pronamespace = ANY ('{iamwatch,iamwatch_internal}'::regnamespace[]) AND prosecdef ORDER BY oid::regprocedure::text COLLATE "C";

-- What PUBLIC may call: what the WHEN of the trigger calls and what reads a
-- document in a query that runs as the owner of a source, and nothing else.
SELECT p.oid::regprocedure FROM pg_proc p, aclexplode(coalesce(proacl, acldefault('f', proowner))) a
WHERE pronamespace = ANY ('{iamwatch,iamwatch_internal}'::regnamespace[]) AND a.grantee = 0 ORDER BY 1;
SELECT c.oid::regclass FROM pg_class c, aclexplode(relacl) a
WHERE relnamespace = ANY ('{iamwatch,iamwatch_internal}'::regnamespace[]) AND a.grantee = 0;
SELECT has_schema_privilege('public', 'iamwatch', 'usage') OR has_schema_privilege('public', 'iamwatch_internal', 'usage') AS any;

-- Settings are checked.
UPDATE iamwatch.detectors SET training_days = 0;
UPDATE iamwatch.detectors SET activation_days = -1;
UPDATE iamwatch.detectors SET severity_base = 'dire';
UPDATE iamwatch.detectors SET probability_limit = 1.5;

-- Scoring refuses numbers that cannot be.
SELECT iamwatch.probability(5, 3, 0, 0);
SELECT iamwatch.probability(-1, 3, 0, 0);
SELECT iamwatch.surprise(0);

-- An insert-only role triggers detection and can do nothing else.
CREATE ROLE iamwatch_test_writer;
CREATE TABLE log (event jsonb);
GRANT INSERT ON log TO iamwatch_test_writer;
SELECT iamwatch.watch('log');
SET ROLE iamwatch_test_writer;
INSERT INTO log VALUES ('{"eventTime": "2026-03-01T08:00:00Z", "eventSource": "iam.amazonaws.com", "eventName": "CreateUser", "recipientAccountId": "2", "userIdentity": {"type": "IAMUser", "arn": "x''; DROP TABLE iamwatch.alerts; --"}}'), ('{}');
SELECT * FROM iamwatch.alerts;
SELECT iamwatch.unwatch('log');
SELECT iamwatch_internal.may_be_new('{}');
ALTER TABLE log DISABLE TRIGGER iamwatch_observe;
RESET ROLE;
SELECT identity, days FROM iamwatch.identities WHERE account = '2';
SELECT source, reason, event FROM iamwatch.rejected_events;

-- Its temporary objects do not come before ours.
SELECT current_database() AS db \gset
GRANT TEMPORARY ON DATABASE :"db" TO iamwatch_test_writer;
SET ROLE iamwatch_test_writer;
CREATE TEMP TABLE accounts (trap int);
CREATE FUNCTION pg_temp.hashtextextended(text, int) RETURNS bigint LANGUAGE plpgsql AS $$BEGIN RAISE EXCEPTION 'trap'; END$$;
SET search_path = pg_temp, public;
INSERT INTO public.log VALUES ('{"eventTime": "2026-03-02T08:00:00Z", "eventSource": "iam.amazonaws.com", "eventName": "CreateUser", "recipientAccountId": "2", "userIdentity": {"type": "IAMUser", "arn": "y"}}');
RESET ROLE;
RESET search_path;
SELECT identity, days FROM iamwatch.identities WHERE account = '2' ORDER BY 1;

-- Ready grants: who reads, who triages, who administers.
SELECT iamwatch.grant_access('iamwatch_test_writer', 'everything');
SELECT iamwatch.grant_access('iamwatch_test_writer', 'read');
SET ROLE iamwatch_test_writer;
SELECT count(*) FROM iamwatch.alerts;
SELECT count(*) FROM iamwatch.baselines;
UPDATE iamwatch.alerts SET status = 'closed';
SELECT count(*) FROM iamwatch.rejected_events;
RESET ROLE;
SELECT iamwatch.grant_access('iamwatch_test_writer', 'triage');
SET ROLE iamwatch_test_writer;
UPDATE iamwatch.alerts SET status = 'closed';
DELETE FROM iamwatch.alerts;
RESET ROLE;
DROP TABLE log;
DROP OWNED BY iamwatch_test_writer;
DROP ROLE iamwatch_test_writer;

-- DROP and CREATE EXTENSION again in one session.
DROP EXTENSION iamwatch;
CREATE EXTENSION iamwatch;
CREATE TABLE log (event jsonb);
SELECT iamwatch.watch('log');
INSERT INTO log VALUES ('{"eventTime": "2026-03-02T08:00:00Z", "eventSource": "iam.amazonaws.com", "eventName": "CreateUser", "recipientAccountId": "2", "userIdentity": {"type": "IAMUser", "arn": "y"}}');
SELECT identity, days FROM iamwatch.identities;
SELECT iamwatch.unwatch('log');
DROP TABLE log;
