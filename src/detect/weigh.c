/*-------------------------------------------------------------------------
 *
 * weigh.c
 *		What a detector's settings make of an unusual event.
 *
 * The bits that they give to its context, and how severe it is.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "detect/weigh.h"
#include "fmgr.h"
#include "funcapi.h"
#include "server/objects.h"
#include "utils/array.h"
#include "utils/builtins.h"

PG_FUNCTION_INFO_V1(iamwatch_bits_of_context);
PG_FUNCTION_INFO_V1(iamwatch_in_context);
PG_FUNCTION_INFO_V1(iamwatch_risk_of);
PG_FUNCTION_INFO_V1(iamwatch_variation);

extern Datum iamwatch_risk(PG_FUNCTION_ARGS);

static bool
is_chosen(const AlertSettings *settings, Slice kind)
{
	Datum	   *kinds;
	bool	   *nulls;
	int			count;

	if (settings->nulls[DETECTORS_CONTEXT_KINDS])
		return true;
	deconstruct_array(DatumGetArrayTypeP(settings->values[DETECTORS_CONTEXT_KINDS]), TEXTOID, -1, false,
					  TYPALIGN_INT, &kinds, &nulls, &count);
	for (int i = 0; i < count; i++)
		if (!nulls[i] && slice_equal(slice_of_text(kinds[i]), kind))
			return true;
	return false;
}

/* The bits that the settings give to the contexts that are present; NULL has none. */
static double
bits_of_context(const AlertSettings *settings, Jsonb *context)
{
	double		each = DatumGetFloat8(settings->values[DETECTORS_CONTEXT_BITS]);
	JsonbIterator *it;
	JsonbIteratorToken token;
	JsonbValue	value;
	int			count = 0;

	if (each == 0 || context == NULL || !JB_ROOT_IS_OBJECT(context))
		return 0;
	it = JsonbIteratorInit(&context->root);
	while ((token = JsonbIteratorNext(&it, &value, true)) != WJB_DONE)
		if (token == WJB_KEY && is_chosen(settings, (Slice) {value.val.string.val, value.val.string.len}))
			count++;
	return each * count;
}

double
weigh_probability(const AlertSettings *settings, double probability, Jsonb *context)
{
	return probability / pow(2, bits_of_context(settings, context));
}

double
weigh_risk(const AlertSettings *settings, const ScoreRow *score, int sensitivity, Jsonb *context)
{
	Datum		risk = DirectFunctionCall7(iamwatch_risk, score->values[SCORE_RISK_K],
										   score->values[SCORE_RISK_ACTIVE], score->values[SCORE_RISK_IAM_DAYS],
										   score->values[SCORE_RISK_PEER_DAYS],
										   score->values[SCORE_RISK_PEER_ACTIVE],
										   score->values[SCORE_RISK_PEER_IAM_DAYS], Int32GetDatum(sensitivity));

	return DatumGetFloat8(risk) + bits_of_context(settings, context);
}

/* By the inventory.  It knows of instances, and of addresses of what is no person: most are asked nothing. */
static bool
faces_internet(const EventColumns *event, Datum event_row)
{
	bool		is_user = !event->nulls[EVENT_IS_USER] && DatumGetBool(event->values[EVENT_IS_USER]);
	Oid			type;

	if (is_user && !slice_is(event_column(event, EVENT_IDENTITY_KIND), "instance"))
		return false;
	type = public_type("event");
	return DatumGetBool(OidFunctionCall1(internal_function("faces_internet", &type, 1), event_row));
}

int
severity_rank(Datum severity)
{
	Oid			type = TEXTOID;

	return DatumGetInt32(OidFunctionCall1(internal_function("severity_rank", &type, 1), severity));
}

