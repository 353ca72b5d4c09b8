/*-------------------------------------------------------------------------
 *
 * table.c
 *		Reads the small tables of which every backend keeps a copy.
 *
 * By a scan of ours, without a query: a session that stores one event and ends
 * would spend most of its time in planning.  What is made of the rows belongs
 * to the file that has the table; cached_table.c says when a copy is stale.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/relation.h"
#include "access/table.h"
#include "catalog/pg_am.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "nodes/tidbitmap.h"
#include "server/compat.h"
#include "server/table.h"
#include "storage/lmgr.h"
#include "storage/smgr.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

static void
read_rows(Relation relation, Oid index, ScanKey keys, int nkeys, MemoryContext context,
		  void (*load) (const TableRow *row))
{
	TupleDesc	desc = RelationGetDescr(relation);
	SysScanDesc scan = systable_beginscan(relation, index, OidIsValid(index), NULL, nkeys, keys);
	TableRow	row;
	HeapTuple	tuple;

	row.values = palloc(desc->natts * sizeof(Datum));
	row.nulls = palloc(desc->natts * sizeof(bool));
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		MemoryContext outer = MemoryContextSwitchTo(context);

		heap_deform_tuple(tuple, desc, row.values, row.nulls);
		load(&row);
		MemoryContextSwitchTo(outer);
	}
	systable_endscan(scan);
}

void
table_read(Oid relid, MemoryContext context, void (*load) (const TableRow *row))
{
	Relation	relation = table_open(relid, AccessShareLock);

	read_rows(relation, InvalidOid, NULL, 0, context, load);
	table_close(relation, AccessShareLock);
}

void
table_look_up(Oid relid, Oid index, const TableKey *keys, int nkeys, MemoryContext context,
			  void (*load) (const TableRow *row))
{
	Relation	relation = table_open(relid, AccessShareLock);
	ScanKeyData scan_keys[MAX_TABLE_KEYS];

	Assert(nkeys <= MAX_TABLE_KEYS);
	for (int i = 0; i < nkeys; i++)
	{
		Form_pg_attribute column = TupleDescAttr(RelationGetDescr(relation), keys[i].column);
		Slice		value = keys[i].value;

		/* columns of the index are in this order, and all of text */
		Assert(i == 0 || keys[i].column > keys[i - 1].column);
		Assert(column->atttypid == TEXTOID && value.s != NULL);
		ScanKeyEntryInitialize(&scan_keys[i], 0, keys[i].column + 1, BTEqualStrategyNumber,
							   InvalidOid, column->attcollation, F_TEXTEQ,
							   PointerGetDatum(cstring_to_text_with_len(value.s, value.len)));
	}
	read_rows(relation, index, scan_keys, nkeys, context, load);
	table_close(relation, AccessShareLock);
}

/*
 * Lock what has the name; invalid if nothing has.  To have the lock is to have
 * been told of all that was changed before, so the name still leads to it.
 */
static Oid
lock_named(Oid namespace, const char *name)
{
	Oid			relid = get_relname_relid(name, namespace);

	if (!OidIsValid(relid))
		return InvalidOid;
	LockRelationOid(relid, AccessShareLock);
	if (get_relname_relid(name, namespace) == relid)
		return relid;
	UnlockRelationOid(relid, AccessShareLock);
	return InvalidOid;
}

/* Has the index, which is valid, an entry of one of the keys? */
static bool
has_entry(Relation index, ScanKey keys, int count)
{
	IndexScanDesc scan = begin_index_probe(index, 1);
	TIDBitmap  *rows = tbm_create(work_mem * (Size) 1024, NULL);
	bool		found = false;

	for (int i = 0; i < count && !found; i++)
	{
		index_rescan(scan, &keys[i], 1, NULL, 0);
		found = index_getbitmap(scan, rows) > 0;
	}
	tbm_free(rows);
	index_endscan(scan);
	return found;
}

bool
index_may_have(Oid namespace, const char *name, ScanKey keys, int count)
{
	Oid			relid = lock_named(namespace, name);
	Relation	index;
	bool		found;

	if (!OidIsValid(relid))
		return true;
	index = relation_open(relid, NoLock);
	found = index->rd_rel->relkind != RELKIND_INDEX || !index->rd_index->indisvalid ||
		has_entry(index, keys, count);
	relation_close(index, AccessShareLock);
	return found;
}

void
table_lock_indexes(Relation table)
{
	ListCell   *cell;

	foreach(cell, RelationGetIndexList(table))
		LockRelationOid(lfirst_oid(cell), AccessShareLock);
}

bool
table_is_empty(Oid namespace, const char *name)
{
	Oid			relid = lock_named(namespace, name);
	HeapTuple	tuple;
	bool		empty = false;

	if (!OidIsValid(relid))
		return false;
	tuple = SearchSysCache2(RELNAMENSP, CStringGetDatum(name), ObjectIdGetDatum(namespace));
	if (HeapTupleIsValid(tuple))
	{
		Form_pg_class form = (Form_pg_class) GETSTRUCT(tuple);

		if (form->relkind == RELKIND_RELATION && form->relam == HEAP_TABLE_AM_OID &&
			form->relpersistence != RELPERSISTENCE_TEMP && OidIsValid(form->relfilenode))
			empty = smgrnblocks(open_storage(OidIsValid(form->reltablespace) ? form->reltablespace : MyDatabaseTableSpace,
											 form->relfilenode), MAIN_FORKNUM) == 0;
		ReleaseSysCache(tuple);
	}
	UnlockRelationOid(relid, AccessShareLock);
	return empty;
}
