-- Locks that are tried, never waited for (src/server/lock.c).
--
-- Their classes: 1 to write an account, 2 the alerts of a behaviour, 4 to number an
-- account, 5 to keep the incidents of an identity, or all links; 7 a lane of a backfill.

CREATE FUNCTION iamwatch_internal.try_lock(class integer, key integer) RETURNS boolean
	AS 'MODULE_PATHNAME', 'iamwatch_try_lock' LANGUAGE C VOLATILE STRICT;
COMMENT ON FUNCTION iamwatch_internal.try_lock(integer, integer) IS
'take a lock of iamwatch until the transaction ends; false at once if another session has it';
CREATE FUNCTION iamwatch_internal.try_lock(class integer, key integer, one bigint) RETURNS boolean
	AS 'MODULE_PATHNAME', 'iamwatch_try_lock_one' LANGUAGE C VOLATILE STRICT;
COMMENT ON FUNCTION iamwatch_internal.try_lock(integer, integer, bigint) IS
'lock one of the things that have a key in common, without waiting: sessions that lock others of them do not meet. By its hash, with the key shared, or the whole key when the transaction has many; false if a session has it or the whole key';

CREATE FUNCTION iamwatch_internal.try_session_lock(class integer, key bigint) RETURNS boolean
	AS 'MODULE_PATHNAME', 'iamwatch_try_session_lock' LANGUAGE C VOLATILE STRICT;
COMMENT ON FUNCTION iamwatch_internal.try_session_lock(integer, bigint) IS
'take the lock of the session, until released, an error or its end; false at once if it has one or another session has this one';
CREATE FUNCTION iamwatch_internal.session_unlock() RETURNS void
	AS 'MODULE_PATHNAME', 'iamwatch_session_unlock' LANGUAGE C VOLATILE;
COMMENT ON FUNCTION iamwatch_internal.session_unlock() IS 'release the lock of the session, if it has one';
CREATE FUNCTION iamwatch_internal.session_lock_held(class integer, key bigint) RETURNS boolean
	AS 'MODULE_PATHNAME', 'iamwatch_session_lock_held' LANGUAGE C VOLATILE STRICT;
COMMENT ON FUNCTION iamwatch_internal.session_lock_held(integer, bigint) IS 'whether any session has a lock of iamwatch';

CREATE FUNCTION iamwatch_internal.must_be_alone(procedure text) RETURNS void
	AS 'MODULE_PATHNAME', 'iamwatch_must_be_alone' LANGUAGE C VOLATILE STRICT;
COMMENT ON FUNCTION iamwatch_internal.must_be_alone(text) IS '2D000 in a transaction block, in which a procedure cannot commit';
