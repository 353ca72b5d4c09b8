/*-------------------------------------------------------------------------
 *
 * told.h
 *		How often this session was told that alerts were opened.
 *
 *-------------------------------------------------------------------------
 */
#ifndef IAMWATCH_TOLD_H
#define IAMWATCH_TOLD_H

/* For baseline_cache.c to read. */
extern uint64 times_told;

/*
 * To be asked for before the snapshot is taken by which a behaviour is looked up:
 * what is remembered of it holds until the session is told again.
 */
extern uint64 told_begin(void);

/* An alert was opened: all sessions are told when the transaction commits. */
extern void told_alert_opened(void);

extern void told_init(void);

#endif							/* IAMWATCH_TOLD_H */
