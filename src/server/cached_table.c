/*-------------------------------------------------------------------------
 *
 * cached_table.c
 *		How the backend's copies of small tables go stale.
 *
 * Owns the list of all tables that were copied.  A trigger on each of them
 * (settings_changed() in observe.c) invalidates its relation cache entry, which
 * marks the copy as stale in every backend.  A callback only marks; whoever
 * finds a copy stale makes it anew, where tables may be read.  Must never read a
 * row: what is copied belongs to the file that has the table.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "server/cached_table.h"
#include "server/objects.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

static CachedTable *all_tables = NULL;

/* Only a table that was copied once needs to be told of changes. */
static void
enlist(CachedTable *table)
{
	if (table->context != NULL)
		return;
	table->context = AllocSetContextCreate(TopMemoryContext, "iamwatch copy of a table",
										   ALLOCSET_SMALL_SIZES);
	MemoryContextSetIdentifier(table->context, table->name);
	table->next = all_tables;
	all_tables = table;
}

static void
find_table(CachedTable *table)
{
	Oid			namespace;

	table->relid = table->index_relid = InvalidOid;
	if (table->optional && !schemas_are_there())
		return;
	namespace = table->internal ? internal_namespace() : public_namespace();
	table->relid = table->optional ? get_relname_relid(table->name, namespace) :
		relation_in(namespace, table->name);
	if (OidIsValid(table->relid) && table->index != NULL)
		table->index_relid = get_relname_relid(table->index, namespace);
}

bool
cached_table_begin(CachedTable *table)
{
	enlist(table);

	/* a change that is told of from here on must not be overlooked */
	table->state = COPY_BEING_MADE;
	find_table(table);

	/*
	 * until now the copy that is stale was still there for whoever held on to
	 * it
	 */
	MemoryContextReset(table->context);
	if (table->forgotten != NULL)
		table->forgotten();
	return OidIsValid(table->relid);
}

void
cached_table_end(CachedTable *table)
{
	Assert(table->state != COPY_GOOD);
	if (table->state == COPY_BEING_MADE)
		table->state = COPY_GOOD;
}

/* The next who asks needs a new copy. */
static void
forget_copy(CachedTable *table)
{
	table->state = COPY_STALE;
	if (table->forgotten != NULL)
		table->forgotten();
}

void
cached_tables_forget(Oid relid)
{
	for (CachedTable *table = all_tables; table != NULL; table = table->next)
		/* as long as a table is not there, any change may have made it */
		if (!OidIsValid(relid) || !OidIsValid(table->relid) || relid == table->relid)
			forget_copy(table);
}
