/*-------------------------------------------------------------------------
 *
 * stored_context.c
 *		What the tables hold of the contexts of an identity.
 *
 * Must never write, nor decide anything.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "baseline/stored_columns.h"
#include "baseline/stored_context.h"
#include "baseline/stored_scan.h"
#include "catalog/pg_collation.h"
#include "executor/executor.h"
#include "utils/fmgroids.h"
#include "utils/timestamp.h"

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

bool
stored_has_novelty(int32 account_id, int64 identity_id, TimestampTz at, int32 operation_id)
{
	ScanKeyData keys[4];
	IndexScanDesc scan;
	bool		found;

	scan_key_identity(keys, account_id, identity_id);
	ScanKeyInit(&keys[2], 3, BTEqualStrategyNumber, F_TIMESTAMPTZ_EQ, TimestampTzGetDatum(at));
	scan_key_id(&keys[3], 4, operation_id);
	scan = scan_begin(LOOKUP_NOVELTIES, keys, lengthof(keys));
	found = scan_next(LOOKUP_NOVELTIES, scan) != NULL;
	scan_end(LOOKUP_NOVELTIES, scan);
	return found;
}

bool
stored_habit(int32 account_id, int64 identity_id, char kind, Slice value, StoredHabit *habit)
{
	ScanKeyData keys[4];
	IndexScanDesc scan;
	TupleTableSlot *row;

	scan_key_identity(keys, account_id, identity_id);
	ScanKeyInit(&keys[2], 3, BTEqualStrategyNumber, F_CHAREQ, CharGetDatum(kind));
	ScanKeyEntryInitialize(&keys[3], 0, 4, BTEqualStrategyNumber, InvalidOid, DEFAULT_COLLATION_OID,
						   F_TEXTEQ, slice_text(value));
	scan = scan_begin(LOOKUP_HABITS, keys, lengthof(keys));
	row = scan_next(LOOKUP_HABITS, scan);
	if (row != NULL)
	{
		habit->at = row->tts_tid;
		dayruns_from_datum(scan_value(row, HABITS_DAYS), &habit->days);
	}
	scan_end(LOOKUP_HABITS, scan);
	return row != NULL;
}

void
sample_read(HeapTupleHeader event, Slice access_key, bool novel, StoredSample *sample)
{
	event_columns(event, &sample->columns);
	sample->event = event_from_columns(&sample->columns).event;
	sample->access_key = access_key;
	sample->novel = novel;
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

		sample_read(DatumGetHeapTupleHeader(scan_value(row, SAMPLES_EVENT)), scan_text(row, SAMPLES_ACCESS_KEY),
					DatumGetBool(scan_value(row, SAMPLES_NOVEL)), &sample);
		if (sample.event.provider != event->provider ||
			!slice_equal(sample.event.account, event->account) ||
			!slice_equal(sample.event.identity, event->identity))
			continue;
		take(&sample, arg);
	}
	scan_end(LOOKUP_SAMPLES, scan);
}
