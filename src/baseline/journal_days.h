/*-------------------------------------------------------------------------
 *
 * journal_days.h
 *		What rows of the journal add to the days of their identities.
 *
 * Between stored_begin() and stored_end().
 *
 *-------------------------------------------------------------------------
 */
#ifndef IAMWATCH_JOURNAL_DAYS_H
#define IAMWATCH_JOURNAL_DAYS_H

#include "baseline/journal_kept.h"
#include "utils/hsearch.h"

/* What is counted in one go: days of activity and of IAM operations, or those of an operation. */
typedef struct Counted
{
	HTAB	   *days;			/* of journal_days_make() */
	SumKind		first;
	SumKind		last;
	int			account_id;		/* 0 if nothing is stored */
	bool		has_excluded;
	Earlier    *earlier;		/* where these are noted, or NULL */
} Counted;

extern HTAB *journal_days_make(MemoryContext context);
extern StoredSum *journal_days_sum(HTAB *days, DayKey key, HASHACTION action);

/* Does a row of the journal tell of an IAM operation?  Settings are loaded. */
extern bool journal_is_iam(const Event *event);

/*
 * Count all rows of the account, or those that a moment does not see, which was
 * counted before; how many there were.
 */
extern int64 journal_count_all(const Counted *counted, const Event *asked);
extern int64 journal_count_since(const Counted *counted, const Event *asked,
								 const JournalMoment *moment);

/* Count the rows of an operation, and stored days of it that count for peers by others. */
extern void journal_count_operation(const Counted *counted, const Event *asked,
									const Earlier *earlier);

#endif							/* IAMWATCH_JOURNAL_DAYS_H */
