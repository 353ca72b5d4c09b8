/*-------------------------------------------------------------------------
 *
 * incidents.h
 *		The kept incidents of an identity.
 *
 *-------------------------------------------------------------------------
 */
#ifndef IAMWATCH_INCIDENTS_H
#define IAMWATCH_INCIDENTS_H

#include "access/htup.h"
#include "baseline/stored_scan.h"
#include "server/slice.h"
#include "utils/snapshot.h"
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

/* Are they behind their alerts?  The second, between stored_begin() and stored_end(). */
extern bool incidents_are_behind(const IncidentKey *key);
extern bool incidents_behind_in(const IncidentKey *key);

/* Must whoever keeps them have a lock, which another session may have? */
extern bool incidents_try_lock(const IncidentKey *key);

/*
 * Widen a time until no incident lies partly in it, nor nearer to it than the
 * gap.  Says which ones lie in it; how many.
 */
extern int	incidents_reach(const KeptIncident *incidents, int count, int64 gap,
							TimestampTz *since, TimestampTz *until, Datum *incident_ids);

/*
 * Is the incident urgent of an alert that began then, as far as this session
 * knows it?  It may have begun before the alert, with more risk.  The alert's own
 * risk is NULL if it has none.
 */
extern bool incident_is_urgent(const IncidentKey *key, TimestampTz began, const double *risk);

/* ---- of many: incidents_read.c ---- */

typedef struct IncidentRisk
{
	TimestampTz began;
	double		risk;
	int			place;			/* of the detector, for whoever has several */
} IncidentRisk;

/*
 * Those that began on a day, up to so many with the highest risks, highest
 * first; how many.  Skip_behind: but those that are behind their alerts.  Between
 * stored_begin_to_read() and stored_end(), as many days are asked for at once.
 */
extern int	incidents_of_day(Slice detector, int32 day, int most, bool skip_behind, IncidentRisk *risks);

/* Is the row of an index entry seen, and, where that is asked for, not behind its alerts? */
extern bool incidents_entry_counts(Lookup lookup, IndexScanDesc scan, bool skip_behind);

/* How many of those that began in URGENT_DAYS before a time have a higher risk, up to most.  In the same way. */
extern int	incidents_higher(Slice detector, TimestampTz began, double risk, int most, bool skip_behind);

/* What is compared of a row of kept_incidents; false if something of it is null. */
extern bool incident_of_row(HeapTupleHeader row, Datum *detector, IncidentRisk *risk);

/* Raises an error unless the caller may read them, as a query of theirs would. */
extern void incidents_check_access(void);

#endif							/* IAMWATCH_INCIDENTS_H */
