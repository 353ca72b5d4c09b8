/*-------------------------------------------------------------------------
 *
 * score_batch.c
 *		Scores what a batch did, and hands over what is unusual.
 *
 * Owns which events are scored, against which days and peers; the formula is
 * in score.c.  What is unusual, or may belong to an alert, goes to assign.c,
 * which decides what becomes of it.  Must never read a table but for the days
 * of peers and what triage decided, nor change a baseline.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "baseline/journal_sums.h"
#include "baseline/settled.h"
#include "baseline/stored.h"
#include "config/settings.h"
#include "detect/score.h"
#include "detect/score_batch.h"
#include "funcapi.h"
#include "server/column.h"
#include "server/composite.h"
#include "server/objects.h"
#include "server/plans.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/hsearch.h"
#include "utils/typcache.h"

/* Of a behaviour on a day. */
typedef struct Score
{
	int32		k;
	int32		active;
	int64		peer_days;
	int64		peer_active;
	double		probability;
	bool		unusual;
} Score;

/* What peers did, by what it was asked for. */
typedef struct ClassKey
{
	Fingerprint account;
	Fingerprint behaviour;		/* without identity */
	int32		day;
	int32		training_days;
	int32		is_user;
	int32		padding;
} ClassKey;

typedef struct ClassSums
{
	int64		days;
	int64		active;
} ClassSums;

typedef struct ClassDays
{
	ClassKey	key;
	ClassSums	all;
	ClassSums	settled;		/* from each identity's third active day on */
} ClassDays;

/* Rows of iamwatch_internal.candidate; most batches have none. */
typedef struct Candidates
{
	TupleDesc	desc;
	TupleDesc	score_desc;
	Column		rows;
} Candidates;

static void
candidates_init(Candidates *candidates, int capacity)
{
	Oid			type = internal_type("candidate");

	candidates->desc = lookup_rowtype_tupdesc(type, -1);
	candidates->score_desc = lookup_rowtype_tupdesc(internal_type("score"), -1);
	candidates->rows = column_make(type, capacity);
}

/* A row of iamwatch_internal.score.  What belongs to risk is null. */
static Datum
score_to_datum(const Score *score, TupleDesc desc)
{
	Datum		values[] = {
		Int32GetDatum(score->k), Int32GetDatum(score->active),
		Int64GetDatum(score->peer_days), Int64GetDatum(score->peer_active),
		Float8GetDatum(score->probability), 0, 0, 0, 0, 0, 0
	};
	bool		nulls[] = {
		false, false, false, false, false, true, true, true, true, true, true
	};

	StaticAssertStmt(lengthof(values) == lengthof(nulls), "a flag a value");
	return composite_make(desc, lengthof(values), values, nulls);
}

static void
candidates_add(Candidates *candidates, const Detector *detector, const Event *event,
			   bool unusual, bool day_scored, const Score *score)
{
	Datum		values[] = {
		CStringGetTextDatum(detector->name), event_to_datum(event), BoolGetDatum(unusual),
		BoolGetDatum(day_scored), score_to_datum(score, candidates->score_desc)
	};
	bool		nulls[lengthof(values)] = {false};

	column_add(&candidates->rows, composite_make(candidates->desc, lengthof(values), values, nulls));
}

static void
candidates_hand_over(Candidates *candidates, const Detector *detector)
{
	Datum		row;

	ReleaseTupleDesc(candidates->desc);
	ReleaseTupleDesc(candidates->score_desc);
	if (settings_row(detector, &row))
		plans_call(CALL_ASSIGN_TO_ALERTS, (Datum[]) {row, column_array(&candidates->rows)}, NULL);
}

