/*-------------------------------------------------------------------------
 *
 * risk_steps.c
 *		How a risk follows from its counts, for those who show the arithmetic.
 *
 * The formula is in score.c, which must stay free of tuples.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "detect/score.h"
#include "funcapi.h"

PG_FUNCTION_INFO_V1(iamwatch_risk_steps);

/*
 * risk_steps(k int, active int, iam_days int, peer_days bigint, peer_active
 * bigint, peer_iam_days bigint, OUT peer_iam_rate float8, OUT iam_rate float8,
 * OUT share float8, OUT rate float8)
 */
Datum
iamwatch_risk_steps(PG_FUNCTION_ARGS)
{
	RiskCounts	counts = score_risk_counts(fcinfo);
	RiskSteps	steps = score_risk_steps(&counts);
	Datum		values[] = {
		Float8GetDatum(steps.peer_iam_rate), Float8GetDatum(steps.iam_rate),
		Float8GetDatum(steps.share), Float8GetDatum(steps.rate)
	};
	bool		nulls[lengthof(values)] = {false};
	TupleDesc	desc;

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("function returning record called in context that cannot accept type record")));
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls)));
}
