/*-------------------------------------------------------------------------
 *
 * learn.c
 *		Hands over what a batch adds to the baselines, and to the sample of
 *		contexts.
 *
 * Owns what is new: the days that nothing stored has.  learn.sql writes them,
 * and context.sql the sample, under one lock; or, when another session is
 * writing the same account, both go to their journals.  Must never look
 * anything up.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "detect/learn.h"
#include "detect/sample.h"
#include "funcapi.h"
#include "server/column.h"
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

/* Rows of a table's type, that of a journal; most batches have none, and do not look it up. */
typedef struct Rows
{
	const char *type;
	int			capacity;
	TupleDesc	desc;
	Column		column;
} Rows;

static void
add_row(Rows *rows, Datum *values, bool *nulls, int count)
{
	if (rows->desc == NULL)
	{
		Oid			type = internal_type(rows->type);

		rows->desc = lookup_rowtype_tupdesc(type, -1);
		rows->column = column_make(type, rows->capacity);
	}
	Assert(rows->desc->natts == count);
	column_add(&rows->column, HeapTupleGetDatum(heap_form_tuple(rows->desc, values, nulls)));
}

static Datum
rows_array(Rows *rows)
{
	if (rows->desc == NULL)
		return PointerGetDatum(construct_empty_array(internal_type(rows->type)));
	ReleaseTupleDesc(rows->desc);
	return column_array(&rows->column);
}

static void
add_delta(Rows *deltas, const Account *account,
		  const Identity *identity, const Behaviour *behaviour)
{
	const Event *sample = behaviour ? behaviour->sample :
		identity ? identity->sample : account->sample;
	Datum		values[11];
	bool		nulls[11] = {false};

	values[0] = CStringGetTextDatum(provider_names[sample->provider]);
	values[1] = slice_text(sample->account);
	values[2] = TimestampTzGetDatum(account->first);
	nulls[2] = account->first == PG_INT64_MAX;
	values[3] = Int64GetDatum(identity == NULL ? account->late : 0);
	if (identity != NULL)
	{
		values[4] = slice_text(sample->identity);
		values[5] = Int32GetDatum(identity->kinds);
		values[9] = PointerGetDatum(dayruns_to_dayset(behaviour ? &behaviour->fresh :
													  &identity->fresh));
	}
	else
		nulls[4] = nulls[5] = nulls[9] = true;
	if (behaviour != NULL)
	{
		values[6] = slice_text(sample->service);
		values[7] = slice_text(sample->operation);
		values[8] = BoolGetDatum(sample->failed);
	}
	else
		nulls[6] = nulls[7] = nulls[8] = true;
	values[10] = TimestampTzGetDatum(GetCurrentTimestamp());

	add_row(deltas, values, nulls, lengthof(values));
}

static void
add_deltas(Entities *entities, Rows *deltas)
{
	for (int i = 0; i < entities->nidentities; i++)
	{
		Identity   *identity = entities->identities[i];

		if (identity->fresh.n > 0 || identity->kinds != identity->stored_kinds)
			add_delta(deltas, identity->account, identity, NULL);
	}
	for (int i = 0; i < entities->nbehaviours; i++)
	{
		Behaviour  *behaviour = entities->behaviours[i];

		if (behaviour->fresh.n > 0)
			add_delta(deltas, behaviour->identity->account, behaviour->identity, behaviour);
	}
	for (int i = 0; i < entities->naccounts; i++)
		if (entities->accounts[i]->first_moved || entities->accounts[i]->late > 0)
			add_delta(deltas, entities->accounts[i], NULL, NULL);
}

static void
add_samples(Entities *entities, Rows *samples)
{
	for (int i = 0; i < entities->nitems; i++)
	{
		const BatchEvent *item = &entities->items[i];
		const Event *event = item->event;
		Datum		values[3];
		bool		nulls[3] = {false};

		if (item->late || !sample_has(item->brings_behaviour, item->brings_day, event->day,
									  &item->identity->days))
			continue;
		values[0] = event_to_datum(event);
		nulls[1] = event->access_key.s == NULL;
		values[1] = nulls[1] ? (Datum) 0 : slice_text(event->access_key);
		values[2] = BoolGetDatum(sample_is_novel(item->brings_behaviour, event->day,
												 item->behaviour == NULL ? NULL : &item->behaviour->days));
		add_row(samples, values, nulls, lengthof(values));
	}
}

/* May what is handed over change what is stored of the account itself? */
static bool
account_moves(const Account *account)
{
	return !account->stored || account->first_moved || account->late > 0 ||
		account->newest > account->stored_newest;
}

/* Mostly a statement's events are of one account, and nobody needs to sort them. */
static void
hand_over(Entities *entities, Rows *deltas, Rows *samples)
{
	const Account *account = entities->accounts[0];

	if (deltas->desc == NULL && samples->desc == NULL)
		return;
	if (entities->naccounts == 1)
		plans_call(CALL_LEARN_ACCOUNT, (Datum[])
				   {
					   CStringGetTextDatum(provider_names[account->sample->provider]),
					   slice_text(account->sample->account), rows_array(deltas),
					   rows_array(samples), BoolGetDatum(account_moves(account))
				   }, NULL);
	else
		plans_run(PLAN_LEARN, (Datum[]) {rows_array(deltas), rows_array(samples)}, NULL);
}

void
learn_batch(Entities *entities)
{
	Rows		deltas = {"journal", entities->naccounts + entities->nidentities +
	entities->nbehaviours};
	Rows		samples = {"context_journal", entities->nitems};

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
	add_deltas(entities, &deltas);
	add_samples(entities, &samples);
	hand_over(entities, &deltas, &samples);
}