static HTAB *
make_classes(void)
{
	HASHCTL		control = {
		.keysize = sizeof(ClassKey), .entrysize = sizeof(ClassDays), .hcxt = CurrentMemoryContext
	};

	return hash_create("iamwatch classes", 64, &control, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
}

/*
 * By the tallies and the journal, as of one moment: false when true positives
 * have to do with it too, which is rare.
 */
static bool
tallied_days(const Behaviour *behaviour, bool is_user, int32 since, int32 until,
			 ClassDays *class)
{
	const Event *sample = behaviour->sample;
	int32		account_id = behaviour->identity->account->account_id;
	StoredSums	sums;
	bool		alone;

	if (account_id == 0)
		return false;
	journal_sums_begin();
	alone = !stored_may_have_excluded(sample->account, sample->operation);
	if (alone)
	{
		sums = stored_tallies(account_id, stored_operation_id(account_id, sample), is_user,
							  since, until);
		if (stored_may_have_journal(sample->account))
			sums = stored_sums_add(sums, journal_sums(sample, is_user, since, until));
	}
	stored_end();
	if (alone)
	{
		class->all.days = sums.days.all;
		class->all.active = sums.active.all;
		class->settled.days = sums.days.settled;
		class->settled.active = sums.active.settled;
	}
	return alone;
}

/* The same by class_days() in score.sql, which adds these. */
static void
asked_days(const Behaviour *behaviour, bool is_user, int32 since, int32 until, ClassDays *class)
{
	const Event *sample = behaviour->sample;
	HeapTuple	row;
	TupleDesc	desc;
	bool		isnull;

	plans_run(PLAN_PEERS, (Datum[])
			  {
				  CStringGetTextDatum(provider_names[sample->provider]),
				  slice_text(sample->account), BoolGetDatum(is_user),
				  slice_text(sample->service), slice_text(sample->operation),
				  BoolGetDatum(sample->failed), DateADTGetDatum(since), DateADTGetDatum(until)
			  }, NULL);
	row = SPI_tuptable->vals[0];
	desc = SPI_tuptable->tupdesc;
	class->all.days = DatumGetInt64(SPI_getbinval(row, desc, 1, &isnull));
	class->all.active = DatumGetInt64(SPI_getbinval(row, desc, 2, &isnull));
	class->settled.days = DatumGetInt64(SPI_getbinval(row, desc, 3, &isnull));
	class->settled.active = DatumGetInt64(SPI_getbinval(row, desc, 4, &isnull));
}

/*
 * What all identities of the account that are people, or all that are not,
 * did in the training period: kept for the batch, since many ask the same.
 */
static const ClassDays *
class_days(HTAB **classes, const Behaviour *behaviour, int32 day, int training_days,
		   bool is_user)
{
	const Event *sample = behaviour->sample;
	Account    *account = behaviour->identity->account;
	ClassKey	key;
	ClassDays  *class;
	bool		found;

	memset(&key, 0, sizeof(key));
	key.account = account->key;
	key.behaviour = fingerprint_behaviour(account->key, sample);
	key.day = day;
	key.training_days = training_days;
	key.is_user = is_user;
	if (*classes == NULL)
		*classes = make_classes();
	class = hash_search(*classes, &key, HASH_ENTER, &found);
	if (found)
		return class;

	if (!tallied_days(behaviour, is_user, day - training_days, day - 1, class))
		asked_days(behaviour, is_user, day - training_days, day - 1, class);
	return class;
}

/* On how many days from one to another the behaviour counts. */
static int32
days_that_count(const Behaviour *behaviour, int32 from, int32 to)
{
	int64		n = dayruns_count(&behaviour->days, from, to);

	Assert(n >= 0);
	if (from > to)
		return 0;
	for (int i = 0; i < behaviour->excluded.n; i++)
	{
		DayRun		run = behaviour->excluded.runs[i];

		if (run.lo <= to && run.hi >= from)
			n -= dayruns_count(&behaviour->days, Max(run.lo, from), Min(run.hi, to));
	}
	Assert(n >= 0);
	return (int32) n;
}

static Score
score_item(HTAB **classes, const BatchEvent *item, const Detector *detector)
{
	const Behaviour *behaviour = item->behaviour;
	const Identity *identity = item->identity;
	int32		day = item->event->day;
	int32		since = day - detector->training_days;
	bool		is_user = KIND_IS_USER(item->event->kind);
	const ClassDays *class;
	const ClassSums *sums;
	DayRuns		first_days;
	bool		newcomer;
	Score		score;

	memset(&score, 0, sizeof(score));
	score.k = days_that_count(behaviour, since, day - 1);
	score.active = (int32) dayruns_count(&identity->days, since, day - 1);

	if (!score_may_be_unusual(score.k, score.active, detector->probability_limit))
		return score;

	first_days = dayruns_union_of(&identity->first_days, &identity->days);
	newcomer = is_newcomer(&first_days, day);
	class = class_days(classes, behaviour, day, detector->training_days, is_user);
	sums = newcomer ? &class->all : &class->settled;
	score.peer_days = sums->days;
	score.peer_active = sums->active;
	if (kinds_are_person(identity->kinds) == is_user)
	{
		int32		from = newcomer ? since : Max(since, settled_from(&first_days));

		/* the class counts the identity too, unless triage has just decided */
		score.peer_days -= days_that_count(behaviour, from, day - 1);
		score.peer_active -= dayruns_count(&identity->days, from, day - 1);
		score.peer_active = Max(0, score.peer_active);
		score.peer_days = Max(0, Min(score.peer_days, score.peer_active));
	}
	score.probability = score_probability(score.k, score.active,
										  score.peer_days, score.peer_active);
	score.unusual = score.probability < detector->probability_limit;
	return score;
}

/* May an alert take the event, or have something to say to it? */
static bool
is_near(const Behaviour *behaviour, TimestampTz time)
{
	int64		reach = entities_alert_reach();

	if (behaviour->pending)
		return true;
	for (int i = 0; i < behaviour->nalerts; i++)
		if (time > behaviour->alerts[i] - reach && time < behaviour->alerts[i] + reach)
			return true;
	return false;
}

/* When attacks began that triage knows of, and for how long more events belong to each. */
typedef struct Attacks
{
	int			count;
	TimestampTz *began;
	int64		period;
} Attacks;

/*
 * Once for the batch: what triage decides meanwhile, in another session or by a
 * trigger, must neither lose an event nor hand it over twice.
 */
static Attacks *
find_attacks(const Behaviour *behaviour, const Detector *detectors, int count)
{
	Attacks    *attacks = palloc0(Max(1, count) * sizeof(Attacks));

	stored_begin();
	for (int i = 0; i < count; i++)
	{
		attacks[i].period = detectors[i].deduplication_days * USECS_PER_DAY;
		attacks[i].count = stored_attacks(behaviour->sample, detectors[i].name, &attacks[i].began);
	}
	stored_end();
	return attacks;
}

static bool
goes_on(const Attacks *attacks, TimestampTz time)
{
	if (attacks == NULL)
		return false;
	for (int i = 0; i < attacks->count; i++)
		if (time >= attacks->began[i] && time < attacks->began[i] + attacks->period)
			return true;
	return false;
}

/*
 * Score the events of a behaviour and hand them to assign.c if one is
 * unusual or an alert may be near.
 *
 * Of a day that was stored before, the events are not scored again: the day
 * was scored when it was stored, and a re-delivered event must not be taken
 * for a new one because late events have since changed what came before.  The
 * exceptions are the day in which the activation period, or an alert's
 * deduplication period, ends, and an identity that was seen as a person and as
 * none: the day may have been scored against the peers of the other class.
 *
 * Either those events by which an attack goes on that triage knows of, or the
 * others.  True if any were handed over.
 */
static bool
score_behaviour(HTAB **classes, Behaviour *behaviour, const Detector *detector,
				const Attacks *attacks, bool of_attacks)
{
	int			n = behaviour->nevents;
	TimestampTz account_first = behaviour->identity->account->first;
	Candidates	candidates = {0};
	bool		opens = false;
	Score		score = {0};
	int32		scored_day = 0;
	bool		scored_user = false;
	bool		scored = false;

	for (int i = 0; i < n; i++)
	{
		BatchEvent *item = behaviour->events[i];
		int32		day = item->event->day;
		bool		activated = item->event->time >= detector_active_from(detector, account_first);
		bool		day_activates = detector_activates_on(detector, account_first, day);
		bool		is_user = KIND_IS_USER(item->event->kind);
		bool		day_scored = !dayruns_contains(&behaviour->fresh, day) && !day_activates &&
			!kinds_are_of_both(behaviour->identity->kinds);

		Assert(!item->late && item->behaviour == behaviour);
		if (goes_on(attacks, item->event->time) != of_attacks)
			continue;

		/* what cannot open an alert, nor is near one, needs no score */
		if ((day_scored && !item->near) || (!activated && !day_activates))
		{
			if (!item->near && !opens)
				continue;
			score.unusual = scored = false;
		}
		else if (!scored || day != scored_day || is_user != scored_user)
		{
			score = score_item(classes, item, detector);
			scored_day = day;
			scored_user = is_user;
			scored = true;
		}
		if (score.unusual && day_activates)
			item->cacheable = false;
		opens |= score.unusual && activated && !day_scored;
		if (!opens && !item->near)
			continue;

		item->cacheable = false;
		if (candidates.desc == NULL)
			candidates_init(&candidates, n);
		candidates_add(&candidates, detector, item->event, score.unusual && activated,
					   day_scored, &score);
	}
	if (candidates.desc == NULL)
		return false;

	candidates_hand_over(&candidates, detector);
	return true;
}

/*
 * What belongs to an attack that triage knows of joins its alert before
 * anything is scored: the days of it do not count for later days, not those of
 * the same batch either.
 */
static void
join_attacks(Entities *entities, const Detector *detectors, int count)
{
	HTAB	   *classes = NULL;
	bool		joined = false;

	for (int i = 0; i < entities->nbehaviours; i++)
	{
		Behaviour  *behaviour = entities->behaviours[i];
		bool		more_days = false;

		if (behaviour->excluded.n == 0)
			continue;
		behaviour->attacks = find_attacks(behaviour, detectors, count);
		for (int j = 0; j < count; j++)
			if (detector_watches(&detectors[j], behaviour->operation))
				more_days |= score_behaviour(&classes, behaviour, &detectors[j],
											 &behaviour->attacks[j], true);
		if (!more_days)
			continue;
		stored_begin();
		stored_excluded_days(behaviour->sample, &behaviour->excluded);
		stored_end();
		joined = true;
	}
	if (joined)
		journal_sums_keep();	/* as of now */
}

void
score_batch(Entities *entities)
{
	HTAB	   *classes = NULL;
	const Detector *detectors;
	int			count;

	if (entities->nbehaviours == 0)
		return;
	detectors = settings_kept_detectors(&count);
	journal_sums_keep();
	for (int i = 0; i < entities->nbehaviours; i++)
	{
		Behaviour  *behaviour = entities->behaviours[i];

		for (int j = 0; j < behaviour->nevents; j++)
		{
			BatchEvent *item = behaviour->events[j];

			item->near = is_near(behaviour, item->event->time);
			item->cacheable = !item->near;
		}
	}
	join_attacks(entities, detectors, count);
	for (int i = 0; i < entities->nbehaviours; i++)
	{
		Behaviour  *behaviour = entities->behaviours[i];

		for (int j = 0; j < count; j++)
			if (detector_watches(&detectors[j], behaviour->operation))
				(void) score_behaviour(&classes, behaviour, &detectors[j],
									   behaviour->attacks == NULL ? NULL : &behaviour->attacks[j], false);
	}
	journal_sums_forget();
}
