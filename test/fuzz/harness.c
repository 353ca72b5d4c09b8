/*-------------------------------------------------------------------------
 *
 * harness.c
 *		Fuzzes the code that needs no server: sets of days, times, scores.
 *
 * The first byte of an input says what the rest is taken for.  Whatever comes
 * in, it is read or refused with an SQLSTATE of the right kind; and what was
 * read obeys the laws of its kind.  A law that does not hold aborts.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "../../src/server/compat.h"
#include "../../src/baseline/dayset.h"
#include "../../src/event/rfc3339.h"
#include "../../src/detect/score.h"
#include "utils/date.h"
#include "utils/datetime.h"
#include "harness.h"

extern Datum dayset_in(PG_FUNCTION_ARGS);
extern Datum dayset_out(PG_FUNCTION_ARGS);
extern Datum dayset_recv(PG_FUNCTION_ARGS);
extern Datum dayset_send(PG_FUNCTION_ARGS);
extern Datum dayset_agg_trans(PG_FUNCTION_ARGS);
extern Datum dayset_agg_final(PG_FUNCTION_ARGS);
extern Datum dayset_union_trans(PG_FUNCTION_ARGS);
extern int	LLVMFuzzerTestOneInput(const uint8 *data, size_t size);

#define MUST(condition) \
	do { \
		if (!(condition)) \
		{ \
			fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #condition); \
			abort(); \
		} \
	} while (0)

static Datum
call(PGFunction function, Datum a, bool a_null, Datum b, bool *isnull)
{
	LOCAL_FCINFO(fcinfo, 2);
	Datum		result;

	InitFunctionCallInfoData(*fcinfo, NULL, 2, InvalidOid, NULL, NULL);
	fcinfo->args[0].value = a;
	fcinfo->args[0].isnull = a_null;
	fcinfo->args[1].value = b;
	fcinfo->args[1].isnull = false;
	result = function(fcinfo);
	if (isnull != NULL)
		*isnull = fcinfo->isnull;
	return result;
}

static Dayset *
receive(const char *bytes, int length)
{
	StringInfoData buf = {.data = (char *) bytes, .len = length, .maxlen = length};

	return (Dayset *) DatumGetPointer(call(dayset_recv, PointerGetDatum(&buf), false, 0, NULL));
}

static char *
text_of(const Dayset *set)
{
	return DatumGetCString(call(dayset_out, PointerGetDatum(set), false, 0, NULL));
}

static bool
same(const Dayset *a, const Dayset *b)
{
	return VARSIZE(a) == VARSIZE(b) && memcmp(a, b, VARSIZE(a)) == 0;
}

static int64
size_of(const DayRuns *set)
{
	return dayruns_count(set, PG_INT32_MIN, PG_INT32_MAX);
}

static Dayset *
get(const Dayset *stored, DayRuns *set)
{
	dayruns_init(set);
	dayruns_from_dayset(stored, set);
	for (int i = 0; i < set->n; i++)
	{
		MUST(set->runs[i].lo <= set->runs[i].hi);
		MUST(i == 0 || set->runs[i].lo > set->runs[i - 1].hi + 1);
		MUST(dayset_valid_day(set->runs[i].lo) && dayset_valid_day(set->runs[i].hi));
	}
	return dayruns_to_dayset(set);
}

/* Text and wire give the same set back. */
static void
check_forms(const Dayset *set)
{
	DayRuns		runs;
	bytea	   *sent = DatumGetByteaP(call(dayset_send, PointerGetDatum(set), false, 0, NULL));

	MUST(same(get(set, &runs), set));
	MUST(same(receive(VARDATA(sent), VARSIZE(sent) - VARHDRSZ), set));
	MUST(same((Dayset *) DatumGetPointer(call(dayset_in, CStringGetDatum(text_of(set)), false, 0, NULL)), set));
}

static void
check_algebra(const Dayset *x, const Dayset *y)
{
	DayRuns		a, b, both, common, a_only, again;

	get(x, &a);
	get(y, &b);
	dayruns_init(&both);
	dayruns_init(&common);
	dayruns_init(&a_only);
	dayruns_init(&again);
	dayruns_union(&both, &a, &b);
	dayruns_intersect(&common, &a, &b);
	dayruns_subtract(&a_only, &a, &b);
	dayruns_union(&again, &a_only, &common);
	MUST(size_of(&both) + size_of(&common) == size_of(&a) + size_of(&b));
	MUST(size_of(&a_only) + size_of(&common) == size_of(&a));
	MUST(dayruns_compare(&again, &a) == 0);
	MUST((dayruns_compare(&a, &b) == 0) == same(x, y));
	MUST(dayruns_compare(&a, &b) == -dayruns_compare(&b, &a));
	for (int i = 0; i < a.n; i++)
	{
		MUST(dayruns_contains(&both, a.runs[i].lo) && dayruns_contains(&both, a.runs[i].hi));
		MUST(dayruns_contains(&common, a.runs[i].lo) == dayruns_contains(&b, a.runs[i].lo));
		MUST(dayruns_contains(&a_only, a.runs[i].hi) != dayruns_contains(&b, a.runs[i].hi));
	}
	check_forms(dayruns_to_dayset(&both));
}

static void
fuzz_binary(const char *data, int size)
{
	int			first = size > 0 ? (uint8) data[0] * (size - 1) / 255 : 0;
	Dayset	   *a;

	if (size == 0)
		return;
	a = receive(data + 1, first);
	check_forms(a);
	check_algebra(a, receive(data + 1 + first, size - 1 - first));
}

