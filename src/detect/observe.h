/*-------------------------------------------------------------------------
 *
 * observe.h
 *		Where events come in.
 *
 *-------------------------------------------------------------------------
 */
#ifndef IAMWATCH_OBSERVE_H
#define IAMWATCH_OBSERVE_H

extern void observe_init(void);

#endif							/* IAMWATCH_OBSERVE_H */
