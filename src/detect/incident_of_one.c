/*-------------------------------------------------------------------------
 *
 * incident_of_one.c
 *		The incident of an alert that is the only one of it.
 *
 * Most alerts are the first of an incident, and then each of the aggregates of
 * iamwatch_internal.incidents_of() is that alert: no statement is needed.  A
 * test compares the two.  Owns what both ask of a single alert.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/transam.h"
#include "access/xact.h"
#include "baseline/alert_columns.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "detect/actor.h"
#include "detect/incident_of_one.h"
#include "detect/incidents.h"
#include "event/day.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "server/column.h"
#include "server/given.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/fmgrprotos.h"
#include "utils/jsonb.h"
#include "utils/rel.h"
#include "utils/typcache.h"

PG_FUNCTION_INFO_V1(iamwatch_hands_over);
PG_FUNCTION_INFO_V1(iamwatch_handed_how);
PG_FUNCTION_INFO_V1(iamwatch_address_weeks);
PG_FUNCTION_INFO_V1(iamwatch_kept_by_whom);

static Slice
alert_text(const Datum *alert, int column)
{
	return slice_of_text(alert[column - 1]);
}

/* Is it about an identity that was made, or credentials or a role that were given? */
static bool
hands_over(const Datum *alert)
{
	static const char *const categories[] = {"account", "credential", "role"};
	static const char *const taken_back[] = {
		"delete", "remove", "deactivate", "disable", "revoke", "unlink", "purge", "suspend"
	};
	Slice		category = alert_text(alert, ALERTS_CATEGORY);
	Slice		operation;
	bool		concerns = false;

	if (DatumGetBool(alert[ALERTS_FAILED - 1]))
		return false;
	for (int i = 0; i < lengthof(categories); i++)
		concerns |= slice_is(category, categories[i]);
	if (!concerns)
		return false;
	operation = slice_folded(alert_text(alert, ALERTS_OPERATION));
	for (int i = 0; i < lengthof(taken_back); i++)
		if (slice_contains(operation, taken_back[i]))
			return false;
	return true;
}

/*
 * The only text of a list of the evidence, missing if there is none; false if
 * there are several, or what it has is no list of texts.
 */
static bool
only_text(Jsonb *evidence, const char *key, Slice *text)
{
	JsonbValue	buffer;
	JsonbValue *list = getKeyJsonValueFromContainer(&evidence->root, key, strlen(key), &buffer);
	JsonbValue *first;

	*text = SLICE_NONE;
	if (list == NULL)
		return true;
	if (list->type != jbvBinary || !JsonContainerIsArray(list->val.binary.data) ||
		JsonContainerSize(list->val.binary.data) > 1)
		return false;
	first = getIthJsonbValueFromContainer(list->val.binary.data, 0);
	if (first == NULL)
		return true;
	if (first->type != jbvString)
		return false;
	*text = (Slice) {first->val.string.val, first->val.string.len};
	return true;
}

/* The first of a list of the evidence, of which there may be more. */
static Slice
first_granted(Jsonb *evidence)
{
	JsonbValue	buffer;
	JsonbValue *list = getKeyJsonValueFromContainer(&evidence->root, "granted", strlen("granted"), &buffer);
	JsonbValue *first = list == NULL || list->type != jbvBinary || !JsonContainerIsArray(list->val.binary.data) ? NULL :
		getIthJsonbValueFromContainer(list->val.binary.data, 0);

	return first == NULL || first->type != jbvString ? SLICE_NONE :
		(Slice) {first->val.string.val, first->val.string.len};
}

/* How a target of an alert was made or got something. */
static Datum
handed_how(const Datum *alert, Slice target)
{
	Slice		operation = alert_text(alert, ALERTS_OPERATION);
	Slice		granted = SLICE_NONE;
	char	   *how;

	if (slice_is(alert_text(alert, ALERTS_CATEGORY), "credential"))
		granted = first_granted(DatumGetJsonbP(alert[ALERTS_EVIDENCE - 1]));
	how = psprintf("alert " INT64_FORMAT ": %.*s of %.*s%s%.*s", DatumGetInt64(alert[ALERTS_ALERT_ID - 1]),
				   operation.len, operation.s, target.len, target.s,
				   granted.s == NULL ? "" : " gave ", granted.len, granted.s == NULL ? "" : granted.s);
	return CStringGetTextDatum(how);
}

static int
compare_texts(const void *a, const void *b)
{
	return DatumGetInt32(DirectFunctionCall2Coll(bttextcmp, DEFAULT_COLLATION_OID,
												 *(const Datum *) a, *(const Datum *) b));
}

/* Weeks since that of 1970-01-01, which begin on Thursdays. */
static int64
week_of(TimestampTz time)
{
	int64		day;

	if (TIMESTAMP_NOT_FINITE(time))
		ereport(ERROR,
				(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE), errmsg("timestamp out of range")));
	day = day_of(time) + (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE);
	return day >= 0 ? day / 7 : -((6 - day) / 7);
}

