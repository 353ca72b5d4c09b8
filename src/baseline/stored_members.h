/*-------------------------------------------------------------------------
 *
 * stored_members.h
 *		Who of an account did an operation.
 *
 * Between stored_begin() and stored_end().
 *
 *-------------------------------------------------------------------------
 */
#ifndef IAMWATCH_STORED_MEMBERS_H
#define IAMWATCH_STORED_MEMBERS_H

#include "baseline/dayset.h"
#include "server/slice.h"

/*
 * Calls take for every identity that did an operation of the account on a day
 * from since to until, in the order of their numbers, with all days on which it
 * did so.
 */
extern void stored_operation_days(int32 account_id, int32 operation_id, int32 since, int32 until,
								  void (*take) (int64 identity_id, const DayRuns *days, void *arg),
								  void *arg);

/* Of an identity, by its number; the name is there for as long as the call of take. */
typedef struct StoredMember
{
	int			kinds;
	DayRuns		first_days;
	Slice		name;
} StoredMember;

/*
 * Calls take for each identity of the account that has one of the numbers, which
 * must be in order; i is the place of its number among these.
 */
extern void stored_members(int32 account_id, const int64 *identity_ids, int count,
						   void (*take) (int i, const StoredMember *member, void *arg), void *arg);

#endif							/* IAMWATCH_STORED_MEMBERS_H */
