/*-------------------------------------------------------------------------
 *
 * backtest_days.c
 *		The days that a source holds, and how they score.
 *
 * What the baselines are to the triggers, of one source and in memory.  Keys
 * are put into one order, in which the keys of a behaviour, the behaviours of
 * an identity and the identities of an account are next to each other, so all
 * of these are made in one pass.  What depends on no setting is done once; a
 * score then takes a few look-ups in sorted lists, so none is kept.  All goes
 * account by account, so what peers did is summed up for one account at a time.
 *
 * Must never look at a table but for the catalogue, nor decide what becomes of
 * an unusual day.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "baseline/settled.h"
#include "detect/backtest.h"
#include "event/day.h"
#include "miscadmin.h"
#include "server/lock.h"
#include "utils/memutils.h"

#define PHASE_SCORING 2
#define PERCENT 100

void
backtest_days_init(BacktestDays *days)
{
	memset(days, 0, sizeof(*days));
	days->context = CurrentMemoryContext;
	days->account = -1;
	days->sums = AllocSetContextCreate(CurrentMemoryContext, "iamwatch backtest sums", ALLOCSET_DEFAULT_SIZES);
}

/* Room for one more; lists can be longer than palloc() allows. */
static void *
grown(MemoryContext context, void *list, int count, int *capacity, Size size)
{
	if (count < *capacity)
		return list;
	if (*capacity > PG_INT32_MAX / 2)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("too many baseline keys for a backtest")));
	*capacity = Max(64, *capacity * 2);
	return list == NULL ? MemoryContextAllocHuge(context, *capacity * size) :
		repalloc_huge(list, *capacity * size);
}

void
backtest_days_add(BacktestDays *days, Slice key, const Dayset *stored, TimestampTz first)
{
	MemoryContext outer = MemoryContextSwitchTo(days->context);
	char	   *copy = palloc(key.len);
	KeyDays    *item;

	memcpy(copy, key.s, key.len);	/* bytes, not a string */
	days->keys = grown(days->context, days->keys, days->key_count, &days->key_capacity, sizeof(KeyDays));
	item = &days->keys[days->key_count++];
	memset(item, 0, sizeof(*item));
	item->key = (Slice) {copy, key.len};
	item->fields = baseline_key_read(item->key);
	item->first = first;
	dayruns_init(&item->days);
	dayruns_from_dayset(stored, &item->days);
	MemoryContextSwitchTo(outer);
}

/* ---- the order of all ---- */

static int
compare_accounts(const BaselineKey *a, const BaselineKey *b)
{
	if (a->provider != b->provider)
		return a->provider < b->provider ? -1 : 1;
	return slice_compare(a->account, b->account);
}

static int
compare_identities(const BaselineKey *a, const BaselineKey *b)
{
	int			order = compare_accounts(a, b);

	return order != 0 ? order : slice_compare(a->identity, b->identity);
}

static int
compare_operations(const BaselineKey *a, const BaselineKey *b)
{
	int			order = slice_compare(a->service, b->service);

	if (order == 0)
		order = slice_compare(a->operation, b->operation);
	return order != 0 ? order : a->failed - b->failed;
}

static int
compare_behaviours(const BaselineKey *a, const BaselineKey *b)
{
	int			order = compare_identities(a, b);

	return order != 0 ? order : compare_operations(a, b);
}

static int
compare_keys(const void *a, const void *b)
{
	const BaselineKey *left = &((const KeyDays *) a)->fields;
	const BaselineKey *right = &((const KeyDays *) b)->fields;
	int			order = compare_behaviours(left, right);

	return order != 0 ? order : (int) left->kind - (int) right->kind;
}

/* What several relations have of one key becomes one. */
static void
merge_keys(BacktestDays *days)
{
	int			n = 0;

	if (days->key_count == 0)
		return;
	qsort(days->keys, days->key_count, sizeof(KeyDays), compare_keys);
	for (int i = 1; i < days->key_count; i++)
	{
		KeyDays    *into = &days->keys[n];
		KeyDays    *item = &days->keys[i];

		if (compare_keys(into, item) == 0)
		{
			dayruns_add_all(&into->days, &item->days);
			into->first = Min(into->first, item->first);
		}
		else
			days->keys[++n] = *item;
	}
	days->key_count = n + 1;
}

