/*-------------------------------------------------------------------------
 *
 * counter.c
 *		Rows that count, which nobody waits for.
 *
 * Whoever finds a counter taken by another transaction takes the next one, or
 * inserts one; maintain() puts them together.  With a fixed snapshot, to lock a
 * row that others have changed is an error, so such a transaction only inserts.
 *
 * Without a statement, which would cost several times as much: every statement
 * that brings anything new counts.  Must never wait.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/sysattr.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "common/pg_prng.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "server/compat.h"
#include "server/counter.h"
#include "server/row.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

/* The row in the slot, locked, in the version that is the newest. */
static bool
lock_row(Relation table, TupleTableSlot *slot, TupleTableSlot *locked)
{
	TM_FailureData failure;
	ItemPointerData tid = slot->tts_tid;

	return table_tuple_lock(table, &tid, GetActiveSnapshot(), locked, GetCurrentCommandId(false),
							LockTupleNoKeyExclusive, LockWaitSkip,
							TUPLE_LOCK_FLAG_FIND_LAST_VERSION, &failure) == TM_Ok;
}

/*
 * A counter is changed again and again, and while an old snapshot needs the
 * versions that it had, whoever looks for it by index meets them all.  So its
 * era grows every few changes, and the newest is looked for first.  Between two
 * eras, the index needs no new entry.
 */
#define CHANGES_IN_ERA 32

int16
counter_next_era(int16 era)
{
	return era < PG_INT16_MAX && pg_prng_uint32(&pg_global_prng_state) % CHANGES_IN_ERA == 0 ?
		era + 1 : era;
}

/*
 * A version that this transaction wrote is seen by nobody else, and needs no
 * lock.  Where a savepoint rolled an update of it back, as backfill() does in
 * trials, a lock of ours on it would leave a multixact behind, with the update
 * that never was among its members.
 */
static bool
is_ours(TupleTableSlot *slot)
{
	bool		isnull;
	Datum		xmin = slot_getsysattr(slot, MinTransactionIdAttributeNumber, &isnull);

	Assert(!isnull);
	return TransactionIdIsCurrentTransactionId(DatumGetTransactionId(xmin));
}

static bool
take_row(Relation table, const Counter *counter, const void *what, TupleTableSlot *slot,
		 TupleTableSlot *taken)
{
	if (is_ours(slot))
	{
		ExecCopySlot(taken, slot);
		return true;
	}
	return lock_row(table, slot, taken) && counter->is_it(taken, what);
}

/*
 * Leave in the slot a row that nobody else writes; whether there was one.  Era:
 * the latest that was met.
 */
static bool
find_free(Relation table, const Counter *counter, const void *what, TupleTableSlot *taken,
		  int16 *era)
{
	Relation	index = index_open(counter->index, AccessShareLock);
	TupleTableSlot *slot = table_slot_create(table, NULL);
	IndexScanDesc scan = begin_index_scan(table, index, GetActiveSnapshot(), counter->nkeys);
	bool		found = false;

	index_rescan(scan, (ScanKey) counter->keys, counter->nkeys, NULL, 0);
	while (!found && index_getnext_slot(scan, BackwardScanDirection, slot))
	{
		bool		isnull;

		CHECK_FOR_INTERRUPTS();
		*era = Max(*era, DatumGetInt16(slot_getattr(slot, counter->era + 1, &isnull)));
		found = counter->is_it(slot, what) && take_row(table, counter, what, slot, taken);
	}
	index_endscan(scan);
	ExecDropSingleTupleTableSlot(slot);
	index_close(index, NoLock);
	return found;
}

bool
counter_add(const Counter *counter, const void *what)
{
	RowTarget	target;
	TupleTableSlot *old;
	int16		era = 0;
	int			natts;
	bool		found;

	row_target_open(&target, counter->table, counter->ncolumns);
	natts = RelationGetDescr(target.table)->natts;
	old = table_slot_create(target.table, NULL);
	found = !IsolationUsesXactSnapshot() && find_free(target.table, counter, what, old, &era);
	memset(target.slot->tts_values, 0, natts * sizeof(Datum));
	memset(target.slot->tts_isnull, true, natts * sizeof(bool));
	if (found)
	{
		slot_getallattrs(old);
		memcpy(target.slot->tts_values, old->tts_values, natts * sizeof(Datum));
		memcpy(target.slot->tts_isnull, old->tts_isnull, natts * sizeof(bool));
	}
	counter->add(target.slot->tts_values, target.slot->tts_isnull, !found, what);
	if (found)
		era = counter_next_era(DatumGetInt16(target.slot->tts_values[counter->era]));
	target.slot->tts_values[counter->era] = Int16GetDatum(era);
	if (found)
		row_update(&target, old);
	else if (!counter->only_existing)
		row_insert(&target, target.slot->tts_values, target.slot->tts_isnull);
	ExecDropSingleTupleTableSlot(old);
	row_target_close(&target);
	return !found && !counter->only_existing;
}
