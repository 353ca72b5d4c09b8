/*-------------------------------------------------------------------------
 *
 * peers.c
 *		The peers that did the same, for people to recognise.
 *
 * The numbers of all of them are K and N.  Names are cut as other evidence is:
 * ten of them must not exceed what jsonb holds.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "baseline/settled.h"
#include "baseline/stored.h"
#include "baseline/stored_members.h"
#include "detect/peers.h"
#include "event/event_row.h"
#include "executor/executor.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/numeric.h"

#define MOST_PEERS 10
#define MOST_CHARACTERS 500

/* One that did the same, by its number. */
typedef struct PeerDays
{
	int64		identity_id;
	int64		most_days;		/* in the period; not all of them need count */
	DayRuns		did;			/* all days */
} PeerDays;

/* One of those to be shown. */
typedef struct Peer
{
	int64		days;			/* those that count */
	Slice		name;
} Peer;

typedef struct Peers
{
	const EventRow *row;
	int32		account_id;
	int32		since;
	int32		until;
	bool		has_excluded;
	bool		newcomer;		/* is the identity of the event one? */
	int			count;
	int			capacity;
	PeerDays   *items;
	const PeerDays *met;		/* those whose names are being looked up */
	int			found;
	Peer		first[MOST_PEERS];	/* in order */
} Peers;

static void
take_days(int64 identity_id, const DayRuns *days, void *arg)
{
	Peers	   *peers = arg;

	CHECK_FOR_INTERRUPTS();
	if (peers->count == peers->capacity)
	{
		peers->capacity = Max(16, peers->capacity * 2);
		peers->items = peers->items == NULL ? palloc(peers->capacity * sizeof(PeerDays)) :
			repalloc_huge(peers->items, peers->capacity * sizeof(PeerDays));
	}
	peers->items[peers->count++] = (PeerDays) {
		identity_id, dayruns_count(days, peers->since, peers->until), *days
	};
}

/* Most days first, then by number, as their names are looked up. */
static int
compare_most_days(const void *a, const void *b)
{
	const PeerDays *left = a;
	const PeerDays *right = b;

	if (left->most_days != right->most_days)
		return left->most_days > right->most_days ? -1 : 1;
	return left->identity_id < right->identity_id ? -1 : left->identity_id > right->identity_id;
}

/* Most days first, then by name. */
static bool
comes_before(int64 days, Slice name, const Peer *other)
{
	return days != other->days ? days > other->days : slice_compare(name, other->name) < 0;
}

/* Put it in its place among the first ones, if it has one there. */
static void
show(Peers *peers, int64 days, Slice name)
{
	int			at = peers->found;

	while (at > 0 && comes_before(days, name, &peers->first[at - 1]))
		at--;
	if (at == MOST_PEERS)
		return;
	peers->found = Min(peers->found + 1, MOST_PEERS);
	memmove(&peers->first[at + 1], &peers->first[at], (peers->found - 1 - at) * sizeof(Peer));
	peers->first[at] = (Peer) {days, {pnstrdup(name.s, name.len), name.len}};
}

/* Who is it, and which of its days count? */
static void
meet(int i, const StoredMember *member, void *arg)
{
	Peers	   *peers = arg;
	const Event *event = &peers->row->event;
	DayRuns		did = peers->met[i].did;
	int32		from = peers->since;
	int64		days;

	CHECK_FOR_INTERRUPTS();
	if (kinds_are_person(member->kinds) != peers->row->is_user ||
		slice_equal(member->name, event->identity))
		return;
	if (peers->has_excluded)
	{
		Event		same = *event;
		DayRuns		excluded;

		same.identity = member->name;
		dayruns_init(&excluded);
		stored_excluded_days(&same, &excluded);
		dayruns_remove(&did, &excluded);
	}
	if (!peers->newcomer)
		from = Max(from, settled_from(&member->first_days));
	days = from > peers->until ? 0 : dayruns_count(&did, from, peers->until);
	if (days > 0)
		show(peers, days, member->name);
}

/*
 * Those with as many days are met together, in one scan.  Once the list is full,
 * and its last has more days that count than the next ones have at all, nobody
 * who follows has a place in it.
 */
static void
find_first(Peers *peers)
{
	int64	   *numbers = palloc_extended(Max(1, peers->count) * sizeof(int64), MCXT_ALLOC_HUGE);
	int			end;

	if (peers->count > 1)
		qsort(peers->items, peers->count, sizeof(PeerDays), compare_most_days);
	for (int i = 0; i < peers->count; i++)
		numbers[i] = peers->items[i].identity_id;
	for (int i = 0; i < peers->count; i = end)
	{
		int64		most_days = peers->items[i].most_days;

		if (peers->found == MOST_PEERS && most_days < peers->first[MOST_PEERS - 1].days)
			break;
		for (end = i + 1; end < peers->count && peers->items[end].most_days == most_days;)
			end++;
		peers->met = peers->items + i;
		stored_members(peers->account_id, numbers + i, end - i, meet, peers);
	}
}

static void
push_text(JsonbParseState **state, JsonbIteratorToken token, const char *s, int len)
{
	JsonbValue	value = {.type = jbvString};

	value.val.string.val = (char *) s;
	value.val.string.len = len;
	pushJsonbValue(state, token, &value);
}

static Jsonb *
peers_to_jsonb(const Peer *peers, int count)
{
	JsonbParseState *state = NULL;

	pushJsonbValue(&state, WJB_BEGIN_ARRAY, NULL);
	for (int i = 0; i < count; i++)
	{
		Slice		name = peers[i].name;
		JsonbValue	days = {.type = jbvNumeric};

		days.val.numeric = int64_to_numeric(peers[i].days);
		pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
		push_text(&state, WJB_KEY, "identity", strlen("identity"));
		push_text(&state, WJB_VALUE, name.s, pg_mbcharcliplen(name.s, name.len, MOST_CHARACTERS));
		push_text(&state, WJB_KEY, "days", strlen("days"));
		pushJsonbValue(&state, WJB_VALUE, &days);
		pushJsonbValue(&state, WJB_END_OBJECT, NULL);
	}
	return JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_ARRAY, NULL));
}

Jsonb *
peers_of(const EventRow *row, int32 account_id, int32 operation_id, int training_days)
{
	Peers		peers = {.row = row, .account_id = account_id};
	StoredIdentity own;

	peers.since = row->event.day - training_days;
	peers.until = row->event.day - 1;
	if (account_id != 0 && operation_id != 0)
	{
		stored_begin();
		peers.has_excluded = stored_may_have_excluded(row->event.account, row->event.operation);
		peers.newcomer = !stored_identity(peers.account_id, &row->event, &own) ||
			is_newcomer(&own.first_days, row->event.day);
		stored_operation_days(peers.account_id, operation_id, peers.since, peers.until, take_days, &peers);
		find_first(&peers);
		stored_end();
	}
	return peers_to_jsonb(peers.first, peers.found);
}
