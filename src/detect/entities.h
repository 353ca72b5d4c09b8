/*-------------------------------------------------------------------------
 *
 * entities.h
 *		The entities of the events in a batch, and what is stored of them.
 *
 * For detect.c and the files that it hands a batch to, learn.c and score_batch.c.
 *
 *-------------------------------------------------------------------------
 */
#ifndef IAMWATCH_ENTITIES_H
#define IAMWATCH_ENTITIES_H

#include "baseline/baseline_cache.h"
#include "baseline/dayset.h"
#include "config/catalogue.h"
#include "detect/batch.h"

typedef struct Account
{
	Fingerprint key;
	int			number;			/* in the list of accounts */
	const Event *sample;		/* for the names */
	bool		stored;			/* an event was seen of it before */
	int32		account_id;		/* 0 if it has none yet */
	bool		journaled;		/* the journal may have something of it */
	TimestampTz first;			/* first event, the batch included */
	int32		newest;			/* newest day, the batch included */
	int32		stored_newest;
	int64		late;			/* events of the batch that come too late */
	bool		first_moved;	/* the batch has an earlier first event */
} Account;

typedef struct Identity
{
	Fingerprint key;
	Account    *account;
	const Event *sample;
	int64		identity_id;	/* 0 if it has none yet */
	int			kinds;			/* stored and of the batch */
	int			stored_kinds;
	DayRuns		first_days;		/* stored: the first ever, also if dropped since */
	DayRuns		days;			/* stored, and learned of the batch */
	DayRuns		fresh;			/* learned of the batch */
} Identity;

typedef struct Behaviour
{
	Fingerprint key;
	Identity   *identity;
	const Event *sample;
	const Operation *operation;
	DayRuns		days;			/* as an identity's */
	DayRuns		fresh;
	DayRuns		excluded;		/* days that do not count, by triage */
	TimestampTz since;			/* first and last event of the batch */
	TimestampTz until;
	bool		pending;		/* others left events of it */
	int			nalerts;
	TimestampTz *alerts;		/* first events of alerts not far away,
								 * suppressed ones too */
	struct Attacks *attacks;	/* of each detector, as of before anything is
								 * scored; NULL if no day is excluded */
	int			nevents;
	int			capacity;
	struct BatchEvent **events;
} Behaviour;

/* An event of the batch that was understood. */
typedef struct BatchEvent
{
	const Event *event;
	Account    *account;
	Identity   *identity;		/* NULL if it comes too late */
	Behaviour  *behaviour;		/* NULL unless it is an IAM operation */
	bool		late;
	bool		brings_day;		/* the first that is known of its identity's day */
	bool		brings_behaviour;	/* ... and of its behaviour's */
	bool		near;			/* an alert or pending event may concern it */
	bool		cacheable;		/* nothing more to do on this day */
} BatchEvent;

/* All of them, each entity once, in the order in which they come up. */
typedef struct Entities
{
	int			nitems;
	BatchEvent *items;
	int			naccounts;
	Account   **accounts;
	int			nidentities;
	Identity  **identities;
	int			nbehaviours;
	Behaviour **behaviours;
	struct entity_hash *account_table;	/* the same three, by key */
	struct entity_hash *identity_table;
	struct entity_hash *behaviour_table;
} Entities;

/*
 * Find the entities of events that were understood, leave out what comes too
 * late, and look up what is stored of the rest.  All lies in the current
 * memory context and points to the batch.
 */
extern void entities_find(Entities *entities, const BatchItem *batch, int count);

/*
 * How far from an event an alert may be that takes it, or has something to say
 * to it.  A day more than the deduplication period, for the day on which that
 * ends.
 */
extern int64 entities_alert_reach(void);

#endif							/* IAMWATCH_ENTITIES_H */
