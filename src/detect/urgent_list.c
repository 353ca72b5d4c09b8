/*-------------------------------------------------------------------------
 *
 * urgent_list.c
 *		Whether kept incidents are urgent, one of them or very many.
 *
 * An incident is urgent when fewer than so many of those that began in the 28
 * days before it have a higher risk.  Of a few, these are counted by index.  To
 * count them so for each line of a long list would read the same days again and
 * again: there the highest risks of a day are read once in a statement, and
 * those of the 29 days that 28 can touch are compared.
 *
 * What is remembered is of one snapshot, and goes with the statement.  It is the
 * statement's own: a list says the same of all its lines whatever is committed
 * meanwhile.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "baseline/stored.h"
#include "catalog/pg_type.h"
#include "detect/incidents.h"
#include "detect/moment.h"
#include "event/day.h"
#include "fmgr.h"
#include "server/objects.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#define FIRST_RISKS 8			/* of a day: most days have fewer among the highest of 28 */
#define COUNTED_FIRST 32		/* for so few, to read whole days would cost more */

typedef struct UrgentDay
{
	int64		key;			/* the detector's place, then the day; must be first */
	bool		whole;			/* all that began on the day were read */
	int			asked;			/* for how many of them */
	int			count;
	IncidentRisk *risks;		/* of those with the highest, from that on */
} UrgentDay;

typedef struct UrgentDetector
{
	text	   *name;
	int			most;			/* how many are urgent in 28 days */
} UrgentDetector;

typedef struct UrgentMemory
{
	MemoryContext context;
	Moment		moment;
	int			asked;
	HTAB	   *days;
	UrgentDetector *detectors;
	int			detector_count;
	IncidentRisk *computed;		/* of incidents that are behind, with their detectors' places */
	int			computed_count;
	bool		has_changed;
} UrgentMemory;

PG_FUNCTION_INFO_V1(iamwatch_is_urgent);

static int
detector_place(UrgentMemory *memory, Datum name)
{
	Slice		wanted = slice_of_text(name);
	MemoryContext caller;
	int			place;

	for (place = 0; place < memory->detector_count; place++)
		if (slice_equal(slice_of_text(PointerGetDatum(memory->detectors[place].name)), wanted))
			return place;
	caller = MemoryContextSwitchTo(memory->context);
	memory->detectors = memory->detectors == NULL ? palloc(sizeof(UrgentDetector))
		: repalloc(memory->detectors, (place + 1) * sizeof(UrgentDetector));
	memory->detectors[place].name = (text *) DatumGetPointer(datumCopy(name, false, -1));
	MemoryContextSwitchTo(caller);
	memory->detectors[place].most = urgent_most(wanted);
	memory->detector_count = place + 1;
	return place;
}

/* Incidents whose kept ones are behind, as the statement has computed them. */
static void
remember_computed(UrgentMemory *memory, ArrayType *computed)
{
	Datum	   *rows;
	bool	   *nulls;
	int			count;

	deconstruct_array(computed, ARR_ELEMTYPE(computed), -1, false, TYPALIGN_DOUBLE, &rows, &nulls, &count);
	memory->computed = MemoryContextAlloc(memory->context, Max(count, 1) * sizeof(IncidentRisk));
	for (int i = 0; i < count; i++)
	{
		IncidentRisk *risk = &memory->computed[memory->computed_count];
		Datum		detector;

		if (nulls[i] || !incident_of_row(DatumGetHeapTupleHeader(rows[i]), &detector, risk))
			continue;
		risk->place = detector_place(memory, detector);
		memory->computed_count++;
	}
}

