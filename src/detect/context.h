/*-------------------------------------------------------------------------
 *
 * context.h
 *		What makes an unusual event stronger.
 *
 *-------------------------------------------------------------------------
 */
#ifndef IAMWATCH_CONTEXT_H
#define IAMWATCH_CONTEXT_H

#include "event/event_row.h"
#include "utils/jsonb.h"

/*
 * The contexts that are present, by kind.  The numbers are 0 where the tables
 * have none.  Active: on how many days of the training period the identity was.
 * Key: what the event was signed with, where that is not learned; may be missing.
 */
extern Jsonb *context_of(const EventColumns *event, int32 account_id, int64 identity_id,
						 int32 training_days, int32 active, Slice key);

#endif							/* IAMWATCH_CONTEXT_H */
