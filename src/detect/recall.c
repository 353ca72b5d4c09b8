/*-------------------------------------------------------------------------
 *
 * recall.c
 *		Has this backend recall what the tables know of an event.
 *
 * A backend that knows nothing yet, as of a loader that connects for each
 * file, would take every event of its first statement for new: queue the
 * trigger, fetch the row again at the end, read the document again and look up
 * then what the tables hold.  To look it up at once costs a third of that, and
 * what was looked up holds for all further events of the identity.  Whoever lies
 * beside it in the table is mostly asked for next.
 *
 * What the tables held when the statement began is true at its end, but for
 * the exceptions of score_batch.c: where an alert may be near, or the day may
 * have to be scored again, the event takes the long way.  So do events that the
 * tables do not know: this file never says that something is new.
 *
 * Where little is known, as in a first load, looking up is in vain, so each
 * question is asked once in a statement, and none any more when most were asked in
 * vain.  Must never write, nor run SQL.
 *
 * The first events of a session are mostly no IAM operations, and then need none
 * of the settings.  Without them nothing is remembered, since nobody would be
 * told to forget it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "baseline/baseline_cache.h"
#include "baseline/stored.h"
#include "baseline/told.h"
#include "config/settings.h"
#include "detect/entities.h"
#include "detect/recall.h"
#include "nodes/bitmapset.h"
#include "utils/memutils.h"

/* So many in vain are for nothing in any case. */
#define FREE_MISSES 64

/* Memory has a bound: what is not noted is not asked. */
#define MOST_ASKED 65536

typedef struct RecalledAccount
{
	Fingerprint key;
	StoredAccount stored;		/* its number is 0 if there is none */
	bool		remembered;
	uint32		status;
} RecalledAccount;

#define SH_PREFIX recalled
#define SH_ELEMENT_TYPE RecalledAccount
#include "baseline/fingerprint_table.h"

/* A question that was asked in vain. */
typedef struct Asked
{
	Fingerprint key;
	uint32		status;
} Asked;

#define SH_PREFIX asked
#define SH_ELEMENT_TYPE Asked
#include "baseline/fingerprint_table.h"

struct Recall
{
	StoredTables *tables;
	recalled_hash *accounts;
	asked_hash *asked;
	int64		hits;
	Bitmapset  *pages;			/* on which an identity was found */
	Bitmapset  *read_pages;		/* of which all were remembered */
	MemoryContext context;		/* of the statement */
};

Recall *
recall_create(MemoryContext context, Oid schema)
{
	Recall	   *recall = MemoryContextAllocZero(context, sizeof(Recall));

	recall->context = context;
	recall->tables = stored_tables_create(context, schema);
	recall->accounts = recalled_create(context, 1, NULL);
	recall->asked = asked_create(context, 1, NULL);
	return recall;
}

/* Of an identity, or of what it does, on a day, as one kind. */
static Fingerprint
question(const Event *event, Fingerprint identity, const Operation *operation)
{
	Fingerprint key = operation == NULL ? identity : fingerprint_behaviour(identity, event);

	key.a += (uint64) event->day * KIND_COUNT + event->kind;
	return key;
}

static bool
is_in_vain(const Recall *recall, Fingerprint question)
{
	uint32		misses = recall->asked->members;

	return misses >= MOST_ASKED || misses > FREE_MISSES + 4 * recall->hits ||
		asked_lookup(recall->asked, question) != NULL;
}

/* What the journal has of the account counts. */
static StoredAccount
read_account(Recall *recall, const Event *event)
{
	StoredAccount stored = {.first = PG_INT64_MAX, .newest = PG_INT32_MIN};

	stored_begin_within(recall->tables);
	if (stored_account(event, &stored) && stored.account_id != 0 && stored.newest > PG_INT32_MIN)
	{
		if (stored_may_have_journal(event->account))
			stored_journal_of_account(event, &stored);
	}
	else
		stored.account_id = 0;
	stored_end();
	return stored;
}

/* Once in a statement, and remembered from when the settings are there. */
static StoredAccount
look_up_account(Recall *recall, Fingerprint key, const Event *event)
{
	RecalledAccount *account = recalled_lookup(recall->accounts, key);
	StoredAccount stored;
	bool		found;

	if (account == NULL)
	{
		stored = read_account(recall, event);
		account = recalled_insert(recall->accounts, key, &found);
		account->stored = stored;
		account->remembered = false;
	}
	stored = account->stored;
	if (stored.account_id != 0 && !account->remembered && settings_are_ready())
	{
		cache_remember_account(key, stored.first, stored.newest);
		account->remembered = true;
	}
	return stored;
}

/* May an alert take what the behaviour did on the day, or what was left for others to write? */
static bool
alert_may_be_near(const Event *event)
{
	TimestampTz day_start = (TimestampTz) event->day * USECS_PER_DAY;
	TimestampTz *alerts;

	return stored_alerts(event, day_start - entities_alert_reach(),
						 day_start + USECS_PER_DAY + entities_alert_reach(), &alerts) > 0 ||
		stored_pending(event);
}

/* Is a day that was learned scored for good?  The rule is that of score_behaviour(). */
static bool
day_is_scored(const Event *event, const Operation *operation, const StoredAccount *account,
			  int kinds)
{
	if (kinds_are_of_both(kinds))
		return false;
	for (int i = 0; i < settings_detector_count(); i++)
	{
		const Detector *detector = settings_detector(i);

		if (detector_watches(detector, operation) &&
			detector_activates_on(detector, account->first, event->day))
			return false;
	}
	return true;
}

