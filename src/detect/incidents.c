/*-------------------------------------------------------------------------
 *
 * incidents.c
 *		The kept incidents of an identity.
 *
 * Owns what is asked of them for each alert: which it belongs to, how far a
 * change of it reaches, and whether it is urgent.  What an incident is,
 * incidents.sql says; readers of many have incidents_read.c.  Must never write.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "baseline/alert_columns.h"
#include "baseline/stored.h"
#include "baseline/stored_scan.h"
#include "catalog/pg_type.h"
#include "config/settings.h"
#include "detect/incident_columns.h"
#include "detect/incidents.h"
#include "executor/executor.h"
#include "fmgr.h"
#include "funcapi.h"
#include "server/given.h"
#include "server/lock.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"

PG_FUNCTION_INFO_V1(iamwatch_incident_gap);
PG_FUNCTION_INFO_V1(iamwatch_incidents_behind);
PG_FUNCTION_INFO_V1(iamwatch_incident_reach);
PG_FUNCTION_INFO_V1(iamwatch_has_strays);
PG_FUNCTION_INFO_V1(iamwatch_has_many_changed);
PG_FUNCTION_INFO_V1(iamwatch_try_lock_incidents);
PG_FUNCTION_INFO_V1(iamwatch_urgent_most);

/* Of iamwatch_internal.incident_part. */
enum
{
	PART_DETECTOR = 1, PART_PROVIDER, PART_ACCOUNT, PART_IDENTITY, PART_SINCE, PART_UNTIL
};

/* Identities share so many locks; that of the number after them is for all links (keep_links()). */
#define INCIDENT_LOCKS 1024

int64
incident_gap(Slice detector)
{
	return settings_of_incidents(detector).deduplication_days * USECS_PER_DAY;
}

int64
urgent_most(Slice detector)
{
	return (int64) URGENT_DAYS * settings_of_incidents(detector).daily_budget;
}

/* The columns of a key are four in a row, in both tables. */
static bool
row_is_of(TupleTableSlot *row, int first, const IncidentKey *key)
{
	return scan_text_is(row, first + 3, key->identity) &&
		scan_text_is(row, first + 2, key->account) &&
		scan_text_is(row, first + 1, key->provider) &&
		scan_text_is(row, first, key->detector);
}

static int
compare_incidents(const void *a, const void *b)
{
	TimestampTz left = ((const KeptIncident *) a)->first;
	TimestampTz right = ((const KeptIncident *) b)->first;

	return left < right ? -1 : left > right;
}

int
incidents_kept(const IncidentKey *key, KeptIncident **incidents)
{
	ScanKeyData scan_keys[2];
	IndexScanDesc scan;
	TupleTableSlot *row;
	int			count = 0;
	int			capacity = 4;

	*incidents = palloc(capacity * sizeof(KeptIncident));
	scan_key_hash(&scan_keys[0], 1, key->identity);
	scan_key_hash(&scan_keys[1], 2, key->account);
	stored_begin();
	scan = scan_begin(LOOKUP_INCIDENTS, scan_keys, lengthof(scan_keys));
	while ((row = scan_next(LOOKUP_INCIDENTS, scan)) != NULL)
	{
		if (!row_is_of(row, KEPT_DETECTOR, key))
			continue;
		if (count == capacity)
			*incidents = repalloc(*incidents, (capacity *= 2) * sizeof(KeptIncident));
		(*incidents)[count++] = (KeptIncident) {
			.incident_id = DatumGetInt64(scan_value(row, KEPT_INCIDENT_ID)),
			.first = DatumGetTimestampTz(scan_value(row, KEPT_FIRST_EVENT_TIME)),
			.last = DatumGetTimestampTz(scan_value(row, KEPT_LAST_EVENT_TIME)),
			.risk = DatumGetFloat8(scan_value(row, KEPT_RISK))
		};
	}
	scan_end(LOOKUP_INCIDENTS, scan);
	stored_end();
	if (count > 1)
		qsort(*incidents, count, sizeof(KeptIncident), compare_incidents);
	return count;
}

