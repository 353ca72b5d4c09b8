/*-------------------------------------------------------------------------
 *
 * backtest.c
 *		What other settings would have raised over what a source holds, for SQL.
 *
 * A source is read twice, however many settings there are: for the days of its
 * baseline keys, which backtest_keys.c sorts, and for the events of the behaviours
 * that are unusual by any of the settings.  Between the two backtest_days.c finds
 * out which these are, and backtest_alerts.c then has all settings raise their
 * alerts in one pass.  Days and events are in order of account and identity, and
 * whoever goes through them remembers one of each, so memory is bounded.
 *
 * Reads sources by the functions in SQL that do, with the rights of who calls.
 * Must never write a table.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "detect/backtest.h"
#include "executor/executor.h"
#include "executor/spi.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "server/given.h"
#include "server/lock.h"
#include "server/objects.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/float.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "utils/typcache.h"

PG_FUNCTION_INFO_V1(iamwatch_backtest_rows);
PG_FUNCTION_INFO_V1(iamwatch_backtest_numbers);

#define PHASE_NONE 0
#define PHASE_READING 1
#define PHASE_FETCHING 3

#define ROWS_AT_ONCE 1000

typedef struct Backtest
{
	Oid			source;
	Datum	   *relations;		/* that hold its rows, to be read one by one */
	int			relation_count;
	Name		event_column;
	Datum		row;			/* of iamwatch.detectors: the first setting */
	TriedSettings settings;
	MemoryContext context;
} Backtest;

/* ---- settings ---- */

static TriedSetting
setting_of(HeapTupleHeader row)
{
	TriedSetting setting;
	Detector   *detector = &setting.detector;
	bool		isnull;
	Datum		value;

	memset(&setting, 0, sizeof(setting));
	detector->activation_days = DatumGetInt32(given_field_named(row, "activation_days"));
	detector->training_days = DatumGetInt32(given_field_named(row, "training_days"));
	detector->probability_limit = DatumGetFloat8(given_field_named(row, "probability_limit"));
	detector->least_sensitivity = DatumGetInt32(given_field_named(row, "least_sensitivity"));
	detector_set_effects(detector, DatumGetArrayTypeP(given_field_named(row, "effects")));
	value = GetAttributeByName(row, "categories", &isnull);
	if (!isnull)
		detector_set_categories(detector, DatumGetArrayTypeP(value));
	setting.deduplication_days = DatumGetInt32(given_field_named(row, "deduplication_days"));
	setting.memory_days = DatumGetInt32(given_field_named(row, "memory_days"));
	setting.peer_memory_days = DatumGetInt32(given_field_named(row, "peer_memory_days"));
	setting.daily_budget = DatumGetInt32(given_field_named(row, "daily_budget"));
	value = GetAttributeByName(row, "least_risk", &isnull);
	setting.least_risk = isnull ? -get_float8_infinity() : DatumGetFloat8(value);
	setting.technique = TextDatumGetCString(given_field_named(row, "technique"));
	return setting;
}

static bool
watch_alike(const Detector *a, const Detector *b)
{
	if (a->least_sensitivity != b->least_sensitivity || a->effects != b->effects ||
		(a->categories == NULL) != (b->categories == NULL) || a->ncategories != b->ncategories)
		return false;
	for (int i = 0; i < a->ncategories; i++)
		if (strcmp(a->categories[i], b->categories[i]) != 0)
			return false;
	return true;
}

/* All but the limit, and what is made of the scores. */
static bool
score_alike(const TriedSetting *a, const TriedSetting *b)
{
	return a->detector.activation_days == b->detector.activation_days &&
		a->detector.training_days == b->detector.training_days &&
		a->memory_days == b->memory_days && a->peer_memory_days == b->peer_memory_days &&
		watch_alike(&a->detector, &b->detector);
}

