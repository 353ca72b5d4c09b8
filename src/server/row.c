/*-------------------------------------------------------------------------
 *
 * row.c
 *		Writes single rows of our tables, without a statement.
 *
 * To start a statement costs several times what it takes to write a row.  The
 * way is the one of a worker that applies what a subscription brings:
 * constraints are checked, indexes kept and triggers fired; privileges are not
 * asked, so whoever calls this must not take a table's name from anybody.
 *
 * What the executor refuses before a statement that writes, this refuses too:
 * somebody may call one of our functions by hand.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "commands/trigger.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "optimizer/optimizer.h"
#include "rewrite/rewriteHandler.h"
#include "server/compat.h"
#include "server/row.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

void
row_target_open(RowTarget *target, Oid table, int columns)
{
	/* On a standby every transaction is read-only. */
	PreventCommandIfReadOnly("INSERT");
	PreventCommandIfParallelMode("INSERT");
	CommandCounterIncrement();
	PushActiveSnapshot(GetTransactionSnapshot());
	target->table = table_open(table, RowExclusiveLock);
	target->estate = CreateExecutorState();
	target->estate->es_snapshot = GetActiveSnapshot();
	target->estate->es_output_cid = GetCurrentCommandId(true);
	target->info = makeNode(ResultRelInfo);
	InitResultRelInfo(target->info, target->table, 0, NULL, 0);
	/* where triggers that are fired at the end look for it */
	target->estate->es_opened_result_relations = list_make1(target->info);
	ExecOpenIndices(target->info, false);
	target->slot = MakeSingleTupleTableSlot(RelationGetDescr(target->table), &TTSOpsVirtual);
	target->place = NULL;
	target->columns = columns;
	if (RelationGetNumberOfAttributes(target->table) < columns)
		elog(ERROR, "table %s has %d columns, not %d", RelationGetRelationName(target->table),
			 RelationGetNumberOfAttributes(target->table), columns);
	AfterTriggerBeginQuery();	/* somebody may have put triggers on it */
}

void
row_target_close(RowTarget *target)
{
	AfterTriggerEndQuery(target->estate);
	ExecDropSingleTupleTableSlot(target->slot);
	if (target->place != NULL)
		ExecDropSingleTupleTableSlot(target->place);
	ExecCloseIndices(target->info);
	ExecResetTupleTable(target->estate->es_tupleTable, false);
	FreeExecutorState(target->estate);
	table_close(target->table, NoLock);
	PopActiveSnapshot();
}

bool
row_target_has_triggers(const RowTarget *target)
{
	const TriggerDesc *triggers = target->info->ri_TrigDesc;

	return triggers != NULL && (triggers->trig_insert_before_row || triggers->trig_insert_after_row ||
								triggers->trig_update_before_row || triggers->trig_update_after_row);
}

static void
set_values(RowTarget *target, const Datum *values, const bool *nulls)
{
	ExecClearTuple(target->slot);
	if (values == target->slot->tts_values)
		return;
	memcpy(target->slot->tts_values, values, target->columns * sizeof(Datum));
	memcpy(target->slot->tts_isnull, nulls, target->columns * sizeof(bool));
}

/* Those that are generated are computed when the row is written. */
static void
set_defaults(RowTarget *target)
{
	MemoryContext outer = MemoryContextSwitchTo(GetPerTupleMemoryContext(target->estate));

	for (int i = target->columns; i < RelationGetNumberOfAttributes(target->table); i++)
	{
		Form_pg_attribute column = TupleDescAttr(RelationGetDescr(target->table), i);
		Expr	   *value = NULL;

		if (!column->attisdropped && column->attgenerated == '\0')
			value = (Expr *) build_column_default(target->table, i + 1);
		target->slot->tts_values[i] = (Datum) 0;
		target->slot->tts_isnull[i] = true;
		if (value != NULL)
			target->slot->tts_values[i] = ExecEvalExpr(ExecInitExpr(expression_planner(value), NULL),
													   GetPerTupleExprContext(target->estate),
													   &target->slot->tts_isnull[i]);
	}
	MemoryContextSwitchTo(outer);
}

void
row_insert(RowTarget *target, const Datum *values, const bool *nulls)
{
	set_values(target, values, nulls);
	if (target->columns < RelationGetNumberOfAttributes(target->table))
		set_defaults(target);
	ExecSimpleRelationInsert(target->info, target->estate, ExecStoreVirtualTuple(target->slot));
	ResetPerTupleExprContext(target->estate);
}

void
row_update(RowTarget *target, TupleTableSlot *old)
{
	EPQState	epq;

	init_epq(&epq, target->estate);
	ExecSimpleRelationUpdate(target->info, target->estate, &epq, old,
							 ExecStoreVirtualTuple(target->slot));
	EvalPlanQualEnd(&epq);
	ResetPerTupleExprContext(target->estate);
}

void
row_update_at(RowTarget *target, const ItemPointerData *at, const Datum *values, const bool *nulls)
{
	int			natts = RelationGetNumberOfAttributes(target->table);

	set_values(target, values, nulls);
	/* of the old row, mostly only its place is asked for */
	if (target->place == NULL)
		target->place = target->columns == natts ?
			MakeSingleTupleTableSlot(RelationGetDescr(target->table), &TTSOpsVirtual) :
			table_slot_create(target->table, NULL);
	target->place->tts_tid = *at;
	if (target->columns < natts)
	{
		ItemPointerData tid = *at;

		if (!table_tuple_fetch_row_version(target->table, &tid, SnapshotAny, target->place))
			elog(ERROR, "a row of %s is not there", RelationGetRelationName(target->table));
		slot_getallattrs(target->place);
		memcpy(target->slot->tts_values + target->columns, target->place->tts_values + target->columns,
			   (natts - target->columns) * sizeof(Datum));
		memcpy(target->slot->tts_isnull + target->columns, target->place->tts_isnull + target->columns,
			   (natts - target->columns) * sizeof(bool));
	}
	row_update(target, target->place);
}

void
row_insert_one(Oid table, int columns, const Datum *values, const bool *nulls)
{
	RowTarget	target;

	row_target_open(&target, table, columns);
	row_insert(&target, values, nulls);
	row_target_close(&target);
}
