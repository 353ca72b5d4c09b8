/*-------------------------------------------------------------------------
 *
 * journal_days.c
 *		What rows of the journal add to the days of their identities.
 *
 * The journal has whole sets of days of identities, some of them known already,
 * some twice, when two sessions learned the same.  So it is not enough to count
 * its rows: all rows of an identity are united, and compared with what is stored
 * of it.  When some of them were counted before, what these added is taken off
 * again, so that it does not matter in how many parts a journal is counted.
 *
 * Owns what a day in the journal counts for.  Must never write.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "baseline/baseline_cache.h"
#include "baseline/journal_days.h"
#include "baseline/settled.h"
#include "baseline/stored_members.h"
#include "config/catalogue.h"
#include "config/settings.h"
#include "miscadmin.h"
#include "utils/memutils.h"

/* What rows of an identity say together. */
typedef struct IdentityRows
{
	bool		any;
	int			kinds;
	DayRuns		days[SUM_KINDS];
} IdentityRows;

/* An identity while its rows are read. */
typedef struct JournalIdentity
{
	Event		event;			/* the operation that is asked for, and the identity */
	IdentityRows all;
	IdentityRows counted;		/* those of them that what is kept has */
	int64		first_place;	/* of the row by which it is met */
	ItemPointerData first;
	struct JournalIdentity *next;	/* of the same hash */
} JournalIdentity;

/* Identities that were met, as far as there is room: a row of one of them is not looked at again. */
#define MET_SLOTS 1024

typedef struct Met
{
	Fingerprint slots[MET_SLOTS];
} Met;

