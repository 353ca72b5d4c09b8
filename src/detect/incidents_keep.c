/*-------------------------------------------------------------------------
 *
 * incidents_keep.c
 *		Keeps the incidents up to date with the alerts.
 *
 * Triggers on iamwatch.alerts.  What is written here is small and needs no
 * statement; incidents_keep.sql does an identity's incidents again, and is
 * called once for all alerts of a statement.
 *
 * The triggers write with nobody's rights asked, so each makes sure that it
 * is on the table of the alerts.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/transam.h"
#include "access/xact.h"
#include "baseline/alert_columns.h"
#include "baseline/told.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "detect/incident_of_one.h"
#include "detect/incidents.h"
#include "executor/spi.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "server/column.h"
#include "server/composite.h"
#include "server/objects.h"
#include "server/plans.h"
#include "server/row.h"
#include "utils/builtins.h"
#include "utils/rel.h"
#include "utils/typcache.h"

PG_FUNCTION_INFO_V1(iamwatch_defer_incidents);
PG_FUNCTION_INFO_V1(iamwatch_find_incident);
PG_FUNCTION_INFO_V1(iamwatch_keep_new_incidents);
PG_FUNCTION_INFO_V1(iamwatch_note_changed_incident);

/* One alert in so many also brings the links of incidents up to date. */
#define LINKS_EVERY 32

/* The transaction that brings them up to date for many alerts at once, before it ends. */
static FullTransactionId deferred_by = {0};

static bool
incidents_are_deferred(void)
{
	FullTransactionId current = GetTopFullTransactionIdIfAny();

	return FullTransactionIdIsValid(current) && FullTransactionIdEquals(current, deferred_by);
}

/*
 * defer_incidents(): for the rest of the transaction, which is to call
 * keep_changed_incidents() at its end.  Until then they are behind, as those
 * are that another session left.
 */
Datum
iamwatch_defer_incidents(PG_FUNCTION_ARGS)
{
	PreventCommandIfReadOnly("iamwatch_internal.defer_incidents()");
	deferred_by = GetTopFullTransactionId();
	PG_RETURN_VOID();
}

/* Fired before or after, for a row or a statement: otherwise there is no row, or none to change. */
static TriggerData *
alerts_trigger(FunctionCallInfo fcinfo, bool before, bool for_row)
{
	TriggerData *trigger = (TriggerData *) fcinfo->context;

	if (!CALLED_AS_TRIGGER(fcinfo))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("not called by trigger manager")));
	if (RelationGetRelid(trigger->tg_relation) != public_relation("alerts"))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("this trigger function is for the alerts of iamwatch only")));
	if ((TRIGGER_FIRED_BEFORE(trigger->tg_event) != 0) != before ||
		(TRIGGER_FIRED_FOR_ROW(trigger->tg_event) != 0) != for_row)
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("this trigger function must be fired %s FOR EACH %s",
						before ? "BEFORE" : "AFTER", for_row ? "ROW" : "STATEMENT")));
	return trigger;
}

/* Of an alert whose columns have been taken apart. */
static IncidentKey
alert_key(const Datum *values)
{
	return (IncidentKey) {
		slice_of_text(values[ALERTS_DETECTOR - 1]), slice_of_text(values[ALERTS_PROVIDER - 1]),
		slice_of_text(values[ALERTS_ACCOUNT - 1]), slice_of_text(values[ALERTS_IDENTITY - 1])
	};
}

/* Columns of one of our alerts; all that belong to its incident are NOT NULL. */
typedef struct AlertRow
{
	Datum	   *values;
	bool	   *nulls;
	IncidentKey key;
	TimestampTz first;
	TimestampTz last;
} AlertRow;

static AlertRow
read_alert(HeapTuple tuple, TupleDesc desc)
{
	AlertRow	row;

	row.values = palloc(desc->natts * sizeof(Datum));
	row.nulls = palloc(desc->natts * sizeof(bool));
	heap_deform_tuple(tuple, desc, row.values, row.nulls);
	row.key = alert_key(row.values);
	row.first = DatumGetTimestampTz(row.values[ALERTS_FIRST_EVENT_TIME - 1]);
	row.last = DatumGetTimestampTz(row.values[ALERTS_LAST_EVENT_TIME - 1]);
	return row;
}

/* Looked up once for a statement, as most of its alerts are of one detector. */
typedef struct GapFound
{
	char	   *detector;
	int64		gap;
} GapFound;

