/*-------------------------------------------------------------------------
 *
 * batch.c
 *		The events of one statement that may be new, kept until its end.
 *
 * Audit files are not sorted inside, and look-ups and writes are cheaper for
 * many events at once, so what may be new is put in order of event time and
 * processed when the statement ends: all of it, also what no longer fits in
 * memory, which batch_sort.c keeps.
 *
 * The batch also remembers which identities and days it has (seen.c): a further
 * event that says nothing more is only counted.
 *
 * A batch outlives no statement.  A savepoint can still roll back while one
 * is open, around the work of somebody else's trigger; its events go with it.
 * What is processed inside of that savepoint is only what was collected there:
 * the rest would be forgotten by the batch and then rolled back.
 *
 * What is processed has left the batch: a trigger on one of our tables may
 * store events of its own meanwhile, which are another batch.
 *
 * Must never refuse a document, nor compare one with what tables hold.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "baseline/baseline_cache.h"
#include "config/catalogue.h"
#include "config/settings.h"
#include "detect/batch.h"
#include "detect/batch_item.h"
#include "detect/batch_sort.h"
#include "detect/queued.h"
#include "detect/sample.h"
#include "detect/seen.h"
#include "event/limits.h"
#include "server/memory.h"
#include "utils/memutils.h"

/* What is allocated counts, so neither an item nor the last block is rounded up to twice its size. */
#define LARGEST_BLOCK (1024 * 1024)

static MemoryContext batch_context = NULL;
static PackedItem **items = NULL;
static int	item_count = 0;
static int	item_capacity = 0;

static Seen *seen = NULL;

static void
forget_seen(void)
{
	if (seen != NULL)
		seen_destroy(seen);
	seen = NULL;
}

/* Count the event with another of the batch, if it says nothing more. */
static bool
only_repeats(const Event *event, bool is_operation, int64 repeats)
{
	int			index;

	if (seen == NULL)
		seen = seen_create(batch_context);
	index = seen_repeats(seen, event, is_operation, item_count);
	Assert(index < item_count);
	if (index >= 0)
		item_add_repeats(items[index], 1 + repeats);
	return index >= 0;
}

/*
 * Of an IAM operation everything is read, as an alert may need it, and of the events that
 * may be in the sample of contexts; of others, the names are enough.
 */
static void
read_details(BatchItem *item, Jsonb *document)
{
	item->detailed = true;
	item->reason = event_read_loading(document, EVENT_FULL, &item->event);
	if (item->reason == NULL)
		item->reason = limits_exceeded(&item->event);
	if (item->reason == NULL)
		limits_cut_details(&item->event);
}

static void
append(PackedItem *item)
{
	if (item_count == item_capacity)
	{
		int			capacity = Max(64, item_capacity * 2);

		items = items == NULL ? palloc(capacity * sizeof(PackedItem *)) :
			repalloc_huge(items, capacity * sizeof(PackedItem *));
		item_capacity = capacity;
	}
	items[item_count++] = item;
}

static bool
is_full(void)
{
	return batch_context != NULL && MemoryContextMemAllocated(batch_context, true) > memory_bytes();
}

static void
forget_memory(void)
{
	forget_seen();
	items = NULL;
	item_count = item_capacity = 0;
	if (batch_context != NULL)
		MemoryContextReset(batch_context);
}

/* What further events repeat is found out anew from here on. */
static void
put_aside(void)
{
	batch_sort_add(items, item_count);
	forget_memory();
	Assert(item_count == 0 && !is_full());
}

