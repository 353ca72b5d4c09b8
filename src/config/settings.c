/*-------------------------------------------------------------------------
 *
 * settings.c
 *		The enabled detectors, as iamwatch.detectors has them.
 *
 * Owns this backend's copy (cached_table.c tells how it goes stale), and what
 * follows from all detectors together.  What others derived from a copy is stale
 * with it, so they can ask to be told.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "access/htup_details.h"
#include "access/stratnum.h"
#include "catalog/pg_type.h"
#include "config/detector_columns.h"
#include "config/settings.h"
#include "fmgr.h"
#include "funcapi.h"
#include "server/cached_table.h"
#include "server/objects.h"
#include "server/table.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/typcache.h"

/* What iamwatch_internal.context_of() may find. */
const char *const context_kinds[CONTEXT_KINDS] = {
	"new_network", "new_user_agent", "new_region", "new_key_network", "failed_before", "burst",
	"first_day"
};

/* Of a database without any detector, as the shipped one has them. */
#define DEFAULT_MEMORY_DAYS 180
#define DEFAULT_TRAINING_DAYS 30
#define DEFAULT_LATENESS_DAYS 15
#define DEFAULT_DEDUPLICATION_DAYS 5
#define DEFAULT_DAILY_BUDGET 5

PG_FUNCTION_INFO_V1(iamwatch_kept_days);
PG_FUNCTION_INFO_V1(iamwatch_stored_days);
PG_FUNCTION_INFO_V1(iamwatch_training_days);

static Detector *detectors = NULL;
static int	detector_count = 0;
static int	kept_days = 0;
static int	deduplication_days = 0;
static int	training_days = 0;
static int	memory_days = 0;
static bool watch_more = false;

void		(*settings_changed_hook) (void) = NULL;

static void
tell_others(void)
{
	if (settings_changed_hook != NULL)
		settings_changed_hook();
}

static CachedTable detectors_table = {.name = "detectors", .forgotten = tell_others};

bool
settings_are_ready(void)
{
	return cached_table_is_good(&detectors_table);
}

void
detector_set_categories(Detector *detector, ArrayType *array)
{
	Datum	   *elements;

	deconstruct_array(array, TEXTOID, -1, false, TYPALIGN_INT,
					  &elements, NULL, &detector->ncategories);
	detector->categories = palloc(Max(1, detector->ncategories) * sizeof(char *));
	for (int i = 0; i < detector->ncategories; i++)
		detector->categories[i] = TextDatumGetCString(elements[i]);
}

void
detector_set_effects(Detector *detector, ArrayType *array)
{
	Datum	   *elements;
	int			count;

	deconstruct_array(array, TEXTOID, -1, false, TYPALIGN_INT, &elements, NULL, &count);
	for (int i = 0; i < count; i++)
	{
		char	   *name = TextDatumGetCString(elements[i]);

		detector->effects |= 1 << effect_named((Slice) {name, strlen(name)});
	}
}

/* Can the detector watch what is no IAM operation? */
static bool
can_watch_more(const Detector *detector)
{
	if ((detector->effects & (1 << EFFECT_READ)) != 0)
		return true;
	for (int i = 0; i < detector->ncategories; i++)
		if (category_is_session(detector->categories[i]))
			return true;
	return false;
}

double
detector_widest_limit(double limit, double bits, ArrayType *kinds)
{
	int			count = kinds == NULL ? CONTEXT_KINDS :
		ArrayGetNItems(ARR_NDIM(kinds), ARR_DIMS(kinds));

	return bits == 0 ? limit : Min(1, limit * pow(2, bits * count));
}

static ArrayType *
array_or_null(const TableRow *row, int column)
{
	return row->nulls[column] ? NULL : DatumGetArrayTypeP(row->values[column]);
}