HTAB *
journal_days_make(MemoryContext context)
{
	HASHCTL		control = {.keysize = sizeof(DayKey), .entrysize = sizeof(DaySum), .hcxt = context};

	return hash_create("iamwatch journal sums", 64, &control, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
}

StoredSum *
journal_days_sum(HTAB *days, DayKey key, HASHACTION action)
{
	bool		found;
	DaySum	   *entry = hash_search(days, &key, action, &found);

	if (entry != NULL && !found)
		entry->sum = (StoredSum) {0, 0};
	return entry == NULL ? NULL : &entry->sum;
}

/* ---- an identity ---- */

static void
add_fresh(HTAB *days, SumKind kind, bool is_user, const DayRuns *with,
		  const DayRuns *without, bool settled, int sign)
{
	DayRuns		fresh = dayruns_difference_of(with, without);

	for (int i = 0; i < fresh.n; i++)
		for (int32 day = fresh.runs[i].lo; day <= fresh.runs[i].hi; day++)
		{
			StoredSum  *sum = journal_days_sum(days, (DayKey) {day, kind, is_user}, HASH_ENTER);

			if (settled)
				sum->settled += sign;
			else
				sum->all += sign;
		}
}

/* From when its days count for peers, with some rows. */
static int32
settled_with(const StoredIdentity *stored, const IdentityRows *rows)
{
	DayRuns		first_days = dayruns_union_of(&stored->first_days, &rows->days[SUM_ANYTHING]);

	return settled_from(&first_days);
}

static void
add_rows(const Counted *counted, const StoredIdentity *stored, const DayRuns *old,
		 const DayRuns *excluded, const IdentityRows *rows, int sign)
{
	bool		is_user = ((rows->kinds | stored->kinds) & KINDS_OF_PEOPLE) != 0;
	int32		old_from = settled_from(&stored->first_days);
	int32		from = settled_with(stored, rows);

	for (int kind = counted->first; kind <= counted->last; kind++)
	{
		DayRuns		all;
		DayRuns		known;
		DayRuns		settled;
		DayRuns		old_settled;

		if (rows->days[kind].n == 0 && from == old_from)
			continue;
		all = dayruns_union_of(&old[kind], &rows->days[kind]);
		known = old[kind];
		if (kind == SUM_OPERATION)
		{
			all = dayruns_difference_of(&all, excluded);
			known = dayruns_difference_of(&known, excluded);
		}
		settled = dayruns_part_of(&all, from, PG_INT32_MAX);
		old_settled = dayruns_part_of(&known, old_from, PG_INT32_MAX);
		add_fresh(counted->days, kind, is_user, &all, &known, false, sign);
		add_fresh(counted->days, kind, is_user, &settled, &old_settled, true, sign);
	}
}

/* Stored days may count for peers by what the journal has. */
static void
note_earlier(Earlier *earlier, const StoredIdentity *stored, const IdentityRows *rows)
{
	int32		old_from = settled_from(&stored->first_days);
	int32		from = settled_with(stored, rows);

	if (stored->identity_id == 0 || from >= old_from ||
		dayruns_count(&stored->days, from, old_from - 1) == 0)
		return;
	for (int i = 0; i < earlier->count; i++)
		if (earlier->ids[i] == stored->identity_id)
			return;
	if (earlier->count == MOST_EARLIER)
		earlier->count = TOO_MANY_EARLIER;
	if (earlier->count != TOO_MANY_EARLIER)
		earlier->ids[earlier->count++] = stored->identity_id;
}

/* Compare an identity with what is stored of it. */
static void
add_identity(const Counted *counted, const JournalIdentity *identity)
{
	StoredIdentity stored;
	DayRuns		old[SUM_KINDS];
	DayRuns		excluded;

	if (counted->account_id == 0 || !stored_identity(counted->account_id, &identity->event, &stored))
	{
		memset(&stored, 0, sizeof(stored));
		dayruns_init(&stored.first_days);
		dayruns_init(&stored.days);
		dayruns_init(&stored.iam_days);
	}
	old[SUM_ANYTHING] = stored.days;
	old[SUM_IAM] = stored.iam_days;
	dayruns_init(&old[SUM_OPERATION]);
	dayruns_init(&excluded);
	if (counted->first == SUM_OPERATION)
	{
		if (stored.identity_id != 0)
			stored_behaviour_days(counted->account_id, stored.identity_id, &identity->event,
								  &old[SUM_OPERATION]);
		if (counted->has_excluded)
			stored_excluded_days(&identity->event, &excluded);
	}
	add_rows(counted, &stored, old, &excluded, &identity->all, 1);
	if (identity->counted.any)
		add_rows(counted, &stored, old, &excluded, &identity->counted, -1);
	if (counted->earlier != NULL)
		note_earlier(counted->earlier, &stored, &identity->all);
}

bool
journal_is_iam(const Event *event)
{
	const Operation *operation;

	if (event->operation.s == NULL)
		return false;
	if (!settings_watch_more())
		return true;
	operation = catalogue_get(event->provider, event->service, event->operation);
	return operation == NULL || operation->is_iam;
}

static bool
is_of_operation(const StoredDelta *delta, const Event *asked)
{
	const Event *event = &delta->event;

	return event->operation.s != NULL && asked->operation.s != NULL &&
		event->failed == asked->failed && slice_equal(event->operation, asked->operation) &&
		slice_equal(event->service, asked->service);
}

static void
add_delta(IdentityRows *rows, const StoredDelta *delta, const Event *asked)
{
	rows->any = true;
	rows->kinds |= delta->kinds;
	dayruns_add_all(&rows->days[SUM_ANYTHING], &delta->days);
	if (journal_is_iam(&delta->event))
		dayruns_add_all(&rows->days[SUM_IAM], &delta->days);
	if (is_of_operation(delta, asked))
		dayruns_add_all(&rows->days[SUM_OPERATION], &delta->days);
}

static void
init_identity(JournalIdentity *identity, const Event *asked, Slice name)
{
	memset(identity, 0, sizeof(*identity));
	identity->event = *asked;
	identity->event.identity = name;
	for (int kind = 0; kind < SUM_KINDS; kind++)
	{
		dayruns_init(&identity->all.days[kind]);
		dayruns_init(&identity->counted.days[kind]);
	}
}

/* ---- all rows of the account, identity by identity ---- */

/* While the rows of one hash come by. */
typedef struct Reading
{
	const Event *asked;
	MemoryContext memory;		/* of a hash, or of an identity */
	const Counted *counted;
	uint64		hash;
	JournalIdentity *identities;
	int64		rows;
} Reading;

static void
end_of_hash(Reading *reading)
{
	MemoryContext outer = MemoryContextSwitchTo(reading->memory);

	for (JournalIdentity *i = reading->identities; i != NULL; i = i->next)
		add_identity(reading->counted, i);
	MemoryContextSwitchTo(outer);
	reading->identities = NULL;
	MemoryContextReset(reading->memory);
}

static JournalIdentity *
identity_of(Reading *reading, Slice name)
{
	JournalIdentity *identity = reading->identities;
	char	   *copy;

	while (identity != NULL && !slice_equal(identity->event.identity, name))
		identity = identity->next;
	if (identity != NULL)
		return identity;
	identity = palloc(sizeof(JournalIdentity));
	copy = palloc(name.len + 1);
	memcpy(copy, name.s, name.len);
	init_identity(identity, reading->asked, (Slice) {copy, name.len});
	identity->next = reading->identities;
	reading->identities = identity;
	return identity;
}

/* The index has the rows of a hash side by side, so memory does not grow with the journal. */
static void
take_row(const StoredDelta *delta, void *arg)
{
	Reading    *reading = arg;
	uint64		hash = slice_hash(delta->event.identity, 0);
	MemoryContext outer;

	CHECK_FOR_INTERRUPTS();
	if (reading->identities != NULL && hash != reading->hash)
		end_of_hash(reading);
	reading->hash = hash;
	reading->rows++;
	outer = MemoryContextSwitchTo(reading->memory);
	add_delta(&identity_of(reading, delta->event.identity)->all, delta, reading->asked);
	MemoryContextSwitchTo(outer);
}

int64
journal_count_all(const Counted *counted, const Event *asked)
{
	Reading		reading = {.asked = asked, .counted = counted};

	reading.memory = AllocSetContextCreate(CurrentMemoryContext, "iamwatch journal identity",
										   ALLOCSET_SMALL_SIZES);
	stored_journal_rows(asked, take_row, &reading);
	end_of_hash(&reading);
	MemoryContextDelete(reading.memory);
	return reading.rows;
}

/* ---- some rows, and all others of their identities ---- */

typedef struct Meeting
{
	const Event *asked;
	Fingerprint account;
	const JournalMoment *moment;	/* rows that it has are counted; or NULL */
	const Counted *counted;
	MemoryContext memory;		/* of an identity */
	Met		   *met;
	JournalIdentity identity;
	int64		rows;
} Meeting;

static void
begin_meeting(Meeting *meeting, const Event *asked, const Counted *counted)
{
	memset(meeting, 0, sizeof(*meeting));
	meeting->asked = asked;
	meeting->counted = counted;
	meeting->account = fingerprint_account(asked);
	meeting->met = palloc0(sizeof(Met));
	meeting->memory = AllocSetContextCreate(CurrentMemoryContext, "iamwatch journal identity",
											ALLOCSET_SMALL_SIZES);
}

static void
end_meeting(Meeting *meeting)
{
	MemoryContextDelete(meeting->memory);
	pfree(meeting->met);
}

/* Is the row one by which identities are met? */
static bool
is_for_meeting(const Meeting *meeting, const StoredDelta *delta)
{
	return meeting->moment != NULL ? !journal_moment_has(meeting->moment, delta->place) :
		is_of_operation(delta, meeting->asked);
}

static void
take_of_identity(const StoredDelta *delta, void *arg)
{
	Meeting    *meeting = arg;
	JournalIdentity *identity = &meeting->identity;

	add_delta(&identity->all, delta, meeting->asked);
	if (meeting->moment != NULL && journal_moment_has(meeting->moment, delta->place))
		add_delta(&identity->counted, delta, meeting->asked);
	if (!is_for_meeting(meeting, delta))
		return;
	/* in the order in which these rows come by */
	if (!ItemPointerIsValid(&identity->first) ||
		(meeting->moment != NULL && delta->place < identity->first_place) ||
		((meeting->moment == NULL || delta->place == identity->first_place) &&
		 ItemPointerCompare((ItemPointer) &delta->at, &identity->first) < 0))
	{
		identity->first = delta->at;
		identity->first_place = delta->place;
	}
}

static void
read_identity(Meeting *meeting, Slice name)
{
	init_identity(&meeting->identity, meeting->asked, name);
	stored_journal(&meeting->identity.event, take_of_identity, meeting);
}

/* An identity counts when the first of its rows comes by, since there is not room for all. */
static void
meet_by_row(const StoredDelta *delta, void *arg)
{
	Meeting    *meeting = arg;
	Fingerprint key = fingerprint_identity(meeting->account, &delta->event);
	Fingerprint *slot = &meeting->met->slots[key.a % MET_SLOTS];
	MemoryContext outer;

	CHECK_FOR_INTERRUPTS();
	if (!is_for_meeting(meeting, delta))
		return;
	meeting->rows++;
	if (slot->a == key.a && slot->b == key.b)
		return;
	*slot = key;
	outer = MemoryContextSwitchTo(meeting->memory);
	read_identity(meeting, delta->event.identity);
	if (ItemPointerEquals(&meeting->identity.first, (ItemPointer) &delta->at))
		add_identity(meeting->counted, &meeting->identity);
	MemoryContextSwitchTo(outer);
	MemoryContextReset(meeting->memory);
}

int64
journal_count_since(const Counted *counted, const Event *asked, const JournalMoment *moment)
{
	Meeting		meeting;
	PlaceRange *ranges;
	int			n = journal_moment_rest(moment, &ranges);

	begin_meeting(&meeting, asked, counted);
	meeting.moment = moment;
	for (int i = 0; i < n; i++)
		stored_journal_places(asked, ranges[i].from, ranges[i].to, meet_by_row, &meeting);
	end_meeting(&meeting);
	return meeting.rows;
}

/* Whose stored days count for peers by the journal, and of whom it does not say the operation. */
static void
meet_earlier(int i, const StoredMember *member, void *arg)
{
	Meeting    *meeting = arg;
	MemoryContext outer = MemoryContextSwitchTo(meeting->memory);

	read_identity(meeting, member->name);
	if (!ItemPointerIsValid(&meeting->identity.first))
		add_identity(meeting->counted, &meeting->identity);
	MemoryContextSwitchTo(outer);
	MemoryContextReset(meeting->memory);
}

static int
compare_ids(const void *a, const void *b)
{
	int64		left = *(const int64 *) a;
	int64		right = *(const int64 *) b;

	return (left > right) - (left < right);
}

void
journal_count_operation(const Counted *counted, const Event *asked, const Earlier *earlier)
{
	Meeting		meeting;
	Earlier		sorted = *earlier;

	if (earlier->count == TOO_MANY_EARLIER)
	{
		(void) journal_count_all(counted, asked);
		return;
	}
	begin_meeting(&meeting, asked, counted);
	stored_journal_operation(asked, meet_by_row, &meeting);
	qsort(sorted.ids, sorted.count, sizeof(int64), compare_ids);
	if (sorted.count > 0)
		stored_members(counted->account_id, sorted.ids, sorted.count, meet_earlier, &meeting);
	end_meeting(&meeting);
}
