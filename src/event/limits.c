/*-------------------------------------------------------------------------
 *
 * limits.c
 *		How long the strings in an event may be.
 *
 * Whoever causes audit events chooses some of their names.  Tables that have
 * a row an identity or operation must not grow by a megabyte with each, so
 * names have a bound, far above what any provider allows.  Must never raise an
 * error.  How many names there may be is for limits.sql.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "event/limits.h"
#include "mb/pg_wchar.h"
#include "utils/guc.h"

/* No setting: iamwatch.parse() is immutable. */
#define LONGEST_DETAIL (64 * 1024)

static int	longest_name = 64 * 1024;	/* bytes */

const char *
limits_exceeded(const Event *event)
{
	if (event->account.len > longest_name || event->identity.len > longest_name ||
		event->service.len > longest_name || event->operation.len > longest_name)
		return "a name is longer than iamwatch.longest_name";
	return NULL;
}

static void
cut(Slice *slice)
{
	if (slice->len > LONGEST_DETAIL)
		slice->len = pg_mbcliplen(slice->s, slice->len, LONGEST_DETAIL);
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

void
limits_init(void)
{
	DefineCustomIntVariable("iamwatch.longest_name",
							"Longest account, identity, service or operation that is taken.",
							"Documents with a longer one are rejected.",
							&longest_name,
							64 * 1024, 256, 1024 * 1024,
							PGC_SUSET, GUC_UNIT_BYTE,
							NULL, NULL, NULL);
}