static void
take_settings(Backtest *test, ArrayType *array)
{
	Oid			type = ARR_ELEMTYPE(array);
	int16		length;
	bool		by_value;
	char		align;
	Datum	   *rows;
	bool	   *nulls;
	TriedSetting *items;

	get_typlenbyvalalign(type, &length, &by_value, &align);
	deconstruct_array(array, type, length, by_value, align, &rows, &nulls, &test->settings.n);
	if (test->settings.n == 0)
		return;
	test->settings.items = items = palloc(test->settings.n * sizeof(TriedSetting));
	test->row = rows[0];
	for (int i = 0; i < test->settings.n; i++)
	{
		if (nulls[i])
			refuse_null("a setting of a backtest");
		items[i] = setting_of(DatumGetHeapTupleHeader(rows[i]));
		items[i].alike = 0;
		while (!score_alike(&items[i], &items[items[i].alike]))
			items[i].alike++;
	}
	for (int i = 0; i < test->settings.n; i++)
		for (int j = 0; j < test->settings.n; j++)
			if (items[j].alike == items[i].alike)
				items[i].widest_limit = Max(items[i].widest_limit, items[j].detector.probability_limit);
}

/* ---- reading ---- */

typedef void (*TakeRow) (HeapTuple row, TupleDesc desc, void *taker);

/*
 * Each relation in turn, by a function that reads it.  Rows are taken in a
 * memory context that is gone with the next ones.
 */
static void
read_relations(const Backtest *test, int phase, const char *sql, bytea *filter, TakeRow take, void *taker)
{
	MemoryContext scratch = AllocSetContextCreate(CurrentMemoryContext, "iamwatch backtest rows", ALLOCSET_DEFAULT_SIZES);
	Oid			types[] = {REGCLASSOID, NAMEOID, BYTEAOID};

	for (int i = 0; i < test->relation_count; i++)
	{
		Datum		values[] = {test->relations[i], NameGetDatum(test->event_column), PointerGetDatum(filter)};
		Portal		portal;

		lock_show_progress(test->source, phase, i, test->relation_count);
		portal = SPI_cursor_open_with_args(NULL, sql, filter == NULL ? 2 : 3, types, values, NULL, true, 0);
		do
		{
			MemoryContext outer;

			SPI_cursor_fetch(portal, true, ROWS_AT_ONCE);
			outer = MemoryContextSwitchTo(scratch);
			for (uint64 row = 0; row < SPI_processed; row++)
				take(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, taker);
			MemoryContextSwitchTo(outer);
			MemoryContextReset(scratch);
			SPI_freetuptable(SPI_tuptable);
		} while (SPI_processed > 0);
		SPI_cursor_close(portal);
	}
	MemoryContextDelete(scratch);
}

static void
take_days(HeapTuple row, TupleDesc desc, void *taker)
{
	bool		isnull;
	Datum		key = SPI_getbinval(row, desc, 1, &isnull);
	Datum		days;
	Datum		first;

	if (isnull)
		return;
	days = SPI_getbinval(row, desc, 2, &isnull);
	first = SPI_getbinval(row, desc, 3, &isnull);
	sorted_keys_add(taker, key, days, DatumGetTimestampTz(first));
}

/* ---- the events of what is unusual ---- */

static Slice
text_of(HeapTuple row, TupleDesc desc, int column)
{
	bool		isnull;
	Datum		value = SPI_getbinval(row, desc, column, &isnull);

	return isnull ? SLICE_NONE : slice_of_text(value);
}

static void
take_event(HeapTuple row, TupleDesc desc, void *taker)
{
	bool		isnull;
	Slice		key = text_of(row, desc, 1);
	BacktestEvent event = {
		.behaviour = baseline_key_behaviour(key), .kind = baseline_key_kind(key),
		.time = DatumGetTimestampTz(SPI_getbinval(row, desc, 2, &isnull)),
		.event_id = text_of(row, desc, 3), .instance_id = text_of(row, desc, 4), .source = text_of(row, desc, 5)
	};

	sorted_events_add(taker, &event);
}

/* ---- all of it ---- */

