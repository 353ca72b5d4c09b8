/*-------------------------------------------------------------------------
 *
 * batch.c
 *		The news of one statement, kept until its end.
 *
 * Audit files are not sorted inside, and look-ups and writes are cheaper for
 * many events at once, so news is put in order of event time and settled when
 * the statement ends, or when the memory allowed for it is used up.
 *
 * A batch outlives no statement.  A savepoint can still roll back while one
 * is open, around the work of somebody else's trigger; its news goes with it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "batch.h"
#include "known.h"
#include "utils/guc.h"
#include "utils/memutils.h"

static int	batch_memory = 16 * 1024;	/* kB */

static MemoryContext batch_context = NULL;
static News *news = NULL;
static int	news_count = 0;
static int	news_capacity = 0;

bool
batch_add(Oid source, Datum document, bool isnull)
{
	MemoryContext outer;
	News		item;

	if (batch_context == NULL)
		batch_context = AllocSetContextCreate(TopMemoryContext,
											  "iamwatch news of a statement",
											  ALLOCSET_DEFAULT_SIZES);
	outer = MemoryContextSwitchTo(batch_context);

	memset(&item, 0, sizeof(item));
	item.source = source;
	item.subid = GetCurrentSubTransactionId();
	if (isnull)
		item.reason = "the document is null";
	else
	{
		item.document = DatumGetJsonbPCopy(document);
		item.reason = event_read(item.document, EVENT_FULL, &item.event);
		if (item.reason == NULL && known_in_future(item.event.time))
			item.reason = "the event time is more than one day ahead of the clock";
		if (item.reason == NULL && known_to_teach_nothing(&item.event))
		{
			/* learned since the row was stored */
			pfree(item.document);
			MemoryContextSwitchTo(outer);
			return false;
		}
	}

	if (news_count == news_capacity)
	{
		int			capacity = Max(64, news_capacity * 2);

		news = news == NULL ? palloc(capacity * sizeof(News)) :
			repalloc_huge(news, capacity * sizeof(News));
		news_capacity = capacity;
	}
	news[news_count++] = item;
	MemoryContextSwitchTo(outer);
	return true;
}

bool
batch_is_full(void)
{
	return batch_context != NULL &&
		MemoryContextMemAllocated(batch_context, true) > (Size) batch_memory * 1024;
}

static int
compare_slices(Slice a, Slice b)
{
	int			result = memcmp(a.s ? a.s : "", b.s ? b.s : "", Min(a.len, b.len));

	return result != 0 ? result : a.len - b.len;
}

/* A total order, so that what is raised never depends on the order of rows. */
static int
compare_news(const void *a, const void *b)
{
	const News *x = a;
	const News *y = b;

	if ((x->reason == NULL) != (y->reason == NULL))
		return x->reason == NULL ? -1 : 1;
	if (x->event.time != y->event.time)
		return x->event.time < y->event.time ? -1 : 1;
	return compare_slices(x->event.event_id, y->event.event_id);
}

News *
batch_sorted(int *count)
{
	*count = news_count;
	if (news_count > 1)
		qsort(news, news_count, sizeof(News), compare_news);
	return news;
}

void
batch_clear(void)
{
	news = NULL;
	news_count = news_capacity = 0;
	if (batch_context != NULL)
		MemoryContextReset(batch_context);
}

static void
at_transaction_end(XactEvent event, void *arg)
{
	if (event != XACT_EVENT_PRE_COMMIT && event != XACT_EVENT_PARALLEL_PRE_COMMIT &&
		event != XACT_EVENT_PRE_PREPARE)
		batch_clear();
}

static void
at_subtransaction_end(SubXactEvent event, SubTransactionId subid,
					  SubTransactionId parent, void *arg)
{
	int			kept = 0;

	if (event != SUBXACT_EVENT_ABORT_SUB)
		return;
	/* ids only grow: everything from subid on was inside of it */
	for (int i = 0; i < news_count; i++)
		if (news[i].subid < subid)
			news[kept++] = news[i];
	news_count = kept;
}

void
batch_init(void)
{
	DefineCustomIntVariable("iamwatch.batch_memory",
							"Memory for the news of one statement before it is settled.",
							NULL,
							&batch_memory,
							16 * 1024, 64, 1024 * 1024,
							PGC_SUSET, GUC_UNIT_KB,
							NULL, NULL, NULL);
	RegisterXactCallback(at_transaction_end, NULL);
	RegisterSubXactCallback(at_subtransaction_end, NULL);
}