/* "The most severe that applies wins", the first of them if they are alike. */
Variation
weigh_variation(const AlertSettings *settings, const EventColumns *event, Datum event_row)
{
	bool		is_user = !event->nulls[EVENT_IS_USER] && DatumGetBool(event->values[EVENT_IS_USER]);
	Datum		severity = settings->values[is_user ? DETECTORS_SEVERITY_BASE : DETECTORS_SEVERITY_NON_USER];
	Datum	   *names;
	bool	   *nulls;
	int			count;
	int			applies = is_user ? 0 : 1;

	if (faces_internet(event, event_row) &&
		(is_user || severity_rank(settings->values[DETECTORS_SEVERITY_INTERNET_FACING]) >= severity_rank(severity)))
	{
		severity = settings->values[DETECTORS_SEVERITY_INTERNET_FACING];
		applies = 2;
	}
	deconstruct_array(DatumGetArrayTypeP(settings->values[DETECTORS_VARIATION_NAMES]), TEXTOID, -1, false,
					  TYPALIGN_INT, &names, &nulls, &count);
	if (applies >= count || nulls[applies])
		return (Variation) {.severity = severity};
	return (Variation) {names[applies], true, severity};
}

/* ---- for SQL ---- */

/* Those of the table have a value in each of these; a row made by hand may not. */
static AlertSettings
settings_argument(FunctionCallInfo fcinfo)
{
	static const int needed[] = {DETECTORS_CONTEXT_BITS, DETECTORS_SEVERITY_BASE,
		DETECTORS_SEVERITY_NON_USER, DETECTORS_SEVERITY_INTERNET_FACING,
	DETECTORS_VARIATION_NAMES};
	AlertSettings settings;

	alert_settings_read(PG_GETARG_HEAPTUPLEHEADER(0), &settings);
	for (int i = 0; i < lengthof(needed); i++)
		if (settings.nulls[needed[i]])
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("column %d of a detector's settings is null", needed[i] + 1),
					 errhint("Give a row of iamwatch.detectors.")));
	return settings;
}

/* bits_of_context(settings, context jsonb) RETURNS float8; context may be null */
Datum
iamwatch_bits_of_context(PG_FUNCTION_ARGS)
{
	AlertSettings settings;

	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	settings = settings_argument(fcinfo);
	PG_RETURN_FLOAT8(bits_of_context(&settings, PG_ARGISNULL(1) ? NULL : PG_GETARG_JSONB_P(1)));
}

/* in_context(settings, probability float8, context jsonb) RETURNS float8; context may be null */
Datum
iamwatch_in_context(PG_FUNCTION_ARGS)
{
	AlertSettings settings;

	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		PG_RETURN_NULL();
	settings = settings_argument(fcinfo);
	PG_RETURN_FLOAT8(weigh_probability(&settings, PG_GETARG_FLOAT8(1),
									   PG_ARGISNULL(2) ? NULL : PG_GETARG_JSONB_P(2)));
}

/* risk_of(settings, score, sensitivity integer, context jsonb) RETURNS float8; context may be null */
Datum
iamwatch_risk_of(PG_FUNCTION_ARGS)
{
	AlertSettings settings;
	ScoreRow	score;

	if (PG_ARGISNULL(0) || PG_ARGISNULL(1) || PG_ARGISNULL(2))
		PG_RETURN_NULL();
	settings = settings_argument(fcinfo);
	score_row_read(PG_GETARG_HEAPTUPLEHEADER(1), &score);
	for (int i = SCORE_RISK_K; i < SCORE_COLUMNS; i++)
		if (score.nulls[i])
			PG_RETURN_NULL();
	PG_RETURN_FLOAT8(weigh_risk(&settings, &score, PG_GETARG_INT32(2),
								PG_ARGISNULL(3) ? NULL : PG_GETARG_JSONB_P(3)));
}

/* variation(settings, event, OUT variation text, OUT severity text) */
Datum
iamwatch_variation(PG_FUNCTION_ARGS)
{
	AlertSettings settings;
	EventColumns event;
	Variation	variation;
	TupleDesc	desc;

	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		PG_RETURN_NULL();
	settings = settings_argument(fcinfo);
	event_columns(PG_GETARG_HEAPTUPLEHEADER(1), &event);
	variation = weigh_variation(&settings, &event, PG_GETARG_DATUM(1));
	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	return HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc),
											 (Datum[]) {variation.name, variation.severity},
											 (bool[]) {!variation.has_name, false}));
}
