/*-------------------------------------------------------------------------
 *
 * score.c
 *		How probable it is that an identity does an operation on a day, and how
 *		much it matters that it did.
 *
 * Pure functions; must never look at a table.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "baseline/dayset.h"
#include "detect/score.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/float.h"

#define OWN_WEIGHT		2.0
#define PEER_WEIGHT		10.0
#define BASE_RATE		0.01

/* The same for the risk: how often anybody does IAM, and the share of one operation in it. */
#define IAM_BASE_DAYS	0.1
#define IAM_BASE_ACTIVE	10.0
#define SHARE_BASE_DAYS	1.0
#define SHARE_BASE_IAM	20.0
#define SENSITIVITY_BITS	2.0
#define LEAST_SENSITIVITY	1
#define MOST_SENSITIVITY	4

PG_FUNCTION_INFO_V1(iamwatch_peer_rate);
PG_FUNCTION_INFO_V1(iamwatch_probability);
PG_FUNCTION_INFO_V1(iamwatch_may_be_unusual);
PG_FUNCTION_INFO_V1(iamwatch_risk);
PG_FUNCTION_INFO_V1(iamwatch_surprise);

static double
peer_rate(int64 peer_days, int64 peer_active)
{
	return (peer_days + PEER_WEIGHT * BASE_RATE) / (peer_active + PEER_WEIGHT);
}

/* What was seen on part of the days, shrunk toward a rate. */
static double
own_rate(int64 part, int64 active, double rate)
{
	return (part + OWN_WEIGHT * rate) / (active + OWN_WEIGHT);
}

double
score_probability(int64 k, int64 active, int64 peer_days, int64 peer_active)
{
	double		probability;

	Assert(k >= 0 && k <= active);
	Assert(peer_days >= 0 && peer_days <= peer_active);
	probability = own_rate(k, active, peer_rate(peer_days, peer_active));
	Assert(probability > 0 && probability <= 1);	/* 1 by rounding, of a number of days that none has */
	return probability;
}

bool
score_may_be_unusual(int64 k, int64 active, double probability_limit)
{
	return own_rate(k, active, 0) < probability_limit;
}

RiskSteps
score_risk_steps(const RiskCounts *c)
{
	RiskSteps	steps;

	Assert(c->k >= 0 && c->k <= c->active);
	Assert(c->iam_days >= 0 && c->iam_days <= c->active);
	Assert(c->peer_days >= 0 && c->peer_days <= c->peer_active);
	Assert(c->peer_iam_days >= 0 && c->peer_iam_days <= c->peer_active);
	steps.peer_iam_rate = (c->peer_iam_days + IAM_BASE_DAYS) / (c->peer_active + IAM_BASE_ACTIVE);
	steps.iam_rate = own_rate(c->iam_days, c->active, steps.peer_iam_rate);
	steps.share = (c->peer_days + SHARE_BASE_DAYS) / (c->peer_iam_days + SHARE_BASE_IAM);
	steps.rate = own_rate(c->k, c->active, steps.iam_rate * steps.share);
	return steps;
}

double
score_risk(const RiskCounts *counts, int sensitivity)
{
	return -log2(score_risk_steps(counts).rate) + SENSITIVITY_BITS * sensitivity;
}

double
score_surprise(double probability)
{
	double		surprise = -log2(probability);

	Assert(probability > 0 && probability <= 1);
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

/* peer_rate(peer_days bigint, peer_active bigint) */
Datum
iamwatch_peer_rate(PG_FUNCTION_ARGS)
{
	check_days("peer_days", PG_GETARG_INT64(0), "peer_active", PG_GETARG_INT64(1));
	PG_RETURN_FLOAT8(peer_rate(PG_GETARG_INT64(0), PG_GETARG_INT64(1)));
}

/*
 * may_be_unusual(marked, own, active dayset, training_days int,
 * probability_limit float8) RETURNS dayset: as one call, since most days of
 * stored history are usual
 */
Datum
iamwatch_may_be_unusual(PG_FUNCTION_ARGS)
{
	DayRuns		marked;
	DayRuns		own;
	DayRuns		active;
	DayRuns		found;
	int64		training_days = PG_GETARG_INT32(3);
	double		limit = PG_GETARG_FLOAT8(4);

	PG_GETARG_DAYRUNS(0, &marked);
	PG_GETARG_DAYRUNS(1, &own);
	PG_GETARG_DAYRUNS(2, &active);
	dayruns_init(&found);
	for (int i = 0; i < marked.n; i++)
		for (int32 day = marked.runs[i].lo; day <= marked.runs[i].hi; day++)
		{
			int32		from = (int32) Max(day - training_days, PG_INT32_MIN);

			CHECK_FOR_INTERRUPTS();
			if (score_may_be_unusual(dayruns_count(&own, from, day - 1), dayruns_count(&active, from, day - 1), limit))
				dayruns_add(&found, day, day);
		}
	PG_RETURN_DAYSET_P(dayruns_to_dayset(&found));
}

RiskCounts
score_risk_counts(FunctionCallInfo fcinfo)
{
	RiskCounts	counts = {
		PG_GETARG_INT32(0), PG_GETARG_INT32(1), PG_GETARG_INT32(2),
		PG_GETARG_INT64(3), PG_GETARG_INT64(4), PG_GETARG_INT64(5)
	};

	check_days("k", counts.k, "active", counts.active);
	check_days("iam_days", counts.iam_days, "active", counts.active);
	check_days("peer_days", counts.peer_days, "peer_active", counts.peer_active);
	check_days("peer_iam_days", counts.peer_iam_days, "peer_active", counts.peer_active);
	return counts;
}

/*
 * risk(k int, active int, iam_days int, peer_days bigint, peer_active bigint,
 * peer_iam_days bigint, sensitivity int)
 */
Datum
iamwatch_risk(PG_FUNCTION_ARGS)
{
	RiskCounts	counts = score_risk_counts(fcinfo);
	int			sensitivity = PG_GETARG_INT32(6);

	if (sensitivity < LEAST_SENSITIVITY || sensitivity > MOST_SENSITIVITY)
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("sensitivity (%d) must be between %d and %d",
						sensitivity, LEAST_SENSITIVITY, MOST_SENSITIVITY)));
	PG_RETURN_FLOAT8(score_risk(&counts, sensitivity));
}

/* surprise(float8) */
Datum
iamwatch_surprise(PG_FUNCTION_ARGS)
{
	double		probability = PG_GETARG_FLOAT8(0);

	if (!(probability > 0 && probability <= 1))
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("probability %s is out of range", float8out_internal(probability)),
				 errdetail("It must be above 0 and at most 1.")));
	PG_RETURN_FLOAT8(score_surprise(probability));
}
