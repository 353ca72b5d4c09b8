/*-------------------------------------------------------------------------
 *
 * learn.c
 *		Hands over what a batch adds to the baselines, and to the sample of
 *		contexts.
 *
 * Owns what is new: the days that nothing stored has.  fold.c writes them, and the
 * sample, under one lock; or, when another session is writing the same account,
 * both go to their journals.  Must never look anything up.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "detect/fold.h"
#include "detect/learn.h"
#include "detect/sample.h"
#include "funcapi.h"
#include "server/column.h"
#include "server/composite.h"
#include "server/objects.h"
#include "server/plans.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"
#include "utils/typcache.h"

/* Returns whether the day is new. */
static bool
add_day(DayRuns *days, DayRuns *fresh, int32 day)
{
	if (dayruns_contains(days, day))
		return false;
	dayruns_add(days, day, day);
	dayruns_add(fresh, day, day);
	return true;
}

/* What is learned of an account, and its samples; mostly there are none. */
typedef struct Learned
{
	Deltas		deltas;
	TupleDesc	desc;			/* of a sample; NULL as long as there is none */
	Column		samples;
} Learned;

static void
add_delta(Learned *learned, const Account *account,
		  const Identity *identity, const Behaviour *behaviour)
{
	Delta		delta = {.first = account->first, .late = identity == NULL ? account->late : 0};

	dayruns_init(&delta.days);
	if (identity != NULL)
	{
		delta.identity = identity->sample->identity;
		delta.kinds = identity->kinds;
		delta.days = behaviour ? behaviour->fresh : identity->fresh;
	}
	if (behaviour != NULL)
	{
		delta.service = behaviour->sample->service;
		delta.operation = behaviour->sample->operation;
		delta.failed = behaviour->sample->failed;
	}
	deltas_add(&learned[account->number].deltas, &delta);
}

static void
add_deltas(Entities *entities, Learned *learned)
{
	for (int i = 0; i < entities->nidentities; i++)
	{
		Identity   *identity = entities->identities[i];

		if (identity->fresh.n > 0 || identity->kinds != identity->stored_kinds)
			add_delta(learned, identity->account, identity, NULL);
	}
	for (int i = 0; i < entities->nbehaviours; i++)
	{
		Behaviour  *behaviour = entities->behaviours[i];

		if (behaviour->fresh.n > 0)
			add_delta(learned, behaviour->identity->account, behaviour->identity, behaviour);
	}
	for (int i = 0; i < entities->naccounts; i++)
		if (entities->accounts[i]->first_moved || entities->accounts[i]->late > 0)
			add_delta(learned, entities->accounts[i], NULL, NULL);
}

static void
add_sample(Learned *learned, const BatchEvent *item, int capacity)
{
	const Event *event = item->event;
	Datum		values[3];
	bool		nulls[3] = {false};

	if (learned->desc == NULL)
	{
		Oid			type = internal_type("context_journal");

		learned->desc = lookup_rowtype_tupdesc(type, -1);
		learned->samples = column_make(type, capacity);
	}
	values[0] = event_to_datum(event);
	nulls[1] = event->access_key.s == NULL;
	values[1] = nulls[1] ? (Datum) 0 : slice_text(event->access_key);
	values[2] = BoolGetDatum(sample_is_novel(item->brings_behaviour, event->day,
											 item->behaviour == NULL ? NULL : &item->behaviour->days));
	column_add(&learned->samples, composite_make(learned->desc, lengthof(values), values, nulls));
}

static void
add_samples(Entities *entities, Learned *learned)
{
	for (int i = 0; i < entities->nitems; i++)
	{
		const BatchEvent *item = &entities->items[i];

		if (!item->late && sample_has(item->brings_behaviour, item->brings_day, item->event->day,
									  &item->identity->days))
			add_sample(&learned[item->account->number], item, entities->nitems);
	}
}

static Datum
samples_array(Learned *learned)
{
	if (learned->desc == NULL)
		return PointerGetDatum(construct_empty_array(internal_type("context_journal")));
	ReleaseTupleDesc(learned->desc);
	return column_array(&learned->samples);
}

/* May what is handed over change what is stored of the account itself? */
static bool
account_moves(const Account *account)
{
	return !account->stored || account->first_moved || account->late > 0 ||
		account->newest > account->stored_newest;
}

static void
hand_over(const Account *account, Learned *learned)
{
	if (learned->deltas.count == 0 && learned->desc == NULL)
		return;
	learned->deltas.provider = provider_names[account->sample->provider];
	learned->deltas.account = account->sample->account;
	learn_account(&learned->deltas, samples_array(learned), account_moves(account));
}

void
learn_batch(Entities *entities)
{
	Learned    *learned = palloc0(entities->naccounts * sizeof(Learned));

	for (int i = 0; i < entities->nitems; i++)
	{
		BatchEvent *item = &entities->items[i];

		if (item->late)
		{
			Assert(item->identity == NULL && item->behaviour == NULL);
			continue;
		}
		item->brings_day = add_day(&item->identity->days, &item->identity->fresh,
								   item->event->day);
		if (item->behaviour != NULL)
			item->brings_behaviour = add_day(&item->behaviour->days, &item->behaviour->fresh,
											 item->event->day);
	}
	add_deltas(entities, learned);
	add_samples(entities, learned);
	for (int i = 0; i < entities->naccounts; i++)
		hand_over(entities->accounts[i], &learned[i]);
}
