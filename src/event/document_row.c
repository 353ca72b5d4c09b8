/*-------------------------------------------------------------------------
 *
 * document_row.c
 *		Documents from rows that have a column for each field.
 *
 * Which column is which field is data, an array of pairs of a path and a
 * column name in order of path, and must never become SQL.  A column that is
 * not there is a field that is missing; the row is stored all the same.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "event/document.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/datetime.h"
#include "utils/json.h"
#include "utils/lsyscache.h"
#include "utils/typcache.h"

PG_FUNCTION_INFO_V1(iamwatch_row_to_document);

/*
 * Fields that are objects or arrays.  Only for them is text taken for JSON; the
 * text of a user agent that begins with a brace stays text.
 */
static const char *const objects[] = {
	"userIdentity", "sessionContext", "sessionIssuer", "onBehalfOf",
	"requestParameters", "responseElements", "additionalEventData",
	"protoPayload", "authenticationInfo", "requestMetadata", "resource",
	"labels", "status",
	"InitiatedBy", "TargetResources", "AdditionalDetails", "initiatedBy",
	"targetResources", "additionalDetails", "properties", "claims", "httpRequest"
};

static bool
is_object(const char *path)
{
	const char *dot = strrchr(path, '.');
	const char *name = dot == NULL ? path : dot + 1;

	for (int i = 0; i < lengthof(objects); i++)
		if (strcmp(name, objects[i]) == 0)
			return true;
	return false;
}

static void
append_jsonb(StringInfo out, Jsonb *value)
{
	(void) JsonbToCString(out, &value->root, VARSIZE(value));
}

static void
append_text(StringInfo out, const char *path, Datum value, Oid type)
{
	text	   *source = DatumGetTextPP(value);

	if (type == JSONOID || is_object(path))
		append_jsonb(out, document_from_text(VARDATA_ANY(source), VARSIZE_ANY_EXHDR(source)));
	else
		escape_json(out, text_to_cstring(source));
}

static void
append_value(StringInfo out, const char *path, Datum value, Oid type)
{
	Oid			output;
	bool		is_varlena;
	char	   *text;

	if (type == JSONBOID)
		append_jsonb(out, DatumGetJsonbP(value));
	else if (document_is_text(type))
		append_text(out, path, value, type);
	else if (type == TIMESTAMPTZOID || type == TIMESTAMPOID)
	{
		/* in UTC, which a timestamp without time zone is taken for */
		char		time[MAXDATELEN + 1];
		int			utc = 0;

		(void) JsonEncodeDateTime(time, value, type, type == TIMESTAMPTZOID ? &utc : NULL);
		appendStringInfo(out, "\"%s%s\"", time, type == TIMESTAMPOID ? "Z" : "");
	}
	else
	{
		getTypeOutputInfo(type, &output, &is_varlena);
		text = OidOutputFunctionCall(output, value);
		if (type == BOOLOID)
			appendStringInfoString(out, DatumGetBool(value) ? "true" : "false");
		else if (type == INT2OID || type == INT4OID || type == INT8OID)
			appendStringInfoString(out, text);
		else
			escape_json(out, text);
	}
}

/* How many leading bytes of two paths are whole steps that both have. */
static int
common_steps(const char *a, const char *b)
{
	int			common = 0;

	for (int i = 0; a[i] != '\0' && a[i] == b[i]; i++)
		if (a[i] == '.')
			common = i + 1;
	return common;
}

static void
append_key(StringInfo out, const char *name, int len)
{
	if (out->data[out->len - 1] != '{')
		appendStringInfoChar(out, ',');
	escape_json(out, pnstrdup(name, len));
	appendStringInfoChar(out, ':');
}

/* Close and open the objects between the field before and this one. */
static void
append_path(StringInfo out, const char *before, const char *path)
{
	int			common = common_steps(before, path);
	const char *dot;

	for (dot = strchr(before + common, '.'); dot != NULL; dot = strchr(dot + 1, '.'))
		appendStringInfoChar(out, '}');
	for (path += common; (dot = strchr(path, '.')) != NULL; path = dot + 1)
	{
		append_key(out, path, dot - path);
		appendStringInfoChar(out, '{');
	}
	append_key(out, path, strlen(path));
}

Jsonb *
document_from_row(HeapTuple tuple, TupleDesc desc, ArrayType *fields)
{
	StringInfoData out;
	const char *before = "";
	Datum	   *names;
	bool	   *nulls;
	int			count;
	Jsonb	   *document;

	deconstruct_array(fields, TEXTOID, -1, false, TYPALIGN_INT, &names, &nulls, &count);
	initStringInfo(&out);
	appendStringInfoChar(&out, '{');
	for (int i = 0; i + 1 < count; i += 2)
	{
		char	   *path;
		int			column;
		Datum		value;
		bool		isnull;

		if (nulls[i] || nulls[i + 1])
			continue;
		column = SPI_fnumber(desc, TextDatumGetCString(names[i + 1]));
		if (column <= 0)
			continue;
		value = heap_getattr(tuple, column, desc, &isnull);
		if (isnull)
			continue;
		path = TextDatumGetCString(names[i]);
		append_path(&out, before, path);
		append_value(&out, path, value, getBaseType(TupleDescAttr(desc, column - 1)->atttypid));
		before = path;
	}
	for (const char *dot = strchr(before, '.'); dot != NULL; dot = strchr(dot + 1, '.'))
		appendStringInfoChar(&out, '}');
	appendStringInfoChar(&out, '}');
	document = document_from_text(out.data, out.len);
	pfree(out.data);
	return document;
}

/* to_document(record, text[]) RETURNS jsonb */
Datum
iamwatch_row_to_document(PG_FUNCTION_ARGS)
{
	HeapTupleHeader row = PG_GETARG_HEAPTUPLEHEADER(0);
	TupleDesc	desc = lookup_rowtype_tupdesc(HeapTupleHeaderGetTypeId(row),
											  HeapTupleHeaderGetTypMod(row));
	HeapTupleData tuple = {.t_data = row, .t_len = HeapTupleHeaderGetDatumLength(row)};
	Jsonb	   *document;

	ItemPointerSetInvalid(&tuple.t_self);
	document = document_from_row(&tuple, desc, PG_GETARG_ARRAYTYPE_P(1));
	ReleaseTupleDesc(desc);
	PG_RETURN_JSONB_P(document);
}
