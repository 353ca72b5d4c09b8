/*-------------------------------------------------------------------------
 *
 * backtest_days.c
 *		An account and an identity at a time: their days, and how these score.
 *
 * What the baselines are to the triggers, of one source.  A score needs the days
 * of the identity, and the sums of what its peers did, which are all of the
 * account.  So the keys of an account are gone through twice: for the sums, and
 * then identity by identity for whoever visits these.  In memory are the sums,
 * which do not grow with the number of identities, and the days of one identity.
 * A score then takes a few look-ups in sorted lists, so none is kept.
 *
 * Must never look at a table but for the catalogue, nor decide what becomes of
 * an unusual day.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "baseline/settled.h"
#include "detect/backtest.h"
#include "detect/key_filter.h"
#include "event/day.h"
#include "miscadmin.h"
#include "server/lock.h"
#include "server/quick_hash.h"
#include "utils/memutils.h"

#define PHASE_SCORING 2
#define PERCENT 100

/* Of an account, by the part of a behaviour's key that follows the identity. */
typedef struct OperationEntry
{
	Slice		name;
	BacktestOperation *operation;
	uint32		status;
} OperationEntry;

#define SH_PREFIX operations
#define SH_ELEMENT_TYPE OperationEntry
#define SH_KEY_TYPE Slice
#define SH_KEY name
#define SH_HASH_KEY(tb, key) ((uint32) quick_hash_of_kind(key, 0))
#define SH_EQUAL(tb, a, b) slice_equal(a, b)
#define SH_SCOPE static inline
#define SH_DEFINE
#define SH_DECLARE
#include "lib/simplehash.h"

void
backtest_days_init(BacktestDays *days, const TriedSettings *settings, SortedKeys *keys)
{
	quick_hash_init();			/* names of operations may be made to collide */
	memset(days, 0, sizeof(*days));
	days->settings = settings;
	days->keys = keys;
	days->account_context = AllocSetContextCreate(CurrentMemoryContext, "iamwatch backtest account", ALLOCSET_DEFAULT_SIZES);
	days->identity_context = AllocSetContextCreate(CurrentMemoryContext, "iamwatch backtest identity", ALLOCSET_DEFAULT_SIZES);
}

/* ---- the account ---- */

static Slice
copy_of(Slice slice)
{
	char	   *copy = palloc(slice.len);

	memcpy(copy, slice.s, slice.len);	/* bytes, not a string */
	return (Slice) {copy, slice.len};
}

/* The next key, if it begins so. */
static const SortedKey *
next_with(const BacktestDays *days, Slice prefix)
{
	const SortedKey *next = sorted_keys_next(days->keys);

	return next != NULL && next->key.len >= prefix.len && memcmp(next->key.s, prefix.s, prefix.len) == 0 ? next : NULL;
}

static void
skip(BacktestDays *days, Slice prefix)
{
	while (next_with(days, prefix) != NULL)
		sorted_keys_advance(days->keys);
}

static void
init_class_sums(ClassSums *sums)
{
	for (int person = 0; person < 2; person++)
		for (int settled = 0; settled < 2; settled++)
			day_sums_init(&sums->sums[person][settled]);
}

static void
add_to_class(ClassSums *sums, const BacktestIdentity *identity, const DayRuns *set)
{
	day_sums_add(&sums->sums[identity->is_person][false], set, PG_INT32_MIN);
	day_sums_add(&sums->sums[identity->is_person][true], set, identity->settled_from);
}

static void
finish_class_sums(ClassSums *sums)
{
	for (int person = 0; person < 2; person++)
		for (int settled = 0; settled < 2; settled++)
			day_sums_finish(&sums->sums[person][settled]);
}

static void
begin_account(BacktestDays *days)
{
	BacktestAccount *account = &days->account;
	MemoryContext outer;

	MemoryContextReset(days->account_context);
	outer = MemoryContextSwitchTo(days->account_context);
	account->prefix = copy_of(baseline_key_read(sorted_keys_next(days->keys)->key).of_account);
	account->first = PG_INT64_MAX;
	account->operations = operations_create(days->account_context, 64, NULL);
	init_class_sums(&account->active);
	init_class_sums(&account->iam);
	MemoryContextSwitchTo(outer);
}

static Operation
find_operation(const BaselineKey *key)
{
	const Operation *found = catalogue_get(key->provider, key->service, key->operation);
	Operation	operation;

	memset(&operation, 0, sizeof(operation));
	if (found == NULL)
		return operation;
	operation = *found;
	operation.category = pstrdup(found->category);
	operation.technique = pstrdup(found->technique == NULL ? "" : found->technique);
	return operation;
}

