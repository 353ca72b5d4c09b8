/*-------------------------------------------------------------------------
 *
 * urgent_bounds.c
 *		Whether incidents are urgent, for a list of very many.
 *
 * An incident is urgent when fewer than so many of those that began in the 28
 * days before it have a higher risk.  To count them for each line of a list
 * reads the same days again and again.  Here the highest risks of a day are
 * read once in a statement, and give two bounds for each day: the risk that is
 * reached surely, by the 27 whole days that are in the 28 days before any time
 * of it, and the one that is not, by the 29 days that these 28 can touch.  What
 * is between the two, and the first lines of every list, has to be counted.
 *
 * What is remembered is of one snapshot, and goes with the statement.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "detect/incidents.h"
#include "event/day.h"
#include "fmgr.h"
#include "server/objects.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/datum.h"
#include "utils/hsearch.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#define FIRST_RISKS 16			/* of a day: most days have fewer among the highest of 28 */
#define COUNTED_FIRST 32		/* for so few, to read whole days would cost more */

typedef struct UrgentDay
{
	int64		key;			/* the detector's place, then the day; must be first */
	bool		has_bounds;
	int			asked;			/* for how many of its risks */
	int			count;
	double	   *risks;			/* the highest of its incidents */
	double		reached;		/* below it, an incident is not urgent */
	double		enough;			/* from it on, it is */
} UrgentDay;

typedef struct UrgentDetector
{
	text	   *name;
	int32		most;			/* how many are urgent in 28 days */
} UrgentDetector;

/* Tells one snapshot from the next in the same session. */
typedef struct Moment
{
	TransactionId xmin;
	TransactionId xmax;
	uint32		xcnt;
	int32		subxcnt;
	CommandId	curcid;
} Moment;

typedef struct UrgentMemory
{
	MemoryContext context;
	Moment		moment;
	int			asked;
	HTAB	   *days;
	UrgentDetector *detectors;
	int			detector_count;
	FmgrInfo	highest_risks;
} UrgentMemory;

PG_FUNCTION_INFO_V1(iamwatch_urgent_by_bounds);

static Moment
this_moment(void)
{
	Snapshot	snapshot = GetActiveSnapshot();
	Moment		moment;

	memset(&moment, 0, sizeof(moment));
	moment.xmin = snapshot->xmin;
	moment.xmax = snapshot->xmax;
	moment.xcnt = snapshot->xcnt;
	moment.subxcnt = snapshot->subxcnt;
	moment.curcid = snapshot->curcid;
	return moment;
}

