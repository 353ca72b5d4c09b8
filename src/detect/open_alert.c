/*-------------------------------------------------------------------------
 *
 * open_alert.c
 *		Opens an alert.
 *
 * Owns what a new alert says.  It is written without a statement, by insert.c;
 * with one, insert_alert() of alerts.sql, only where somebody gave the tables
 * what needs that, and if it is a suppressed one.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "baseline/baseline_cache.h"
#include "baseline/stored.h"
#include "baseline/told.h"
#include "catalog/pg_type.h"
#include "commands/sequence.h"
#include "config/catalogue.h"
#include "detect/context.h"
#include "detect/evidence.h"
#include "detect/limit_counts.h"
#include "detect/open_alert.h"
#include "detect/peers.h"
#include "detect/risk_counts.h"
#include "detect/weigh.h"
#include "fmgr.h"
#include "funcapi.h"
#include "server/build_jsonb.h"
#include "server/call.h"
#include "server/composite.h"
#include "server/insert.h"
#include "server/objects.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/timestamp.h"
#include "utils/typcache.h"

PG_FUNCTION_INFO_V1(iamwatch_note_event);
PG_FUNCTION_INFO_V1(iamwatch_open_alert);

/* The numbers that the baselines have for an event, each 0 if they have none. */
typedef struct Numbers
{
	int32		account_id;
	int64		identity_id;
	int32		operation_id;
} Numbers;

static Numbers
numbers_of(const Event *event)
{
	Numbers		numbers = {0};
	StoredAccount account;
	StoredIdentity identity;

	stored_begin();
	if (stored_account(event, &account))
	{
		numbers.account_id = account.account_id;
		if (stored_identity(account.account_id, event, &identity))
			numbers.identity_id = identity.identity_id;
		numbers.operation_id = stored_operation_id(account.account_id, event);
	}
	stored_end();
	return numbers;
}

/* Is the limit reached?  What nothing is known of meets it. */
static bool
is_over_limit(const Candidate *candidate, text *scope)
{
	Datum		name = CStringGetTextDatum("alerts");
	Datum		day = DateADTGetDatum(candidate->event.event.day);

	if (candidate->score.nulls[SCORE_ACTIVE] || score_row_count(&candidate->score, SCORE_ACTIVE) != 0)
		return false;
	if (DatumGetInt64(call_internal("limit_room", 3, (Argument[]) {
		{TEXTOID, name, false}, {TEXTOID, PointerGetDatum(scope), false}, {DATEOID, day, false}
	}, NULL)) != 0)
		return false;
	limit_count(cstring_to_text("alerts"), scope, candidate->event.event.day, 0, 1);
	return true;
}

static void
push_count(JsonbParseState **state, const char *key, const ScoreRow *score, int column)
{
	if (score->nulls[column])
		jsonb_push_null(state, key);
	else
		jsonb_push_number(state, key, score_row_count(score, column));
}

static void
push_risk(JsonbParseState **state, const ScoreRow *score)
{
	static const char *const keys[] = {"k", "A", "B", "K", "N", "P"};

	jsonb_push_key(state, "risk");
	pushJsonbValue(state, WJB_BEGIN_OBJECT, NULL);
	for (int i = 0; i < lengthof(keys); i++)
		push_count(state, keys[i], score, SCORE_RISK_K + i);
	pushJsonbValue(state, WJB_END_OBJECT, NULL);
}

