/*-------------------------------------------------------------------------
 *
 * observe.c
 *		Where events come in: the triggers on a watched table.
 *
 * AFTER INSERT FOR EACH ROW WHEN (iamwatch_internal.may_be_new(NEW.event, NEW.ctid))
 * asks, in memory, whether the event can teach anything; nearly always the
 * answer is no, and nothing is queued.  Where the backend does not know, queued.c
 * asks the tables, and whether the statement has queued the same before.  A second
 * trigger asks of a document that an UPDATE changes.  observe() collects what may
 * be new.  process_batch() handles it at the end of the statement.
 *
 * A statement trigger of a partitioned table does not fire for a load into a
 * partition, and none fires for what a subscription applies.  So observe()
 * arranges for process_batch() itself: it queues the statement trigger of a table of
 * ours, as an INSERT of no rows would, and leaves it to the end of the outer
 * statement.  It then comes after all row triggers that are queued.
 *
 * ingest() and ingest_one() are for stored documents that no trigger fires for.
 * settings_changed(), on the tables that backends copy, has each forget its
 * copy.
 *
 * Only this file and, for triggers on alerts, incidents_keep.c see TriggerData.
 * The statement that stores an event must never fail for what the event contains.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/sysattr.h"
#include "access/table.h"
#include "baseline/baseline_cache.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "config/catalogue.h"
#include "detect/batch.h"
#include "detect/detect.h"
#include "detect/observe.h"
#include "detect/queued.h"
#include "detect/status.h"
#include "event/document.h"
#include "executor/executor.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "nodes/bitmapset.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"
#include "server/cached_table.h"
#include "server/client.h"
#include "server/compat.h"
#include "server/objects.h"
#include "storage/proc.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

PG_FUNCTION_INFO_V1(iamwatch_may_be_new);
PG_FUNCTION_INFO_V1(iamwatch_observe);
PG_FUNCTION_INFO_V1(iamwatch_process_batch);
PG_FUNCTION_INFO_V1(iamwatch_settings_changed);
PG_FUNCTION_INFO_V1(iamwatch_ingest);
PG_FUNCTION_INFO_V1(iamwatch_ingest_one);

/* Depth of triggers for which process_batch() is queued; 0 when it is not. */
static int	process_depth = 0;
static SubTransactionId process_subid = InvalidSubTransactionId;

/*
 * may_be_new(jsonb) RETURNS boolean: may the event be anything new?
 * may_be_new(jsonb, tid): ... that no trigger of the statement was queued for?
 * With the ctid of the new row, in a WHEN.
 */
Datum
iamwatch_may_be_new(PG_FUNCTION_ARGS)
{
	Jsonb	   *document;
	Event		event;
	bool		readable;
	bool		needed;

	cache_counts.asked++;
	if (PG_ARGISNULL(0))
		PG_RETURN_BOOL(true);
	document = PG_GETARG_JSONB_P(0);
	readable = event_read(document, EVENT_KEY, &event) == NULL;
	needed = !readable || !cache_knows(&event);
	if (needed && PG_NARGS() == 2)
		needed = queued_is_needed(fcinfo, document, &event, readable);
	cache_counts.known += !needed;
	PG_RETURN_BOOL(needed);
}

static void
check_called_as_trigger(FunctionCallInfo fcinfo, const char *name)
{
	if (!CALLED_AS_TRIGGER(fcinfo))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("function \"%s\" was not called by trigger manager", name)));
}

static void
check_called_by(FunctionCallInfo fcinfo, const char *name, bool for_row)
{
	TriggerData *data = (TriggerData *) fcinfo->context;

	check_called_as_trigger(fcinfo, name);
	if (!TRIGGER_FIRED_AFTER(data->tg_event) ||
		(TRIGGER_FIRED_FOR_ROW(data->tg_event) != 0) != for_row ||
		(for_row && !TRIGGER_FIRED_BY_INSERT(data->tg_event) &&
		 !TRIGGER_FIRED_BY_UPDATE(data->tg_event)))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("function \"%s\" must be fired AFTER%s", name,
						for_row ? " INSERT OR UPDATE FOR EACH ROW" : " FOR EACH STATEMENT"),
				 errhint("Use iamwatch.watch() to create the trigger.")));
}

