/*-------------------------------------------------------------------------
 *
 * baseline_cache.c
 *		What this backend remembers of the baselines, so that an event which
 *		teaches nothing costs a few look-ups in memory and no more.
 *
 * A fact, once true in the tables, stays true: days are only ever added, but
 * for maintenance, which drops what is too old to be asked for, and triage
 * takes none out but has them not counted.  Only of a behaviour it is true until an
 * alert is opened, as told.c says.  So what is remembered may lag
 * behind the tables, which costs time, but is never ahead of them: what a
 * transaction remembers is forgotten when it, or the savepoint that it was in,
 * rolls back.
 *
 * Facts of one kind lie in two generations.  When the young one is full the
 * old one is dropped and the young one becomes the old one; a fact that is
 * used moves to the young one.  So memory has a bound, and what is in use
 * stays.
 *
 * This file must never read a table.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "baseline/baseline_cache.h"
#include "baseline/told.h"
#include "config/catalogue.h"
#include "config/settings.h"
#include "event/field.h"
#include "event/limits.h"
#include "server/memory.h"
#include "server/quick_hash.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

/* The days known of an identity or behaviour: bit n stands for base + n. */
typedef struct CachedDays
{
	Fingerprint key;
	int32		base;
	uint32		status;
	uint64		days;
} CachedDays;

#define SH_PREFIX days
#define SH_ELEMENT_TYPE CachedDays
#include "baseline/fingerprint_table.h"

typedef struct CachedAccount
{
	Fingerprint key;
	TimestampTz first;
	int32		newest;
	uint32		status;
} CachedAccount;

#define SH_PREFIX accounts
#define SH_ELEMENT_TYPE CachedAccount
#include "baseline/fingerprint_table.h"

#define DAYS_IN_WORD 64
#define RECENT_ACCOUNTS 16
#define FIRST_SIZE 64

/* An eighth of the memory is for accounts, of which there are few. */
#define DAYS_SHARE(bytes) ((bytes) / 8 * 7)
#define ACCOUNTS_SHARE(bytes) ((bytes) / 8)

static MemoryContext cache_context = NULL;
static days_hash *young = NULL;
static days_hash *old = NULL;
static accounts_hash *accounts = NULL;
static bool forget_pending = false;

/* Set while a table may grow: one that ran out of memory then is no table. */
static bool growing = false;

/* Nesting levels of the transaction in which something was remembered. */
static bool *remembered_at = NULL;
static int	remembered_levels = 0;

static Fingerprint
fingerprint_add(Fingerprint f, Slice slice)
{
	f.a = quick_hash(slice, f.a, &quick_keys[0]);
	f.b = quick_hash(slice, f.b, &quick_keys[1]);
	return f;
}

Fingerprint
fingerprint_account(const Event *event)
{
	/* a file of events is of one account or of a few by turns, as a rule */
	static struct
	{
		Provider	provider;
		int			len;
		char		account[64];
		Fingerprint fingerprint;
	}			recent[RECENT_ACCOUNTS], *last;
	Slice		account = event->account;
	Fingerprint f;

	quick_hash_init();
	last = &recent[(event->provider + (account.len > 1 ? account.s[account.len - 1] + 3 * account.s[account.len - 2] : 0)) %
				   (unsigned) RECENT_ACCOUNTS];
	if (last->provider == event->provider && last->len == account.len && account.len > 0 &&
		memcmp(last->account, account.s, last->len) == 0)
		return last->fingerprint;
	f = fingerprint_add((Fingerprint)
						{
							quick_seed(event->provider, &quick_keys[0]),
							quick_seed(event->provider, &quick_keys[1])
						}, account);
	if (account.len <= sizeof(last->account))
	{
		last->provider = event->provider;
		last->len = account.len;
		memcpy(last->account, account.s, account.len);
		last->fingerprint = f;
	}
	return f;
}

Fingerprint
fingerprint_identity(Fingerprint account, const Event *event)
{
	return fingerprint_add(account, event->identity);
}

Fingerprint
fingerprint_behaviour(Fingerprint identity, const Event *event)
{
	identity.a += 1 + event->failed;
	return fingerprint_add(fingerprint_add(identity, event->service), event->operation);
}

/* What is known of an identity is known of it as one kind. */
static Fingerprint
with_kind(Fingerprint identity, IdentityKind kind)
{
	identity.b += 1 + kind;
	return identity;
}

/*
 * What is known of a behaviour holds for people, or for what is none: the
 * other would be scored against other peers.  And until alerts are opened: what
 * was remembered before is not found any more, and goes when room is made.
 */
static Fingerprint
with_class(Fingerprint behaviour, bool is_user)
{
	behaviour.b += 2 * times_told + is_user;
	return behaviour;
}

