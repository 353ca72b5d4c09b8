/*-------------------------------------------------------------------------
 *
 * detect.c
 *		Compares a batch of events with the baselines.
 *
 * In sets, not event by event: look up what is stored of the accounts,
 * identities and behaviours in the batch; hand what is new to learn.sql, which
 * writes it or, when another session is writing the same account, appends it
 * to the journal; score; hand what is unusual, or may belong to an alert, to
 * alerts.sql.
 *
 * That the whole batch is learned before any of it is scored changes nothing:
 * the score of a day looks only at the days before it, and the batch is in
 * order of event time.
 *
 * All memory is in one context that goes with the batch.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "batch.h"
#include "catalog/pg_type.h"
#include "catalogue.h"
#include "dayset.h"
#include "detect.h"
#include "funcapi.h"
#include "known.h"
#include "objects.h"
#include "plans.h"
#include "score.h"
#include "settings.h"
#include "status.h"
#include "stored.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/hsearch.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "utils/typcache.h"

typedef struct Account
{
	Fingerprint key;
	const Event *sample;		/* for the names */
	int			n;
	bool		stored;			/* an event was seen of it before */
	int32		account_id;		/* 0 if it has none yet */
	bool		journaled;		/* the journal has something of it */
	TimestampTz first;			/* first event, the batch included */
	int32		newest;			/* newest day, the batch included */
	int32		stored_newest;
	int64		late;			/* events of the batch that come too late */
	bool		news;
} Account;

typedef struct Identity
{
	Fingerprint key;
	Account    *account;
	const Event *sample;
	int			n;
	int64		identity_id;	/* 0 if it has none yet */
	int			kinds;			/* stored and of the batch */
	int			stored_kinds;
	DayRuns		days;			/* stored and of the batch */
	DayRuns		fresh;			/* of the batch, not stored */
} Identity;

typedef struct Behaviour
{
	Fingerprint key;
	Identity   *identity;
	const Event *sample;
	const Operation *operation;
	int			n;
	DayRuns		days;
	DayRuns		fresh;
	DayRuns		excluded;		/* days that do not count, by triage */
	TimestampTz since;
	TimestampTz until;
	bool		pending;		/* others left events of it */
	int			nalerts;
	TimestampTz *alerts;		/* first events of alerts not far away,
								 * suppressed ones too */
	int			nevents;
	int			capacity;
	struct Happening **events;
} Behaviour;

/* An event of the batch that was understood. */
typedef struct Happening
{
	const Event *event;
	Account    *account;
	Identity   *identity;
	Behaviour  *behaviour;		/* NULL unless it is an IAM operation */
	int64		repeats;
	bool		late;
	bool		brings_day;		/* the first that is known of its identity's day */
	bool		brings_behaviour;	/* ... and of its behaviour's */
	bool		near;			/* an alert or pending event may concern it */
	bool		settled;		/* nothing more to do on this day */
} Happening;

/* The score of a behaviour on a day. */
typedef struct Score
{
	int32		k;
	int32		active;
	int64		peer_days;
	int64		peer_active;
	double		probability;
	bool		unusual;
} Score;

typedef struct ClassKey
{
	Fingerprint account;
	Fingerprint behaviour;		/* without identity */
	int32		day;
	int32		training_days;
	int32		is_user;
	int32		padding;
} ClassKey;

typedef struct ClassDays
{
	ClassKey	key;
	int64		days;
	int64		active;
} ClassDays;

typedef struct Work
{
	MemoryContext context;
	Happening	   *items;
	int			nitems;
	HTAB	   *account_table;
	HTAB	   *identity_table;
	HTAB	   *behaviour_table;
	HTAB	   *class_table;
	Account   **accounts;
	int			naccounts;
	Identity  **identities;
	int			nidentities;
	Behaviour **behaviours;
	int			nbehaviours;
} Work;

/* ---- arrays of arguments ---- */

typedef struct Column
{
	Datum	   *values;
	bool	   *nulls;
	int			count;
	Oid			type;
} Column;

static Column
column_make(Oid type, int capacity)
{
	Column		column;

	column.values = palloc(Max(1, capacity) * sizeof(Datum));
	column.nulls = palloc0(Max(1, capacity) * sizeof(bool));
	column.count = 0;
	column.type = type;
	return column;
}

