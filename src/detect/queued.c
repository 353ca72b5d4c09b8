/*-------------------------------------------------------------------------
 *
 * queued.c
 *		What the row triggers of a statement are queued for already.
 *
 * A backend that knows nothing yet, as of a loader that connects for each
 * file, would have the trigger queued for every row of its first statement,
 * and each row fetched again at the end.  What the tables know already
 * (recall.c) need not be queued; and of events that say the same (seen.c), the
 * first is enough.
 *
 * That holds only where a true answer has the trigger queued, and for a row
 * that is stored: in the WHEN of an AFTER trigger, which the server evaluates
 * once the row is there and the trigger is known to be enabled.  That is also
 * the only place where the ctid of the new row can be written, so the argument
 * that is one tells such a call from one by hand.
 *
 * What was answered lies in the memory of the trigger's WHEN, which belongs to
 * one statement and one table: it goes when the statement ends or fails.  No
 * savepoint can roll back a row of a statement that goes on.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/sysattr.h"
#include "config/catalogue.h"
#include "detect/queued.h"
#include "detect/recall.h"
#include "detect/seen.h"
#include "event/limits.h"
#include "event/providers.h"
#include "lib/ilist.h"
#include "nodes/primnodes.h"
#include "server/objects.h"
#include "utils/lsyscache.h"

/* Memory has a bound: what is not noted is queued. */
#define MOST_SEEN 65536

typedef struct Queued
{
	dlist_node	node;			/* in all_queued, once there is a seen */
	bool		noting;			/* called by the WHEN of an AFTER trigger, where all is there */
	bool		names_checked;	/* whether both schemas have their names */
	Recall	   *recall;
	Seen	   *seen;
	int64		repeats;		/* all of them that were not taken */
	int64	   *repeats_of;		/* by the numbers of seen */
	int			count;
	int			capacity;
	MemoryContextCallback forget;
} Queued;

/* Of all statements that are under way, the innermost first. */
static dlist_head all_queued = DLIST_STATIC_INIT(all_queued);

static void
forget(void *queued)
{
	dlist_delete(&((Queued *) queued)->node);
}

/* Is it the WHEN of an AFTER trigger?  No other has a new row's ctid. */
static bool
is_after_trigger(FunctionCallInfo fcinfo)
{
	FuncExpr   *call = (FuncExpr *) fcinfo->flinfo->fn_expr;
	Var		   *ctid;

	if (call == NULL || !IsA(call, FuncExpr) || list_length(call->args) != 2)
		return false;
	ctid = lsecond(call->args);
	return IsA(ctid, Var) && ctid->varno == OUTER_VAR &&
		ctid->varattno == SelfItemPointerAttributeNumber;
}

/*
 * What finds the machinery by the name of its schema needs both.  To know an
 * event that is no IAM operation, which the first of a session mostly is, the
 * schema of the called function is enough.
 */
static bool
may_go_by_name(Queued *queued)
{
	if (!queued->names_checked)
		queued->noting = schemas_are_there();
	queued->names_checked = true;
	return queued->noting;
}

/* The schema of the called function, unless somebody moved that; then it goes by its name. */
static Oid
schema_of_machinery(FunctionCallInfo fcinfo)
{
	Oid			schema = get_func_namespace(fcinfo->flinfo->fn_oid);

	return OidIsValid(get_relname_relid("accounts", schema)) ? schema : InvalidOid;
}

static Queued *
queued_by(FunctionCallInfo fcinfo)
{
	MemoryContext context = fcinfo->flinfo->fn_mcxt;
	Queued	   *queued = fcinfo->flinfo->fn_extra;

	if (queued != NULL)
		return queued;
	queued = MemoryContextAllocZero(context, sizeof(Queued));
	queued->noting = is_after_trigger(fcinfo) && public_schema_is_there();
	if (queued->noting)
	{
		Oid			schema = schema_of_machinery(fcinfo);

		if (OidIsValid(schema) || may_go_by_name(queued))
			queued->recall = recall_create(context, schema);
	}
	fcinfo->flinfo->fn_extra = queued;
	return queued;
}

static bool
tables_know(Queued *queued, const Event *event, const Operation **operation)
{
	bool		by_index = catalogue_asks_by_index(event->provider);

	*operation = NULL;
	if (by_index && catalogue_lacks(event->provider, event->operation))
		return recall_knows(queued->recall, event, NULL);
	if (!may_go_by_name(queued))
		return false;
	if (by_index && recall_knows_in_any_case(queued->recall, event))
		return true;
	*operation = catalogue_get(event->provider, event->service, event->operation);
	return recall_knows(queued->recall, event, *operation);
}

/* From the first event on that the tables do not know. */
static void
begin_noting(Queued *queued, MemoryContext context)
{
	queued->seen = seen_create(context);
	queued->forget.func = forget;
	queued->forget.arg = queued;
	dlist_push_head(&all_queued, &queued->node);
	MemoryContextRegisterResetCallback(context, &queued->forget);
}

/* Has the statement queued the like?  Then count it; otherwise note it, if there is room. */
static bool
is_repeated(Queued *queued, const Event *event, bool is_operation, MemoryContext context)
{
	int			number;

	if (queued->seen == NULL)
		begin_noting(queued, context);
	if (seen_size(queued->seen) >= MOST_SEEN)
		return false;
	number = seen_repeats(queued->seen, event, is_operation, queued->count);
	if (number >= 0)
	{
		Assert(number < queued->count);
		queued->repeats++;
		queued->repeats_of[number]++;
		return true;
	}
	if (queued->count == queued->capacity)
	{
		queued->capacity = Max(64, queued->capacity * 2);
		queued->repeats_of = queued->repeats_of == NULL ?
			MemoryContextAlloc(context, queued->capacity * sizeof(int64)) :
			repalloc(queued->repeats_of, queued->capacity * sizeof(int64));
	}
	queued->repeats_of[queued->count++] = 0;
	return false;
}

bool
queued_is_needed(FunctionCallInfo fcinfo, Jsonb *document, Event *event, bool readable)
{
	Queued	   *queued = queued_by(fcinfo);
	const Operation *operation;

	if (!queued->noting)
		return true;
	if (!readable && !providers_are_ready() && may_go_by_name(queued))
		readable = event_read_loading(document, EVENT_KEY, event) == NULL;
	if (!readable || limits_exceeded(event) != NULL)
		return true;
	if (tables_know(queued, event, &operation))
		return false;
	return !queued->noting ||
		!is_repeated(queued, event, operation != NULL, fcinfo->flinfo->fn_mcxt);
}

int64
queued_take_repeats(const Event *event)
{
	dlist_iter	iter;

	dlist_foreach(iter, &all_queued)
	{
		Queued	   *queued = dlist_container(Queued, node, iter.cur);
		int			number = queued->repeats > 0 ? seen_number(queued->seen, event) : -1;

		if (number >= 0 && queued->repeats_of[number] > 0)
		{
			int64		repeats = queued->repeats_of[number];

			queued->repeats_of[number] = 0;
			queued->repeats -= repeats;
			Assert(queued->repeats >= 0);
			return repeats;
		}
	}
	return 0;
}