static UrgentMemory *
memory_of(FunctionCallInfo fcinfo)
{
	UrgentMemory *memory = fcinfo->flinfo->fn_extra;
	Moment		now = this_moment();
	MemoryContext context;
	HASHCTL		control;
	Oid			incidents = get_array_type(internal_type("kept_incidents"));
	Oid			types[] = {TEXTOID, DATEOID, INT4OID, BOOLOID, incidents};

	if (memory != NULL && memcmp(&memory->moment, &now, sizeof(now)) == 0)
		return memory;
	if (memory != NULL)
	{
		fcinfo->flinfo->fn_extra = NULL;
		MemoryContextDelete(memory->context);
	}
	context = AllocSetContextCreate(fcinfo->flinfo->fn_mcxt, "iamwatch urgent", ALLOCSET_SMALL_SIZES);
	memory = MemoryContextAllocZero(context, sizeof(UrgentMemory));
	memory->context = context;
	memory->moment = now;
	memset(&control, 0, sizeof(control));
	control.keysize = sizeof(int64);
	control.entrysize = sizeof(UrgentDay);
	control.hcxt = context;
	memory->days = hash_create("iamwatch urgent days", 64, &control, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	fmgr_info_cxt(internal_function("highest_risks", types, lengthof(types)), &memory->highest_risks, context);
	fcinfo->flinfo->fn_extra = memory;
	return memory;
}

static int
detector_place(UrgentMemory *memory, text *name)
{
	MemoryContext caller;
	int			place;

	for (place = 0; place < memory->detector_count; place++)
		if (VARSIZE_ANY_EXHDR(memory->detectors[place].name) == VARSIZE_ANY_EXHDR(name) &&
			memcmp(VARDATA_ANY(memory->detectors[place].name), VARDATA_ANY(name), VARSIZE_ANY_EXHDR(name)) == 0)
			return place;
	caller = MemoryContextSwitchTo(memory->context);
	memory->detectors = memory->detectors == NULL ? palloc(sizeof(UrgentDetector))
		: repalloc(memory->detectors, (place + 1) * sizeof(UrgentDetector));
	memory->detectors[place].name = (text *) DatumGetPointer(datumCopy(PointerGetDatum(name), false, -1));
	MemoryContextSwitchTo(caller);
	memory->detectors[place].most = urgent_most(slice_of_text(PointerGetDatum(name)));
	memory->detector_count = place + 1;
	return place;
}

static UrgentDay *
urgent_day(UrgentMemory *memory, int place, DateADT day)
{
	int64		key = ((int64) place << 32) | (uint32) day;
	bool		found;
	UrgentDay  *entry = hash_search(memory->days, &key, HASH_ENTER, &found);

	if (!found)
		memset((char *) entry + sizeof(key), 0, sizeof(UrgentDay) - sizeof(key));
	return entry;
}

/* At least so many of the highest risks of the incidents that began on a day, or all. */
static UrgentDay *
risks_of(UrgentMemory *memory, int place, DateADT day, int count, FunctionCallInfo fcinfo)
{
	UrgentDay  *entry = urgent_day(memory, place, day);
	UrgentDetector *detector = &memory->detectors[place];
	ArrayType  *array;

	LOCAL_FCINFO(call, 5);

	if (entry->asked >= count || entry->asked > entry->count)
		return entry;
	count = Min(detector->most, Max(FIRST_RISKS, 4 * entry->asked));
	InitFunctionCallInfoData(*call, &memory->highest_risks, 5, fcinfo->fncollation, NULL, NULL);
	call->args[0].value = PointerGetDatum(detector->name);
	call->args[1].value = DateADTGetDatum(day);
	call->args[2].value = Int32GetDatum(count);
	call->args[3] = fcinfo->args[3];
	call->args[4] = fcinfo->args[4];
	for (int i = 0; i < 3; i++)
		call->args[i].isnull = false;
	array = DatumGetArrayTypeP(FunctionCallInvoke(call));
	if (call->isnull)
		elog(ERROR, "iamwatch_internal.highest_risks() returned null");
	entry->asked = count;
	entry->count = ARR_NDIM(array) == 0 ? 0 : ARR_DIMS(array)[0];
	entry->risks = MemoryContextAlloc(memory->context, sizeof(double) * Max(entry->count, 1));
	memcpy(entry->risks, ARR_DATA_PTR(array), sizeof(double) * entry->count);
	return entry;
}

/* The so-many-th highest risk of some days, or less than any where there are fewer. */
static double
highest_of(UrgentMemory *memory, int place, DateADT first, DateADT last, FunctionCallInfo fcinfo)
{
	int			next[URGENT_DAYS + 1] = {0};
	UrgentDay  *days[URGENT_DAYS + 1];
	double		highest = -INFINITY;

	for (int i = 0; i <= last - first; i++)
		days[i] = risks_of(memory, place, first + i, 1, fcinfo);
	for (int n = memory->detectors[place].most; n > 0; n--)
	{
		int			best = -1;

		for (int i = 0; i <= last - first; i++)
			if (next[i] < days[i]->count &&
				(best < 0 || days[i]->risks[next[i]] > days[best]->risks[next[best]]))
				best = i;
		if (best < 0)
			return -INFINITY;
		highest = days[best]->risks[next[best]++];
		if (next[best] == days[best]->count && n > 1)
			days[best] = risks_of(memory, place, first + best, next[best] + 1, fcinfo);
	}
	return highest;
}

/*
 * urgent_by_bounds(detector text, began timestamptz, risk float8, has_changed
 * boolean, computed iamwatch_internal.kept_incidents[]) returns boolean
 *
 * Null where it has to be counted.
 */
Datum
iamwatch_urgent_by_bounds(PG_FUNCTION_ARGS)
{
	UrgentMemory *memory;
	UrgentDay  *entry;
	TimestampTz began;
	DateADT		day;
	double		risk;
	int			place;

	for (int i = 0; i < 4; i++)
		if (PG_ARGISNULL(i))
			PG_RETURN_NULL();
	began = PG_GETARG_TIMESTAMPTZ(1);
	risk = PG_GETARG_FLOAT8(2);
	if (TIMESTAMP_NOT_FINITE(began) || isnan(risk))
		PG_RETURN_NULL();
	memory = memory_of(fcinfo);
	if (++memory->asked <= COUNTED_FIRST)
		PG_RETURN_NULL();

	place = detector_place(memory, PG_GETARG_TEXT_PP(0));
	day = day_of(began);
	entry = urgent_day(memory, place, day);
	if (!entry->has_bounds)
	{
		entry->reached = highest_of(memory, place, day - URGENT_DAYS + 1, day - 1, fcinfo);
		entry->enough = highest_of(memory, place, day - URGENT_DAYS, day, fcinfo);
		entry->has_bounds = true;
	}
	if (risk >= entry->enough)
		PG_RETURN_BOOL(true);
	if (risk < entry->reached)
		PG_RETURN_BOOL(false);
	PG_RETURN_NULL();
}
