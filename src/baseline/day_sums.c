/*-------------------------------------------------------------------------
 *
 * day_sums.c
 *		How many days many sets have in a window, summed.
 *
 * What the tallies are in tables, for sets that are in memory only: whoever
 * scores every day of a history asks for the same sums again and again, each
 * time over another window.  Kept are the days on which the number of sets
 * changes, so a day costs nothing where nothing changes, and any window is told
 * by two look-ups.
 *
 * Must never look at a table.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "baseline/day_sums.h"
#include "utils/memutils.h"

void
day_sums_init(DaySums *sums)
{
	memset(sums, 0, sizeof(*sums));
	sums->context = CurrentMemoryContext;
}

static int
compare_steps(const void *a, const void *b)
{
	int32		left = ((const DayStep *) a)->day;
	int32		right = ((const DayStep *) b)->day;

	return left < right ? -1 : left > right;
}

/* Leave one step a day. */
static void
merge_steps(DaySums *sums)
{
	int			n = 0;

	if (sums->n == 0)
		return;
	qsort(sums->steps, sums->n, sizeof(DayStep), compare_steps);
	for (int i = 1; i < sums->n; i++)
		if (sums->steps[i].day == sums->steps[n].day)
			sums->steps[n].sets += sums->steps[i].sets;
		else
			sums->steps[++n] = sums->steps[i];
	sums->n = n + 1;
}

static void
add_step(DaySums *sums, int32 day, int change)
{
	if (sums->n == sums->capacity)
	{
		/* there are few days, so mostly this makes the room */
		merge_steps(sums);
		if (sums->n >= sums->capacity / 2)
		{
			sums->capacity = Max(8, sums->capacity * 2);
			sums->steps = sums->steps == NULL ?
				MemoryContextAlloc(sums->context, sums->capacity * sizeof(DayStep)) :
				repalloc_huge(sums->steps, sums->capacity * sizeof(DayStep));
		}
	}
	sums->steps[sums->n++] = (DayStep) {day, change, 0};
}

void
day_sums_add(DaySums *sums, const DayRuns *set, int32 from)
{
	for (int i = 0; i < set->n; i++)
	{
		if (set->runs[i].hi < from)
			continue;
		add_step(sums, Max(set->runs[i].lo, from), 1);
		add_step(sums, set->runs[i].hi + 1, -1);
	}
}

void
day_sums_finish(DaySums *sums)
{
	merge_steps(sums);
	if (sums->n < sums->capacity)
	{
		/*
		 * an account has thousands of these: give back the room for more
		 * steps
		 */
		DayStep    *exact = MemoryContextAllocHuge(sums->context, sums->n * sizeof(DayStep));

		memcpy(exact, sums->steps, sums->n * sizeof(DayStep));
		pfree(sums->steps);
		sums->steps = exact;
		sums->capacity = sums->n;
	}
	for (int i = 1; i < sums->n; i++)
	{
		const DayStep *last = &sums->steps[i - 1];

		sums->steps[i].sets += last->sets;
		sums->steps[i].before = last->before + (int64) last->sets * ((int64) sums->steps[i].day - last->day);
	}
	Assert(sums->n == 0 || sums->steps[sums->n - 1].sets == 0);
}

/* Over all days before one. */
static int64
sum_before(const DaySums *sums, int64 day)
{
	int			low = 0;
	int			high = sums->n;
	const DayStep *step;

	while (low < high)
	{
		int			middle = low + (high - low) / 2;

		if (sums->steps[middle].day < day)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == 0)
		return 0;
	step = &sums->steps[low - 1];
	return step->before + (int64) step->sets * (day - step->day);
}

int64
day_sums_between(const DaySums *sums, int32 from, int32 to)
{
	return from > to ? 0 : sum_before(sums, (int64) to + 1) - sum_before(sums, from);
}
