/*-------------------------------------------------------------------------
 *
 * stored_tallies.c
 *		What the tallies say of an account.
 *
 * Owns how they are found where an old snapshot keeps dead versions of them.
 * Must never write.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "baseline/stored.h"
#include "baseline/stored_columns.h"
#include "baseline/stored_scan.h"
#include "utils/date.h"
#include "utils/fmgroids.h"

/* So many dead versions may follow a day before the next is looked up by itself. */
#define MOST_DEAD 8

/*
 * The tallies of one operation, summed.  From the last day to the first, and the
 * newest version of each day first; when too many older ones follow, which an
 * old snapshot keeps, the scan begins anew below that day.
 */
static StoredSum
sum_tallies(int32 account_id, int32 operation_id, bool is_user, int32 since, int32 until)
{
	ScanKeyData keys[5];
	IndexScanDesc scan;
	StoredSum	sum = {0, 0};
	int			room = -1;

	scan_key_id(&keys[0], 1, account_id);
	scan_key_id(&keys[1], 2, operation_id);
	ScanKeyInit(&keys[2], 3, BTGreaterEqualStrategyNumber, F_DATE_GE, DateADTGetDatum(since));
	ScanKeyInit(&keys[3], 3, BTLessEqualStrategyNumber, F_DATE_LE, DateADTGetDatum(until));
	ScanKeyInit(&keys[4], 4, BTEqualStrategyNumber, F_BOOLEQ, BoolGetDatum(is_user));
	scan = scan_begin(LOOKUP_TALLIES, keys, lengthof(keys));
	for (;;)
	{
		TupleTableSlot *slot = scan_previous(LOOKUP_TALLIES, scan, &room);

		if (slot != NULL)
		{
			sum.all += DatumGetInt32(scan_value(slot, TALLIES_IDENTITIES));
			sum.settled += DatumGetInt32(scan_value(slot, TALLIES_SETTLED));
			keys[3].sk_argument = DateADTGetDatum(DatumGetDateADT(scan_value(slot, TALLIES_DAY)) - 1);
			room = MOST_DEAD;
		}
		else if (room == 0)
		{
			index_rescan(scan, keys, lengthof(keys), NULL, 0);
			room = -1;
		}
		else
			break;
	}
	scan_end(LOOKUP_TALLIES, scan);
	return sum;
}

StoredSums
stored_tallies(int32 account_id, int32 operation_id, bool is_user, int32 since, int32 until)
{
	StoredSums	sums = {{0, 0}, {0, 0}, {0, 0}};

	if (account_id == 0)
		return sums;
	if (operation_id > 0)
		sums.days = sum_tallies(account_id, operation_id, is_user, since, until);
	sums.active = sum_tallies(account_id, 0, is_user, since, until);
	sums.iam_days = sum_tallies(account_id, -1, is_user, since, until);
	return sums;
}

int64
stored_tallied_days(int32 account_id, int32 operation_id, int32 since, int32 until)
{
	return sum_tallies(account_id, operation_id, true, since, until).all +
		sum_tallies(account_id, operation_id, false, since, until).all;
}

static StoredSum
add_sum(StoredSum sum, StoredSum more)
{
	return (StoredSum) {sum.all + more.all, sum.settled + more.settled};
}

StoredSums
stored_sums_add(StoredSums sums, StoredSums more)
{
	return (StoredSums) {
		add_sum(sums.days, more.days), add_sum(sums.active, more.active),
		add_sum(sums.iam_days, more.iam_days)
	};
}

/* The newest version comes first. */
bool
stored_tally(int32 account_id, int32 operation_id, bool is_user, int32 day, StoredTally *tally)
{
	ScanKeyData keys[4];
	IndexScanDesc scan;
	TupleTableSlot *slot;

	scan_key_id(&keys[0], 1, account_id);
	scan_key_id(&keys[1], 2, operation_id);
	ScanKeyInit(&keys[2], 3, BTEqualStrategyNumber, F_DATE_EQ, DateADTGetDatum(day));
	ScanKeyInit(&keys[3], 4, BTEqualStrategyNumber, F_BOOLEQ, BoolGetDatum(is_user));
	scan = scan_begin(LOOKUP_TALLIES, keys, lengthof(keys));
	slot = scan_next_in(LOOKUP_TALLIES, scan, BackwardScanDirection);
	if (slot != NULL)
	{
		tally->at = slot->tts_tid;
		tally->identities = DatumGetInt32(scan_value(slot, TALLIES_IDENTITIES));
		tally->settled = DatumGetInt32(scan_value(slot, TALLIES_SETTLED));
		tally->era = DatumGetInt16(scan_value(slot, TALLIES_ERA));
	}
	scan_end(LOOKUP_TALLIES, scan);
	return slot != NULL;
}
