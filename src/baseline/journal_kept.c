/*-------------------------------------------------------------------------
 *
 * journal_kept.c
 *		What the journal of an account came to at a moment, kept in a table.
 *
 * As long as a session holds an account its journal only grows, and what is
 * stored of the account stays as it was, for all others.  So what a part of the
 * journal comes to is counted once, and whoever asks later adds what came since:
 * the rows of transactions that the snapshot, by which it was counted, did not
 * see.  Each row has the number of its transaction, its place, and an index has
 * them in this order.  A transaction sees what it appends itself, so its places
 * have a second half, which grows when it takes a snapshot to count by.
 *
 * Rows are only added here.  Who keeps one waits for nobody, and several may do
 * at once: any of them is right as long as its holder holds the account.  Who
 * takes the journal over deletes them with it (take_journal() in learn.sql).
 *
 * Owns what is kept, and for how long it holds; what is counted is in
 * journal_sums.c.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/transam.h"
#include "access/xact.h"
#include "baseline/journal_kept.h"
#include "baseline/stored_columns.h"
#include "baseline/stored_scan.h"
#include "fmgr.h"
#include "server/compat.h"
#include "server/objects.h"
#include "server/row.h"
#include "utils/builtins.h"
#include "utils/snapmgr.h"

PG_FUNCTION_INFO_V1(iamwatch_journal_place);

#define PART_BITS 20
#define LAST_PART ((1 << PART_BITS) - 1)

/* Of the transaction that appended last in this session. */
static int64 own = 0;
static int32 part;
static bool part_in_use;

static int64
own_xid(void)
{
	FullTransactionId xid = GetTopFullTransactionIdIfAny();

	return FullTransactionIdIsValid(xid) ? (int64) U64FromFullTransactionId(xid) : 0;
}

static int64
first_place(int64 xid)
{
	return xid << PART_BITS;
}

/* journal_place() RETURNS bigint */
Datum
iamwatch_journal_place(PG_FUNCTION_ARGS)
{
	int64		xid = (int64) U64FromFullTransactionId(GetTopFullTransactionId());

	if (own != xid)
		part = 0;
	own = xid;
	part_in_use = true;
	PG_RETURN_INT64(first_place(xid) | part);
}

int32
journal_end_part(void)
{
	if (own == 0 || own != own_xid())
		return -1;
	if (part_in_use && part < LAST_PART)
	{
		part++;
		part_in_use = false;
	}
	return part - 1;
}

/* So many are looked up one by one. */
#define MOST_RUNNING 256

static int
compare_xids(const void *a, const void *b)
{
	int64		left = *(const int64 *) a;
	int64		right = *(const int64 *) b;

	return (left > right) - (left < right);
}

bool
journal_moment(JournalMoment *moment, Snapshot snapshot, int32 own_part)
{
	/* who has used all of its parts appends to the last one again and again */
	if (snapshot->takenDuringRecovery || snapshot->xcnt > MOST_RUNNING || own_part >= LAST_PART - 1)
		return false;
	moment->until = full_xid(snapshot->xmax);
	moment->own = own_xid();
	moment->own_part = own_part;
	moment->count = (int32) snapshot->xcnt;
	moment->running = palloc(Max(1, moment->count) * sizeof(int64));
	for (int i = 0; i < moment->count; i++)
		moment->running[i] = full_xid(snapshot->xip[i]);
	qsort(moment->running, moment->count, sizeof(int64), compare_xids);
	return true;
}

bool
journal_moment_has(const JournalMoment *moment, int64 place)
{
	int64		xid = place >> PART_BITS;

	if (xid == moment->own)
		return (place & LAST_PART) <= moment->own_part;
	return xid < moment->until &&
		bsearch(&xid, moment->running, moment->count, sizeof(int64), compare_xids) == NULL;
}

static int
compare_ranges(const void *a, const void *b)
{
	return compare_xids(&((const PlaceRange *) a)->from, &((const PlaceRange *) b)->from);
}

int
journal_moment_rest(const JournalMoment *moment, PlaceRange **ranges)
{
	int			n = 0;

	*ranges = palloc((moment->count + 3) * sizeof(PlaceRange));
	for (int i = 0; i < moment->count; i++)
		(*ranges)[n++] = (PlaceRange) {
			first_place(moment->running[i]), first_place(moment->running[i] + 1)
		};
	/* its own, from the part on that it has not seen; nothing is between two parts */
	if (moment->own != 0)
		(*ranges)[n++] = (PlaceRange) {
			first_place(moment->own) + moment->own_part + 1, first_place(moment->own + 1)
		};
	(*ranges)[n++] = (PlaceRange) {first_place(Max(moment->until, moment->own + 1)), PG_INT64_MAX};
	if (moment->own > moment->until)
		(*ranges)[n++] = (PlaceRange) {first_place(moment->until), first_place(moment->own)};
	qsort(*ranges, n, sizeof(PlaceRange), compare_ranges);
	return n;
}

/* ---- in the table ---- */

