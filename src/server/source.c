/*-------------------------------------------------------------------------
 *
 * source.c
 *		Reading a relation that somebody else may own.
 *
 * Who owns a table decides what runs when others read it: views in its place,
 * policies, functions in its indexes, constraints and statistics.  Whoever
 * reads a source for iamwatch may be a superuser, so everything that reads one
 * comes through here, and here is the rule:
 *
 * 1. The source is locked, and only then are its kind, its column and the
 *	  column's type looked at: they are what they are when it is read.
 * 2. All relations, functions and types that the query comes to are collected
 *	  from the analyzed and rewritten query, before anything of it is planned
 *	  or run, since planning runs functions too; and the functions in the
 *	  relations' indexes, constraints, statistics and partition keys.  Who owns
 *	  a type can have constraints and casts of it run functions.
 * 3. If all of them belong to the caller, a superuser or the owner of the
 *	  extension, who could do as much anyway, it is read with the rights of the
 *	  caller, as any query is.
 * 4. If not, it is read with the rights of the source's owner, in a
 *	  security-restricted operation as VACUUM and REFRESH MATERIALIZED VIEW do:
 *	  a trap then has only the rights of who laid it.  For that the caller must
 *	  be allowed to read it, without policies; a view or a foreign table gives
 *	  to each who asks what is theirs, so the caller must have the owner's
 *	  rights.
 * 5. If there is something in it that belongs to yet another role, it is
 *	  refused.
 *
 * What comes back is data, written when the caller's rights are back.  Must
 * never run text of others, nor plan or run anything between 1 and 4.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/heapam.h"
#include "access/relscan.h"
#include "access/tableam.h"
#include "catalog/pg_am.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_proc.h"
#include "executor/executor.h"
#include "executor/spi.h"
#include "executor/tstoreReceiver.h"
#include "funcapi.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "nodes/nodeFuncs.h"
#include "parser/parser.h"
#include "server/compat.h"
#include "server/lock.h"
#include "server/objects.h"
#include "server/owner.h"
#include "server/reached.h"
#include "server/source.h"
#include "storage/lmgr.h"
#include "tcop/tcopprot.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/regproc.h"
#include "utils/rel.h"
#include "utils/rls.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

static Oid
owner_of(int cache, AttrNumber column, Oid object)
{
	HeapTuple	tuple = SearchSysCache1(cache, ObjectIdGetDatum(object));
	bool		isnull;
	Oid			owner;

	if (!HeapTupleIsValid(tuple))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("object with OID %u does not exist", object)));
	owner = DatumGetObjectId(SysCacheGetAttr(cache, tuple, column, &isnull));
	ReleaseSysCache(tuple);
	return owner;
}

static Oid
relation_owner(Oid relid)
{
	return owner_of(RELOID, Anum_pg_class_relowner, relid);
}

static bool
harmless(Oid owner, Oid reader)
{
	return owner == reader || superuser_arg(owner) || owner == extension_owner();
}

/* The name of the first thing that is not to be run with the reader's rights. */
static char *
not_harmless(const Reached *reached, Oid reader, Oid *owner)
{
	ListCell   *cell;

	foreach(cell, reached->relations)
	{
		*owner = relation_owner(lfirst_oid(cell));
		if (!harmless(*owner, reader))
			return quote_qualified_identifier(get_namespace_name(get_rel_namespace(lfirst_oid(cell))),
											  get_rel_name(lfirst_oid(cell)));
	}
	foreach(cell, reached->functions)
	{
		*owner = owner_of(PROCOID, Anum_pg_proc_proowner, lfirst_oid(cell));
		if (!harmless(*owner, reader))
			return format_procedure(lfirst_oid(cell));
	}
	foreach(cell, reached->types)
	{
		*owner = owner_of(TYPEOID, Anum_pg_type_typowner, lfirst_oid(cell));
		if (!harmless(*owner, reader))
			return format_type_be_qualified(lfirst_oid(cell));
	}
	return NULL;
}

