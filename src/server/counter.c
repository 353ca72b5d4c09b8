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
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "commands/trigger.h"
#include "executor/executor.h"
#include "server/compat.h"
#include "server/counter.h"
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

/* Leave in the slot a row that is locked; whether there was one that is free. */
static bool
find_free(Relation table, const Counter *counter, const void *what, TupleTableSlot *locked)
{
	Relation	index = index_open(counter->index, AccessShareLock);
	TupleTableSlot *slot = table_slot_create(table, NULL);
	IndexScanDesc scan = begin_index_scan(table, index, GetActiveSnapshot(), counter->nkeys);
	bool		found = false;

	index_rescan(scan, (ScanKey) counter->keys, counter->nkeys, NULL, 0);
	while (!found && index_getnext_slot(scan, ForwardScanDirection, slot))
		found = counter->is_it(slot, what) && lock_row(table, slot, locked) &&
			counter->is_it(locked, what);
	index_endscan(scan);
	ExecDropSingleTupleTableSlot(slot);
	index_close(index, NoLock);
	return found;
}

/* The row with what is added, as a slot to be written. */
static TupleTableSlot *
changed_row(Relation table, const Counter *counter, const void *what, TupleTableSlot *old)
{
	TupleTableSlot *slot = MakeSingleTupleTableSlot(RelationGetDescr(table), &TTSOpsVirtual);
	int			natts = RelationGetDescr(table)->natts;

	Assert(natts == counter->ncolumns);
	ExecClearTuple(slot);
	if (old != NULL)
	{
		slot_getallattrs(old);
		memcpy(slot->tts_values, old->tts_values, natts * sizeof(Datum));
		memcpy(slot->tts_isnull, old->tts_isnull, natts * sizeof(bool));
	}
	else
	{
		memset(slot->tts_values, 0, natts * sizeof(Datum));
		memset(slot->tts_isnull, true, natts * sizeof(bool));
	}
	counter->add(slot->tts_values, slot->tts_isnull, old == NULL, what);
	return ExecStoreVirtualTuple(slot);
}

bool
counter_add(const Counter *counter, const void *what)
{
	Relation	table = table_open(counter->table, RowExclusiveLock);
	TupleTableSlot *old = table_slot_create(table, NULL);
	TupleTableSlot *new;
	EState	   *estate = CreateExecutorState();
	ResultRelInfo *target = makeNode(ResultRelInfo);
	EPQState	epq;
	bool		found;

	CommandCounterIncrement();
	PushActiveSnapshot(GetTransactionSnapshot());
	found = !IsolationUsesXactSnapshot() && find_free(table, counter, what, old);
	new = changed_row(table, counter, what, found ? old : NULL);

	estate->es_snapshot = GetActiveSnapshot();
	estate->es_output_cid = GetCurrentCommandId(true);
	InitResultRelInfo(target, table, 0, NULL, 0);
	ExecOpenIndices(target, false);
	AfterTriggerBeginQuery();	/* somebody may have put triggers on it */
	if (found)
	{
		init_epq(&epq, estate);
		ExecSimpleRelationUpdate(target, estate, &epq, old, new);
		EvalPlanQualEnd(&epq);
	}
	else
		ExecSimpleRelationInsert(target, estate, new);
	AfterTriggerEndQuery(estate);
	ExecCloseIndices(target);
	ExecResetTupleTable(estate->es_tupleTable, false);
	ExecDropSingleTupleTableSlot(new);
	ExecDropSingleTupleTableSlot(old);
	FreeExecutorState(estate);
	PopActiveSnapshot();
	table_close(table, NoLock);
	return !found;
}
