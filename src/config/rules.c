/*-------------------------------------------------------------------------
 *
 * rules.c
 *		What follows from a detector's settings, for SQL that tries others than
 *		those that are set.
 *
 * Must never look at a table: the settings come as arguments.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "config/settings.h"
#include "fmgr.h"
#include "utils/array.h"
#include "utils/builtins.h"

PG_FUNCTION_INFO_V1(iamwatch_context_kinds);
PG_FUNCTION_INFO_V1(iamwatch_widest_limit);
PG_FUNCTION_INFO_V1(iamwatch_watches);

/* context_kinds() RETURNS text[] */
Datum
iamwatch_context_kinds(PG_FUNCTION_ARGS)
{
	Datum		kinds[CONTEXT_KINDS];

	for (int i = 0; i < CONTEXT_KINDS; i++)
		kinds[i] = CStringGetTextDatum(context_kinds[i]);
	PG_RETURN_ARRAYTYPE_P(construct_array(kinds, CONTEXT_KINDS, TEXTOID, -1, false, TYPALIGN_INT));
}

/* widest_limit(probability_limit float8, context_bits float8, context_kinds text[]) */
Datum
iamwatch_widest_limit(PG_FUNCTION_ARGS)
{
	PG_RETURN_FLOAT8(detector_widest_limit(PG_GETARG_FLOAT8(0), PG_GETARG_FLOAT8(1),
										   PG_ARGISNULL(2) ? NULL : PG_GETARG_ARRAYTYPE_P(2)));
}

/*
 * watches(categories text[], effects text[], least_sensitivity int, category
 * text, effect text, sensitivity int) RETURNS boolean
 */
Datum
iamwatch_watches(PG_FUNCTION_ARGS)
{
	Detector	detector = {0};
	Operation	operation = {0};
	char	   *effect;

	for (int i = 1; i < PG_NARGS(); i++)
		if (PG_ARGISNULL(i))
			PG_RETURN_NULL();
	if (!PG_ARGISNULL(0))
		detector_set_categories(&detector, PG_GETARG_ARRAYTYPE_P(0));
	detector_set_effects(&detector, PG_GETARG_ARRAYTYPE_P(1));
	detector.least_sensitivity = PG_GETARG_INT32(2);
	operation.category = text_to_cstring(PG_GETARG_TEXT_PP(3));
	effect = text_to_cstring(PG_GETARG_TEXT_PP(4));
	operation.effect = effect_named((Slice) {effect, strlen(effect)});
	operation.sensitivity = PG_GETARG_INT32(5);
	PG_RETURN_BOOL(detector_watches(&detector, &operation));
}
