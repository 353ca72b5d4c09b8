/*-------------------------------------------------------------------------
 *
 * journal_kept.h
 *		What the journal of an account came to at a moment, kept in a table.
 *
 *-------------------------------------------------------------------------
 */
#ifndef IAMWATCH_JOURNAL_KEPT_H
#define IAMWATCH_JOURNAL_KEPT_H

#include "baseline/stored.h"
#include "server/holder.h"

/* What is counted, as in the tallies. */
typedef enum SumKind
{
	SUM_OPERATION,
	SUM_ANYTHING,
	SUM_IAM,
	SUM_KINDS
} SumKind;

/* Of all identities of a class on a day. */
typedef struct DayKey
{
	int32		day;
	int16		kind;
	int16		is_user;
} DayKey;

typedef struct DaySum
{
	DayKey		key;
	StoredSum	sum;
} DaySum;

/* Which rows of the journal a snapshot sees, by their places. */
typedef struct JournalMoment
{
	int64		until;			/* number of the first transaction that it does not see */
	int64		own;			/* ... of who has it, who sees what it has done before; or 0 */
	int32		own_part;		/* up to this one */
	int32		count;			/* of those before until, sorted, that it does not see */
	int64	   *running;
} JournalMoment;

/* Rows of the journal from one place to before another. */
typedef struct PlaceRange
{
	int64		from;
	int64		to;
} PlaceRange;

/* Identities that settle earlier by the journal; when there are more, nobody says which. */
#define MOST_EARLIER 64
#define TOO_MANY_EARLIER (-1)

typedef struct Earlier
{
	int			count;			/* or TOO_MANY_EARLIER */
	int64		ids[MOST_EARLIER];
} Earlier;

typedef struct JournalKept
{
	Holder		holder;			/* of the account, then */
	JournalMoment moment;
	Earlier		earlier;
	int32		nsums;
	DaySum	   *sums;			/* of anything, and of IAM operations */
} JournalKept;

/*
 * From here on this transaction appends at another place; the part of it that
 * was the last until now.  Whoever takes a snapshot to count by calls it then.
 */
extern int32 journal_end_part(void);

/* False when it cannot be said; the snapshot must be of the transaction's own making. */
extern bool journal_moment(JournalMoment *moment, Snapshot snapshot, int32 own_part);

extern bool journal_moment_has(const JournalMoment *moment, int64 place);

/* Where the rows are that it does not see, and no others, in order; how many ranges. */
extern int	journal_moment_rest(const JournalMoment *moment, PlaceRange **ranges);

/*
 * The newest that holds for the snapshot that is in use: nobody but its holder
 * may have written the account since, and the holder's work must not be seen.
 * Between stored_begin() and stored_end().
 */
extern bool journal_kept_find(const Event *event, JournalKept *kept);

/* Not between these. */
extern void journal_kept_write(const Event *event, const JournalKept *kept);

#endif							/* IAMWATCH_JOURNAL_KEPT_H */
