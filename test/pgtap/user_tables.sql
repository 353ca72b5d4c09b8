\ir settings.psql
SELECT plan(33);

-- What users do with their own tables goes on working, and what is stored is
-- learned, whatever way it came in: once, and nothing else.
CREATE FUNCTION learned(like_this text) RETURNS text LANGUAGE sql AS $$
	SELECT string_agg(substr(identity, length('arn:aws:iam::111122223333:user/') + 1), ' ' ORDER BY identity COLLATE "C")
	FROM identities WHERE identity LIKE '%user/' || like_this || '%'
$$;
CREATE FUNCTION one(who text) RETURNS jsonb LANGUAGE sql AS $$ SELECT aws('2026-03-01T08:00:00Z', who, 'CreateUser', id => who) $$;
CREATE ROLE iamwatch_tap_writer;
CREATE ROLE iamwatch_tap_owner;

-- row security
CREATE TABLE secured (tenant name DEFAULT current_user, event jsonb);
ALTER TABLE secured ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON secured USING (tenant = current_user) WITH CHECK (tenant = current_user);
SELECT watch('secured');
GRANT INSERT, SELECT ON secured TO iamwatch_tap_writer;
SET LOCAL ROLE iamwatch_tap_writer;
INSERT INTO secured (event) SELECT jsonb_set(event, '{userIdentity,arn}', '"arn:aws:iam::111122223333:user/rls1"')
	FROM (SELECT '{"eventTime": "2026-03-01T08:00:00Z", "eventSource": "iam.amazonaws.com", "eventName": "CreateUser", "recipientAccountId": "1", "userIdentity": {"type": "IAMUser"}}'::jsonb AS event) AS x;
DO $$ BEGIN
	INSERT INTO secured VALUES ('somebody else', '{"eventTime": "2026-03-01T08:00:00Z", "eventSource": "iam.amazonaws.com", "eventName": "CreateUser", "recipientAccountId": "1", "userIdentity": {"type": "IAMUser", "arn": "arn:aws:iam::111122223333:user/rls2"}}');
	RAISE EXCEPTION 'stored';
EXCEPTION WHEN insufficient_privilege THEN
	NULL;
END $$;
RESET ROLE;
SELECT is(learned('rls'), 'rls1', 'Row security: what the policy lets in is learned, what it refuses is not');
ALTER TABLE secured OWNER TO iamwatch_tap_owner;
ALTER TABLE secured FORCE ROW LEVEL SECURITY;
SET LOCAL ROLE iamwatch_tap_owner;
INSERT INTO secured (event) VALUES ('{"eventTime": "2026-03-01T08:00:00Z", "eventSource": "iam.amazonaws.com", "eventName": "CreateUser", "recipientAccountId": "1", "userIdentity": {"type": "IAMUser", "arn": "arn:aws:iam::111122223333:user/rls3"}}');
RESET ROLE;
SELECT is(learned('rls'), 'rls1 rls3', 'Row security: forced on its owner, likewise');

-- views
CREATE VIEW shown AS SELECT event FROM log;
INSERT INTO shown VALUES (one('view1'));
SELECT is(learned('view'), 'view1', 'View: an insert through it is learned');
CREATE VIEW computed AS SELECT event->>'x' AS x FROM log;
CREATE FUNCTION through() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO log VALUES (one(NEW.x)); RETURN NEW; END $$;
CREATE TRIGGER through INSTEAD OF INSERT ON computed FOR EACH ROW EXECUTE FUNCTION through();
INSERT INTO computed VALUES ('view2'), ('view3');
SELECT is(learned('view'), 'view1 view2 view3', 'View: so is one by an INSTEAD OF trigger');
CREATE TABLE ruled (event jsonb);
CREATE RULE also AS ON INSERT TO ruled DO ALSO INSERT INTO log VALUES (NEW.event);
INSERT INTO ruled VALUES (one('view4'));
SELECT is(learned('view'), 'view1 view2 view3 view4', 'Rule: what it inserts is learned too');

