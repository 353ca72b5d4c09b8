/*-------------------------------------------------------------------------
 *
 * quick_hash.c
 *		The keys of this backend's hashes.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "server/quick_hash.h"

QuickKey	quick_keys[2];

void
quick_hash_init(void)
{
	static bool drawn = false;

	if (drawn)
		return;
	if (!pg_strong_random(quick_keys, sizeof(quick_keys)))
		ereport(ERROR,
				(errcode(ERRCODE_INTERNAL_ERROR),
				 errmsg("could not generate random values")));
	drawn = true;
}
