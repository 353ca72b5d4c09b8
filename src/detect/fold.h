/*-------------------------------------------------------------------------
 *
 * fold.h
 *		Writes what was learned of an account into its baselines.
 *
 *-------------------------------------------------------------------------
 */
#ifndef IAMWATCH_FOLD_H
#define IAMWATCH_FOLD_H

#include "detect/delta.h"

/*
 * Take days into the baselines of an account, and samples, an array of
 * iamwatch_internal.context_journal, into what is usual there; while another
 * session writes the account, into the journals.  Moves_account: may what is
 * given change its first event, newest day or late events?  Between
 * plans_begin() and plans_end().
 */
extern void learn_account(Deltas *deltas, Datum samples, bool moves_account);

#endif							/* IAMWATCH_FOLD_H */