/* ---- what they come to ---- */

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

static const BaselineKey *
behaviour_key(const BacktestDays *days, int behaviour)
{
	return &days->keys[days->behaviours[behaviour].first_key].fields;
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

static int
compare_account_operations(const void *a, const void *b, void *arg)
{
	const BaselineKey *left = behaviour_key(arg, *(const int *) a);
	const BaselineKey *right = behaviour_key(arg, *(const int *) b);
	int			order = compare_accounts(left, right);

	return order != 0 ? order : compare_operations(left, right);
}

/* Number the operations of each account, and look each up once. */
static void
make_operations(BacktestDays *days, const TriedSettings *settings)
{
	int		   *order = MemoryContextAllocHuge(days->context, Max(1, days->behaviour_count) * sizeof(int));
	int			capacity = 0;
	int			account = 0;

	for (int i = 0; i < days->behaviour_count; i++)
		order[i] = i;
	qsort_arg(order, days->behaviour_count, sizeof(int), compare_account_operations, days);
	for (int i = 0; i < days->behaviour_count; i++)
	{
		if (i == 0 || compare_account_operations(&order[i - 1], &order[i], days) != 0)
		{
			BacktestOperation *operation;

			CHECK_FOR_INTERRUPTS();
			days->operations = grown(days->context, days->operations, days->operation_count,
									 &capacity, sizeof(BacktestOperation));
			operation = &days->operations[days->operation_count++];
			operation->catalogued = find_operation(behaviour_key(days, order[i]));
			for (; account <= days->identities[days->behaviours[order[i]].identity].account; account++)
				days->accounts[account].operations = days->operation_count - 1;
			operation->is_watched = palloc(settings->n * sizeof(bool));
			for (int s = 0; s < settings->n; s++)
				operation->is_watched[s] = operation->catalogued.category != NULL &&
					detector_watches(&settings->items[s].detector, &operation->catalogued);
		}
		days->behaviours[order[i]].operation = days->operation_count - 1;
	}
	for (; account <= days->account_count; account++)
		days->accounts[account].operations = days->operation_count;
	pfree(order);
}

static void
add_account(BacktestDays *days, int *capacity, TimestampTz first)
{
	days->accounts = grown(days->context, days->accounts, days->account_count, capacity, sizeof(BacktestAccount));
	days->accounts[days->account_count++] = (BacktestAccount) {first, days->identity_count, days->behaviour_count, 0};
}

/* Most behaviours have one key, of which they share the days. */
static void
take_into_behaviour(Behaviour *behaviour, const KeyDays *item)
{
	if (behaviour->key_count++ == 0)
		behaviour->days = item->days;
	else
	{
		DayRuns		all;

		dayruns_init(&all);
		dayruns_union(&all, &behaviour->days, &item->days);
		if (behaviour->key_count > 2)
			pfree(behaviour->days.runs);
		behaviour->days = all;
	}
}

/* Which keys are of one behaviour, identity and account. */
static void
make_entities(BacktestDays *days)
{
	int			capacities[3] = {0};
	const BaselineKey *last = NULL;

	for (int i = 0; i < days->key_count; i++)
	{
		KeyDays    *item = &days->keys[i];
		const BaselineKey *key = &item->fields;
		bool		is_new = last == NULL || compare_accounts(last, key) != 0;
		BacktestIdentity *identity;

		CHECK_FOR_INTERRUPTS();
		if (is_new)
			add_account(days, &capacities[0], item->first);
		days->accounts[days->account_count - 1].first = Min(days->accounts[days->account_count - 1].first, item->first);
		is_new = is_new || !slice_equal(last->identity, key->identity);
		if (is_new)
		{
			days->identities = grown(days->context, days->identities, days->identity_count, &capacities[1], sizeof(BacktestIdentity));
			identity = &days->identities[days->identity_count++];
			memset(identity, 0, sizeof(*identity));
			identity->account = days->account_count - 1;
			dayruns_init(&identity->days);
			dayruns_init(&identity->iam_days);
		}
		identity = &days->identities[days->identity_count - 1];
		identity->is_person |= KIND_IS_USER(key->kind);
		dayruns_add_all(&identity->days, &item->days);
		item->behaviour = -1;
		if (key->operation.s != NULL)
		{
			if (is_new || last->operation.s == NULL || compare_operations(last, key) != 0)
			{
				days->behaviours = grown(days->context, days->behaviours, days->behaviour_count, &capacities[2], sizeof(Behaviour));
				days->behaviours[days->behaviour_count++] = (Behaviour) {days->identity_count - 1, 0, i};
			}
			item->behaviour = days->behaviour_count - 1;
			take_into_behaviour(&days->behaviours[item->behaviour], item);
		}
		last = key;
	}
	add_account(days, &capacities[0], 0);
	days->account_count--;
}

/* What an identity did counts for its class. */
void
backtest_turn_to(BacktestDays *days, int account)
{
	const BacktestAccount *from = &days->accounts[account];
	const BacktestAccount *to = from + 1;
	MemoryContext outer;

	if (days->account == account)
		return;
	days->account = account;
	MemoryContextReset(days->sums);
	outer = MemoryContextSwitchTo(days->sums);
	init_class_sums(&days->active);
	init_class_sums(&days->iam);
	for (int i = from->operations; i < to->operations; i++)
		init_class_sums(&days->operations[i].did);
	for (int i = from->behaviours; i < to->behaviours; i++)
	{
		const Behaviour *behaviour = &days->behaviours[i];

		add_to_class(&days->operations[behaviour->operation].did, &days->identities[behaviour->identity], &behaviour->days);
	}
	for (int i = from->identities; i < to->identities; i++)
	{
		const BacktestIdentity *identity = &days->identities[i];

		add_to_class(&days->active, identity, &identity->days);
		add_to_class(&days->iam, identity, &identity->iam_days);
	}
	for (int i = from->operations; i < to->operations; i++)
		finish_class_sums(&days->operations[i].did);
	finish_class_sums(&days->active);
	finish_class_sums(&days->iam);
	MemoryContextSwitchTo(outer);
}

/* What is known of each identity by all that it did. */
static void
finish_identities(BacktestDays *days)
{
	for (int i = 0; i < days->identity_count; i++)
		days->identities[i].settled_from = settled_from(&days->identities[i].days);
	for (int i = 0; i < days->behaviour_count; i++)
	{
		const Behaviour *behaviour = &days->behaviours[i];

		if (days->operations[behaviour->operation].catalogued.is_iam)
			dayruns_add_all(&days->identities[behaviour->identity].iam_days, &behaviour->days);
	}
}

/* ---- scores ---- */

/* The days of peers from one on, to the day before that of the event. */
typedef struct PeerWindow
{
	bool		is_user;
	bool		is_newcomer;	/* then all days of peers count, else those of who has settled */
	const BacktestIdentity *own;
	int32		since;
	int32		until;
} PeerWindow;

static PeerWindow
peer_window(const BacktestDays *days, const KeyDays *key, int32 day, int length)
{
	const BacktestIdentity *own = &days->identities[days->behaviours[key->behaviour].identity];

	return (PeerWindow) {
		KIND_IS_USER(key->fields.kind), is_newcomer(&own->days, day), own, day - length, day - 1
	};
}

/* The class counts the identity too, with a set that is taken off. */
static int64
count_peers(const ClassSums *sums, const PeerWindow *window, const DayRuns *own_days)
{
	int64		count = day_sums_between(&sums->sums[window->is_user][!window->is_newcomer],
										 window->since, window->until);

	if (window->own->is_person == window->is_user)
		count -= dayruns_count(own_days,
							   window->is_newcomer ? window->since : Max(window->since, window->own->settled_from),
							   window->until);
	return count;
}

DayScore
backtest_score(const BacktestDays *days, const TriedSetting *setting, const KeyDays *key, int32 day)
{
	const Behaviour *behaviour = &days->behaviours[key->behaviour];
	const BacktestIdentity *identity = &days->identities[behaviour->identity];
	int			length = setting->detector.training_days;
	DayScore	score;
	PeerWindow	window;

	Assert(days->account == identity->account);
	memset(&score, 0, sizeof(score));
	score.k = dayruns_count(&behaviour->days, day - length, day - 1);
	score.active = dayruns_count(&identity->days, day - length, day - 1);
	if (!score_may_be_unusual(score.k, score.active, setting->widest_limit))
		return score;
	window = peer_window(days, key, day, length);
	score.peer_days = count_peers(&days->operations[behaviour->operation].did, &window, &behaviour->days);
	score.peer_active = count_peers(&days->active, &window, &identity->days);
	score.probability = score_probability(score.k, score.active, score.peer_days, score.peer_active);
	score.is_unusual = score.probability < setting->widest_limit;
	return score;
}

/* The behaviour that is the same but did not fail; it comes right before. */
static const Behaviour *
success_of(const BacktestDays *days, int behaviour)
{
	const BaselineKey *key = behaviour_key(days, behaviour);
	const BaselineKey *before;

	if (!key->failed || behaviour == 0 ||
		days->behaviours[behaviour - 1].identity != days->behaviours[behaviour].identity)
		return NULL;
	before = behaviour_key(days, behaviour - 1);
	return !before->failed && slice_equal(before->service, key->service) &&
		slice_equal(before->operation, key->operation) ? &days->behaviours[behaviour - 1] : NULL;
}

RiskCounts
backtest_risk_counts(const BacktestDays *days, const TriedSetting *setting, const KeyDays *key, int32 day)
{
	const Behaviour *behaviour = &days->behaviours[key->behaviour];
	const Behaviour *success = success_of(days, key->behaviour);
	const BacktestIdentity *identity = &days->identities[behaviour->identity];
	PeerWindow	window = peer_window(days, key, day, setting->peer_memory_days);
	int32		since = day - setting->memory_days;
	RiskCounts	counts;

	if (success != NULL)
	{
		DayRuns		either;

		dayruns_init(&either);
		dayruns_union(&either, &behaviour->days, &success->days);
		counts.k = dayruns_count(&either, since, day - 1);
		pfree(either.runs);
	}
	else
		counts.k = dayruns_count(&behaviour->days, since, day - 1);
	counts.active = dayruns_count(&identity->days, since, day - 1);
	counts.iam_days = dayruns_count(&identity->iam_days, since, day - 1);
	counts.peer_days = count_peers(&days->operations[behaviour->operation].did, &window, &behaviour->days);
	counts.peer_active = count_peers(&days->active, &window, &identity->days);
	counts.peer_iam_days = count_peers(&days->iam, &window, &identity->iam_days);
	return counts;
}

/* Is any day of the key unusual? */
static bool
is_ever_unusual(const BacktestDays *days, const TriedSetting *setting, const KeyDays *key)
{
	const BacktestIdentity *identity = &days->identities[days->behaviours[key->behaviour].identity];
	int32		active_from = day_of(detector_active_from(&setting->detector, days->accounts[identity->account].first));

	for (int i = 0; i < key->days.n; i++)
		for (int32 day = Max(key->days.runs[i].lo, active_from); day <= key->days.runs[i].hi; day++)
		{
			CHECK_FOR_INTERRUPTS();
			if (backtest_score(days, setting, key, day).is_unusual)
				return true;
		}
	return false;
}

void
backtest_days_finish(BacktestDays *days, const TriedSettings *settings, Oid source)
{
	MemoryContext outer = MemoryContextSwitchTo(days->context);
	int			shown = -1;

	lock_show_progress(source, PHASE_SCORING, 0, PERCENT);
	merge_keys(days);
	make_entities(days);
	make_operations(days, settings);
	finish_identities(days);
	for (int i = 0; i < days->key_count; i++)
	{
		const KeyDays *key = &days->keys[i];
		int			percent = (int64) i * PERCENT / days->key_count;
		Behaviour  *behaviour;

		if (percent != shown)
			lock_show_progress(source, PHASE_SCORING, shown = percent, PERCENT);
		if (key->behaviour < 0)
			continue;
		behaviour = &days->behaviours[key->behaviour];
		backtest_turn_to(days, days->identities[behaviour->identity].account);
		for (int s = 0; s < settings->n && !behaviour->is_wanted; s++)
			if (settings->items[s].alike == s && days->operations[behaviour->operation].is_watched[s])
				behaviour->is_wanted = is_ever_unusual(days, &settings->items[s], key);
	}
	MemoryContextSwitchTo(outer);
}