bool
incidents_behind_in(const IncidentKey *key)
{
	ScanKeyData scan_key;
	IndexScanDesc scan;
	TupleTableSlot *row;

	scan_key_hash(&scan_key, 1, key->identity);
	scan = scan_begin(LOOKUP_CHANGED, &scan_key, 1);
	while ((row = scan_next(LOOKUP_CHANGED, scan)) != NULL)
		if (row_is_of(row, CHANGED_DETECTOR, key))
			break;
	scan_end(LOOKUP_CHANGED, scan);
	return row != NULL;
}

bool
incidents_are_behind(const IncidentKey *key)
{
	bool		behind;

	stored_begin();
	behind = incidents_behind_in(key);
	stored_end();
	return behind;
}

bool
incidents_try_lock(const IncidentKey *key)
{
	return lock_try(LOCK_INCIDENTS, (int32) (slice_hash(key->identity, 0) % INCIDENT_LOCKS));
}

static TimestampTz
plus(TimestampTz time, int64 interval)
{
	return TIMESTAMP_NOT_FINITE(time) ? time : time + interval;
}

int
incidents_reach(const KeptIncident *incidents, int count, int64 gap,
				TimestampTz *since, TimestampTz *until, Datum *incident_ids)
{
	int			inside = 0;
	bool		wider;

	do
	{
		wider = false;
		for (int i = 0; i < count; i++)
		{
			const KeptIncident *k = &incidents[i];

			if (!(k->first < plus(*until, gap) && k->last > plus(*since, -gap)) &&
				!(k->first <= *until && k->last >= *since))
				continue;
			wider |= k->first < *since || k->last > *until;
			*since = Min(*since, k->first);
			*until = Max(*until, k->last);
		}
	} while (wider);
	for (int i = 0; i < count; i++)
		if (incidents[i].first <= *until && incidents[i].last >= *since)
			incident_ids[inside++] = Int64GetDatum(incidents[i].incident_id);
	return inside;
}

/* ---- which are urgent ---- */

bool
incident_is_urgent(const IncidentKey *key, TimestampTz began, const double *risk)
{
	KeptIncident *incidents;
	int			count = incidents_kept(key, &incidents);
	int64		most = urgent_most(key->detector);
	bool		has_risk = risk != NULL;
	double		highest = has_risk ? *risk : 0;
	int			higher;

	/* the first that the alert lies in */
	for (int i = 0; i < count; i++)
	{
		const KeptIncident *k = &incidents[i];

		if (began < k->first || began > k->last)
			continue;
		highest = has_risk ? Max(highest, k->risk) : k->risk;
		has_risk = true;
		began = k->first;
		break;
	}
	if (!has_risk)
		return true;
	stored_begin();
	higher = incidents_higher(key->detector, began, highest, most, false);
	stored_end();
	return higher < most;
}

/* ---- for SQL ---- */

static Slice
field_text(HeapTupleHeader row, int column)
{
	return slice_of_text(given_field(row, column));
}

static IncidentKey
part_key(HeapTupleHeader part)
{
	return (IncidentKey) {
		field_text(part, PART_DETECTOR), field_text(part, PART_PROVIDER),
		field_text(part, PART_ACCOUNT), field_text(part, PART_IDENTITY)
	};
}

/* incident_gap(of_detector text) RETURNS interval */
Datum
iamwatch_incident_gap(PG_FUNCTION_ARGS)
{
	Interval   *gap = palloc0(sizeof(Interval));

	gap->time = incident_gap(slice_of_text(PG_GETARG_DATUM(0)));
	PG_RETURN_INTERVAL_P(gap);
}

