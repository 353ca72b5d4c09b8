/*-------------------------------------------------------------------------
 *
 * fold_days.c
 *		Writes the days that were learned of an account.
 *
 * What was learned is put together by identity, operation and behaviour first,
 * since a journal may say the same of one many times.  Then each of them is
 * looked up by index, compared with what is stored, and written if it changes:
 *
 *	find_entities()		what was learned, by entity
 *	fold_identities()	their days, and from when these count for peers
 *	settle_identities()	what they did before, where that changed
 *	fold_operations()	what nobody in the account has done before
 *	fold_behaviours()	the days of what they did
 *	tallies.c			how many did so on each day, which follows from the days
 *
 * Owns the order of these.  A table is looked up, then written: never both at
 * once, since a trigger that somebody put on it may bring events of its own.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "baseline/baseline_cache.h"
#include "baseline/settled.h"
#include "baseline/stored.h"
#include "baseline/stored_columns.h"
#include "baseline/tallies.h"
#include "commands/sequence.h"
#include "detect/fold_days.h"
#include "detect/limit_counts.h"
#include "server/objects.h"
#include "server/plans.h"
#include "server/row.h"
#include "utils/builtins.h"
#include "utils/date.h"

typedef struct FoldIdentity
{
	Slice		name;
	int			kinds;			/* learned */
	DayRuns		days;
	DayRuns		iam_days;
	bool		known;
	StoredIdentity stored;		/* before; without days if it is new */
	DayRuns		first_days;		/* with what was learned */
	struct FoldIdentity *next;
} FoldIdentity;

typedef struct FoldOperation
{
	Slice		service;
	Slice		name;
	bool		failed;
	bool		is_iam;
	bool		known;
	int32		operation_id;
	struct FoldOperation *next;
} FoldOperation;

typedef struct FoldBehaviour
{
	FoldIdentity *identity;
	FoldOperation *operation;
	DayRuns		days;			/* learned */
	bool		known;
	StoredBehaviour stored;		/* before; without days if it is new */
	struct FoldBehaviour *next;
} FoldBehaviour;

typedef struct FoldEntry
{
	Fingerprint key;
	void	   *entity;			/* one of these three */
	uint32		status;
} FoldEntry;

#define SH_PREFIX fold
#define SH_ELEMENT_TYPE FoldEntry
#include "baseline/fingerprint_table.h"

/* An account while it is folded.  Entities are in the order in which they came up. */
typedef struct Fold
{
	Event		names;			/* of the account */
	int32		account_id;
	struct fold_hash *table;
	FoldIdentity *identities;
	FoldIdentity **last_identity;
	FoldOperation *operations;
	FoldOperation **last_operation;
	FoldBehaviour *behaviours;
	FoldBehaviour **last_behaviour;
	Tallies    *tallies;
	bool		changed_class;	/* has one become a person, or what is none? */
	bool		has_triggers;	/* somebody's own, which may have brought events meanwhile */
} Fold;

/* Made, and zero, when there is none yet. */
static void *
find_entity(Fold *fold, Fingerprint key, Size size, bool *found)
{
	FoldEntry  *entry = fold_insert(fold->table, key, found);

	if (!*found)
		entry->entity = palloc0(size);
	return entry->entity;
}

static FoldIdentity *
find_identity(Fold *fold, Fingerprint key, const Event *names)
{
	bool		found;
	FoldIdentity *identity = find_entity(fold, key, sizeof(FoldIdentity), &found);

	if (!found)
	{
		identity->name = names->identity;
		dayruns_init(&identity->days);
		dayruns_init(&identity->iam_days);
		dayruns_init(&identity->first_days);
		*fold->last_identity = identity;
		fold->last_identity = &identity->next;
	}
	return identity;
}

