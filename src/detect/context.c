/*-------------------------------------------------------------------------
 *
 * context.c
 *		What makes an unusual event stronger.
 *
 * Against the training period before its day.  Only days before the event's own
 * count, and of its own day what is earlier by the clock, so the answer is the
 * same whether later events are known already or not.  Source: detection.md,
 * Context.  Must never write.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "baseline/context_values.h"
#include "baseline/stored.h"
#include "baseline/stored_context.h"
#include "detect/context.h"
#include "executor/executor.h"
#include "fmgr.h"
#include "server/build_jsonb.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

PG_FUNCTION_INFO_V1(iamwatch_context_of);

/* So many different operations, new to the identity within the hour, are a burst. */
#define LEAST_BURST 3

typedef struct OperationName
{
	Slice		service;
	Slice		operation;
} OperationName;

/* All that the tables have to say. */
typedef struct Facts
{
	const EventColumns *columns;
	Event		event;
	TimestampTz midnight;		/* that began its day */
	int32		since;			/* the first day of the training period */
	int32		until;			/* the last */

	/* of what was new to the identity */
	bool		key_found;
	Slice		access_key;
	TimestampTz failed_today;	/* the last time; DT_NOBEGIN if it did not */
	int			noperations;
	int			capacity;
	OperationName *operations;	/* within the hour, not all different */

	/* what the event has, and what was sampled of each kind */
	int			nvalues;
	ContextValue values[MOST_CONTEXT_VALUES];
	bool		has_others[MOST_CONTEXT_VALUES];
	bool		is_known[MOST_CONTEXT_VALUES];

	DayRuns		failed_days;
} Facts;

/* ---- what was new to the identity ---- */

static bool
is_operation_of(const Event *event, Slice service, Slice operation)
{
	return slice_equal(operation, event->operation) && slice_equal(service, event->service);
}

static Slice
copy_of(Slice text)
{
	return (Slice) {pnstrdup(text.s, text.len), text.len};
}

static void
add_operation(Facts *facts, Slice service, Slice operation)
{
	if (facts->noperations == facts->capacity)
	{
		facts->capacity = Max(8, facts->capacity * 2);
		facts->operations = facts->operations == NULL ?
			palloc(facts->capacity * sizeof(OperationName)) :
			repalloc_huge(facts->operations, facts->capacity * sizeof(OperationName));
	}
	facts->operations[facts->noperations++] = (OperationName) {copy_of(service), copy_of(operation)};
}

static void
take_novelty(const StoredNovelty *novelty, void *arg)
{
	Facts	   *facts = arg;
	const Event *event = &facts->event;
	bool		same = is_operation_of(event, novelty->service, novelty->operation);

	if (same && novelty->at == event->time && novelty->failed == event->failed && !facts->key_found)
	{
		facts->key_found = true;
		if (novelty->access_key.s != NULL)
			facts->access_key = copy_of(novelty->access_key);
	}
	if (novelty->at >= event->time)
		return;
	if (same && novelty->failed && novelty->at >= facts->midnight)
		facts->failed_today = Max(facts->failed_today, novelty->at);
	if (!same && novelty->at >= event->time - USECS_PER_HOUR)
		add_operation(facts, novelty->service, novelty->operation);
}

/* The samples that wait in the journal count as stored. */
static void
take_novel_sample(const StoredSample *sample, void *arg)
{
	Facts	   *facts = arg;
	TimestampTz at = sample->event.time;

	if (!sample->novel || at > facts->event.time ||
		at < Min(facts->midnight, facts->event.time - USECS_PER_HOUR))
		return;
	take_novelty(&(StoredNovelty) {
		.at = at, .service = sample->event.service, .operation = sample->event.operation,
		.failed = sample->event.failed,
		.access_key = sample->access_key.s == NULL ? SLICE_NONE : context_cut(sample->access_key)
	}, arg);
}

static int
compare_operations(const void *a, const void *b)
{
	const OperationName *left = a;
	const OperationName *right = b;
	int			result = slice_compare(left->operation, right->operation);

	return result != 0 ? result : slice_compare(left->service, right->service);
}

/* Different ones, with that of the event. */
static int
count_operations(const Facts *facts)
{
	int			count = 1;

	if (facts->noperations > 1)
		qsort(facts->operations, facts->noperations, sizeof(OperationName), compare_operations);
	for (int i = 0; i < facts->noperations; i++)
		if (i == 0 || compare_operations(&facts->operations[i - 1], &facts->operations[i]) != 0)
			count++;
	return count;
}

/* ---- what was sampled of it ---- */

/* Is the value one of the same key, where it is one of keys? */
static bool
is_other_of(const Facts *facts, Slice value)
{
	Slice		key = context_cut(facts->access_key);

	return value.len > key.len && memcmp(value.s, key.s, key.len) == 0 && value.s[key.len] == ' ';
}

static void
take_value(Facts *facts, char kind, Slice value)
{
	for (int i = 0; i < facts->nvalues; i++)
	{
		if (facts->values[i].kind != kind)
			continue;
		if (kind != HABIT_KEY_NETWORK || is_other_of(facts, value))
			facts->has_others[i] = true;
		if (slice_equal(facts->values[i].value, value))
			facts->is_known[i] = true;
	}
}

static void
take_habit(char kind, Slice value, Datum stored, void *arg)
{
	Facts	   *facts = arg;
	DayRuns		days;

	dayruns_from_datum(stored, &days);
	if (dayruns_count(&days, facts->since, facts->until) > 0)
		take_value(facts, kind, value);
}

