/*-------------------------------------------------------------------------
 *
 * stored_context.c
 *		What the tables hold of the contexts of an identity.
 *
 * Owns the numbers of the columns of these tables.  Must never write, nor
 * decide anything.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "baseline/stored_columns.h"
#include "baseline/stored_context.h"
#include "baseline/stored_scan.h"
#include "executor/executor.h"
#include "utils/fmgroids.h"
#include "utils/timestamp.h"

/* Columns, in the order of the tables; new ones come after these. */
enum
{
	NOVELTIES_ACCOUNT_ID = 1, NOVELTIES_IDENTITY_ID, NOVELTIES_AT, NOVELTIES_OPERATION_ID,
	NOVELTIES_ACCESS_KEY
};
enum
{
	HABITS_ACCOUNT_ID = 1, HABITS_IDENTITY_ID, HABITS_KIND, HABITS_VALUE, HABITS_DAYS
};
enum
{
	SAMPLES_EVENT = 1, SAMPLES_ACCESS_KEY, SAMPLES_NOVEL
};

static Slice
copy_of(Slice text)
{
	return text.s == NULL ? text : (Slice) {pnstrdup(text.s, text.len), text.len};
}

static bool
read_operation(int32 account_id, int32 operation_id, StoredNovelty *novelty)
{
	ScanKeyData keys[2];
	IndexScanDesc scan;
	TupleTableSlot *row;

	scan_key_id(&keys[0], 1, account_id);
	scan_key_id(&keys[1], 2, operation_id);
	scan = scan_begin(LOOKUP_OPERATION_NUMBERS, keys, lengthof(keys));
	row = scan_next(LOOKUP_OPERATION_NUMBERS, scan);
	if (row != NULL)
	{
		novelty->failed = DatumGetBool(scan_value(row, OPERATIONS_FAILED));
		novelty->service = copy_of(scan_text(row, OPERATIONS_SERVICE));
		novelty->operation = copy_of(scan_text(row, OPERATIONS_OPERATION));
	}
	scan_end(LOOKUP_OPERATION_NUMBERS, scan);
	return row != NULL;
}

static void
scan_key_identity(ScanKey keys, int32 account_id, int64 identity_id)
{
	scan_key_id(&keys[0], 1, account_id);
	ScanKeyInit(&keys[1], 2, BTEqualStrategyNumber, F_INT8EQ, Int64GetDatum(identity_id));
}

void
stored_novelties(int32 account_id, int64 identity_id, TimestampTz since, TimestampTz until,
				 void (*take) (const StoredNovelty *novelty, void *arg), void *arg)
{
	ScanKeyData keys[4];
	IndexScanDesc scan;
	TupleTableSlot *row;

	scan_key_identity(keys, account_id, identity_id);
	ScanKeyInit(&keys[2], 3, BTGreaterEqualStrategyNumber, F_TIMESTAMPTZ_GE, TimestampTzGetDatum(since));
	ScanKeyInit(&keys[3], 3, BTLessEqualStrategyNumber, F_TIMESTAMPTZ_LE, TimestampTzGetDatum(until));
	scan = scan_begin(LOOKUP_NOVELTIES, keys, lengthof(keys));
	while ((row = scan_next(LOOKUP_NOVELTIES, scan)) != NULL)
	{
		StoredNovelty novelty = {
			.at = DatumGetTimestampTz(scan_value(row, NOVELTIES_AT)),
			.access_key = copy_of(scan_text(row, NOVELTIES_ACCESS_KEY))
		};

		if (read_operation(account_id, DatumGetInt32(scan_value(row, NOVELTIES_OPERATION_ID)), &novelty))
			take(&novelty, arg);
	}
	scan_end(LOOKUP_NOVELTIES, scan);
}

void
stored_habits(int32 account_id, int64 identity_id,
			  void (*take) (char kind, Slice value, Datum days, void *arg), void *arg)
{
	ScanKeyData keys[2];
	IndexScanDesc scan;
	TupleTableSlot *row;

	scan_key_identity(keys, account_id, identity_id);
	scan = scan_begin(LOOKUP_HABITS, keys, lengthof(keys));
	while ((row = scan_next(LOOKUP_HABITS, scan)) != NULL)
		take(DatumGetChar(scan_value(row, HABITS_KIND)), scan_text(row, HABITS_VALUE),
			 scan_value(row, HABITS_DAYS), arg);
	scan_end(LOOKUP_HABITS, scan);
}

void
stored_samples(const Event *event, void (*take) (const StoredSample *sample, void *arg), void *arg)
{
	ScanKeyData keys[2];
	IndexScanDesc scan;
	TupleTableSlot *row;

	scan_key_hash(&keys[0], 1, event->account);
	scan_key_hash(&keys[1], 2, event->identity);
	scan = scan_begin(LOOKUP_SAMPLES, keys, lengthof(keys));
	while ((row = scan_next(LOOKUP_SAMPLES, scan)) != NULL)
	{
		StoredSample sample;

		event_columns(DatumGetHeapTupleHeader(scan_value(row, SAMPLES_EVENT)), &sample.columns);
		sample.event = event_from_columns(&sample.columns).event;
		if (sample.event.provider != event->provider ||
			!slice_equal(sample.event.account, event->account) ||
			!slice_equal(sample.event.identity, event->identity))
			continue;
		sample.access_key = scan_text(row, SAMPLES_ACCESS_KEY);
		sample.novel = DatumGetBool(scan_value(row, SAMPLES_NOVEL));
		take(&sample, arg);
	}
	scan_end(LOOKUP_SAMPLES, scan);
}
