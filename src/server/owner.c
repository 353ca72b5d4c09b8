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

/*
 * What any role may set, and what would change what our SQL means, or the text
 * of what it writes.
 */
static const struct
{
	const char *name;
	const char *value;
}			settings[] = {
	{"search_path", "pg_catalog, iamwatch, iamwatch_internal, pg_temp"},
	{"quote_all_identifiers", "off"},
	{"standard_conforming_strings", "on"},
	{"transform_null_equals", "off"},
	{"array_nulls", "on"},
	{"TimeZone", "UTC"},
	{"DateStyle", "ISO, MDY"},
	{"IntervalStyle", "postgres"},
	{"extra_float_digits", "1"},
	{"bytea_output", "hex"},
	{"gin_fuzzy_search_limit", "0"},
	{"row_security", "on"},		/* off, policies on tables of ours would be errors */
	{"plpgsql.extra_errors", "none"},
	{"plpgsql.extra_warnings", "none"},

	/*
	 * Plans are made once, perhaps when the tables are still empty, and kept.
	 * They must not scan what will be large.
	 */
	{"enable_seqscan", "off"},
	{"enable_indexscan", "on"},
	{"enable_bitmapscan", "on"},
	{"plan_cache_mode", "force_generic_plan"},

	/*
	 * Where a table was last looked at when it was empty, all its indexes
	 * seem to cost the same, and one that finds a whole account would be
	 * taken for the one that finds an identity.  What is dear to compare
	 * tells them apart.
	 */
	{"cpu_operator_cost", "1"},
	{"jit", "off"}
};

void
set_locally(const char *name, const char *value)
{
	const char *present = GetConfigOption(name, true, false);

	if (present != NULL && strcmp(present, value) != 0)
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
	for (int i = 0; i < lengthof(settings); i++)
		set_locally(settings[i].name, settings[i].value);
}

void
owner_end(const OwnerScope *scope)
{
	/* whoever changed it on the way has changed it back */
	Assert(InLocalUserIdChange());
	AtEOXact_GUC(true, scope->guc_level);
	SetUserIdAndSecContext(scope->user, scope->security_context);
}
