/*-------------------------------------------------------------------------
 *
 * stored_rows.h
 *		What a row that was found says.
 *
 * For stored.c and stored_glance.c, which find them in different ways.
 *
 *-------------------------------------------------------------------------
 */
#ifndef IAMWATCH_STORED_ROWS_H
#define IAMWATCH_STORED_ROWS_H

#include "baseline/stored.h"
#include "executor/tuptable.h"

/* Is it the row of the account, or of the identity?  Then say what it has. */
extern bool row_is_account(TupleTableSlot *slot, const Event *event, StoredAccount *account);
extern bool row_is_identity(TupleTableSlot *slot, int32 account_id, const Event *event,
							StoredIdentity *identity);

#endif							/* IAMWATCH_STORED_ROWS_H */
