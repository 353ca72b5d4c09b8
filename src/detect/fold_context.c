/*-------------------------------------------------------------------------
 *
 * fold_context.c
 *		Writes the contexts that were learned of an account.
 *
 * What is usual around the events of an identity (habits), and when it first did
 * an operation (novelties).  As in fold_days.c: what the samples say is put
 * together first, looked up by index, and written where it brings anything.
 * What waits in the journal was put among the samples before.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "baseline/context_values.h"
#include "baseline/stored.h"
#include "baseline/stored_columns.h"
#include "baseline/stored_context.h"
#include "detect/fold_context.h"
#include "executor/executor.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "server/given.h"
#include "server/objects.h"
#include "server/row.h"
#include "utils/array.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

/* A context of an identity on a day; after merge_habits(), on all days of the samples. */
typedef struct FoldHabit
{
	int64		identity_id;
	char		kind;
	Slice		value;
	DayRuns		days;
	bool		known;			/* stored, with other days */
	StoredHabit stored;
} FoldHabit;

typedef struct FoldNovelty
{
	int64		identity_id;
	TimestampTz at;
	int32		operation_id;
	int			place;			/* among the samples */
	Slice		access_key;		/* may be missing */
} FoldNovelty;

typedef struct FoldContext
{
	int32		account_id;
	int			nhabits;
	FoldHabit  *habits;
	int			nnovelties;
	FoldNovelty *novelties;
	MemoryContext scratch;		/* for what is looked up of an identity */
} FoldContext;

/* ---- what the samples say ---- */

/* The number of the identity of a sample; 0 if it is not known. */
static int64
identity_of(FoldContext *fold, const Event *event)
{
	MemoryContext outer = MemoryContextSwitchTo(fold->scratch);
	StoredIdentity identity;
	bool		known = stored_identity(fold->account_id, event, &identity);

	MemoryContextSwitchTo(outer);
	MemoryContextReset(fold->scratch);
	return known ? identity.identity_id : 0;
}

static void
add_sample(FoldContext *fold, const StoredSample *sample, int place)
{
	int64		identity_id = identity_of(fold, &sample->event);
	ContextValue values[MOST_CONTEXT_VALUES];
	int			count;
	int32		operation_id;

	if (identity_id == 0)
		return;
	count = context_values(&sample->columns, sample->access_key, values);
	for (int i = 0; i < count; i++)
	{
		FoldHabit  *habit = &fold->habits[fold->nhabits++];

		*habit = (FoldHabit) {.identity_id = identity_id, .kind = values[i].kind, .value = values[i].value};
		dayruns_init(&habit->days);
		dayruns_add(&habit->days, sample->event.day, sample->event.day);
	}
	if (!sample->novel)
		return;
	operation_id = stored_operation_id(fold->account_id, &sample->event);
	if (operation_id == 0)
		return;
	fold->novelties[fold->nnovelties++] = (FoldNovelty) {
		identity_id, sample->event.time, operation_id, place,
		sample->access_key.s == NULL ? SLICE_NONE : context_cut(sample->access_key)
	};
}

static void
add_samples(FoldContext *fold, const Datum *rows, const bool *nulls, int count)
{
	fold->habits = palloc_extended(Max(1, count) * MOST_CONTEXT_VALUES * sizeof(FoldHabit), MCXT_ALLOC_HUGE);
	fold->novelties = palloc_extended(Max(1, count) * sizeof(FoldNovelty), MCXT_ALLOC_HUGE);
	for (int i = 0; i < count; i++)
	{
		HeapTupleHeader row = nulls[i] ? NULL : DatumGetHeapTupleHeader(rows[i]);
		StoredSample sample;
		Datum		key;
		bool		no_key;

		CHECK_FOR_INTERRUPTS();
		if (row == NULL)
			continue;
		key = GetAttributeByNum(row, SAMPLES_ACCESS_KEY, &no_key);
		sample_read(DatumGetHeapTupleHeader(given_field(row, SAMPLES_EVENT)),
					no_key ? SLICE_NONE : slice_of_text(key),
					DatumGetBool(given_field(row, SAMPLES_NOVEL)), &sample);
		add_sample(fold, &sample, i);
	}
}

/* ---- each once, and only what the tables do not have ---- */

static int
compare_habits(const void *a, const void *b)
{
	const FoldHabit *left = a;
	const FoldHabit *right = b;

	if (left->identity_id != right->identity_id)
		return left->identity_id < right->identity_id ? -1 : 1;
	if (left->kind != right->kind)
		return left->kind < right->kind ? -1 : 1;
	return slice_compare(left->value, right->value);
}

static void
merge_habits(FoldContext *fold)
{
	int			n = 0;

	if (fold->nhabits > 1)
		qsort(fold->habits, fold->nhabits, sizeof(FoldHabit), compare_habits);
	for (int i = 0; i < fold->nhabits; i++)
	{
		if (n > 0 && compare_habits(&fold->habits[n - 1], &fold->habits[i]) == 0)
			dayruns_add_all(&fold->habits[n - 1].days, &fold->habits[i].days);
		else
			fold->habits[n++] = fold->habits[i];
	}
	fold->nhabits = n;
}