static Jsonb *
evidence_of(const AlertSettings *settings, const Candidate *candidate, const Numbers *numbers,
			const Jsonb *context)
{
	int32		training_days = alert_setting(settings, DETECTORS_TRAINING_DAYS);
	Jsonb	   *peers = peers_of(&candidate->event, numbers->account_id, numbers->operation_id, training_days);
	JsonbParseState *state = NULL;

	pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	push_count(&state, "k", &candidate->score, SCORE_K);
	push_count(&state, "A", &candidate->score, SCORE_ACTIVE);
	push_count(&state, "K", &candidate->score, SCORE_PEER_DAYS);
	push_count(&state, "N", &candidate->score, SCORE_PEER_ACTIVE);
	push_risk(&state, &candidate->score);
	jsonb_push_number(&state, "memory_days", alert_setting(settings, DETECTORS_MEMORY_DAYS));
	jsonb_push_number(&state, "peer_memory_days", alert_setting(settings, DETECTORS_PEER_MEMORY_DAYS));
	jsonb_push_number(&state, "training_days", training_days);
	jsonb_push_document(&state, "context", context);
	jsonb_push_document(&state, "peers", peers);
	evidence_push_lists(&state, NULL, &candidate->columns, 1);
	return JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_OBJECT, NULL));
}

/* A number that no other node gives; where there are no others, the next one is. */
static int64
next_number(void)
{
	int64		number = nextval_internal(public_relation("alerts_alert_id_seq"), true);

	if (!has_nodes())
		return number;
	return DatumGetInt64(call_internal("number_here", 1, (Argument[]) {
		{INT8OID, Int64GetDatum(number), false}
	}, NULL));
}

static void
set_column(AlertColumns *alert, int column, Datum value)
{
	alert->values[column - 1] = value;
	alert->nulls[column - 1] = false;
}

/* What the event and its operation say. */
static void
set_event(AlertColumns *alert, const Candidate *candidate, const AlertSettings *settings,
		  Datum category, int sensitivity, Datum technique)
{
	static const struct
	{
		int			alert;
		int			event;
	}			same[] = {
		{ALERTS_FIRST_EVENT_TIME, EVENT_EVENT_TIME}, {ALERTS_LAST_EVENT_TIME, EVENT_EVENT_TIME},
		{ALERTS_PROVIDER, EVENT_PROVIDER}, {ALERTS_ACCOUNT, EVENT_ACCOUNT},
		{ALERTS_IDENTITY, EVENT_IDENTITY}, {ALERTS_IDENTITY_KIND, EVENT_IDENTITY_KIND},
		{ALERTS_SERVICE, EVENT_SERVICE}, {ALERTS_OPERATION, EVENT_OPERATION},
		{ALERTS_FAILED, EVENT_FAILED}
	};

	for (int i = 0; i < lengthof(same); i++)
	{
		alert->values[same[i].alert - 1] = candidate->columns.values[same[i].event];
		alert->nulls[same[i].alert - 1] = candidate->columns.nulls[same[i].event];
	}
	set_column(alert, ALERTS_EVENT_COUNT, Int64GetDatum(1));
	set_column(alert, ALERTS_CATEGORY, category);
	set_column(alert, ALERTS_SENSITIVITY, Int32GetDatum(sensitivity));
	set_column(alert, ALERTS_TACTIC, settings->values[DETECTORS_TACTIC]);
	set_column(alert, ALERTS_TECHNIQUE, technique);
}