static void
take_sample(const StoredSample *sample, void *arg)
{
	Facts	   *facts = arg;
	ContextValue values[MOST_CONTEXT_VALUES];
	int			count;

	if (sample->event.day < facts->since || sample->event.day > facts->until)
		return;
	count = context_values(&sample->columns, sample->access_key, values);
	for (int i = 0; i < count; i++)
		take_value(facts, values[i].kind, values[i].value);
}

/* ---- when it failed ---- */

static void
take_delta(const StoredDelta *delta, void *arg)
{
	Facts	   *facts = arg;

	if (delta->event.operation.s != NULL && delta->event.failed &&
		is_operation_of(&facts->event, delta->event.service, delta->event.operation))
		dayruns_add_all(&facts->failed_days, &delta->days);
}

static void
read_failed_days(Facts *facts, int32 account_id, int64 identity_id)
{
	Event		failed = facts->event;
	DayRuns		days;

	failed.failed = true;
	dayruns_init(&days);
	if (account_id != 0 && identity_id != 0 &&
		stored_behaviour_days(account_id, identity_id, &failed, &days))
		dayruns_add_all(&facts->failed_days, &days);
	stored_journal(&failed, take_delta, facts);
}

/* When it last failed, to the day or, on the same day, the time; DT_NOBEGIN if it did not. */
static TimestampTz
failed_at(const Facts *facts)
{
	DayRuns		days;

	if (facts->event.failed)
		return DT_NOBEGIN;
	if (facts->failed_today != DT_NOBEGIN)
		return facts->failed_today;
	days = dayruns_part_of(&facts->failed_days, facts->since, facts->until);
	return days.n == 0 ? DT_NOBEGIN : days.runs[days.n - 1].hi * USECS_PER_DAY;
}

/* ---- all of it ---- */

static void
find_facts(Facts *facts, int32 account_id, int64 identity_id)
{
	const Event *event = &facts->event;
	bool		is_stored = account_id != 0 && identity_id != 0;

	stored_begin();
	if (is_stored)
		stored_novelties(account_id, identity_id, Min(facts->midnight, event->time - USECS_PER_HOUR),
						 event->time, take_novelty, facts);
	stored_samples(event, take_novel_sample, facts);
	facts->nvalues = context_values(facts->columns, facts->access_key, facts->values);
	if (is_stored)
		stored_habits(account_id, identity_id, take_habit, facts);
	stored_samples(event, take_sample, facts);
	if (!event->failed)
		read_failed_days(facts, account_id, identity_id);
	stored_end();
}

static const char *
kind_name(char habit)
{
	switch (habit)
	{
		case HABIT_NETWORK:
			return "new_network";
		case HABIT_USER_AGENT:
			return "new_user_agent";
		case HABIT_REGION:
			return "new_region";
		default:
			return "new_key_network";
	}
}

static Slice
time_text(TimestampTz time)
{
	struct pg_tm tm;
	fsec_t		fsec;
	char	   *text;

	if (timestamp2tm(time, NULL, &tm, &fsec, NULL, NULL) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE), errmsg("timestamp out of range")));
	text = psprintf("%04d-%02d-%02dT%02d:%02d:%02dZ", tm.tm_year, tm.tm_mon, tm.tm_mday,
					tm.tm_hour, tm.tm_min, tm.tm_sec);
	return (Slice) {text, (int) strlen(text)};
}

Jsonb *
context_of(const EventColumns *columns, int32 account_id, int64 identity_id,
		   int32 training_days, int32 active, Slice key)
{
	Facts		facts = {
		.columns = columns, .event = event_from_columns(columns).event, .access_key = key,
		.failed_today = DT_NOBEGIN
	};
	JsonbParseState *state = NULL;
	TimestampTz failed;
	int			operations;

	facts.midnight = facts.event.day * USECS_PER_DAY;
	facts.since = facts.event.day - training_days;
	facts.until = facts.event.day - 1;
	dayruns_init(&facts.failed_days);
	find_facts(&facts, account_id, identity_id);

	pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	for (int i = 0; i < facts.nvalues; i++)

		/*
		 * there must be earlier samples of this kind, for a key of the same
		 * key
		 */
		if (facts.has_others[i] && !facts.is_known[i])
			jsonb_push_text(&state, kind_name(facts.values[i].kind), facts.values[i].value);
	failed = failed_at(&facts);
	if (failed != DT_NOBEGIN)
		jsonb_push_text(&state, "failed_before", time_text(failed));
	operations = count_operations(&facts);
	if (operations >= LEAST_BURST)
		jsonb_push_number(&state, "burst", operations);
	if (active == 0)
		jsonb_push_bool(&state, "first_day", true);
	return JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_OBJECT, NULL));
}

/*
 * context_of(event, ids, training_days integer, active integer, key text) RETURNS
 * jsonb; key may be null
 */
Datum
iamwatch_context_of(PG_FUNCTION_ARGS)
{
	EventColumns columns;
	int32		account_id = 0;
	int64		identity_id = 0;
	bool		isnull;

	if (PG_ARGISNULL(0) || PG_ARGISNULL(2))
		PG_RETURN_NULL();
	event_columns(PG_GETARG_HEAPTUPLEHEADER(0), &columns);
	if (!PG_ARGISNULL(1))
	{
		/* 0 if null */
		account_id = DatumGetInt32(GetAttributeByName(PG_GETARG_HEAPTUPLEHEADER(1), "account_id", &isnull));
		identity_id = DatumGetInt64(GetAttributeByName(PG_GETARG_HEAPTUPLEHEADER(1), "identity_id", &isnull));
	}
	PG_RETURN_JSONB_P(context_of(&columns, account_id, identity_id, PG_GETARG_INT32(2),
								 PG_ARGISNULL(3) ? -1 : PG_GETARG_INT32(3),
								 PG_ARGISNULL(4) ? SLICE_NONE : slice_of_text(PG_GETARG_DATUM(4))));
}
