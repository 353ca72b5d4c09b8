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
#include "server/holder.h"

/*
 * Days that only the journal has, and known days that count for peers only with
 * these, summed over the identities of the event's account that are people, or
 * that are not: to be added to stored_tallies().  Days that true positives took
 * out of the event's operation are not in it.  Between stored_begin() and
 * stored_end().
 */
extern StoredSums journal_sums(const Event *event, bool is_user, int32 since, int32 until);

/*
 * Between the two, what was read is kept: a batch asks for many days, and for
 * the same again when it opens an alert.  What is added to it must be of the same
 * moment, so all that is counted in between begins with journal_sums_begin(), in
 * place of stored_begin().
 */
extern void journal_sums_keep(void);
extern void journal_sums_forget(void);
extern void journal_sums_begin(void);

/*
 * So much was appended of an account that a holder has.  When enough has come
 * together, what the journal comes to is kept in its table.  Not between
 * stored_begin() and stored_end().
 */
extern void journal_sums_appended(const Event *account, const Holder *holder, int rows);

#endif							/* IAMWATCH_JOURNAL_SUMS_H */
