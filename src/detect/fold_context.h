/*-------------------------------------------------------------------------
 *
 * fold_context.h
 *		Writes the contexts that were learned of an account.
 *
 *-------------------------------------------------------------------------
 */
#ifndef IAMWATCH_FOLD_CONTEXT_H
#define IAMWATCH_FOLD_CONTEXT_H

/*
 * Of samples, an array of rows of the journal of contexts.  Under the lock of the
 * account, after its days were learned: what it does not know has no context.
 */
extern void fold_context(int32 account_id, Datum samples);

#endif							/* IAMWATCH_FOLD_CONTEXT_H */
