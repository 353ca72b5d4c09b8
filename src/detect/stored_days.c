/*-------------------------------------------------------------------------
 *
 * stored_days.c
 *		An aggregate over stored events: the days of each baseline key.
 *
 * Of a million stored events, nearly all are of an identity and an operation
 * that other events of the same day have named already.  To give every event a
 * key, and to group rows by it, took as long as to read the documents.  So one
 * aggregate takes all documents: it looks up what an event is of by its
 * fingerprint, which takes no memory, and makes a key of the first one only.
 *
 * The state is a bytea, which travels between processes and nodes.  While an
 * aggregate adds to it, it is one that the server calls expanded: a table in
 * memory, which is packed when the value is passed on.  So each process of a
 * parallel query has a table of its own, and none needs to know the others'.
 * What several have of a key is united at the end (stored_days_rows.c):
 *
 *		SELECT d.*
 *		FROM (SELECT stored_days(document, since, until) AS packed FROM source) AS s
 *		CROSS JOIN LATERAL stored_days_rows(s.packed) AS d
 *
 * The table has a bound.  A process in which it is reached stops reading, and
 * the result is that there is none: then the keys are to be grouped by the
 * server, which has a disk for it (source_queries.c).
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "baseline/baseline_cache.h"
#include "baseline/dayset.h"
#include "detect/baseline_key.h"
#include "detect/stored_days.h"
#include "event/limits.h"
#include "funcapi.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/expandeddatum.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

PG_FUNCTION_INFO_V1(iamwatch_stored_days_add);
PG_FUNCTION_INFO_V1(iamwatch_stored_days_combine);

/* Of most processors, in bytes. */
#define CACHE_LINE		64

/* Small, so that most of the table is in the processor's cache. */
typedef struct FoundDays
{
	Fingerprint key;			/* of baseline key and number */
	KeyDays		days;
	char	   *baseline_key;
	int32		length;
	int32		number;
	uint32		status;
} FoundDays;

#define SH_PREFIX found_days
#define SH_ELEMENT_TYPE FoundDays
#include "baseline/fingerprint_table.h"
#include "server/source.h"

/* An event that is not in the table yet. */
typedef struct WaitingEvent
{
	Fingerprint fingerprint;
	TimestampTz time;
	int32		number;
	int			bit;			/* its day in the word */
	Size		length;			/* of its baseline key; 0 if none is waiting */
	Size		capacity;
	char	   *key;
} WaitingEvent;

/* Of one process, or of several that are combined. */
typedef struct StoredDays
{
	ExpandedObjectHeader header;	/* whose context has all of it */
	found_days_hash *found;
	Size		key_bytes;		/* of all keys in the table */
	WaitingEvent waiting;
	int64		refused;		/* documents without a key */
	bool		overflowed;
	StringInfoData others;		/* packed, of other processes */
} StoredDays;

/*
 * To read history is maintenance, for which more memory may be set than for a
 * query; but all processes' tables must pack into one value.
 */
static Size
most_bytes(void)
{
	return Min(Max(get_hash_memory_limit(), (Size) maintenance_work_mem * 1024), 64 * 1024 * 1024);
}

static int32
word_number(int32 day)
{
	return day >= 0 ? day / DAYS_IN_WORD : -((-(day + 1)) / DAYS_IN_WORD) - 1;
}

/*
 * Take the event that waits into the table.  With thousands of identities, its
 * entry is in no cache of the processor, so it is fetched when the event comes,
 * and looked at when the next one has been read.
 */
static void
settle_waiting(StoredDays *state)
{
	WaitingEvent *event = &state->waiting;
	FoundDays  *found;
	bool		is_known;

	if (event->length == 0)
		return;
	found = found_days_insert(state->found, event->fingerprint, &is_known);
	if (!is_known)
	{
		found->days = (KeyDays) {.first = event->time};
		found->number = event->number;
		found->length = event->length;
		found->baseline_key = memcpy(MemoryContextAlloc(state->header.eoh_context, event->length), event->key, event->length);
		state->key_bytes += event->length;
		/* while it grows, a table needs half as much again */
		state->overflowed = MemoryContextMemAllocated(state->header.eoh_context, false) > most_bytes() / 3 * 2;
	}
	found->days.events++;
	found->days.days |= UINT64CONST(1) << event->bit;
	found->days.first = Min(found->days.first, event->time);
	event->length = 0;
}

static inline void
prefetch_days(const StoredDays *state, Fingerprint fingerprint)
{
#ifdef __GNUC__
	FoundDays  *entry = &state->found->data[(uint32) fingerprint.a & state->found->sizemask];

	__builtin_prefetch(entry);
	__builtin_prefetch(&entry->status);
#endif
}

/*
 * What is read of a document lies in a dozen places of it, and a page that has
 * just come from the disk is in no near cache of the processor.
 */
static inline void
prefetch_document(const Jsonb *document)
{
#ifdef __GNUC__
	const char *end = (const char *) document + Min(VARSIZE(document), 2048);

	for (const char *line = (const char *) document; line < end; line += CACHE_LINE)
		__builtin_prefetch(line);
#endif
}

