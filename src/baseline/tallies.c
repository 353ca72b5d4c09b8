/*-------------------------------------------------------------------------
 *
 * tallies.c
 *		What is to be added to the tallies of an account.
 *
 * Collected first, so that each tally is written once.  Must never be used
 * without the lock of the account.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "baseline/stored.h"
#include "baseline/stored_columns.h"
#include "baseline/tallies.h"
#include "common/hashfn.h"
#include "server/counter.h"
#include "server/objects.h"
#include "server/row.h"
#include "utils/date.h"

typedef struct TallyKey
{
	int32		operation_id;
	int32		day;
	bool		is_user;
} TallyKey;

typedef struct TallyEntry
{
	TallyKey	key;
	int32		identities;		/* to be added */
	int32		settled;
	bool		stored;			/* is there a row, and what it has */
	StoredTally tally;
	uint32		status;
} TallyEntry;

static inline uint32
tally_hash_key(TallyKey key)
{
	return murmurhash32(murmurhash32((uint32) key.operation_id ^ (key.is_user ? 0x80000000 : 0)) ^
						(uint32) key.day);
}

#define SH_PREFIX tally
#define SH_ELEMENT_TYPE TallyEntry
#define SH_KEY_TYPE TallyKey
#define SH_KEY key
#define SH_HASH_KEY(tb, key) tally_hash_key(key)
#define SH_EQUAL(tb, x, y) \
	((x).operation_id == (y).operation_id && (x).day == (y).day && (x).is_user == (y).is_user)
#define SH_SCOPE static inline
#define SH_DEFINE
#define SH_DECLARE
#include "lib/simplehash.h"

struct Tallies
{
	int32		account_id;
	struct tally_hash *entries;
};

Tallies *
tallies_make(int32 account_id)
{
	Tallies    *tallies = palloc(sizeof(Tallies));

	tallies->account_id = account_id;
	tallies->entries = tally_create(CurrentMemoryContext, 8, NULL);
	return tallies;
}

void
tallies_add(Tallies *tallies, int32 operation_id, bool is_user, int32 day,
			int32 identities, int32 settled)
{
	bool		found;
	TallyEntry *entry = tally_insert(tallies->entries, (TallyKey) {operation_id, day, is_user},
									 &found);

	if (!found)
		entry->identities = entry->settled = 0;
	entry->identities += identities;
	entry->settled += settled;
}

static void
look_up(const Tallies *tallies)
{
	tally_iterator i;
	TallyEntry *entry;

	stored_begin();
	tally_start_iterate(tallies->entries, &i);
	while ((entry = tally_iterate(tallies->entries, &i)) != NULL)
		entry->stored = stored_tally(tallies->account_id, entry->key.operation_id,
									 entry->key.is_user, entry->key.day, &entry->tally);
	stored_end();
}

static void
write_entry(RowTarget *target, int32 account_id, const TallyEntry *entry)
{
	StoredTally tally = {.era = 0};
	Datum		values[TALLIES_COLUMNS];
	bool		nulls[TALLIES_COLUMNS] = {false};

	if (entry->stored)
	{
		tally = entry->tally;
		tally.era = counter_next_era(tally.era);
	}
	values[TALLIES_ACCOUNT_ID - 1] = Int32GetDatum(account_id);
	values[TALLIES_OPERATION_ID - 1] = Int32GetDatum(entry->key.operation_id);
	values[TALLIES_IS_USER - 1] = BoolGetDatum(entry->key.is_user);
	values[TALLIES_DAY - 1] = DateADTGetDatum(entry->key.day);
	values[TALLIES_IDENTITIES - 1] = Int32GetDatum(tally.identities + entry->identities);
	values[TALLIES_SETTLED - 1] = Int32GetDatum(tally.settled + entry->settled);
	values[TALLIES_ERA - 1] = Int16GetDatum(tally.era);
	if (entry->stored)
		row_update_at(target, &tally.at, values, nulls);
	else
		row_insert(target, values, nulls);
}

void
tallies_write(const Tallies *tallies)
{
	RowTarget	target;
	tally_iterator i;
	TallyEntry *entry;

	if (tallies->entries->members == 0)
		return;
	look_up(tallies);
	row_target_open(&target, internal_relation("tallies"), TALLIES_COLUMNS);
	tally_start_iterate(tallies->entries, &i);
	while ((entry = tally_iterate(tallies->entries, &i)) != NULL)
		write_entry(&target, tallies->account_id, entry);
	row_target_close(&target);
}
