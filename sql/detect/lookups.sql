-- What there is of a behaviour, answered without a query: by stored.c.

CREATE TYPE iamwatch_internal.ids AS (account_id integer, identity_id bigint, operation_id integer);
COMMENT ON TYPE iamwatch_internal.ids IS 'the numbers of account, identity and operation of an event';

CREATE FUNCTION iamwatch_internal.ids_of(provider text, account text, identity text, service text, operation text,
	failed boolean) RETURNS iamwatch_internal.ids
	AS 'MODULE_PATHNAME', 'iamwatch_ids_of' LANGUAGE C STABLE;
COMMENT ON FUNCTION iamwatch_internal.ids_of(text, text, text, text, text, boolean) IS
'the numbers that the baselines have for an account, an identity and an operation; null for what is not there, or was not asked for';

CREATE FUNCTION iamwatch_internal.ids_of(event iamwatch.event) RETURNS iamwatch_internal.ids
	LANGUAGE sql STABLE RETURN iamwatch_internal.ids_of(event.provider, event.account, event.identity,
		event.service, event.operation, event.failed);
COMMENT ON FUNCTION iamwatch_internal.ids_of(iamwatch.event) IS 'those of an event';

CREATE FUNCTION iamwatch_internal.has_journal(account text) RETURNS boolean
	AS 'MODULE_PATHNAME', 'iamwatch_has_journal' LANGUAGE C STABLE STRICT;
COMMENT ON FUNCTION iamwatch_internal.has_journal(text) IS
'whether the journal may have something of an account: by hash, so it may say so of another, but never misses one';

CREATE FUNCTION iamwatch_internal.has_pending(event iamwatch.event) RETURNS boolean
	AS 'MODULE_PATHNAME', 'iamwatch_has_pending' LANGUAGE C VOLATILE STRICT;
COMMENT ON FUNCTION iamwatch_internal.has_pending(iamwatch.event) IS 'whether others left events of the behaviour';

CREATE FUNCTION iamwatch_internal.has_suppressions() RETURNS boolean
	AS 'MODULE_PATHNAME', 'iamwatch_has_suppressions' LANGUAGE C VOLATILE;
COMMENT ON FUNCTION iamwatch_internal.has_suppressions() IS 'whether there is any suppression';
