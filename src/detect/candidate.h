/*-------------------------------------------------------------------------
 *
 * candidate.h
 *		Events that may open or join an alert, as SQL has them.
 *
 *-------------------------------------------------------------------------
 */
#ifndef IAMWATCH_CANDIDATE_H
#define IAMWATCH_CANDIDATE_H

#include "config/detector_columns.h"
#include "detect/score.h"
#include "event/event_row.h"

/* Columns of iamwatch_internal.score, from 0: those of the risk follow the others. */
enum
{
	SCORE_K, SCORE_ACTIVE, SCORE_PEER_DAYS, SCORE_PEER_ACTIVE, SCORE_PROBABILITY, SCORE_RISK_K,
	SCORE_RISK_ACTIVE, SCORE_RISK_IAM_DAYS, SCORE_RISK_PEER_DAYS, SCORE_RISK_PEER_ACTIVE,
	SCORE_RISK_PEER_IAM_DAYS, SCORE_COLUMNS
};

typedef struct ScoreRow
{
	Datum		values[SCORE_COLUMNS];
	bool		nulls[SCORE_COLUMNS];
} ScoreRow;

/* All null of a row that is NULL. */
extern void score_row_read(HeapTupleHeader row, ScoreRow *score);
extern void score_row_set_risk(ScoreRow *score, const RiskCounts *counts);
extern Datum score_row_datum(const ScoreRow *score);

/* Of either width; not of the probability. */
extern int64 score_row_count(const ScoreRow *score, int column);

/* A row of iamwatch_internal.candidate. */
typedef struct Candidate
{
	Datum		detector;
	Datum		event_row;
	bool		unusual;
	bool		day_scored;
	ScoreRow	score;

	/* the same event */
	EventColumns columns;
	EventRow	event;
} Candidate;

extern void candidate_read(HeapTupleHeader row, Candidate *candidate);
extern Datum candidate_datum(const Candidate *candidate);

/* A row of iamwatch.detectors. */
typedef struct AlertSettings
{
	Datum		row;
	Datum		values[DETECTORS_COLUMNS];
	bool		nulls[DETECTORS_COLUMNS];
} AlertSettings;

extern void alert_settings_read(HeapTupleHeader row, AlertSettings *settings);

static inline int32
alert_setting(const AlertSettings *settings, int column)
{
	return DatumGetInt32(settings->values[column]);
}

#endif							/* IAMWATCH_CANDIDATE_H */
