/*-------------------------------------------------------------------------
 *
 * peers.h
 *		The peers that did the same, for people to recognise.
 *
 *-------------------------------------------------------------------------
 */
#ifndef IAMWATCH_PEERS_H
#define IAMWATCH_PEERS_H

#include "event/event_row.h"
#include "utils/jsonb.h"

/*
 * Up to ten, with the number of their days in the training period that count,
 * those with the most first.  Numbers are 0 for what the tables do not know.
 */
extern Jsonb *peers_of(const EventRow *row, int32 account_id, int32 operation_id, int training_days);

#endif							/* IAMWATCH_PEERS_H */
