/*-------------------------------------------------------------------------
 *
 * journal_sums.c
 *		What the journal of an account adds to its tallies.
 *
 * The journal has whole sets of days of identities, some of them known already,
 * some twice, when two sessions learned the same.  So it is not enough to count
 * its rows: each identity is compared with what is stored of it.  The index of
 * the journal has the rows of an identity side by side, so that one is looked at
 * after the other, and memory does not grow with the journal.
 *
 * What comes out is kept by day, for all that a batch asks of an operation.  So
 * is the moment: while a batch is scored another session may add to the journal,
 * or fold it into the tallies, and days would be missing, or be counted twice.
 *
 * Owns what a day in the journal counts for.  Must never write.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "baseline/baseline_cache.h"
#include "baseline/journal_sums.h"
#include "baseline/settled.h"
#include "config/catalogue.h"
#include "config/settings.h"
#include "miscadmin.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"
#include "utils/resowner.h"
#include "utils/snapmgr.h"

/* What is counted, as in the tallies. */
typedef enum SumKind
{
	SUM_OPERATION,
	SUM_ANYTHING,
	SUM_IAM,
	SUM_KINDS
} SumKind;

/* Of all identities of a class on a day. */
typedef struct DayKey
{
	int32		day;
	int16		kind;
	int16		is_user;
} DayKey;

typedef struct DaySum
{
	DayKey		key;
	StoredSum	sum;
} DaySum;

/* All that the journal says of an operation in an account. */
typedef struct JournalSums
{
	Fingerprint account;
	Fingerprint behaviour;		/* without identity */
	HTAB	   *days;
	struct JournalSums *next;
} JournalSums;

/* An identity while its rows are read. */
typedef struct JournalIdentity
{
	Event		event;			/* the operation that is asked for, and the identity */
	int			kinds;
	DayRuns		days[SUM_KINDS];
	struct JournalIdentity *next;	/* of the same hash */
} JournalIdentity;

/*
 * The hashes of the index have no key, so somebody can make very many names of
 * one.  From so many on they are found by fingerprint.
 */
#define MOST_IN_LIST 8

typedef struct AlikeIdentity
{
	Fingerprint key;
	JournalIdentity *identity;
	uint32		status;
} AlikeIdentity;

#define SH_PREFIX alike
#define SH_ELEMENT_TYPE AlikeIdentity
#include "baseline/fingerprint_table.h"

/* Of the innermost batch; its memory goes with the transaction. */
static JournalSums *kept = NULL;
static MemoryContext kept_context = NULL;
static Snapshot kept_snapshot;
static ResourceOwner kept_owner;

static void
forget_kept(void *arg)
{
	kept = NULL;
	kept_context = NULL;
}

/* After an error the server lets go of the snapshot, and the memory goes too. */
void
journal_sums_forget(void)
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

	journal_sums_forget();
	kept_context = AllocSetContextCreate(CurTransactionContext, "iamwatch journal sums",
										 ALLOCSET_SMALL_SIZES);
	callback = MemoryContextAllocZero(kept_context, sizeof(MemoryContextCallback));
	callback->func = forget_kept;
	MemoryContextRegisterResetCallback(kept_context, callback);
	CommandCounterIncrement();
	kept_owner = CurrentResourceOwner;
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

static StoredSum *
sum_of(JournalSums *sums, int32 day, SumKind kind, bool is_user, HASHACTION action)
{
	DayKey		key = {day, kind, is_user};
	bool		found;
	DaySum	   *entry = hash_search(sums->days, &key, action, &found);

	if (entry != NULL && !found)
		entry->sum = (StoredSum) {0, 0};
	return entry == NULL ? NULL : &entry->sum;
}

static void
add_fresh(JournalSums *sums, SumKind kind, bool is_user, const DayRuns *with,
		  const DayRuns *without, bool settled)
{
	DayRuns		fresh = dayruns_difference_of(with, without);

	for (int i = 0; i < fresh.n; i++)
		for (int32 day = fresh.runs[i].lo; day <= fresh.runs[i].hi; day++)
		{
			StoredSum  *sum = sum_of(sums, day, kind, is_user, HASH_ENTER);

			if (settled)
				sum->settled++;
			else
				sum->all++;
		}
}

