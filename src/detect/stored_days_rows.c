/*-------------------------------------------------------------------------
 *
 * stored_days_rows.c
 *		The days of each baseline key, from what the aggregate over stored
 *		events has packed (stored_days.c).
 *
 * Each process of a parallel query has packed its own, in words of 64 days.  To
 * unite them here, by key, takes a tenth of what it took to make a row of each
 * word and to have the server group these: all of it was in one process, while
 * the others had nothing to do.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "baseline/baseline_cache.h"
#include "baseline/dayset.h"
#include "detect/baseline_key.h"
#include "detect/stored_days.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "port/pg_bitutils.h"
#include "server/quick_hash.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

PG_FUNCTION_INFO_V1(iamwatch_stored_days_rows);

/* The words of a key, in order of their numbers. */
typedef struct UnitedWord
{
	int32		number;
	uint64		days;
	struct UnitedWord *next;
} UnitedWord;

typedef struct UnitedKey
{
	const char *key;
	int32		length;
	TimestampTz first;
	int64		events;
	UnitedWord	word;			/* mostly the only one, or one of two */
	struct UnitedKey *next;		/* that came up after it */
} UnitedKey;

typedef struct UnitedEntry
{
	Fingerprint key;
	UnitedKey  *united;
	uint32		status;
} UnitedEntry;

#define SH_PREFIX united
#define SH_ELEMENT_TYPE UnitedEntry
#include "baseline/fingerprint_table.h"

/* In the order in which they came up. */
typedef struct UnitedKeys
{
	united_hash *found;
	UnitedKey  *first;
	UnitedKey **last;
	int64		refused;		/* documents without a key */
} UnitedKeys;

static void
refuse_packed(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
			 errmsg("invalid days of stored events")));
}

/* The next of what is packed, and where its key lies; false at the end. */
static bool
next_days(const char **at, const char *end, PackedDays *days, const char **key)
{
	if (*at == end)
		return false;
	if (end - *at < (ptrdiff_t) sizeof(PackedDays))
		refuse_packed();
	memcpy(days, *at, sizeof(PackedDays));
	*key = *at + sizeof(PackedDays);
	if (days->length < -1 || days->length > end - *key)
		refuse_packed();
	*at = *key + Max(days->length, 0);
	return true;
}

static Fingerprint
fingerprint_of(Slice key)
{
	return (Fingerprint) {
		quick_hash(key, quick_seed(0, &quick_keys[0]), &quick_keys[0]),
		quick_hash(key, quick_seed(0, &quick_keys[1]), &quick_keys[1])
	};
}

static void
add_word(UnitedKey *united, int32 number, uint64 days)
{
	UnitedWord *word = &united->word;

	/* the first of a key has a place of its own, so an earlier one goes there */
	if (number < word->number)
	{
		UnitedWord *later = palloc(sizeof(UnitedWord));

		*later = *word;
		*word = (UnitedWord) {number, days, later};
		return;
	}
	while (word->next != NULL && word->next->number <= number)
		word = word->next;
	if (word->number == number)
		word->days |= days;
	else
	{
		UnitedWord *added = palloc(sizeof(UnitedWord));

		*added = (UnitedWord) {number, days, word->next};
		word->next = added;
	}
}

static void
add_packed(UnitedKeys *keys, const PackedDays *packed, const char *key)
{
	UnitedEntry *entry;
	bool		is_known;

	if (packed->length < 0)
	{
		keys->refused += packed->days.events;
		return;
	}
	entry = united_insert(keys->found, fingerprint_of((Slice) {key, packed->length}), &is_known);
	if (is_known)
	{
		entry->united->first = Min(entry->united->first, packed->days.first);
		entry->united->events += packed->days.events;
		add_word(entry->united, packed->number, packed->days.days);
		return;
	}
	entry->united = palloc(sizeof(UnitedKey));
	*entry->united = (UnitedKey) {
		key, packed->length, packed->days.first, packed->days.events, {packed->number, packed->days.days, NULL}, NULL
	};
	*keys->last = entry->united;
	keys->last = &entry->united->next;
}

