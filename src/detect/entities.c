/*-------------------------------------------------------------------------
 *
 * entities.c
 *		The entities of the events in a batch, and what is stored of them.
 *
 * Owns the rule of what comes too late.  Looks up each account, identity and
 * behaviour once, by stored.c; what others appended to the journal, and nobody
 * has folded, counts as stored.  Must never write, nor decide what is unusual.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "baseline/stored.h"
#include "config/settings.h"
#include "detect/entities.h"

typedef struct EntityEntry
{
	Fingerprint key;
	void	   *entity;			/* an Account, Identity or Behaviour */
	uint32		status;
} EntityEntry;

#define SH_PREFIX entity
#define SH_ELEMENT_TYPE EntityEntry
#include "baseline/fingerprint_table.h"

/* Made, and zero but for the key, when there is none yet. */
static void *
find_entity(struct entity_hash *table, Fingerprint key, Size size, bool *found)
{
	EntityEntry *entry = entity_insert(table, key, found);

	if (!*found)
	{
		entry->entity = palloc0(size);
		*(Fingerprint *) entry->entity = key;
	}
	Assert(memcmp(entry->entity, &key, sizeof(key)) == 0);
	return entry->entity;
}

static void *
get_entity(struct entity_hash *table, Fingerprint key)
{
	EntityEntry *entry = entity_lookup(table, key);

	return entry == NULL ? NULL : entry->entity;
}

int64
entities_alert_reach(void)
{
	return (settings_deduplication_days() + 1) * USECS_PER_DAY;
}

static Account *
find_account(Entities *entities, Fingerprint key, const Event *event)
{
	bool		found;
	Account    *account = find_entity(entities->account_table, key, sizeof(Account), &found);

	if (!found)
	{
		account->sample = event;
		account->number = entities->naccounts;
		entities->accounts[entities->naccounts++] = account;
	}
	return account;
}