static int
trigger_depth(void)
{
	return DatumGetInt32(DirectFunctionCall1(pg_trigger_depth, (Datum) 0));
}

/* As an INSERT of no rows; a queued trigger needs the lock until it has fired. */
static void
queue_statement_trigger(Oid relid)
{
	Relation	relation = table_open(relid, RowExclusiveLock);
	EState	   *estate = CreateExecutorState();
	ResultRelInfo *target = makeNode(ResultRelInfo);

	InitResultRelInfo(target, relation, 0, NULL, 0);
	ExecASInsertTriggers(estate, target, NULL);
	FreeExecutorState(estate);
	table_close(relation, NoLock);
}

static void
queue_process_batch(void)
{
	int			depth = trigger_depth();

	Assert(depth > 0);			/* a trigger calls this */
	if (process_depth != 0 && depth <= process_depth)
		return;
	queue_statement_trigger(internal_relation("end_of_statement"));
	process_depth = depth;
	process_subid = GetCurrentSubTransactionId();
}

static bool
holds_documents(TupleDesc desc, int column)
{
	Oid			type = column > 0 ? SPI_gettypeid(desc, column) : InvalidOid;

	return type == JSONBOID || document_is_text(type);
}

/*
 * The only column that a trigger's WHEN looks at, besides the ctid; 0 if it looks at none or
 * several.  The last answer is kept, since a session's statements are mostly
 * on tables that are watched alike.
 */
static int
column_of_qual(const char *qual)
{
	static char *kept_qual = NULL;
	static int	kept_column = 0;
	Bitmapset  *columns = NULL;

	if (qual == NULL)
		return 0;
	if (kept_qual == NULL || strcmp(qual, kept_qual) != 0)
	{
		char	   *copy;

		pull_varattnos(stringToNode(qual), PRS2_NEW_VARNO, &columns);
		columns = bms_del_member(columns, SelfItemPointerAttributeNumber - FirstLowInvalidHeapAttributeNumber);
		copy = MemoryContextStrdup(TopMemoryContext, qual);
		if (kept_qual != NULL)
			pfree(kept_qual);
		kept_qual = copy;
		kept_column = bms_membership(columns) != BMS_SINGLETON ? 0 :
			bms_singleton_member(columns) + FirstLowInvalidHeapAttributeNumber;
	}
	return kept_column;
}

/*
 * The column of documents: the one that the trigger's WHEN looks at, which
 * stays the same when it is renamed; else, for a trigger made by hand, the one
 * of that name.
 */
static int
find_event_column(TriggerData *data)
{
	TupleDesc	desc = RelationGetDescr(data->tg_relation);
	Trigger    *trigger = data->tg_trigger;
	int			column = column_of_qual(trigger->tgqual);

	if (holds_documents(desc, column))
		return column;
	column = SPI_fnumber(desc, trigger->tgargs[0]);
	if (holds_documents(desc, column))
		return column;
	if (column > 0)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("column \"%s\" of relation \"%s\" is of type %s, not jsonb, json or text",
						trigger->tgargs[0], RelationGetRelationName(data->tg_relation),
						format_type_be(SPI_gettypeid(desc, column))),
				 errhint("Run iamwatch.watch() again with the name of the column.")));
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_COLUMN),
			 errmsg("column \"%s\" of relation \"%s\" does not exist",
					trigger->tgargs[0], RelationGetRelationName(data->tg_relation)),
			 errhint("Run iamwatch.watch() again with the name of the column.")));
	return 0;					/* keep compilers quiet */
}