/* What the alert says; false if there is none. */
static bool
new_alert(const AlertSettings *settings, Candidate *candidate, text *scope, AlertColumns *alert)
{
	const Event *event = &candidate->event.event;
	ScoreRow   *score = &candidate->score;
	const Operation *operation = catalogue_row(event->provider, event->service, event->operation);
	Numbers		numbers;
	Datum		category;
	Datum		technique;
	int			sensitivity;
	Jsonb	   *context;
	double		probability;
	double		risk;
	Variation	variation;

	/*
	 * has its counts, and is unusual whatever its own context; without the
	 * suppression it had joined
	 */
	bool		follows_suppressed = !score->nulls[SCORE_RISK_ACTIVE];

	if (operation == NULL)
		return false;
	/* it is good until somebody looks at the catalogue again */
	sensitivity = operation->sensitivity;
	category = CStringGetTextDatum(operation->category);
	technique = operation->technique[0] == '\0' ? settings->values[DETECTORS_TECHNIQUE] :
		CStringGetTextDatum(operation->technique);

	numbers = numbers_of(event);
	context = context_of(&candidate->columns, numbers.account_id, numbers.identity_id,
						 alert_setting(settings, DETECTORS_TRAINING_DAYS),
						 score->nulls[SCORE_ACTIVE] ? -1 : score_row_count(score, SCORE_ACTIVE), SLICE_NONE);
	probability = DatumGetFloat8(score->values[SCORE_PROBABILITY]);
	if (DatumGetFloat8(settings->values[DETECTORS_CONTEXT_BITS]) > 0)
	{
		probability = weigh_probability(settings, probability, context);
		if (!follows_suppressed &&
			probability >= DatumGetFloat8(settings->values[DETECTORS_PROBABILITY_LIMIT]))
			return false;
	}
	if (!follows_suppressed)
	{
		RiskCounts	counts = risk_counts(&candidate->event, numbers.account_id,
										 alert_setting(settings, DETECTORS_MEMORY_DAYS),
										 alert_setting(settings, DETECTORS_PEER_MEMORY_DAYS));

		score_row_set_risk(score, &counts);
	}
	risk = weigh_risk(settings, score, sensitivity, context);
	if (!follows_suppressed && !settings->nulls[DETECTORS_LEAST_RISK] &&
		risk < DatumGetFloat8(settings->values[DETECTORS_LEAST_RISK]))
		return false;
	if (is_over_limit(candidate, scope))
		return false;

	memset(alert->values, 0, sizeof(alert->values));
	memset(alert->nulls, true, sizeof(alert->nulls));
	variation = weigh_variation(settings, &candidate->columns, candidate->event_row);
	set_column(alert, ALERTS_ALERT_ID, Int64GetDatum(next_number()));
	set_column(alert, ALERTS_DETECTOR, candidate->detector);
	if (variation.has_name)
		set_column(alert, ALERTS_VARIATION, variation.name);
	set_column(alert, ALERTS_SEVERITY, variation.severity);
	set_column(alert, ALERTS_RISK, Float8GetDatum(risk));
	set_column(alert, ALERTS_STATUS, CStringGetTextDatum("new"));
	set_column(alert, ALERTS_DETECTED_AT, TimestampTzGetDatum(GetCurrentTimestamp()));
	set_event(alert, candidate, settings, category, sensitivity, technique);
	set_column(alert, ALERTS_PROBABILITY, Float8GetDatum(probability));
	set_column(alert, ALERTS_SURPRISE, Float8GetDatum(score_surprise(probability)));
	set_column(alert, ALERTS_EVIDENCE, JsonbPGetDatum(evidence_of(settings, candidate, &numbers, context)));
	return true;
}

/* As a row. */
static Datum
alert_datum(const AlertColumns *alert)
{
	TupleDesc	desc = lookup_rowtype_tupdesc(internal_type("all_alerts"), -1);
	Datum		row = composite_make(desc, ALERTS_EXCLUDED_DAYS, alert->values, alert->nulls);

	ReleaseTupleDesc(desc);
	return row;
}

static void
write_by_statement(const AlertColumns *alert, const EventColumns *event, const int64 *suppression)
{
	(void) call_internal("insert_alert", 4, (Argument[]) {
		{internal_type("all_alerts"), alert_datum(alert), false},
		{TIMESTAMPTZOID, event->values[EVENT_EVENT_TIME], event->nulls[EVENT_EVENT_TIME]},
		{TEXTOID, event->values[EVENT_EVENT_ID], event->nulls[EVENT_EVENT_ID]},
		{INT8OID, suppression == NULL ? 0 : Int64GetDatum(*suppression), suppression == NULL}
	}, NULL);
}

static void
insert_event(int64 alert_id, const EventColumns *event, Oid alert_events)
{
	InsertTarget target;

	insert_begin(&target, alert_events);
	insert_row(&target, (Datum[]) {
		Int64GetDatum(alert_id), event->values[EVENT_EVENT_TIME], event->values[EVENT_EVENT_ID]
	}, (bool[]) {false, event->nulls[EVENT_EVENT_TIME], event->nulls[EVENT_EVENT_ID]});
	insert_end(&target);
}

