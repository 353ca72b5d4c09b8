/*-------------------------------------------------------------------------
 *
 * tallies.h
 *		What is to be added to the tallies of an account.
 *
 *-------------------------------------------------------------------------
 */
#ifndef IAMWATCH_TALLIES_H
#define IAMWATCH_TALLIES_H

/* What the tallies have instead of the number of an operation. */
#define TALLY_ANYTHING		0
#define TALLY_IAM			(-1)

typedef struct Tallies Tallies;

/* In the current memory context. */
extern Tallies *tallies_make(int32 account_id);

/* So many identities more did it on the day, and so many whose days count for peers. */
extern void tallies_add(Tallies *tallies, int32 operation_id, bool is_user, int32 day,
						int32 identities, int32 settled);

/* Add it all to the table, under the lock of the account. */
extern void tallies_write(const Tallies *tallies);

#endif							/* IAMWATCH_TALLIES_H */