/* incidents_behind(part incident_part) RETURNS boolean */
Datum
iamwatch_incidents_behind(PG_FUNCTION_ARGS)
{
	IncidentKey key = part_key(PG_GETARG_HEAPTUPLEHEADER(0));

	PG_RETURN_BOOL(incidents_are_behind(&key));
}

/* try_lock_incidents(part incident_part) RETURNS boolean */
Datum
iamwatch_try_lock_incidents(PG_FUNCTION_ARGS)
{
	IncidentKey key = part_key(PG_GETARG_HEAPTUPLEHEADER(0));

	PG_RETURN_BOOL(incidents_try_lock(&key));
}

/* urgent_most(of_detector text) RETURNS bigint */
Datum
iamwatch_urgent_most(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT64(urgent_most(slice_of_text(PG_GETARG_DATUM(0))));
}

static Datum
bigint_array(Datum *values, int count)
{
	return PointerGetDatum(construct_array(values, count, INT8OID, sizeof(int64),
										   FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
}

/*
 * incident_reach(part incident_part, OUT since timestamptz, OUT until
 * timestamptz, OUT incident_ids bigint[])
 */
Datum
iamwatch_incident_reach(PG_FUNCTION_ARGS)
{
	HeapTupleHeader part = PG_GETARG_HEAPTUPLEHEADER(0);
	IncidentKey key = part_key(part);
	KeptIncident *incidents;
	int			count = incidents_kept(&key, &incidents);
	Datum	   *ids = palloc(Max(1, count) * sizeof(Datum));
	TimestampTz since,
				until;
	bool		nulls[3] = {false};
	TupleDesc	desc;

	since = DatumGetTimestampTz(given_field(part, PART_SINCE));
	until = DatumGetTimestampTz(given_field(part, PART_UNTIL));
	count = incidents_reach(incidents, count, incident_gap(key.detector), &since, &until, ids);
	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), (Datum[]) {
		TimestampTzGetDatum(since), TimestampTzGetDatum(until), bigint_array(ids, count)
	}, nulls)));
}

/* has_strays(incident_id bigint, alert_ids bigint[]) RETURNS boolean */
Datum
iamwatch_has_strays(PG_FUNCTION_ARGS)
{
	int64		incident_id = PG_GETARG_INT64(0);
	Datum	   *alerts;
	int			count;
	bool		found = false;

	deconstruct_array(PG_GETARG_ARRAYTYPE_P(1), INT8OID, sizeof(int64), FLOAT8PASSBYVAL,
					  TYPALIGN_DOUBLE, &alerts, NULL, &count);
	stored_begin();
	for (int i = 0; i < count && !found; i++)
	{
		ScanKeyData key;
		IndexScanDesc scan;
		TupleTableSlot *row;
		bool		isnull;

		ScanKeyInit(&key, 1, BTEqualStrategyNumber, F_INT8EQ, alerts[i]);
		scan = scan_begin(LOOKUP_ALERT_NUMBERS, &key, 1);
		row = scan_next(LOOKUP_ALERT_NUMBERS, scan);
		if (row != NULL)
			found = DatumGetInt64(scan_column(row, ALERTS_INCIDENT_ID, &isnull)) != incident_id || isnull;
		scan_end(LOOKUP_ALERT_NUMBERS, scan);
	}
	stored_end();
	PG_RETURN_BOOL(found);
}

/* has_many_changed(most integer) RETURNS boolean: more than so many rows */
Datum
iamwatch_has_many_changed(PG_FUNCTION_ARGS)
{
	int			most = PG_GETARG_INT32(0);
	int			count = 0;
	IndexScanDesc scan;

	stored_begin();
	scan = scan_begin(LOOKUP_CHANGES, NULL, 0);
	while (count <= most && scan_next(LOOKUP_CHANGES, scan) != NULL)
		count++;
	scan_end(LOOKUP_CHANGES, scan);
	stored_end();
	PG_RETURN_BOOL(count > most);
}