static FoldOperation *
find_operation(Fold *fold, Fingerprint key, const Event *names)
{
	bool		found;
	FoldOperation *operation = find_entity(fold, key, sizeof(FoldOperation), &found);

	if (!found)
	{
		operation->service = names->service;
		operation->name = names->operation;
		operation->failed = names->failed;
		operation->is_iam = catalogue_is_iam(names->provider, names->service, names->operation);
		*fold->last_operation = operation;
		fold->last_operation = &operation->next;
	}
	return operation;
}

static FoldBehaviour *
find_behaviour(Fold *fold, Fingerprint key, FoldIdentity *identity, FoldOperation *operation)
{
	bool		found;
	FoldBehaviour *behaviour = find_entity(fold, key, sizeof(FoldBehaviour), &found);

	if (!found)
	{
		behaviour->identity = identity;
		behaviour->operation = operation;
		dayruns_init(&behaviour->days);
		*fold->last_behaviour = behaviour;
		fold->last_behaviour = &behaviour->next;
	}
	return behaviour;
}

/* Three kinds of keys share a table; that of an operation is of one without an identity. */
static void
find_entities(Fold *fold, const Deltas *deltas)
{
	Fingerprint account = fingerprint_account(&fold->names);

	fold->table = fold_create(CurrentMemoryContext, Max(8, deltas->count), NULL);
	fold->last_identity = &fold->identities;
	fold->last_operation = &fold->operations;
	fold->last_behaviour = &fold->behaviours;
	for (int i = 0; i < deltas->count; i++)
	{
		const Delta *delta = &deltas->items[i];
		Event		names = fold->names;
		Fingerprint key;
		FoldIdentity *identity;
		FoldOperation *operation;

		if (delta->identity.s == NULL)
			continue;
		names.identity = delta->identity;
		key = fingerprint_identity(account, &names);
		identity = find_identity(fold, key, &names);
		identity->kinds |= delta->kinds;
		dayruns_add_all(&identity->days, &delta->days);
		if (delta->operation.s == NULL)
			continue;
		names.service = delta->service;
		names.operation = delta->operation;
		names.failed = delta->failed;
		operation = find_operation(fold, fingerprint_behaviour(account, &names), &names);
		dayruns_add_all(&find_behaviour(fold, fingerprint_behaviour(key, &names), identity,
										operation)->days, &delta->days);
		if (operation->is_iam)
			dayruns_add_all(&identity->iam_days, &delta->days);
	}
}

/* Days that were learned and are not stored, to be counted. */
static void
count_fresh(Fold *fold, int32 operation_id, bool is_user, const DayRuns *fresh, int32 settled)
{
	for (int i = 0; i < fresh->n; i++)
		for (int32 day = fresh->runs[i].lo; day <= fresh->runs[i].hi; day++)
			tallies_add(fold->tallies, operation_id, is_user, day, 1, day >= settled);
}

/*
 * Stored days that count for peers from now on, since the third active day has
 * become an earlier one.
 */
static void
count_settling(Fold *fold, int32 operation_id, const FoldIdentity *identity, const DayRuns *stored)
{
	DayRuns		settling = dayruns_part_of(stored, settled_from(&identity->first_days),
										   settled_from(&identity->stored.first_days) - 1);

	for (int i = 0; i < settling.n; i++)
		for (int32 day = settling.runs[i].lo; day <= settling.runs[i].hi; day++)
			tallies_add(fold->tallies, operation_id,
						kinds_are_person(identity->kinds | identity->stored.kinds), day, 0, 1);
}

static Datum
dayset_datum(const DayRuns *days)
{
	return PointerGetDatum(dayruns_to_dayset(days));
}

/* A behaviour's day is a day of activity too, which is mostly known by then. */
static bool
has_news(const FoldIdentity *identity)
{
	return !identity->known || (identity->kinds & ~identity->stored.kinds) != 0 ||
		dayruns_difference_of(&identity->days, &identity->stored.days).n > 0 ||
		dayruns_difference_of(&identity->iam_days, &identity->stored.iam_days).n > 0;
}

