/*-------------------------------------------------------------------------
 *
 * weigh.h
 *		What a detector's settings make of an unusual event.
 *
 *-------------------------------------------------------------------------
 */
#ifndef IAMWATCH_WEIGH_H
#define IAMWATCH_WEIGH_H

#include "detect/candidate.h"
#include "utils/jsonb.h"

/* The probability with the bits that the settings give to each context that is present. */
extern double weigh_probability(const AlertSettings *settings, double probability, Jsonb *context);

/* Of the counts, and the bits of the context; 22003 if a part of the counts exceeds its whole. */
extern double weigh_risk(const AlertSettings *settings, const ScoreRow *score, int sensitivity,
						 Jsonb *context);

/* The variation of the detector that an event falls under, and its severity: texts. */
typedef struct Variation
{
	Datum		name;
	bool		has_name;
	Datum		severity;
} Variation;

/* From 1, for a severity: a text. */
extern int	severity_rank(Datum severity);

extern Variation weigh_variation(const AlertSettings *settings, const EventColumns *event,
								 Datum event_row);

#endif							/* IAMWATCH_WEIGH_H */