bool
batch_add(Oid source, Datum document, bool isnull)
{
	MemoryContext outer;
	Jsonb	   *stored = NULL;
	bool		is_operation = true;
	BatchItem	item;

	if (batch_context == NULL)
		batch_context = GenerationContextCreate(TopMemoryContext,
												"iamwatch events of a statement",
												ALLOCSET_DEFAULT_MINSIZE, ALLOCSET_DEFAULT_INITSIZE,
												LARGEST_BLOCK);
	memset(&item, 0, sizeof(item));
	item.source = source;
	item.subid = GetCurrentSubTransactionId();
	if (!isnull)
		stored = DatumGetJsonbP(document);
	item.reason = limits_refusal(stored, &item.event);
	if (item.reason == NULL)
	{
		is_operation = catalogue_get(item.event.provider, item.event.service,
									 item.event.operation) != NULL;
		/* it may have been learned since the row was stored */
		if (cache_knows(&item.event))
			return false;
		item.repeats = queued_take_repeats(&item.event);
		if (only_repeats(&item.event, is_operation, item.repeats))
			return false;
	}

	if (item.reason == NULL && (is_operation || sample_is_day(item.event.day)))
		read_details(&item, stored);
	if (item.reason != NULL)
		item.document = stored;
	outer = MemoryContextSwitchTo(batch_context);
	append(item_pack(&item));
	MemoryContextSwitchTo(outer);
	if (is_full())
		put_aside();
	return true;
}

/* A total order, so that what is raised never depends on the order of rows. */
static int
compare_items(const void *a, const void *b)
{
	const PackedItem *x = *(PackedItem *const *) a;
	const PackedItem *y = *(PackedItem *const *) b;

	if (item_is_rejected(x) != item_is_rejected(y))
		return item_is_rejected(x) ? 1 : -1;
	if (item_time(x) != item_time(y))
		return item_time(x) < item_time(y) ? -1 : 1;
	return slice_compare(item_event_id(x), item_event_id(y));
}

/* What was collected in this transaction or savepoint and is in memory. */
static BatchItem *
take_from_memory(int *count)
{
	SubTransactionId current = GetCurrentSubTransactionId();
	PackedItem **packed;
	BatchItem  *taken;
	int			held = 0;

	forget_seen();				/* it has the old order */
	for (int i = 0; i < item_count; i++)
		if (item_subid(items[i]) < current)
		{
			PackedItem *other = items[i];

			items[i] = items[held];
			items[held++] = other;
		}
	*count = item_count - held;
	if (*count == 0)
		return NULL;
	/* what is held is written down, since the memory goes with what is taken */
	if (held > 0)
		batch_sort_add(items, held);
	packed = items + held;
	MemoryContextSetParent(batch_context, CurrentMemoryContext);
	batch_context = NULL;
	items = NULL;
	item_count = item_capacity = 0;
	qsort(packed, *count, sizeof(PackedItem *), compare_items);
	taken = palloc_extended(*count * sizeof(BatchItem), MCXT_ALLOC_HUGE);
	for (int i = 0; i < *count; i++)
		item_unpack(packed[i], &taken[i]);
	return taken;
}

BatchItem *
batch_next_piece(BatchPieces *pieces, int *count)
{
	*count = 0;
	if (!pieces->begun)
	{
		pieces->begun = true;
		pieces->reader = NULL;
		if (!batch_sort_has_items())
			return take_from_memory(count);
		put_aside();
		pieces->reader = batch_sort_read();
	}
	if (pieces->reader == NULL)
		return NULL;
	return batch_sort_next(pieces->reader, memory_bytes(), count);
}

static void
forget_items(void)
{
	forget_memory();
	batch_sort_forget(TopSubTransactionId);
}

static void
at_transaction_end(XactEvent event, void *arg)
{
	if (event != XACT_EVENT_PRE_COMMIT && event != XACT_EVENT_PARALLEL_PRE_COMMIT &&
		event != XACT_EVENT_PRE_PREPARE)
		forget_items();
}

static void
at_subtransaction_end(SubXactEvent event, SubTransactionId subid,
					  SubTransactionId parent, void *arg)
{
	int			kept = 0;

	if (event != SUBXACT_EVENT_ABORT_SUB)
		return;
	forget_seen();
	/* ids only grow: everything from subid on was inside of it */
	for (int i = 0; i < item_count; i++)
		if (item_subid(items[i]) < subid)
			items[kept++] = items[i];
	item_count = kept;
	batch_sort_forget(subid);
}

void
batch_init(void)
{
	RegisterXactCallback(at_transaction_end, NULL);
	RegisterSubXactCallback(at_subtransaction_end, NULL);
}
