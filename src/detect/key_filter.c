/*-------------------------------------------------------------------------
 *
 * key_filter.c
 *		Which keys are wanted, in few bytes, with some others that are not.
 *
 * A list of keys would have to be in memory in every process of a query, however
 * long it is.  This is a Bloom filter instead: two bits of a behaviour's hash.
 * All keys that are wanted pass, and of the others few: one in sixty at worst,
 * more if there are so many behaviours that the bytes do not suffice.  So who
 * asks must be able to do with more than what is wanted.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "detect/baseline_key.h"
#include "detect/key_filter.h"
#include "fmgr.h"
#include "server/compat.h"
#include "server/memory.h"
#include "utils/memutils.h"

PG_FUNCTION_INFO_V1(iamwatch_key_filter_passes);

#define BYTES_A_BEHAVIOUR	2
#define LEAST_BYTES			64
#define SHARE_OF_MEMORY		4	/* each process has a copy */

bytea *
key_filter_create(int64 behaviours)
{
	Size		bytes = Max(LEAST_BYTES, Min(behaviours * BYTES_A_BEHAVIOUR, memory_bytes() / SHARE_OF_MEMORY));
	bytea	   *filter;

	bytes = Min(bytes, MaxAllocSize - VARHDRSZ);
	filter = palloc0(VARHDRSZ + bytes);
	SET_VARSIZE(filter, VARHDRSZ + bytes);
	return filter;
}

/* The two bits of a behaviour among so many. */
static void
bits_of(Slice behaviour, uint64 count, uint64 bits[2])
{
	uint64		hash = slice_hash(behaviour, 0);

	bits[0] = (hash >> 32) % count;
	bits[1] = (hash & PG_UINT32_MAX) % count;
}

void
key_filter_add(bytea *filter, Slice behaviour)
{
	uint64		bits[2];

	bits_of(behaviour, (uint64) VARSIZE_ANY_EXHDR(filter) * BITS_PER_BYTE, bits);
	for (int i = 0; i < 2; i++)
		VARDATA_ANY(filter)[bits[i] / BITS_PER_BYTE] |= 1 << bits[i] % BITS_PER_BYTE;
}

/* key_filter_passes(filter bytea, key bytea) RETURNS boolean */
Datum
iamwatch_key_filter_passes(PG_FUNCTION_ARGS)
{
	bytea	   *filter = PG_GETARG_BYTEA_PP(0);
	Slice		key = slice_of_text(PG_GETARG_DATUM(1));
	uint64		bits[2];

	if (VARSIZE_ANY_EXHDR(filter) == 0 || key.len == 0)
		PG_RETURN_BOOL(false);
	bits_of(baseline_key_behaviour(key), (uint64) VARSIZE_ANY_EXHDR(filter) * BITS_PER_BYTE, bits);
	for (int i = 0; i < 2; i++)
		if ((VARDATA_ANY(filter)[bits[i] / BITS_PER_BYTE] >> bits[i] % BITS_PER_BYTE & 1) == 0)
			PG_RETURN_BOOL(false);
	PG_RETURN_BOOL(true);
}