/* Found once for the rows of a statement. */
static int
event_column(FmgrInfo *flinfo, TriggerData *data)
{
	if (flinfo->fn_extra == NULL)
	{
		int		   *column = MemoryContextAlloc(flinfo->fn_mcxt, sizeof(int));

		*column = find_event_column(data);
		flinfo->fn_extra = column;
	}
	return *(int *) flinfo->fn_extra;
}

/* The columns of a document that is made of several, in order of their paths. */
typedef struct FieldColumns
{
	List	   *columns;
	Oid			namespace;
} FieldColumns;

static bool
find_fields(Node *node, void *context)
{
	FieldColumns *found = context;

	if (node == NULL || found->columns != NIL)
		return false;
	if (IsA(node, FuncExpr) &&
		get_func_namespace(((FuncExpr *) node)->funcid) == found->namespace &&
		strcmp(get_func_name(((FuncExpr *) node)->funcid), "fields_document") == 0)
	{
		List	   *args = ((FuncExpr *) node)->args;

		/* the paths come first; that of the old row is not meant */
		for (int i = 1; i < list_length(args); i++)
			if (IsA(list_nth(args, i), Var) &&
				list_nth_node(Var, args, i)->varno == PRS2_NEW_VARNO)
				found->columns = lappend_int(found->columns, list_nth_node(Var, args, i)->varattno);
		return false;
	}
	return expression_tree_walker(node, find_fields, context);
}

/* The document of a row that has a column for each field. */
static Jsonb *
fields_document(FmgrInfo *flinfo, TriggerData *data, HeapTuple row)
{
	TupleDesc	desc = RelationGetDescr(data->tg_relation);
	Datum		paths = OidInputFunctionCall(F_ARRAY_IN, data->tg_trigger->tgargs[1], TEXTOID, -1);
	int			count;
	RowField   *fields = document_fields(DatumGetArrayTypeP(paths), &count);
	List	   *columns;

	if (flinfo->fn_extra == NULL && data->tg_trigger->tgqual != NULL)
	{
		MemoryContext outer = MemoryContextSwitchTo(flinfo->fn_mcxt);
		FieldColumns found = {NIL, internal_namespace()};

		(void) find_fields(stringToNode(data->tg_trigger->tgqual), &found);
		flinfo->fn_extra = found.columns;
		MemoryContextSwitchTo(outer);
	}
	columns = flinfo->fn_extra;
	if (list_length(columns) != count)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the trigger does not have a column for each field"),
				 errhint("Run iamwatch.watch() again.")));
	for (int i = 0; i < count; i++)
		document_field_from(&fields[i], row, desc, list_nth_int(columns, i));
	return document_from_fields(count, fields);
}

/* The document of a row: what a column holds, or a field for each column. */
static Datum
row_document(FmgrInfo *flinfo, TriggerData *data, bool *isnull)
{
	HeapTuple	row = TRIGGER_FIRED_BY_UPDATE(data->tg_event) ? data->tg_newtuple : data->tg_trigtuple;
	TupleDesc	desc = RelationGetDescr(data->tg_relation);
	int			column;
	Datum		value;

	if (data->tg_trigger->tgnargs == 2)
	{
		*isnull = false;
		return JsonbPGetDatum(fields_document(flinfo, data, row));
	}
	if (data->tg_trigger->tgnargs != 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("function \"iamwatch_internal.observe\" takes the name of one column"),
				 errhint("Use iamwatch.watch() to create the trigger.")));
	column = event_column(flinfo, data);
	value = SPI_getbinval(row, desc, column, isnull);
	if (*isnull || SPI_gettypeid(desc, column) == JSONBOID)
		return value;
	return JsonbPGetDatum(document_from_datum(value));
}

/*
 * A schema of ours that was renamed stops the detection, not the inserts.  Once
 * a transaction is enough to say so.
 */
