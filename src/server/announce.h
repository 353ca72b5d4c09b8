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

#endif							/* IAMWATCH_ANNOUNCE_H */
