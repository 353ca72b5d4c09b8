/*-------------------------------------------------------------------------
 *
 * limits.c
 *		Which documents are taken, and how long the strings in an event may be.
 *
 * Whoever causes audit events chooses some of their names.  Tables that have
 * a row an identity or operation must not grow by a megabyte with each, so
 * names have a bound, far above what any provider allows.  And one event of a
 * time that is yet to come would make all others late.  Must never raise an
 * error.  How many names there may be is for limits.sql.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "event/limits.h"
#include "fmgr.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

PG_FUNCTION_INFO_V1(iamwatch_refusal);

/* No settings: iamwatch.parse() is immutable. */
#define LONGEST_DETAIL (64 * 1024)
#define LONGEST_NAME (64 * 1024)

/* Times up to here are not in the future; the clock only moves on. */
TimestampTz limits_believed_until = PG_INT64_MIN;

bool
limits_ask_clock(TimestampTz time)
{
	limits_believed_until = GetCurrentTimestamp() + USECS_PER_DAY;
	return time > limits_believed_until;
}

const char *
limits_exceeded(const Event *event)
{
	Assert(event->account.s != NULL && event->identity.s != NULL);
	if (event->account.len > LONGEST_NAME || event->identity.len > LONGEST_NAME ||
		event->service.len > LONGEST_NAME || event->operation.len > LONGEST_NAME)
		return "a name is longer than 64 kB";
	if (limits_in_future(event->time))
		return "the event time is more than one day ahead of the clock";
	return NULL;
}

const char *
limits_refusal(Jsonb *document, Event *event)
{
	const char *reason;

	if (document == NULL)
		return "the document is null";
	reason = event_read_loading(document, EVENT_KEY, event);
	return reason != NULL ? reason : limits_exceeded(event);
}

/* refusal(jsonb) RETURNS text: null for what is taken */
Datum
iamwatch_refusal(PG_FUNCTION_ARGS)
{
	Event		event;
	const char *reason = limits_refusal(PG_ARGISNULL(0) ? NULL : PG_GETARG_JSONB_P(0), &event);

	if (reason == NULL)
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(cstring_to_text(reason));
}

static void
cut(Slice *slice)
{
	if (slice->len > LONGEST_DETAIL)
		slice->len = pg_mbcliplen(slice->s, slice->len, LONGEST_DETAIL);
	Assert(slice->len >= 0 && slice->len <= LONGEST_DETAIL);
}

void
limits_cut_details(Event *event)
{
	cut(&event->event_id);
	cut(&event->error_code);
	cut(&event->source);
	cut(&event->user_agent);
	cut(&event->region);
	cut(&event->instance_id);
	cut(&event->target);
	cut(&event->granted);
	cut(&event->acting_for);
}