static Identity *
find_identity(Entities *entities, Fingerprint key, Account *account, const Event *event)
{
	bool		found;
	Identity   *identity = find_entity(entities->identity_table, key, sizeof(Identity), &found);

	if (!found)
	{
		identity->account = account;
		identity->sample = event;
		dayruns_init(&identity->first_days);
		dayruns_init(&identity->days);
		dayruns_init(&identity->fresh);
		entities->identities[entities->nidentities++] = identity;
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
find_behaviour(Entities *entities, Fingerprint key, Identity *identity, const Event *event,
			   const Operation *operation)
{
	bool		found;
	Behaviour  *behaviour = find_entity(entities->behaviour_table, key, sizeof(Behaviour), &found);

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
		entities->behaviours[entities->nbehaviours++] = behaviour;
	}
	return behaviour;
}

static void
behaviour_add_event(Behaviour *behaviour, BatchEvent *item)
{
	if (behaviour->nevents == behaviour->capacity)
	{
		behaviour->capacity = Max(2, behaviour->capacity * 2);
		behaviour->events = behaviour->events == NULL ?
			palloc(behaviour->capacity * sizeof(BatchEvent *)) :
			repalloc(behaviour->events, behaviour->capacity * sizeof(BatchEvent *));
	}
	behaviour->events[behaviour->nevents++] = item;
	behaviour->since = Min(behaviour->since, item->event->time);
	behaviour->until = Max(behaviour->until, item->event->time);
}

static void
look_up_accounts(Entities *entities)
{
	for (int i = 0; i < entities->naccounts; i++)
	{
		Account    *account = entities->accounts[i];
		StoredAccount stored = {.first = PG_INT64_MAX, .newest = PG_INT32_MIN};

		stored_account(account->sample, &stored);
		account->journaled = stored_may_have_journal(account->sample->account);
		if (account->journaled)
			stored_journal_of_account(account->sample, &stored);
		account->account_id = stored.account_id;
		account->first = stored.first;
		account->newest = stored.newest;
		account->stored_newest = account->newest;
		account->stored = account->newest > PG_INT32_MIN;
	}
}

static void
look_up_identities(Entities *entities)
{
	for (int i = 0; i < entities->nidentities; i++)
	{
		Identity   *identity = entities->identities[i];
		StoredIdentity stored;

		if (!stored_identity(identity->account->account_id, identity->sample, &stored))
			continue;
		identity->identity_id = stored.identity_id;
		identity->stored_kinds = stored.kinds;
		identity->kinds |= stored.kinds;
		identity->first_days = stored.first_days;
		identity->days = stored.days;
	}
}

static void
look_up_behaviours(Entities *entities)
{
	int64		reach = entities_alert_reach();

	for (int i = 0; i < entities->nbehaviours; i++)
	{
		Behaviour  *behaviour = entities->behaviours[i];
		Identity   *identity = behaviour->identity;

		Assert(behaviour->nevents > 0 && behaviour->since <= behaviour->until);
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
	Entities   *entities = arg;
	Fingerprint key;
	Identity   *identity;
	Behaviour  *behaviour;

	if (delta->event.identity.s == NULL)
		return;
	key = fingerprint_identity(fingerprint_account(&delta->event), &delta->event);
	identity = get_entity(entities->identity_table, key);
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
	behaviour = get_entity(entities->behaviour_table, key);
	if (behaviour != NULL)
		dayruns_add_all(&behaviour->days, &delta->days);
}

static void
look_up_journal(Entities *entities)
{
	for (int i = 0; i < entities->nidentities; i++)
		if (entities->identities[i]->account->journaled)
			stored_journal(entities->identities[i]->sample, take_delta, entities);
}

/* Find the entities of each event, and leave out what comes too late. */
static void
sort_out(Entities *entities, const BatchItem *batch)
{
	for (int i = 0; i < entities->nitems; i++)
	{
		BatchEvent *item = &entities->items[i];

		Assert(batch[i].reason == NULL);
		Assert(i == 0 || batch[i - 1].event.time <= batch[i].event.time);
		item->event = &batch[i].event;
		item->account = find_account(entities, fingerprint_account(item->event), item->event);
	}
	look_up_accounts(entities);

	for (int i = 0; i < entities->nitems; i++)
	{
		BatchEvent *item = &entities->items[i];
		const Event *event = item->event;
		Account    *account = item->account;
		const Operation *operation;

		if (account->stored && day_is_late(event->day, account->stored_newest, settings_kept_days()))
		{
			item->late = true;
			account->late += 1 + batch[i].repeats;
			continue;
		}
		if (event->time < account->first)
		{
			account->first = event->time;
			account->first_moved = true;
		}
		account->newest = Max(account->newest, event->day);

		item->identity = find_identity(entities, fingerprint_identity(account->key, event),
									   account, event);
		item->identity->kinds |= 1 << event->kind;
		operation = !batch[i].detailed ? NULL :
			catalogue_get(event->provider, event->service, event->operation);
		if (operation != NULL)
		{
			item->behaviour = find_behaviour(entities,
											 fingerprint_behaviour(item->identity->key, event),
											 item->identity, event, operation);
			behaviour_add_event(item->behaviour, item);
		}
	}
}

void
entities_find(Entities *entities, const BatchItem *batch, int count)
{
	memset(entities, 0, sizeof(*entities));
	entities->nitems = count;
	entities->items = palloc0(count * sizeof(BatchEvent));
	entities->accounts = palloc(count * sizeof(Account *));
	entities->identities = palloc(count * sizeof(Identity *));
	entities->behaviours = palloc(count * sizeof(Behaviour *));
	entities->account_table = entity_create(CurrentMemoryContext, 1, NULL);
	entities->identity_table = entity_create(CurrentMemoryContext, count, NULL);
	entities->behaviour_table = entity_create(CurrentMemoryContext, count, NULL);
	stored_begin();
	sort_out(entities, batch);
	look_up_identities(entities);
	look_up_behaviours(entities);
	look_up_journal(entities);
	stored_end();
}