static int64
gap_of(FunctionCallInfo fcinfo, Slice detector)
{
	GapFound   *found = fcinfo->flinfo->fn_extra;

	if (found == NULL)
		found = fcinfo->flinfo->fn_extra = MemoryContextAllocZero(fcinfo->flinfo->fn_mcxt, sizeof(GapFound));
	if (found->detector == NULL || !slice_is(detector, found->detector))
	{
		found->detector = MemoryContextStrdup(fcinfo->flinfo->fn_mcxt, pnstrdup(detector.s, detector.len));
		found->gap = incident_gap(detector);
	}
	return found->gap;
}

/*
 * find_incident(), before an alert is inserted: gives it the incident that it
 * most often belongs to, so that it need not be written twice
 */
Datum
iamwatch_find_incident(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = alerts_trigger(fcinfo, true, true);
	TupleDesc	desc = RelationGetDescr(trigger->tg_relation);
	int			column = ALERTS_INCIDENT_ID;
	bool		isnull = false;
	bool		unknown = false;
	Datum		incident_id;
	AlertRow	alert;
	KeptIncident *incidents;
	int			count;
	int64		gap;

	for (int i = ALERTS_DETECTOR; i <= ALERTS_IDENTITY; i++)
		if (i == ALERTS_DETECTOR || i >= ALERTS_PROVIDER || i == ALERTS_FIRST_EVENT_TIME ||
			i == ALERTS_LAST_EVENT_TIME)
			unknown |= heap_attisnull(trigger->tg_trigtuple, i, desc);
	if (unknown)
		return PointerGetDatum(trigger->tg_trigtuple);	/* a constraint will say so */
	alert = read_alert(trigger->tg_trigtuple, desc);
	incident_id = alert.values[ALERTS_ALERT_ID - 1];
	isnull = alert.nulls[ALERTS_ALERT_ID - 1];
	gap = gap_of(fcinfo, alert.key.detector);
	count = incidents_kept(&alert.key, &incidents);
	for (int i = 0; i < count; i++)
	{
		if (incidents[i].first > alert.first || alert.first >= incidents[i].last + gap)
			continue;
		incident_id = Int64GetDatum(incidents[i].incident_id);
		isnull = false;
		break;
	}
	return PointerGetDatum(heap_modify_tuple_by_cols(trigger->tg_trigtuple, desc, 1, &column,
													 &incident_id, &isnull));
}

static Datum
part_of_alert(const AlertRow *alert, TupleDesc desc)
{
	Datum		values[] = {
		alert->values[ALERTS_DETECTOR - 1], alert->values[ALERTS_PROVIDER - 1],
		alert->values[ALERTS_ACCOUNT - 1], alert->values[ALERTS_IDENTITY - 1],
		TimestampTzGetDatum(alert->first), TimestampTzGetDatum(alert->last)
	};
	bool		nulls[lengthof(values)] = {false};

	return composite_make(desc, lengthof(values), values, nulls);
}

/* Is the alert the first of an incident, of which nobody left anything to do? */
static bool
begins_incident(const AlertRow *alert)
{
	KeptIncident *incidents;
	TimestampTz since = alert->first;
	TimestampTz until = alert->last;
	int			count;

	if (IsolationUsesXactSnapshot() || !incidents_try_lock(&alert->key) ||
		incidents_are_behind(&alert->key) || alert->nulls[ALERTS_INCIDENT_ID - 1] ||
		DatumGetInt64(alert->values[ALERTS_INCIDENT_ID - 1]) != DatumGetInt64(alert->values[ALERTS_ALERT_ID - 1]))
		return false;
	count = incidents_kept(&alert->key, &incidents);
	return incidents_reach(incidents, count, incident_gap(alert->key.detector), &since, &until,
						   palloc(Max(1, count) * sizeof(Datum))) == 0;
}

/* Keep it then; false if that has to be found out from the alerts. */
static bool
keep_first(const AlertRow *alert)
{
	RowTarget	target;
	Datum		values[KEPT_COLUMNS];
	bool		nulls[KEPT_COLUMNS];
	bool		has_more;

	if (!incident_of_one(alert->values, alert->nulls, values, nulls))
		return false;
	plans_become_owner();
	row_target_open(&target, internal_relation("kept_incidents"), KEPT_COLUMNS);
	has_more = RelationGetNumberOfAttributes(target.table) != KEPT_COLUMNS; /* somebody's own */
	if (!has_more)
		row_insert(&target, values, nulls);
	row_target_close(&target);
	return !has_more;
}