/* Each is looked up in the catalogue once. */
static BacktestOperation *
operation_of(BacktestDays *days, const KeyDays *item)
{
	Slice		behaviour = baseline_key_behaviour(item->key);
	int			skipped = item->fields.of_identity.len;
	Slice		name = {behaviour.s + skipped, behaviour.len - skipped};
	bool		found;
	OperationEntry *entry = operations_insert(days->account.operations, name, &found);
	const TriedSettings *settings = days->settings;
	MemoryContext outer;
	BacktestOperation *operation;

	if (found)
		return entry->operation;
	outer = MemoryContextSwitchTo(days->account_context);
	entry->name = copy_of(name);
	entry->operation = operation = palloc(sizeof(BacktestOperation));
	operation->catalogued = find_operation(&item->fields);
	operation->is_watched = palloc(settings->n * sizeof(bool));
	for (int s = 0; s < settings->n; s++)
		operation->is_watched[s] = operation->catalogued.category != NULL &&
			detector_watches(&settings->items[s].detector, &operation->catalogued);
	init_class_sums(&operation->did);
	MemoryContextSwitchTo(outer);
	return operation;
}

/* ---- the identity ---- */

/* Room for one more; lists can be longer than palloc() allows. */
static void *
grown(void *list, int count, Size size)
{
	if (count == 0)
		return palloc(size);
	/* doubled whenever it is a power of two */
	return (count & (count - 1)) == 0 ? repalloc_huge(list, (Size) count * 2 * size) : list;
}

/* What several relations have of one key becomes one. */
static void
take_key(BacktestDays *days, const SortedKey *next)
{
	BacktestIdentity *identity = &days->identity;
	KeyDays    *last = identity->key_count == 0 ? NULL : &identity->keys[identity->key_count - 1];
	DayRuns		set;

	days->account.first = Min(days->account.first, next->first);
	dayruns_from_datum(next->days, &set);
	if (last != NULL && slice_equal(last->key, next->key))
	{
		dayruns_add_all(&last->days, &set);
		return;
	}
	identity->keys = grown(identity->keys, identity->key_count, sizeof(KeyDays));
	last = &identity->keys[identity->key_count++];
	last->key = copy_of(next->key);
	last->fields = baseline_key_read(last->key);
	last->behaviour = -1;
	last->days = set;
}

/* Most behaviours have one key, of which they share the days. */
static void
take_into_behaviour(Behaviour *behaviour, const KeyDays *item)
{
	if (behaviour->key_count++ == 0)
		behaviour->days = item->days;
	else
		behaviour->days = dayruns_union_of(&behaviour->days, &item->days);
}

/* Which keys are of one behaviour. */
static void
make_behaviours(BacktestDays *days)
{
	BacktestIdentity *identity = &days->identity;
	const KeyDays *last = NULL;

	identity->behaviours = palloc_extended(identity->key_count * sizeof(Behaviour), MCXT_ALLOC_HUGE);
	for (int i = 0; i < identity->key_count; i++)
	{
		KeyDays    *item = &identity->keys[i];

		if (item->fields.operation.s == NULL)
			continue;
		if (last == NULL || !slice_equal(baseline_key_behaviour(last->key), baseline_key_behaviour(item->key)))
			identity->behaviours[identity->behaviour_count++] = (Behaviour) {operation_of(days, item), item};
		item->behaviour = identity->behaviour_count - 1;
		take_into_behaviour(&identity->behaviours[item->behaviour], item);
		last = item;
	}
}

/* The next keys, of one identity, and what is known of it by all that it did. */
static void
load_identity(BacktestDays *days, Slice prefix)
{
	BacktestIdentity *identity = &days->identity;
	const SortedKey *next;

	*identity = (BacktestIdentity) {.prefix = prefix, .number = identity->number + 1};
	dayruns_init(&identity->days);
	dayruns_init(&identity->iam_days);
	while ((next = next_with(days, prefix)) != NULL)
	{
		take_key(days, next);
		sorted_keys_advance(days->keys);
	}
	for (int i = 0; i < identity->key_count; i++)
	{
		identity->is_person |= KIND_IS_USER(identity->keys[i].fields.kind);
		dayruns_add_all(&identity->days, &identity->keys[i].days);
	}
	identity->settled_from = settled_from(&identity->days);
	make_behaviours(days);
	for (int i = 0; i < identity->behaviour_count; i++)
		if (identity->behaviours[i].operation->catalogued.is_iam)
			dayruns_add_all(&identity->iam_days, &identity->behaviours[i].days);
}