static void
look_up_identity(Fold *fold, FoldIdentity *identity)
{
	Event		names = fold->names;
	DayRuns		ever;

	names.identity = identity->name;
	identity->known = stored_identity(fold->account_id, &names, &identity->stored);
	if (!identity->known)
	{
		dayruns_init(&identity->stored.first_days);
		dayruns_init(&identity->stored.days);
		dayruns_init(&identity->stored.iam_days);
	}
	ever = dayruns_union_of(&identity->stored.first_days, &identity->days);
	dayruns_part(&identity->first_days, &ever, PG_INT32_MIN, settled_from(&ever));
}

static void
write_identity(Fold *fold, RowTarget *target, FoldIdentity *identity, Oid numbers)
{
	const StoredIdentity *stored = &identity->stored;
	DayRuns		days = dayruns_union_of(&identity->days, &stored->days);
	DayRuns		iam_days = dayruns_union_of(&identity->iam_days, &stored->iam_days);
	Datum		values[IDENTITIES_COLUMNS];
	bool		nulls[IDENTITIES_COLUMNS] = {false};

	if (!identity->known)
		identity->stored.identity_id = nextval_internal(numbers, false);
	values[IDENTITIES_ACCOUNT_ID - 1] = Int32GetDatum(fold->account_id);
	values[IDENTITIES_IDENTITY_ID - 1] = Int64GetDatum(stored->identity_id);
	values[IDENTITIES_KINDS - 1] = Int32GetDatum(identity->kinds | stored->kinds);
	values[IDENTITIES_FIRST_DAYS - 1] = dayset_datum(&identity->first_days);
	values[IDENTITIES_DAYS - 1] = dayset_datum(&days);
	values[IDENTITIES_IAM_DAYS - 1] = dayset_datum(&iam_days);
	values[IDENTITIES_IDENTITY - 1] = slice_text(identity->name);
	if (identity->known)
		row_update_at(target, &stored->at, values, nulls);
	else
		row_insert(target, values, nulls);
}

static void
write_identities(Fold *fold)
{
	RowTarget	target;
	Oid			numbers = internal_relation("identity_days_identity_id_seq");
	bool		open = false;

	for (FoldIdentity *identity = fold->identities; identity != NULL; identity = identity->next)
	{
		if (!has_news(identity))
			continue;
		if (!open)
			row_target_open(&target, internal_relation("identity_days"), IDENTITIES_COLUMNS);
		open = true;
		write_identity(fold, &target, identity, numbers);
	}
	if (!open)
		return;
	fold->has_triggers |= row_target_has_triggers(&target);
	row_target_close(&target);
}

static void
count_identity(Fold *fold, const FoldIdentity *identity)
{
	const StoredIdentity *stored = &identity->stored;
	bool		is_user = kinds_are_person(identity->kinds | stored->kinds);
	int32		settled = settled_from(&identity->first_days);
	DayRuns		fresh = dayruns_difference_of(&identity->days, &stored->days);
	DayRuns		fresh_iam = dayruns_difference_of(&identity->iam_days, &stored->iam_days);

	count_fresh(fold, TALLY_ANYTHING, is_user, &fresh, settled);
	count_fresh(fold, TALLY_IAM, is_user, &fresh_iam, settled);
	count_settling(fold, TALLY_ANYTHING, identity, &stored->days);
	count_settling(fold, TALLY_IAM, identity, &stored->iam_days);
	if (identity->known && is_user != kinds_are_person(stored->kinds))
		fold->changed_class = true;
}

static void
fold_identities(Fold *fold)
{
	stored_begin();
	for (FoldIdentity *identity = fold->identities; identity != NULL; identity = identity->next)
		look_up_identity(fold, identity);
	stored_end();
	for (FoldIdentity *identity = fold->identities; identity != NULL; identity = identity->next)
		count_identity(fold, identity);
	write_identities(fold);
}

