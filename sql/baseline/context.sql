-- What is usual around an identity's events: networks, user agents, regions,
-- access keys by network, and when it first did an operation.  Learned from a
-- sample: the event that brings a behaviour's day, and, every fourth day, the
-- one that brings the day of an identity that is known already.  These reach
-- the detector in any case, so all other events cost nothing more.
--
-- As for days (src/detect/fold.c), one session at a time writes an account, and
-- whoever finds it taken appends to a journal.

CREATE TABLE iamwatch_internal.habits (
	account_id integer NOT NULL,
	identity_id bigint NOT NULL,
	kind "char" NOT NULL CHECK (kind IN ('n', 'a', 'r', 'k')),
	value text NOT NULL,
	days iamwatch.dayset NOT NULL,
	PRIMARY KEY (account_id, identity_id, kind, value)
) WITH (fillfactor = 80);
COMMENT ON TABLE iamwatch_internal.habits IS 'per identity and context the days on which it was sampled; read iamwatch.contexts';
COMMENT ON COLUMN iamwatch_internal.habits.kind IS 'n network, a user agent, r region, k access key and network';

CREATE TABLE iamwatch_internal.novelties (
	account_id integer NOT NULL,
	identity_id bigint NOT NULL,
	at timestamptz NOT NULL,
	operation_id integer NOT NULL,
	access_key text,
	PRIMARY KEY (account_id, identity_id, at, operation_id)
);
COMMENT ON TABLE iamwatch_internal.novelties IS
'when an identity did an operation for the first time in the longest training period';
COMMENT ON COLUMN iamwatch_internal.novelties.access_key IS 'the long-lived key that it was done with, if any';

CREATE TABLE iamwatch_internal.context_journal (
	event iamwatch.event NOT NULL,
	access_key text,
	novel boolean NOT NULL
);
COMMENT ON TABLE iamwatch_internal.context_journal IS
'samples that came while another session was writing the same account; the next that writes it takes them over';
COMMENT ON COLUMN iamwatch_internal.context_journal.novel IS 'whether its operation is the identity''s first in the longest training period';
CREATE INDEX context_journal_identity ON iamwatch_internal.context_journal
	(hashtextextended((event).account, 0), hashtextextended((event).identity, 0));
ALTER TABLE iamwatch_internal.context_journal REPLICA IDENTITY FULL;

SELECT pg_catalog.pg_extension_config_dump('iamwatch_internal.habits', '');
SELECT pg_catalog.pg_extension_config_dump('iamwatch_internal.novelties', '');
SELECT pg_catalog.pg_extension_config_dump('iamwatch_internal.context_journal', '');

CREATE FUNCTION iamwatch_internal.is_sampled(brings_operation boolean, brings_day boolean, day date, days iamwatch.dayset)
	RETURNS boolean
	AS 'MODULE_PATHNAME', 'iamwatch_is_sampled' LANGUAGE C STABLE PARALLEL SAFE;
COMMENT ON FUNCTION iamwatch_internal.is_sampled(boolean, boolean, date, iamwatch.dayset) IS
'whether an event is in the sample that brings the day of an operation of an identity, or of an identity that was active on such days: null where they are not known yet';

CREATE FUNCTION iamwatch_internal.is_novel(brings_operation boolean, day date, days iamwatch.dayset) RETURNS boolean
	AS 'MODULE_PATHNAME', 'iamwatch_is_novel' LANGUAGE C STABLE PARALLEL SAFE;
COMMENT ON FUNCTION iamwatch_internal.is_novel(boolean, date, iamwatch.dayset) IS
'whether an event that brings the day of an operation that the identity did on such days is its first in the longest training period; null for none';

CREATE FUNCTION iamwatch_internal.access_key(event jsonb) RETURNS text
	AS 'MODULE_PATHNAME', 'iamwatch_access_key' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION iamwatch_internal.access_key(jsonb) IS
'the long-lived key that an event was signed with: AWS accessKeyId if it is no temporary one, GCP serviceAccountKeyName; null if there is none';