/* Compare an identity with what is stored of it. */
static void
add_identity(JournalSums *sums, int32 account_id, const JournalIdentity *identity,
			 bool has_excluded)
{
	StoredIdentity stored;
	DayRuns		old[SUM_KINDS];
	DayRuns		first_days;
	int32		old_from;
	int32		from;
	bool		is_user;

	if (account_id == 0 || !stored_identity(account_id, &identity->event, &stored))
	{
		memset(&stored, 0, sizeof(stored));
		dayruns_init(&stored.first_days);
		dayruns_init(&stored.days);
		dayruns_init(&stored.iam_days);
	}
	is_user = kinds_are_person(identity->kinds | stored.kinds);
	first_days = dayruns_union_of(&stored.first_days, &identity->days[SUM_ANYTHING]);
	old_from = settled_from(&stored.first_days);
	from = settled_from(&first_days);

	old[SUM_ANYTHING] = stored.days;
	old[SUM_IAM] = stored.iam_days;
	dayruns_init(&old[SUM_OPERATION]);
	if (stored.identity_id != 0 && identity->event.operation.s != NULL &&
		(identity->days[SUM_OPERATION].n > 0 || from != old_from))
		stored_behaviour_days(account_id, stored.identity_id, &identity->event, &old[SUM_OPERATION]);

	for (int kind = 0; kind < SUM_KINDS; kind++)
	{
		DayRuns		all;
		DayRuns		settled;
		DayRuns		old_settled;

		if (identity->days[kind].n == 0 && from == old_from)
			continue;
		all = dayruns_union_of(&old[kind], &identity->days[kind]);
		if (kind == SUM_OPERATION && has_excluded)
		{
			DayRuns		excluded;

			dayruns_init(&excluded);
			stored_excluded_days(&identity->event, &excluded);
			dayruns_remove(&all, &excluded);
			dayruns_remove(&old[kind], &excluded);
		}
		/* the parts that count for peers */
		settled = dayruns_part_of(&all, from, PG_INT32_MAX);
		old_settled = dayruns_part_of(&old[kind], old_from, PG_INT32_MAX);
		add_fresh(sums, kind, is_user, &all, &old[kind], false);
		add_fresh(sums, kind, is_user, &settled, &old_settled, true);
	}
}

/* While the rows of one hash come by. */
typedef struct Reading
{
	const Event *asked;
	MemoryContext memory;		/* of the hash */
	uint64		hash;
	JournalIdentity *identities;
	int			count;
	alike_hash *alike;			/* the same by name, once there are many */
	JournalSums *sums;
	int32		account_id;
	bool		has_excluded;
} Reading;

static void
end_of_hash(Reading *reading)
{
	MemoryContext outer = MemoryContextSwitchTo(reading->memory);

	for (JournalIdentity *i = reading->identities; i != NULL; i = i->next)
		add_identity(reading->sums, reading->account_id, i, reading->has_excluded);
	MemoryContextSwitchTo(outer);
	reading->identities = NULL;
	reading->count = 0;
	reading->alike = NULL;
	MemoryContextReset(reading->memory);
}

static void
note_alike(Reading *reading, JournalIdentity *identity)
{
	bool		found;
	AlikeIdentity *entry = alike_insert(reading->alike, fingerprint_identity(reading->sums->account, &identity->event), &found);

	Assert(!found);
	entry->identity = identity;
}

static JournalIdentity *
find_identity(Reading *reading, Slice name)
{
	JournalIdentity *identity = reading->identities;

	if (reading->alike != NULL)
	{
		AlikeIdentity *entry = alike_lookup(reading->alike,
											fingerprint_identity(reading->sums->account, &(Event) {.identity = name}));

		return entry == NULL ? NULL : entry->identity;
	}
	while (identity != NULL && !slice_equal(identity->event.identity, name))
		identity = identity->next;
	return identity;
}

static void
add_to_found(Reading *reading, JournalIdentity *identity)
{
	identity->next = reading->identities;
	reading->identities = identity;
	if (++reading->count <= MOST_IN_LIST)
		return;
	if (reading->alike != NULL)
	{
		note_alike(reading, identity);
		return;
	}
	reading->alike = alike_create(CurrentMemoryContext, 4 * MOST_IN_LIST, NULL);
	for (JournalIdentity *i = reading->identities; i != NULL; i = i->next)
		note_alike(reading, i);
}

