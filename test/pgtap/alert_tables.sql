\ir settings.psql
SELECT plan(22);

-- An alert is written without a statement, but whoever has given its tables
-- triggers, constraints, columns or policies finds them heeded as by one.
SELECT lives(who, '2026-01-01', '2026-02-19') FROM unnest('{ann,bob,cat,dan,eve,gus,ida,jim,kay,leo,mia,ned}'::text[]) AS who;
CREATE FUNCTION alerts(who text) RETURNS bigint LANGUAGE sql AS $$SELECT count(*) FROM alerts WHERE identity LIKE '%/' || who$$;
CREATE TABLE fired (n serial, who text, what text);

CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN
	INSERT INTO public.fired (who, what) SELECT NEW.identity, concat_ws(' ', TG_WHEN, TG_LEVEL, (SELECT count(*) FROM alert_events AS e WHERE e.alert_id = NEW.alert_id));
	RETURN NEW;
END$$;
CREATE FUNCTION note_all() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN
	IF TG_WHEN = 'BEFORE' THEN
		INSERT INTO public.fired (what) VALUES ('BEFORE STATEMENT');
	ELSE
		INSERT INTO public.fired (who, what) SELECT s.identity, concat_ws(' ', TG_WHEN, TG_LEVEL, s.incident_id = s.alert_id,
			(SELECT count(*) FROM alert_events AS e WHERE e.alert_id = s.alert_id)) FROM shown AS s;
	END IF;
	RETURN NULL;
END$$;
CREATE TRIGGER zz_before BEFORE INSERT ON alerts FOR EACH ROW EXECUTE FUNCTION note();
CREATE TRIGGER zz_after AFTER INSERT ON alerts FOR EACH ROW EXECUTE FUNCTION note();
CREATE TRIGGER zz_before_all BEFORE INSERT ON alerts FOR EACH STATEMENT EXECUTE FUNCTION note_all();
CREATE TRIGGER zz_after_all AFTER INSERT ON alerts REFERENCING NEW TABLE AS shown FOR EACH STATEMENT EXECUTE FUNCTION note_all();
SELECT put(aws('2026-02-20T09:00:00Z', 'ann', 'CreateUser'));
SELECT is(alerts('ann'), 1::bigint, 'Triggers: the alert is there');
SELECT is((SELECT array_agg(what ORDER BY n) FROM fired WHERE what LIKE 'BEFORE%'), '{BEFORE STATEMENT,BEFORE ROW 0}', 'Triggers: those before a statement and a row are fired');
SELECT is((SELECT array_agg(what ORDER BY n) FROM fired WHERE what LIKE 'AFTER%'), '{AFTER ROW 1,AFTER STATEMENT t 1}',
	'Triggers: those after a row and a statement are fired, once, see the event of the alert, and are shown the alert with its incident');
DROP TRIGGER zz_before ON alerts;
DROP TRIGGER zz_after ON alerts;
DROP TRIGGER zz_before_all ON alerts;
DROP TRIGGER zz_after_all ON alerts;

CREATE FUNCTION assign_it() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN
	IF NEW.identity LIKE '%/bob' THEN
		RETURN NULL;
	END IF;
	NEW.assignee := 'someone';
	RETURN NEW;
END$$;
CREATE TRIGGER zz_assign BEFORE INSERT ON alerts FOR EACH ROW EXECUTE FUNCTION assign_it();
CREATE TRIGGER zz_after_all AFTER INSERT ON alerts REFERENCING NEW TABLE AS shown FOR EACH STATEMENT EXECUTE FUNCTION note_all();
TRUNCATE fired;
SELECT put(aws('2026-02-20T09:00:00Z', 'bob', 'CreateUser'));
SELECT is(alerts('bob'), 0::bigint, 'Triggers: one before a row can put the alert aside');
SELECT is_empty('TABLE fired', 'Triggers: what was put aside is shown to none');
SELECT put(aws('2026-02-20T09:00:00Z', 'cat', 'CreateUser'));
SELECT is((SELECT assignee FROM alerts WHERE identity LIKE '%/cat'), 'someone', 'Triggers: one before a row can change the alert');
SELECT is((SELECT assignees FROM incidents WHERE identity LIKE '%/cat'), '{someone}', 'Triggers: its incident has what was changed');
DROP TRIGGER zz_assign ON alerts;
DROP TRIGGER zz_after_all ON alerts;

