/*-------------------------------------------------------------------------
 *
 * backtest_alerts.c
 *		The alerts that each of several settings raises of the same events.
 *
 * Events are sorted once, by behaviour and time, on disk if need be.  Then one
 * pass over them goes through all settings side by side: of each, all that is
 * remembered is the alert that is open and the day that was declined, as of
 * iamwatch_internal.assign_to_alerts() for a behaviour without a past.  What is
 * the same for all settings is found out once: what the event is called, how its
 * day scores, and whether it was delivered before.
 *
 * Must never write a table.  What an alert becomes is the business of who takes
 * it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "access/tupdesc.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_type.h"
#include "detect/backtest.h"
#include "detect/weigh.h"
#include "event/day.h"
#include "executor/spi.h"
#include "executor/tuptable.h"
#include "miscadmin.h"
#include "server/lock.h"
#include "server/objects.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "utils/tuplesort.h"
#include "utils/typcache.h"

#define PHASE_RAISING 4
#define PERCENT 100

/* Columns of a sorted row: the order, and then the rest of the event. */
enum
{
	ROW_BEHAVIOUR,
	ROW_TIME,
	ROW_EVENT_ID,
	ROW_KEY,
	ROW_INSTANCE_ID,
	ROW_SOURCE,
	ROW_COLUMNS
};
#define ORDER_COLUMNS 3

struct BacktestEvents
{
	BacktestDays *days;
	MemoryContext scratch;		/* of a row */
	Tuplesortstate *sort;
	TupleTableSlot *slot;
	TupleTableSlot *sorted;
	int64		count;
};

/* ---- sorting ---- */

BacktestEvents *
backtest_events_begin(BacktestDays *days)
{
	static const Oid types[ROW_COLUMNS] = {INT4OID, INT8OID, TEXTOID, INT4OID, TEXTOID, TEXTOID};
	BacktestEvents *events = palloc0(sizeof(BacktestEvents));
	TupleDesc	desc = CreateTemplateTupleDesc(ROW_COLUMNS);
	AttrNumber	columns[ORDER_COLUMNS] = {ROW_BEHAVIOUR + 1, ROW_TIME + 1, ROW_EVENT_ID + 1};
	Oid			operators[ORDER_COLUMNS];
	Oid			collations[ORDER_COLUMNS] = {InvalidOid, InvalidOid, C_COLLATION_OID};
	bool		nulls_first[ORDER_COLUMNS] = {false, false, false};

	for (int i = 0; i < ROW_COLUMNS; i++)
		TupleDescInitEntry(desc, i + 1, "", types[i], -1, 0);
	for (int i = 0; i < ORDER_COLUMNS; i++)
		operators[i] = lookup_type_cache(types[columns[i] - 1], TYPECACHE_LT_OPR)->lt_opr;
	events->days = days;
	events->scratch = AllocSetContextCreate(CurrentMemoryContext, "iamwatch backtest event", ALLOCSET_DEFAULT_SIZES);
	events->sort = tuplesort_begin_heap(desc, ORDER_COLUMNS, columns, operators, collations,
										nulls_first, work_mem, NULL, 0);
	events->slot = MakeSingleTupleTableSlot(desc, &TTSOpsVirtual);
	events->sorted = MakeSingleTupleTableSlot(desc, &TTSOpsMinimalTuple);
	return events;
}

static void
put_text(TupleTableSlot *slot, int column, Slice text)
{
	slot->tts_isnull[column] = text.s == NULL;
	slot->tts_values[column] = text.s == NULL ? (Datum) 0 : slice_text(text);
}

void
backtest_events_add(BacktestEvents *events, const BacktestEvent *event)
{
	MemoryContext outer = MemoryContextSwitchTo(events->scratch);
	TupleTableSlot *slot = events->slot;

	ExecClearTuple(slot);
	memset(slot->tts_isnull, false, ROW_COLUMNS * sizeof(bool));
	slot->tts_values[ROW_BEHAVIOUR] = Int32GetDatum(event->key->behaviour);
	slot->tts_values[ROW_TIME] = Int64GetDatum(event->time);
	slot->tts_values[ROW_KEY] = Int32GetDatum((int32) (event->key - events->days->keys));
	put_text(slot, ROW_EVENT_ID, event->event_id);
	put_text(slot, ROW_INSTANCE_ID, event->instance_id);
	put_text(slot, ROW_SOURCE, event->source);
	ExecStoreVirtualTuple(slot);
	tuplesort_puttupleslot(events->sort, slot);
	events->count++;
	MemoryContextSwitchTo(outer);
	MemoryContextReset(events->scratch);
}