static void
fuzz_text(const char *data, int size)
{
	char	   *text = palloc(size + 1);
	Dayset	   *set;

	memcpy(text, data, size);
	text[size] = '\0';
	set = (Dayset *) DatumGetPointer(call(dayset_in, CStringGetDatum(text), false, 0, NULL));
	check_forms(set);
}

/* Anything may lie on a damaged disk: it is read, or said to be damaged. */
static void
fuzz_stored(const char *data, int size)
{
	Dayset	   *stored = palloc(VARHDRSZ + size);
	DayRuns		set;

	if (size == 0)
		return;
	memcpy(&stored->version, data, size);
	SET_VARSIZE(stored, VARHDRSZ + size);
	check_forms(get(stored, &set));
}

/* The aggregate, and the union of the aggregates of two parts. */
static void
fuzz_aggregate(const char *data, int size)
{
	bool		whole_null = true;
	bool		part_null[2] = {true, true};
	Datum		whole = 0;
	Datum		part[2] = {0, 0};
	DayRuns		expected;

	dayruns_init(&expected);
	for (int i = 0; i + 5 <= size; i += 5)
	{
		int32		day;
		int64		time;
		int			to = i / 5 % 2;

		memcpy(&day, data + i, sizeof(day));
		day = data[i + 4] & 1 ? day % 4000 : day;
		if (!dayset_valid_day(day) || day >= TIMESTAMP_END_JULIAN - POSTGRES_EPOCH_JDATE)
			continue;
		time = (int64) day * USECS_PER_DAY + (uint8) data[i + 4] * (USECS_PER_DAY / 256);
		whole = call(dayset_agg_trans, whole, whole_null, TimestampTzGetDatum(time), &whole_null);
		part[to] = call(dayset_agg_trans, part[to], part_null[to], TimestampTzGetDatum(time), &part_null[to]);
		dayruns_add(&expected, day, day);
	}
	if (whole_null)
		return;
	whole = call(dayset_agg_final, whole, false, 0, NULL);
	MUST(same((Dayset *) DatumGetPointer(whole), dayruns_to_dayset(&expected)));
	if (!part_null[1])
		part[0] = call(dayset_union_trans, part[0], part_null[0], part[1], NULL);
	part[0] = call(dayset_agg_final, part[0], false, 0, NULL);
	MUST(same((Dayset *) DatumGetPointer(part[0]), (Dayset *) DatumGetPointer(whole)));
	check_forms((Dayset *) DatumGetPointer(whole));
}

/* What is read can be written, and is read as the same again. */
static void
fuzz_time(const char *data, int size)
{
	char	   *exact = palloc(size);
	char		text[64];
	TimestampTz time, again;
	int32		day, same_day;
	int			year, month, mday;
	int64		of_day;

	memcpy(exact, data, size);
	if (!rfc3339_read(exact, size, &time, &day))
		return;
	of_day = time - (int64) day * USECS_PER_DAY;
	MUST(of_day >= 0 && of_day < USECS_PER_DAY);
	j2date(day + POSTGRES_EPOCH_JDATE, &year, &month, &mday);
	if (year < 0 || year > 9999)
		return;
	snprintf(text, sizeof(text), "%04d-%02d-%02dT%02d:%02d:%02d.%06dZ", year, month, mday,
			 (int) (of_day / USECS_PER_HOUR), (int) (of_day / USECS_PER_MINUTE % 60),
			 (int) (of_day / USECS_PER_SEC % 60), (int) (of_day % USECS_PER_SEC));
	MUST(rfc3339_read(text, strlen(text), &again, &same_day));
	MUST(again == time && same_day == day);
}

static void
fuzz_score(const char *data, int size)
{
	int32		k, active;
	int64		peer_days, peer_active;
	double		p;

	if (size < 24)
		return;
	memcpy(&k, data, 4);
	memcpy(&active, data + 4, 4);
	memcpy(&peer_days, data + 8, 8);
	memcpy(&peer_active, data + 16, 8);
	if (k < 0 || active < k || peer_days < 0 || peer_active < peer_days)
		return;
	p = score_probability(k, active, peer_days, peer_active);
	MUST(p > 0 && p <= 1);
	MUST(score_surprise(p) >= 0 && isfinite(score_surprise(p)));
	if (active > k)
		MUST(score_probability(k + 1, active, peer_days, peer_active) >= p);
	MUST(score_probability(k, active, peer_days, PG_INT64_MAX) <= p);
}

static void (*const kinds[]) (const char *, int) = {
	fuzz_binary, fuzz_text, fuzz_stored, fuzz_aggregate, fuzz_time, fuzz_score
};

static bool
expected_error(int kind)
{
	switch (harness_sqlstate)
	{
		case ERRCODE_INVALID_TEXT_REPRESENTATION:
		case ERRCODE_DATETIME_FIELD_OVERFLOW:
			return kind == 1;
		case ERRCODE_INVALID_BINARY_REPRESENTATION:
			return kind == 0;
		case ERRCODE_DATA_CORRUPTED:
			return kind == 2;
		default:
			return false;
	}
}

int
LLVMFuzzerTestOneInput(const uint8 *data, size_t size)
{
	int			kind;

	if (size == 0)
		return 0;
	kind = (data[0] & 0x7F) % lengthof(kinds);
	if (sigsetjmp(harness_error, 0) == 0)
		kinds[kind] ((const char *) data + 1, (int) size - 1);
	else
		MUST(expected_error(kind));
	harness_free_all();
	return 0;
}