static UnitedKeys *
unite(const char *at, const char *end)
{
	UnitedKeys *keys = palloc0(sizeof(UnitedKeys));
	PackedDays	packed;
	const char *key;

	quick_hash_init();
	keys->found = united_create(CurrentMemoryContext, 64, NULL);
	keys->last = &keys->first;
	for (int64 n = 0; next_days(&at, end, &packed, &key); n++)
	{
		if (n % 1024 == 0)
			CHECK_FOR_INTERRUPTS();
		add_packed(keys, &packed, key);
	}
	united_destroy(keys->found);
	return keys;
}

/* Runs of days that follow each other, from the lowest bit on. */
static void
add_days(DayRuns *set, const UnitedWord *word)
{
	int64		base = (int64) word->number * DAYS_IN_WORD;
	uint64		days = word->days;

	while (days != 0)
	{
		int			from = pg_rightmost_one_pos64(days);
		uint64		after = ~(days >> from);
		int			count = after == 0 ? DAYS_IN_WORD : pg_rightmost_one_pos64(after);

		if (!dayset_valid_day(base + from) || !dayset_valid_day(base + from + count - 1))
			refuse_packed();
		dayruns_add(set, base + from, base + from + count - 1);
		days = from + count == DAYS_IN_WORD ? 0 : days & ~UINT64CONST(0) << (from + count);
	}
}

static Datum
dayset_of(const UnitedKey *united)
{
	DayRuns		set;

	dayruns_init(&set);
	for (const UnitedWord *word = &united->word; word != NULL; word = word->next)
		add_days(&set, word);
	return PointerGetDatum(dayruns_to_dayset(&set));
}

/* The row of a key; of documents that are refused, if there is none. */
static Datum
make_row(TupleDesc desc, const UnitedKey *united, int64 refused)
{
	Datum		values[4] = {0};
	bool		nulls[4] = {true, true, true, false};

	values[3] = Int64GetDatum(united == NULL ? refused : united->events);
	if (united != NULL)
	{
		values[0] = PointerGetDatum(cstring_to_text_with_len(united->key, united->length));
		values[1] = dayset_of(united);
		values[2] = TimestampTzGetDatum(united->first);
		nulls[0] = nulls[1] = nulls[2] = false;
	}
	return HeapTupleGetDatum(heap_form_tuple(desc, values, nulls));
}

/* Nothing, if the table was too small or there was none. */
static UnitedKeys *
unite_all(const bytea *packed)
{
	const char *at = VARDATA(packed);
	const char *end = at + VARSIZE(packed) - VARHDRSZ;

	return at == end || *at != 0 ? unite(end, end) : unite(at + PACKED_HEADER, end);
}

/*
 * stored_days_rows(packed bytea) RETURNS SETOF (key bytea, days dayset, first
 * timestamptz, events bigint): one for each key, and one without a key for
 * documents that are refused.  Nothing if memory did not hold the days.
 */
Datum
iamwatch_stored_days_rows(PG_FUNCTION_ARGS)
{
	FuncCallContext *call;
	UnitedKeys *rest;
	Datum		row;

	if (SRF_IS_FIRSTCALL())
	{
		MemoryContext outer;

		call = SRF_FIRSTCALL_INIT();
		outer = MemoryContextSwitchTo(call->multi_call_memory_ctx);
		call->tuple_desc = baseline_key_desc(fcinfo);
		call->user_fctx = unite_all(PG_GETARG_BYTEA_P_COPY(0));
		MemoryContextSwitchTo(outer);
	}
	call = SRF_PERCALL_SETUP();
	rest = call->user_fctx;
	if (rest->first != NULL)
	{
		row = make_row(call->tuple_desc, rest->first, 0);
		rest->first = rest->first->next;
	}
	else if (rest->refused > 0)
	{
		row = make_row(call->tuple_desc, NULL, rest->refused);
		rest->refused = 0;
	}
	else
		SRF_RETURN_DONE(call);
	SRF_RETURN_NEXT(call, row);
}