static void
run_backtest(Backtest *test, TakeAlert take, void *taker)
{
	MemoryContext outer = MemoryContextSwitchTo(test->context);
	SortedKeys *keys = sorted_keys_begin();
	SortedEvents *events = sorted_events_begin();
	BacktestDays days;
	bytea	   *unusual;

	read_relations(test, PHASE_READING, "SELECT d.key, d.days, d.first"
				   " FROM iamwatch_internal.read_days($1, $2, NULL, NULL) AS d", NULL, take_days, keys);
	backtest_days_init(&days, &test->settings, keys);
	unusual = backtest_days_unusual(&days, test->source);
	if (unusual != NULL)
		read_relations(test, PHASE_FETCHING, "SELECT e.key, e.at, e.event_id, e.instance_id, e.source"
					   " FROM iamwatch_internal.read_details($1, $2, $3) AS e", unusual, take_event, events);
	backtest_raise(events, &days, test->row, test->source, take, taker);
	sorted_events_end(events);
	sorted_keys_end(keys);
	MemoryContextSwitchTo(outer);
	lock_show_progress(test->source, PHASE_NONE, 0, 0);
}

/*
 * The arguments of both functions: source regclass, relations regclass[],
 * event_column name, settings iamwatch.detectors[].
 */
static Backtest *
begin_backtest(FunctionCallInfo fcinfo)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "iamwatch backtest", ALLOCSET_DEFAULT_SIZES);
	MemoryContext outer = MemoryContextSwitchTo(context);
	Backtest   *test = palloc0(sizeof(Backtest));
	bool	   *nulls;

	for (int i = 0; i < PG_NARGS(); i++)
		if (PG_ARGISNULL(i))
			refuse_null("argument %d of a backtest", i + 1);
	test->context = context;
	test->source = PG_GETARG_OID(0);
	deconstruct_array(PG_GETARG_ARRAYTYPE_P(1), REGCLASSOID, sizeof(Oid), true, TYPALIGN_INT,
					  &test->relations, &nulls, &test->relation_count);
	for (int i = 0; i < test->relation_count; i++)
		if (nulls[i])
			refuse_null("a relation of a backtest");
	test->event_column = PG_GETARG_NAME(2);
	take_settings(test, PG_GETARG_ARRAYTYPE_P(3));
	MemoryContextSwitchTo(outer);
	return test;
}

/* ---- alerts as rows ---- */

typedef struct RowTaker
{
	const Backtest *test;
	ReturnSetInfo *result;
	TupleDesc	score_desc;
	MemoryContext scratch;
} RowTaker;

/* A row of iamwatch_internal.score. */
static Datum
score_datum(const RowTaker *into, const TriedAlert *alert)
{
	const DayScore *score = &alert->score;
	const RiskCounts *counts = &alert->counts;
	bool		nulls[11] = {false};
	Datum		values[11] = {
		Int32GetDatum(score->k), Int32GetDatum(score->active), Int64GetDatum(score->peer_days),
		Int64GetDatum(score->peer_active), Float8GetDatum(score->probability),
		Int32GetDatum(counts->k), Int32GetDatum(counts->active), Int32GetDatum(counts->iam_days),
		Int64GetDatum(counts->peer_days), Int64GetDatum(counts->peer_active), Int64GetDatum(counts->peer_iam_days)
	};

	if (into->score_desc->natts != lengthof(values))
		ereport(ERROR,
				(errcode(ERRCODE_INTERNAL_ERROR),
				 errmsg("type iamwatch_internal.score has %d attributes, not %d",
						into->score_desc->natts, (int) lengthof(values)),
				 errhint("Run ALTER EXTENSION iamwatch UPDATE.")));
	return HeapTupleGetDatum(heap_form_tuple(into->score_desc, values, nulls));
}

static void
take_row(void *taker, int setting, const TriedAlert *alert)
{
	RowTaker   *into = taker;
	const BaselineKey *key = alert->key;
	const Operation *operation = &alert->behaviour->operation->catalogued;
	MemoryContext outer = MemoryContextSwitchTo(into->scratch);
	bool		nulls[18] = {false};
	Datum		values[18] = {
		Int32GetDatum(setting + 1), CStringGetTextDatum(alert->variation->severity),
		CStringGetTextDatum(alert->variation->name), TimestampTzGetDatum(alert->first),
		TimestampTzGetDatum(alert->last), Int64GetDatum(alert->events),
		CStringGetTextDatum(provider_names[key->provider]), slice_text(key->account), slice_text(key->identity),
		CStringGetTextDatum(kind_names[key->kind]), slice_text(key->service), slice_text(key->operation),
		BoolGetDatum(key->failed), CStringGetTextDatum(operation->category), Int32GetDatum(operation->sensitivity),
		CStringGetTextDatum(operation->technique[0] != '\0' ? operation->technique :
							into->test->settings.items[setting].technique),
		Float8GetDatum(alert->risk), score_datum(into, alert)
	};

	Assert(into->result->setDesc->natts == lengthof(values));
	tuplestore_putvalues(into->result->setResult, into->result->setDesc, values, nulls);
	MemoryContextSwitchTo(outer);
	MemoryContextReset(into->scratch);
}

