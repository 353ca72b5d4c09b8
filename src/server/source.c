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

#include "access/relation.h"
#include "catalog/pg_class.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "executor/spi.h"
#include "executor/tstoreReceiver.h"
#include "funcapi.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "nodes/nodeFuncs.h"
#include "parser/parser.h"
#include "server/compat.h"
#include "server/objects.h"
#include "server/owner.h"
#include "server/source.h"
#include "storage/lmgr.h"
#include "tcop/tcopprot.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/regproc.h"
#include "utils/rls.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

/* What a query comes to. */
typedef struct Reached
{
	List	   *relations;
	List	   *functions;
	List	   *types;
	bool		depends_on_asker;	/* a view or a foreign table */
} Reached;

static bool
collect_function(Oid function, void *context)
{
	Reached    *reached = context;

	/* those of initdb belong to the system */
	if (function >= FirstNormalObjectId)
		reached->functions = list_append_unique_oid(reached->functions, function);
	return false;
}

static void collect_type(Reached *reached, Oid type);

static void
collect_fields(Reached *reached, Oid relid)
{
	Relation	relation = relation_open(relid, AccessShareLock);
	TupleDesc	desc = RelationGetDescr(relation);

	for (int i = 0; i < desc->natts; i++)
		if (!TupleDescAttr(desc, i)->attisdropped)
			collect_type(reached, TupleDescAttr(desc, i)->atttypid);
	relation_close(relation, NoLock);
}

/* A type, and what it is made of. */
static void
collect_type(Reached *reached, Oid type)
{
	HeapTuple	tuple;
	FormData_pg_type form;

	if (type < FirstNormalObjectId || list_member_oid(reached->types, type))
		return;
	reached->types = lappend_oid(reached->types, type);
	tuple = SearchSysCache1(TYPEOID, ObjectIdGetDatum(type));
	if (!HeapTupleIsValid(tuple))
		return;					/* owner_of() says so */
	form = *(Form_pg_type) GETSTRUCT(tuple);
	ReleaseSysCache(tuple);
	collect_type(reached, form.typelem);
	collect_type(reached, form.typbasetype);
	if (form.typtype == TYPTYPE_RANGE)
		collect_type(reached, get_range_subtype(type));
	if (form.typtype == TYPTYPE_MULTIRANGE)
		collect_type(reached, get_multirange_range(type));
	if (OidIsValid(form.typrelid))
		collect_fields(reached, form.typrelid);
}

static void
collect_relation(Reached *reached, Oid relid, bool with_children)
{
	List	   *family = with_children ?
		find_all_inheritors(relid, AccessShareLock, NULL) : list_make1_oid(relid);
	ListCell   *cell;

	foreach(cell, family)
	{
		char		kind = get_rel_relkind(lfirst_oid(cell));

		if (kind == RELKIND_VIEW || kind == RELKIND_FOREIGN_TABLE)
			reached->depends_on_asker = true;
		reached->relations = list_append_unique_oid(reached->relations, lfirst_oid(cell));
	}
}

/* What a function in FROM makes, of types that the query names. */
static void
collect_columns(Reached *reached, RangeTblEntry *entry)
{
	ListCell   *cell;
	ListCell   *type;

	foreach(cell, entry->functions)
	{
		foreach(type, lfirst_node(RangeTblFunction, cell)->funccoltypes)
			collect_type(reached, lfirst_oid(type));
	}
	if (entry->rtekind == RTE_TABLEFUNC)
		foreach(type, entry->tablefunc->coltypes)
			collect_type(reached, lfirst_oid(type));
}

/* Expressions that make a value, or hand one to what does. */
static bool
has_type(const Node *node)
{
	switch (nodeTag(node))
	{
		case T_Var:
		case T_Param:
		case T_Const:
		case T_Aggref:
		case T_WindowFunc:
		case T_SubscriptingRef:
		case T_FuncExpr:
		case T_OpExpr:
		case T_DistinctExpr:
		case T_NullIfExpr:
		case T_ScalarArrayOpExpr:
		case T_FieldSelect:
		case T_FieldStore:
		case T_RelabelType:
		case T_CoerceViaIO:
		case T_ArrayCoerceExpr:
		case T_ConvertRowtypeExpr:
		case T_CaseExpr:
		case T_ArrayExpr:
		case T_RowExpr:
		case T_CoalesceExpr:
		case T_MinMaxExpr:
		case T_CoerceToDomain:
			return true;
		default:
			return false;
	}
}

