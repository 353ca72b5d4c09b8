/*-------------------------------------------------------------------------
 *
 * stored_members.c
 *		Who of an account did an operation.
 *
 * Asked for each alert that is opened, and there may be thousands, so no row is
 * read without need.  Must never write, nor decide anything.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "baseline/stored.h"
#include "baseline/stored_columns.h"
#include "baseline/stored_members.h"
#include "baseline/stored_scan.h"
#include "executor/executor.h"
#include "utils/date.h"
#include "utils/fmgroids.h"

/* After so many rows without a day that is asked for, it is found out how many such days there are. */
#define ROWS_WITHOUT_DAYS 32

/* What is sought of an operation, and found so far. */
typedef struct Search
{
	int32		account_id;
	int32		operation_id;
	int32		since;
	int32		until;
	int64		found;			/* days, of all rows so far */
	int64		there_are;		/* by the tallies; -1 as long as they were not asked */
	int			without;		/* rows without any since then */
} Search;

/*
 * Are no days left for the rows that follow?  Most rows can be of identities that
 * did it only today, or only long ago, and the tallies have how many did so on
 * each day: they change in the same transaction as the days.
 */
static bool
has_found_all(Search *search)
{
	if (++search->without < ROWS_WITHOUT_DAYS)
		return false;
	if (search->there_are < 0)
		search->there_are =
			stored_tallied_days(search->account_id, search->operation_id, search->since, search->until);
	return search->found >= search->there_are;
}

void
stored_operation_days(int32 account_id, int32 operation_id, int32 since, int32 until,
					  void (*take) (int64 identity_id, const DayRuns *days, void *arg), void *arg)
{
	Search		search = {account_id, operation_id, since, until, .there_are = -1};
	ScanKeyData keys[2];
	IndexScanDesc scan;
	TupleTableSlot *slot;

	scan_key_id(&keys[0], 1, account_id);
	scan_key_id(&keys[1], 2, operation_id);
	scan = scan_begin(LOOKUP_BEHAVIOUR_DAYS, keys, 2);
	while ((slot = scan_next(LOOKUP_BEHAVIOUR_DAYS, scan)) != NULL)
	{
		DayRuns		days;
		int64		inside = 0;

		if (DatumGetDateADT(scan_value(slot, BEHAVIOUR_DAYS_FIRST_SEEN)) <= until)
		{
			dayruns_from_datum(scan_value(slot, BEHAVIOUR_DAYS_DAYS), &days);
			inside = dayruns_count(&days, since, until);
		}
		search.found += inside;
		if (inside > 0)
			take(DatumGetInt64(scan_value(slot, BEHAVIOUR_DAYS_IDENTITY_ID)), &days, arg);
		else if (has_found_all(&search))
			break;
	}
	scan_end(LOOKUP_BEHAVIOUR_DAYS, scan);
}

/* To pass over so many entries of an index costs about as much as to look one up. */
#define MOST_PASSED 32

/* How many of the numbers lie so near to each other that all are found in passing. */
static int
length_of_run(const int64 *numbers, int count)
{
	int			length = 1;

	while (length < count && numbers[length] - numbers[length - 1] <= MOST_PASSED)
		length++;
	return length;
}

static void
read_member(TupleTableSlot *slot, StoredMember *member)
{
	member->kinds = DatumGetInt32(scan_value(slot, IDENTITIES_KINDS));
	dayruns_from_datum(scan_value(slot, IDENTITIES_FIRST_DAYS), &member->first_days);
	member->name = scan_text(slot, IDENTITIES_IDENTITY);
}

void
stored_members(int32 account_id, const int64 *identity_ids, int count,
			   void (*take) (int i, const StoredMember *member, void *arg), void *arg)
{
	IndexScanDesc scan = NULL;
	int			end;

	for (int i = 0; i < count; i = end)
	{
		ScanKeyData keys[3];

		end = i + length_of_run(identity_ids + i, count - i);
		scan_key_id(&keys[0], 1, account_id);
		ScanKeyInit(&keys[1], 2, BTGreaterEqualStrategyNumber, F_INT8GE, Int64GetDatum(identity_ids[i]));
		ScanKeyInit(&keys[2], 2, BTLessEqualStrategyNumber, F_INT8LE, Int64GetDatum(identity_ids[end - 1]));
		if (scan != NULL)
			scan_again(scan, keys, lengthof(keys));
		else if ((scan = scan_begin_entries(LOOKUP_IDENTITY_NUMBERS, keys, lengthof(keys))) == NULL)
			return;
		while (i < end && scan_next_entry(scan, ForwardScanDirection))
		{
			int64		identity_id = DatumGetInt64(scan_entry_value(scan, 2));
			StoredMember member;
			TupleTableSlot *slot;

			while (i < end && identity_ids[i] < identity_id)
				i++;
			/* of several versions of the row, one at most is seen */
			if (i == end || identity_ids[i] != identity_id ||
				(slot = scan_fetch(LOOKUP_IDENTITY_NUMBERS, scan)) == NULL)
				continue;
			read_member(slot, &member);
			take(i++, &member, arg);
		}
	}
	scan_end(LOOKUP_IDENTITY_NUMBERS, scan);
}
