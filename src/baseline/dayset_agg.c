/*-------------------------------------------------------------------------
 *
 * dayset_agg.c
 *		Aggregates that make sets of days.
 *
 * The state is a dayset itself, so that it needs no form of its own to pass
 * between processes or nodes: a bitmap that is changed in place, and becomes
 * runs when its days lie too far apart.  Only final functions turn it into
 * what tables store, and must leave the state as it was.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "baseline/dayset.h"
#include "event/day.h"
#include "utils/timestamp.h"

PG_FUNCTION_INFO_V1(dayset_agg_trans);
PG_FUNCTION_INFO_V1(dayset_union_trans);
PG_FUNCTION_INFO_V1(dayset_agg_final);

#define WORD_DAYS	64
#define MAX_WORDS	64			/* beyond, runs are smaller */
#define BITMAP_HEADER (DAYSET_HEADER + sizeof(int32))

/* Rounded down, so that all words of all states begin at the same days. */
static int32
word_start(int32 day)
{
	return day >= 0 ? day / WORD_DAYS * WORD_DAYS :
		-((-day + WORD_DAYS - 1) / WORD_DAYS * WORD_DAYS);
}

static Dayset *
make_bitmap(int32 base, int words)
{
	Size		size = BITMAP_HEADER + words * sizeof(uint64);
	Dayset	   *bitmap = palloc0(size);

	Assert(base % WORD_DAYS == 0);
	Assert(words > 0 && words <= MAX_WORDS);
	SET_VARSIZE(bitmap, size);
	bitmap->version = DAYSET_BITMAP;
	memcpy(bitmap->data, &base, sizeof(base));
	return bitmap;
}

static void
set_bit(Dayset *bitmap, int32 base, int32 day)
{
	char	   *at = bitmap->data + sizeof(base) + (day - base) / WORD_DAYS * sizeof(uint64);
	uint64		word;

	Assert(bitmap->version == DAYSET_BITMAP);
	Assert(day >= base && at + sizeof(word) <= (char *) bitmap + VARSIZE(bitmap));
	memcpy(&word, at, sizeof(word));
	word |= UINT64CONST(1) << ((day - base) % WORD_DAYS);
	memcpy(at, &word, sizeof(word));
}

static Dayset *
add_to_runs(const Dayset *state, int32 day)
{
	DayRuns		set;

	dayruns_init(&set);
	dayruns_from_dayset(state, &set);
	dayruns_add(&set, day, day);
	return dayruns_to_dayset(&set);
}

static Dayset *
add_day(Dayset *state, int32 day)
{
	int32		base;
	int32		new_base;
	int			words;
	int			new_words;
	Dayset	   *wider;

	if (state->version != DAYSET_BITMAP)
		return add_to_runs(state, day);

	memcpy(&base, state->data, sizeof(base));
	words = (VARSIZE(state) - BITMAP_HEADER) / sizeof(uint64);
	if (day >= base && day < base + words * WORD_DAYS)
	{
		set_bit(state, base, day);
		return state;
	}

	new_base = Min(base, word_start(day));
	if ((int64) Max((int64) day, (int64) base + words * WORD_DAYS) - new_base >=
		MAX_WORDS * WORD_DAYS)
		return add_to_runs(state, day);
	new_words = Max(base + words * WORD_DAYS, word_start(day) + WORD_DAYS) - new_base;
	new_words /= WORD_DAYS;
	wider = make_bitmap(new_base, new_words);
	memcpy(wider->data + sizeof(int32) + (base - new_base) / WORD_DAYS * sizeof(uint64),
		   state->data + sizeof(int32), words * sizeof(uint64));
	set_bit(wider, new_base, day);
	return wider;
}

/*
 * The state, if it may be changed.  Only nodeAgg's own may: outside of it, or
 * when it arrives packed, work on a copy.
 */
static Dayset *
get_state(FunctionCallInfo fcinfo)
{
	return (Dayset *) (AggCheckCallContext(fcinfo, NULL) ?
					   PG_DETOAST_DATUM(PG_GETARG_DATUM(0)) :
					   PG_DETOAST_DATUM_COPY(PG_GETARG_DATUM(0)));
}

Datum
dayset_agg_trans(PG_FUNCTION_ARGS)
{
	TimestampTz time;
	int32		day;

	if (PG_ARGISNULL(1))
	{
		if (PG_ARGISNULL(0))
			PG_RETURN_NULL();
		PG_RETURN_DATUM(PG_GETARG_DATUM(0));
	}
	time = PG_GETARG_TIMESTAMPTZ(1);
	if (TIMESTAMP_NOT_FINITE(time))
		ereport(ERROR,
				(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
				 errmsg("a dayset cannot hold the day of an infinite time")));
	day = day_of(time);

	if (PG_ARGISNULL(0))
	{
		Dayset	   *state = make_bitmap(word_start(day), 1);

		set_bit(state, word_start(day), day);
		PG_RETURN_DAYSET_P(state);
	}
	PG_RETURN_DAYSET_P(add_day(get_state(fcinfo), day));
}

/* Transition of dayset_union(), and combine function of both. */
Datum
dayset_union_trans(PG_FUNCTION_ARGS)
{
	DayRuns		added;
	DayRuns		set;
	DayRuns		both;

	if (PG_ARGISNULL(1))
	{
		if (PG_ARGISNULL(0))
			PG_RETURN_NULL();
		PG_RETURN_DATUM(PG_GETARG_DATUM(0));
	}
	PG_GETARG_DAYRUNS(1, &added);
	if (PG_ARGISNULL(0))
		PG_RETURN_DAYSET_P(dayruns_to_dayset(&added));

	PG_GETARG_DAYRUNS(0, &set);
	both = dayruns_union_of(&set, &added);
	PG_RETURN_DAYSET_P(dayruns_to_dayset(&both));
}

Datum
dayset_agg_final(PG_FUNCTION_ARGS)
{
	DayRuns		set;

	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	PG_GETARG_DAYRUNS(0, &set);
	PG_RETURN_DAYSET_P(dayruns_to_dayset(&set));
}
