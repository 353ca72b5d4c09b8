/*-------------------------------------------------------------------------
 *
 * risk_counts.h
 *		What the risk of an event is counted from.
 *
 *-------------------------------------------------------------------------
 */
#ifndef IAMWATCH_RISK_COUNTS_H
#define IAMWATCH_RISK_COUNTS_H

#include "detect/score.h"
#include "event/event_row.h"

/* The account has the number 0 if it is not known. */
extern RiskCounts risk_counts(const EventRow *row, int32 account_id,
							  int memory_days, int peer_memory_days);

#endif							/* IAMWATCH_RISK_COUNTS_H */
