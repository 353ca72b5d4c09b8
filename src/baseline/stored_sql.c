/*-------------------------------------------------------------------------
 *
 * stored_sql.c
 *		The look-ups of stored.c for SQL.
 *
 * PL/pgSQL calls them in expressions, where a query that asks whether there is
 * anything to do, or for a number by its name, would cost more than most of
 * what it is asked for.  Must never write.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "baseline/journal_sums.h"
#include "baseline/stored.h"
#include "event/event_row.h"
#include "event/providers.h"
#include "executor/executor.h"
#include "fmgr.h"
#include "funcapi.h"
#include "server/given.h"
#include "server/objects.h"
#include "server/table.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/timestamp.h"

PG_FUNCTION_INFO_V1(iamwatch_ids_of);
PG_FUNCTION_INFO_V1(iamwatch_has_pending);
PG_FUNCTION_INFO_V1(iamwatch_has_excluded);
PG_FUNCTION_INFO_V1(iamwatch_has_journal);
PG_FUNCTION_INFO_V1(iamwatch_is_near_limit);
PG_FUNCTION_INFO_V1(iamwatch_has_suppressions);
PG_FUNCTION_INFO_V1(iamwatch_tally_sums);
PG_FUNCTION_INFO_V1(iamwatch_journal_class_days);
PG_FUNCTION_INFO_V1(iamwatch_limit_value);

static Slice
text_argument(FunctionCallInfo fcinfo, int n)
{
	if (PG_ARGISNULL(n))
		refuse_null("argument %d of a look-up", n + 1);
	return slice_of_text(PG_GETARG_DATUM(n));
}

static Event
event_argument(FunctionCallInfo fcinfo, int n)
{
	return event_from_row(PG_GETARG_HEAPTUPLEHEADER(n)).event;
}

static Datum
return_row(FunctionCallInfo fcinfo, Datum *values, bool *nulls)
{
	TupleDesc	desc;

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	return HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls));
}

/*
 * ids_of(provider text, account text, identity text, service text, operation
 * text, failed boolean) RETURNS ids: null for what has none, or was not given
 */
Datum
iamwatch_ids_of(PG_FUNCTION_ARGS)
{
	Event		event;
	StoredAccount account;
	StoredIdentity identity;
	Datum		values[3] = {0};
	bool		nulls[3] = {true, true, true};
	int32		operation_id;

	memset(&event, 0, sizeof(event));
	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		return return_row(fcinfo, values, nulls);
	event.provider = provider_number(text_argument(fcinfo, 0));
	event.account = text_argument(fcinfo, 1);
	if (!PG_ARGISNULL(2))
		event.identity = text_argument(fcinfo, 2);
	if (!PG_ARGISNULL(3) && !PG_ARGISNULL(4) && !PG_ARGISNULL(5))
	{
		event.service = text_argument(fcinfo, 3);
		event.operation = text_argument(fcinfo, 4);
		event.failed = PG_GETARG_BOOL(5);
	}
	stored_begin();
	if (stored_account(&event, &account))
	{
		values[0] = Int32GetDatum(account.account_id);
		nulls[0] = false;
		if (event.identity.s != NULL &&
			stored_identity(account.account_id, &event, &identity))
		{
			values[1] = Int64GetDatum(identity.identity_id);
			nulls[1] = false;
		}
		operation_id = event.operation.s == NULL ? 0 :
			stored_operation_id(account.account_id, &event);
		values[2] = Int32GetDatum(operation_id);
		nulls[2] = operation_id == 0;
	}
	stored_end();
	return return_row(fcinfo, values, nulls);
}

/* has_pending(event) RETURNS boolean */
Datum
iamwatch_has_pending(PG_FUNCTION_ARGS)
{
	Event		event = event_argument(fcinfo, 0);
	bool		result;

	stored_begin();
	result = stored_pending(&event);
	stored_end();
	PG_RETURN_BOOL(result);
}

