/*-------------------------------------------------------------------------
 *
 * incidents_read.c
 *		The kept incidents of many identities, for those who read them.
 *
 * Owns what a list asks of other incidents for each of its lines: those of a
 * higher risk before it, and whether the links to one are kept.  By index and
 * without a query, as a query a line would take longer than all else.  Must
 * never write, nor tell anybody what they could not read by a query.
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
#include "utils/float.h"
#include "utils/fmgroids.h"
#include "utils/snapmgr.h"
#include "utils/xid8.h"

PG_FUNCTION_INFO_V1(iamwatch_links_are_kept);

/* Columns of the index of incidents by day, from 1. */
enum
{
	DAYS_DETECTOR = 1, DAYS_FIRST_DAY, DAYS_RISK
};

void
incidents_check_access(void)
{
	static const char *const read[] = {"kept_incidents", "changed_incidents"};

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

int
incidents_of_day(Slice detector, int32 day, int most, bool skip_behind, IncidentRisk *risks)
{
	ScanKeyData keys[2];
	IndexScanDesc scan;
	TupleTableSlot *row;
	int			count = 0;

	key_of_day(keys, slice_text(detector), day);
	scan = scan_begin(LOOKUP_INCIDENT_DAYS, keys, lengthof(keys));
	while (count < most &&
		   (row = scan_next_in(LOOKUP_INCIDENT_DAYS, scan, BackwardScanDirection)) != NULL)
		if (!skip_behind || !row_is_behind(row))
			risks[count++] = (IncidentRisk) {
				.began = DatumGetTimestampTz(scan_value(row, KEPT_FIRST_EVENT_TIME)),
				.risk = DatumGetFloat8(scan_value(row, KEPT_RISK))
			};
	scan_end(LOOKUP_INCIDENT_DAYS, scan);
	return count;
}

/*
 * The index has the incidents of a day by risk.  So from the highest of a day on,
 * the first that is no higher ends the day, and what began before that day is
 * looked up: once for each day on which any incident began.
 */
int
incidents_higher(Slice detector, TimestampTz began, double risk, int most, Snapshot snapshot, bool skip_behind)
{
	TimestampTz since = began - URGENT_DAYS * USECS_PER_DAY;
	int32		day = day_of(began);
	ScanKeyData keys[3];
	IndexScanDesc scan;
	int			count = 0;

	ScanKeyEntryInitialize(&keys[0], 0, DAYS_DETECTOR, BTEqualStrategyNumber, InvalidOid,
						   DEFAULT_COLLATION_OID, F_TEXTEQ, slice_text(detector));
	ScanKeyInit(&keys[1], DAYS_FIRST_DAY, BTGreaterEqualStrategyNumber, F_DATE_GE,
				DateADTGetDatum(day - URGENT_DAYS));
	ScanKeyInit(&keys[2], DAYS_FIRST_DAY, BTLessEqualStrategyNumber, F_DATE_LE, DateADTGetDatum(day));
	stored_begin_as_of(snapshot);
	scan = scan_begin_entries(LOOKUP_INCIDENT_DAYS, keys, lengthof(keys));
	while (scan != NULL && count < most && scan_next_entry(scan, BackwardScanDirection))
	{
		TupleTableSlot *row;
		TimestampTz first;

		if (!float8_gt(DatumGetFloat8(scan_entry_value(scan, DAYS_RISK)), risk))
		{
			day = DatumGetDateADT(scan_entry_value(scan, DAYS_FIRST_DAY));
			keys[2].sk_argument = DateADTGetDatum(day - 1);
			scan_again(scan, keys, lengthof(keys));
			continue;
		}
		if ((row = scan_fetch(LOOKUP_INCIDENT_DAYS, scan)) == NULL)
			continue;
		first = DatumGetTimestampTz(scan_value(row, KEPT_FIRST_EVENT_TIME));
		if (first < began && first >= since && (!skip_behind || !row_is_behind(row)))
			count++;
	}
	scan_end(LOOKUP_INCIDENT_DAYS, scan);
	stored_end();
	return count;
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

/* links_are_kept(of_incident bigint, before xid8, has_changed boolean) RETURNS boolean */
Datum
iamwatch_links_are_kept(PG_FUNCTION_ARGS)
{
	FullTransactionId before = PG_GETARG_FULLTRANSACTIONID(1);
	ScanKeyData key;
	IndexScanDesc scan;
	TupleTableSlot *row;
	bool		kept;

	if (fcinfo->flinfo->fn_extra == NULL)
	{
		incidents_check_access();
		fcinfo->flinfo->fn_extra = fcinfo->flinfo;
	}
	ScanKeyInit(&key, 1, BTEqualStrategyNumber, F_INT8EQ, PG_GETARG_DATUM(0));
	stored_begin_as_of(GetActiveSnapshot());
	scan = scan_begin(LOOKUP_INCIDENT_NUMBERS, &key, 1);
	row = scan_next(LOOKUP_INCIDENT_NUMBERS, scan);
	kept = row != NULL &&
		FullTransactionIdPrecedes(DatumGetFullTransactionId(scan_value(row, KEPT_KEPT_BY)), before) &&
		!(PG_GETARG_BOOL(2) && row_is_behind(row));
	scan_end(LOOKUP_INCIDENT_NUMBERS, scan);
	stored_end();
	PG_RETURN_BOOL(kept);
}
