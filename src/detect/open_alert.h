/*-------------------------------------------------------------------------
 *
 * open_alert.h
 *		Opens an alert.
 *
 *-------------------------------------------------------------------------
 */
#ifndef IAMWATCH_OPEN_ALERT_H
#define IAMWATCH_OPEN_ALERT_H

#include "baseline/alert_columns.h"
#include "detect/candidate.h"

/* A row of iamwatch_internal.all_alerts. */
typedef struct AlertColumns
{
	Datum		values[ALERTS_EXCLUDED_DAYS];
	bool		nulls[ALERTS_EXCLUDED_DAYS];
} AlertColumns;

/*
 * Of an unusual event; a suppressed one if the suppression is given, which may be
 * NULL.  False if none is opened: the operation has left the catalogue, or context
 * counts and does not make it unusual, or its risk is below the least, or the
 * limit alerts is reached and nothing is known of the identity.  Under the lock of
 * its behaviour.
 */
extern bool open_alert(const AlertSettings *settings, Candidate *candidate,
					   const int64 *suppression, AlertColumns *alert);

/*
 * Is the event not one of the alert's yet?  Then it is noted there, if there is
 * room.  Under the lock of its behaviour.
 */
extern bool note_event(int64 alert_id, const EventColumns *event, bool has_room);

#endif							/* IAMWATCH_OPEN_ALERT_H */
