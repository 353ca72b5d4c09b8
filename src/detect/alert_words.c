/*-------------------------------------------------------------------------
 *
 * alert_words.c
 *		The words that some columns of an alert may have.
 *
 * For the constraints of its tables: a list in a constraint is read from the
 * catalogs by each statement that opens an alert, byte by byte, which takes
 * longer than to store the row.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"
#include "server/slice.h"

PG_FUNCTION_INFO_V1(iamwatch_is_severity);
PG_FUNCTION_INFO_V1(iamwatch_is_alert_status);
PG_FUNCTION_INFO_V1(iamwatch_is_resolution);

static bool
is_among(Datum value, const char *const *words, int count)
{
	Slice		word = slice_of_text(value);

	for (int i = 0; i < count; i++)
		if (slice_is(word, words[i]))
			return true;
	return false;
}

/* is_severity(severity text) RETURNS boolean */
Datum
iamwatch_is_severity(PG_FUNCTION_ARGS)
{
	static const char *const words[] = {"informational", "low", "medium", "high", "critical"};

	PG_RETURN_BOOL(is_among(PG_GETARG_DATUM(0), words, lengthof(words)));
}

/* is_alert_status(status text) RETURNS boolean */
Datum
iamwatch_is_alert_status(PG_FUNCTION_ARGS)
{
	static const char *const words[] = {"new", "investigating", "closed"};

	PG_RETURN_BOOL(is_among(PG_GETARG_DATUM(0), words, lengthof(words)));
}

/* is_resolution(resolution text) RETURNS boolean */
Datum
iamwatch_is_resolution(PG_FUNCTION_ARGS)
{
	static const char *const words[] = {"true_positive", "benign", "expected_change"};

	PG_RETURN_BOOL(is_among(PG_GETARG_DATUM(0), words, lengthof(words)));
}