/* An empty store for the rows of a call, as its result. */
static ReturnSetInfo *
begin_result(FunctionCallInfo fcinfo, int columns)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	MemoryContext outer;
	TupleDesc	desc;

	if (result == NULL || !IsA(result, ReturnSetInfo) || (result->allowedModes & SFRM_Materialize) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("set-valued function called in context that cannot accept a set")));
	outer = MemoryContextSwitchTo(result->econtext->ecxt_per_query_memory);
	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE || desc->natts != columns)
		elog(ERROR, "return type must be a row type of %d columns", columns);
	result->returnMode = SFRM_Materialize;
	result->setResult = tuplestore_begin_heap((result->allowedModes & SFRM_Materialize_Random) != 0, false, work_mem);
	result->setDesc = BlessTupleDesc(desc);
	MemoryContextSwitchTo(outer);
	return result;
}

/* backtest_rows(source, relations, event_column, settings) RETURNS SETOF record: a row an alert */
Datum
iamwatch_backtest_rows(PG_FUNCTION_ARGS)
{
	Backtest   *test = begin_backtest(fcinfo);
	RowTaker	into = {.test = test};

	into.result = begin_result(fcinfo, 18);
	into.scratch = AllocSetContextCreate(test->context, "iamwatch backtest row", ALLOCSET_DEFAULT_SIZES);
	if (test->settings.n > 0)
	{
		into.score_desc = lookup_rowtype_tupdesc_copy(internal_type("score"), -1);
		BlessTupleDesc(into.score_desc);
		SPI_connect();
		run_backtest(test, take_row, &into);
		SPI_finish();
	}
	MemoryContextDelete(test->context);
	return (Datum) 0;
}

/* ---- numbers ---- */

/* Of one setting; the first column numbers it. */
static void
put_numbers(ReturnSetInfo *result, int setting, const SettingNumbers *n)
{
	Datum		names[SEVERITIES];
	Datum		counts[SEVERITIES];
	int			count = 0;
	bool		nulls[11] = {false};
	Datum		values[11] = {
		Int32GetDatum(setting + 1), Int64GetDatum(n->alerts), TimestampTzGetDatum(n->first),
		TimestampTzGetDatum(n->last), Int64GetDatum(n->identities), (Datum) 0, (Datum) 0,
		Int64GetDatum(n->fresh), Int64GetDatum(n->gone), Int64GetDatum(n->incidents), Int64GetDatum(n->urgent)
	};

	for (int rank = 0; rank < SEVERITIES; rank++)
		if (n->by_severity[rank] > 0)
		{
			names[count] = CStringGetTextDatum(n->severities[rank]);
			counts[count++] = Int64GetDatum(n->by_severity[rank]);
		}
	nulls[2] = nulls[3] = n->alerts == 0;
	values[5] = PointerGetDatum(construct_array(names, count, TEXTOID, -1, false, TYPALIGN_INT));
	values[6] = PointerGetDatum(construct_array(counts, count, INT8OID, sizeof(int64), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

/* backtest_numbers(source, relations, event_column, settings) RETURNS SETOF record: a row a setting */
Datum
iamwatch_backtest_numbers(PG_FUNCTION_ARGS)
{
	Backtest   *test = begin_backtest(fcinfo);
	ReturnSetInfo *result = begin_result(fcinfo, 11);
	BacktestNumbers *counting;
	const SettingNumbers *numbers;

	if (test->settings.n > 0)
	{
		SPI_connect();
		counting = backtest_numbers_begin(&test->settings);
		run_backtest(test, backtest_numbers_take, counting);
		numbers = backtest_numbers_end(counting);
		for (int i = 0; i < test->settings.n; i++)
			put_numbers(result, i, &numbers[i]);
		SPI_finish();
	}
	MemoryContextDelete(test->context);
	return (Datum) 0;
}