/* Followed by numbers of as many transactions and identities, and the sums. */
typedef struct KeptHeader
{
	int64		own;
	int32		own_part;
	int32		holders;
	int32		running;
	int32		earlier;		/* or TOO_MANY_EARLIER */
	int32		sums;
	int32		format;
} KeptHeader;

#define KEPT_FORMAT 1

static Size
kept_size(const KeptHeader *header)
{
	return sizeof(KeptHeader) + header->sums * sizeof(DaySum) +
		(header->holders + header->running + Max(0, header->earlier)) * sizeof(int64);
}

static const char *
read_numbers(const char *data, int64 *numbers, int count)
{
	memcpy(numbers, data, count * sizeof(int64));
	return data + count * sizeof(int64);
}

/* False if it is not as it is written here: it was by another version, or by somebody else. */
static bool
read_kept(TupleTableSlot *slot, JournalKept *kept)
{
	bytea	   *bytes = DatumGetByteaPCopy(scan_value(slot, JOURNAL_SUMS_SUMS));
	const char *data = VARDATA(bytes);
	KeptHeader	header = {0};
	Size		size = VARSIZE(bytes) - VARHDRSZ;

	memcpy(&header, data, Min(size, sizeof(header)));
	if (header.format != KEPT_FORMAT || size != kept_size(&header))
		return false;
	data += sizeof(header);
	kept->holder.count = header.holders;
	data = read_numbers(data, kept->holder.xids, header.holders);
	kept->moment.until = DatumGetInt64(scan_value(slot, JOURNAL_SUMS_UNTIL));
	kept->moment.own = header.own;
	kept->moment.own_part = header.own_part;
	kept->moment.count = header.running;
	kept->moment.running = palloc(Max(1, header.running) * sizeof(int64));
	data = read_numbers(data, kept->moment.running, header.running);
	kept->earlier.count = header.earlier;
	data = read_numbers(data, kept->earlier.ids, Max(0, header.earlier));
	kept->nsums = header.sums;
	kept->sums = palloc(Max(1, header.sums) * sizeof(DaySum));
	memcpy(kept->sums, data, header.sums * sizeof(DaySum));
	return true;
}

/* Of a holder that is gone none is of use, and mostly there are no others then. */
#define MOST_LOOKED_AT 8

bool
journal_kept_find(const Event *event, JournalKept *kept)
{
	ScanKeyData key;
	IndexScanDesc scan;
	TupleTableSlot *slot;
	bool		found = false;

	scan_key_hash(&key, 1, event->account);
	scan = scan_begin(LOOKUP_JOURNAL_SUMS, &key, 1);
	for (int i = 0; !found && i < MOST_LOOKED_AT; i++)
	{
		slot = scan_next_in(LOOKUP_JOURNAL_SUMS, scan, BackwardScanDirection);
		if (slot == NULL)
			break;
		if (!scan_text_is(slot, JOURNAL_SUMS_ACCOUNT, event->account) ||
			!slice_is(scan_text(slot, JOURNAL_SUMS_PROVIDER), provider_names[event->provider]))
			continue;
		found = read_kept(slot, kept) && holder_holds(&kept->holder, GetActiveSnapshot());
	}
	scan_end(LOOKUP_JOURNAL_SUMS, scan);
	return found;
}

static char *
write_numbers(char *data, const int64 *numbers, int count)
{
	memcpy(data, numbers, count * sizeof(int64));
	return data + count * sizeof(int64);
}

static bytea *
kept_to_bytea(const JournalKept *kept)
{
	const JournalMoment *moment = &kept->moment;
	KeptHeader	header = {
		.own = moment->own, .own_part = moment->own_part, .holders = kept->holder.count,
		.running = moment->count, .earlier = kept->earlier.count, .sums = kept->nsums,
		.format = KEPT_FORMAT
	};
	bytea	   *bytes = palloc(VARHDRSZ + kept_size(&header));
	char	   *data = VARDATA(bytes);

	SET_VARSIZE(bytes, VARHDRSZ + kept_size(&header));
	memcpy(data, &header, sizeof(header));
	data = write_numbers(data + sizeof(header), kept->holder.xids, kept->holder.count);
	data = write_numbers(data, moment->running, moment->count);
	data = write_numbers(data, kept->earlier.ids, Max(0, kept->earlier.count));
	memcpy(data, kept->sums, kept->nsums * sizeof(DaySum));
	return bytes;
}

void
journal_kept_write(const Event *event, const JournalKept *kept)
{
	Datum		values[JOURNAL_SUMS_COLUMNS];
	bool		nulls[JOURNAL_SUMS_COLUMNS] = {false};

	values[JOURNAL_SUMS_PROVIDER - 1] = CStringGetTextDatum(provider_names[event->provider]);
	values[JOURNAL_SUMS_ACCOUNT - 1] = slice_text(event->account);
	values[JOURNAL_SUMS_UNTIL - 1] = Int64GetDatum(kept->moment.until);
	values[JOURNAL_SUMS_SUMS - 1] = PointerGetDatum(kept_to_bytea(kept));
	row_insert_one(internal_relation("journal_sums"), values, nulls);
}
