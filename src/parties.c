/*-------------------------------------------------------------------------
 *
 * parties.c
 *		The parties of the events in a batch, and what is stored of them.
 *
 * Owns the rule of what comes too late.  Looks up each account, identity and
 * behaviour once, by stored.c; what others appended to the journal, and nobody
 * has folded, counts as stored.  Must never write, nor decide what is unusual.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "parties.h"
#include "settings.h"
#include "stored.h"

typedef struct Party
{
	Fingerprint key;
	void	   *party;			/* an Account, Identity or Behaviour */
	uint32		status;
} Party;

#define SH_PREFIX party
#define SH_ELEMENT_TYPE Party
#include "fingerprint_table.h"

/* Made, and zero but for the key, when there is none yet. */
static void *
find_party(struct party_hash *table, Fingerprint key, Size size, bool *found)
{
	Party	   *entry = party_insert(table, key, found);

	if (!*found)
	{
		entry->party = palloc0(size);
		*(Fingerprint *) entry->party = key;
	}
	return entry->party;
}

static void *
get_party(struct party_hash *table, Fingerprint key)
{
	Party	   *entry = party_lookup(table, key);

	return entry == NULL ? NULL : entry->party;
}

int64
parties_alert_reach(void)
{
	return (settings_deduplication_days() + 1) * USECS_PER_DAY;
}

static Account *
find_account(Parties *parties, Fingerprint key, const Event *event)
{
	bool		found;
	Account    *account = find_party(parties->account_table, key, sizeof(Account), &found);

	if (!found)
	{
		account->sample = event;
		parties->accounts[parties->naccounts++] = account;
	}
	return account;
}

static Identity *
find_identity(Parties *parties, Fingerprint key, Account *account, const Event *event)
{
	bool		found;
	Identity   *identity = find_party(parties->identity_table, key, sizeof(Identity), &found);

	if (!found)
	{
		identity->account = account;
		identity->sample = event;
		dayruns_init(&identity->days);
		dayruns_init(&identity->fresh);
		parties->identities[parties->nidentities++] = identity;
	}
	return identity;
}

/* The catalogue may be loaded anew while the batch is settled. */
static const Operation *
keep_operation(const Operation *operation)
{
	Operation  *kept = palloc(sizeof(Operation));

	*kept = *operation;
	kept->category = pstrdup(operation->category);
	return kept;
}

static Behaviour *
find_behaviour(Parties *parties, Fingerprint key, Identity *identity, const Event *event,
			   const Operation *operation)
{
	bool		found;
	Behaviour  *behaviour = find_party(parties->behaviour_table, key, sizeof(Behaviour), &found);

	if (!found)
	{
		behaviour->identity = identity;
		behaviour->sample = event;
		behaviour->operation = keep_operation(operation);
		behaviour->since = PG_INT64_MAX;
		behaviour->until = PG_INT64_MIN;
		dayruns_init(&behaviour->days);
		dayruns_init(&behaviour->fresh);
		dayruns_init(&behaviour->excluded);
		parties->behaviours[parties->nbehaviours++] = behaviour;
	}
	return behaviour;
}

static void
behaviour_add_event(Behaviour *behaviour, Happening *item)
{
	if (behaviour->nevents == behaviour->capacity)
	{
		behaviour->capacity = Max(2, behaviour->capacity * 2);
		behaviour->events = behaviour->events == NULL ?
			palloc(behaviour->capacity * sizeof(Happening *)) :
			repalloc(behaviour->events, behaviour->capacity * sizeof(Happening *));
	}
	behaviour->events[behaviour->nevents++] = item;
	behaviour->since = Min(behaviour->since, item->event->time);
	behaviour->until = Max(behaviour->until, item->event->time);
}

static void
take_account_delta(const StoredDelta *delta, void *arg)
{
	Account    *account = arg;

	account->journaled = true;
	account->first = Min(account->first, delta->first);
	if (delta->days.n > 0)
		account->newest = Max(account->newest, delta->days.runs[delta->days.n - 1].hi);
}

static void
look_up_accounts(Parties *parties)
{
	for (int i = 0; i < parties->naccounts; i++)
	{
		Account    *account = parties->accounts[i];
		StoredAccount stored = {0, PG_INT64_MAX, PG_INT32_MIN};

		stored_account(account->sample, &stored);
		account->account_id = stored.account_id;
		account->first = stored.first;
		account->newest = stored.newest;
		stored_journal(account->sample, take_account_delta, account);
		account->stored_newest = account->newest;
		account->stored = account->newest > PG_INT32_MIN;
	}
}

