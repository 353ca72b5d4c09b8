/*-------------------------------------------------------------------------
 *
 * assign.c
 *		Lets unusual events join or open alerts.
 *
 * The events of one detector and behaviour, in order of event time, and those
 * that others left of it.  Owns what becomes of each; how an alert is opened
 * says open_alert.c, and how one is joined, or an event waits or is suppressed,
 * alerts.sql and suppressions.sql.  Source: detection.md, Alerts.
 *
 * One session at a time writes the alerts of a behaviour.  Whoever finds that
 * taken leaves its events in pending_events; the next session that touches
 * the behaviour, or iamwatch.maintain(), lets them join or open an alert.
 * Nobody waits, and no reader sees two alerts for one behaviour within the
 * deduplication period.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "baseline/stored.h"
#include "catalog/pg_type.h"
#include "detect/candidate.h"
#include "detect/limit_counts.h"
#include "detect/notify.h"
#include "detect/open_alert.h"
#include "event/providers.h"
#include "executor/executor.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "server/call.h"
#include "server/column.h"
#include "server/given.h"
#include "server/lock.h"
#include "server/objects.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/timestamp.h"

PG_FUNCTION_INFO_V1(iamwatch_alert_lock_key);
PG_FUNCTION_INFO_V1(iamwatch_try_lock_alerts);
PG_FUNCTION_INFO_V1(iamwatch_assign_to_alerts);

extern Datum iamwatch_limit_value(PG_FUNCTION_ARGS);

/* Of the locks under which the alerts of behaviours are written. */
#define ACCOUNT_BUCKETS 64
#define BEHAVIOUR_BUCKETS 32

/*
 * By account and by behaviour.  2,048 in all: a statement of any size gets each
 * that it asks for, and what it holds leaves room in the server's table of
 * locks.  Sessions that write different accounts share them.
 */
static int32
alert_lock_key(const Event *event)
{
	uint64		hash = slice_hash(event->identity, slice_hash(event->service,
															  slice_hash(event->operation, event->failed)));

	return (int32) (slice_hash(event->account, 0) % ACCOUNT_BUCKETS) * BEHAVIOUR_BUCKETS +
		(int32) (hash % BEHAVIOUR_BUCKETS);
}

static bool
try_lock_alerts(const Event *event)
{
	int32		key = alert_lock_key(event);

	return lock_try_one(LOCK_ALERTS, key, (int64) slice_hash(event->account, key));
}

/* The alert that is being joined. */
typedef struct NearAlert
{
	bool		is_there;
	int64		alert_id;
	TimestampTz first;
	int64		events;
	bool		writable;		/* by us: somebody may be at work on it */
} NearAlert;

/* What is done with the events of a behaviour, and what was gathered of them so far. */
typedef struct Assigning
{
	const AlertSettings *settings;
	Oid			settings_type;
	Oid			candidate_type;
	int64		gap;			/* the deduplication period, in microseconds */
	Datum		period;			/* the same, as an interval */
	int64		most_events;	/* of an alert */
	bool		shown;			/* are there alerts that may concern them? */
	bool		hidden;			/* ... suppressed ones? */
	NearAlert	near;
	int64		over;			/* events that the alert has no room for */
	bool		has_rules;
	Datum		rules;			/* suppressions that may match */
	bool		has_declined;
	int32		declined;		/* the last day on which none was opened */
	Column		joining;		/* events */
	Column		leaving;		/* candidates */
	Column		suppressed;		/* candidates, and their suppressions */
	Column		suppressions;
} Assigning;

static Argument
settings_of(const Assigning *a)
{
	return (Argument) {a->settings_type, a->settings->row, false};
}

static Argument
candidate_of(const Assigning *a, const Candidate *c)
{
	return (Argument) {a->candidate_type, candidate_datum(c), false};
}

static Argument
event_of(const Candidate *c)
{
	return (Argument) {public_type("event"), c->event_row, false};
}

static Argument
array_of(const Column *column)
{
	return (Argument) {get_array_type(column->type), column_array(column), false};
}

