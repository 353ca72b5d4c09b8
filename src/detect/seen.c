/*-------------------------------------------------------------------------
 *
 * seen.c
 *		Which identities and days some events have, so that further ones of
 *		the same need not be kept.
 *
 * A backend that knows nothing yet takes every event for new.  Of those that
 * are no IAM operations, only the first of an identity, as one kind, on a day
 * says anything; but the earliest event of an account always counts, as the
 * activation period begins with it.
 *
 * Must never read a table.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "baseline/baseline_cache.h"
#include "common/hashfn.h"
#include "detect/seen.h"

/* The first event of an identity, as one kind, on a day. */
typedef struct SeenKey
{
	Fingerprint identity;
	int32		day;
	int32		kind;
} SeenKey;

typedef struct SeenDay
{
	SeenKey		key;
	int			number;
	uint32		status;
} SeenDay;

#define SH_PREFIX seen_days
#define SH_ELEMENT_TYPE SeenDay
#define SH_KEY_TYPE SeenKey
#define SH_KEY key
#define SH_HASH_KEY(tb, key) \
	(murmurhash32((uint32) (key).identity.a + (uint32) (key).day * KIND_COUNT + (key).kind))
#define SH_EQUAL(tb, x, y) \
	((x).identity.a == (y).identity.a && (x).identity.b == (y).identity.b && \
	 (x).day == (y).day && (x).kind == (y).kind)
#define SH_SCOPE static inline
#define SH_DEFINE
#define SH_DECLARE
#include "lib/simplehash.h"

/* The earliest event of an account. */
typedef struct SeenAccount
{
	Fingerprint key;
	TimestampTz first;
	uint32		status;
} SeenAccount;

#define SH_PREFIX seen_accounts
#define SH_ELEMENT_TYPE SeenAccount
#include "baseline/fingerprint_table.h"

struct Seen
{
	seen_days_hash *days;
	seen_accounts_hash *accounts;
};

Seen *
seen_create(MemoryContext context)
{
	Seen	   *seen = MemoryContextAlloc(context, sizeof(Seen));

	seen->accounts = seen_accounts_create(context, 1, NULL);
	seen->days = seen_days_create(context, 16, NULL);
	return seen;
}

void
seen_destroy(Seen *seen)
{
	seen_days_destroy(seen->days);
	seen_accounts_destroy(seen->accounts);
	pfree(seen);
}

uint32
seen_size(const Seen *seen)
{
	return seen->days->members + seen->accounts->members;
}

static SeenKey
key_of(Fingerprint account, const Event *event)
{
	SeenKey		key;

	key.identity = fingerprint_identity(account, event);
	key.day = event->day;
	key.kind = event->kind;
	return key;
}

int
seen_number(Seen *seen, const Event *event)
{
	SeenDay    *day = seen_days_lookup(seen->days, key_of(fingerprint_account(event), event));

	return day == NULL ? -1 : day->number;
}

int
seen_repeats(Seen *seen, const Event *event, bool is_operation, int number)
{
	Fingerprint fingerprint = fingerprint_account(event);
	SeenAccount *account;
	SeenDay    *day;
	bool		is_earliest;
	bool		found;

	account = seen_accounts_insert(seen->accounts, fingerprint, &found);
	is_earliest = !found || event->time < account->first;
	if (is_earliest)
		account->first = event->time;

	day = seen_days_insert(seen->days, key_of(fingerprint, event), &found);
	if (!found)
		day->number = number;
	else if (!is_earliest && !is_operation)
		return day->number;
	return -1;
}