static void
note_changed(const AlertRow *alert)
{
	Datum		values[] = {
		alert->values[ALERTS_DETECTOR - 1], alert->values[ALERTS_PROVIDER - 1],
		alert->values[ALERTS_ACCOUNT - 1], alert->values[ALERTS_IDENTITY - 1],
		TimestampTzGetDatum(alert->first), TimestampTzGetDatum(alert->last),
		TimestampTzGetDatum(GetCurrentTimestamp())
	};
	bool		nulls[lengthof(values)] = {false};

	row_insert_one(internal_relation("changed_incidents"), lengthof(values), values, nulls);
}

/*
 * keep_new_incidents(), after a statement has inserted alerts: does their
 * incidents, all in one
 */
Datum
iamwatch_keep_new_incidents(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = alerts_trigger(fcinfo, false, false);
	Tuplestorestate *rows = trigger->tg_newtable;
	int64		count = rows == NULL ? 0 : tuplestore_tuple_count(rows);
	TupleDesc	desc = RelationGetDescr(trigger->tg_relation);
	TupleDesc	part_desc;
	TupleTableSlot *slot;
	Column		parts;
	int64		newest = 0;
	bool		kept = false;
	bool		deferred = incidents_are_deferred();
	PlansScope	scope;

	if (count == 0)
		return PointerGetDatum(NULL);
	parts = column_make(internal_type("incident_part"), count);
	part_desc = lookup_rowtype_tupdesc(parts.type, -1);
	slot = MakeSingleTupleTableSlot(desc, &TTSOpsMinimalTuple);
	plans_begin(&scope);
	tuplestore_select_read_pointer(rows, 0);
	tuplestore_rescan(rows);
	while (tuplestore_gettupleslot(rows, true, false, slot))
	{
		bool		should_free;
		HeapTuple	tuple = ExecFetchSlotHeapTuple(slot, false, &should_free);
		AlertRow	alert = read_alert(tuple, desc);

		newest = Max(newest, DatumGetInt64(alert.values[ALERTS_ALERT_ID - 1]));
		kept = count == 1 && begins_incident(&alert) && keep_first(&alert);
		if (!kept && deferred)
			note_changed(&alert);
		else if (!kept)
			column_add(&parts, part_of_alert(&alert, part_desc));
		pfree(alert.values);
		pfree(alert.nulls);
		if (should_free)
			heap_freetuple(tuple);
	}
	ExecDropSingleTupleTableSlot(slot);
	ReleaseTupleDesc(part_desc);

	if (parts.count > 0)
		plans_call(CALL_KEEP_INCIDENTS, (Datum[]) {column_array(&parts)}, NULL);
	/* links of deferred incidents are kept with them */
	if (!deferred && (count > LINKS_EVERY || newest % LINKS_EVERY == 0))
		plans_call(CALL_KEEP_LINKS, (Datum[]) {BoolGetDatum(false)}, NULL);
	plans_end(&scope);
	return PointerGetDatum(NULL);
}

static bool
is_same_part(const AlertRow *a, const AlertRow *b)
{
	return a->first == b->first && a->last == b->last &&
		slice_equal(a->key.identity, b->key.identity) &&
		slice_equal(a->key.account, b->key.account) &&
		slice_equal(a->key.provider, b->key.provider) &&
		slice_equal(a->key.detector, b->key.detector);
}

/*
 * note_changed_incident(), after an alert has changed, or is gone, or was
 * applied by a subscription: its incidents are to be done again
 */
Datum
iamwatch_note_changed_incident(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = alerts_trigger(fcinfo, false, true);
	TupleDesc	desc = RelationGetDescr(trigger->tg_relation);
	AlertRow	row = read_alert(trigger->tg_trigtuple, desc);

	note_changed(&row);
	if (TRIGGER_FIRED_BY_INSERT(trigger->tg_event))
		told_alert_opened();
	if (TRIGGER_FIRED_BY_UPDATE(trigger->tg_event))
	{
		AlertRow	new = read_alert(trigger->tg_newtuple, desc);

		if (!is_same_part(&row, &new))
			note_changed(&new);
	}
	return PointerGetDatum(NULL);
}