/* Is the day of the event known of the identity, as that kind? */
static bool
look_up_identity(const Event *event, const StoredAccount *account, StoredIdentity *identity)
{
	return stored_identity(account->account_id, event, identity) &&
		(identity->kinds & (1 << event->kind)) != 0 &&
		dayruns_contains(&identity->days, event->day);
}

/* And of the behaviour? */
static bool
look_up_behaviour(const Event *event, const StoredAccount *account, const StoredIdentity *identity)
{
	DayRuns		days;

	return stored_behaviour_days(account->account_id, identity->identity_id, event, &days) &&
		dayruns_contains(&days, event->day);
}

/* Is it the second time that an identity was found on the page? */
static bool
page_is_worth_reading(Recall *recall, BlockNumber page)
{
	MemoryContext outer;
	bool		worth;

	if (page > PG_INT32_MAX || bms_is_member((int) page, recall->read_pages))
		return false;
	worth = bms_is_member((int) page, recall->pages);
	outer = MemoryContextSwitchTo(recall->context);
	if (worth)
		recall->read_pages = bms_add_member(recall->read_pages, (int) page);
	else
		recall->pages = bms_add_member(recall->pages, (int) page);
	MemoryContextSwitchTo(outer);
	return worth;
}

/* What remember_beside() needs of who was asked for. */
typedef struct Beside
{
	Recall	   *recall;
	Fingerprint account;
	Event		event;
} Beside;

/* Of another identity, if it did anything on the day. */
static void
remember_beside(Slice name, int kinds, const DayRuns *days, void *arg)
{
	Beside	   *beside = arg;
	int32		day = beside->event.day;
	Fingerprint key;

	if (!dayruns_contains(days, day))
		return;
	beside->event.identity = name;
	key = fingerprint_identity(beside->account, &beside->event);
	for (int kind = 0; kind < KIND_COUNT; kind++)
		if ((kinds & (1 << kind)) != 0)
			cache_remember_identity_days(key, kind, day, days);
	beside->recall->hits++;
}

/*
 * Identities that came together lie together, and are mostly met together.  Where a
 * second one of a page is met, all of it are remembered: to read a page takes as
 * long as to look up four.
 */
static void
remember_identity(Recall *recall, const Event *event, const StoredAccount *account,
				  Fingerprint identity_key, const StoredIdentity *identity)
{
	cache_remember_identity_days(identity_key, event->kind, event->day, &identity->days);
	if (page_is_worth_reading(recall, ItemPointerGetBlockNumber(&identity->at)))
	{
		Beside		beside = {recall, fingerprint_account(event), *event};

		stored_identities_beside(account->account_id, identity, remember_beside, &beside);
	}
}

static bool
look_up(Recall *recall, const Event *event, const Operation *operation,
		const StoredAccount *account, Fingerprint identity_key, uint64 told)
{
	StoredIdentity identity;

	if (!look_up_identity(event, account, &identity))
		return false;
	if (settings_are_ready())
		remember_identity(recall, event, account, identity_key, &identity);
	if (operation == NULL)
		return true;
	if (!look_up_behaviour(event, account, &identity) ||
		!day_is_scored(event, operation, account, identity.kinds) ||
		alert_may_be_near(event))
		return false;
	cache_remember_behaviour(fingerprint_behaviour(identity_key, event), event->kind, event->day, told);
	return true;
}

/* Is the event within the time of an account that is known? */
static bool
is_in_time(const Event *event, const StoredAccount *account)
{
	return account->account_id != 0 && event->time >= account->first &&
		event->day <= account->newest && !settings_is_late(event->day, account->newest);
}

bool
recall_knows_in_any_case(Recall *recall, const Event *event)
{
	StoredAccount account;
	StoredIdentity identity;
	bool		known;

	if (recall->asked->members > 0)
		return false;
	account = look_up_account(recall, fingerprint_account(event), event);
	if (!is_in_time(event, &account))
		return false;
	stored_begin_within(recall->tables);
	known = look_up_identity(event, &account, &identity) && !kinds_are_of_both(identity.kinds) &&
		look_up_behaviour(event, &account, &identity) &&
		!settings_may_activate_on(account.first, event->day) &&
		!stored_may_have_alerts(event->identity) && !stored_pending(event);
	stored_end();
	return known;
}

bool
recall_knows(Recall *recall, const Event *event, const Operation *operation)
{
	Fingerprint account_key;
	Fingerprint identity_key;
	Fingerprint asked;
	StoredAccount account;
	uint64		told;
	bool		known;
	bool		found;

	if (settings_are_ready() && cache_knows_of(event, operation))
		return true;
	account_key = fingerprint_account(event);
	identity_key = fingerprint_identity(account_key, event);
	asked = question(event, identity_key, operation);
	if (is_in_vain(recall, asked))
		return false;
	account = look_up_account(recall, account_key, event);
	if (!is_in_time(event, &account))
		return false;

	told = operation == NULL ? 0 : told_begin();
	stored_begin_within(recall->tables);
	known = look_up(recall, event, operation, &account, identity_key, told);
	stored_end();
	if (known)
		recall->hits++;
	else
		(void) asked_insert(recall->asked, asked, &found);
	return known;
}
