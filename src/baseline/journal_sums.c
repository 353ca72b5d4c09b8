/*-------------------------------------------------------------------------
 *
 * journal_sums.c
 *		What the journal of an account adds to its tallies.
 *
 * Days of activity, and of IAM operations, are the same for all that an account
 * is asked for.  What a part of the journal comes to in these is kept in a table
 * (journal_kept.c), so only identities of which rows have come since are read:
 * what all their rows add, less what the rows counted before added.  Days of an
 * operation are those of the identities that the journal says it of, which an
 * index finds, and of those few whose stored days count for peers by what the
 * journal has of them.
 *
 * What comes out is kept by day, for all that a batch asks.  So is the moment:
 * while a batch is scored another session may add to the journal, or fold it
 * into the tallies, and days would be missing, or be counted twice.
 *
 * What rows of an identity count for is in journal_days.c.  Writes nothing but what
 * the journal came to.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "baseline/baseline_cache.h"
#include "baseline/journal_days.h"
#include "baseline/journal_kept.h"
#include "baseline/journal_sums.h"
#include "config/settings.h"
#include "miscadmin.h"
#include "server/plans.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"
#include "utils/resowner.h"
#include "utils/snapmgr.h"

/* What the journal adds in days of activity, and of IAM operations. */
typedef struct AccountSums
{
	Fingerprint account;
	Event		names;			/* of the account */
	int32		account_id;
	HTAB	   *days;
	Earlier		earlier;
	int64		rows;			/* that were read for it */
	struct AccountSums *next;
} AccountSums;

/* What it adds in days of an operation. */
typedef struct OperationSums
{
	Fingerprint behaviour;		/* without identity */
	HTAB	   *days;
	struct OperationSums *next;
} OperationSums;

/* Of the innermost batch; its memory goes with the transaction. */
static AccountSums *kept_accounts = NULL;
static OperationSums *kept_operations = NULL;
static MemoryContext kept_context = NULL;
static Snapshot kept_snapshot;
static int32 kept_part;
static ResourceOwner kept_owner;

static void
forget_kept(void *arg)
{
	kept_accounts = NULL;
	kept_operations = NULL;
	kept_context = NULL;
}

/* After an error the server lets go of the snapshot, and the memory goes too. */
static void
forget(void)
{
	if (kept_context == NULL)
		return;
	UnregisterSnapshotFromOwner(kept_snapshot, kept_owner);
	MemoryContextDelete(kept_context);
}

void
journal_sums_keep(void)
{
	MemoryContextCallback *callback;

	forget();
	kept_context = AllocSetContextCreate(CurTransactionContext, "iamwatch journal sums",
										 ALLOCSET_SMALL_SIZES);
	callback = MemoryContextAllocZero(kept_context, sizeof(MemoryContextCallback));
	callback->func = forget_kept;
	MemoryContextRegisterResetCallback(kept_context, callback);
	CommandCounterIncrement();
	kept_owner = CurrentResourceOwner;
	kept_part = journal_end_part();
	kept_snapshot = RegisterSnapshotOnOwner(GetTransactionSnapshot(), kept_owner);
}

void
journal_sums_begin(void)
{
	if (kept_context != NULL)
		stored_begin_as_of(kept_snapshot);
	else
		stored_begin();
}

/* ---- accounts ---- */

static void
take_kept(AccountSums *sums, const JournalKept *kept)
{
	for (int i = 0; i < kept->nsums; i++)
		*journal_days_sum(sums->days, kept->sums[i].key, HASH_ENTER) = kept->sums[i].sum;
	sums->earlier = kept->earlier;
}

/* What is kept counts every row with an operation as IAM, as nearly always. */
static bool
may_be_kept(void)
{
	settings_load();
	return !settings_watch_more();
}

static Slice
copy_slice(Slice slice)
{
	return (Slice) {pnstrdup(slice.s, slice.len), slice.len};
}

