/*-------------------------------------------------------------------------
 *
 * announce.h
 *		Notifications, sent when the transaction commits.
 *
 *-------------------------------------------------------------------------
 */
#ifndef IAMWATCH_ANNOUNCE_H
#define IAMWATCH_ANNOUNCE_H

extern void announce_init(void);

/*
 * Notify of an alert just before the transaction commits.  When it is prepared
 * instead, or the queue of the server is fuller than iamwatch.limits says, the
 * alert becomes a row of iamwatch_internal.unsent_notifications.
 */
extern void announce_alert(int64 alert_id, const char *payload);

#endif							/* IAMWATCH_ANNOUNCE_H */