/* The days of one identity that count for peers from another day on. */
typedef struct Settling
{
	Fold	   *fold;
	const FoldIdentity *identity;
} Settling;

static void
settle_operation(int32 operation_id, void *arg)
{
	Settling   *settling = arg;
	StoredBehaviour behaviour;

	if (stored_behaviour(settling->fold->account_id, operation_id,
						 settling->identity->stored.identity_id, &behaviour))
		count_settling(settling->fold, operation_id, settling->identity, &behaviour.days);
}

/* What is stored of the operations of identities that settle earlier than before. */
static void
settle_identities(Fold *fold)
{
	stored_begin();
	for (FoldIdentity *identity = fold->identities; identity != NULL; identity = identity->next)
	{
		int32		from = settled_from(&identity->first_days);
		int32		until = settled_from(&identity->stored.first_days);

		if (identity->known && from < until &&
			dayruns_count(&identity->stored.days, from, until - 1) > 0)
			(void) stored_operations(fold->account_id, settle_operation,
									 &(Settling) {fold, identity});
	}
	stored_end();
}

/* Number those that the account has not had before. */
static void
fold_operations(Fold *fold)
{
	RowTarget	target;
	bool		open = false;
	int32		last = 0;

	stored_begin();
	for (FoldOperation *operation = fold->operations; operation != NULL; operation = operation->next)
	{
		Event		names = fold->names;

		names.service = operation->service;
		names.operation = operation->name;
		names.failed = operation->failed;
		operation->operation_id = stored_operation_id(fold->account_id, &names);
		operation->known = operation->operation_id != 0;
		if (!operation->known && last == 0)
			last = stored_operations(fold->account_id, NULL, NULL);
		if (!operation->known)
			operation->operation_id = ++last;
	}
	stored_end();
	for (FoldOperation *operation = fold->operations; operation != NULL; operation = operation->next)
	{
		Datum		values[OPERATIONS_COLUMNS];
		bool		nulls[OPERATIONS_COLUMNS] = {false};

		if (operation->known)
			continue;
		if (!open)
			row_target_open(&target, internal_relation("account_operations"), OPERATIONS_COLUMNS);
		open = true;
		values[OPERATIONS_ACCOUNT_ID - 1] = Int32GetDatum(fold->account_id);
		values[OPERATIONS_OPERATION_ID - 1] = Int32GetDatum(operation->operation_id);
		values[OPERATIONS_FAILED - 1] = BoolGetDatum(operation->failed);
		values[OPERATIONS_SERVICE - 1] = slice_text(operation->service);
		values[OPERATIONS_OPERATION - 1] = slice_text(operation->name);
		row_insert(&target, values, nulls);
	}
	if (!open)
		return;
	fold->has_triggers |= row_target_has_triggers(&target);
	row_target_close(&target);
}

static void
look_up_behaviours(Fold *fold)
{
	stored_begin();
	for (FoldBehaviour *behaviour = fold->behaviours; behaviour != NULL; behaviour = behaviour->next)
	{
		/* what is new has nothing stored */
		behaviour->known = (fold->has_triggers || (behaviour->operation->known && behaviour->identity->known)) &&
			stored_behaviour(fold->account_id, behaviour->operation->operation_id,
							 behaviour->identity->stored.identity_id, &behaviour->stored);
		if (!behaviour->known)
			dayruns_init(&behaviour->stored.days);
	}
	stored_end();
}