/* ---- all of them ---- */

/* What an identity did counts for its class. */
static void
add_to_sums(BacktestDays *days)
{
	const BacktestIdentity *identity = &days->identity;

	for (int i = 0; i < identity->behaviour_count; i++)
		add_to_class(&identity->behaviours[i].operation->did, identity, &identity->behaviours[i].days);
	add_to_class(&days->account.active, identity, &identity->days);
	add_to_class(&days->account.iam, identity, &identity->iam_days);
}

static void
finish_sums(BacktestDays *days)
{
	BacktestAccount *account = &days->account;
	operations_iterator iterator;
	OperationEntry *entry;

	operations_start_iterate(account->operations, &iterator);
	while ((entry = operations_iterate(account->operations, &iterator)) != NULL)
		finish_class_sums(&entry->operation->did);
	finish_class_sums(&account->active);
	finish_class_sums(&account->iam);
}

/* Each identity of the account from here on that is wanted; NULL for all. */
static void
each_identity(BacktestDays *days, const IdentityVisitor *visitor)
{
	const SortedKey *next;
	MemoryContext outer = CurrentMemoryContext;

	while ((next = next_with(days, days->account.prefix)) != NULL)
	{
		Slice		prefix;

		MemoryContextReset(days->identity_context);
		MemoryContextSwitchTo(days->identity_context);
		prefix = copy_of(baseline_key_read(next->key).of_identity);
		if (visitor == NULL || visitor->wants(visitor->visitor, prefix))
		{
			load_identity(days, prefix);
			MemoryContextSwitchTo(outer);
			if (visitor == NULL)
				add_to_sums(days);
			else
				visitor->visit(visitor->visitor);
		}
		else
			skip(days, prefix);
		MemoryContextSwitchTo(outer);
	}
}

void
backtest_days_visit(BacktestDays *days, const IdentityVisitor *visitor)
{
	sorted_keys_rewind(days->keys);
	while (sorted_keys_next(days->keys) != NULL)
	{
		begin_account(days);
		if (!visitor->wants(visitor->visitor, days->account.prefix))
		{
			skip(days, days->account.prefix);
			continue;
		}
		sorted_keys_mark(days->keys);
		each_identity(days, NULL);
		finish_sums(days);
		sorted_keys_restore(days->keys);
		each_identity(days, visitor);
	}
}

/* ---- scores ---- */

/* The days of peers from one on, to the day before that of the event. */
typedef struct PeerWindow
{
	bool		is_user;
	bool		is_newcomer;	/* then all days of peers count, else those of who has settled */
	int32		since;
	int32		until;
} PeerWindow;

static PeerWindow
peer_window(const BacktestDays *days, const KeyDays *key, int32 day, int length)
{
	return (PeerWindow) {
		KIND_IS_USER(key->fields.kind), is_newcomer(&days->identity.days, day), day - length, day - 1
	};
}

/* The class counts the identity too, with a set that is taken off. */
static int64
count_peers(const ClassSums *sums, const PeerWindow *window, const BacktestIdentity *own, const DayRuns *own_days)
{
	int64		count = day_sums_between(&sums->sums[window->is_user][!window->is_newcomer],
										 window->since, window->until);

	if (own->is_person == window->is_user)
		count -= dayruns_count(own_days,
							   window->is_newcomer ? window->since : Max(window->since, own->settled_from),
							   window->until);
	return count;
}

DayScore
backtest_score(const BacktestDays *days, const TriedSetting *setting, const KeyDays *key, int32 day)
{
	const BacktestIdentity *identity = &days->identity;
	const Behaviour *behaviour = &identity->behaviours[key->behaviour];
	int			length = setting->detector.training_days;
	DayScore	score;
	PeerWindow	window;

	memset(&score, 0, sizeof(score));
	score.k = dayruns_count(&behaviour->days, day - length, day - 1);
	score.active = dayruns_count(&identity->days, day - length, day - 1);
	if (!score_may_be_unusual(score.k, score.active, setting->widest_limit))
		return score;
	window = peer_window(days, key, day, length);
	score.peer_days = count_peers(&behaviour->operation->did, &window, identity, &behaviour->days);
	score.peer_active = count_peers(&days->account.active, &window, identity, &identity->days);
	score.probability = score_probability(score.k, score.active, score.peer_days, score.peer_active);
	score.is_unusual = score.probability < setting->widest_limit;
	return score;
}