static void
column_add(Column *column, Datum value)
{
	column->nulls[column->count] = false;
	column->values[column->count++] = value;
}

static void
column_add_null(Column *column)
{
	column->nulls[column->count] = true;
	column->values[column->count++] = (Datum) 0;
}

static Datum
slice_text(Slice slice)
{
	return PointerGetDatum(cstring_to_text_with_len(slice.s, slice.len));
}

static Datum
column_array(const Column *column)
{
	int16		length;
	bool		by_value;
	char		align;
	int			lower = 1;

	if (column->count == 0)
		return PointerGetDatum(construct_empty_array(column->type));
	get_typlenbyvalalign(column->type, &length, &by_value, &align);
	return PointerGetDatum(construct_md_array(column->values, column->nulls, 1,
											  (int *) &column->count, &lower,
											  column->type, length, by_value, align));
}

/* ---- results ---- */

static Datum
result(uint64 row, int column, bool *isnull)
{
	return SPI_getbinval(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, column, isnull);
}

/* ---- the parties of the batch ---- */

static HTAB *
make_table(Work *work, const char *name, Size keysize, Size entrysize, long size)
{
	HASHCTL		control = {0};

	control.keysize = keysize;
	control.entrysize = entrysize;
	control.hcxt = work->context;
	return hash_create(name, size, &control, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
}

static Account *
find_account(Work *work, Fingerprint key, const Event *event)
{
	bool		found;
	Account    *account = hash_search(work->account_table, &key, HASH_ENTER, &found);

	if (!found)
	{
		memset((char *) account + sizeof(key), 0, sizeof(*account) - sizeof(key));
		account->sample = event;
		account->n = work->naccounts;
		work->accounts[work->naccounts++] = account;
	}
	return account;
}

static Identity *
find_identity(Work *work, Fingerprint key, Account *account, const Event *event)
{
	bool		found;
	Identity   *identity = hash_search(work->identity_table, &key, HASH_ENTER, &found);

	if (!found)
	{
		memset((char *) identity + sizeof(key), 0, sizeof(*identity) - sizeof(key));
		identity->account = account;
		identity->sample = event;
		identity->n = work->nidentities;
		dayruns_init(&identity->days);
		dayruns_init(&identity->fresh);
		work->identities[work->nidentities++] = identity;
	}
	return identity;
}

static Behaviour *
find_behaviour(Work *work, Fingerprint key, Identity *identity, const Event *event,
			   const Operation *operation)
{
	bool		found;
	Behaviour  *behaviour = hash_search(work->behaviour_table, &key, HASH_ENTER, &found);

	if (!found)
	{
		memset((char *) behaviour + sizeof(key), 0, sizeof(*behaviour) - sizeof(key));
		behaviour->identity = identity;
		behaviour->sample = event;
		behaviour->operation = operation;
		behaviour->n = work->nbehaviours;
		behaviour->since = PG_INT64_MAX;
		behaviour->until = PG_INT64_MIN;
		dayruns_init(&behaviour->days);
		dayruns_init(&behaviour->fresh);
		dayruns_init(&behaviour->excluded);
		work->behaviours[work->nbehaviours++] = behaviour;
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

/* ---- what is stored ---- */

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
look_up_accounts(Work *work)
{
	for (int i = 0; i < work->naccounts; i++)
	{
		Account    *account = work->accounts[i];
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
look_up_identities(Work *work)
{
	for (int i = 0; i < work->nidentities; i++)
	{
		Identity   *identity = work->identities[i];
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
look_up_behaviours(Work *work)
{
	int64		reach = (settings_deduplication_days() + 1) * USECS_PER_DAY;

	for (int i = 0; i < work->nbehaviours; i++)
	{
		Behaviour  *behaviour = work->behaviours[i];
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

static void
add_days(DayRuns *days, const DayRuns *more)
{
	for (int i = 0; i < more->n; i++)
		dayruns_add(days, more->runs[i].lo, more->runs[i].hi);
}

/* What others appended to the journal, and nobody has folded, counts as stored. */
static void
take_delta(const StoredDelta *delta, void *arg)
{
	Work	   *work = arg;
	Fingerprint key;
	Identity   *identity;
	Behaviour  *behaviour;

	if (delta->event.identity.s == NULL)
		return;
	key = fingerprint_identity(fingerprint_account(&delta->event), &delta->event);
	identity = hash_search(work->identity_table, &key, HASH_FIND, NULL);
	if (identity == NULL)
		return;
	if (delta->event.operation.s == NULL)
	{
		identity->stored_kinds |= delta->kinds;
		identity->kinds |= delta->kinds;
		add_days(&identity->days, &delta->days);
		return;
	}
	key = fingerprint_behaviour(key, &delta->event);
	behaviour = hash_search(work->behaviour_table, &key, HASH_FIND, NULL);
	if (behaviour != NULL)
		add_days(&behaviour->days, &delta->days);
}

static void
look_up_journal(Work *work)
{
	for (int i = 0; i < work->naccounts; i++)
		if (work->accounts[i]->journaled)
			stored_journal(work->accounts[i]->sample, take_delta, work);
}

/* ---- learning ---- */

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

/* A row of iamwatch.journal. */
static void
add_delta(Column *deltas, TupleDesc desc, const Account *account,
		  const Identity *identity, const Behaviour *behaviour)
{
	const Event *sample = behaviour ? behaviour->sample :
		identity ? identity->sample : account->sample;
	Datum		values[10];
	bool		nulls[10] = {false};

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

	column_add(deltas, HeapTupleGetDatum(heap_form_tuple(desc, values, nulls)));
}

static void
learn(Work *work)
{
	Oid			type = iamwatch_type("journal");
	TupleDesc	desc = lookup_rowtype_tupdesc(type, -1);
	Column		deltas = column_make(type, work->naccounts + work->nidentities +
									 work->nbehaviours);

	for (int i = 0; i < work->nidentities; i++)
	{
		Identity   *identity = work->identities[i];

		if (identity->fresh.n > 0 || identity->kinds != identity->stored_kinds)
			add_delta(&deltas, desc, identity->account, identity, NULL);
	}
	for (int i = 0; i < work->nbehaviours; i++)
	{
		Behaviour  *behaviour = work->behaviours[i];

		if (behaviour->fresh.n > 0)
			add_delta(&deltas, desc, behaviour->identity->account, behaviour->identity, behaviour);
	}
	for (int i = 0; i < work->naccounts; i++)
		if (work->accounts[i]->news || work->accounts[i]->late > 0)
			add_delta(&deltas, desc, work->accounts[i], NULL, NULL);
	ReleaseTupleDesc(desc);

	if (deltas.count > 0)
		plans_run(PLAN_LEARN, (Datum[]) {column_array(&deltas)}, NULL);
}

/*
 * Is the event in the sample of context.sql?  Those that bring a behaviour's
 * day are, and on every fourth day, so that all days of the week have their
 * turn, those that bring the day of an identity that is known already.
 */
static bool
is_sampled(const Happening *item)
{
	int32		day = item->event->day;

	return item->brings_behaviour ||
		(item->brings_day && settings_is_context_day(day) &&
		 dayruns_count(&item->identity->days, day - settings_training_days(), day - 1) > 0);
}

/* Its rows are those of the sample's journal. */
static void
learn_context(Work *work)
{
	Oid			type = iamwatch_type("context_journal");
	TupleDesc	desc = lookup_rowtype_tupdesc(type, -1);
	Column		samples = column_make(type, work->nitems);

	for (int i = 0; i < work->nitems; i++)
	{
		const Happening *item = &work->items[i];
		const Event *event = item->event;
		Datum		values[3];
		bool		nulls[3] = {false};

		if (!is_sampled(item))
			continue;
		values[0] = event_to_datum(event);
		nulls[1] = event->access_key.s == NULL;
		values[1] = nulls[1] ? (Datum) 0 : slice_text(event->access_key);
		values[2] = BoolGetDatum(item->brings_behaviour &&
								 dayruns_count(&item->behaviour->days,
											   event->day - settings_training_days(),
											   event->day - 1) == 0);
		column_add(&samples, HeapTupleGetDatum(heap_form_tuple(desc, values, nulls)));
	}
	ReleaseTupleDesc(desc);

	if (samples.count > 0)
		plans_run(PLAN_LEARN_CONTEXT, (Datum[]) {column_array(&samples)}, NULL);
}

/* ---- scoring ---- */

/*
 * What all identities of the account that are people, or all that are not,
 * did in the training period: kept for the batch, since many ask the same.
 */
static const ClassDays *
class_days(Work *work, const Behaviour *behaviour, int32 day, int training_days,
		   bool is_user)
{
	const Event *sample = behaviour->sample;
	Account    *account = behaviour->identity->account;
	ClassKey	key;
	ClassDays  *class;
	bool		found;
	bool		isnull;

	memset(&key, 0, sizeof(key));
	key.account = account->key;
	key.behaviour = fingerprint_behaviour(account->key, sample);
	key.day = day;
	key.training_days = training_days;
	key.is_user = is_user;
	class = hash_search(work->class_table, &key, HASH_ENTER, &found);
	if (found)
		return class;

	plans_run(PLAN_PEERS, (Datum[])
			  {
				  CStringGetTextDatum(provider_names[sample->provider]),
				  slice_text(sample->account), BoolGetDatum(is_user),
				  slice_text(sample->service), slice_text(sample->operation),
				  BoolGetDatum(sample->failed),
				  DateADTGetDatum(day - training_days), DateADTGetDatum(day - 1)
			  }, NULL);
	class->days = DatumGetInt64(result(0, 1, &isnull));
	class->active = DatumGetInt64(result(0, 2, &isnull));
	return class;
}

/* On how many days from one to another the behaviour counts. */
static int32
days_that_count(const Behaviour *behaviour, int32 from, int32 to)
{
	int64		n = dayruns_count(&behaviour->days, from, to);

	for (int i = 0; i < behaviour->excluded.n; i++)
	{
		DayRun		run = behaviour->excluded.runs[i];

		if (run.lo <= to && run.hi >= from)
			n -= dayruns_count(&behaviour->days, Max(run.lo, from), Min(run.hi, to));
	}
	return (int32) n;
}

static Score
score_item(Work *work, const Happening *item, const Detector *detector)
{
	const Behaviour *behaviour = item->behaviour;
	const Identity *identity = item->identity;
	int32		day = item->event->day;
	int32		since = day - detector->training_days;
	bool		is_user = KIND_IS_USER(item->event->kind);
	const ClassDays *class;
	Score		score;

	memset(&score, 0, sizeof(score));
	score.k = days_that_count(behaviour, since, day - 1);
	score.active = (int32) dayruns_count(&identity->days, since, day - 1);

	/* Whatever the peers do, it only adds to the probability. */
	if (score.k / (score.active + 2.0) >= detector->probability_limit)
		return score;

	class = class_days(work, behaviour, day, detector->training_days, is_user);
	score.peer_days = class->days;
	score.peer_active = class->active;
	if (((identity->kinds & KINDS_OF_PEOPLE) != 0) == is_user)
	{
		/* the class counts the identity too, unless triage has just decided */
		score.peer_days = Max(0, score.peer_days - score.k);
		score.peer_active -= score.active;
	}
	score.probability = score_probability(score.k, score.active,
										  score.peer_days, score.peer_active);
	score.unusual = score.probability < detector->probability_limit;
	return score;
}

/*
 * May an alert take the event, or have something to say to it?  A day more
 * than the deduplication period, for the day on which that ends.
 */
static bool
is_near(const Behaviour *behaviour, TimestampTz time)
{
	int64		reach = (settings_deduplication_days() + 1) * USECS_PER_DAY;

	if (behaviour->pending)
		return true;
	for (int i = 0; i < behaviour->nalerts; i++)
		if (time > behaviour->alerts[i] - reach && time < behaviour->alerts[i] + reach)
			return true;
	return false;
}

static bool
is_of_both_classes(const Identity *identity)
{
	return (identity->kinds & KINDS_OF_PEOPLE) != 0 &&
		(identity->kinds & ~KINDS_OF_PEOPLE) != 0;
}

/*
 * Score the events of a behaviour and hand them to alerts.sql if one is
 * unusual or an alert may be near.
 *
 * Of a day that was stored before, the events are not scored again: the day
 * was scored when it was stored, and a re-delivered event must not be taken
 * for a new one because late events have since changed what came before.  The
 * exceptions are the day in which the activation period, or an alert's
 * deduplication period, ends, and an identity that was seen as a person and as
 * none: the day may have been scored against the peers of the other class.
 */
static void
judge(Work *work, Behaviour *behaviour, const Detector *detector)
{
	int			n = behaviour->nevents;
	TimestampTz active_from = behaviour->identity->account->first +
		detector->activation_days * USECS_PER_DAY;
	Column		events = column_make(iamwatch_event_type(), n);
	Column		unusual = column_make(BOOLOID, n);
	Column		again_column = column_make(BOOLOID, n);
	Column		k = column_make(INT4OID, n);
	Column		active = column_make(INT4OID, n);
	Column		peer_days = column_make(INT8OID, n);
	Column		peer_active = column_make(INT8OID, n);
	Column		probability = column_make(FLOAT8OID, n);
	bool		opens = false;
	Score		score = {0};
	int32		scored_day = 0;
	bool		scored_user = false;
	bool		scored = false;

	for (int i = 0; i < n; i++)
	{
		Happening  *item = behaviour->events[i];
		int32		day = item->event->day;
		TimestampTz day_start = (TimestampTz) day * USECS_PER_DAY;
		bool		activated = item->event->time >= active_from;
		bool		day_activates = active_from > day_start &&
			active_from < day_start + USECS_PER_DAY;
		bool		is_user = KIND_IS_USER(item->event->kind);
		bool		again = !dayruns_contains(&behaviour->fresh, day) && !day_activates &&
			!is_of_both_classes(behaviour->identity);

		/* what cannot open an alert, nor is near one, needs no score */
		if ((again && !item->near) || (!activated && !day_activates))
		{
			if (!item->near && !opens)
				continue;
			score.unusual = scored = false;
		}
		else if (!scored || day != scored_day || is_user != scored_user)
		{
			score = score_item(work, item, detector);
			scored_day = day;
			scored_user = is_user;
			scored = true;
		}
		if (score.unusual && day_activates)
			item->settled = false;
		opens |= score.unusual && activated && !again;
		if (!opens && !item->near)
			continue;

		item->settled = false;
		column_add(&events, event_to_datum(item->event));
		column_add(&unusual, BoolGetDatum(score.unusual && activated));
		column_add(&again_column, BoolGetDatum(again));
		column_add(&k, Int32GetDatum(score.k));
		column_add(&active, Int32GetDatum(score.active));
		column_add(&peer_days, Int64GetDatum(score.peer_days));
		column_add(&peer_active, Int64GetDatum(score.peer_active));
		column_add(&probability, Float8GetDatum(score.probability));
	}
	if (events.count == 0)
		return;

	known_forget_behaviour(behaviour->key);
	plans_run(PLAN_RAISE, (Datum[])
			  {
				  CStringGetTextDatum(detector->name), column_array(&events),
				  column_array(&unusual), column_array(&again_column), column_array(&k),
				  column_array(&active), column_array(&peer_days), column_array(&peer_active),
				  column_array(&probability)
			  }, NULL);
}

/* ---- the whole ---- */

static void
reject(const News *news, int count)
{
	Column		source = column_make(OIDOID, count);
	Column		reason = column_make(TEXTOID, count);
	Column		document = column_make(JSONBOID, count);

	for (int i = 0; i < count; i++)
	{
		column_add(&source, ObjectIdGetDatum(news[i].source));
		column_add(&reason, CStringGetTextDatum(news[i].reason));
		if (news[i].document != NULL)
			column_add(&document, PointerGetDatum(news[i].document));
		else
			column_add_null(&document);
	}
	plans_run(PLAN_REJECT, (Datum[])
			  {
				  column_array(&source), column_array(&reason), column_array(&document)
			  }, NULL);
}

/* Find the parties of each event, and leave out what comes too late. */
static void
sort_out(Work *work, const News *news)
{
	for (int i = 0; i < work->nitems; i++)
	{
		Happening	   *item = &work->items[i];

		item->event = &news[i].event;
		item->repeats = news[i].repeats;
		item->account = find_account(work, fingerprint_account(item->event), item->event);
	}
	look_up_accounts(work);

	for (int i = 0; i < work->nitems; i++)
	{
		Happening	   *item = &work->items[i];
		const Event *event = item->event;
		Account    *account = item->account;
		const Operation *operation;

		if (account->stored && event->day < account->stored_newest - settings_kept_days())
		{
			item->late = true;
			account->late += 1 + item->repeats;
			continue;
		}
		if (event->time < account->first)
		{
			account->first = event->time;
			account->news = true;
		}
		account->newest = Max(account->newest, event->day);

		item->identity = find_identity(work, fingerprint_identity(account->key, event),
									   account, event);
		item->identity->kinds |= 1 << event->kind;
		operation = news[i].document == NULL ? NULL :
			catalogue_find(event->provider, event->service, event->operation);
		if (operation != NULL)
		{
			item->behaviour = find_behaviour(work,
											 fingerprint_behaviour(item->identity->key, event),
											 item->identity, event, operation);
			behaviour_add_event(item->behaviour, item);
		}
	}
}

static void
compare(Work *work)
{
	look_up_identities(work);
	look_up_behaviours(work);
	look_up_journal(work);
	stored_end();

	for (int i = 0; i < work->nitems; i++)
	{
		Happening	   *item = &work->items[i];

		if (item->late)
			continue;
		item->brings_day = add_day(&item->identity->days, &item->identity->fresh,
								   item->event->day);
		if (item->behaviour != NULL)
			item->brings_behaviour = add_day(&item->behaviour->days, &item->behaviour->fresh,
											 item->event->day);
	}
	learn(work);
	if (settings_has_context())
		learn_context(work);

	for (int i = 0; i < work->nbehaviours; i++)
	{
		Behaviour  *behaviour = work->behaviours[i];

		for (int j = 0; j < behaviour->nevents; j++)
		{
			Happening  *item = behaviour->events[j];

			item->near = is_near(behaviour, item->event->time);
			item->settled = !item->near;
		}
		for (int j = 0; j < settings_detector_count(); j++)
			if (detector_watches(settings_detector(j), behaviour->operation))
				judge(work, behaviour, settings_detector(j));
	}
}

static void
remember(Work *work)
{
	for (int i = 0; i < work->naccounts; i++)
	{
		Account    *account = work->accounts[i];

		if (account->newest > PG_INT32_MIN)
			known_remember_account(account->key, account->first, account->newest);
	}
	for (int i = 0; i < work->nitems; i++)
	{
		Happening	   *item = &work->items[i];

		if (item->late)
			continue;
		known_remember_identity(item->identity->key, item->event->kind, item->event->day);
		if (item->behaviour != NULL && item->settled)
			known_remember_behaviour(item->behaviour->key, item->event->kind, item->event->day);
	}
}

static void
count_outcomes(const Work *work, const News *news, int count)
{
	SourceCounts *counts = status_begin();

	for (int i = 0; i < work->nitems; i++)
		status_count(counts, &news[i], work->items[i].late ? OUTCOME_LATE :
					 work->items[i].brings_day || work->items[i].brings_behaviour ? OUTCOME_LEARNED : OUTCOME_NOTHING);
	for (int i = work->nitems; i < count; i++)
		status_count(counts, &news[i], OUTCOME_REJECTED);
	status_write(counts);
}

static void
detect(const News *news, int count)
{
	Work		work = {.context = CurrentMemoryContext};
	int			readable = 0;

	while (readable < count && news[readable].reason == NULL)
		readable++;
	if (readable < count)
		reject(news + readable, count - readable);
	if (readable == 0)
	{
		count_outcomes(&work, news, count);
		return;
	}

	work.nitems = readable;
	work.items = palloc0(readable * sizeof(Happening));
	work.account_table = make_table(&work, "iamwatch accounts", sizeof(Fingerprint),
									sizeof(Account), 16);
	work.identity_table = make_table(&work, "iamwatch identities", sizeof(Fingerprint),
									 sizeof(Identity), readable);
	work.behaviour_table = make_table(&work, "iamwatch behaviours", sizeof(Fingerprint),
									  sizeof(Behaviour), readable);
	work.class_table = make_table(&work, "iamwatch classes", sizeof(ClassKey),
								  sizeof(ClassDays), 64);
	work.accounts = palloc(readable * sizeof(Account *));
	work.identities = palloc(readable * sizeof(Identity *));
	work.behaviours = palloc(readable * sizeof(Behaviour *));

	stored_begin();
	sort_out(&work, news);
	compare(&work);
	remember(&work);
	count_outcomes(&work, news, count);
}

void
detect_batch(void)
{
	int			count;
	News	   *news = batch_sorted(&count);

	if (count == 0)
		return;
	SPI_connect();				/* its memory goes with SPI_finish() */
	settings_load();
	catalogue_load();
	detect(news, count);
	SPI_finish();
	batch_clear();
}
