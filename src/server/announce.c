/*-------------------------------------------------------------------------
 *
 * announce.c
 *		Notifications, sent when the transaction commits.
 *
 * A transaction that has notified somebody cannot be prepared, and one that
 * notifies while the server's queue is full cannot be committed.  Neither may
 * become of an insert because it raised an alert.  So what is to be sent is
 * kept until just before the commit.  When there is no room in the queue then,
 * or the transaction is prepared instead, the numbers of the alerts are stored
 * with it, and iamwatch.maintain() sends them later.  Nothing is written
 * otherwise.
 *
 * Owns the list of the transaction.  Must never raise an error because a
 * notification cannot be sent.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "commands/async.h"
#include "fmgr.h"
#include "server/announce.h"
#include "server/column.h"
#include "server/objects.h"
#include "server/plans.h"
#include "server/table.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

PG_FUNCTION_INFO_V1(iamwatch_may_announce);

#define CHANNEL "iamwatch_alert"

typedef struct Announcement
{
	SubTransactionId subid;
	int64		alert_id;
	char	   *payload;
} Announcement;

/* In the memory of the transaction. */
static Announcement *announcements = NULL;
static int	count = 0;
static int	capacity = 0;

/* Part of the server's queue that may be in use: a fuller one is left to those who filled it. */
static double queue_limit = 1;

/* Columns of iamwatch.limits. */
enum
{
	LIMITS_NAME, LIMITS_VALUE
};

static void
load_limit(const TableRow *row)
{
	queue_limit = DatumGetInt64(row->values[LIMITS_VALUE]) / 100.0;
}

/* A limit whose row is deleted does not hold. */
static void
look_up_limit(void)
{
	static const TableKey name = {LIMITS_NAME, SLICE_LITERAL("notification_queue")};
	Oid			namespace = public_namespace();

	queue_limit = 1;
	table_look_up(relation_in(namespace, "limits"), get_relname_relid("limits_pkey", namespace),
				  &name, 1, CurrentMemoryContext, load_limit);
}

static bool
queue_has_room(void)
{
	return DatumGetFloat8(DirectFunctionCall1(pg_notification_queue_usage, (Datum) 0)) <= queue_limit;
}

void
announce_alert(int64 alert_id, const char *payload)
{
	MemoryContext outer;
	Announcement *item;

	Assert(count <= capacity && (announcements != NULL || capacity == 0));
	if (count == 0)
		look_up_limit();
	outer = MemoryContextSwitchTo(TopTransactionContext);
	if (count == capacity)
	{
		capacity = Max(8, capacity * 2);
		announcements = announcements == NULL ?
			palloc(capacity * sizeof(Announcement)) :
			repalloc_huge(announcements, capacity * sizeof(Announcement));
	}
	item = &announcements[count++];
	item->subid = GetCurrentSubTransactionId();
	item->alert_id = alert_id;
	item->payload = pstrdup(payload);
	MemoryContextSwitchTo(outer);
}

/* may_announce(): is there room in the queue? */
Datum
iamwatch_may_announce(PG_FUNCTION_ARGS)
{
	look_up_limit();
	PG_RETURN_BOOL(queue_has_room());
}

/* The extension may have been dropped since. */
static bool
extension_is_there(void)
{
	Oid			namespace = get_namespace_oid("iamwatch_internal", true);

	return OidIsValid(namespace) && OidIsValid(get_namespace_oid("iamwatch", true)) &&
		OidIsValid(get_relname_relid("unsent_notifications", namespace));
}

/*
 * As a deferred trigger would: the transaction is still in progress.  It may have
 * been made READ ONLY since its alerts were raised; what belongs to these is kept
 * even so, or it could not end.
 */
static void
keep_for_later(void)
{
	Column		alerts;
	PlansScope	scope;
	bool		read_only = XactReadOnly;

	if (!extension_is_there())
		return;
	XactReadOnly = false;
	PushActiveSnapshot(GetTransactionSnapshot());
	SPI_connect();
	alerts = column_make(INT8OID, count);
	for (int i = 0; i < count; i++)
		column_add(&alerts, Int64GetDatum(announcements[i].alert_id));
	plans_begin(&scope);
	plans_run(PLAN_KEEP_UNSENT, (Datum[]) {column_array(&alerts)}, NULL);
	plans_end(&scope);
	SPI_finish();
	PopActiveSnapshot();
	XactReadOnly = read_only;
}

static void
at_transaction_end(XactEvent event, void *arg)
{
	if (event == XACT_EVENT_PARALLEL_PRE_COMMIT)
		return;
	if (count > 0 && event == XACT_EVENT_PRE_COMMIT && queue_has_room())
	{
		for (int i = 0; i < count; i++)
			Async_Notify(CHANNEL, announcements[i].payload);
	}
	else if (count > 0 && (event == XACT_EVENT_PRE_COMMIT || event == XACT_EVENT_PRE_PREPARE))
		keep_for_later();
	announcements = NULL;
	count = capacity = 0;
}

static void
at_subtransaction_end(SubXactEvent event, SubTransactionId subid,
					  SubTransactionId parent, void *arg)
{
	int			kept = 0;

	if (event != SUBXACT_EVENT_ABORT_SUB)
		return;
	/* ids only grow: everything from subid on was inside of it */
	for (int i = 0; i < count; i++)
		if (announcements[i].subid < subid)
			announcements[kept++] = announcements[i];
	count = kept;
}

void
announce_init(void)
{
	RegisterXactCallback(at_transaction_end, NULL);
	RegisterSubXactCallback(at_subtransaction_end, NULL);
}