/* What is kept follows from all detectors, also those that are disabled. */
static void
load_row(const TableRow *row)
{
	Detector   *detector;
	int			training = DatumGetInt32(row->values[DETECTORS_TRAINING_DAYS]);
	int			deduplication = DatumGetInt32(row->values[DETECTORS_DEDUPLICATION_DAYS]);
	int			memory = Max(training,
							 Max(DatumGetInt32(row->values[DETECTORS_MEMORY_DAYS]),
								 DatumGetInt32(row->values[DETECTORS_PEER_MEMORY_DAYS])));

	kept_days = Max(kept_days, memory +
					DatumGetInt32(row->values[DETECTORS_LATENESS_DAYS]));
	memory_days = Max(memory_days, memory);
	deduplication_days = Max(deduplication_days, deduplication);
	training_days = Max(training_days, training);
	if (!DatumGetBool(row->values[DETECTORS_ENABLED]))
		return;

	detectors = detectors == NULL ? palloc(sizeof(Detector)) :
		repalloc(detectors, (detector_count + 1) * sizeof(Detector));
	detector = &detectors[detector_count++];
	memset(detector, 0, sizeof(Detector));
	detector->name = TextDatumGetCString(row->values[DETECTORS_DETECTOR]);
	detector->activation_days = DatumGetInt32(row->values[DETECTORS_ACTIVATION_DAYS]);
	detector->training_days = training;
	detector->deduplication_days = deduplication;
	detector->probability_limit =
		detector_widest_limit(DatumGetFloat8(row->values[DETECTORS_PROBABILITY_LIMIT]),
							  DatumGetFloat8(row->values[DETECTORS_CONTEXT_BITS]),
							  array_or_null(row, DETECTORS_CONTEXT_KINDS));
	detector->least_sensitivity = DatumGetInt32(row->values[DETECTORS_LEAST_SENSITIVITY]);
	if (!row->nulls[DETECTORS_CATEGORIES])
		detector_set_categories(detector, array_or_null(row, DETECTORS_CATEGORIES));
	detector_set_effects(detector, array_or_null(row, DETECTORS_EFFECTS));
	watch_more |= can_watch_more(detector);
}

static int
compare_detectors(const void *a, const void *b)
{
	return strcmp(((const Detector *) a)->name, ((const Detector *) b)->name);
}

void
settings_load(void)
{
	if (cached_table_is_good(&detectors_table))
		return;

	(void) cached_table_begin(&detectors_table);
	detectors = NULL;
	watch_more = false;
	detector_count = kept_days = deduplication_days = training_days = memory_days = 0;
	table_read(detectors_table.relid, detectors_table.context, load_row);
	if (detector_count > 0)
		qsort(detectors, detector_count, sizeof(Detector), compare_detectors);
	else if (kept_days == 0)
	{
		kept_days = DEFAULT_MEMORY_DAYS + DEFAULT_LATENESS_DAYS;
		deduplication_days = DEFAULT_DEDUPLICATION_DAYS;
		training_days = DEFAULT_TRAINING_DAYS;
		memory_days = DEFAULT_MEMORY_DAYS;
	}
	cached_table_end(&detectors_table);
}

int
settings_kept_days(void)
{
	Assert(kept_days > 0);		/* loaded once at least */
	return kept_days;
}

/* By their checks, no settings allow less. */
#define LEAST_KEPT_DAYS 1

bool
settings_is_late(int32 day, int32 newest)
{
	if (!day_is_late(day, newest, LEAST_KEPT_DAYS))
		return false;
	settings_load();
	return day_is_late(day, newest, kept_days);
}

/* kept_days() RETURNS integer */
Datum
iamwatch_kept_days(PG_FUNCTION_ARGS)
{
	settings_load();
	PG_RETURN_INT32(kept_days);
}

/*
 * stored_days() RETURNS integer: an event may be as late as the days that are
 * kept, and looks back the longest memory from there.
 */
Datum
iamwatch_stored_days(PG_FUNCTION_ARGS)
{
	settings_load();
	PG_RETURN_INT32(kept_days + memory_days);
}

/* training_days() RETURNS integer */
Datum
iamwatch_training_days(PG_FUNCTION_ARGS)
{
	settings_load();
	PG_RETURN_INT32(training_days);
}

