/*-------------------------------------------------------------------------
 *
 * incidents.h
 *		The kept incidents of an identity.
 *
 *-------------------------------------------------------------------------
 */
#ifndef IAMWATCH_INCIDENTS_H
#define IAMWATCH_INCIDENTS_H

#include "server/slice.h"
#include "utils/timestamp.h"

/* An incident is compared with those that began in so many days before it. */
#define URGENT_DAYS 28

/* Whose incidents. */
typedef struct IncidentKey
{
	Slice		detector;
	Slice		provider;
	Slice		account;
	Slice		identity;
} IncidentKey;

typedef struct KeptIncident
{
	int64		incident_id;
	TimestampTz first;
	TimestampTz last;
	double		risk;
} KeptIncident;

/* How long without an alert ends an incident of a detector, in microseconds. */
extern int64 incident_gap(Slice detector);

/* How many incidents of a detector are urgent of those of URGENT_DAYS, by its daily budget. */
extern int64 urgent_most(Slice detector);

/* Those that are kept, in order of their first event; how many there are. */
extern int	incidents_kept(const IncidentKey *key, KeptIncident **incidents);

/* Are they behind their alerts? */
extern bool incidents_are_behind(const IncidentKey *key);

/* Must whoever keeps them have a lock, which another session may have? */
extern bool incidents_try_lock(const IncidentKey *key);

/*
 * Widen a time until no incident lies partly in it, nor nearer to it than the
 * gap.  Says which ones lie in it; how many.
 */
extern int	incidents_reach(const KeptIncident *incidents, int count, int64 gap,
							TimestampTz *since, TimestampTz *until, Datum *incident_ids);

#endif							/* IAMWATCH_INCIDENTS_H */