static JournalIdentity *
identity_of(Reading *reading, Slice name)
{
	JournalIdentity *identity = find_identity(reading, name);
	char	   *copy;

	if (identity != NULL)
		return identity;
	identity = palloc0(sizeof(JournalIdentity));
	identity->event = *reading->asked;
	copy = palloc(name.len + 1);
	memcpy(copy, name.s, name.len);
	identity->event.identity = (Slice) {copy, name.len};
	for (int kind = 0; kind < SUM_KINDS; kind++)
		dayruns_init(&identity->days[kind]);
	add_to_found(reading, identity);
	return identity;
}

bool
journal_is_iam(const Event *event)
{
	const Operation *operation;

	if (event->operation.s == NULL)
		return false;
	if (!settings_watch_more())
		return true;
	operation = catalogue_get(event->provider, event->service, event->operation);
	return operation == NULL || operation->is_iam;
}

static void
take_row(const StoredDelta *delta, void *arg)
{
	Reading    *reading = arg;
	const Event *event = &delta->event;
	uint64		hash = slice_hash(event->identity, 0);
	MemoryContext outer;
	JournalIdentity *identity;

	CHECK_FOR_INTERRUPTS();
	if (reading->identities != NULL && hash != reading->hash)
		end_of_hash(reading);
	reading->hash = hash;
	outer = MemoryContextSwitchTo(reading->memory);
	identity = identity_of(reading, event->identity);
	identity->kinds |= delta->kinds;
	dayruns_add_all(&identity->days[SUM_ANYTHING], &delta->days);
	if (journal_is_iam(event))
		dayruns_add_all(&identity->days[SUM_IAM], &delta->days);
	if (event->operation.s != NULL && reading->asked->operation.s != NULL &&
		event->failed == reading->asked->failed &&
		slice_equal(event->operation, reading->asked->operation) &&
		slice_equal(event->service, reading->asked->service))
		dayruns_add_all(&identity->days[SUM_OPERATION], &delta->days);
	MemoryContextSwitchTo(outer);
}

/* Read all that the journal has of the event's account. */
static JournalSums *
read_sums(const Event *event, MemoryContext context)
{
	HASHCTL		control = {.keysize = sizeof(DayKey), .entrysize = sizeof(DaySum), .hcxt = context};
	JournalSums *sums = MemoryContextAllocZero(context, sizeof(JournalSums));
	StoredAccount account;
	Reading		reading;

	sums->account = fingerprint_account(event);
	sums->behaviour = fingerprint_behaviour(sums->account, event);
	sums->days = hash_create("iamwatch journal sums", 64, &control,
							 HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	memset(&reading, 0, sizeof(reading));
	reading.asked = event;
	reading.sums = sums;
	reading.account_id = stored_account(event, &account) ? account.account_id : 0;
	reading.has_excluded = event->operation.s != NULL &&
		stored_may_have_excluded(event->account, event->operation);
	reading.memory = AllocSetContextCreate(CurrentMemoryContext, "iamwatch journal identity",
										   ALLOCSET_SMALL_SIZES);
	settings_load();
	stored_journal_rows(event, take_row, &reading);
	end_of_hash(&reading);
	MemoryContextDelete(reading.memory);
	return sums;
}

static JournalSums *
get_sums(const Event *event)
{
	Fingerprint account = fingerprint_account(event);
	Fingerprint behaviour = fingerprint_behaviour(account, event);
	JournalSums *sums;

	for (sums = kept; sums != NULL; sums = sums->next)
		if (sums->account.a == account.a && sums->account.b == account.b &&
			sums->behaviour.a == behaviour.a && sums->behaviour.b == behaviour.b)
			return sums;
	sums = read_sums(event, kept_context != NULL ? kept_context : CurrentMemoryContext);
	if (kept_context != NULL)
	{
		sums->next = kept;
		kept = sums;
	}
	return sums;
}

StoredSums
journal_sums(const Event *event, bool is_user, int32 since, int32 until)
{
	StoredSum	totals[SUM_KINDS] = {{0, 0}, {0, 0}, {0, 0}};
	JournalSums *sums = get_sums(event);

	for (int kind = 0; kind < SUM_KINDS; kind++)
		for (int64 day = since; day <= until; day++)	/* wider, as until may be the last day */
		{
			StoredSum  *sum = sum_of(sums, (int32) day, kind, is_user, HASH_FIND);

			CHECK_FOR_INTERRUPTS();
			if (sum == NULL)
				continue;
			totals[kind].all += sum->all;
			totals[kind].settled += sum->settled;
		}
	return (StoredSums) {totals[SUM_OPERATION], totals[SUM_ANYTHING], totals[SUM_IAM]};
}