-- Versions come and go with updates; what is new is another program.
CREATE FUNCTION iamwatch_internal.context_values(event iamwatch.event, access_key text)
	RETURNS TABLE (kind "char", value text)
	AS 'MODULE_PATHNAME', 'iamwatch_context_values' LANGUAGE C IMMUTABLE PARALLEL SAFE ROWS 4;
COMMENT ON FUNCTION iamwatch_internal.context_values(iamwatch.event, text) IS
'the contexts of an event: n its network (/24 or /48), a its user agent without version numbers, r its region, k its access key and network; 200 characters of each';

-- They are written by src/detect/fold_context.c.
CREATE FUNCTION iamwatch_internal.with_samples(in_provider text, in_account text,
	samples iamwatch_internal.context_journal[]) RETURNS iamwatch_internal.context_journal[]
	LANGUAGE plpgsql VOLATILE AS $$
DECLARE
	earlier iamwatch_internal.context_journal[];
BEGIN
	WITH taken AS (
		DELETE FROM iamwatch_internal.context_journal AS j
		WHERE hashtextextended((j.event).account, 0) = hashtextextended(in_account, 0)
		AND (j.event).account = in_account AND (j.event).provider = in_provider
		RETURNING j
	)
	SELECT array_agg(j) INTO earlier FROM taken;
	RETURN samples || earlier;
END $$;
COMMENT ON FUNCTION iamwatch_internal.with_samples(text, text, iamwatch_internal.context_journal[]) IS
'samples of an account, and those that its journal has, which are taken: under the lock of its bucket';

CREATE FUNCTION iamwatch_internal.prune_context(in_account integer, since date) RETURNS void
	LANGUAGE sql VOLATILE SET search_path = pg_catalog, iamwatch, iamwatch_internal, pg_temp SET cpu_operator_cost = 1 AS $$
	DELETE FROM iamwatch_internal.habits AS h
	WHERE h.account_id = in_account AND (last_day(h.days) < since OR NOT EXISTS (
		SELECT FROM iamwatch_internal.identity_days AS i WHERE i.account_id = in_account AND i.identity_id = h.identity_id));
	UPDATE iamwatch_internal.habits AS h SET days = h.days & dayset(since, last_day(h.days))
	WHERE h.account_id = in_account AND first_day(h.days) < since;
	DELETE FROM iamwatch_internal.novelties AS n
	WHERE n.account_id = in_account AND (n.at < since::timestamp AT TIME ZONE 'UTC' OR NOT EXISTS (
		SELECT FROM iamwatch_internal.identity_days AS i WHERE i.account_id = in_account AND i.identity_id = n.identity_id));
$$;
COMMENT ON FUNCTION iamwatch_internal.prune_context(integer, date) IS
'drop contexts of days before, and of identities that are gone; under the lock of the account''s bucket';

CREATE VIEW iamwatch.contexts AS
SELECT p.provider, p.account, p.identity,
	CASE p.kind WHEN 'n' THEN 'network' WHEN 'a' THEN 'user_agent' WHEN 'r' THEN 'region' ELSE 'access_key' END AS kind,
	p.value, iamwatch.dayset_union(p.days) AS days
FROM (
	SELECT a.provider, a.account, i.identity, h.kind, h.value, h.days
	FROM iamwatch_internal.habits AS h
	JOIN iamwatch_internal.accounts AS a USING (account_id)
	JOIN iamwatch_internal.identity_days AS i USING (account_id, identity_id)
	WHERE iamwatch_internal.is_indexed(hashtext(i.identity))
	UNION ALL
	SELECT (j.event).provider, (j.event).account, (j.event).identity, v.kind, v.value,
		iamwatch.dayset(((j.event).event_time AT TIME ZONE 'UTC')::date)
	FROM iamwatch_internal.context_journal AS j
	CROSS JOIN LATERAL iamwatch_internal.context_values(j.event, j.access_key) AS v) AS p
GROUP BY p.provider, p.account, p.identity, p.kind, p.value;
COMMENT ON VIEW iamwatch.contexts IS
'per identity the networks, user agents, regions, and access keys with their networks that were sampled, and the days';
