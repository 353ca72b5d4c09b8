/*-------------------------------------------------------------------------
 *
 * stored_glance.c
 *		What the tables hold of an account and an identity, at a glance.
 *
 * Most sessions that store one event and end need no more than these two rows,
 * and the server would take several times as long to describe their tables and
 * the index to the session as to look them up.  So they are read by page
 * (server/peek.c).  Whoever goes on to store events looks things up as stored.c
 * does.
 *
 * A row that is not found may be there all the same.  Must never write.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "baseline/stored.h"
#include "baseline/stored_columns.h"
#include "baseline/stored_names.h"
#include "baseline/stored_rows.h"
#include "baseline/stored_scan.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "server/peek.h"
#include "server/table.h"
#include "utils/snapmgr.h"

/*
 * Columns of the tables, by how their values lie in a row: a date as an integer,
 * a timestamp with time zone as a bigint, a dayset as a text.
 */
static const Oid account_columns[ACCOUNTS_COLUMNS] = {
	INT4OID, TEXTOID, TEXTOID, INT8OID, INT4OID, INT8OID, INT4OID
};
static const Oid identity_columns[IDENTITIES_COLUMNS] = {
	INT4OID, INT4OID, INT8OID, TEXTOID, TEXTOID, TEXTOID, TEXTOID
};

/* Few names of an account have the same hash. */
#define MOST_PAGES 4

/* What is sought. */
typedef struct Glance
{
	Oid			schema;
	const Event *event;
	StoredAccount *account;
	StoredIdentity *identity;
} Glance;

static bool
take_account(TupleTableSlot *slot, void *arg)
{
	const Glance *glance = arg;

	return row_is_account(slot, glance->event, glance->account);
}

static bool
take_identity(TupleTableSlot *slot, void *arg)
{
	const Glance *glance = arg;

	return row_is_identity(slot, glance->account->account_id, glance->event, glance->identity);
}

static TupleTableSlot *
make_slot(const Oid *columns, int count)
{
	TupleDesc	desc = CreateTemplateTupleDesc(count);

	for (int i = 0; i < count; i++)
		TupleDescInitBuiltinEntry(desc, i + 1, "", columns[i], -1, 0);
	return MakeSingleTupleTableSlot(desc, &TTSOpsBufferHeapTuple);
}

/* The pages that may have the row: all of a small table. */
static int
find_pages(const Glance *glance, Lookup lookup, const PeekFile *table, ScanKey keys, int nkeys,
		   BlockNumber *pages)
{
	PeekFile	index;
	int			count = peek_size(table);

	if (count <= SMALL_TABLE)
	{
		for (int i = 0; i < count; i++)
			pages[i] = i;
		return count;
	}
	if (!peek_open(glance->schema, stored_names[lookup].index, RELKIND_INDEX, &index))
		return 0;
	count = peek_find(&index, keys, nkeys, pages, MOST_PAGES);
	peek_close(&index);
	return count;
}

static bool
find(Glance *glance, Lookup lookup, ScanKey keys, int nkeys, TupleTableSlot *slot, PeekTake take)
{
	PeekFile	table;
	bool		found = false;

	if (peek_open(glance->schema, stored_names[lookup].table, RELKIND_RELATION, &table))
	{
		BlockNumber pages[MOST_PAGES];
		int			count = find_pages(glance, lookup, &table, keys, nkeys, pages);

		for (int i = 0; i < count && !found; i++)
			found = peek_page(&table, pages[i], slot, take, glance);
		peek_close(&table);
	}
	ExecDropSingleTupleTableSlot(slot);
	return found;
}

static bool
find_account(Glance *glance)
{
	ScanKeyData key;

	scan_key_hash(&key, 1, glance->event->account);
	return find(glance, LOOKUP_ACCOUNTS, &key, 1,
				make_slot(account_columns, ACCOUNTS_COLUMNS), take_account);
}

static bool
find_identity(Glance *glance)
{
	ScanKeyData keys[2];

	scan_key_identity_name(keys, glance->account->account_id, glance->event->identity);
	return find(glance, LOOKUP_IDENTITIES, keys, lengthof(keys),
				make_slot(identity_columns, IDENTITIES_COLUMNS), take_identity);
}

bool
stored_glance(Oid schema, const Event *event, StoredAccount *account, StoredIdentity *identity)
{
	Glance		glance = {schema, event, account, identity};
	bool		found;

	StaticAssertStmt(SMALL_TABLE <= MOST_PAGES, "room for the pages of a small table");
	if (IsolationIsSerializable())
		return false;
	PushActiveSnapshot(GetTransactionSnapshot());
	found = find_account(&glance) && find_identity(&glance) &&
		table_is_empty(schema, stored_names[LOOKUP_JOURNAL].table);
	PopActiveSnapshot();
	return found;
}