static void
write_behaviour(Fold *fold, RowTarget *target, const FoldBehaviour *behaviour)
{
	const StoredBehaviour *stored = &behaviour->stored;
	DayRuns		days = dayruns_union_of(&behaviour->days, &stored->days);
	int32		first = behaviour->days.runs[0].lo;
	Datum		values[BEHAVIOUR_DAYS_COLUMNS];
	bool		nulls[BEHAVIOUR_DAYS_COLUMNS] = {false};

	values[BEHAVIOUR_DAYS_ACCOUNT_ID - 1] = Int32GetDatum(fold->account_id);
	values[BEHAVIOUR_DAYS_OPERATION_ID - 1] = Int32GetDatum(behaviour->operation->operation_id);
	values[BEHAVIOUR_DAYS_IDENTITY_ID - 1] = Int64GetDatum(behaviour->identity->stored.identity_id);
	values[BEHAVIOUR_DAYS_FIRST_SEEN - 1] =
		DateADTGetDatum(behaviour->known ? Min(stored->first_seen, first) : first);
	values[BEHAVIOUR_DAYS_DAYS - 1] = dayset_datum(&days);
	if (behaviour->known)
		row_update_at(target, &stored->at, values, nulls);
	else
		row_insert(target, values, nulls);
}

static void
fold_behaviours(Fold *fold)
{
	RowTarget	target;
	bool		open = false;

	look_up_behaviours(fold);
	for (FoldBehaviour *behaviour = fold->behaviours; behaviour != NULL; behaviour = behaviour->next)
	{
		const FoldIdentity *identity = behaviour->identity;
		DayRuns		fresh = dayruns_difference_of(&behaviour->days, &behaviour->stored.days);

		if (fresh.n == 0)
			continue;
		if (!open)
			row_target_open(&target, internal_relation("behaviour_days"), BEHAVIOUR_DAYS_COLUMNS);
		open = true;
		write_behaviour(fold, &target, behaviour);
		count_fresh(fold, behaviour->operation->operation_id,
					kinds_are_person(identity->kinds | identity->stored.kinds), &fresh,
					settled_from(&identity->first_days));
	}
	if (!open)
		return;
	fold->has_triggers |= row_target_has_triggers(&target);
	row_target_close(&target);
}

static int
compare_days(const void *a, const void *b)
{
	int32		x = *(const int32 *) a;
	int32		y = *(const int32 *) b;

	return (x > y) - (x < y);
}

/* Toward a limit count one for each of the days. */
static void
count_days(const char *limit, text *scope, int32 *days, int count)
{
	text	   *name = count == 0 ? NULL : cstring_to_text(limit);

	qsort(days, count, sizeof(int32), compare_days);
	for (int i = 0, next; i < count; i = next)
	{
		for (next = i + 1; next < count && days[next] == days[i]; next++)
			;
		(void) limit_count(name, scope, days[i], next - i, 0);
	}
}

/* What is new counts on its first day. */
static void
count_toward_limits(Fold *fold, text *scope, int count)
{
	int32	   *days = palloc(Max(1, count) * sizeof(int32));
	int			n = 0;

	for (FoldIdentity *identity = fold->identities; identity != NULL; identity = identity->next)
		if (!identity->known && identity->days.n > 0)
			days[n++] = identity->days.runs[0].lo;
	count_days("new_identities", scope, days, n);
	n = 0;
	for (FoldBehaviour *behaviour = fold->behaviours; behaviour != NULL; behaviour = behaviour->next)
		if (!behaviour->known && behaviour->days.n > 0)
			days[n++] = behaviour->days.runs[0].lo;
	count_days("new_behaviours", scope, days, n);
}

void
fold_days(const Event *account, int32 account_id, const Deltas *deltas, text *scope)
{
	Fold		fold = {.names = *account, .account_id = account_id};

	fold.tallies = tallies_make(account_id);
	find_entities(&fold, deltas);
	fold_identities(&fold);
	settle_identities(&fold);
	fold_operations(&fold);
	fold_behaviours(&fold);
	count_toward_limits(&fold, scope, deltas->count);
	/* what triggers brought was counted by what was known before */
	if (fold.changed_class || fold.has_triggers)
		(void) plans_call(CALL_RETALLY, (Datum[]) {Int32GetDatum(account_id)}, NULL);
	else
		tallies_write(fold.tallies);
}
