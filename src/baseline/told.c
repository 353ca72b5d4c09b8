/*-------------------------------------------------------------------------
 *
 * told.c
 *		How often this session was told that alerts were opened.
 *
 * That further events of a behaviour on a day change nothing is so until an
 * alert is opened whose deduplication period reaches the day: they join it.  For
 * events that come in order none is, but one that comes late may open it in
 * another session than the one that remembers the day.  So whoever opens an
 * alert tells all sessions, in the way of changes of the catalogs, by the entry
 * of a type of ours that serves nothing else; what they remember of behaviours
 * holds no longer.
 *
 * They are told when the transaction commits, after its alerts can be seen.  What
 * was looked up by a snapshot before that goes with what was told before the
 * snapshot, whenever it is remembered.  A transaction in progress need not hear of
 * it before it ends: it is as if the alert had been opened after it.
 *
 * A message has no room for which alert it is.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "baseline/told.h"
#include "fmgr.h"
#include "server/cached_table.h"
#include "server/objects.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"

PG_FUNCTION_INFO_V1(iamwatch_tell_of_alerts);

uint64		times_told = 1;

/* Was it told since its transaction began, so that a fixed snapshot may be older? */
static bool told_within = false;

/* Is there something to tell?  A savepoint that rolls back does not take it back: backfill() opens alerts anew. */
static bool has_opened = false;

static void
be_told(void)
{
	times_told++;
	told_within = true;
}

/* Not a table, and nothing of it is copied: but its entry goes stale in the same way. */
static CachedTable opened_alerts = {
	.name = "opened_alerts", .internal = true, .optional = true, .forgotten = be_told
};

uint64
told_begin(void)
{
	if (!cached_table_is_good(&opened_alerts))
	{
		(void) cached_table_begin(&opened_alerts);
		cached_table_end(&opened_alerts);
	}
	return IsolationUsesXactSnapshot() && told_within ? 0 : times_told;
}

void
told_alert_opened(void)
{
	has_opened = true;
}

static void
tell(void)
{
	Oid			namespace;
	Oid			relid;

	/* the extension may have been dropped since */
	if (!schemas_are_there())
		return;
	namespace = internal_namespace();
	relid = get_relname_relid("opened_alerts", namespace);
	if (OidIsValid(relid))
		CacheInvalidateRelcacheByRelid(relid);
}

static void
at_transaction_end(XactEvent event, void *arg)
{
	if (event == XACT_EVENT_PARALLEL_PRE_COMMIT)
		return;
	if (has_opened && (event == XACT_EVENT_PRE_COMMIT || event == XACT_EVENT_PRE_PREPARE))
		tell();
	has_opened = told_within = false;
}

/* tell_of_alerts() RETURNS void: for those that are not opened but brought */
Datum
iamwatch_tell_of_alerts(PG_FUNCTION_ARGS)
{
	be_told();
	told_alert_opened();
	PG_RETURN_VOID();
}

void
told_init(void)
{
	RegisterXactCallback(at_transaction_end, NULL);
}
