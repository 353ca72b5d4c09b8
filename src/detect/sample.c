/*-------------------------------------------------------------------------
 *
 * sample.c
 *		Which events are in the sample of contexts.
 *
 * Those that bring a behaviour's day are; and on every fourth day, so that all
 * days of the week have their turn, those that bring the day of an identity that
 * is known already.  They reach the detector in any case, so that all other
 * events cost nothing more.
 *
 * Owns this rule, for learn.c and for stored history (context_backfill.sql).
 * Must never look at a table.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "config/settings.h"
#include "detect/sample.h"
#include "fmgr.h"
#include "utils/date.h"

#define DAYS_BETWEEN 4

PG_FUNCTION_INFO_V1(iamwatch_is_sampled);
PG_FUNCTION_INFO_V1(iamwatch_is_novel);

bool
sample_is_day(int32 day)
{
	return day % DAYS_BETWEEN == 0;
}

/* In the longest training period before the day. */
static bool
is_active_before(const DayRuns *days, int32 day)
{
	return dayruns_count(days, day - settings_training_days(), day - 1) > 0;
}

bool
sample_has(bool brings_behaviour, bool brings_day, int32 day, const DayRuns *identity_days)
{
	return brings_behaviour ||
		(brings_day && sample_is_day(day) &&
		 (identity_days == NULL || is_active_before(identity_days, day)));
}

bool
sample_is_novel(bool brings_behaviour, int32 day, const DayRuns *behaviour_days)
{
	Assert(settings_training_days() > 0);
	return brings_behaviour &&
		(behaviour_days == NULL || !is_active_before(behaviour_days, day));
}

/* An argument that is a set of days; NULL if it is null. */
static const DayRuns *
get_days(FunctionCallInfo fcinfo, int argument, DayRuns *days)
{
	if (PG_ARGISNULL(argument))
		return NULL;
	PG_GETARG_DAYRUNS(argument, days);
	return days;
}

/*
 * is_sampled(brings_operation boolean, brings_day boolean, day date, days dayset):
 * days of the identity, null where they are not known yet
 */
Datum
iamwatch_is_sampled(PG_FUNCTION_ARGS)
{
	DayRuns		days;

	settings_load();
	PG_RETURN_BOOL(sample_has(PG_GETARG_BOOL(0), PG_GETARG_BOOL(1), PG_GETARG_DATEADT(2),
							  get_days(fcinfo, 3, &days)));
}

/* is_novel(brings_operation boolean, day date, days dayset): days of the behaviour */
Datum
iamwatch_is_novel(PG_FUNCTION_ARGS)
{
	DayRuns		days;

	settings_load();
	PG_RETURN_BOOL(sample_is_novel(PG_GETARG_BOOL(0), PG_GETARG_DATEADT(1),
								   get_days(fcinfo, 2, &days)));
}