static bool
can_detect(void)
{
	static LocalTransactionId told = InvalidLocalTransactionId;

	if (schemas_are_there())
		return true;
	if (told != my_local_xid())
	{
		ErrorContextCallback *context = client_hide_context();

		ereport(WARNING,
				(errcode(ERRCODE_UNDEFINED_SCHEMA),
				 errmsg("events are stored, but neither learned nor tested: a schema of iamwatch was renamed"),
				 errhint("Rename it back to iamwatch or iamwatch_internal, then CALL iamwatch.backfill().")));
		error_context_stack = context;
	}
	told = my_local_xid();
	return false;
}

/* observe(COLUMN) or observe('', PATHS): AFTER INSERT OR UPDATE FOR EACH ROW */
Datum
iamwatch_observe(PG_FUNCTION_ARGS)
{
	TriggerData *data = (TriggerData *) fcinfo->context;
	Datum		document;
	bool		isnull;

	check_called_by(fcinfo, "iamwatch_internal.observe", true);
	if (!can_detect())
		return PointerGetDatum(NULL);
	document = row_document(fcinfo->flinfo, data, &isnull);
	if (batch_add(RelationGetRelid(data->tg_relation), document, isnull))
		queue_process_batch();
	return PointerGetDatum(NULL);
}

/* process_batch(): AFTER INSERT FOR EACH STATEMENT on iamwatch_internal.end_of_statement */
Datum
iamwatch_process_batch(PG_FUNCTION_ARGS)
{
	check_called_by(fcinfo, "iamwatch_internal.process_batch", false);
	process_depth = 0;
	detect_batch();
	return PointerGetDatum(NULL);
}

/*
 * ingest(regclass, jsonb[]): what observe() and process_batch() do, for documents that
 * no trigger fires for.
 */
Datum
iamwatch_ingest(PG_FUNCTION_ARGS)
{
	ArrayType  *array = PG_GETARG_ARRAYTYPE_P(1);
	Datum	   *documents;
	bool	   *nulls;
	int			count;

	catalogue_load();
	deconstruct_array(array, JSONBOID, -1, false, TYPALIGN_INT, &documents, &nulls, &count);
	for (int i = 0; i < count; i++)
		batch_add(PG_GETARG_OID(0), documents[i], nulls[i]);
	detect_batch();
	PG_RETURN_VOID();
}

/* ingest_one(regclass, jsonb): one of the documents of ingest(). */
Datum
iamwatch_ingest_one(PG_FUNCTION_ARGS)
{
	catalogue_load();
	batch_add(PG_GETARG_OID(0), PG_GETARG_DATUM(1), false);
	PG_RETURN_VOID();
}

/*
 * settings_changed(): on the tables of which backends keep copies.  For each
 * statement, and for each row where a subscription applies them.
 */
Datum
iamwatch_settings_changed(PG_FUNCTION_ARGS)
{
	TriggerData *data = (TriggerData *) fcinfo->context;

	check_called_as_trigger(fcinfo, "iamwatch_internal.settings_changed");
	if (!TRIGGER_FIRED_AFTER(data->tg_event))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("function \"%s\" must be fired AFTER", "iamwatch_internal.settings_changed")));
	CacheInvalidateRelcache(data->tg_relation);
	return PointerGetDatum(NULL);
}

static void
at_transaction_end(XactEvent event, void *arg)
{
	if (event != XACT_EVENT_PRE_COMMIT && event != XACT_EVENT_PARALLEL_PRE_COMMIT &&
		event != XACT_EVENT_PRE_PREPARE)
		process_depth = 0;
}

static void
at_subtransaction_end(SubXactEvent event, SubTransactionId subid,
					  SubTransactionId parent, void *arg)
{
	/* the queued trigger went with the savepoint that queued it */
	if (event == SUBXACT_EVENT_ABORT_SUB && process_depth != 0 && process_subid >= subid)
		process_depth = 0;
}

static void
at_relation_change(Datum arg, Oid relid)
{
	cached_tables_forget(relid);
}

void
observe_init(void)
{
	RegisterXactCallback(at_transaction_end, NULL);
	RegisterSubXactCallback(at_subtransaction_end, NULL);
	CacheRegisterRelcacheCallback(at_relation_change, (Datum) 0);
}