static void
forget(void)
{
	forget_pending = growing = false;
	young = old = NULL;
	accounts = NULL;
	if (cache_context != NULL)
		MemoryContextReset(cache_context);
}

static void
make_ready(void)
{
	if (forget_pending || growing)
		forget();
	if (cache_context == NULL)
		cache_context = AllocSetContextCreate(TopMemoryContext,
											  "iamwatch baseline cache",
											  ALLOCSET_DEFAULT_SIZES);
	if (young == NULL)
		young = days_create(cache_context, FIRST_SIZE, NULL);
	if (accounts == NULL)
		accounts = accounts_create(cache_context, FIRST_SIZE, NULL);
	Assert(!forget_pending && !growing);
}

/* How many entries a table may hold so that its power of two fits in bytes. */
static uint32
entries_within(Size bytes, Size entry_size)
{
	Size		size = FIRST_SIZE;

	while (size * 2 * entry_size <= bytes)
		size *= 2;
	return (uint32) (size - size / 4);
}

static CachedDays *
insert_days(Fingerprint key, bool *found)
{
	CachedDays *entry;

	Assert(!growing && young != NULL);
	growing = true;
	if (young->members >= entries_within(DAYS_SHARE(memory_bytes()) / 2,
										 sizeof(CachedDays)))
	{
		if (old != NULL)
			days_destroy(old);
		old = young;
		young = NULL;
		young = days_create(cache_context, FIRST_SIZE, NULL);
	}
	entry = days_insert(young, key, found);
	growing = false;
	return entry;
}

static bool
is_known_day(Fingerprint key, int32 day)
{
	CachedDays *entry = days_lookup(young, key);

	if (entry == NULL && old != NULL)
	{
		CachedDays *aged = days_lookup(old, key);

		if (aged != NULL)
		{
			int32		base = aged->base;
			uint64		bits = aged->days;
			bool		found;

			entry = insert_days(key, &found);
			entry->base = base;
			entry->days = bits;
		}
	}
	if (entry == NULL || day < entry->base || day - entry->base >= DAYS_IN_WORD)
		return false;
	return (entry->days >> (day - entry->base)) & 1;
}

static CachedDays *
remember_day(Fingerprint key, int32 day)
{
	bool		found;
	CachedDays *entry;

	make_ready();
	(void) is_known_day(key, day);	/* brings an old entry back */
	entry = insert_days(key, &found);
	if (!found)
	{
		/* leave room on both sides: days arrive roughly in order */
		entry->base = day - DAYS_IN_WORD / 2;
		entry->days = 0;
	}
	else if (day - entry->base >= DAYS_IN_WORD)
	{
		int32		shift = day - entry->base - DAYS_IN_WORD * 3 / 4;

		entry->days = shift < DAYS_IN_WORD ? entry->days >> shift : 0;
		entry->base += shift;
	}
	else if (day < entry->base)
	{
		int32		shift = entry->base - day + DAYS_IN_WORD / 4;

		entry->days = shift < DAYS_IN_WORD ? entry->days << shift : 0;
		entry->base -= shift;
	}
	Assert(day >= entry->base && day - entry->base < DAYS_IN_WORD);
	entry->days |= UINT64CONST(1) << (day - entry->base);
	return entry;
}

/* Of further days, those that have room beside it. */
static void
add_days(CachedDays *entry, const DayRuns *days)
{
	for (int i = 0; i < days->n; i++)
	{
		int32		lo = Max(days->runs[i].lo, entry->base);
		int32		hi = Min(days->runs[i].hi, entry->base + DAYS_IN_WORD - 1);

		if (lo <= hi)
			entry->days |= (~UINT64CONST(0) >> (DAYS_IN_WORD - 1 - (hi - lo))) << (lo - entry->base);
	}
}

/* To be called before anything is remembered that may have to be forgotten. */
static void
note_level(void)
{
	int			level = GetCurrentTransactionNestLevel();

	Assert(level > 0);			/* nothing is remembered that could not roll back */
	if (level >= remembered_levels)
	{
		int			levels = Max(16, level * 2);

		if (remembered_at == NULL)
			remembered_at = MemoryContextAllocZero(TopMemoryContext, levels * sizeof(bool));
		else
		{
			remembered_at = repalloc(remembered_at, levels * sizeof(bool));
			memset(remembered_at + remembered_levels, 0,
				   (levels - remembered_levels) * sizeof(bool));
		}
		remembered_levels = levels;
	}
	remembered_at[level] = true;
}

void
cache_remember_account(Fingerprint key, TimestampTz first, int32 newest)
{
	bool		found;
	CachedAccount *entry;

	note_level();
	make_ready();
	growing = true;
	if (accounts->members >= entries_within(ACCOUNTS_SHARE(memory_bytes()),
											sizeof(CachedAccount)))
	{
		accounts_destroy(accounts);
		accounts = NULL;
		accounts = accounts_create(cache_context, FIRST_SIZE, NULL);
	}
	entry = accounts_insert(accounts, key, &found);
	growing = false;
	entry->first = first;
	entry->newest = newest;
}