static Slice
get_text(TupleTableSlot *slot, int column)
{
	return slot->tts_isnull[column] ? SLICE_NONE : slice_of_text(slot->tts_values[column]);
}

/* The next one in order; its strings are good until the one after it. */
static bool
next_event(BacktestEvents *events, BacktestEvent *event)
{
	TupleTableSlot *slot = events->sorted;

	if (!tuplesort_gettupleslot(events->sort, true, false, slot, NULL))
		return false;
	slot_getallattrs(slot);
	event->key = &events->days->keys[DatumGetInt32(slot->tts_values[ROW_KEY])];
	event->time = DatumGetInt64(slot->tts_values[ROW_TIME]);
	event->event_id = get_text(slot, ROW_EVENT_ID);
	event->instance_id = get_text(slot, ROW_INSTANCE_ID);
	event->source = get_text(slot, ROW_SOURCE);
	return true;
}

/* ---- which were delivered before ---- */

/* Where an event with the id was last met; the id lies in the table's memory. */
typedef struct MetId
{
	Slice		event_id;
	int64		position;
	uint32		status;
} MetId;

#define SH_PREFIX met
#define SH_ELEMENT_TYPE MetId
#define SH_KEY_TYPE Slice
#define SH_KEY event_id
#define SH_HASH_KEY(tb, key) ((uint32) slice_hash(key, 0))
#define SH_EQUAL(tb, a, b) slice_equal(a, b)
#define SH_SCOPE static inline
#define SH_DEFINE
#define SH_DECLARE
#include "lib/simplehash.h"

/* ---- what is remembered while going through the events ---- */

typedef struct OpenAlert
{
	bool		is_open;
	TimestampTz until;			/* the end of its deduplication period */
	int64		opened_at;		/* position of the event that opened it */
	TriedAlert	alert;
} OpenAlert;

typedef struct SettingState
{
	OpenAlert	open;
	int32		declined;		/* the last day of which the risk was too low */
	TimestampTz active_from;	/* of the account of the behaviour */
} SettingState;

/* The last day that was scored for settings that score alike. */
typedef struct LastScore
{
	const KeyDays *key;
	int32		day;
	DayScore	score;
} LastScore;

#define NO_DAY PG_INT32_MIN

/* A kind of identity, by which events are called alike if no instance faces the Internet. */
typedef struct KnownVariation
{
	Provider	provider;
	IdentityKind kind;
	const TriedVariation *variation;
} KnownVariation;

typedef struct Raising
{
	BacktestDays *days;
	const TriedSettings *settings;
	AlertSettings detector;		/* of the first setting */
	TakeAlert	take;
	void	   *taker;
	int			behaviour;
	SettingState *states;
	LastScore  *scores;
	TimestampTz covered_until;	/* by an open alert of any setting */
	MemoryContext ids;			/* of those that were met while one was open */
	met_hash   *met;
	MemoryContext scratch;
	MemoryContext context;		/* of all that stays */
	bool		some_face_internet;
	List	   *variations;
	List	   *known;
} Raising;

/* ---- what an event is called ---- */

static const TriedVariation *
keep_variation(Raising *raising, const Variation *weighed)
{
	char	   *name = weighed->has_name ? TextDatumGetCString(weighed->name) : NULL;
	char	   *severity = TextDatumGetCString(weighed->severity);
	int			rank = severity_rank(weighed->severity);
	MemoryContext outer;
	TriedVariation *variation;
	ListCell   *cell;

	if (name == NULL || rank < 1 || rank > SEVERITIES)
		ereport(ERROR,
				(errcode(ERRCODE_INTERNAL_ERROR), errmsg("a variation has no name or severity")));
	foreach(cell, raising->variations)
	{
		variation = lfirst(cell);
		if (strcmp(variation->name, name) == 0 && strcmp(variation->severity, severity) == 0)
			return variation;
	}
	outer = MemoryContextSwitchTo(raising->context);
	variation = palloc(sizeof(TriedVariation));
	*variation = (TriedVariation) {pstrdup(name), pstrdup(severity), rank};
	raising->variations = lappend(raising->variations, variation);
	MemoryContextSwitchTo(outer);
	return variation;
}

