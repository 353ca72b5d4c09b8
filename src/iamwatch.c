/*-------------------------------------------------------------------------
 *
 * iamwatch.c
 *		What happens when the library is loaded.
 *
 * Registers callbacks; must never look at a database.
 *
 * The way of one event, from trigger to alert.  Each folder uses only those
 * under it.
 *
 *	detect/		observe.c takes it from the trigger; queued.c and recall.c ask the
 *				tables what this backend does not remember; batch.c keeps the rest
 *				to the end of the statement; detect.c then has entities.c look up
 *				all that the batch concerns, learn.c hand what is new to fold.c,
 *				which writes it, and score_batch.c score it and hand over what is
 *				unusual; assign.c lets that join an alert or has open_alert.c open
 *				one; incidents_keep.c keeps the incidents of the alerts
 *	baseline/	baseline_cache.c says, in memory, whether an event teaches
 *				anything: mostly it does not, and that is the end of its way;
 *				stored.c looks up what the tables hold
 *	config/		settings.c and catalogue.c keep copies of what was set
 *	event/		event.c has the document read by the file of its provider;
 *				document.c makes one of text, document_row.c of columns
 *	server/		row.c writes single rows, and plans.c runs the SQL of sql/baseline
 *				and sql/detect for what is rare, as the owner by owner.c; source.c
 *				reads what others own
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "baseline/baseline_cache.h"
#include "baseline/stored.h"
#include "baseline/told.h"
#include "detect/batch.h"
#include "detect/observe.h"
#include "fmgr.h"
#include "server/announce.h"
#include "server/compat.h"
#include "server/lock.h"
#include "server/plans.h"
#include "utils/guc.h"

PG_MODULE_MAGIC;

void		_PG_init(void);

void
_PG_init(void)
{
	cache_init();
	told_init();
	stored_init();
	batch_init();
	observe_init();
	lock_init();
	announce_init();
	plans_init();
	MarkGUCPrefixReserved("iamwatch");	/* there are none: what is set is in tables */
}