static bool
may_select(const SourceQuery *query, bool whole_row, Oid role)
{
	const char *columns[] = {query->event_column, query->order_column};

	if (pg_class_aclcheck(query->source, role, ACL_SELECT) == ACLCHECK_OK)
		return true;
	if (whole_row)
		return false;
	for (int i = 0; i < lengthof(columns); i++)
		if (columns[i] != NULL &&
			pg_attribute_aclcheck(query->source, get_attnum(query->source, columns[i]),
								  role, ACL_SELECT) != ACLCHECK_OK)
			return false;
	return true;
}

static void
refuse(const SourceQuery *query, const char *detail, const char *hint)
{
	ereport(ERROR,
			(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			 errmsg("relation \"%s\" cannot be read for \"%s\"",
					get_rel_name(query->source), GetUserNameFromId(GetUserId(), false)),
			 errdetail_internal("%s", detail),
			 errhint("%s", hint)));
}

/* With whose rights to read; rules 3 to 5 above. */
static Oid
choose_reader(const SourceQuery *query, const Reached *reached, bool whole_row)
{
	Oid			caller = GetUserId();
	Oid			owner = relation_owner(query->source);
	Oid			other;
	char	   *name;

	if (not_harmless(reached, caller, &other) == NULL)
		return caller;
	if ((name = not_harmless(reached, owner, &other)) != NULL)
		refuse(query, psprintf("It belongs to \"%s\", and depends on \"%s\" of \"%s\".",
							   GetUserNameFromId(owner, false), name,
							   GetUserNameFromId(other, false)),
			   "Have all of it belong to one role or to superusers.");
	if (!may_select(query, whole_row, caller))
		aclcheck_error(ACLCHECK_NO_PRIV, get_relkind_objtype(get_rel_relkind(query->source)),
					   get_rel_name(query->source));
	if (reached->depends_on_asker && !has_privs_of_role(caller, owner))
		refuse(query, psprintf("It is a view or holds foreign tables, and belongs to \"%s\".",
							   GetUserNameFromId(owner, false)),
			   "Call this as its owner or as a member of that role.");
	if (check_enable_rls(query->source, caller, true) == RLS_ENABLED)
		refuse(query, psprintf("It has policies, and belongs to \"%s\".",
							   GetUserNameFromId(owner, false)),
			   "Call this as its owner or as a role with BYPASSRLS.");
	return owner;
}

/* Of the extension's own SQL, with the caller's rights. */
static char *
look_up(const char *sql, Oid relid, const char *column)
{
	Oid			types[] = {REGCLASSOID, NAMEOID};
	NameData	name;
	Datum		values[] = {ObjectIdGetDatum(relid), NameGetDatum(&name)};

	namestrcpy(&name, column);
	if (SPI_execute_with_args(sql, 2, types, values, NULL, true, 1) != SPI_OK_SELECT)
		ereport(ERROR,
				(errcode(ERRCODE_INTERNAL_ERROR), errmsg("a statement of iamwatch failed")));
	return SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1);
}

/* What stands for the places in a query's text. */
typedef struct Parts
{
	const char *relation;
	const char *document;
	const char *order;
	const char *order_type;
	bool		whole_row;		/* the document is made of several columns */
} Parts;

/* Rule 1. */
static Parts
look_at(const SourceQuery *query)
{
	MemoryContext outer = CurrentMemoryContext;
	Parts		parts = {0};
	char	   *text;

	SPI_connect();
	(void) look_up("SELECT iamwatch_internal.check_source($1, $2)", query->source, query->event_column);
	text = look_up("SELECT iamwatch_internal.document_expression($1, $2, 'source_row')",
				   query->source, query->event_column);
	parts.document = MemoryContextStrdup(outer, text);
	parts.whole_row = look_up("SELECT iamwatch_internal.fields_of($1)",
							  query->source, query->event_column) != NULL;
	if (query->order_column != NULL)
	{
		text = look_up("SELECT iamwatch_internal.order_type($1, $2)",
					   query->source, query->order_column);
		parts.order_type = MemoryContextStrdup(outer, text);
	}
	SPI_finish();
	parts.relation = quote_qualified_identifier(get_namespace_name(get_rel_namespace(query->source)),
												get_rel_name(query->source));
	if (query->order_column != NULL)
		parts.order = quote_identifier(query->order_column);
	return parts;
}

