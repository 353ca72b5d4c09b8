/*-------------------------------------------------------------------------
 *
 * notify.c
 *		Tells those who LISTEN of an alert.
 *
 * Owns what a notification says.  Every role that may connect can read it, so it
 * has no more than docs/security.md names.  When it is sent, says announce.c.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "detect/incidents.h"
#include "detect/notify.h"
#include "fmgr.h"
#include "mb/pg_wchar.h"
#include "server/announce.h"
#include "server/build_jsonb.h"
#include "server/composite.h"
#include "server/given.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/numeric.h"

PG_FUNCTION_INFO_V1(iamwatch_notification);
PG_FUNCTION_INFO_V1(iamwatch_notify_alert);

/* The whole stays under 8000 bytes also if it is all escapes, of six characters each. */
#define MOST_OF_NAME 200
#define MOST_OF_IDENTITY 500

/* So much of a text as that many escapes hold; what takes four bytes in UTF-8 takes two of them. */
static int
clip(Slice text, int most)
{
	int			len = 0;

	while (len < text.len)
	{
		int			bytes = pg_mblen(text.s + len);

		most -= bytes < 4 ? 1 : 2;
		if (most < 0)
			break;
		len += bytes;
	}
	return len;
}

static void
push_text(JsonbParseState **state, const char *key, const AlertColumns *alert, int column, int most)
{
	Slice		text;

	if (alert->nulls[column - 1])
	{
		jsonb_push_null(state, key);
		return;
	}
	text = slice_of_text(alert->values[column - 1]);
	jsonb_push_text(state, key, (Slice) {text.s, clip(text, most)});
}

static void
push_bits(JsonbParseState **state, const char *key, const AlertColumns *alert, int column, int digits)
{
	Numeric		bits;
	JsonbValue	value = {.type = jbvNumeric};

	if (alert->nulls[column - 1])
	{
		jsonb_push_null(state, key);
		return;
	}
	bits = DatumGetNumeric(DirectFunctionCall2(numeric_round,
											   DirectFunctionCall1(float8_numeric, alert->values[column - 1]),
											   Int32GetDatum(digits)));
	/* JSON has no number for these */
	if (numeric_is_nan(bits) || numeric_is_inf(bits))
	{
		char	   *name = DatumGetCString(DirectFunctionCall1(numeric_out, NumericGetDatum(bits)));

		jsonb_push_text(state, key, (Slice) {name, (int) strlen(name)});
		return;
	}
	jsonb_push_key(state, key);
	value.val.numeric = bits;
	pushJsonbValue(state, WJB_VALUE, &value);
}

static Slice
text_of(const AlertColumns *alert, int column)
{
	if (alert->nulls[column - 1])
		refuse_null("a field of an alert");
	return slice_of_text(alert->values[column - 1]);
}

static bool
is_urgent(const AlertColumns *alert)
{
	IncidentKey key = {
		text_of(alert, ALERTS_DETECTOR), text_of(alert, ALERTS_PROVIDER),
		text_of(alert, ALERTS_ACCOUNT), text_of(alert, ALERTS_IDENTITY)
	};
	double		risk = DatumGetFloat8(alert->values[ALERTS_RISK - 1]);

	if (alert->nulls[ALERTS_FIRST_EVENT_TIME - 1])
		refuse_null("a field of an alert");
	return incident_is_urgent(&key, DatumGetTimestampTz(alert->values[ALERTS_FIRST_EVENT_TIME - 1]),
							  alert->nulls[ALERTS_RISK - 1] ? NULL : &risk);
}

/*
 * JSON in ASCII.  A listener whose client has another encoding than the database would
 * lose its connection by a character that this lacks, and names are chosen by who acts.
 */
static char *
in_ascii(const char *json)
{
	StringInfoData ascii;

	initStringInfo(&ascii);
	while (*json != '\0')
	{
		pg_wchar	code;

		if (!IS_HIGHBIT_SET(*json))
		{
			appendStringInfoChar(&ascii, *json++);
			continue;
		}
		code = utf8_to_unicode((const unsigned char *) json);
		if (code >= 0x10000)
			appendStringInfo(&ascii, "\\u%04x\\u%04x", 0xd800 + ((code - 0x10000) >> 10), 0xdc00 + (code & 0x3ff));
		else
			appendStringInfo(&ascii, "\\u%04x", code);
		json += pg_utf_mblen((const unsigned char *) json);
	}
	return ascii.data;
}

/* A JSON object about an alert. */
static char *
notification(const AlertColumns *alert)
{
	JsonbParseState *state = NULL;
	Jsonb	   *object;
	char	   *json;

	pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	jsonb_push_number(&state, "alert_id", DatumGetInt64(alert->values[ALERTS_ALERT_ID - 1]));
	push_text(&state, "severity", alert, ALERTS_SEVERITY, MOST_OF_NAME);
	push_text(&state, "provider", alert, ALERTS_PROVIDER, MOST_OF_NAME);
	push_text(&state, "account", alert, ALERTS_ACCOUNT, MOST_OF_NAME);
	push_text(&state, "identity", alert, ALERTS_IDENTITY, MOST_OF_IDENTITY);
	push_text(&state, "operation", alert, ALERTS_OPERATION, MOST_OF_NAME);
	push_bits(&state, "surprise", alert, ALERTS_SURPRISE, 3);
	push_bits(&state, "risk", alert, ALERTS_RISK, 2);
	jsonb_push_bool(&state, "urgent", is_urgent(alert));
	object = JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_OBJECT, NULL));
	json = JsonbToCString(NULL, &object->root, VARSIZE(object));
	return GetDatabaseEncoding() == PG_UTF8 ? in_ascii(json) : json;
}

bool
notify_alert(const AlertSettings *settings, const AlertColumns *alert)
{
	if (settings->nulls[DETECTORS_NOTIFY] || !DatumGetBool(settings->values[DETECTORS_NOTIFY]))
		return false;
	announce_alert(DatumGetInt64(alert->values[ALERTS_ALERT_ID - 1]), notification(alert));
	return true;
}

/* ---- for SQL ---- */

/* A row of all_alerts; false if it has no number, as of an alert that is not there. */
static bool
read_alert(HeapTupleHeader row, AlertColumns *alert)
{
	composite_read(row, ALERTS_EXCLUDED_DAYS, alert->values, alert->nulls);
	return !alert->nulls[ALERTS_ALERT_ID - 1];
}

/* notification(alert all_alerts) RETURNS text */
Datum
iamwatch_notification(PG_FUNCTION_ARGS)
{
	AlertColumns alert;

	if (!read_alert(PG_GETARG_HEAPTUPLEHEADER(0), &alert))
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(cstring_to_text(notification(&alert)));
}

/* notify_alert(settings, alert all_alerts) RETURNS boolean; either may be null */
Datum
iamwatch_notify_alert(PG_FUNCTION_ARGS)
{
	AlertSettings settings;
	AlertColumns alert;

	if (PG_ARGISNULL(0))
		PG_RETURN_BOOL(false);
	alert_settings_read(PG_GETARG_HEAPTUPLEHEADER(0), &settings);
	if (PG_ARGISNULL(1) || !read_alert(PG_GETARG_HEAPTUPLEHEADER(1), &alert))
		PG_RETURN_NULL();
	PG_RETURN_BOOL(notify_alert(&settings, &alert));
}