/* A row that has the days already is left alone. */
static void
look_up_habits(FoldContext *fold)
{
	int			n = 0;

	for (int i = 0; i < fold->nhabits; i++)
	{
		FoldHabit  *habit = &fold->habits[i];

		CHECK_FOR_INTERRUPTS();
		habit->known = stored_habit(fold->account_id, habit->identity_id, habit->kind, habit->value, &habit->stored);
		if (habit->known)
		{
			if (dayruns_difference_of(&habit->days, &habit->stored.days).n == 0)
				continue;
			dayruns_add_all(&habit->days, &habit->stored.days);
		}
		fold->habits[n++] = *habit;
	}
	fold->nhabits = n;
}

static int
compare_novelties(const void *a, const void *b)
{
	const FoldNovelty *left = a;
	const FoldNovelty *right = b;

	if (left->identity_id != right->identity_id)
		return left->identity_id < right->identity_id ? -1 : 1;
	if (left->at != right->at)
		return left->at < right->at ? -1 : 1;
	if (left->operation_id != right->operation_id)
		return left->operation_id < right->operation_id ? -1 : 1;
	return left->place < right->place ? -1 : left->place > right->place;
}

static bool
is_same_novelty(const FoldNovelty *a, const FoldNovelty *b)
{
	return a->identity_id == b->identity_id && a->at == b->at && a->operation_id == b->operation_id;
}

/* Of several of one moment the first sample counts. */
static void
look_up_novelties(FoldContext *fold)
{
	FoldNovelty last = {0};
	int			n = 0;

	if (fold->nnovelties > 1)
		qsort(fold->novelties, fold->nnovelties, sizeof(FoldNovelty), compare_novelties);
	for (int i = 0; i < fold->nnovelties; i++)
	{
		FoldNovelty novelty = fold->novelties[i];

		CHECK_FOR_INTERRUPTS();
		if (is_same_novelty(&novelty, &last))
			continue;
		last = novelty;
		if (!stored_has_novelty(fold->account_id, novelty.identity_id, novelty.at, novelty.operation_id))
			fold->novelties[n++] = novelty;
	}
	fold->nnovelties = n;
}

/* ---- write them ---- */

static void
write_novelties(const FoldContext *fold)
{
	RowTarget	target;

	row_target_open(&target, internal_relation("novelties"), NOVELTIES_COLUMNS);
	for (int i = 0; i < fold->nnovelties; i++)
	{
		const FoldNovelty *novelty = &fold->novelties[i];
		Datum		values[NOVELTIES_COLUMNS] = {
			Int32GetDatum(fold->account_id), Int64GetDatum(novelty->identity_id),
			TimestampTzGetDatum(novelty->at), Int32GetDatum(novelty->operation_id)
		};
		bool		nulls[NOVELTIES_COLUMNS] = {false};

		nulls[NOVELTIES_ACCESS_KEY - 1] = novelty->access_key.s == NULL;
		if (novelty->access_key.s != NULL)
			values[NOVELTIES_ACCESS_KEY - 1] = slice_text(novelty->access_key);
		row_insert(&target, values, nulls);
	}
	row_target_close(&target);
}

static void
write_habits(const FoldContext *fold)
{
	RowTarget	target;

	if (fold->nhabits == 0)
		return;
	row_target_open(&target, internal_relation("habits"), HABITS_COLUMNS);
	for (int i = 0; i < fold->nhabits; i++)
	{
		const FoldHabit *habit = &fold->habits[i];
		Datum		values[HABITS_COLUMNS] = {
			Int32GetDatum(fold->account_id), Int64GetDatum(habit->identity_id),
			CharGetDatum(habit->kind), slice_text(habit->value),
			PointerGetDatum(dayruns_to_dayset(&habit->days))
		};
		bool		nulls[HABITS_COLUMNS] = {false};

		if (habit->known)
			row_update_at(&target, &habit->stored.at, values, nulls);
		else
			row_insert(&target, values, nulls);
	}
	row_target_close(&target);
}

void
fold_context(int32 account_id, Datum samples)
{
	FoldContext fold = {.account_id = account_id};
	ArrayType  *array = DatumGetArrayTypeP(samples);
	Datum	   *rows;
	bool	   *nulls;
	int			count;
	int16		length;
	bool		by_value;
	char		align;

	get_typlenbyvalalign(ARR_ELEMTYPE(array), &length, &by_value, &align);
	deconstruct_array(array, ARR_ELEMTYPE(array), length, by_value, align, &rows, &nulls, &count);
	fold.scratch = AllocSetContextCreate(CurrentMemoryContext, "iamwatch context", ALLOCSET_DEFAULT_SIZES);
	stored_begin();
	add_samples(&fold, rows, nulls, count);
	merge_habits(&fold);
	look_up_novelties(&fold);
	/* a trigger that somebody put there may bring habits of its own */
	if (fold.nnovelties > 0)
	{
		stored_end();
		write_novelties(&fold);
		stored_begin();
	}
	look_up_habits(&fold);
	stored_end();
	MemoryContextDelete(fold.scratch);
	write_habits(&fold);
}
