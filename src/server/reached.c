/*-------------------------------------------------------------------------
 *
 * reached.c
 *		All that a query comes to when it is run.
 *
 * Relations, functions and types, by the analyzed and rewritten query, and what
 * planning may run besides: the functions in the relations' indexes,
 * constraints, statistics and partition keys.  A type counts since its owner can
 * give a domain a constraint, or another type a cast, that runs a function.
 *
 * Must never plan or run anything of the query: source.c decides by this with
 * whose rights that is done.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/relation.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "nodes/nodeFuncs.h"
#include "server/compat.h"
#include "server/reached.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/syscache.h"

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

void
reached_by(Query *query, Reached *reached)
{
	memset(reached, 0, sizeof(*reached));
	(void) collect((Node *) query, reached);
	collect_attached(reached);
}