/* All that the journal says of an account, in the memory that is current. */
static AccountSums *
read_account(const Event *event, const JournalKept *kept)
{
	AccountSums *sums = palloc0(sizeof(AccountSums));
	StoredAccount account;
	Counted		counted = {.first = SUM_ANYTHING, .last = SUM_IAM, .earlier = &sums->earlier};

	sums->account = fingerprint_account(event);
	sums->names.provider = event->provider;
	sums->names.account = copy_slice(event->account);
	sums->account_id = stored_account(event, &account) ? account.account_id : 0;
	sums->days = journal_days_make(CurrentMemoryContext);
	counted.days = sums->days;
	counted.account_id = sums->account_id;
	if (kept != NULL)
	{
		take_kept(sums, kept);
		sums->rows = journal_count_since(&counted, &sums->names, &kept->moment);
	}
	else
		sums->rows = journal_count_all(&counted, &sums->names);
	return sums;
}

static AccountSums *
account_sums(const Event *event)
{
	Fingerprint account = fingerprint_account(event);
	AccountSums *sums = kept_accounts;
	MemoryContext outer;
	JournalKept kept;

	while (sums != NULL && (sums->account.a != account.a || sums->account.b != account.b))
		sums = sums->next;
	if (sums != NULL)
		return sums;
	outer = MemoryContextSwitchTo(kept_context != NULL ? kept_context : CurrentMemoryContext);
	sums = read_account(event, may_be_kept() && journal_kept_find(event, &kept) ? &kept : NULL);
	MemoryContextSwitchTo(outer);
	if (kept_context != NULL)
	{
		sums->next = kept_accounts;
		kept_accounts = sums;
	}
	return sums;
}

/* ---- operations ---- */

static OperationSums *
read_operation(const Event *event, const AccountSums *account)
{
	OperationSums *sums = palloc0(sizeof(OperationSums));
	Counted		counted = {.first = SUM_OPERATION, .last = SUM_OPERATION};

	sums->behaviour = fingerprint_behaviour(account->account, event);
	sums->days = journal_days_make(CurrentMemoryContext);
	counted.days = sums->days;
	counted.account_id = account->account_id;
	counted.has_excluded = stored_may_have_excluded(event->account, event->operation);
	settings_load();
	journal_count_operation(&counted, event, &account->earlier);
	return sums;
}

/* NULL if none is asked for. */
static OperationSums *
operation_sums(const Event *event, const AccountSums *account)
{
	OperationSums *sums = kept_operations;
	Fingerprint behaviour;
	MemoryContext outer;

	if (event->operation.s == NULL)
		return NULL;
	behaviour = fingerprint_behaviour(account->account, event);
	while (sums != NULL && (sums->behaviour.a != behaviour.a || sums->behaviour.b != behaviour.b))
		sums = sums->next;
	if (sums != NULL)
		return sums;
	outer = MemoryContextSwitchTo(kept_context != NULL ? kept_context : CurrentMemoryContext);
	sums = read_operation(event, account);
	MemoryContextSwitchTo(outer);
	if (kept_context != NULL)
	{
		sums->next = kept_operations;
		kept_operations = sums;
	}
	return sums;
}

static StoredSum
add_days(HTAB *days, SumKind kind, bool is_user, int32 since, int32 until)
{
	StoredSum	total = {0, 0};

	for (int64 day = since; day <= until; day++)	/* wider, as until may be the last day */
	{
		StoredSum  *sum = journal_days_sum(days, (DayKey) {(int32) day, kind, is_user}, HASH_FIND);

		CHECK_FOR_INTERRUPTS();
		if (sum == NULL)
			continue;
		total.all += sum->all;
		total.settled += sum->settled;
	}
	return total;
}

StoredSums
journal_sums(const Event *event, bool is_user, int32 since, int32 until)
{
	AccountSums *account = account_sums(event);
	OperationSums *operation = operation_sums(event, account);
	StoredSums	sums = {{0, 0}, {0, 0}, {0, 0}};

	if (operation != NULL)
		sums.days = add_days(operation->days, SUM_OPERATION, is_user, since, until);
	sums.active = add_days(account->days, SUM_ANYTHING, is_user, since, until);
	sums.iam_days = add_days(account->days, SUM_IAM, is_user, since, until);
	return sums;
}

/* ---- what is kept ---- */

/* Of the account that was found held last in this session. */
static Fingerprint held_account;
static Holder account_holder;