CREATE TABLE who_may (identity text PRIMARY KEY);
INSERT INTO who_may SELECT 'arn:aws:iam::111122223333:user/' || who FROM unnest('{ann,cat,dan}'::text[]) AS who;
ALTER TABLE alerts ADD CONSTRAINT zz_known FOREIGN KEY (identity) REFERENCES who_may;
SELECT put(aws('2026-02-20T09:00:00Z', 'dan', 'CreateUser'));
SELECT is(alerts('dan'), 1::bigint, 'Constraints: an alert that meets a foreign key is opened');
SELECT throws_ok($$SELECT put(aws('2026-02-20T09:00:00Z', 'eve', 'CreateUser'))$$, '23503', NULL, 'Constraints: a foreign key is checked');
ALTER TABLE alerts DROP CONSTRAINT zz_known;
ALTER TABLE alerts ADD CONSTRAINT zz_small CHECK (identity NOT LIKE '%/eve');
SELECT throws_ok($$SELECT put(aws('2026-02-20T09:00:00Z', 'eve', 'CreateUser'))$$, '23514', NULL, 'Constraints: a check is checked');
ALTER TABLE alerts DROP CONSTRAINT zz_small;

-- What only a statement heeds
ALTER TABLE alerts ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
SELECT put(aws('2026-02-20T09:00:00Z', 'gus', 'CreateUser'));
ALTER TABLE alerts NO FORCE ROW LEVEL SECURITY, DISABLE ROW LEVEL SECURITY;
SELECT is(alerts('gus'), 1::bigint, 'Policies: an owner who is above them opens alerts');
ALTER TABLE alert_events ADD COLUMN zz_seen boolean DEFAULT true;
SELECT put(aws('2026-02-20T09:00:00Z', 'ida', 'CreateUser'));
SELECT is((SELECT bool_and(zz_seen) FROM alert_events JOIN alerts USING (alert_id) WHERE identity LIKE '%/ida'), true, 'Columns: one of somebody''s own gets its default');

-- Rules: no INSERT fails because an administrator has given these tables any
CREATE TABLE copied (what text, alert_id bigint, events bigint);
CREATE RULE zz_copy AS ON INSERT TO alerts DO ALSO
	INSERT INTO public.copied VALUES ('opened', NEW.alert_id, (SELECT count(*) FROM alert_events AS e WHERE e.alert_id = NEW.alert_id));
SELECT lives_ok($$SELECT put(aws('2026-02-20T09:00:00Z', 'jim', 'CreateUser'))$$, 'Rules: an alert is opened where its table has one');
SELECT is(alerts('jim'), 1::bigint, 'Rules: it is there');
SELECT is((SELECT array_agg(events) FROM copied JOIN alerts USING (alert_id) WHERE identity LIKE '%/jim'), '{1}', 'Rules: one that does something also is heeded, and finds the event of the alert');
SELECT is((SELECT count(*) FROM incidents WHERE identity LIKE '%/jim'), 1::bigint, 'Rules: the alert has its incident');
CREATE RULE zz_events AS ON INSERT TO alert_events DO ALSO INSERT INTO public.copied VALUES ('event', NEW.alert_id);
SELECT lives_ok($$SELECT put(aws('2026-02-20T10:00:00Z', 'jim', 'CreateUser'))$$, 'Rules: an event joins an alert where the events have one');
SELECT is((SELECT event_count FROM alerts WHERE identity LIKE '%/jim'), 2::bigint, 'Rules: it has joined it');
SELECT is((SELECT count(*) FROM copied JOIN alerts USING (alert_id) WHERE identity LIKE '%/jim' AND what = 'event'), 1::bigint, 'Rules: that of events is heeded');
CREATE RULE zz_change AS ON UPDATE TO alerts DO ALSO INSERT INTO public.copied VALUES ('changed', NEW.alert_id);
SELECT lives_ok($$SELECT put(aws('2026-02-18T10:00:00Z', 'jim', 'CreateAccessKey'))$$, 'Rules: an earlier alert takes the later one into its incident where changes have one');
CREATE RULE zz_never AS ON INSERT TO alerts WHERE NEW.identity LIKE '%/kay' DO INSTEAD NOTHING;
SELECT lives_ok($$SELECT put(aws('2026-02-20T09:00:00Z', 'kay', 'CreateUser'))$$, 'Rules: one can put an alert aside');
DROP RULE zz_never ON alerts;
DROP RULE zz_change ON alerts;
DROP RULE zz_events ON alert_events;
DROP RULE zz_copy ON alerts;
CREATE RULE zz_rejected AS ON INSERT TO rejected_events DO ALSO INSERT INTO public.copied VALUES (NEW.reason);
SELECT lives_ok($$INSERT INTO log VALUES ('{"eventSource": 1}'), ('[]')$$, 'Rules: a document that cannot be read fails no INSERT either');
SELECT * FROM finish();
ROLLBACK;