static const TriedVariation *
ask_variation(Raising *raising, const BacktestEvent *event)
{
	const BaselineKey *key = &event->key->fields;
	Event		row;
	Datum		event_row;
	EventColumns columns;
	Variation	variation;

	memset(&row, 0, sizeof(row));
	row.provider = key->provider;
	row.account = key->account;
	row.identity = key->identity;
	row.kind = key->kind;
	row.service = key->service;
	row.operation = key->operation;
	row.failed = key->failed;
	row.time = event->time;
	row.event_id = event->event_id;
	row.instance_id = event->instance_id;
	row.source = event->source;
	event_row = event_to_datum(&row);
	event_columns(DatumGetHeapTupleHeader(event_row), &columns);
	variation = weigh_variation(&raising->detector, &columns, event_row);
	return keep_variation(raising, &variation);
}

static const TriedVariation *
variation_of(Raising *raising, const BacktestEvent *event)
{
	const BaselineKey *key = &event->key->fields;
	MemoryContext outer;
	const TriedVariation *variation;
	KnownVariation *known;
	ListCell   *cell;

	if (!raising->some_face_internet)
		foreach(cell, raising->known)
	{
		known = lfirst(cell);
		if (known->provider == key->provider && known->kind == key->kind)
			return known->variation;
	}
	outer = MemoryContextSwitchTo(raising->scratch);
	variation = ask_variation(raising, event);
	if (!raising->some_face_internet)
	{
		MemoryContextSwitchTo(raising->context);
		known = palloc(sizeof(KnownVariation));
		*known = (KnownVariation) {key->provider, key->kind, variation};
		raising->known = lappend(raising->known, known);
	}
	MemoryContextSwitchTo(outer);
	MemoryContextReset(raising->scratch);
	return variation;
}

static void
begin_variations(Raising *raising)
{
	bool		isnull;

	if (SPI_execute("SELECT EXISTS (SELECT FROM iamwatch.instances AS i WHERE i.internet_facing)"
					" OR EXISTS (SELECT FROM iamwatch.instance_history AS h WHERE h.internet_facing)",
					true, 1) != SPI_OK_SELECT)
		ereport(ERROR,
				(errcode(ERRCODE_INTERNAL_ERROR), errmsg("a statement of iamwatch failed")));
	raising->some_face_internet =
		DatumGetBool(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull));
}

/* ---- one event after the other ---- */

static void
close_alert(Raising *raising, int setting)
{
	OpenAlert  *open = &raising->states[setting].open;

	if (open->is_open)
		raising->take(raising->taker, setting, &open->alert);
	open->is_open = false;
}

static void
begin_behaviour(Raising *raising, int behaviour)
{
	BacktestDays *days = raising->days;
	const BacktestAccount *account;

	for (int s = 0; s < raising->settings->n; s++)
		close_alert(raising, s);
	raising->behaviour = behaviour;
	raising->covered_until = PG_INT64_MIN;
	if (behaviour < 0)
		return;
	backtest_turn_to(days, days->identities[days->behaviours[behaviour].identity].account);
	account = &days->accounts[days->account];
	for (int s = 0; s < raising->settings->n; s++)
	{
		raising->states[s].declined = NO_DAY;
		raising->states[s].active_from =
			detector_active_from(&raising->settings->items[s].detector, account->first);
		raising->scores[s].key = NULL;
	}
}

/* The score of the event's day, or NULL if it is not unusual. */
static const DayScore *
unusual_score(Raising *raising, int s, const BacktestEvent *event)
{
	const TriedSetting *setting = &raising->settings->items[s];
	LastScore  *last = &raising->scores[setting->alike];
	int32		day = day_of(event->time);

	if (event->time < raising->states[s].active_from)
		return NULL;
	if (last->key != event->key || last->day != day)
		*last = (LastScore) {event->key, day, backtest_score(raising->days, setting, event->key, day)};
	return last->score.is_unusual && last->score.probability < setting->detector.probability_limit ?
		&last->score : NULL;
}

