/*-------------------------------------------------------------------------
 *
 * score.c
 *		How probable it is that an identity does an operation on a day.
 *
 * Pure functions; must never look at a table.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "fmgr.h"
#include "detect/score.h"

#define OWN_WEIGHT		2.0
#define PEER_WEIGHT		10.0
#define BASE_RATE		0.01

PG_FUNCTION_INFO_V1(iamwatch_probability);
PG_FUNCTION_INFO_V1(iamwatch_surprise);

double
score_probability(int64 k, int64 active, int64 peer_days, int64 peer_active)
{
	double		peer_rate = (peer_days + PEER_WEIGHT * BASE_RATE) / (peer_active + PEER_WEIGHT);

	return (k + OWN_WEIGHT * peer_rate) / (active + OWN_WEIGHT);
}

double
score_surprise(double probability)
{
	double		surprise = -log2(probability);

	return surprise == 0 ? 0 : surprise;	/* no negative zero */
}

static void
check_days(const char *part_name, int64 part, const char *whole_name, int64 whole)
{
	if (part < 0 || whole < part)
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("%s (%lld) must be between 0 and %s (%lld)",
						part_name, (long long) part, whole_name, (long long) whole)));
}

/* probability(k int, active int, peer_days bigint, peer_active bigint) */
Datum
iamwatch_probability(PG_FUNCTION_ARGS)
{
	int64		k = PG_GETARG_INT32(0);
	int64		active = PG_GETARG_INT32(1);
	int64		peer_days = PG_GETARG_INT64(2);
	int64		peer_active = PG_GETARG_INT64(3);

	check_days("k", k, "active", active);
	check_days("peer_days", peer_days, "peer_active", peer_active);
	PG_RETURN_FLOAT8(score_probability(k, active, peer_days, peer_active));
}

/* surprise(float8) */
Datum
iamwatch_surprise(PG_FUNCTION_ARGS)
{
	double		probability = PG_GETARG_FLOAT8(0);

	if (!(probability > 0 && probability <= 1))
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("probability %g is out of range", probability),
				 errdetail("It must be above 0 and at most 1.")));
	PG_RETURN_FLOAT8(score_surprise(probability));
}
