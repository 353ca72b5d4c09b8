/*-------------------------------------------------------------------------
 *
 * score_batch.h
 *		Scores what a batch did, and hands over what is unusual.
 *
 *-------------------------------------------------------------------------
 */
#ifndef IAMWATCH_SCORE_BATCH_H
#define IAMWATCH_SCORE_BATCH_H

#include "detect/entities.h"

/*
 * Raise alerts for what is unusual in a batch that was learned, and note of
 * each event whether it is settled.  Between SPI_connect() and SPI_finish(),
 * as the owner.
 */
extern void score_batch(Entities *entities);

#endif							/* IAMWATCH_SCORE_BATCH_H */