static UrgentMemory *
memory_of(FunctionCallInfo fcinfo)
{
	UrgentMemory *memory = fcinfo->flinfo->fn_extra;
	MemoryContext context;
	HASHCTL		control;

	if (memory != NULL && moment_is_now(&memory->moment))
		return memory;
	if (memory != NULL)
	{
		fcinfo->flinfo->fn_extra = NULL;
		MemoryContextDelete(memory->context);
	}
	incidents_check_access();
	context = AllocSetContextCreate(fcinfo->flinfo->fn_mcxt, "iamwatch urgent", ALLOCSET_SMALL_SIZES);
	memory = MemoryContextAllocZero(context, sizeof(UrgentMemory));
	memory->context = context;
	memory->moment = moment_now();
	memory->has_changed = PG_GETARG_BOOL(3);
	memset(&control, 0, sizeof(control));
	control.keysize = sizeof(int64);
	control.entrysize = sizeof(UrgentDay);
	control.hcxt = context;
	memory->days = hash_create("iamwatch urgent days", 64, &control, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	if (!PG_ARGISNULL(4))
		remember_computed(memory, PG_GETARG_ARRAYTYPE_P(4));
	fcinfo->flinfo->fn_extra = memory;
	return memory;
}

static UrgentDay *
urgent_day(UrgentMemory *memory, int place, int32 day)
{
	int64		key = ((int64) place << 32) | (uint32) day;
	bool		found;
	UrgentDay  *entry = hash_search(memory->days, &key, HASH_ENTER, &found);

	if (!found)
		memset((char *) entry + sizeof(key), 0, sizeof(UrgentDay) - sizeof(key));
	return entry;
}

static int
highest_first(const void *a, const void *b)
{
	double		x = ((const IncidentRisk *) a)->risk;
	double		y = ((const IncidentRisk *) b)->risk;

	return (x < y) - (x > y);
}

/* Those that are computed, among the kept ones; unless they come after what was read. */
static void
add_computed(UrgentMemory *memory, int place, int32 day, UrgentDay *entry)
{
	double		lowest = entry->whole ? -INFINITY : entry->risks[entry->count - 1].risk;
	int			kept = entry->count;

	for (int i = 0; i < memory->computed_count; i++)
	{
		const IncidentRisk *risk = &memory->computed[i];

		if (risk->place != place || day_of(risk->began) != day || risk->risk < lowest)
			continue;
		entry->risks = repalloc(entry->risks, (entry->count + 1) * sizeof(IncidentRisk));
		entry->risks[entry->count++] = *risk;
	}
	if (entry->count > kept)
		qsort(entry->risks, entry->count, sizeof(IncidentRisk), highest_first);
}

/* At least so many of those that began on a day and have the highest risks, or all. */
static UrgentDay *
risks_of(UrgentMemory *memory, int place, int32 day, int count)
{
	UrgentDay  *entry = urgent_day(memory, place, day);

	if (entry->count >= count || entry->whole)
		return entry;
	entry->asked = Max(count, Max(FIRST_RISKS, 4 * entry->asked));
	if (entry->risks != NULL)
		pfree(entry->risks);
	entry->risks = MemoryContextAlloc(memory->context, entry->asked * sizeof(IncidentRisk));
	entry->count = incidents_of_day(slice_of_text(PointerGetDatum(memory->detectors[place].name)), day,
									entry->asked, memory->has_changed, entry->risks);
	entry->whole = entry->count < entry->asked;
	add_computed(memory, place, day, entry);
	return entry;
}

static bool
is_before(const IncidentRisk *other, TimestampTz began, double risk)
{
	return other->risk > risk && other->began < began &&
		other->began >= began - URGENT_DAYS * USECS_PER_DAY;
}

/* By index, for the first few of a statement. */
static bool
is_urgent_by_index(UrgentMemory *memory, int place, TimestampTz began, double risk)
{
	const UrgentDetector *detector = &memory->detectors[place];
	int			left = detector->most;
	int			higher;

	for (int i = 0; i < memory->computed_count; i++)
		left -= memory->computed[i].place == place && is_before(&memory->computed[i], began, risk);
	if (left <= 0)
		return false;
	stored_begin_to_read(GetActiveSnapshot());
	higher = incidents_higher(slice_of_text(PointerGetDatum(detector->name)), began, risk, left, memory->has_changed);
	stored_end();
	return higher < left;
}

/* Of a day's, as far as they were read; up to most. */
static int
count_before(const UrgentDay *day, TimestampTz began, double risk, int most)
{
	int			higher = 0;

	for (int i = 0; i < day->count && day->risks[i].risk > risk && higher < most; i++)
		higher += is_before(&day->risks[i], began, risk);
	return higher;
}

/*
 * By what was read of the days.  Nearly always that is enough to say that there
 * are as many: only what has as high a risk as the highest of all days has a day
 * read on.
 */
static bool
is_urgent_by_days(UrgentMemory *memory, int place, TimestampTz began, double risk)
{
	int			left = memory->detectors[place].most;
	UrgentDay  *days[URGENT_DAYS + 1];
	int			counted[URGENT_DAYS + 1];

	stored_begin_to_read(GetActiveSnapshot());
	for (int back = 0; back <= URGENT_DAYS && left > 0; back++)
	{
		days[back] = risks_of(memory, place, day_of(began) - back, 1);
		counted[back] = count_before(days[back], began, risk, left);
		left -= counted[back];
	}
	for (int back = 0; back <= URGENT_DAYS && left > 0; back++)
	{
		UrgentDay  *day = days[back];

		left += counted[back];
		while (count_before(day, began, risk, left) < left && !day->whole &&
			   day->risks[day->count - 1].risk > risk)
			day = risks_of(memory, place, day_of(began) - back, day->count + 1);
		left -= count_before(day, began, risk, left);
	}
	stored_end();
	return left > 0;
}

/*
 * is_urgent(detector text, began timestamptz, risk float8, has_changed boolean,
 * computed iamwatch_internal.kept_incidents[]) returns boolean
 */
Datum
iamwatch_is_urgent(PG_FUNCTION_ARGS)
{
	UrgentMemory *memory;
	TimestampTz began;
	double		risk;
	int			place;

	for (int i = 0; i < 4; i++)
		if (PG_ARGISNULL(i))
			PG_RETURN_NULL();
	began = PG_GETARG_TIMESTAMPTZ(1);
	risk = PG_GETARG_FLOAT8(2);
	memory = memory_of(fcinfo);
	place = detector_place(memory, PG_GETARG_DATUM(0));
	/* nothing begins then, and nothing is higher */
	if (TIMESTAMP_NOT_FINITE(began) || isnan(risk))
		PG_RETURN_BOOL(true);
	PG_RETURN_BOOL(++memory->asked <= COUNTED_FIRST ?
				   is_urgent_by_index(memory, place, began, risk) :
				   is_urgent_by_days(memory, place, began, risk));
}
