/*-------------------------------------------------------------------------
 *
 * backtest_alerts.c
 *		The alerts that each of several settings raises of the same events.
 *
 * Events are in the order of the keys (backtest_events.c), so that they meet the
 * days of their identity as these are gone through.  One pass over them goes
 * through all settings side by side: of each, all that is remembered is the alert
 * that is open and the day that was declined, as of
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

#include "catalog/pg_type.h"
#include "detect/backtest.h"
#include "detect/weigh.h"
#include "event/day.h"
#include "executor/spi.h"
#include "server/lock.h"
#include "server/objects.h"
#include "server/quick_hash.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#define PHASE_RAISING 4
#define PERCENT 100

/* ---- which were delivered before ---- */

/* Where an event with the id was last met; the id lies in the table's memory. */
typedef struct MetId
{
	Slice		event_id;
	TimestampTz time;
	int64		position;
	uint32		status;
} MetId;

#define SH_PREFIX met
#define SH_ELEMENT_TYPE MetId
#define SH_KEY_TYPE Slice
#define SH_KEY event_id
#define SH_HASH_KEY(tb, key) ((uint32) quick_hash_of_kind(key, 0))
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
	SortedEvents *events;
	Oid			source;
	int			shown;			/* per cent of the events */
	const TriedSettings *settings;
	AlertSettings detector;		/* of the first setting */
	TakeAlert	take;
	void	   *taker;
	int			key;			/* of the identity: no earlier one is of the next event */
	const Behaviour *behaviour;
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
begin_behaviour(Raising *raising, const Behaviour *behaviour)
{
	for (int s = 0; s < raising->settings->n; s++)
		close_alert(raising, s);
	raising->behaviour = behaviour;
	raising->covered_until = PG_INT64_MIN;
	for (int s = 0; s < raising->settings->n; s++)
	{
		raising->states[s].declined = NO_DAY;
		raising->states[s].active_from =
			detector_active_from(&raising->settings->items[s].detector, raising->days->account.first);
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
	const BacktestOperation *operation = raising->behaviour->operation;
	const DayScore *score;
	RiskCounts	counts;
	double		risk;

	if (!operation->is_watched[s] || day == state->declined ||
		(score = unusual_score(raising, s, event)) == NULL)
		return;
	counts = backtest_risk_counts(raising->days, setting, event->key, day);
	risk = score_risk(&counts, operation->catalogued.sensitivity);
	if (risk < setting->least_risk)
	{
		state->declined = day;
		return;
	}
	open->is_open = true;
	open->until = event->time + setting->deduplication_days * USECS_PER_DAY;
	open->opened_at = position;
	open->alert = (TriedAlert) {
		.identity = raising->days->identity.number, .behaviour = raising->behaviour,
		.key = &event->key->fields, .first = event->time, .last = event->time, .events = 1,
		.variation = variation_of(raising, event), .score = *score, .counts = counts, .risk = risk
	};
	/* of no days at all: it may be delivered again with the same time */
	raising->covered_until = Max(raising->covered_until, Max(open->until, event->time + 1));
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
 * is still open: each event from then on is one of the alert's.  NULL if it was
 * not.
 */
static const MetId *
met_before(Raising *raising, const BacktestEvent *event)
{
	if (event->time >= raising->covered_until && raising->met->members > 0)
	{
		MemoryContextReset(raising->ids);
		raising->met = met_create(raising->ids, 64, NULL);
	}
	return event->event_id.s == NULL ? NULL : met_lookup(raising->met, event->event_id);
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
	met->time = event->time;
}

static void
raise_event(Raising *raising, const BacktestEvent *event, int64 position)
{
	const Behaviour *behaviour = &raising->days->identity.behaviours[event->key->behaviour];
	const TriedVariation *variation = NULL;
	const MetId *before;

	if (raising->behaviour != behaviour)
		begin_behaviour(raising, behaviour);
	before = met_before(raising, event);
	for (int s = 0; s < raising->settings->n; s++)
	{
		OpenAlert  *open = &raising->states[s].open;

		if (open->is_open && event->time < open->until)
		{
			if (before == NULL || before->position < open->opened_at)
				join_alert(raising, open, event, &variation);
			continue;
		}
		if (raising->settings->items[s].deduplication_days == 0 &&
			before != NULL && before->time == event->time)
			continue;
		close_alert(raising, s);
		open_alert(raising, s, event, position);
	}
	meet(raising, event, position);
}

/* ---- all of them, in the order of the identities ---- */

static void
advance(Raising *raising)
{
	SortedEvents *events = raising->events;
	int			percent;

	sorted_events_advance(events);
	percent = sorted_events_done(events) * PERCENT / sorted_events_count(events);
	if (percent != raising->shown)
		lock_show_progress(raising->source, PHASE_RAISING, raising->shown = percent, PERCENT);
}

/* Is the next event of the account or identity?  Those before it are of none that has days. */
static bool
wants(void *visitor, Slice prefix)
{
	Raising    *raising = visitor;
	const BacktestEvent *event;

	while ((event = sorted_events_next(raising->events)) != NULL)
	{
		int			order = memcmp(event->behaviour.s, prefix.s, Min(event->behaviour.len, prefix.len));

		if (order >= 0)
			return order == 0;
		advance(raising);
	}
	return false;
}

/* The key of an event, or NULL if it has none; both are in order. */
static const KeyDays *
key_of(Raising *raising, const BacktestEvent *event)
{
	const BacktestIdentity *identity = &raising->days->identity;

	for (; raising->key < identity->key_count; raising->key++)
	{
		int			order = slice_compare(baseline_key_behaviour(identity->keys[raising->key].key), event->behaviour);

		if (order > 0)
			return NULL;
		if (order == 0)
			break;
	}
	for (int i = raising->key; i < identity->key_count; i++)
		if (!slice_equal(baseline_key_behaviour(identity->keys[i].key), event->behaviour))
			return NULL;
		else if (identity->keys[i].fields.kind == event->kind)
			return identity->keys[i].behaviour < 0 ? NULL : &identity->keys[i];
	return NULL;
}

static void
raise_identity(void *visitor)
{
	Raising    *raising = visitor;

	raising->key = 0;
	while (wants(raising, raising->days->identity.prefix))
	{
		BacktestEvent *event = sorted_events_next(raising->events);

		event->key = key_of(raising, event);
		if (event->key != NULL)
			raise_event(raising, event, sorted_events_done(raising->events));
		advance(raising);
	}
	/* what is open is of the identity, which is forgotten */
	begin_behaviour(raising, NULL);
}

void
backtest_raise(SortedEvents *events, BacktestDays *days, Datum row,
			   Oid source, TakeAlert take, void *taker)
{
	const TriedSettings *settings = days->settings;
	Raising		raising = {
		.days = days, .events = events, .source = source, .shown = -1, .settings = settings,
		.take = take, .taker = taker,
		.states = palloc0(settings->n * sizeof(SettingState)),
		.scores = palloc0(settings->n * sizeof(LastScore)),
		.context = CurrentMemoryContext,
		.scratch = AllocSetContextCreate(CurrentMemoryContext, "iamwatch variation", ALLOCSET_DEFAULT_SIZES),
		.ids = AllocSetContextCreate(CurrentMemoryContext, "iamwatch event ids", ALLOCSET_DEFAULT_SIZES)
	};

	quick_hash_init();			/* ids of events may be made to collide */
	raising.met = met_create(raising.ids, 64, NULL);
	alert_settings_read(DatumGetHeapTupleHeader(row), &raising.detector);
	begin_variations(&raising);
	lock_show_progress(source, PHASE_RAISING, 0, PERCENT);
	sorted_events_sort(events);
	if (sorted_events_next(events) != NULL)
		backtest_days_visit(days, &(IdentityVisitor) {wants, raise_identity, &raising});
}