static Argument
bigint_of(int64 value)
{
	return (Argument) {INT8OID, Int64GetDatum(value), false};
}

static Argument
period_of(const Assigning *a)
{
	return (Argument) {INTERVALOID, a->period, false};
}

static TimestampTz
midnight(const Candidate *c)
{
	return c->event.event.day * USECS_PER_DAY;
}

/* ---- alerts that there are ---- */

static void
join_alert(Assigning *a)
{
	if (a->joining.count > 0)
		(void) call_internal("join_alert", 3, (Argument[]) {
			settings_of(a), bigint_of(a->near.alert_id), array_of(&a->joining)
		}, NULL);
	a->joining.count = 0;
}

/* The earliest alert that covers an event; true if the event is too early to belong to any. */
static bool
find_covering(Assigning *a, const Candidate *c)
{
	Datum		row = call_internal("covering_alert", 3, (Argument[]) {
		settings_of(a), candidate_of(a, c), period_of(a)
	}, NULL);
	HeapTupleHeader covering = DatumGetHeapTupleHeader(row);
	bool		isnull;
	HeapTupleHeader alert;
	Datum		datum;

	if (DatumGetBool(GetAttributeByName(covering, "is_too_early", &isnull)))
		return true;
	datum = GetAttributeByName(covering, "alert", &isnull);
	if (isnull)
		return false;
	alert = DatumGetHeapTupleHeader(datum);
	a->near.alert_id = DatumGetInt64(GetAttributeByNum(alert, ALERTS_ALERT_ID, &isnull));
	if (isnull)
		return false;
	a->near.is_there = true;
	a->near.first = DatumGetTimestampTz(GetAttributeByNum(alert, ALERTS_FIRST_EVENT_TIME, &isnull));
	a->near.events = DatumGetInt64(GetAttributeByNum(alert, ALERTS_EVENT_COUNT, &isnull));
	a->near.writable = DatumGetBool(call_internal("try_lock_alert", 1, (Argument[]) {
		bigint_of(a->near.alert_id)
	}, NULL));
	return false;
}

/* A day on which context did not make it unusual, or the risk was too low, stays out of a later alert. */
static bool
stays_out(const Assigning *a, const Candidate *c)
{
	return (DatumGetFloat8(a->settings->values[DETECTORS_CONTEXT_BITS]) > 0 ||
			!a->settings->nulls[DETECTORS_LEAST_RISK]) &&
		a->near.first >= midnight(c) + USECS_PER_DAY;
}

static void
take_event(Assigning *a, const Candidate *c)
{
	NearAlert  *near = &a->near;
	bool		has_room = near->writable && near->events < a->most_events;

	if (stays_out(a, c) ||
		!note_event(near->alert_id, &c->columns, has_room))
		return;
	if (near->writable)
	{
		if (near->events >= a->most_events)
			a->over++;
		near->events++;
		column_add(&a->joining, c->event_row);
	}
	else
		column_add(&a->leaving, candidate_datum(c));
}

/* ---- where none covers the event ---- */

/*
 * On a day that was declined before it may not open one, nor on one that was
 * scored before, unless an alert's deduplication period ends there.
 */
static bool
may_open(const Assigning *a, const Candidate *c)
{
	if (!c->unusual || (a->has_declined && a->declined == c->event.event.day))
		return false;
	return !c->day_scored ||
		((a->shown || a->hidden) && DatumGetBool(call_internal("opens_on_scored_day", 2, (Argument[]) {
			candidate_of(a, c), period_of(a)
		}, NULL)));
}

static void
assign_to_suppressed(Assigning *a)
{
	if (a->suppressed.count > 0)
		(void) call_internal("assign_to_suppressed", 3, (Argument[]) {
			settings_of(a), array_of(&a->suppressed), array_of(&a->suppressions)
		}, NULL);
	a->suppressed.count = a->suppressions.count = 0;
}

