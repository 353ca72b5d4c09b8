/*-------------------------------------------------------------------------
 *
 * by_name.c
 *		Lets a view that is filtered by a name be read by the index of its hash.
 *
 * Names can be longer than what an index holds, so indexes have their hashes,
 * and the machinery asks for both.  People ask for a name alone: the views have
 * WHERE is_indexed(hashtextextended(identity, 0)), which is always true, and
 * whose support function tells the planner that hash = hash of the name follows
 * where the name is compared with a value, or one of several.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/stratnum.h"
#include "fmgr.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "nodes/pathnodes.h"
#include "nodes/supportnodes.h"
#include "optimizer/clauses.h"
#include "utils/lsyscache.h"
#include "utils/typcache.h"

PG_FUNCTION_INFO_V1(iamwatch_is_indexed);
PG_FUNCTION_INFO_V1(iamwatch_is_indexed_support);

/* is_indexed(hash) RETURNS boolean: true */
Datum
iamwatch_is_indexed(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(true);
}

/* Does it call two equal that are the same bytes, and no others?  Those alone have the same hash. */
static bool
is_equality(Oid operator, Oid collation, Oid type)
{
	return operator == lookup_type_cache(type, TYPECACHE_EQ_OPR)->eq_opr &&
		(!OidIsValid(collation) || get_collation_isdeterministic(collation));
}

/* The value that a clause compares the column with; null if none. */
static Expr *
value_in(Expr *clause, Node *column)
{
	OpExpr	   *comparison = (OpExpr *) clause;
	Node	   *left;
	Node	   *right;

	if (!IsA(clause, OpExpr) || list_length(comparison->args) != 2 ||
		!is_equality(comparison->opno, comparison->inputcollid, exprType(column)))
		return NULL;
	left = linitial(comparison->args);
	right = lsecond(comparison->args);
	if (equal(left, column) && is_pseudo_constant_clause(right))
		return (Expr *) right;
	if (equal(right, column) && is_pseudo_constant_clause(left))
		return (Expr *) left;
	return NULL;
}

/* The array of values with one of which it compares it. */
static Expr *
values_in(Expr *clause, Node *column)
{
	ScalarArrayOpExpr *comparison = (ScalarArrayOpExpr *) clause;

	if (!IsA(clause, ScalarArrayOpExpr) || !comparison->useOr ||
		!is_equality(comparison->opno, comparison->inputcollid, exprType(column)) ||
		!equal(linitial(comparison->args), column) || !is_pseudo_constant_clause(lsecond(comparison->args)))
		return NULL;
	return lsecond(comparison->args);
}

static Expr *
find_in_clauses(RelOptInfo *rel, Node *column, Expr *(*find) (Expr *clause, Node *column))
{
	ListCell   *cell;

	foreach(cell, rel->baserestrictinfo)
	{
		Expr	   *value = find(((RestrictInfo *) lfirst(cell))->clause, column);

		if (value != NULL)
			return value;
	}
	return NULL;
}

static FuncExpr *
hash_of(FuncExpr *hash, Expr *value)
{
	FuncExpr   *hash_of_value = copyObject(hash);

	linitial(hash_of_value->args) = copyObject(value);
	return hash_of_value;
}

/* hash = hash(value) */
static Node *
equal_to(FuncExpr *hash, Expr *value, Oid equals, Oid collation)
{
	return (Node *) make_opclause(equals, BOOLOID, false, (Expr *) copyObject(hash), (Expr *) hash_of(hash, value),
								  InvalidOid, collation);
}

/* hash = ANY (hashes of the values) */
static Node *
equal_to_any(FuncExpr *hash, Expr *values, Oid equals, Oid collation)
{
	ScalarArrayOpExpr *any = makeNode(ScalarArrayOpExpr);
	ArrayCoerceExpr *hashes = makeNode(ArrayCoerceExpr);
	CaseTestExpr *element = makeNode(CaseTestExpr);
	Node	   *column = linitial(hash->args);

	element->typeId = exprType(column);
	element->typeMod = -1;
	element->collation = exprCollation(column);
	hashes->arg = copyObject(values);
	hashes->elemexpr = (Expr *) hash_of(hash, (Expr *) element);
	hashes->resulttype = get_array_type(exprType((Node *) hash));
	hashes->resulttypmod = -1;
	hashes->resultcollid = InvalidOid;
	hashes->coerceformat = COERCE_IMPLICIT_CAST;
	hashes->location = -1;
	any->opno = equals;
	any->opfuncid = get_opcode(equals);
	any->useOr = true;
	any->inputcollid = collation;
	any->args = list_make2(copyObject(hash), hashes);
	any->location = -1;
	return (Node *) any;
}

/*
 * Of an index whose column is hash(column).  Several values only of an index's
 * first column: the planner would take the rows to be in the order of the index.
 */
static Node *
index_condition(SupportRequestIndexCondition *request)
{
	FuncExpr   *hash;
	Expr	   *value;
	Oid			type;
	Oid			equals;

	if (!IsA(request->node, FuncExpr) || request->indexarg != 0)
		return NULL;
	hash = linitial(((FuncExpr *) request->node)->args);
	if (!IsA(hash, FuncExpr) || hash->args == NIL)
		return NULL;
	type = exprType((Node *) hash);
	equals = get_opfamily_member(request->opfamily, type, type, BTEqualStrategyNumber);
	if (!OidIsValid(equals))
		return NULL;
	value = find_in_clauses(request->index->rel, linitial(hash->args), value_in);
	if (value != NULL)
		return equal_to(hash, value, equals, request->indexcollation);
	value = request->indexcol == 0 ? find_in_clauses(request->index->rel, linitial(hash->args), values_in) : NULL;
	return value == NULL ? NULL : equal_to_any(hash, value, equals, request->indexcollation);
}

/* is_indexed_support(internal) RETURNS internal */
Datum
iamwatch_is_indexed_support(PG_FUNCTION_ARGS)
{
	Node	   *request = (Node *) PG_GETARG_POINTER(0);

	if (request != NULL && IsA(request, SupportRequestIndexCondition))
	{
		Node	   *condition = index_condition((SupportRequestIndexCondition *) request);

		if (condition != NULL)
		{
			/* the name itself is compared, too */
			((SupportRequestIndexCondition *) request)->lossy = false;
			PG_RETURN_POINTER(list_make1(condition));
		}
	}
	else if (request != NULL && IsA(request, SupportRequestSelectivity))
	{
		((SupportRequestSelectivity *) request)->selectivity = 1;
		PG_RETURN_POINTER(request);
	}
	PG_RETURN_POINTER(NULL);
}
