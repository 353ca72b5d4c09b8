/*-------------------------------------------------------------------------
 *
 * owner.c
 *		Work done with the rights of the extension's owner.
 *
 * The role that inserts an event has no rights on any table of ours.  This
 * file alone changes the user id, and what runs under it is SQL of this
 * extension only, never text that came from an event.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "miscadmin.h"
#include "server/objects.h"
#include "server/owner.h"
#include "utils/guc.h"

static void
set_locally(const char *name, const char *value)
{
	(void) set_config_option(name, value, PGC_SUSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
}

void
owner_begin(OwnerScope *scope)
{
	GetUserIdAndSecContext(&scope->user, &scope->security_context);
	SetUserIdAndSecContext(extension_owner(),
						   scope->security_context | SECURITY_LOCAL_USERID_CHANGE);
	scope->guc_level = NewGUCNestLevel();
	set_locally("search_path", "pg_catalog, iamwatch, iamwatch_internal, pg_temp");

	/*
	 * Plans are made once, perhaps when the tables are still empty, and kept.
	 * They must not scan what will be large.
	 */
	set_locally("enable_seqscan", "off");
	set_locally("plan_cache_mode", "force_generic_plan");
	set_locally("jit", "off");
}

void
owner_end(const OwnerScope *scope)
{
	AtEOXact_GUC(true, scope->guc_level);
	SetUserIdAndSecContext(scope->user, scope->security_context);
}
