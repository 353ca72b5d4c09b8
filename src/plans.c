/*-------------------------------------------------------------------------
 *
 * plans.c
 *		The statements that the C code runs.
 *
 * Owns all kept plans.  Each takes its keys as arrays and answers in one row
 * a key, numbered by n.  What others appended to the journal, and nobody has
 * folded yet, counts as stored; the journal is nearly always empty, so it is
 * only looked at for accounts that have something in it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "objects.h"
#include "plans.h"
#include "utils/lsyscache.h"
#include "utils/snapmgr.h"

#define MAX_ARGUMENTS 12

typedef struct Statement
{
	const char *sql;
	const char *types[MAX_ARGUMENTS];	/* of iamwatch, when not built in */
} Statement;

static const Statement statements[PLAN_COUNT] = {
	[PLAN_ACCOUNTS] = {
		"SELECT u.n, a.account_id, LEAST(a.first_event_time, j.first_event_time),"
		" GREATEST(a.newest_day, j.newest_day), j.journaled"
		" FROM unnest($1, $2) WITH ORDINALITY AS u (provider, account, n)"
		" LEFT JOIN iamwatch.accounts AS a"
		"  ON hashtextextended(a.account, 0) = hashtextextended(u.account, 0)"
		"  AND a.account = u.account AND a.provider = u.provider"
		" CROSS JOIN LATERAL ("
		"  SELECT min(j.first_event_time) AS first_event_time,"
		"   max(iamwatch.last_day(j.days)) AS newest_day, count(*) > 0 AS journaled"
		"  FROM iamwatch.journal AS j"
		"  WHERE hashtextextended(j.account, 0) = hashtextextended(u.account, 0)"
		"  AND j.account = u.account AND j.provider = u.provider) AS j",
		{"text[]", "text[]"}
	},
	[PLAN_IDENTITIES] = {
		"SELECT u.n, i.identity_id, COALESCE(i.kinds, 0) | COALESCE(j.kinds, 0),"
		" COALESCE(i.days, '{}') | COALESCE(j.days, '{}')"
		" FROM unnest($1, $2, $3, $4, $5) WITH ORDINALITY"
		"  AS u (account_id, journaled, provider, account, identity, n)"
		" LEFT JOIN iamwatch.identity_days AS i"
		"  ON i.account_id = u.account_id"
		"  AND hashtextextended(i.identity, 0) = hashtextextended(u.identity, 0)"
		"  AND i.identity = u.identity"
		" LEFT JOIN LATERAL ("
		"  SELECT bit_or(j.kinds) AS kinds, iamwatch.dayset_union(j.days) AS days"
		"  FROM iamwatch.journal AS j"
		"  WHERE hashtextextended(j.account, 0) = hashtextextended(u.account, 0)"
		"  AND j.account = u.account AND j.provider = u.provider"
		"  AND j.identity = u.identity AND j.operation IS NULL) AS j ON u.journaled",
		{"integer[]", "boolean[]", "text[]", "text[]", "text[]"}
	},
	[PLAN_BEHAVIOURS] = {
		"SELECT u.n, b.behaviour_id, COALESCE(d.days, '{}') | COALESCE(j.days, '{}'),"
		" ARRAY(SELECT a.first_event_time FROM iamwatch.alerts AS a"
		"  WHERE hashtextextended(a.identity, 0) = hashtextextended(u.identity, 0)"
		"  AND a.first_event_time >= u.since AND a.first_event_time <= u.until"
		"  AND a.identity = u.identity AND a.operation = u.operation"
		"  AND a.service = u.service AND a.failed = u.failed"
		"  AND a.account = u.account AND a.provider = u.provider),"
		" EXISTS (SELECT FROM iamwatch.pending_events AS p"
		"  WHERE hashtextextended(p.identity, 0) = hashtextextended(u.identity, 0)"
		"  AND p.identity = u.identity AND p.operation = u.operation"
		"  AND p.service = u.service AND p.failed = u.failed"
		"  AND p.account = u.account AND p.provider = u.provider)"
		" FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) WITH ORDINALITY"
		"  AS u (account_id, identity_id, journaled, provider, account, identity,"
		"   service, operation, failed, since, until, n)"
		" LEFT JOIN iamwatch.behaviours AS b"
		"  ON b.account_id = u.account_id"
		"  AND hashtextextended(b.operation, 0) = hashtextextended(u.operation, 0)"
		"  AND b.operation = u.operation AND b.service = u.service AND b.failed = u.failed"
		" LEFT JOIN iamwatch.behaviour_days AS d"
		"  ON d.account_id = b.account_id AND d.behaviour_id = b.behaviour_id"
		"  AND d.identity_id = u.identity_id"
		" LEFT JOIN LATERAL ("
		"  SELECT iamwatch.dayset_union(j.days) AS days"
		"  FROM iamwatch.journal AS j"
		"  WHERE hashtextextended(j.account, 0) = hashtextextended(u.account, 0)"
		"  AND j.account = u.account AND j.provider = u.provider"
		"  AND j.identity = u.identity AND j.operation = u.operation"
		"  AND j.service = u.service AND j.failed = u.failed) AS j ON u.journaled",
		{"integer[]", "bigint[]", "boolean[]", "text[]", "text[]", "text[]",
			"text[]", "text[]", "boolean[]", "timestamptz[]", "timestamptz[]"}
	},
	[PLAN_PEERS] = {
		"SELECT days, active FROM iamwatch.class_days($1, $2, $3, $4, $5, $6, $7, $8)",
		{"text", "text", "boolean", "text", "text", "boolean", "date", "date"}
	},
	[PLAN_LEARN] = {
		"SELECT iamwatch.learn($1)",
		{"iamwatch.journal[]"}
	},
	[PLAN_RAISE] = {
		"SELECT iamwatch.raise($1, $2, $3, $4, $5, $6, $7, $8, $9)",
		{"text", "iamwatch.event[]", "boolean[]", "boolean[]", "integer[]", "integer[]",
			"bigint[]", "bigint[]", "double precision[]"}
	},
	[PLAN_REJECT] = {
		"SELECT iamwatch.reject($1, $2, $3)",
		{"oid[]", "text[]", "jsonb[]"}
	},
	[PLAN_QUEUE_SETTLE] = {
		"INSERT INTO iamwatch.end_of_statement SELECT WHERE false",
		{NULL}
	}
};

