/*-------------------------------------------------------------------------
 *
 * incidents_read.c
 *		The kept incidents of many identities, for those who read them.
 *
 * Owns what a list asks of other incidents for each of its lines: those of a
 * higher risk before it.  By index and without a query, as a query a line would
 * take longer than all else.  Must never write, nor tell anybody what they could
 * not read by a query.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "baseline/stored.h"
#include "baseline/stored_scan.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_type.h"
#include "detect/incident_columns.h"
#include "detect/incidents.h"
#include "event/day.h"
#include "executor/executor.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "server/objects.h"
#include "utils/acl.h"
#include "utils/date.h"
#include "utils/fmgroids.h"

/* Columns of the index of incidents by day, from 1. */
enum
{
	DAYS_DETECTOR = 1, DAYS_FIRST_DAY, DAYS_RISK, DAYS_FIRST_EVENT_TIME
};

void
incidents_check_access(void)
{
	static const char *const read[] = {"kept_incidents", "changed_incidents", "kept_links"};

	for (int i = 0; i < lengthof(read); i++)
		if (pg_class_aclcheck(internal_relation(read[i]), GetUserId(), ACL_SELECT) != ACLCHECK_OK)
			aclcheck_error(ACLCHECK_NO_PRIV, OBJECT_TABLE, read[i]);
}

/* Is the incident of a row of kept_incidents behind its alerts? */
static bool
row_is_behind(TupleTableSlot *row)
{
	IncidentKey key = {
		scan_text(row, KEPT_DETECTOR), scan_text(row, KEPT_PROVIDER),
		scan_text(row, KEPT_ACCOUNT), scan_text(row, KEPT_IDENTITY)
	};

	return incidents_behind_in(&key);
}

static void
key_of_day(ScanKeyData keys[2], Datum detector, int32 day)
{
	ScanKeyEntryInitialize(&keys[0], 0, DAYS_DETECTOR, BTEqualStrategyNumber, InvalidOid,
						   DEFAULT_COLLATION_OID, F_TEXTEQ, detector);
	ScanKeyInit(&keys[1], DAYS_FIRST_DAY, BTEqualStrategyNumber, F_DATE_EQ, DateADTGetDatum(day));
}

bool
incidents_entry_counts(Lookup lookup, IndexScanDesc scan, bool skip_behind)
{
	TupleTableSlot *row;

	if (!skip_behind)
		return scan_entry_is_seen(lookup, scan);
	row = scan_fetch(lookup, scan);
	return row != NULL && !row_is_behind(row);
}

int
incidents_of_day(Slice detector, int32 day, int most, bool skip_behind, IncidentRisk *risks)
{
	ScanKeyData keys[2];
	IndexScanDesc scan;
	int			count = 0;

	key_of_day(keys, slice_text(detector), day);
	scan = scan_begin_entries(LOOKUP_INCIDENT_DAYS, keys, lengthof(keys));
	while (scan != NULL && count < most && scan_next_entry(scan, BackwardScanDirection))
		if (incidents_entry_counts(LOOKUP_INCIDENT_DAYS, scan, skip_behind))
			risks[count++] = (IncidentRisk) {
				.began = DatumGetTimestampTz(scan_entry_value(scan, DAYS_FIRST_EVENT_TIME)),
				.risk = DatumGetFloat8(scan_entry_value(scan, DAYS_RISK))
			};
	scan_end(LOOKUP_INCIDENT_DAYS, scan);
	return count;
}

/* Those that are asked for, of a risk higher than one. */
typedef struct Higher
{
	Datum		detector;
	TimestampTz since;
	TimestampTz until;
	double		risk;
	int			most;
	bool		skip_behind;
	int			count;
	IndexScanDesc scan;
} Higher;

/* The index leads to the higher risks of a day, and nothing else of it is read. */
static void
count_of_day(Higher *higher, int32 day)
{
	ScanKeyData keys[3];

	key_of_day(keys, higher->detector, day);
	ScanKeyInit(&keys[2], DAYS_RISK, BTGreaterStrategyNumber, F_FLOAT8GT, Float8GetDatum(higher->risk));
	if (higher->scan != NULL)
		scan_again(higher->scan, keys, lengthof(keys));
	else if ((higher->scan = scan_begin_entries(LOOKUP_INCIDENT_DAYS, keys, lengthof(keys))) == NULL)
		return;
	while (higher->count < higher->most && scan_next_entry(higher->scan, ForwardScanDirection))
	{
		TimestampTz first = DatumGetTimestampTz(scan_entry_value(higher->scan, DAYS_FIRST_EVENT_TIME));

		if (first < higher->until && first >= higher->since && incidents_entry_counts(LOOKUP_INCIDENT_DAYS, higher->scan, higher->skip_behind))
			higher->count++;
	}
}

/*
 * The last day before one, back to another, on which an incident began; the day
 * before that if none did.  Also one of which nobody sees any: it only saves days.
 */
static int32
last_day_before(Datum detector, int32 day, int32 back_to)
{
	ScanKeyData keys[3];
	IndexScanDesc scan;
	int32		last = back_to - 1;

	key_of_day(keys, detector, back_to);
	ScanKeyInit(&keys[1], DAYS_FIRST_DAY, BTGreaterEqualStrategyNumber, F_DATE_GE, DateADTGetDatum(back_to));
	ScanKeyInit(&keys[2], DAYS_FIRST_DAY, BTLessStrategyNumber, F_DATE_LT, DateADTGetDatum(day));
	scan = scan_begin_entries(LOOKUP_INCIDENT_DAYS, keys, lengthof(keys));
	if (scan != NULL && scan_next_entry(scan, BackwardScanDirection))
		last = DatumGetDateADT(scan_entry_value(scan, DAYS_FIRST_DAY));
	scan_end(LOOKUP_INCIDENT_DAYS, scan);
	return last;
}

/*
 * Day by day.  Where few days have incidents, those without are passed over; but
 * to find the day before takes longer the more incidents there are, so that is
 * left once a day follows upon another.
 */
int
incidents_higher(Slice detector, TimestampTz began, double risk, int most, bool skip_behind)
{
	Higher		higher = {
		slice_text(detector), began - URGENT_DAYS * USECS_PER_DAY, began, risk, most, skip_behind
	};
	int32		day = day_of(began);
	int32		back_to = day - URGENT_DAYS;
	bool		passes_over = true;

	while (day >= back_to && higher.count < most)
	{
		int32		next = day - 1;

		count_of_day(&higher, day);
		if (passes_over && higher.count < most)
		{
			next = last_day_before(higher.detector, day, back_to);
			passes_over = next < day - 1;
		}
		day = next;
	}
	scan_end(LOOKUP_INCIDENT_DAYS, higher.scan);
	return higher.count;
}

bool
incident_of_row(HeapTupleHeader row, Datum *detector, IncidentRisk *risk)
{
	bool		nulls[3];

	*detector = GetAttributeByNum(row, KEPT_DETECTOR, &nulls[0]);
	risk->began = DatumGetTimestampTz(GetAttributeByNum(row, KEPT_FIRST_EVENT_TIME, &nulls[1]));
	risk->risk = DatumGetFloat8(GetAttributeByNum(row, KEPT_RISK, &nulls[2]));
	return !nulls[0] && !nulls[1] && !nulls[2];
}
