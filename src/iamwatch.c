/*-------------------------------------------------------------------------
 *
 * iamwatch.c
 *		What happens when the library is loaded.
 *
 * Registers settings and callbacks; must never look at a database.  event.c
 * tells the flow of one event through the other files.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "detect/batch.h"
#include "server/compat.h"
#include "fmgr.h"
#include "baseline/baseline_cache.h"
#include "event/limits.h"
#include "server/lock.h"
#include "detect/observe.h"
#include "utils/guc.h"

PG_MODULE_MAGIC;

void		_PG_init(void);

void
_PG_init(void)
{
	cache_init();
	batch_init();
	observe_init();
	lock_init();
	limits_init();
	MarkGUCPrefixReserved("iamwatch");
}