/* Does a suppression hide the event?  Only those that concern its behaviour are asked, found once. */
static bool
is_suppressed(Assigning *a, const Candidate *c)
{
	Oid			rules_type;
	Datum		suppression;
	bool		isnull;

	if (!a->has_rules)
	{
		bool		any;

		stored_begin();
		any = stored_has_suppressions();
		stored_end();
		a->has_rules = true;
		a->rules = !any ? 0 : call_internal("suppressions_of", 2, (Argument[]) {
			{TEXTOID, c->detector, false}, event_of(c)
		}, NULL);
	}
	if (a->rules == 0)
		return false;
	rules_type = get_array_type(public_type("suppressions"));
	suppression = call_internal("suppression_of", 2, (Argument[]) {
		{rules_type, a->rules, false}, event_of(c)
	}, &isnull);
	if (isnull)
		return false;
	column_add(&a->suppressed, candidate_datum(c));
	column_add(&a->suppressions, suppression);
	a->hidden = true;
	return true;
}

/* An event that no suppression matches is unusual also if it follows a suppressed one. */
static void
uncover(Assigning *a, Candidate *c)
{
	Datum		row;

	assign_to_suppressed(a);
	row = call_internal("uncovered", 2, (Argument[]) {
		candidate_of(a, c), period_of(a)
	}, NULL);
	candidate_read(DatumGetHeapTupleHeader(row), c);
}

static bool
open_one(Assigning *a, Candidate *c)
{
	AlertColumns alert;

	if (!open_alert(a->settings, c, NULL, &alert))
	{
		a->has_declined = true;
		a->declined = c->event.event.day;
		return false;
	}
	a->shown = true;
	a->near = (NearAlert) {
		true, DatumGetInt64(alert.values[ALERTS_ALERT_ID - 1]),
		DatumGetTimestampTz(alert.values[ALERTS_FIRST_EVENT_TIME - 1]), 1, true
	};
	(void) notify_alert(a->settings, &alert);
	return true;
}

/* ---- one after the other ---- */

static void
assign(Assigning *a, Candidate *c)
{
	NearAlert  *near = &a->near;

	if (a->hidden && DatumGetBool(call_internal("in_suppressed", 2, (Argument[]) {
		candidate_of(a, c), period_of(a)
	}, NULL)))
		return;
	/* where no alert covers even the event that opened it */
	if (a->gap == 0 && (a->shown || a->hidden) && DatumGetBool(call_internal("has_opened", 1, (Argument[]) {
		candidate_of(a, c)
	}, NULL)))
		return;
	/* the current alert no longer covers this event: the earliest that does */
	if (!near->is_there || c->event.event.time >= near->first + a->gap)
	{
		join_alert(a);
		near->is_there = false;
		if (a->shown && find_covering(a, c))
			return;
	}
	if (near->is_there)
	{
		take_event(a, c);
		return;
	}
	c->unusual = may_open(a, c);
	if (c->unusual || a->hidden)
	{
		if (is_suppressed(a, c))
			return;
		if (a->hidden)
			uncover(a, c);
	}
	if (c->unusual && !open_one(a, c) && a->hidden)
	{
		/*
		 * its own score was too low, by context or risk; that of the
		 * suppressed one it follows was not
		 */
		c->unusual = false;
		uncover(a, c);
		if (c->unusual)
			(void) open_one(a, c);
	}
}

static void
leave_pending(Datum candidates, Oid candidate_type)
{
	(void) call_internal("leave_pending", 1, (Argument[]) {
		{get_array_type(candidate_type), candidates, false}
	}, NULL);
}

static void
finish(Assigning *a, const Candidate *last)
{
	const Event *event = &last->event.event;

	join_alert(a);
	if (a->leaving.count > 0)
		leave_pending(column_array(&a->leaving), a->candidate_type);
	if (a->over > 0)
		limit_count(cstring_to_text("alert_events"), limit_scope(event), event->day, 0, a->over);
	assign_to_suppressed(a);
}

