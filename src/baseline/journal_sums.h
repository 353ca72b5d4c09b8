/*-------------------------------------------------------------------------
 *
 * journal_sums.h
 *		What the journal of an account adds to its tallies.
 *
 *-------------------------------------------------------------------------
 */
#ifndef IAMWATCH_JOURNAL_SUMS_H
#define IAMWATCH_JOURNAL_SUMS_H

#include "baseline/stored.h"

/*
 * Days that only the journal has, and known days that count for peers only with
 * these, summed over the identities of the event's account that are people, or
 * that are not: to be added to stored_tallies().  Days that true positives took
 * out of the event's operation are not in it.  Between stored_begin() and
 * stored_end().
 */
extern StoredSums journal_sums(const Event *event, bool is_user, int32 since, int32 until);

/* Does a row of the journal tell of an IAM operation?  Settings are loaded. */
extern bool journal_is_iam(const Event *event);

/*
 * Between the two, what was read is kept: a batch asks for many days, and for
 * the same again when it opens an alert.  What is added to it must be of the same
 * moment, so all that is counted in between begins with journal_sums_begin(), in
 * place of stored_begin().
 */
extern void journal_sums_keep(void);
extern void journal_sums_forget(void);
extern void journal_sums_begin(void);

#endif							/* IAMWATCH_JOURNAL_SUMS_H */