/* The behaviour that is the same but did not fail; it comes right before. */
static const Behaviour *
success_of(const BacktestIdentity *identity, int behaviour)
{
	const BaselineKey *key = &identity->behaviours[behaviour].key->fields;
	const BaselineKey *before;

	if (!key->failed || behaviour == 0)
		return NULL;
	before = &identity->behaviours[behaviour - 1].key->fields;
	return !before->failed && slice_equal(before->service, key->service) &&
		slice_equal(before->operation, key->operation) ? &identity->behaviours[behaviour - 1] : NULL;
}

RiskCounts
backtest_risk_counts(const BacktestDays *days, const TriedSetting *setting, const KeyDays *key, int32 day)
{
	const BacktestIdentity *identity = &days->identity;
	const Behaviour *behaviour = &identity->behaviours[key->behaviour];
	const Behaviour *success = success_of(identity, key->behaviour);
	PeerWindow	window = peer_window(days, key, day, setting->peer_memory_days);
	int32		since = day - setting->memory_days;
	RiskCounts	counts;

	if (success != NULL)
	{
		DayRuns		either = dayruns_union_of(&behaviour->days, &success->days);

		counts.k = dayruns_count(&either, since, day - 1);
		pfree(either.runs);
	}
	else
		counts.k = dayruns_count(&behaviour->days, since, day - 1);
	counts.active = dayruns_count(&identity->days, since, day - 1);
	counts.iam_days = dayruns_count(&identity->iam_days, since, day - 1);
	counts.peer_days = count_peers(&behaviour->operation->did, &window, identity, &behaviour->days);
	counts.peer_active = count_peers(&days->account.active, &window, identity, &identity->days);
	counts.peer_iam_days = count_peers(&days->account.iam, &window, identity, &identity->iam_days);
	return counts;
}

/* Is any day of the key unusual? */
static bool
is_ever_unusual(const BacktestDays *days, const TriedSetting *setting, const KeyDays *key)
{
	int32		active_from = day_of(detector_active_from(&setting->detector, days->account.first));

	for (int i = 0; i < key->days.n; i++)
		for (int32 day = Max(key->days.runs[i].lo, active_from); day <= key->days.runs[i].hi; day++)
		{
			CHECK_FOR_INTERRUPTS();
			if (backtest_score(days, setting, key, day).is_unusual)
				return true;
		}
	return false;
}

static bool
is_wanted(const BacktestDays *days, const Behaviour *behaviour)
{
	const TriedSettings *settings = days->settings;

	for (int s = 0; s < settings->n; s++)
		if (settings->items[s].alike == s && behaviour->operation->is_watched[s])
			for (int i = 0; i < behaviour->key_count; i++)
				if (is_ever_unusual(days, &settings->items[s], &behaviour->key[i]))
					return true;
	return false;
}

typedef struct UnusualFinder
{
	BacktestDays *days;
	Oid			source;
	int			shown;			/* per cent of the keys */
	bytea	   *filter;
	bool		found;
} UnusualFinder;

static bool
wants_all(void *visitor, Slice prefix)
{
	return true;
}

static void
find_unusual(void *visitor)
{
	UnusualFinder *finder = visitor;
	BacktestDays *days = finder->days;
	int			percent = sorted_keys_done(days->keys) * PERCENT / sorted_keys_count(days->keys);

	if (percent != finder->shown)
		lock_show_progress(finder->source, PHASE_SCORING, finder->shown = percent, PERCENT);
	for (int i = 0; i < days->identity.behaviour_count; i++)
	{
		const Behaviour *behaviour = &days->identity.behaviours[i];

		if (!is_wanted(days, behaviour))
			continue;
		key_filter_add(finder->filter, baseline_key_behaviour(behaviour->key->key));
		finder->found = true;
	}
}

bytea *
backtest_days_unusual(BacktestDays *days, Oid source)
{
	UnusualFinder finder = {.days = days, .source = source, .shown = -1,
	.filter = key_filter_create(sorted_keys_count(days->keys))};

	lock_show_progress(source, PHASE_SCORING, 0, PERCENT);
	backtest_days_visit(days, &(IdentityVisitor) {wants_all, find_unusual, &finder});
	return finder.found ? finder.filter : NULL;
}
