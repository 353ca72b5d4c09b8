/*-------------------------------------------------------------------------
 *
 * by_name.c
 *		Lets a view that is filtered by a name be read by the index of its hash.
 *
 * Names can be longer than what an index holds, so indexes have their hashes,
 * and the machinery asks for both.  People ask for a name alone: the views have
 * WHERE is_indexed(hashtextextended(identity, 0)), which is always true, and
 * whose support function tells the planner that hash = hash of the name follows
 * where the name is compared with one value.
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
#include "utils/lsyscache.h"

PG_FUNCTION_INFO_V1(iamwatch_is_indexed);
PG_FUNCTION_INFO_V1(iamwatch_is_indexed_support);

/* is_indexed(hash) RETURNS boolean: true */
Datum
iamwatch_is_indexed(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(true);
}

/* Are two that this calls equal the same bytes, which alone have the same hash? */
static bool
is_bytewise(EquivalenceClass *class)
{
	return !OidIsValid(class->ec_collation) || get_collation_isdeterministic(class->ec_collation);
}

/* The value that the query compares the column with for equality; null if none. */
static Expr *
value_of(PlannerInfo *root, Node *column)
{
	ListCell   *cell;

	foreach(cell, root->eq_classes)
	{
		EquivalenceClass *class = lfirst(cell);
		Expr	   *value = NULL;
		bool		has_column = false;
		ListCell   *member_cell;

		if (!class->ec_has_const || class->ec_has_volatile || class->ec_merged != NULL ||
			!is_bytewise(class))
			continue;
		foreach(member_cell, class->ec_members)
		{
			EquivalenceMember *member = lfirst(member_cell);

			if (member->em_is_const && exprType((Node *) member->em_expr) == exprType(column))
				value = member->em_expr;
			else
				has_column |= equal(member->em_expr, column);
		}
		if (has_column && value != NULL)
			return value;
	}
	return NULL;
}

/* hash = hash(value), of an index whose column is hash(column) */
static Node *
index_condition(SupportRequestIndexCondition *request)
{
	FuncExpr   *hash;
	FuncExpr   *hash_of_value;
	Expr	   *value;
	Oid			type;
	Oid			equals;

	if (!IsA(request->node, FuncExpr) || request->indexarg != 0)
		return NULL;
	hash = linitial(((FuncExpr *) request->node)->args);
	if (!IsA(hash, FuncExpr) || hash->args == NIL)
		return NULL;
	value = value_of(request->root, linitial(hash->args));
	if (value == NULL)
		return NULL;
	type = exprType((Node *) hash);
	equals = get_opfamily_member(request->opfamily, type, type, BTEqualStrategyNumber);
	if (!OidIsValid(equals))
		return NULL;
	hash_of_value = copyObject(hash);
	linitial(hash_of_value->args) = copyObject(value);
	return (Node *) make_opclause(equals, BOOLOID, false, copyObject((Expr *) hash), (Expr *) hash_of_value,
								  InvalidOid, request->indexcollation);
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
