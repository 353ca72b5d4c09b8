/*-------------------------------------------------------------------------
 *
 * peek.c
 *		Rows and index entries of our tables, without the server's description
 *		of them.
 *
 * Before the server reads a table it describes it to the session: for a table
 * or an index anew, that takes four to eight scans of the catalogs.  A session
 * that stores one event and ends spends most of its time in that, for two rows
 * that it looks at.  Where they are only needs the name of a file, which is one
 * row of pg_class.  So this file finds them by file and page, as the server
 * itself reads the pg_class of another database (CREATE DATABASE).
 *
 * The lock of a table is what keeps its file where it is, so it is taken as
 * always.  What is read is read by the server's rules: a page under its lock, a
 * row if the snapshot sees it, an index from its root down and to the right of
 * pages that were split or taken away meanwhile (access/nbtree/README).
 * Whatever looks unusual is not read: the caller asks the server then.
 *
 * Must never write, and never raise an error where the server would not.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/heapam.h"
#include "access/htup_details.h"
#include "access/itup.h"
#include "access/nbtree.h"
#include "access/tupmacs.h"
#include "catalog/pg_am.h"
#include "catalog/pg_class.h"
#include "miscadmin.h"
#include "server/peek.h"
#include "storage/bufmgr.h"
#include "storage/lmgr.h"
#include "storage/smgr.h"
#include "utils/fmgroids.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

/* The file that a name stands for, as far as this session was told. */
static bool
find_file(Oid namespace, const char *name, char kind, PeekFile *file)
{
	HeapTuple	tuple = SearchSysCache2(RELNAMENSP, CStringGetDatum(name), ObjectIdGetDatum(namespace));
	Form_pg_class form;
	bool		found;

	if (!HeapTupleIsValid(tuple))
		return false;
	form = (Form_pg_class) GETSTRUCT(tuple);
	file->relid = form->oid;
	file->locator = locate_file(OidIsValid(form->reltablespace) ? form->reltablespace : MyDatabaseTableSpace,
								form->relfilenode);
	file->permanent = form->relpersistence == RELPERSISTENCE_PERMANENT;
	found = form->relkind == kind && OidIsValid(form->relfilenode) &&
		form->relpersistence != RELPERSISTENCE_TEMP &&
		form->relam == (kind == RELKIND_INDEX ? BTREE_AM_OID : HEAP_TABLE_AM_OID);
	ReleaseSysCache(tuple);
	return found;
}

bool
peek_open(Oid namespace, const char *name, char kind, PeekFile *file)
{
	Oid			relid;

	if (!find_file(namespace, name, kind, file))
		return false;
	relid = file->relid;
	LockRelationOid(relid, AccessShareLock);
	/* to have the lock is to have been told of all that was changed before */
	if (find_file(namespace, name, kind, file) && file->relid == relid)
		return true;
	UnlockRelationOid(relid, AccessShareLock);
	return false;
}

void
peek_close(const PeekFile *file)
{
	UnlockRelationOid(file->relid, AccessShareLock);
}

BlockNumber
peek_size(const PeekFile *file)
{
	return smgrnblocks(open_storage(file->locator), MAIN_FORKNUM);
}

/* The page under its lock; UnlockReleaseBuffer() gives both back. */
static Buffer
read_page(const PeekFile *file, BlockNumber block)
{
	Buffer		buffer;

	CHECK_FOR_INTERRUPTS();
	buffer = read_storage(file->locator, block, file->permanent);
	LockBuffer(buffer, BUFFER_LOCK_SHARE);
	return buffer;
}

/* A row of the page, if there is one at the number. */
static bool
row_at(const PeekFile *table, Page page, BlockNumber block, OffsetNumber number, HeapTuple row)
{
	ItemId		item = PageGetItemId(page, number);

	if (!ItemIdIsNormal(item))
		return false;
	row->t_data = (HeapTupleHeader) PageGetItem(page, item);
	row->t_len = ItemIdGetLength(item);
	row->t_tableOid = table->relid;
	ItemPointerSet(&row->t_self, block, number);
	return true;
}

bool
peek_page(const PeekFile *table, BlockNumber block, TupleTableSlot *slot, PeekTake take, void *arg)
{
	Buffer		buffer = read_page(table, block);
	Page		page = BufferGetPage(buffer);
	OffsetNumber last = PageGetMaxOffsetNumber(page);
	OffsetNumber seen[MaxHeapTuplesPerPage];
	HeapTupleData row;
	int			count = 0;
	bool		taken = false;

	for (OffsetNumber number = FirstOffsetNumber; number <= last; number++)
		if (row_at(table, page, block, number, &row) &&
			HeapTupleSatisfiesVisibility(&row, GetActiveSnapshot(), buffer))
			seen[count++] = number;
	/* rows stay where they are as long as somebody looks at the page */
	LockBuffer(buffer, BUFFER_LOCK_UNLOCK);
	for (int i = 0; i < count && !taken; i++)
	{
		(void) row_at(table, page, block, seen[i], &row);
		ExecStoreBufferHeapTuple(&row, slot, buffer);
		taken = take(slot, arg);
	}
	ExecClearTuple(slot);
	ReleaseBuffer(buffer);
	return taken;
}

static BTPageOpaque
opaque_of(Page page)
{
	return (BTPageOpaque) PageGetSpecialPointer(page);
}

static IndexTuple
entry_at(Page page, OffsetNumber number)
{
	return (IndexTuple) PageGetItem(page, PageGetItemId(page, number));
}

