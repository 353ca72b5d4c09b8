/*-------------------------------------------------------------------------
 *
 * settled.c
 *		From which day on the days of an identity count for its peers.
 *
 * Names that are made for one lease, one run or one attack must set nobody's
 * rate, so the days of an identity count for others from its third active day
 * on.  A name that is new itself is compared with all days of its peers, since
 * most of them are as new as it is.
 *
 * The three smallest days that an identity was ever active on are enough to
 * know either.  They are the three smallest of the union of any two parts of
 * its history, so neither order nor lateness changes them, and they are kept
 * when the days themselves are dropped.
 *
 * Owns these two rules.  Must never look at a table.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "baseline/settled.h"
#include "utils/date.h"

#define SETTLED_AT_DAY		3	/* days count from this active day on */
#define NEWCOMER_UNTIL_DAY	2	/* fewer days before, and all days of peers count */

PG_FUNCTION_INFO_V1(iamwatch_earliest_days);
PG_FUNCTION_INFO_V1(iamwatch_settled_days);
PG_FUNCTION_INFO_V1(iamwatch_is_newcomer);

/* The n-th smallest day, from 1; or one that is never reached. */
static int32
nth_day(const DayRuns *set, int n)
{
	Assert(n > 0);
	for (int i = 0; i < set->n; i++)
	{
		int64		length = (int64) set->runs[i].hi - set->runs[i].lo + 1;

		if (n <= length)
			return set->runs[i].lo + n - 1;
		n -= length;
	}
	return NEVER_SETTLED;
}

int32
settled_from(const DayRuns *first_days)
{
	return nth_day(first_days, SETTLED_AT_DAY);
}

bool
is_newcomer(const DayRuns *first_days, int32 day)
{
	return nth_day(first_days, NEWCOMER_UNTIL_DAY) >= day;
}

/* The days of a set from one on, or up to one. */
static Dayset *
part_of(const DayRuns *set, int32 from, int32 to)
{
	DayRuns		part = dayruns_part_of(set, from, to);

	return dayruns_to_dayset(&part);
}

/* earliest_days(dayset) RETURNS dayset: as many as the two rules look at */
Datum
iamwatch_earliest_days(PG_FUNCTION_ARGS)
{
	DayRuns		days;

	PG_GETARG_DAYRUNS(0, &days);
	PG_RETURN_DAYSET_P(part_of(&days, PG_INT32_MIN, settled_from(&days)));
}

/* settled_days(days dayset, first_days dayset) RETURNS dayset */
Datum
iamwatch_settled_days(PG_FUNCTION_ARGS)
{
	DayRuns		days;
	DayRuns		first_days;

	PG_GETARG_DAYRUNS(0, &days);
	PG_GETARG_DAYRUNS(1, &first_days);
	PG_RETURN_DAYSET_P(part_of(&days, settled_from(&first_days), PG_INT32_MAX));
}

/* is_newcomer(first_days dayset, day date) RETURNS boolean */
Datum
iamwatch_is_newcomer(PG_FUNCTION_ARGS)
{
	DayRuns		first_days;

	PG_GETARG_DAYRUNS(0, &first_days);
	PG_RETURN_BOOL(is_newcomer(&first_days, PG_GETARG_DATEADT(1)));
}