static Datum *
take_apart(Datum candidates, int *count)
{
	ArrayType  *array = DatumGetArrayTypeP(candidates);
	int16		length;
	bool		by_value;
	char		align;
	Datum	   *rows;
	bool	   *nulls;

	get_typlenbyvalalign(ARR_ELEMTYPE(array), &length, &by_value, &align);
	deconstruct_array(array, ARR_ELEMTYPE(array), length, by_value, align, &rows, &nulls, count);
	for (int i = 0; i < *count; i++)
		if (nulls[i])
			refuse_null("a candidate");
	return rows;
}

/*
 * Under the lock of their behaviour, the candidates and those that others left of
 * it; false if they had to be left to others.  With a fixed snapshot, which does
 * not see what others commit, they are always.
 */
static bool
take_candidates(Datum *candidates, const Event *event, Oid candidate_type)
{
	bool		pending;

	if (IsolationUsesXactSnapshot() || !try_lock_alerts(event))
	{
		leave_pending(*candidates, candidate_type);
		return false;
	}
	stored_begin();
	pending = stored_pending(event);
	stored_end();
	if (pending)
		*candidates = call_internal("with_pending", 1, (Argument[]) {
			{get_array_type(candidate_type), *candidates, false}
		}, NULL);
	return true;
}

static int64
limit_value(const char *name)
{
	return DatumGetInt64(DirectFunctionCall1(iamwatch_limit_value, CStringGetTextDatum(name)));
}

static void
assign_all(const AlertSettings *settings, Datum *rows, int count, Candidate *c)
{
	Interval	period = {.time = alert_setting(settings, DETECTORS_DEDUPLICATION_DAYS) * USECS_PER_DAY};
	Assigning	a = {
		.settings = settings, .settings_type = public_type("detectors"),
		.candidate_type = internal_type("candidate"), .gap = period.time,
		.period = IntervalPGetDatum(&period), .most_events = limit_value("alert_events")
	};
	TimestampTz until;

	a.joining = column_make(public_type("event"), count);
	a.leaving = column_make(a.candidate_type, count);
	a.suppressed = column_make(a.candidate_type, count);
	a.suppressions = column_make(INT8OID, count);

	candidate_read(DatumGetHeapTupleHeader(rows[count - 1]), c);
	until = c->event.event.time + a.gap;
	candidate_read(DatumGetHeapTupleHeader(rows[0]), c);
	stored_begin();
	stored_alerts_around(&c->event.event, midnight(c) - a.gap, until, &a.shown, &a.hidden);
	stored_end();
	for (int i = 0; i < count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (i > 0)
			candidate_read(DatumGetHeapTupleHeader(rows[i]), c);
		assign(&a, c);
	}
	finish(&a, c);
}

/* ---- for SQL ---- */

/* alert_lock_key(event) RETURNS integer */
Datum
iamwatch_alert_lock_key(PG_FUNCTION_ARGS)
{
	EventRow	row = event_from_row(PG_GETARG_HEAPTUPLEHEADER(0));

	PG_RETURN_INT32(alert_lock_key(&row.event));
}

/* try_lock_alerts(event) RETURNS boolean */
Datum
iamwatch_try_lock_alerts(PG_FUNCTION_ARGS)
{
	EventRow	row = event_from_row(PG_GETARG_HEAPTUPLEHEADER(0));

	PG_RETURN_BOOL(try_lock_alerts(&row.event));
}

/* assign_to_alerts(settings, candidates candidate[]) RETURNS void */
Datum
iamwatch_assign_to_alerts(PG_FUNCTION_ARGS)
{
	AlertSettings settings;
	Datum		candidates = PG_GETARG_DATUM(1);
	Datum	   *rows;
	int			count;
	Candidate	c;

	alert_settings_read(PG_GETARG_HEAPTUPLEHEADER(0), &settings);
	rows = take_apart(candidates, &count);
	if (count == 0)
		PG_RETURN_VOID();
	candidate_read(DatumGetHeapTupleHeader(rows[0]), &c);
	if (!take_candidates(&candidates, &c.event.event, internal_type("candidate")))
		PG_RETURN_VOID();
	if (candidates != PG_GETARG_DATUM(1))
		rows = take_apart(candidates, &count);
	assign_all(&settings, rows, count, &c);
	PG_RETURN_VOID();
}
