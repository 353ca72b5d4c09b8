/*-------------------------------------------------------------------------
 *
 * plans.c
 *		The statements that the C code runs.
 *
 * Owns all kept plans, of SQL that is constant text: for what is new, and
 * rare.  What every batch has to look up is in stored.c.  A batch takes the
 * owner's rights with its first statement, as most need none.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "server/objects.h"
#include "server/plans.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#define MAX_ARGUMENTS 12

typedef struct Statement
{
	const char *sql;			/* of a function its name */
	const char *types[MAX_ARGUMENTS];	/* of iamwatch, when not built in */
} Statement;

static const Statement statements[PLAN_COUNT] = {
	[PLAN_PEERS] = {
		"SELECT days, active, settled_days, settled_active FROM iamwatch_internal.class_days($1, $2, $3, $4, $5, $6, $7, $8)",
		{"text", "text", "boolean", "text", "text", "boolean", "date", "date"}
	},
	[PLAN_REJECT] = {
		"SELECT iamwatch_internal.reject($1, $2, $3)",
		{"oid[]", "text[]", "jsonb[]"}
	},
	[PLAN_KEEP_UNSENT] = {
		"INSERT INTO iamwatch_internal.unsent_notifications (alert_id)"
		" SELECT DISTINCT a FROM unnest($1) AS a",
		{"bigint[]"}
	}
};

/* Functions that are called as such: a statement around them would only add to their cost. */
static const Statement functions[CALL_COUNT] = {
	[CALL_TAKE_JOURNAL] = {
		"take_journal",
		{"text", "text"}
	},
	[CALL_ADD_ACCOUNT] = {
		"add_account",
		{"text", "text"}
	},
	[CALL_WITHIN_LIMITS] = {
		"within_limits",
		{"integer", "text", "text", "iamwatch_internal.journal[]"}
	},
	[CALL_RETALLY] = {
		"retally",
		{"integer"}
	},
	[CALL_WITH_SAMPLES] = {
		"with_samples",
		{"text", "text", "iamwatch_internal.context_journal[]"}
	},
	[CALL_LEAVE_TO_NEXT] = {
		"leave_to_next",
		{"text", "text", "iamwatch_internal.journal[]", "iamwatch_internal.context_journal[]",
		"boolean"}
	},
	[CALL_ASSIGN_TO_ALERTS] = {
		"assign_to_alerts",
		{"iamwatch.detectors", "iamwatch_internal.candidate[]"}
	},
	[CALL_KEEP_INCIDENTS] = {
		"keep_incidents",
		{"iamwatch_internal.incident_part[]"}
	},
	[CALL_KEEP_LINKS] = {
		"keep_links",
		{"boolean"}
	}
};

static SPIPlanPtr plans[PLAN_COUNT];

/*
 * Of the batches that are being processed, the innermost last: a trigger on one of
 * our tables may store events of its own.  Where such a batch fails and somebody
 * catches that, its scope went with the stack, and is forgotten by its savepoint.
 */
typedef struct OpenScope
{
	PlansScope *scope;
	SubTransactionId subid;
} OpenScope;

static OpenScope *open_scopes = NULL;
static int	scope_count = 0;
static int	scope_room = 0;

static Oid
type_of(const char *name)
{
	static const struct
	{
		const char *name;
		Oid			type;
	}			built_in[] = {
		{"text", TEXTOID}, {"text[]", TEXTARRAYOID}, {"boolean", BOOLOID}, {"integer", INT4OID},
		{"date", DATEOID}, {"oid[]", OIDARRAYOID},
		{"bigint[]", INT8ARRAYOID},
		{"jsonb[]", JSONBARRAYOID}
	};

	for (int i = 0; i < lengthof(built_in); i++)
		if (strcmp(name, built_in[i].name) == 0)
			return built_in[i].type;
	if (strcmp(name, "iamwatch.detectors") == 0)
		return public_type("detectors");
	if (strcmp(name, "iamwatch_internal.candidate[]") == 0)
		return get_array_type(internal_type("candidate"));
	if (strcmp(name, "iamwatch_internal.incident_part[]") == 0)
		return get_array_type(internal_type("incident_part"));
	if (strcmp(name, "iamwatch_internal.context_journal[]") == 0)
		return get_array_type(internal_type("context_journal"));
	return get_array_type(internal_type("journal"));
}