static bool
collect(Node *node, void *context)
{
	if (node == NULL)
		return false;
	if (IsA(node, Query))
	{
		Query	   *query = (Query *) node;
		ListCell   *cell;

		/* a view is a subquery by now; it keeps its place among the relations */
		foreach(cell, query->rtable)
		{
			RangeTblEntry *entry = lfirst_node(RangeTblEntry, cell);

			if ((entry->rtekind == RTE_RELATION || entry->rtekind == RTE_SUBQUERY) &&
				OidIsValid(entry->relid))
				collect_relation(context, entry->relid,
								 entry->rtekind == RTE_RELATION && entry->inh);
			collect_columns(context, entry);
		}
		return query_tree_walker(query, collect, context, 0);
	}
	/* a column that is only passed on runs nothing, whatever its type */
	if (IsA(node, TargetEntry) && IsA(((TargetEntry *) node)->expr, Var) &&
		((Var *) ((TargetEntry *) node)->expr)->varattno != 0)
		return false;
	if (has_type(node))
		collect_type(context, exprType(node));
	if (check_functions_in_node(node, collect_function, context))
		return true;
	return expression_tree_walker(node, collect, context);
}

/* What planning may run: functions in what belongs to the relations. */
static void
collect_attached(Reached *reached)
{
	static const char *const sql =
		"WITH attached AS ("
		"  SELECT 'pg_class'::regclass AS classid, u.oid AS objid FROM unnest($1) AS u (oid)"
		"  UNION SELECT d.classid, d.objid FROM pg_depend AS d"
		"  WHERE d.refclassid = 'pg_class'::regclass AND d.refobjid = ANY ($1)"
		"  AND (d.classid IN ('pg_constraint'::regclass, 'pg_statistic_ext'::regclass)"
		"   OR d.classid = 'pg_class'::regclass AND EXISTS (SELECT FROM pg_index AS i WHERE i.indexrelid = d.objid))),"
		" used AS ("
		"  SELECT d.refclassid, d.refobjid FROM attached AS a JOIN pg_depend AS d USING (classid, objid))"
		" SELECT u.refobjid FROM used AS u WHERE u.refclassid = 'pg_proc'::regclass"
		" UNION SELECT o.oprcode::oid FROM used AS u JOIN pg_operator AS o ON o.oid = u.refobjid"
		" WHERE u.refclassid = 'pg_operator'::regclass";
	Oid			types[] = {OIDARRAYOID};
	Datum	   *oids = palloc(list_length(reached->relations) * sizeof(Datum));
	Datum		values[1];
	int			count = 0;
	List	   *functions = NIL;
	MemoryContext outer = CurrentMemoryContext;
	ListCell   *cell;

	foreach(cell, reached->relations)
		oids[count++] = ObjectIdGetDatum(lfirst_oid(cell));
	values[0] = PointerGetDatum(construct_array(oids, count, OIDOID, sizeof(Oid), true, TYPALIGN_INT));
	SPI_connect();
	if (SPI_execute_with_args(sql, 1, types, values, NULL, true, 0) != SPI_OK_SELECT)
		ereport(ERROR,
				(errcode(ERRCODE_INTERNAL_ERROR), errmsg("a statement of iamwatch failed")));
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		MemoryContext inner = MemoryContextSwitchTo(outer);
		bool		isnull;

		functions = lappend_oid(functions, DatumGetObjectId(SPI_getbinval(SPI_tuptable->vals[i],
																		  SPI_tuptable->tupdesc, 1, &isnull)));
		MemoryContextSwitchTo(inner);
	}
	SPI_finish();
	foreach(cell, functions)
		(void) collect_function(lfirst_oid(cell), reached);
}

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

static void
run(const SourceQuery *query, const Parts *parts, Query *tree, const char *sql, DestReceiver *dest)
{
	ParamListInfo params = make_parameters(query);
	PlannedStmt *plan = pg_plan_query(tree, sql, CURSOR_OPT_PARALLEL_OK, params);
	QueryDesc  *desc;

	check_cost(query, parts, plan);
	desc = CreateQueryDesc(plan, sql, GetActiveSnapshot(), InvalidSnapshot, dest, params, NULL, 0);
	ExecutorStart(desc, EXEC_FLAG_SKIP_TRIGGERS);
	run_executor(desc);
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
	(void) collect((Node *) tree, &reached);
	collect_attached(&reached);
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
