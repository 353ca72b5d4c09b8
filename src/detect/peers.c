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

typedef struct Peer
{
	int64		identity_id;
	int64		most_days;		/* all that it did so on */
	int64		days;			/* those that count */
	Slice		name;
	DayRuns		did;
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
	Peer	   *items;
	IndexScanDesc scan;			/* of their names */
} Peers;

static void
take_days(int64 identity_id, const DayRuns *days, void *arg)
{
	Peers	   *peers = arg;
	int64		most_days = dayruns_count(days, peers->since, peers->until);

	CHECK_FOR_INTERRUPTS();
	if (most_days == 0)
		return;
	if (peers->count == peers->capacity)
	{
		peers->capacity = Max(16, peers->capacity * 2);
		peers->items = peers->items == NULL ? palloc(peers->capacity * sizeof(Peer)) :
			repalloc_huge(peers->items, peers->capacity * sizeof(Peer));
	}
	peers->items[peers->count++] = (Peer) {
		.identity_id = identity_id, .most_days = most_days, .did = *days
	};
}

static int
compare_most_days(const void *a, const void *b)
{
	int64		left = ((const Peer *) a)->most_days;
	int64		right = ((const Peer *) b)->most_days;

	return left > right ? -1 : left < right;
}

/* Most days first, then by name. */
static int
compare_peers(const void *a, const void *b)
{
	const Peer *left = a;
	const Peer *right = b;

	if (left->days != right->days)
		return left->days > right->days ? -1 : 1;
	return slice_compare(left->name, right->name);
}

/* Find out who it is and which of its days count; false if none of them does. */
static bool
meet(Peers *peers, Peer *peer)
{
	const Event *event = &peers->row->event;
	StoredMember member;
	int32		from = peers->since;

	if (!stored_member(peers->account_id, peer->identity_id, &peers->scan, &member))
		return false;
	peer->name = member.name;
	if (slice_equal(peer->name, event->identity) ||
		((member.kinds & KINDS_OF_PEOPLE) != 0) != peers->row->is_user)
		return false;
	if (peers->has_excluded)
	{
		Event		same = *event;
		DayRuns		excluded;

		same.identity = peer->name;
		dayruns_init(&excluded);
		stored_excluded_days(&same, &excluded);
		dayruns_remove(&peer->did, &excluded);
	}
	if (!peers->newcomer)
		from = Max(from, settled_from(&member.first_days));
	peer->days = from > peers->until ? 0 : dayruns_count(&peer->did, from, peers->until);
	return peer->days > 0;
}

/* Leave the first ones at the beginning of the list; how many. */
static int
find_first(Peers *peers)
{
	int			found = 0;

	if (peers->count > 1)
		qsort(peers->items, peers->count, sizeof(Peer), compare_most_days);
	for (int i = 0; i < peers->count; i++)
	{
		Peer		peer = peers->items[i];

		/*
		 * what follows has no more days than this one, of which not all need
		 * count
		 */
		if (found == MOST_PEERS && peer.most_days < peers->items[MOST_PEERS - 1].days)
			break;
		CHECK_FOR_INTERRUPTS();
		if (!meet(peers, &peer))
			continue;
		/* there is room: those before it were looked at */
		if (found < MOST_PEERS)
			peers->items[found++] = peer;
		else if (compare_peers(&peer, &peers->items[MOST_PEERS - 1]) < 0)
			peers->items[MOST_PEERS - 1] = peer;
		else
			continue;
		if (found == MOST_PEERS || i == peers->count - 1)
			qsort(peers->items, found, sizeof(Peer), compare_peers);
	}
	if (found > 1 && found < MOST_PEERS)
		qsort(peers->items, found, sizeof(Peer), compare_peers);
	return found;
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
	int			count = 0;

	peers.since = row->event.day - training_days;
	peers.until = row->event.day - 1;
	if (account_id != 0 && operation_id != 0)
	{
		stored_begin();
		peers.has_excluded = stored_may_have_excluded(row->event.account, row->event.operation);
		peers.newcomer = !stored_identity(peers.account_id, &row->event, &own) ||
			is_newcomer(&own.first_days, row->event.day);
		stored_operation_days(peers.account_id, operation_id, peers.until, take_days, &peers);
		count = find_first(&peers);
		stored_members_end(peers.scan);
		stored_end();
	}
	return peers_to_jsonb(peers.items, count);
}