/* In one pass, so that no name is taken for a place. */
static char *
fill_in(const char *sql, const Parts *parts)
{
	const struct
	{
		const char *place;
		const char *text;
	}			places[] = {
		{"{source}", parts->relation}, {"{document}", parts->document},
		{"{order}", parts->order}, {"{order_type}", parts->order_type}
	};
	StringInfoData filled;

	initStringInfo(&filled);
	while (*sql != '\0')
	{
		int			i = 0;

		while (i < lengthof(places) && strncmp(sql, places[i].place, strlen(places[i].place)) != 0)
			i++;
		if (i < lengthof(places))
		{
			Assert(places[i].text != NULL);
			appendStringInfoString(&filled, places[i].text);
			sql += strlen(places[i].place);
		}
		else
			appendStringInfoChar(&filled, *sql++);
	}
	return filled.data;
}

static ParamListInfo
make_parameters(const SourceQuery *query)
{
	ParamListInfo params = makeParamList(query->count);

	for (int i = 0; i < query->count; i++)
	{
		params->params[i].value = query->values[i];
		params->params[i].isnull = query->nulls[i];
		params->params[i].pflags = PARAM_FLAG_CONST;
		params->params[i].ptype = query->types[i];
	}
	return params;
}

static void
check_cost(const SourceQuery *query, const Parts *parts, const PlannedStmt *plan)
{
	Parts		in_index = *parts;
	Datum		document;

	if (query->most_cost <= 0 || plan->planTree->total_cost <= query->most_cost)
		return;

	/* "source_row." is how the document begins, or its argument */
	document = DirectFunctionCall3Coll(replace_text, C_COLLATION_OID,
									   CStringGetTextDatum(parts->document),
									   CStringGetTextDatum("source_row."), CStringGetTextDatum(""));
	in_index.document = TextDatumGetCString(document);
	ereport(ERROR,
			(errcode(ERRCODE_STATEMENT_TOO_COMPLEX),
			 errmsg("too large to be searched without an index; CREATE INDEX ON %s ((%s))",
					parts->relation, fill_in(query->index_on, &in_index))));
}

#define CALLS_A_LOOK	1024

/* What is being run, for source_tick(); NULL if nothing is. */
static PlanState *running = NULL;
static Oid	running_source = InvalidOid;

/* The scan of the source among the nodes of a plan. */
static bool
find_scan(PlanState *node, void *found)
{
	ScanState  *scan = (ScanState *) node;

	if (IsA(node, SeqScanState) && RelationGetRelid(scan->ss_currentRelation) == running_source)
	{
		*(ScanState **) found = scan;
		return true;
	}
	return planstate_tree_walker(node, find_scan, found);
}

/* How far it is, all processes together; not every kind of table can tell. */
static int
percent_scanned(const ScanState *scan)
{
	TableScanDesc table = scan->ss_currentScanDesc;
	uint64		done;
	uint64		all;

	if (table == NULL || table->rs_rd->rd_rel->relam != HEAP_TABLE_AM_OID)
		return 0;
	if (table->rs_parallel != NULL)
	{
		ParallelBlockTableScanDesc shared = (ParallelBlockTableScanDesc) table->rs_parallel;

		done = pg_atomic_read_u64(&shared->phs_nallocated);
		all = shared->phs_nblocks;
	}
	else
	{
		HeapScanDesc heap = (HeapScanDesc) table;

		/* it may have begun in the middle, where another session's was */
		all = heap->rs_nblocks;
		done = heap->rs_cblock == InvalidBlockNumber ? 0 :
			heap->rs_cblock + (heap->rs_cblock < heap->rs_startblock ? all : 0) - heap->rs_startblock;
	}
	return all == 0 ? 0 : Min(done, all) * 100 / all;
}

void
source_tick(void)
{
	static uint32 calls = 0;
	ScanState  *scan = NULL;

	if (running != NULL && ++calls % CALLS_A_LOOK == 0 && find_scan(running, &scan))
		lock_show_part(percent_scanned(scan));
}