-- kinds of INSERT
CREATE TABLE keyed (id text PRIMARY KEY, event jsonb, n int DEFAULT 0);
SELECT watch('keyed');
INSERT INTO keyed VALUES ('a', one('conflict1'));
INSERT INTO keyed VALUES ('a', one('conflict2')), ('b', one('conflict3')) ON CONFLICT DO NOTHING;
SELECT is(learned('conflict'), 'conflict1 conflict3', 'ON CONFLICT DO NOTHING: only what is stored is learned');
INSERT INTO keyed VALUES ('a', one('conflict4')), ('c', one('conflict5')) ON CONFLICT (id) DO UPDATE SET n = keyed.n + 1;
SELECT is(learned('conflict'), 'conflict1 conflict3 conflict5', 'ON CONFLICT DO UPDATE: a row that is updated is no new event');
CREATE TEMP TABLE returned AS WITH i AS (INSERT INTO keyed VALUES ('d', one('returning1')) RETURNING event) SELECT * FROM i;
SELECT is(learned('returning'), 'returning1', 'RETURNING in a WITH: learned');
INSERT INTO keyed SELECT 'e' || n, one('select' || n) FROM generate_series(1, 3) AS n;
SELECT is(learned('select'), 'select1 select2 select3', 'INSERT ... SELECT: learned');
DO $$ BEGIN
	IF current_setting('server_version_num')::int >= 150000 THEN
		EXECUTE $m$MERGE INTO keyed AS k USING (VALUES ('a', one('merge1')), ('m', one('merge2'))) AS v (id, event) ON k.id = v.id
			WHEN MATCHED THEN UPDATE SET n = 9 WHEN NOT MATCHED THEN INSERT (id, event) VALUES (v.id, v.event)$m$;
	ELSE
		INSERT INTO keyed VALUES ('m', one('merge2'));
	END IF;
END $$;
SELECT is(learned('merge'), 'merge2', 'MERGE: learned when it inserts');
UPDATE keyed SET event = one('update1') WHERE id = 'a';
SELECT is(learned('update'), 'update1', 'UPDATE: a document that it stores is learned');
DELETE FROM keyed;
TRUNCATE keyed;
SELECT is(learned('conflict'), 'conflict1 conflict3 conflict5', 'DELETE and TRUNCATE: what was learned stays');
PREPARE store (text) AS INSERT INTO keyed VALUES ($1, one($1));
EXECUTE store('prepared1');
EXECUTE store('prepared2');
SELECT is(learned('prepared'), 'prepared1 prepared2', 'Prepared statement: learned each time');

-- other triggers
CREATE FUNCTION change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF NEW.id LIKE 'drop%' THEN RETURN NULL; END IF;
	NEW.event := one('changed ' || NEW.id);
	RETURN NEW;
END $$;
CREATE TRIGGER change BEFORE INSERT ON keyed FOR EACH ROW EXECUTE FUNCTION change();
INSERT INTO keyed VALUES ('before1', one('before1')), ('drop1', one('before2'));
DROP TRIGGER change ON keyed;
SELECT is(coalesce(learned('before'), '') || learned('changed'), 'changed before1', 'BEFORE trigger: what it stored is learned, not what came in');
SELECT is(learned('drop'), NULL, 'BEFORE trigger: what it dropped is not');
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	RAISE EXCEPTION 'refused' USING ERRCODE = 'check_violation';
END $$;
CREATE CONSTRAINT TRIGGER refuse AFTER INSERT ON keyed DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.id LIKE 'deferred%') EXECUTE FUNCTION refuse();
DO $$ BEGIN
	INSERT INTO keyed VALUES ('deferred1', one('deferred1'));
	SET CONSTRAINTS ALL IMMEDIATE;
EXCEPTION WHEN check_violation THEN
	SET CONSTRAINTS ALL DEFERRED;
END $$;
SELECT is(learned('deferred'), NULL, 'Deferred constraint: what it refuses is forgotten');
INSERT INTO keyed VALUES ('kept1', one('deferred2'));
SELECT is(learned('deferred'), 'deferred2', 'Deferred constraint: what it lets pass is learned');

-- switched off by those who may
ALTER TABLE keyed DISABLE TRIGGER iamwatch_observe;
INSERT INTO keyed VALUES ('off1', one('off1'));
ALTER TABLE keyed ENABLE TRIGGER iamwatch_observe;
SELECT is(learned('off'), NULL, 'DISABLE TRIGGER: not learned');
SET LOCAL session_replication_role = replica;
INSERT INTO keyed VALUES ('off2', one('off2'));
SET LOCAL session_replication_role = origin;
SELECT is(learned('off'), NULL, 'session_replication_role = replica: not learned by default');
SELECT watch('keyed', 'event', 'always');
SET LOCAL session_replication_role = replica;
INSERT INTO keyed VALUES ('off3', one('off3'));
SET LOCAL session_replication_role = origin;
SELECT is(learned('off'), 'off3', 'session_replication_role = replica: learned when asked for always');