static void
look_up_identities(Parties *parties)
{
	for (int i = 0; i < parties->nidentities; i++)
	{
		Identity   *identity = parties->identities[i];
		StoredIdentity stored;

		if (!stored_identity(identity->account->account_id, identity->sample, &stored))
			continue;
		identity->identity_id = stored.identity_id;
		identity->stored_kinds = stored.kinds;
		identity->kinds |= stored.kinds;
		identity->days = stored.days;
	}
}

static void
look_up_behaviours(Parties *parties)
{
	int64		reach = parties_alert_reach();

	for (int i = 0; i < parties->nbehaviours; i++)
	{
		Behaviour  *behaviour = parties->behaviours[i];
		Identity   *identity = behaviour->identity;

		if (identity->identity_id != 0)
			stored_behaviour_days(identity->account->account_id, identity->identity_id,
								  behaviour->sample, &behaviour->days);
		behaviour->nalerts = stored_alerts(behaviour->sample, behaviour->since - reach,
										   behaviour->until + reach, &behaviour->alerts);
		behaviour->pending = stored_pending(behaviour->sample);
		stored_excluded_days(behaviour->sample, &behaviour->excluded);
	}
}

/* Of an identity or behaviour of the batch. */
static void
take_delta(const StoredDelta *delta, void *arg)
{
	Parties    *parties = arg;
	Fingerprint key;
	Identity   *identity;
	Behaviour  *behaviour;

	if (delta->event.identity.s == NULL)
		return;
	key = fingerprint_identity(fingerprint_account(&delta->event), &delta->event);
	identity = get_party(parties->identity_table, key);
	if (identity == NULL)
		return;
	if (delta->event.operation.s == NULL)
	{
		identity->stored_kinds |= delta->kinds;
		identity->kinds |= delta->kinds;
		dayruns_add_all(&identity->days, &delta->days);
		return;
	}
	key = fingerprint_behaviour(key, &delta->event);
	behaviour = get_party(parties->behaviour_table, key);
	if (behaviour != NULL)
		dayruns_add_all(&behaviour->days, &delta->days);
}

static void
look_up_journal(Parties *parties)
{
	for (int i = 0; i < parties->naccounts; i++)
		if (parties->accounts[i]->journaled)
			stored_journal(parties->accounts[i]->sample, take_delta, parties);
}

/* Find the parties of each event, and leave out what comes too late. */
static void
sort_out(Parties *parties, const News *news)
{
	for (int i = 0; i < parties->nitems; i++)
	{
		Happening  *item = &parties->items[i];

		item->event = &news[i].event;
		item->account = find_account(parties, fingerprint_account(item->event), item->event);
	}
	look_up_accounts(parties);

	for (int i = 0; i < parties->nitems; i++)
	{
		Happening  *item = &parties->items[i];
		const Event *event = item->event;
		Account    *account = item->account;
		const Operation *operation;

		if (account->stored && event->day < account->stored_newest - settings_kept_days())
		{
			item->late = true;
			account->late += 1 + news[i].repeats;
			continue;
		}
		if (event->time < account->first)
		{
			account->first = event->time;
			account->news = true;
		}
		account->newest = Max(account->newest, event->day);

		item->identity = find_identity(parties, fingerprint_identity(account->key, event),
									   account, event);
		item->identity->kinds |= 1 << event->kind;
		operation = news[i].document == NULL ? NULL :
			catalogue_get(event->provider, event->service, event->operation);
		if (operation != NULL)
		{
			item->behaviour = find_behaviour(parties,
											 fingerprint_behaviour(item->identity->key, event),
											 item->identity, event, operation);
			behaviour_add_event(item->behaviour, item);
		}
	}
}

void
parties_find(Parties *parties, const News *news, int count)
{
	memset(parties, 0, sizeof(*parties));
	parties->nitems = count;
	parties->items = palloc0(count * sizeof(Happening));
	parties->accounts = palloc(count * sizeof(Account *));
	parties->identities = palloc(count * sizeof(Identity *));
	parties->behaviours = palloc(count * sizeof(Behaviour *));
	parties->account_table = party_create(CurrentMemoryContext, 1, NULL);
	parties->identity_table = party_create(CurrentMemoryContext, count, NULL);
	parties->behaviour_table = party_create(CurrentMemoryContext, count, NULL);
	stored_begin();
	sort_out(parties, news);
	look_up_identities(parties);
	look_up_behaviours(parties);
	look_up_journal(parties);
	stored_end();
}