/* So many rows an alert reads anew, at most; and what is kept must be worth its room. */
#define MOST_UNCOUNTED	64
#define ROW_BYTES		100

static bool
is_worth_keeping(const AccountSums *sums)
{
	return sums->rows >= MOST_UNCOUNTED &&
		sums->rows * ROW_BYTES >= hash_get_num_entries(sums->days) * (int64) sizeof(DaySum);
}

static void
fill_kept(JournalKept *kept, const AccountSums *sums)
{
	HASH_SEQ_STATUS status;
	DaySum	   *entry;

	kept->holder = account_holder;
	kept->earlier = sums->earlier;
	kept->nsums = 0;
	kept->sums = palloc(Max(1, hash_get_num_entries(sums->days)) * sizeof(DaySum));
	hash_seq_init(&status, sums->days);
	while ((entry = hash_seq_search(&status)) != NULL)
		if (entry->sum.all != 0 || entry->sum.settled != 0)
			kept->sums[kept->nsums++] = *entry;
}

/*
 * Only what was counted by a snapshot that was taken after the holder was found
 * to hold the account, and sees it under way: from then on nothing that is
 * stored of the account has changed.
 */
static void
keep_sums(const AccountSums *sums, Snapshot snapshot, int32 own_part)
{
	JournalKept kept;

	if (sums->account.a != held_account.a || sums->account.b != held_account.b ||
		IsolationUsesXactSnapshot() || !may_be_kept() || !is_worth_keeping(sums) ||
		!holder_holds(&account_holder, snapshot) || !journal_moment(&kept.moment, snapshot, own_part))
		return;
	fill_kept(&kept, sums);
	plans_become_owner();
	journal_kept_write(&sums->names, &kept);
}

/* How many rows are not counted, up to most. */
static int64
count_uncounted(const Event *event, const JournalKept *kept, int64 most)
{
	PlaceRange	everything = {0, PG_INT64_MAX};
	PlaceRange *ranges = &everything;
	int			n = kept == NULL ? 1 : journal_moment_rest(&kept->moment, &ranges);
	int64		count = 0;

	for (int i = 0; i < n && count < most; i++)
		count += stored_journal_count(event, ranges[i].from, ranges[i].to, most - count);
	return count;
}

/* An event that only brings a day must not pay for all that others have left. */
#define MOST_TO_COUNT(rows) (4 * MOST_UNCOUNTED + 4 * (int64) (rows))

/* How often it is looked whether enough has come together. */
#define LOOK_EVERY 16

void
journal_sums_appended(const Event *account, const Holder *holder, int rows)
{
	static int64 appended = LOOK_EVERY; /* since it was looked */
	MemoryContext memory;
	MemoryContext outer;
	JournalKept kept;
	AccountSums *sums = NULL;
	Snapshot	snapshot;
	int32		own_part;
	bool		found;
	int64		uncounted;

	held_account = fingerprint_account(account);
	account_holder = *holder;
	appended += rows;
	if (holder->count == 0 || appended < LOOK_EVERY || !may_be_kept())
		return;
	appended = 0;
	memory = AllocSetContextCreate(CurrentMemoryContext, "iamwatch journal", ALLOCSET_DEFAULT_SIZES);
	outer = MemoryContextSwitchTo(memory);
	stored_begin();
	own_part = journal_end_part();
	snapshot = RegisterSnapshot(GetActiveSnapshot());
	found = journal_kept_find(account, &kept);
	uncounted = count_uncounted(account, found ? &kept : NULL, MOST_TO_COUNT(rows) + 1);
	if (uncounted >= MOST_UNCOUNTED && uncounted <= MOST_TO_COUNT(rows))
		sums = read_account(account, found ? &kept : NULL);
	stored_end();
	if (sums != NULL)
		keep_sums(sums, snapshot, own_part);
	UnregisterSnapshot(snapshot);
	MemoryContextSwitchTo(outer);
	MemoryContextDelete(memory);
}

void
journal_sums_forget(void)
{
	for (AccountSums *sums = kept_accounts; sums != NULL; sums = sums->next)
		keep_sums(sums, kept_snapshot, kept_part);
	forget();
}
