/*-------------------------------------------------------------------------
 *
 * baseline_cache.h
 *		What this backend remembers of the baselines.
 *
 *-------------------------------------------------------------------------
 */
#ifndef IAMWATCH_BASELINE_CACHE_H
#define IAMWATCH_BASELINE_CACHE_H

#include "baseline/dayset.h"
#include "config/catalogue.h"

/*
 * 128 bits that stand for an account, an identity or a behaviour.  They are
 * seeded anew in every backend, so nobody can prepare two that collide.
 */
typedef struct Fingerprint
{
	uint64		a;
	uint64		b;
} Fingerprint;

extern Fingerprint fingerprint_account(const Event *event);
extern Fingerprint fingerprint_identity(Fingerprint account, const Event *event);
extern Fingerprint fingerprint_behaviour(Fingerprint identity, const Event *event);

/*
 * Is there nothing to do for the event?  False also when this backend does
 * not know.  Looks in memory only.
 */
extern bool cache_knows(const Event *event);

/* The same where the operation, or NULL, was looked up, and so the settings are there. */
extern bool cache_knows_of(const Event *event, const Operation *operation);

/*
 * Remember what the tables say now: the account's first event and newest day;
 * that the identity is active on the day, and on further days as far as there
 * is room; that further events of the behaviour by a person, or by what is
 * none, on the day change nothing, as long as nothing is told of alerts since it was
 * looked up (told.h).
 * Forgotten if the transaction or savepoint in which it was remembered rolls
 * back.
 */
extern void cache_remember_account(Fingerprint account, TimestampTz first, int32 newest);
extern void cache_remember_identity(Fingerprint identity, IdentityKind kind, int32 day);
extern void cache_remember_identity_days(Fingerprint identity, IdentityKind kind, int32 day,
										 const DayRuns *days);
extern void cache_remember_behaviour(Fingerprint behaviour, IdentityKind kind, int32 day,
									 uint64 told);

/* An alert was opened that concerns events of any near day. */
extern void cache_forget_behaviour(Fingerprint behaviour);

/* How much is remembered, and its memory, the old generation included. */
typedef struct CacheSize
{
	int64		entries;
	int64		accounts;
	int64		bytes;
} CacheSize;

extern CacheSize cache_size(void);

extern void cache_init(void);

#endif							/* IAMWATCH_BASELINE_CACHE_H */
