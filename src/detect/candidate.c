/*-------------------------------------------------------------------------
 *
 * candidate.c
 *		Events that may open or join an alert, as SQL has them.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "detect/candidate.h"
#include "fmgr.h"
#include "funcapi.h"
#include "server/composite.h"
#include "server/given.h"
#include "server/objects.h"
#include "utils/typcache.h"

/* Columns of iamwatch_internal.candidate, from 0. */
enum
{
	CANDIDATE_DETECTOR, CANDIDATE_EVENT, CANDIDATE_UNUSUAL, CANDIDATE_DAY_SCORED,
	CANDIDATE_SCORE, CANDIDATE_COLUMNS
};

static Datum
make_row(const char *type, int count, const Datum *values, const bool *nulls)
{
	TupleDesc	desc = lookup_rowtype_tupdesc(internal_type(type), -1);
	Datum		row = composite_make(desc, count, values, nulls);

	ReleaseTupleDesc(desc);
	return row;
}

void
score_row_read(HeapTupleHeader row, ScoreRow *score)
{
	if (row != NULL)
	{
		composite_read(row, SCORE_COLUMNS, score->values, score->nulls);
		return;
	}
	memset(score->values, 0, sizeof(score->values));
	memset(score->nulls, true, sizeof(score->nulls));
}

void
score_row_set_risk(ScoreRow *score, const RiskCounts *counts)
{
	score->values[SCORE_RISK_K] = Int32GetDatum((int32) counts->k);
	score->values[SCORE_RISK_ACTIVE] = Int32GetDatum((int32) counts->active);
	score->values[SCORE_RISK_IAM_DAYS] = Int32GetDatum((int32) counts->iam_days);
	score->values[SCORE_RISK_PEER_DAYS] = Int64GetDatum(counts->peer_days);
	score->values[SCORE_RISK_PEER_ACTIVE] = Int64GetDatum(counts->peer_active);
	score->values[SCORE_RISK_PEER_IAM_DAYS] = Int64GetDatum(counts->peer_iam_days);
	for (int i = SCORE_RISK_K; i < SCORE_COLUMNS; i++)
		score->nulls[i] = false;
}

Datum
score_row_datum(const ScoreRow *score)
{
	return make_row("score", SCORE_COLUMNS, score->values, score->nulls);
}

int64
score_row_count(const ScoreRow *score, int column)
{
	switch (column)
	{
		case SCORE_K:
		case SCORE_ACTIVE:
		case SCORE_RISK_K:
		case SCORE_RISK_ACTIVE:
		case SCORE_RISK_IAM_DAYS:
			return DatumGetInt32(score->values[column]);
		default:
			return DatumGetInt64(score->values[column]);
	}
}

void
candidate_read(HeapTupleHeader row, Candidate *candidate)
{
	Datum		values[CANDIDATE_COLUMNS];
	bool		nulls[CANDIDATE_COLUMNS];

	composite_read(row, CANDIDATE_COLUMNS, values, nulls);
	if (nulls[CANDIDATE_DETECTOR] || nulls[CANDIDATE_EVENT])
		refuse_null("detector and event of a candidate");
	candidate->detector = values[CANDIDATE_DETECTOR];
	candidate->event_row = values[CANDIDATE_EVENT];
	candidate->unusual = !nulls[CANDIDATE_UNUSUAL] && DatumGetBool(values[CANDIDATE_UNUSUAL]);
	candidate->day_scored = !nulls[CANDIDATE_DAY_SCORED] && DatumGetBool(values[CANDIDATE_DAY_SCORED]);
	score_row_read(nulls[CANDIDATE_SCORE] ? NULL : DatumGetHeapTupleHeader(values[CANDIDATE_SCORE]),
				   &candidate->score);
	event_columns(DatumGetHeapTupleHeader(candidate->event_row), &candidate->columns);
	candidate->event = event_from_columns(&candidate->columns);
}

Datum
candidate_datum(const Candidate *candidate)
{
	Datum		values[CANDIDATE_COLUMNS] = {
		candidate->detector, candidate->event_row, BoolGetDatum(candidate->unusual),
		BoolGetDatum(candidate->day_scored), score_row_datum(&candidate->score)
	};
	bool		nulls[CANDIDATE_COLUMNS] = {false};

	return make_row("candidate", CANDIDATE_COLUMNS, values, nulls);
}

void
alert_settings_read(HeapTupleHeader row, AlertSettings *settings)
{
	settings->row = HeapTupleHeaderGetDatum(row);
	composite_read(row, DETECTORS_COLUMNS, settings->values, settings->nulls);
}
