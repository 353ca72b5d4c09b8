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

#include "event/event_row.h"

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

/* A sample that waits in the journal. */
typedef struct StoredSample
{
	EventColumns columns;
	Event		event;			/* as of event_from_columns() */
	Slice		access_key;		/* may be missing */
	bool		novel;
} StoredSample;

/* Calls take for each of the identity of an event. */
extern void stored_samples(const Event *event,
						   void (*take) (const StoredSample *sample, void *arg), void *arg);

#endif							/* IAMWATCH_STORED_CONTEXT_H */
