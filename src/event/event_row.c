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

#include "event/day.h"
#include "event/event_row.h"
#include "event/providers.h"
#include "funcapi.h"
#include "server/composite.h"
#include "server/given.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/timestamp.h"

static const char *const names[EVENT_FAILED + 1] = {
	"provider", "account", "event_id", "event_time", "identity", "identity_kind", "is_user", "service",
	"operation", "failed"
};

void
event_columns(HeapTupleHeader row, EventColumns *columns)
{
	composite_read(row, EVENT_COLUMNS, columns->values, columns->nulls);
}

Slice
event_column(const EventColumns *columns, int column)
{
	return columns->nulls[column] ? SLICE_NONE : slice_of_text(columns->values[column]);
}

/* Of those that must be there. */
static Slice
text_column(const EventColumns *columns, int column)
{
	if (columns->nulls[column])
		refuse_null("%s of an event", names[column]);
	return slice_of_text(columns->values[column]);
}

EventRow
event_from_columns(const EventColumns *columns)
{
	EventRow	result;
	Event	   *event = &result.event;

	memset(&result, 0, sizeof(result));
	event->provider = provider_number(text_column(columns, EVENT_PROVIDER));
	event->account = text_column(columns, EVENT_ACCOUNT);
	event->identity = text_column(columns, EVENT_IDENTITY);
	event->service = text_column(columns, EVENT_SERVICE);
	event->operation = text_column(columns, EVENT_OPERATION);
	event->failed = !columns->nulls[EVENT_FAILED] && DatumGetBool(columns->values[EVENT_FAILED]);
	result.is_user = !columns->nulls[EVENT_IS_USER] && DatumGetBool(columns->values[EVENT_IS_USER]);
	if (!columns->nulls[EVENT_EVENT_TIME])
	{
		event->time = DatumGetTimestampTz(columns->values[EVENT_EVENT_TIME]);
		event->day = day_of(event->time);
	}
	return result;
}

EventRow
event_from_row(HeapTupleHeader row)
{
	EventColumns columns;

	event_columns(row, &columns);
	return event_from_columns(&columns);
}