/* Is the key greater than an entry, less, or 0: the same? */
static int
compare(ScanKey keys, int nkeys, IndexTuple entry)
{
	int			natts = BTreeTupleIsPivot(entry) ?
		(ItemPointerGetOffsetNumberNoCheck(&entry->t_tid) & BT_OFFSET_MASK) : nkeys;
	const char *data = (const char *) entry + IndexInfoFindDataOffset(entry->t_info);
	bits8	   *present = (bits8 *) ((char *) entry + sizeof(IndexTupleData));

	for (int i = 0; i < nkeys; i++)
	{
		int64		wanted;
		int64		value;

		if (i >= natts)			/* was cut off: less than any */
			return 1;
		if (IndexTupleHasNulls(entry) && att_isnull(i, present))
			return -1;			/* nulls are last */
		if (keys[i].sk_func.fn_oid == F_INT8EQ)
		{
			data = (const char *) DOUBLEALIGN(data);
			wanted = DatumGetInt64(keys[i].sk_argument);
			value = *(const int64 *) data;
			data += sizeof(int64);
		}
		else
		{
			Assert(keys[i].sk_func.fn_oid == F_INT4EQ);
			wanted = DatumGetInt32(keys[i].sk_argument);
			value = *(const int32 *) data;
			data += sizeof(int32);
		}
		if (wanted != value)
			return wanted > value ? 1 : -1;
	}
	return 0;
}

/* The first entry of a page that is not less than the key; the one after the last if none is. */
static OffsetNumber
first_of(Page page, ScanKey keys, int nkeys)
{
	BTPageOpaque opaque = opaque_of(page);
	OffsetNumber low = P_FIRSTDATAKEY(opaque);
	OffsetNumber high = PageGetMaxOffsetNumber(page) + 1;

	if (!P_ISLEAF(opaque))		/* its first one stands for all that are less */
		low++;
	while (low < high)
	{
		OffsetNumber middle = low + (high - low) / 2;

		if (compare(keys, nkeys, entry_at(page, middle)) > 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* Has what this page once had, of the key, gone to the right? */
static bool
is_to_the_right(Page page, ScanKey keys, int nkeys)
{
	BTPageOpaque opaque = opaque_of(page);

	return !P_RIGHTMOST(opaque) &&
		(P_IGNORE(opaque) || compare(keys, nkeys, entry_at(page, P_HIKEY)) > 0);
}

static Buffer
move_right(const PeekFile *index, Buffer buffer)
{
	BlockNumber next = opaque_of(BufferGetPage(buffer))->btpo_next;

	UnlockReleaseBuffer(buffer);
	return read_page(index, next);
}

/* Where the tree begins; P_NONE if it is empty. */
static bool
find_root(const PeekFile *index, BlockNumber *root)
{
	Buffer		buffer = read_page(index, BTREE_METAPAGE);
	const BTMetaPageData *meta = BTPageGetMeta(BufferGetPage(buffer));
	bool		known = meta->btm_magic == BTREE_MAGIC && meta->btm_version == BTREE_VERSION;

	*root = meta->btm_fastroot;
	UnlockReleaseBuffer(buffer);
	return known;
}

/* The leaf that has the first entry of the key, if any has; invalid if that cannot be said. */
static Buffer
find_leaf(const PeekFile *index, BlockNumber block, ScanKey keys, int nkeys)
{
	for (;;)
	{
		Buffer		buffer = read_page(index, block);
		Page		page;

		while (is_to_the_right(BufferGetPage(buffer), keys, nkeys))
			buffer = move_right(index, buffer);
		page = BufferGetPage(buffer);
		if (P_IGNORE(opaque_of(page)))
		{
			UnlockReleaseBuffer(buffer);
			return InvalidBuffer;
		}
		if (P_ISLEAF(opaque_of(page)))
			return buffer;
		block = BTreeTupleGetDownLink(entry_at(page, first_of(page, keys, nkeys) - 1));
		UnlockReleaseBuffer(buffer);
	}
}

static int
add_page(BlockNumber page, BlockNumber *pages, int count, int most)
{
	for (int i = 0; i < count; i++)
		if (pages[i] == page)
			return count;
	if (count < most)
		pages[count++] = page;
	return count;
}

/* An entry is of a row, or of several that have the same key. */
static int
add_pages(IndexTuple entry, BlockNumber *pages, int count, int most)
{
	if (!BTreeTupleIsPosting(entry))
		return add_page(ItemPointerGetBlockNumber(&entry->t_tid), pages, count, most);
	for (int i = 0; i < BTreeTupleGetNPosting(entry); i++)
		count = add_page(ItemPointerGetBlockNumber(BTreeTupleGetPostingN(entry, i)), pages, count, most);
	return count;
}

int
peek_find(const PeekFile *index, ScanKey keys, int nkeys, BlockNumber *pages, int most)
{
	BlockNumber root;
	Buffer		buffer;
	int			count = 0;

	if (!find_root(index, &root))
		return PEEK_UNSURE;
	if (root == P_NONE)
		return 0;
	buffer = find_leaf(index, root, keys, nkeys);
	if (!BufferIsValid(buffer))
		return PEEK_UNSURE;
	for (;;)
	{
		Page		page = BufferGetPage(buffer);
		OffsetNumber last = PageGetMaxOffsetNumber(page);
		bool		more = !P_RIGHTMOST(opaque_of(page));

		if (!P_IGNORE(opaque_of(page)))
			for (OffsetNumber number = first_of(page, keys, nkeys); number <= last; number++)
			{
				if (compare(keys, nkeys, entry_at(page, number)) != 0)
				{
					more = false;
					break;
				}
				/* an entry that is dead is so for everybody */
				if (!ItemIdIsDead(PageGetItemId(page, number)))
					count = add_pages(entry_at(page, number), pages, count, most);
			}
		if (!more || count == most)
			break;
		buffer = move_right(index, buffer);
	}
	UnlockReleaseBuffer(buffer);
	return count;
}