-- shapes of tables
CREATE TABLE whole (a int, at date, gone int, event jsonb) PARTITION BY RANGE (at);
CREATE TABLE early PARTITION OF whole FOR VALUES FROM ('2026-01-01') TO ('2026-02-01');
CREATE TABLE late (dropped1 int, event jsonb, dropped2 text, at date, a int);
ALTER TABLE late DROP COLUMN dropped1, DROP COLUMN dropped2;
SELECT watch('whole');
ALTER TABLE whole DROP COLUMN gone;
ALTER TABLE whole ATTACH PARTITION late FOR VALUES FROM ('2026-02-01') TO ('2026-03-01');
INSERT INTO whole VALUES (1, '2026-01-05', one('part1')), (1, '2026-02-05', one('part2'));
INSERT INTO late (event, at, a) VALUES (one('part3'), '2026-02-06', 1);
SELECT is(learned('part'), 'part1 part2 part3', 'Partition: of another order of columns, with some dropped');
UPDATE whole SET at = '2026-02-07' WHERE at = '2026-01-05';
SELECT is((SELECT max(event_count) FROM alerts WHERE identity LIKE '%part%'), NULL, 'Partition: a row that moves is no second event');
SELECT is((SELECT string_agg(days::text, ' ') FROM baselines WHERE identity LIKE '%part1'), '{2026-03-01}', 'Partition: and changes no baseline');
CREATE TABLE parent (event jsonb);
CREATE TABLE child (more text) INHERITS (parent);
SET client_min_messages = error;	-- a warning of the child
SELECT watch('parent');
SET client_min_messages = warning;
INSERT INTO parent VALUES (one('inherit1'));
INSERT INTO child VALUES (one('inherit2'));
SELECT is(learned('inherit'), 'inherit1', 'Inheritance: a child is a table of its own');
SELECT watch('child');
INSERT INTO child VALUES (one('inherit3'));
SELECT is(learned('inherit'), 'inherit1 inherit3', 'Inheritance: and can be watched too');
CREATE TABLE generated (document text, event jsonb GENERATED ALWAYS AS (document::jsonb) STORED);
SELECT watch('generated');
INSERT INTO generated VALUES (one('generated1')::text);
SELECT is(learned('generated'), 'generated1', 'Generated column: learned from what was generated');
CREATE DOMAIN checked AS jsonb CHECK (VALUE IS NOT NULL);
CREATE UNLOGGED TABLE wide (event jsonb, filler text);
SELECT watch('wide');
ALTER TABLE wide ALTER event SET STORAGE EXTERNAL;
INSERT INTO wide VALUES (one('wide1') || jsonb_build_object('x', repeat('x', 100000)), NULL), (one('wide2') || jsonb_build_object('x', repeat(md5('x'), 5000)), NULL);
SELECT is(learned('wide'), 'wide1 wide2', 'Unlogged table, documents out of line: learned');
ALTER TABLE wide ADD COLUMN early int DEFAULT 7;
INSERT INTO wide VALUES (one('wide3'), NULL);
SELECT is(learned('wide'), 'wide1 wide2 wide3', 'ALTER TABLE: learned after it');
ALTER TABLE wide RENAME TO renamed;
INSERT INTO renamed VALUES (one('wide4'), NULL);
SELECT is(learned('wide'), 'wide1 wide2 wide3 wide4', 'A table that is renamed: learned');
ALTER TABLE renamed RENAME COLUMN event TO document;
SELECT lives_ok($$INSERT INTO renamed VALUES (one('wide5'), NULL)$$, 'A column that is renamed: storing goes on');
SELECT is(learned('wide'), 'wide1 wide2 wide3 wide4 wide5', 'A column that is renamed: so does learning');
ALTER TABLE renamed ADD COLUMN event text DEFAULT 'no document';
SELECT lives_ok($$INSERT INTO renamed VALUES (one('wide6'), NULL)$$, 'A column of the old name but another type: storing goes on');
SELECT is(learned('wide'), 'wide1 wide2 wide3 wide4 wide5 wide6', 'A column of the old name but another type: is not taken for documents');
SELECT * FROM finish();
ROLLBACK;
