/*-------------------------------------------------------------------------
 *
 * stored_may_have.c
 *		What there may be in our tables, by hashes of names alone.
 *
 * Each may say so of something else, but never misses what is there: nearly
 * always there is nothing, and that is all that is asked.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "baseline/stored.h"
#include "baseline/stored_names.h"
#include "baseline/stored_scan.h"
#include "server/table.h"

/* Has an index a row of these hashes? */
static bool
has_hashes(Lookup lookup, int count, const Slice *names)
{
	ScanKeyData keys[2];
	IndexScanDesc scan;
	bool		found;

	Assert(count <= lengthof(keys));
	for (int i = 0; i < count; i++)
		scan_key_hash(&keys[i], i + 1, names[i]);
	scan = scan_begin(lookup, keys, count);
	/* the newest first: of counters, that is what is not dead */
	found = scan_next_in(lookup, scan, BackwardScanDirection) != NULL;
	scan_end(lookup, scan);
	return found;
}

bool
stored_may_have_excluded(Slice account, Slice operation)
{
	return has_hashes(LOOKUP_EXCLUDED, 2, (Slice[]) {account, operation});
}

bool
stored_may_have_journal(Slice account)
{
	return has_hashes(LOOKUP_JOURNAL, 1, &account);
}

bool
stored_may_have_samples(Slice account)
{
	return has_hashes(LOOKUP_SAMPLES, 1, &account);
}

bool
stored_may_be_near_limit(Slice scope)
{
	return has_hashes(LOOKUP_NEAR_LIMITS, 1, &scope);
}

bool
stored_has_suppressions(void)
{
	IndexScanDesc scan = scan_begin(LOOKUP_SUPPRESSIONS, NULL, 0);
	bool		found = scan_next(LOOKUP_SUPPRESSIONS, scan) != NULL;

	scan_end(LOOKUP_SUPPRESSIONS, scan);
	return found;
}

/* May there be a row of that name, as the table's file and then the index tells? */
static bool
may_find(Lookup lookup, Slice name)
{
	Oid			schema = scan_schema(lookup);
	ScanKeyData key;

	scan_key_hash(&key, 1, name);
	return !table_is_empty(schema, stored_names[lookup].table) &&
		index_may_have(schema, stored_names[lookup].index, &key, 1);
}

bool
stored_may_have_alerts(Slice identity)
{
	return may_find(LOOKUP_ALERTS, identity) || may_find(LOOKUP_SUPPRESSED, identity);
}