/* has_excluded(account text, operation text) RETURNS boolean */
Datum
iamwatch_has_excluded(PG_FUNCTION_ARGS)
{
	bool		result;

	stored_begin();
	result = stored_may_have_excluded(text_argument(fcinfo, 0), text_argument(fcinfo, 1));
	stored_end();
	PG_RETURN_BOOL(result);
}

/* has_journal(account text) RETURNS boolean */
Datum
iamwatch_has_journal(PG_FUNCTION_ARGS)
{
	bool		result;

	stored_begin();
	result = stored_may_have_journal(text_argument(fcinfo, 0));
	stored_end();
	PG_RETURN_BOOL(result);
}

/* is_near_limit(scope text) RETURNS boolean */
Datum
iamwatch_is_near_limit(PG_FUNCTION_ARGS)
{
	bool		result;

	stored_begin();
	result = stored_may_be_near_limit(text_argument(fcinfo, 0));
	stored_end();
	PG_RETURN_BOOL(result);
}

/* A row of class_sums. */
static Datum
return_sums(FunctionCallInfo fcinfo, const StoredSums *sums)
{
	bool		nulls[6] = {false};

	return return_row(fcinfo, (Datum[]) {
		Int64GetDatum(sums->days.all), Int64GetDatum(sums->active.all),
		Int64GetDatum(sums->iam_days.all), Int64GetDatum(sums->days.settled),
		Int64GetDatum(sums->active.settled), Int64GetDatum(sums->iam_days.settled)
	}, nulls);
}

/*
 * tally_sums(account_id int, operation_id int, is_user boolean, since date,
 * until date) RETURNS class_sums
 */
Datum
iamwatch_tally_sums(PG_FUNCTION_ARGS)
{
	StoredSums	sums;

	journal_sums_begin();
	sums = stored_tallies(PG_ARGISNULL(0) ? 0 : PG_GETARG_INT32(0),
						  PG_ARGISNULL(1) ? 0 : PG_GETARG_INT32(1),
						  PG_GETARG_BOOL(2), PG_GETARG_DATEADT(3), PG_GETARG_DATEADT(4));
	stored_end();
	return return_sums(fcinfo, &sums);
}

/*
 * journal_class_days(provider text, account text, is_user boolean, service text,
 * operation text, failed boolean, since date, until date) RETURNS class_sums
 */
Datum
iamwatch_journal_class_days(PG_FUNCTION_ARGS)
{
	Event		event;
	StoredSums	sums;

	memset(&event, 0, sizeof(event));
	event.provider = provider_number(text_argument(fcinfo, 0));
	event.account = text_argument(fcinfo, 1);
	if (!PG_ARGISNULL(3) && !PG_ARGISNULL(4) && !PG_ARGISNULL(5))
	{
		event.service = text_argument(fcinfo, 3);
		event.operation = text_argument(fcinfo, 4);
		event.failed = PG_GETARG_BOOL(5);
	}
	journal_sums_begin();
	sums = journal_sums(&event, PG_GETARG_BOOL(2), PG_GETARG_DATEADT(6), PG_GETARG_DATEADT(7));
	stored_end();
	return return_sums(fcinfo, &sums);
}

/* has_suppressions() RETURNS boolean */
Datum
iamwatch_has_suppressions(PG_FUNCTION_ARGS)
{
	bool		result;

	stored_begin();
	result = stored_has_suppressions();
	stored_end();
	PG_RETURN_BOOL(result);
}

/* Of the row that was looked up last. */
static int64 limit_found;

static void
load_limit(const TableRow *row)
{
	limit_found = DatumGetInt64(row->values[1]);
}

int64
stored_limit(const char *name)
{
	TableKey	key = {0, {name, strlen(name)}};

	limit_found = PG_INT64_MAX;
	table_look_up(public_relation("limits"), public_relation("limits_pkey"), &key, 1,
				  CurrentMemoryContext, load_limit);
	return limit_found;
}

/* limit_value(limit_name text) RETURNS bigint: the largest if it does not hold */
Datum
iamwatch_limit_value(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT64(stored_limit(text_to_cstring(PG_GETARG_TEXT_PP(0))));
}
