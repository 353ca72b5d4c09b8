/*-------------------------------------------------------------------------
 *
 * learn.h
 *		Hands over what a batch adds to the baselines, and to the sample of
 *		contexts.
 *
 *-------------------------------------------------------------------------
 */
#ifndef IAMWATCH_LEARN_H
#define IAMWATCH_LEARN_H

#include "detect/entities.h"

/*
 * Add the days of the batch to those of its entities, note which event brings
 * one, and have them stored.  Between SPI_connect() and SPI_finish(), as the
 * owner.
 */
extern void learn_batch(Entities *entities);

#endif							/* IAMWATCH_LEARN_H */