/* A day is scored once, by the first event that may open an alert. */
static void
open_alert(Raising *raising, int s, const BacktestEvent *event, int64 position)
{
	const TriedSetting *setting = &raising->settings->items[s];
	SettingState *state = &raising->states[s];
	OpenAlert  *open = &state->open;
	int32		day = day_of(event->time);
	int			operation = raising->days->behaviours[raising->behaviour].operation;
	const DayScore *score;
	RiskCounts	counts;
	double		risk;

	if (!raising->days->operations[operation].is_watched[s] || day == state->declined ||
		(score = unusual_score(raising, s, event)) == NULL)
		return;
	counts = backtest_risk_counts(raising->days, setting, event->key, day);
	risk = score_risk(&counts, raising->days->operations[operation].catalogued.sensitivity);
	if (risk < setting->least_risk)
	{
		state->declined = day;
		return;
	}
	open->is_open = true;
	open->until = event->time + setting->deduplication_days * USECS_PER_DAY;
	open->opened_at = position;
	open->alert = (TriedAlert) {
		.key = event->key, .first = event->time, .last = event->time, .events = 1,
		.variation = variation_of(raising, event), .score = *score, .counts = counts, .risk = risk
	};
	raising->covered_until = Max(raising->covered_until, open->until);
}

static void
join_alert(Raising *raising, OpenAlert *open, const BacktestEvent *event, const TriedVariation **variation)
{
	if (*variation == NULL)
		*variation = variation_of(raising, event);
	open->alert.events++;
	open->alert.last = event->time;
	if ((*variation)->rank > open->alert.variation->rank)
		open->alert.variation = *variation;
}

/*
 * Where the event was met before, if that was after an alert was opened which
 * is still open: each event from then on is one of the alert's.
 */
static int64
met_before(Raising *raising, const BacktestEvent *event)
{
	MetId	   *met;

	if (event->time >= raising->covered_until && raising->met->members > 0)
	{
		MemoryContextReset(raising->ids);
		raising->met = met_create(raising->ids, 64, NULL);
	}
	met = event->event_id.s == NULL ? NULL : met_lookup(raising->met, event->event_id);
	return met == NULL ? -1 : met->position;
}

static void
meet(Raising *raising, const BacktestEvent *event, int64 position)
{
	bool		found;
	MetId	   *met;

	if (event->event_id.s == NULL || event->time >= raising->covered_until)
		return;
	met = met_insert(raising->met, event->event_id, &found);
	if (!found)
	{
		char	   *copy = MemoryContextAlloc(raising->ids, Max(1, event->event_id.len));

		memcpy(copy, event->event_id.s, event->event_id.len);
		met->event_id.s = copy;
	}
	met->position = position;
}

static void
raise_event(Raising *raising, const BacktestEvent *event, int64 position)
{
	const TriedVariation *variation = NULL;
	int64		before;

	if (event->key->behaviour != raising->behaviour)
		begin_behaviour(raising, event->key->behaviour);
	before = met_before(raising, event);
	for (int s = 0; s < raising->settings->n; s++)
	{
		OpenAlert  *open = &raising->states[s].open;

		if (open->is_open && event->time < open->until)
		{
			if (before < open->opened_at)
				join_alert(raising, open, event, &variation);
			continue;
		}
		close_alert(raising, s);
		open_alert(raising, s, event, position);
	}
	meet(raising, event, position);
}

void
backtest_events_raise(BacktestEvents *events, const TriedSettings *settings, Datum row,
					  Oid source, TakeAlert take, void *taker)
{
	Raising		raising = {
		.days = events->days, .settings = settings, .take = take, .taker = taker, .behaviour = -1,
		.states = palloc0(settings->n * sizeof(SettingState)),
		.scores = palloc0(settings->n * sizeof(LastScore)),
		.context = CurrentMemoryContext,
		.scratch = AllocSetContextCreate(CurrentMemoryContext, "iamwatch variation", ALLOCSET_DEFAULT_SIZES),
		.ids = AllocSetContextCreate(CurrentMemoryContext, "iamwatch event ids", ALLOCSET_DEFAULT_SIZES)
	};
	BacktestEvent event;
	int			shown = -1;

	raising.met = met_create(raising.ids, 64, NULL);
	alert_settings_read(DatumGetHeapTupleHeader(row), &raising.detector);
	begin_variations(&raising);
	tuplesort_performsort(events->sort);
	for (int64 position = 0; next_event(events, &event); position++)
	{
		int			percent = position * PERCENT / events->count;

		CHECK_FOR_INTERRUPTS();
		if (percent != shown)
			lock_show_progress(source, PHASE_RAISING, shown = percent, PERCENT);
		raise_event(&raising, &event, position);
	}
	begin_behaviour(&raising, -1);
	tuplesort_end(events->sort);
	ExecDropSingleTupleTableSlot(events->slot);
	ExecDropSingleTupleTableSlot(events->sorted);
}
