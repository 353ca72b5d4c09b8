/*-------------------------------------------------------------------------
 *
 * plans.c
 *		The statements that the C code runs.
 *
 * Owns all kept plans, of SQL that is constant text: for what is news, and
 * rare.  What every batch has to look up is in stored.c.  A batch takes the
 * owner's rights with its first statement, as most need none.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "server/objects.h"
#include "server/plans.h"
#include "utils/lsyscache.h"

#define MAX_ARGUMENTS 12

typedef struct Statement
{
	const char *sql;
	const char *types[MAX_ARGUMENTS];	/* of iamwatch, when not built in */
} Statement;

/* The source that a relation is, or is a partition of; else the relation. */
#define WATCHED_SOURCE \
	"COALESCE((SELECT s.source FROM iamwatch.sources AS s WHERE s.source = $1)," \
	" (SELECT s.source FROM pg_partition_ancestors($1) AS a" \
	"  JOIN iamwatch.sources AS s ON s.source = a.relid LIMIT 1), $1)"

static const Statement statements[PLAN_COUNT] = {
	[PLAN_PEERS] = {
		"SELECT days, active, settled_days, settled_active FROM iamwatch_internal.class_days($1, $2, $3, $4, $5, $6, $7, $8)",
		{"text", "text", "boolean", "text", "text", "boolean", "date", "date"}
	},
	[PLAN_LEARN_ACCOUNT] = {
		"SELECT iamwatch_internal.learn_account($1, $2, $3, $4, $5)",
		{"text", "text", "iamwatch_internal.journal[]", "iamwatch_internal.context_journal[]",
			"boolean"}
	},
	[PLAN_LEARN] = {
		"SELECT iamwatch_internal.learn($1, $2)",
		{"iamwatch_internal.journal[]", "iamwatch_internal.context_journal[]"}
	},
	[PLAN_RAISE] = {
		"SELECT iamwatch_internal.assign_to_alerts(d, $2)"
		" FROM iamwatch.detectors AS d WHERE d.detector = $1",
		{"text", "iamwatch_internal.candidate[]"}
	},
	[PLAN_REJECT] = {
		"SELECT iamwatch_internal.reject($1, $2, $3)",
		{"oid[]", "text[]", "jsonb[]"}
	},
	[PLAN_COUNT_BATCH] = {
		/* a row that nobody else is writing */
		"UPDATE iamwatch_internal.source_counts AS c SET counted_at = clock_timestamp(),"
		" newest_event_time = GREATEST(c.newest_event_time, $2),"
		" lag = COALESCE(clock_timestamp() - $2, c.lag),"
		" learned = c.learned + $3, late = c.late + $4, rejected = c.rejected + $5"
		" WHERE c.ctid = (SELECT f.ctid FROM iamwatch_internal.source_counts AS f"
		"  WHERE f.source = " WATCHED_SOURCE " AND f.relation = $1"
		"  LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED)",
		{"oid", "timestamptz", "bigint", "bigint", "bigint"}
	},
	[PLAN_ADD_BATCH_COUNTS] = {
		"INSERT INTO iamwatch_internal.source_counts"
		" (source, relation, newest_event_time, lag, learned, late, rejected)"
		" VALUES (" WATCHED_SOURCE ", $1, $2, clock_timestamp() - $2, $3, $4, $5)",
		{"oid", "timestamptz", "bigint", "bigint", "bigint"}
	},
	[PLAN_KEEP_UNSENT] = {
		"INSERT INTO iamwatch_internal.unsent_notifications (alert_id)"
		" SELECT DISTINCT a FROM unnest($1) AS a",
		{"bigint[]"}
	}
};

static SPIPlanPtr plans[PLAN_COUNT];

/* Of the innermost batch; after an error, of none. */
static PlansScope *current = NULL;

static Oid
type_of(const char *name)
{
	static const struct
	{
		const char *name;
		Oid			type;
	}			built_in[] = {
		{"text", TEXTOID}, {"text[]", TEXTARRAYOID}, {"boolean", BOOLOID},
		{"date", DATEOID}, {"oid[]", OIDARRAYOID},
		{"oid", OIDOID}, {"bigint", INT8OID}, {"bigint[]", INT8ARRAYOID}, {"timestamptz", TIMESTAMPTZOID},
		{"jsonb[]", JSONBARRAYOID}
	};

	for (int i = 0; i < lengthof(built_in); i++)
		if (strcmp(name, built_in[i].name) == 0)
			return built_in[i].type;
	if (strcmp(name, "iamwatch_internal.candidate[]") == 0)
		return get_array_type(internal_type("candidate"));
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
	scope->outer = current;
	scope->as_owner = false;
	current = scope;
}

void
plans_end(PlansScope *scope)
{
	if (scope->as_owner)
		owner_end(&scope->owner);
	current = scope->outer;
}

void
plans_run(PlanId id, Datum *values, const char *nulls)
{
	PlansScope *scope = current;
	int			result;

	if (!scope->as_owner)
	{
		owner_begin(&scope->owner);
		scope->as_owner = true;
	}
	result = SPI_execute_plan(get_plan(id), values, nulls, false, 0);
	current = scope;			/* a batch inside may have failed, and been caught */
	if (result < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INTERNAL_ERROR),
				 errmsg("a statement of iamwatch failed: %s",
						SPI_result_code_string(result))));
}
