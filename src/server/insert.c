/*-------------------------------------------------------------------------
 *
 * insert.c
 *		INSERT of a row, without a statement, but with all that one does.
 *
 * Into tables that people know, and may have given triggers: also those that
 * are fired for a statement, and shown its rows.  What else only a statement
 * heeds, insert_needs_statement() finds.  Privileges are not asked, as in row.c.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/table.h"
#include "catalog/pg_class.h"
#include "commands/trigger.h"
#include "executor/executor.h"
#include "server/insert.h"
#include "utils/rel.h"
#include "utils/rls.h"

bool
insert_needs_statement(Oid table, int ncolumns)
{
	Relation	relation = table_open(table, RowExclusiveLock);
	bool		needs = relation->rd_rel->relkind != RELKIND_RELATION ||
		relation->rd_rules != NULL || RelationGetNumberOfAttributes(relation) != ncolumns;

	table_close(relation, NoLock);
	return needs || check_enable_rls(table, InvalidOid, true) == RLS_ENABLED;
}

void
insert_begin(InsertTarget *target, Oid table)
{
	RowTarget  *row = &target->row;

	row_target_open(row, table, 0);
	row->columns = RelationGetNumberOfAttributes(row->table);	/* insert_needs_statement() has seen to it */
	ExecBSInsertTriggers(row->estate, row->info);
	target->capture = MakeTransitionCaptureState(row->info->ri_TrigDesc, table, CMD_INSERT);
}

void
insert_row(InsertTarget *target, const Datum *values, const bool *nulls)
{
	RowTarget  *row = &target->row;
	TriggerDesc *triggers = row->info->ri_TrigDesc;

	row_insert(row, values, nulls);
	/* a trigger can have put it aside */
	if (target->capture == NULL || !ItemPointerIsValid(&row->slot->tts_tid))
		return;
	/* those for each row are queued: this only shows the row to the others */
	row->info->ri_TrigDesc = NULL;
	ExecARInsertTriggers(row->estate, row->info, row->slot, NIL, target->capture);
	row->info->ri_TrigDesc = triggers;
}

void
insert_end(InsertTarget *target)
{
	ExecASInsertTriggers(target->row.estate, target->row.info, target->capture);
	row_target_close(&target->row);
}