/*
 * Each of the addresses with each of the weeks that a time touches: a key that
 * an index finds, where an address alone would find everybody who works at the
 * same place.
 */
static Datum
address_weeks(Datum *addresses, int count, TimestampTz since, TimestampTz until)
{
	int64		from = week_of(since);
	int64		to = week_of(until);
	Column		keys = column_make(TEXTOID, Max(0, to - from + 1) * count);

	if (count > 1)
		qsort(addresses, count, sizeof(Datum), compare_texts);
	for (int64 week = from; week <= to; week++)
	{
		CHECK_FOR_INTERRUPTS();
		for (int i = 0; i < count; i++)
		{
			Slice		address = slice_of_text(addresses[i]);

			column_add(&keys, CStringGetTextDatum(psprintf(INT64_FORMAT " %.*s", week,
														   address.len, address.s)));
		}
	}
	return column_array(&keys);
}

static Datum
array_of(Oid type, Datum element, bool is_empty)
{
	Column		column = column_make(type, 1);

	if (!is_empty)
		column_add(&column, element);
	return column_array(&column);
}

static Datum
operation_of(const Datum *alert)
{
	Slice		parts[] = {
		alert_text(alert, ALERTS_SERVICE), SLICE_LITERAL(":"), alert_text(alert, ALERTS_OPERATION),
		DatumGetBool(alert[ALERTS_FAILED - 1]) ? SLICE_LITERAL(" (failed)") : SLICE_LITERAL("")
	};

	return slice_text(slice_join(lengthof(parts), parts));
}

static bool
is_first_day(Jsonb *evidence)
{
	JsonbValue	buffer;
	JsonbValue *context = getKeyJsonValueFromContainer(&evidence->root, "context", strlen("context"), &buffer);

	return context != NULL && context->type == jbvBinary &&
		getKeyJsonValueFromContainer(context->val.binary.data, "first_day", strlen("first_day"), NULL) != NULL;
}

/* The actor to whom the alert handed over something, other than its own; missing if to none. */
static Slice
handed_to(const Datum *alert, Slice target, Slice actor)
{
	Slice		key = actor_handed(alert_text(alert, ALERTS_PROVIDER), alert_text(alert, ALERTS_ACCOUNT),
								   alert_text(alert, ALERTS_OPERATION), target);

	return slice_equal(key, actor) ? SLICE_NONE : key;
}

bool
incident_of_one(const Datum *alert, const bool *alert_nulls, Datum *values, bool *nulls)
{
	Jsonb	   *evidence = DatumGetJsonbP(alert[ALERTS_EVIDENCE - 1]);
	TimestampTz first = DatumGetTimestampTz(alert[ALERTS_FIRST_EVENT_TIME - 1]);
	TimestampTz next = DatumGetTimestampTz(alert[ALERTS_LAST_EVENT_TIME - 1]) +
		incident_gap(alert_text(alert, ALERTS_DETECTOR));
	bool		gives = hands_over(alert);
	bool		counts = alert_nulls[ALERTS_RESOLUTION - 1] ||
		slice_is(alert_text(alert, ALERTS_RESOLUTION), "true_positive");
	Slice		actor = actor_of(alert_text(alert, ALERTS_PROVIDER), alert_text(alert, ALERTS_IDENTITY));
	Slice		key = SLICE_NONE;
	Slice		target,
				address;
	Datum		addresses[1];
	int			n = 0;

	if (!only_text(evidence, "targets", &target) ||
		!only_text(evidence, "source_addresses", &address))
		return false;
	if (gives && target.s != NULL)
		key = handed_to(alert, target, actor);
	if (address.s != NULL)
		addresses[0] = slice_text(address);

	memset(nulls, false, KEPT_COLUMNS * sizeof(bool));
	values[n++] = alert[ALERTS_ALERT_ID - 1];
	for (int column = 0; column < 5; column++)
	{
		static const int same[] = {
			ALERTS_DETECTOR, ALERTS_PROVIDER, ALERTS_ACCOUNT, ALERTS_IDENTITY, ALERTS_IDENTITY_KIND
		};

		values[n++] = alert[same[column] - 1];
	}
	values[n++] = counts && !alert_nulls[ALERTS_RISK - 1] ? alert[ALERTS_RISK - 1] : Float8GetDatum(0);
	values[n++] = alert[ALERTS_SEVERITY - 1];
	values[n++] = alert[ALERTS_STATUS - 1];
	values[n++] = Int64GetDatum(1);
	values[n++] = Int64GetDatum(slice_is(alert_text(alert, ALERTS_STATUS), "closed") ? 0 : 1);
	values[n++] = alert[ALERTS_EVENT_COUNT - 1];
	values[n++] = alert[ALERTS_FIRST_EVENT_TIME - 1];
	values[n++] = alert[ALERTS_LAST_EVENT_TIME - 1];
	values[n++] = DateADTGetDatum(day_of(first));
	values[n++] = array_of(TEXTOID, operation_of(alert), false);
	values[n++] = array_of(TEXTOID, alert[ALERTS_TECHNIQUE - 1], false);
	values[n++] = alert[ALERTS_SENSITIVITY - 1];
	nulls[n] = alert_nulls[ALERTS_ASSIGNEE - 1];
	values[n++] = array_of(TEXTOID, alert[ALERTS_ASSIGNEE - 1], alert_nulls[ALERTS_ASSIGNEE - 1]);
	values[n++] = array_of(INT8OID, alert[ALERTS_ALERT_ID - 1], false);
	values[n++] = slice_text(actor);
	values[n++] = array_of(TEXTOID, key.s == NULL ? 0 : slice_text(key), key.s == NULL);
	values[n++] = array_of(TIMESTAMPTZOID, TimestampTzGetDatum(first), key.s == NULL);
	values[n++] = array_of(TEXTOID, key.s == NULL ? 0 : handed_how(alert, target), key.s == NULL);
	values[n++] = gives && address.s != NULL ? address_weeks(addresses, 1, first, next) :
		array_of(TEXTOID, 0, true);
	values[n++] = address.s != NULL && is_first_day(evidence) ? address_weeks(addresses, 1, first, first) :
		array_of(TEXTOID, 0, true);
	values[n++] = TimestampTzGetDatum(next);
	values[n] = 0;				/* who keeps it, its trigger says */
	nulls[n++] = true;
	Assert(n == KEPT_COLUMNS);
	return true;
}

