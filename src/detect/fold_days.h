/*-------------------------------------------------------------------------
 *
 * fold_days.h
 *		Writes the days that were learned of an account.
 *
 * For fold.c.
 *
 *-------------------------------------------------------------------------
 */
#ifndef IAMWATCH_FOLD_DAYS_H
#define IAMWATCH_FOLD_DAYS_H

#include "detect/delta.h"
#include "event/event.h"

/* Under the lock of the account, which has a row; scope: its name among limits. */
extern void fold_days(const Event *account, int32 account_id, const Deltas *deltas, text *scope);

#endif							/* IAMWATCH_FOLD_DAYS_H */