static void
add_event(StoredDays *state, const Event *event)
{
	const Operation *operation = catalogue_find(event->provider, event->service, event->operation);
	WaitingEvent *waiting = &state->waiting;
	Fingerprint fingerprint = fingerprint_identity(fingerprint_account(event), event);

	settle_waiting(state);
	/* what tells keys apart in this process, as the key does everywhere */
	if (operation != NULL)
		fingerprint = fingerprint_behaviour(fingerprint, event);
	fingerprint.b += 1 + event->kind;
	waiting->number = word_number(event->day);
	waiting->bit = event->day - waiting->number * DAYS_IN_WORD;
	fingerprint.a += waiting->number;
	prefetch_days(state, fingerprint);
	waiting->fingerprint = fingerprint;
	waiting->time = event->time;
	waiting->length = baseline_key_size(event, operation);
	if (waiting->length > waiting->capacity)
	{
		waiting->capacity = waiting->length * 2;
		waiting->key = waiting->key == NULL ? MemoryContextAlloc(state->header.eoh_context, waiting->capacity) :
			repalloc(waiting->key, waiting->capacity);
	}
	baseline_key_write(event, operation, waiting->key);
}

static Size
packed_size(ExpandedObjectHeader *header)
{
	StoredDays *state = (StoredDays *) header;

	settle_waiting(state);
	if (state->overflowed)
		return VARHDRSZ + PACKED_HEADER;
	return VARHDRSZ + PACKED_HEADER + state->found->members * sizeof(PackedDays) + state->key_bytes +
		(state->refused > 0 ? sizeof(PackedDays) : 0) + state->others.len;
}

static char *
pack_days(char *at, PackedDays days, const char *key)
{
	memcpy(at, &days, sizeof(days));
	at += sizeof(days);
	if (days.length <= 0)
		return at;
	memcpy(at, key, days.length);
	return at + days.length;
}

static char *
pack_all(char *at, const StoredDays *state)
{
	found_days_iterator iterator;
	FoundDays  *found;

	found_days_start_iterate(state->found, &iterator);
	while ((found = found_days_iterate(state->found, &iterator)) != NULL)
		at = pack_days(at, (PackedDays) {found->days, found->number, found->length}, found->baseline_key);
	if (state->refused > 0)
		at = pack_days(at, (PackedDays) {{.events = state->refused}, 0, -1}, NULL);
	memcpy(at, state->others.data, state->others.len);
	return at + state->others.len;
}

static void
pack(ExpandedObjectHeader *header, void *result, Size size)
{
	StoredDays *state = (StoredDays *) header;
	char	   *at = (char *) result + VARHDRSZ;

	SET_VARSIZE(result, size);
	*at++ = state->overflowed;
	if (!state->overflowed)
		at = pack_all(at, state);
	Assert(at == (char *) result + size);
}

static const ExpandedObjectMethods methods = {packed_size, pack};

static void
add_packed(StoredDays *state, const bytea *packed)
{
	const char *bytes = VARDATA_ANY(packed);
	int			length = VARSIZE_ANY_EXHDR(packed);

	if (length < PACKED_HEADER)
		return;
	state->overflowed |= bytes[0] != 0;
	if (!state->overflowed)
		appendBinaryStringInfo(&state->others, bytes + PACKED_HEADER, length - PACKED_HEADER);
}

/* The state that an aggregate has so far, to be added to. */
static StoredDays *
state_of(FunctionCallInfo fcinfo)
{
	MemoryContext context;
	MemoryContext outer;
	StoredDays *state;

	if (!AggCheckCallContext(fcinfo, &context))
		elog(ERROR, "a part of iamwatch_internal.stored_days() was called outside of it");
	if (!PG_ARGISNULL(0) && VARATT_IS_EXTERNAL_EXPANDED_RW(DatumGetPointer(PG_GETARG_DATUM(0))) &&
		DatumGetEOHP(PG_GETARG_DATUM(0))->eoh_methods == &methods)
		return (StoredDays *) DatumGetEOHP(PG_GETARG_DATUM(0));

	context = AllocSetContextCreate(context, "iamwatch stored days", ALLOCSET_DEFAULT_SIZES);
	outer = MemoryContextSwitchTo(context);
	state = palloc0(sizeof(StoredDays));
	EOH_init_header(&state->header, &methods, context);
	state->found = found_days_create(context, 64, NULL);
	initStringInfo(&state->others);
	if (!PG_ARGISNULL(0))
		add_packed(state, PG_GETARG_BYTEA_PP(0));
	MemoryContextSwitchTo(outer);
	return state;
}

/*
 * stored_days_add(bytea, jsonb, since timestamptz, until timestamptz) RETURNS
 * bytea
 */
Datum
iamwatch_stored_days_add(PG_FUNCTION_ARGS)
{
	StoredDays *state = state_of(fcinfo);
	Jsonb	   *document = NULL;
	Event		event;

	source_tick();
	if (state->overflowed)
		PG_RETURN_DATUM(EOHPGetRWDatum(&state->header));
	if (!PG_ARGISNULL(1))
	{
		document = PG_GETARG_JSONB_P(1);
		prefetch_document(document);
	}
	catalogue_load();
	if (limits_refusal(document, &event) != NULL)
		state->refused++;
	else if ((PG_ARGISNULL(2) || event.time >= PG_GETARG_TIMESTAMPTZ(2)) &&
			 (PG_ARGISNULL(3) || event.time < PG_GETARG_TIMESTAMPTZ(3)))
		add_event(state, &event);
	PG_RETURN_DATUM(EOHPGetRWDatum(&state->header));
}

/* stored_days_combine(bytea, bytea) RETURNS bytea */
Datum
iamwatch_stored_days_combine(PG_FUNCTION_ARGS)
{
	StoredDays *state = state_of(fcinfo);

	if (!PG_ARGISNULL(1))
		add_packed(state, PG_GETARG_BYTEA_PP(1));
	PG_RETURN_DATUM(EOHPGetRWDatum(&state->header));
}