static SPIPlanPtr
prepare(PlanId id)
{
	const Statement *statement = &statements[id];
	Oid			types[MAX_ARGUMENTS];
	int			count = 0;
	SPIPlanPtr	plan;

	while (count < MAX_ARGUMENTS && statement->types[count] != NULL)
	{
		types[count] = type_of(statement->types[count]);
		count++;
	}
	plan = SPI_prepare_cursor(statement->sql, count, types, CURSOR_OPT_GENERIC_PLAN);
	if (plan == NULL || SPI_keepplan(plan) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INTERNAL_ERROR),
				 errmsg("could not prepare a statement of iamwatch: %s",
						SPI_result_code_string(SPI_result))));
	return plan;
}

/*
 * A kept plan outlives DROP EXTENSION, but the types that it was prepared
 * with do not.
 */
static SPIPlanPtr
get_plan(PlanId id)
{
	if (plans[id] != NULL)
	{
		bool		same = true;

		for (int i = 0; same && i < MAX_ARGUMENTS && statements[id].types[i] != NULL; i++)
			if (strncmp(statements[id].types[i], "iamwatch", 8) == 0)
				same = SPI_getargtypeid(plans[id], i) == type_of(statements[id].types[i]);
		if (same)
			return plans[id];
		SPI_freeplan(plans[id]);
		plans[id] = NULL;
	}
	plans[id] = prepare(id);
	return plans[id];
}

void
plans_begin(PlansScope *scope)
{
	if (scope_count == scope_room)
	{
		int			room = Max(4, scope_room * 2);

		open_scopes = open_scopes == NULL ? MemoryContextAlloc(TopMemoryContext, room * sizeof(OpenScope)) :
			repalloc(open_scopes, room * sizeof(OpenScope));
		scope_room = room;
	}
	scope->as_owner = false;
	open_scopes[scope_count++] = (OpenScope) {scope, GetCurrentSubTransactionId()};
}

void
plans_end(PlansScope *scope)
{
	Assert(scope_count > 0 && open_scopes[scope_count - 1].scope == scope);
	if (scope->as_owner)
		owner_end(&scope->owner);
	scope_count--;
}

void
plans_become_owner(void)
{
	PlansScope *scope;

	Assert(scope_count > 0);
	scope = open_scopes[scope_count - 1].scope;
	if (scope->as_owner)
		return;
	owner_begin(&scope->owner);
	scope->as_owner = true;
}

void
plans_run(PlanId id, Datum *values, const char *nulls)
{
	int			result;

	Assert(id >= 0 && id < PLAN_COUNT);
	plans_become_owner();
	result = SPI_execute_plan(get_plan(id), values, nulls, false, 0);
	if (result < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INTERNAL_ERROR),
				 errmsg("a statement of iamwatch failed: %s",
						SPI_result_code_string(result))));
}

Datum
plans_call(CallId id, Datum *values, bool *isnull)
{
	const Statement *function = &functions[id];

	LOCAL_FCINFO(fcinfo, MAX_ARGUMENTS);
	FmgrInfo	flinfo;
	Oid			types[MAX_ARGUMENTS] = {InvalidOid};
	int			count = 0;
	Datum		result;

	for (; count < MAX_ARGUMENTS && function->types[count] != NULL; count++)
		types[count] = type_of(function->types[count]);
	plans_become_owner();
	fmgr_info(internal_function(function->sql, types, count), &flinfo);
	InitFunctionCallInfoData(*fcinfo, &flinfo, count, InvalidOid, NULL, NULL);
	for (int i = 0; i < count; i++)
	{
		fcinfo->args[i].value = values[i];
		fcinfo->args[i].isnull = false;
	}
	/* as a statement would see what was done before it */
	CommandCounterIncrement();
	PushActiveSnapshot(GetTransactionSnapshot());
	result = FunctionCallInvoke(fcinfo);
	PopActiveSnapshot();
	if (isnull != NULL)
		*isnull = fcinfo->isnull;
	return result;
}

static void
at_transaction_end(XactEvent event, void *arg)
{
	if (event == XACT_EVENT_ABORT || event == XACT_EVENT_PARALLEL_ABORT)
		scope_count = 0;
}

static void
at_subtransaction_end(SubXactEvent event, SubTransactionId subid,
					  SubTransactionId parent, void *arg)
{
	if (event != SUBXACT_EVENT_ABORT_SUB)
		return;
	/* ids only grow: everything from subid on was inside of it */
	while (scope_count > 0 && open_scopes[scope_count - 1].subid >= subid)
		scope_count--;
}

void
plans_init(void)
{
	RegisterXactCallback(at_transaction_end, NULL);
	RegisterSubXactCallback(at_subtransaction_end, NULL);
}