static void
run(const SourceQuery *query, const Parts *parts, Query *tree, const char *sql, DestReceiver *dest)
{
	ParamListInfo params = make_parameters(query);
	PlannedStmt *plan = pg_plan_query(tree, sql, CURSOR_OPT_PARALLEL_OK, params);
	PlanState  *outer = running;
	Oid			outer_source = running_source;
	QueryDesc  *desc;

	check_cost(query, parts, plan);
	desc = CreateQueryDesc(plan, sql, GetActiveSnapshot(), InvalidSnapshot, dest, params, NULL, 0);
	ExecutorStart(desc, EXEC_FLAG_SKIP_TRIGGERS);
	PG_TRY();
	{
		running = desc->planstate;
		running_source = query->source;
		run_executor(desc);
	}
	PG_FINALLY();
	{
		running = outer;
		running_source = outer_source;
	}
	PG_END_TRY();
	ExecutorFinish(desc);
	ExecutorEnd(desc);
	FreeQueryDesc(desc);
}

static Tuplestorestate *
result_store(FunctionCallInfo fcinfo)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	MemoryContext outer;
	TupleDesc	desc;

	if (result == NULL || !IsA(result, ReturnSetInfo) ||
		(result->allowedModes & SFRM_Materialize) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("set-valued function called in context that cannot accept a set")));
	outer = MemoryContextSwitchTo(result->econtext->ecxt_per_query_memory);
	desc = CreateTupleDescCopy(result->expectedDesc);
	result->returnMode = SFRM_Materialize;
	result->setResult = tuplestore_begin_heap((result->allowedModes & SFRM_Materialize_Random) != 0,
											  false, work_mem);
	result->setDesc = BlessTupleDesc(desc);
	MemoryContextSwitchTo(outer);
	return result->setResult;
}

void
source_read(SourceQuery *query, FunctionCallInfo fcinfo)
{
	Tuplestorestate *store = result_store(fcinfo);
	DestReceiver *dest = CreateDestReceiver(DestTuplestore);
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "iamwatch source",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext outer = MemoryContextSwitchTo(context);
	Reached		reached = {0};
	Oid			caller;
	Oid			reader;
	int			security_context;
	int			guc_level;
	Parts		parts;
	char	   *sql;
	Query	   *tree;

	/*
	 * the snapshot of who calls is from before the lock, so it can see
	 * another table
	 */
	LockRelationOid(query->source, AccessShareLock);
	PushActiveSnapshot(GetTransactionSnapshot());
	parts = look_at(query);
	sql = fill_in(query->sql, &parts);

	guc_level = NewGUCNestLevel();
	set_locally("search_path", "pg_catalog, iamwatch, iamwatch_internal, pg_temp");
	set_locally("jit", "off");
	if (query->most_cost > 0)
		set_locally("enable_seqscan", "on");	/* off, it costs more than any table */
	tree = linitial_node(Query, analyze_and_rewrite(linitial_node(RawStmt, raw_parser(sql, RAW_PARSE_DEFAULT)),
													sql, query->types, query->count));
	reached_by(tree, &reached);
	reader = choose_reader(query, &reached, parts.whole_row);
	Assert(list_member_oid(reached.relations, query->source));
	Assert(reader == GetUserId() || reader == relation_owner(query->source));

	GetUserIdAndSecContext(&caller, &security_context);
	if (reader != caller)
		SetUserIdAndSecContext(reader, security_context | SECURITY_LOCAL_USERID_CHANGE |
							   SECURITY_RESTRICTED_OPERATION);
	SetTuplestoreDestReceiverParams(dest, store, MemoryContextGetParent(context), false, NULL, NULL);
	run(query, &parts, tree, sql, dest);
	Assert(GetUserId() == reader);
	AtEOXact_GUC(false, guc_level);
	SetUserIdAndSecContext(caller, security_context);
	PopActiveSnapshot();

	dest->rDestroy(dest);
	MemoryContextSwitchTo(outer);
	MemoryContextDelete(context);
}
