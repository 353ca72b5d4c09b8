/*-------------------------------------------------------------------------
 *
 * stored.h
 *		What the tables hold of an account, an identity, a behaviour.
 *
 *-------------------------------------------------------------------------
 */
#ifndef IAMWATCH_STORED_H
#define IAMWATCH_STORED_H

#include "access/genam.h"
#include "baseline/dayset.h"
#include "event/event.h"
#include "utils/snapshot.h"

/* Where a row is: only who writes the account may use that, and nobody else moves it. */
typedef struct StoredAccount
{
	ItemPointerData at;
	int32		account_id;
	TimestampTz first;			/* PG_INT64_MAX if there was no event yet */
	int32		newest;			/* day; PG_INT32_MIN if there was none */
	int64		late_events;
	int32		dropped_before; /* day; PG_INT32_MIN if there was none */
} StoredAccount;

typedef struct StoredIdentity
{
	ItemPointerData at;
	int64		identity_id;
	int			kinds;
	DayRuns		first_days;		/* the first ever */
	DayRuns		days;
	DayRuns		iam_days;
} StoredIdentity;

typedef struct StoredBehaviour
{
	ItemPointerData at;
	int32		first_seen;		/* day */
	DayRuns		days;
} StoredBehaviour;

/* Of a class of identities on a day. */
typedef struct StoredTally
{
	ItemPointerData at;
	int32		identities;
	int32		settled;
	int16		era;
} StoredTally;

/* A row of the journal that tells of an identity, or of an operation of it. */
typedef struct StoredDelta
{
	Event		event;			/* names only; the operation may be missing */
	int			kinds;
	DayRuns		days;
} StoredDelta;

/*
 * Between the two, the look-ups below see what is committed, and what this
 * transaction has done.  Strings and days lie in the memory context current
 * at the call.
 */
extern void stored_begin(void);
extern void stored_end(void);

/* The same, as of an earlier moment. */
extern void stored_begin_as_of(Snapshot snapshot);

/* The same for whoever writes nothing by what is found. */
extern void stored_begin_to_read(Snapshot snapshot);

/*
 * The same in the middle of a statement, whose own changes they do not see.  The
 * tables stay open until the context goes, which must belong to the statement.
 * The schema of the machinery is found by its name where it is not given.
 */
typedef struct StoredTables StoredTables;

extern StoredTables *stored_tables_create(MemoryContext context, Oid schema);
extern void stored_begin_within(StoredTables *tables);

/*
 * As stored_begin_to_read(), for a function that any expression may call: they stay
 * open only where the context goes before whatever they are open for.
 */
extern void stored_begin_reading(StoredTables *tables, Snapshot snapshot);

extern void stored_init(void);

/* Each returns whether there is a row. */
extern bool stored_account(const Event *event, StoredAccount *account);
extern bool stored_identity(int32 account_id, const Event *event, StoredIdentity *identity);

/* Calls take for each identity of the account on the page where one is. */
typedef void (*TakeBeside) (Slice name, int kinds, const DayRuns *days, void *arg);

extern void stored_identities_beside(int32 account_id, const StoredIdentity *identity,
									 TakeBeside take, void *arg);

extern bool stored_behaviour_days(int32 account_id, int64 identity_id, const Event *event,
								  DayRuns *days);
extern bool stored_behaviour(int32 account_id, int32 operation_id, int64 identity_id,
							 StoredBehaviour *behaviour);
extern bool stored_tally(int32 account_id, int32 operation_id, bool is_user, int32 day,
						 StoredTally *tally);
extern bool stored_pending(const Event *event);

/* The number that the operation has in its account; 0 if it has none. */
extern int32 stored_operation_id(int32 account_id, const Event *event);

/*
 * The highest number that the account gave to an operation, 0 if to none; take,
 * if there is one, is called for each.
 */
extern int32 stored_operations(int32 account_id, void (*take) (int32 operation_id, void *arg),
							   void *arg);

/*
 * First events of the behaviour's alerts, suppressed or not, that lie between
 * since and until; how many there are.
 */
extern int	stored_alerts(const Event *event, TimestampTz since, TimestampTz until,
						  TimestampTz **times);

/* Are there any, shown or suppressed, that began between since and until? */
extern void stored_alerts_around(const Event *event, TimestampTz since, TimestampTz until,
								 bool *shown, bool *hidden);

/*
 * By hash alone: they may say so of another, but never miss one.  Days that
 * true positives took out; the journal; the journal of the sample of contexts; a
 * count toward a limit of 10,000 or more.
 */
extern bool stored_may_have_excluded(Slice account, Slice operation);
extern bool stored_may_have_journal(Slice account);
extern bool stored_may_have_samples(Slice account);

extern bool stored_may_be_near_limit(Slice scope);

/* The same of alerts, suppressed or not, also those that others are just writing. */
extern bool stored_may_have_alerts(Slice identity);

extern bool stored_has_suppressions(void);

/* Is an event of that id noted at the alert? */
extern bool stored_alert_has_event(int64 alert_id, Slice event_id);

/* A limit of iamwatch.limits; the largest number if it does not hold. */
extern int64 stored_limit(const char *name);

/* Days of identities, summed: all of them, and those that count for peers. */
typedef struct StoredSum
{
	int64		all;
	int64		settled;
} StoredSum;

typedef struct StoredSums
{
	StoredSum	days;			/* on which they did an operation */
	StoredSum	active;			/* ... did anything */
	StoredSum	iam_days;		/* ... did any IAM operation */
} StoredSums;

/*
 * By the tallies of an account, over all its identities that are people, or
 * that are not.  What is in the journal only is not in the tallies, and what
 * true positives took out still is.
 */
extern StoredSums stored_tallies(int32 account_id, int32 operation_id, bool is_user,
								 int32 since, int32 until);

/* Days on which any identity of the account did an operation, summed over all of them. */
extern int64 stored_tallied_days(int32 account_id, int32 operation_id, int32 since, int32 until);

extern StoredSums stored_sums_add(StoredSums sums, StoredSums more);

/* Add the days that true positives have taken out of the behaviour. */
extern void stored_excluded_days(const Event *event, DayRuns *days);

/* The first events of those alerts of a detector that did; returns how many. */
extern int	stored_attacks(const Event *event, const char *detector, TimestampTz **times);

/* Calls take for every row that the journal has of the identity. */
extern void stored_journal(const Event *event,
						   void (*take) (const StoredDelta *delta, void *arg), void *arg);

/* The same for all identities of the account, the rows of each hash of a name together. */
extern void stored_journal_rows(const Event *event,
								void (*take) (const StoredDelta *delta, void *arg), void *arg);

/* Moves the account's first event and newest day to what the journal has of them. */
extern void stored_journal_of_account(const Event *event, StoredAccount *account);

#endif							/* IAMWATCH_STORED_H */