int
settings_deduplication_days(void)
{
	return deduplication_days;
}

int
settings_training_days(void)
{
	return training_days;
}

int
settings_detector_count(void)
{
	return detector_count;
}

const Detector *
settings_detector(int i)
{
	Assert(i >= 0 && i < detector_count);
	return &detectors[i];
}

const Detector *
settings_kept_detectors(int *count)
{
	Detector   *kept = palloc(Max(1, detector_count) * sizeof(Detector));

	*count = detector_count;
	for (int i = 0; i < detector_count; i++)
	{
		kept[i] = detectors[i];
		kept[i].name = pstrdup(detectors[i].name);
		if (detectors[i].categories == NULL)
			continue;
		kept[i].categories = palloc(Max(1, kept[i].ncategories) * sizeof(char *));
		for (int j = 0; j < kept[i].ncategories; j++)
			kept[i].categories[j] = pstrdup(detectors[i].categories[j]);
	}
	return kept;
}

bool
settings_may_activate_on(TimestampTz account_first, int32 day)
{
	/* begun days count, and where one ends may be a matter of microseconds */
	int32		days = ((TimestampTz) day * USECS_PER_DAY - account_first) / USECS_PER_DAY;
	ScanKeyData keys[3];

	for (int i = 0; i < lengthof(keys); i++)
		ScanKeyInit(&keys[i], 1, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(days - 1 + i));
	return index_may_have(public_namespace(), "detectors_activation", keys, lengthof(keys));
}

static IncidentSettings incident_settings;

static void
load_incident_settings(const TableRow *row)
{
	incident_settings.deduplication_days =
		DatumGetInt32(row->values[DETECTORS_DEDUPLICATION_DAYS]);
	incident_settings.daily_budget = DatumGetInt32(row->values[DETECTORS_DAILY_BUDGET]);
}

IncidentSettings
settings_of_incidents(Slice detector)
{
	TableKey	key = {DETECTORS_DETECTOR, detector};

	incident_settings = (IncidentSettings) {DEFAULT_DEDUPLICATION_DAYS, DEFAULT_DAILY_BUDGET};
	table_look_up(public_relation("detectors"), public_relation("detectors_pkey"), &key, 1,
				  CurrentMemoryContext, load_incident_settings);
	return incident_settings;
}

/* Of the row that was looked up last; NULL if there was none. */
static HeapTupleHeader row_found;

static void
load_as_datum(const TableRow *row)
{
	TupleDesc	desc = lookup_rowtype_tupdesc(public_type("detectors"), -1);
	HeapTuple	tuple = heap_form_tuple(desc, row->values, row->nulls);

	row_found = DatumGetHeapTupleHeader(heap_copy_tuple_as_datum(tuple, desc));
	ReleaseTupleDesc(desc);
}

bool
settings_row(const Detector *detector, Datum *row)
{
	TableKey	key = {DETECTORS_DETECTOR, {detector->name, (int) strlen(detector->name)}};

	row_found = NULL;
	table_look_up(public_relation("detectors"), public_relation("detectors_pkey"), &key, 1,
				  CurrentMemoryContext, load_as_datum);
	if (row_found == NULL)
		return false;
	*row = HeapTupleHeaderGetDatum(row_found);
	return true;
}

bool
settings_watch_more(void)
{
	return watch_more;
}

bool
settings_watches_more(const Operation *operation)
{
	if (!watch_more)
		return false;
	for (int i = 0; i < detector_count; i++)
		if (detector_watches(&detectors[i], operation))
			return true;
	return false;
}

bool
detector_watches(const Detector *detector, const Operation *operation)
{
	if (operation->sensitivity < detector->least_sensitivity ||
		(detector->effects & (1 << operation->effect)) == 0)
		return false;
	if (detector->categories == NULL)
		return !category_is_session(operation->category);
	for (int i = 0; i < detector->ncategories; i++)
		if (strcmp(detector->categories[i], operation->category) == 0)
			return true;
	return false;
}
