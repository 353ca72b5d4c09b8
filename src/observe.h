/*-------------------------------------------------------------------------
 *
 * observe.h
 *		Where events come in.
 *
 *-------------------------------------------------------------------------
 */
#ifndef IAMWATCH_OBSERVE_H
#define IAMWATCH_OBSERVE_H

/* Load the catalogue if need be, with the owner's rights. */
extern void load_as_owner(void);

extern void observe_init(void);

#endif							/* IAMWATCH_OBSERVE_H */