static SPIPlanPtr plans[PLAN_COUNT];

static Oid
type_of(const char *name)
{
	static const struct
	{
		const char *name;
		Oid			type;
	}			built_in[] = {
		{"text", TEXTOID}, {"text[]", TEXTARRAYOID}, {"boolean", BOOLOID},
		{"boolean[]", BOOLARRAYOID}, {"integer[]", INT4ARRAYOID}, {"bigint[]", INT8ARRAYOID},
		{"timestamptz[]", TIMESTAMPTZARRAYOID}, {"date", DATEOID},
		{"double precision[]", FLOAT8ARRAYOID}, {"oid[]", OIDARRAYOID},
		{"jsonb[]", JSONBARRAYOID}
	};

	for (int i = 0; i < lengthof(built_in); i++)
		if (strcmp(name, built_in[i].name) == 0)
			return built_in[i].type;
	if (strcmp(name, "iamwatch.event[]") == 0)
		return get_array_type(iamwatch_type("event"));
	return get_array_type(iamwatch_type("journal"));
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
			if (strncmp(statements[id].types[i], "iamwatch.", 9) == 0)
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
plans_run(PlanId id, Datum *values, const char *nulls)
{
	int			result = SPI_execute_plan(get_plan(id), values, nulls, false, 0);

	if (result < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INTERNAL_ERROR),
				 errmsg("a statement of iamwatch failed: %s",
						SPI_result_code_string(result))));
}

void
plans_queue_settle(void)
{
	SPI_connect();

	/* fire_triggers is false: they then wait for the end of the outer statement */
	if (SPI_execute_snapshot(get_plan(PLAN_QUEUE_SETTLE), NULL, NULL, GetTransactionSnapshot(),
							 InvalidSnapshot, false, false, 0) < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INTERNAL_ERROR),
				 errmsg("could not queue the end of the statement")));
	SPI_finish();
}
