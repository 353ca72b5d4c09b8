/*-------------------------------------------------------------------------
 *
 * event_row.c
 *		Rows of iamwatch.event.
 *
 * As event_to_datum() writes them.  Must never look at a table.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "event/day.h"
#include "event/event_row.h"
#include "event/providers.h"
#include "funcapi.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/timestamp.h"
#include "utils/typcache.h"

/* Columns, from 0; new ones come after these. */
enum
{
	EVENT_PROVIDER, EVENT_ACCOUNT, EVENT_EVENT_ID, EVENT_EVENT_TIME, EVENT_IDENTITY,
	EVENT_IDENTITY_KIND, EVENT_IS_USER, EVENT_SERVICE, EVENT_OPERATION, EVENT_FAILED
};

static Slice
text_column(TupleDesc desc, const Datum *values, const bool *nulls, int column)
{
	if (nulls[column])
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("field \"%s\" of an event is null",
						NameStr(TupleDescAttr(desc, column)->attname))));
	return slice_of_text(values[column]);
}

EventRow
event_from_row(HeapTupleHeader row)
{
	TupleDesc	desc = lookup_rowtype_tupdesc(HeapTupleHeaderGetTypeId(row),
											  HeapTupleHeaderGetTypMod(row));
	HeapTupleData tuple = {.t_len = HeapTupleHeaderGetDatumLength(row), .t_data = row};
	Datum	   *values = palloc(desc->natts * sizeof(Datum));
	bool	   *nulls = palloc(desc->natts * sizeof(bool));
	EventRow	result;
	Event	   *event = &result.event;

	Assert(desc->natts > EVENT_FAILED);
	heap_deform_tuple(&tuple, desc, values, nulls);
	memset(&result, 0, sizeof(result));
	event->provider = provider_number(text_column(desc, values, nulls, EVENT_PROVIDER));
	event->account = text_column(desc, values, nulls, EVENT_ACCOUNT);
	event->identity = text_column(desc, values, nulls, EVENT_IDENTITY);
	event->service = text_column(desc, values, nulls, EVENT_SERVICE);
	event->operation = text_column(desc, values, nulls, EVENT_OPERATION);
	event->failed = !nulls[EVENT_FAILED] && DatumGetBool(values[EVENT_FAILED]);
	result.is_user = !nulls[EVENT_IS_USER] && DatumGetBool(values[EVENT_IS_USER]);
	if (!nulls[EVENT_EVENT_TIME])
	{
		event->time = DatumGetTimestampTz(values[EVENT_EVENT_TIME]);
		event->day = day_of(event->time);
	}
	ReleaseTupleDesc(desc);
	pfree(values);
	pfree(nulls);
	return result;
}
