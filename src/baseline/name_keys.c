/*-------------------------------------------------------------------------
 *
 * name_keys.c
 *		An index of names of any length, for tables that people ask plainly.
 *
 * What finds rows for WHERE account = '...' of a table is an index of the column
 * itself, and names can be longer than any btree holds.  So this is a kind of GIN
 * index, of whose keys each is the hash of a name: small, quick to add to however
 * many rows have the same name, and able to have several columns, each of which
 * can be asked for alone.  Rows that it finds are compared by name.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"
#include "server/slice.h"

PG_FUNCTION_INFO_V1(iamwatch_name_keys);
PG_FUNCTION_INFO_V1(iamwatch_name_query_keys);
PG_FUNCTION_INFO_V1(iamwatch_name_may_match);

static Datum *
key_of(Datum name, int32 *count)
{
	Datum	   *keys = palloc(sizeof(Datum));

	keys[0] = Int64GetDatum((int64) slice_hash(slice_of_text(name), 0));
	*count = 1;
	return keys;
}

/* name_keys(name text, count internal) RETURNS internal */
Datum
iamwatch_name_keys(PG_FUNCTION_ARGS)
{
	PG_RETURN_POINTER(key_of(PG_GETARG_DATUM(0), (int32 *) PG_GETARG_POINTER(1)));
}

/* name_query_keys(name text, count internal, strategy smallint, internal, internal, internal, internal) RETURNS internal */
Datum
iamwatch_name_query_keys(PG_FUNCTION_ARGS)
{
	PG_RETURN_POINTER(key_of(PG_GETARG_DATUM(0), (int32 *) PG_GETARG_POINTER(1)));
}

/* name_may_match(found internal, strategy smallint, name text, count integer, internal, recheck internal, internal, internal) RETURNS boolean */
Datum
iamwatch_name_may_match(PG_FUNCTION_ARGS)
{
	*(bool *) PG_GETARG_POINTER(5) = true;	/* others may have the same hash */
	PG_RETURN_BOOL(((bool *) PG_GETARG_POINTER(0))[0]);
}
