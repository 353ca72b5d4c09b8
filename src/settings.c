/*-------------------------------------------------------------------------
 *
 * settings.c
 *		The enabled detectors, as iamwatch.detectors has them.
 *
 * Owns this backend's copy, which goes stale like the catalogue's does.
 * Triage and maintenance, when they take days out of a baseline, tell every
 * backend by the same way: a stale copy also means to forget what known.c
 * holds.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "known.h"
#include "objects.h"
#include "settings.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

static MemoryContext settings_context = NULL;
static Detector *detectors = NULL;
static int	detector_count = 0;
static int	kept_days = 0;
static int	deduplication_days = 0;
static Oid	settings_relid = InvalidOid;
static bool settings_ready = false;

bool
settings_are_ready(void)
{
	return settings_ready;
}

void
settings_forget(Oid relid)
{
	if (!OidIsValid(relid) || relid == settings_relid)
	{
		settings_ready = false;
		known_forget();
	}
}

static Datum
row_datum(int row, int column, bool *isnull)
{
	return SPI_getbinval(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, column, isnull);
}

static int
row_int(int row, int column)
{
	bool		isnull;

	return DatumGetInt32(row_datum(row, column, &isnull));
}

static void
load_categories(int row, Detector *detector)
{
	bool		isnull;
	Datum		array = row_datum(row, 7, &isnull);
	Datum	   *elements;

	if (isnull)
		return;
	deconstruct_array(DatumGetArrayTypeP(array), TEXTOID, -1, false, TYPALIGN_INT,
					  &elements, NULL, &detector->ncategories);
	detector->categories = palloc(Max(1, detector->ncategories) * sizeof(char *));
	for (int i = 0; i < detector->ncategories; i++)
		detector->categories[i] = TextDatumGetCString(elements[i]);
}

void
settings_load(void)
{
	if (settings_ready)
		return;

	settings_relid = iamwatch_relation("detectors");
	settings_ready = true;

	if (settings_context == NULL)
		settings_context = AllocSetContextCreate(TopMemoryContext,
												 "iamwatch settings",
												 ALLOCSET_SMALL_SIZES);
	MemoryContextReset(settings_context);
	detector_count = 0;
	known_forget();

	PG_TRY();
	{
		MemoryContext outer;
		bool		isnull;

		SPI_connect();
		if (SPI_execute("SELECT detector, activation_days, training_days, deduplication_days,"
						" probability_limit, least_sensitivity, categories,"
						" (SELECT coalesce(max(training_days + lateness_days), 45) FROM iamwatch.detectors),"
						" (SELECT coalesce(max(deduplication_days), 5) FROM iamwatch.detectors)"
						" FROM iamwatch.detectors WHERE enabled ORDER BY detector",
						true, 0) != SPI_OK_SELECT)
			ereport(ERROR,
					(errcode(ERRCODE_INTERNAL_ERROR),
					 errmsg("could not read \"iamwatch.detectors\"")));

		outer = MemoryContextSwitchTo(settings_context);
		detectors = palloc0(Max(1, SPI_processed) * sizeof(Detector));
		kept_days = 45;
		deduplication_days = 5;
		for (uint64 row = 0; row < SPI_processed; row++)
		{
			Detector   *detector = &detectors[row];

			detector->name = TextDatumGetCString(row_datum(row, 1, &isnull));
			detector->activation_days = row_int(row, 2);
			detector->training_days = row_int(row, 3);
			detector->deduplication_days = row_int(row, 4);
			detector->probability_limit = DatumGetFloat8(row_datum(row, 5, &isnull));
			detector->least_sensitivity = row_int(row, 6);
			load_categories(row, detector);
			kept_days = row_int(row, 8);
			deduplication_days = row_int(row, 9);
		}
		detector_count = SPI_processed;
		MemoryContextSwitchTo(outer);
		SPI_finish();
	}
	PG_CATCH();
	{
		settings_ready = false;
		PG_RE_THROW();
	}
	PG_END_TRY();
}

int
settings_kept_days(void)
{
	return kept_days;
}

int
settings_deduplication_days(void)
{
	return deduplication_days;
}

int
settings_detector_count(void)
{
	return detector_count;
}

const Detector *
settings_detector(int i)
{
	return &detectors[i];
}

bool
detector_watches(const Detector *detector, const Operation *operation)
{
	if (operation->sensitivity < detector->least_sensitivity)
		return false;
	if (detector->categories == NULL)
		return true;
	for (int i = 0; i < detector->ncategories; i++)
		if (strcmp(detector->categories[i], operation->category) == 0)
			return true;
	return false;
}