void
cache_remember_identity(Fingerprint identity, IdentityKind kind, int32 day)
{
	note_level();
	(void) remember_day(with_kind(identity, kind), day);
}

void
cache_remember_identity_days(Fingerprint identity, IdentityKind kind, int32 day, const DayRuns *days)
{
	note_level();
	add_days(remember_day(with_kind(identity, kind), day), days);
}

void
cache_remember_behaviour(Fingerprint behaviour, IdentityKind kind, int32 day, uint64 told)
{
	if (told != times_told)
		return;
	note_level();
	(void) remember_day(with_class(behaviour, KIND_IS_USER(kind)), day);
}

/* Have an entry fetched that is in no cache when identities are many. */
static inline void
prefetch_days(uint64 hash)
{
#ifdef __GNUC__
	CachedDays *entry = &young->data[(uint32) hash & young->sizemask];

	__builtin_prefetch(entry);
	__builtin_prefetch(&entry->days);
#endif
}

/* Is the event neither the first of its account, nor too late, nor of the future? */
static inline bool
is_in_time(const Event *event, Fingerprint key)
{
	CachedAccount *account = accounts_lookup(accounts, key);

	return account != NULL && event->time >= account->first &&
		!day_is_late(event->day, account->newest, settings_kept_days()) &&
		!limits_in_future(event->time);
}

static inline bool
are_known_days(const Event *event, Fingerprint identity, const Operation *operation)
{
	if (!is_known_day(with_kind(identity, event->kind), event->day))
		return false;
	if (operation == NULL)
		return true;
	return is_known_day(with_class(fingerprint_behaviour(identity, event),
								   KIND_IS_USER(event->kind)), event->day);
}

bool
cache_knows(const Event *event)
{
	Fingerprint fingerprint;

	if (!catalogue_is_ready(event->provider))
		return false;
	make_ready();
	fingerprint = fingerprint_account(event);
	if (!is_in_time(event, fingerprint))
		return false;
	fingerprint = fingerprint_identity(fingerprint, event);
	prefetch_days(fingerprint.a);
	return are_known_days(event, fingerprint,
						  catalogue_find(event->provider, event->service, event->operation));
}

bool
cache_knows_of(const Event *event, const Operation *operation)
{
	Fingerprint fingerprint;

	Assert(settings_are_ready());
	make_ready();
	fingerprint = fingerprint_account(event);
	return is_in_time(event, fingerprint) &&
		are_known_days(event, fingerprint_identity(fingerprint, event), operation);
}

void
cache_forget_behaviour(Fingerprint behaviour)
{
	make_ready();
	for (int is_user = 0; is_user <= 1; is_user++)
	{
		Fingerprint key = with_class(behaviour, is_user);

		days_delete(young, key);
		if (old != NULL)
			days_delete(old, key);
	}
}

/* All, at the latest before the next look-up.  Safe in a callback. */
static void
cache_forget(void)
{
	forget_pending = true;
}

CacheSize
cache_size(void)
{
	CacheSize	size = {0, 0, 0};

	if (forget_pending || cache_context == NULL)
		return size;
	size.entries = (young != NULL ? young->members : 0) + (old != NULL ? old->members : 0);
	size.accounts = accounts != NULL ? accounts->members : 0;
	size.bytes = MemoryContextMemAllocated(cache_context, true);
	return size;
}

static void
at_transaction_end(XactEvent event, void *arg)
{
	bool		remembered = false;

	if (event == XACT_EVENT_PRE_COMMIT || event == XACT_EVENT_PARALLEL_PRE_COMMIT ||
		event == XACT_EVENT_PRE_PREPARE)
		return;
	for (int i = 0; i < remembered_levels; i++)
	{
		remembered |= remembered_at[i];
		remembered_at[i] = false;
	}
	if (remembered && event != XACT_EVENT_COMMIT && event != XACT_EVENT_PARALLEL_COMMIT)
		cache_forget();
}

static void
at_subtransaction_end(SubXactEvent event, SubTransactionId subid,
					  SubTransactionId parent, void *arg)
{
	int			level = GetCurrentTransactionNestLevel();

	if (level >= remembered_levels || !remembered_at[level])
		return;
	if (event == SUBXACT_EVENT_COMMIT_SUB)
		remembered_at[level - 1] = true;
	else if (event == SUBXACT_EVENT_ABORT_SUB)
		cache_forget();
	else
		return;
	remembered_at[level] = false;
}

void
cache_init(void)
{
	settings_changed_hook = cache_forget;
	RegisterXactCallback(at_transaction_end, NULL);
	RegisterSubXactCallback(at_subtransaction_end, NULL);
}
