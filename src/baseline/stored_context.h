/*-------------------------------------------------------------------------
 *
 * stored_context.h
 *		What the tables hold of the contexts of an identity.
 *
 * Between stored_begin() and stored_end().
 *
 *-------------------------------------------------------------------------
 */
#ifndef IAMWATCH_STORED_CONTEXT_H
#define IAMWATCH_STORED_CONTEXT_H

#include "baseline/dayset.h"
#include "event/event_row.h"
#include "storage/itemptr.h"

/* When an identity did an operation that was new to it. */
typedef struct StoredNovelty
{
	TimestampTz at;
	Slice		service;
	Slice		operation;
	bool		failed;
	Slice		access_key;		/* may be missing */
} StoredNovelty;

/* Calls take for each from one time to another, both included. */
extern void stored_novelties(int32 account_id, int64 identity_id, TimestampTz since,
							 TimestampTz until,
							 void (*take) (const StoredNovelty *novelty, void *arg), void *arg);

/* Calls take for each context that was sampled, with its set of days. */
extern void stored_habits(int32 account_id, int64 identity_id,
						  void (*take) (char kind, Slice value, Datum days, void *arg), void *arg);

/* Is one of them stored? */
extern bool stored_has_novelty(int32 account_id, int64 identity_id, TimestampTz at, int32 operation_id);

/* Where it is: only who writes the account may use that, and nobody else moves it. */
typedef struct StoredHabit
{
	ItemPointerData at;
	DayRuns		days;
} StoredHabit;

/* Whether there is one. */
extern bool stored_habit(int32 account_id, int64 identity_id, char kind, Slice value, StoredHabit *habit);

/* A sample, as it waits in the journal. */
typedef struct StoredSample
{
	EventColumns columns;
	Event		event;			/* as of event_from_columns() */
	Slice		access_key;		/* may be missing */
	bool		novel;
} StoredSample;

/* Of the columns of a row of the journal; strings lie in the row. */
extern void sample_read(HeapTupleHeader event, Slice access_key, bool novel, StoredSample *sample);

/* Calls take for each of the identity of an event. */
extern void stored_samples(const Event *event,
						   void (*take) (const StoredSample *sample, void *arg), void *arg);

#endif							/* IAMWATCH_STORED_CONTEXT_H */
