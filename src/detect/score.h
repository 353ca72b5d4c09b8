/*-------------------------------------------------------------------------
 *
 * score.h
 *		How probable it is that an identity does an operation on a day, and how
 *		much it matters that it did.
 *
 *-------------------------------------------------------------------------
 */
#ifndef IAMWATCH_SCORE_H
#define IAMWATCH_SCORE_H

#include "fmgr.h"

/*
 * k of the active days of an identity, and peer_days of the peer_active days
 * of its peers, saw the behaviour.  Source: detection.md, Unusual; the
 * posterior mean of a beta-binomial of weight 2 around the peers' rate, which
 * is one of weight 10 around 1 in 100.  Between 0 and 1, never 0.
 */
extern double score_probability(int64 k, int64 active, int64 peer_days, int64 peer_active);

/*
 * Can it be below the limit?  Whatever the peers do only adds to it, so this
 * is asked before they are looked at.
 */
extern bool score_may_be_unusual(int64 k, int64 active, double probability_limit);

/*
 * The risk of an unusual event, in bits.  Source: detection.md, Risk.  Days of
 * the identity's own memory: with the operation, with anything, with any IAM
 * operation; of its peers' memory the same, summed.
 */
typedef struct RiskCounts
{
	int64		k;
	int64		active;
	int64		iam_days;
	int64		peer_days;
	int64		peer_active;
	int64		peer_iam_days;
} RiskCounts;

/* What it goes through: r, pi, phi and rho of detection.md. */
typedef struct RiskSteps
{
	double		peer_iam_rate;
	double		iam_rate;
	double		share;
	double		rate;
} RiskSteps;

extern RiskSteps score_risk_steps(const RiskCounts *counts);
extern double score_risk(const RiskCounts *counts, int sensitivity);

/* The first six arguments of a function; an error if a part exceeds its whole. */
extern RiskCounts score_risk_counts(FunctionCallInfo fcinfo);

/* Bits of surprise, -log2(probability). */
extern double score_surprise(double probability);

#endif							/* IAMWATCH_SCORE_H */