/* Triggers of the alerts find its event there, as after a statement that writes both. */
static void
write_alert(const AlertColumns *alert, const EventColumns *event)
{
	Oid			alerts = public_relation("alerts");
	Oid			alert_events = public_relation("alert_events");
	InsertTarget target;

	if (insert_needs_statement(alerts, ALERTS_EXCLUDED_DAYS) ||
		insert_needs_statement(alert_events, ALERT_EVENTS_COLUMNS))
	{
		write_by_statement(alert, event, NULL);
		return;
	}
	insert_begin(&target, alerts);
	insert_row(&target, alert->values, alert->nulls);
	insert_event(DatumGetInt64(alert->values[ALERTS_ALERT_ID - 1]), event, alert_events);
	insert_end(&target);
}

bool
note_event(int64 alert_id, const EventColumns *event, bool has_room)
{
	Slice		event_id = event_column(event, EVENT_EVENT_ID);
	Oid			alert_events;

	if (event_id.s != NULL)
	{
		bool		is_noted;

		stored_begin();
		is_noted = stored_alert_has_event(alert_id, event_id);
		stored_end();
		if (is_noted)
			return false;
	}
	if (!has_room)
		return true;
	alert_events = public_relation("alert_events");
	if (insert_needs_statement(alert_events, ALERT_EVENTS_COLUMNS))
		(void) call_internal("insert_alert_event", 3, (Argument[]) {
			{INT8OID, Int64GetDatum(alert_id), false},
			{TIMESTAMPTZOID, event->values[EVENT_EVENT_TIME], event->nulls[EVENT_EVENT_TIME]},
			{TEXTOID, event->values[EVENT_EVENT_ID], event->nulls[EVENT_EVENT_ID]}
		}, NULL);
	else
		insert_event(alert_id, event, alert_events);
	return true;
}

/* Further events of the behaviour may join it, also on days of which nothing more was to be learned. */
static void
tell_sessions(const Event *event)
{
	cache_forget_behaviour(fingerprint_behaviour(fingerprint_identity(fingerprint_account(event), event), event));
	told_alert_opened();
}

bool
open_alert(const AlertSettings *settings, Candidate *candidate, const int64 *suppression,
		   AlertColumns *alert)
{
	text	   *scope = limit_scope(&candidate->event.event);

	if (!new_alert(settings, candidate, scope, alert))
		return false;
	if (suppression != NULL)
		write_by_statement(alert, &candidate->columns, suppression);
	else
		write_alert(alert, &candidate->columns);
	limit_count(cstring_to_text("alerts"), scope, candidate->event.event.day, 1, 0);
	tell_sessions(&candidate->event.event);
	return true;
}

/* open_alert(settings, candidate, suppression bigint) RETURNS bigint: null if none is opened */
Datum
iamwatch_open_alert(PG_FUNCTION_ARGS)
{
	AlertSettings settings;
	Candidate	candidate;
	AlertColumns alert;
	int64		suppression = 0;

	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		PG_RETURN_NULL();
	alert_settings_read(PG_GETARG_HEAPTUPLEHEADER(0), &settings);
	candidate_read(PG_GETARG_HEAPTUPLEHEADER(1), &candidate);
	if (!PG_ARGISNULL(2))
		suppression = PG_GETARG_INT64(2);
	if (!open_alert(&settings, &candidate, PG_ARGISNULL(2) ? NULL : &suppression, &alert))
		PG_RETURN_NULL();
	PG_RETURN_DATUM(alert.values[ALERTS_ALERT_ID - 1]);
}

/* note_event(alert_id bigint, e event, has_room boolean) RETURNS boolean */
Datum
iamwatch_note_event(PG_FUNCTION_ARGS)
{
	EventColumns event;

	event_columns(PG_GETARG_HEAPTUPLEHEADER(1), &event);
	PG_RETURN_BOOL(note_event(PG_GETARG_INT64(0), &event, PG_GETARG_BOOL(2)));
}