/* ---- for SQL ---- */

/* The columns of an alert that is an argument. */
static Datum *
alert_argument(FunctionCallInfo fcinfo)
{
	HeapTupleHeader row = PG_GETARG_HEAPTUPLEHEADER(0);
	HeapTupleData tuple = {.t_len = HeapTupleHeaderGetDatumLength(row), .t_data = row};
	TupleDesc	desc = lookup_rowtype_tupdesc(HeapTupleHeaderGetTypeId(row), HeapTupleHeaderGetTypMod(row));
	Datum	   *values = palloc(desc->natts * sizeof(Datum));
	bool	   *nulls = palloc(desc->natts * sizeof(bool));
	static const int used[] = {
		ALERTS_ALERT_ID, ALERTS_CATEGORY, ALERTS_FAILED, ALERTS_OPERATION, ALERTS_EVIDENCE
	};

	heap_deform_tuple(&tuple, desc, values, nulls);
	ReleaseTupleDesc(desc);
	for (int i = 0; i < lengthof(used); i++)
		if (nulls[used[i] - 1])
			refuse_null("a field of an alert");
	return values;
}

/* hands_over(alert iamwatch.alerts) RETURNS boolean */
Datum
iamwatch_hands_over(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(hands_over(alert_argument(fcinfo)));
}

/* handed_how(alert iamwatch.alerts, target text) RETURNS text */
Datum
iamwatch_handed_how(PG_FUNCTION_ARGS)
{
	return handed_how(alert_argument(fcinfo), slice_of_text(PG_GETARG_DATUM(1)));
}

/* address_weeks(addresses text[], since timestamptz, until timestamptz) RETURNS text[] */
Datum
iamwatch_address_weeks(PG_FUNCTION_ARGS)
{
	Datum	   *addresses;
	int			count;

	deconstruct_array(PG_GETARG_ARRAYTYPE_P(0), TEXTOID, -1, false, TYPALIGN_INT, &addresses, NULL, &count);
	return address_weeks(addresses, count, PG_GETARG_TIMESTAMPTZ(1), PG_GETARG_TIMESTAMPTZ(2));
}

/* kept_by_whom(), before an incident is kept: which transaction does so, with a statement or without */
Datum
iamwatch_kept_by_whom(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = (TriggerData *) fcinfo->context;
	int			column = KEPT_COLUMNS;
	bool		isnull = false;
	Datum		xid;
	HeapTuple	row;

	if (!CALLED_AS_TRIGGER(fcinfo) || !TRIGGER_FIRED_BEFORE(trigger->tg_event) ||
		!TRIGGER_FIRED_FOR_ROW(trigger->tg_event) ||
		RelationGetNumberOfAttributes(trigger->tg_relation) < KEPT_COLUMNS)
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("this trigger function is for kept incidents only, BEFORE and FOR EACH ROW")));
	row = TRIGGER_FIRED_BY_UPDATE(trigger->tg_event) ? trigger->tg_newtuple : trigger->tg_trigtuple;
	xid = Int64GetDatum((int64) U64FromFullTransactionId(GetTopFullTransactionId()));
	return PointerGetDatum(heap_modify_tuple_by_cols(row, RelationGetDescr(trigger->tg_relation), 1,
													 &column, &xid, &isnull));
}
