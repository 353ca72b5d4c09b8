/*-------------------------------------------------------------------------
 *
 * document_row.c
 *		Documents from rows that have a column for each field.
 *
 * Which column is which field is data, an array of pairs of a path and a
 * column name in order of path, and must never become SQL.  A column that is
 * not there is a field that is missing; the row is stored all the same.
 *
 * A row can hold columns of a gigabyte each.  Text is cut, and what would make
 * the document larger than one is read is left out of it, so that the memory
 * for it is bounded and what the other columns say is read.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/detoast.h"
#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "event/document.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/datetime.h"
#include "utils/json.h"
#include "utils/jsonb.h"
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

/* A document that is being made. */
typedef struct Row
{
	JsonbParseState *state;
	int			room;			/* in bytes, for what columns hold */
} Row;

/* As it is, without a text in between. */
static bool
jsonb_value(Jsonb *stored, JsonbValue *value)
{
	if (JB_ROOT_IS_SCALAR(stored))
		return JsonbExtractScalar(&stored->root, value);
	value->type = jbvBinary;
	value->val.binary.data = &stored->root;
	value->val.binary.len = VARSIZE(stored) - VARHDRSZ;
	return true;
}

static void
string_value(const char *text, int len, JsonbValue *value)
{
	value->type = jbvString;
	value->val.string.val = unconstify(char *, text);
	value->val.string.len = document_clip(text, len);
}

static bool
text_value(const char *path, Datum datum, Oid type, JsonbValue *value)
{
	text	   *source;

	if (type == JSONOID || is_object(path))
		return jsonb_value(document_from_datum(datum), value);
	source = document_beginning(datum);
	string_value(VARDATA_ANY(source), VARSIZE_ANY_EXHDR(source), value);
	return true;
}

/* What a column holds, as a field of a document; false if that is too large. */
static bool
column_value(const char *path, Datum datum, Oid type, JsonbValue *value)
{
	Oid			output;
	bool		is_varlena;
	char	   *text;

	if (document_is_text(type))
		return text_value(path, datum, type, value);
	getTypeOutputInfo(type, &output, &is_varlena);
	if (is_varlena && toast_raw_datum_size(datum) > DOCUMENT_LONGEST)
		return false;
	if (type == JSONBOID)
		return jsonb_value(DatumGetJsonbP(datum), value);
	if (type == BOOLOID)
	{
		value->type = jbvBool;
		value->val.boolean = DatumGetBool(datum);
		return true;
	}
	if (type == INT2OID || type == INT4OID || type == INT8OID)
	{
		value->type = jbvNumeric;
		value->val.numeric = int64_to_numeric(type == INT2OID ? DatumGetInt16(datum) :
											  type == INT4OID ? DatumGetInt32(datum) :
											  DatumGetInt64(datum));
		return true;
	}
	if (type == TIMESTAMPTZOID || type == TIMESTAMPOID)
	{
		/* in UTC, which a timestamp without time zone is taken for */
		int			utc = 0;

		text = palloc(MAXDATELEN + 2);
		(void) JsonEncodeDateTime(text, datum, type, type == TIMESTAMPTZOID ? &utc : NULL);
		if (type == TIMESTAMPOID)
			strcat(text, "Z");
	}
	else
		text = OidOutputFunctionCall(output, datum);
	string_value(text, strlen(text), value);
	return true;
}

static int
value_size(const JsonbValue *value)
{
	return value->type == jbvBinary ? value->val.binary.len :
		value->type == jbvString ? value->val.string.len : 0;
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
push_key(Row *row, const char *name, int len)
{
	JsonbValue	key;

	key.type = jbvString;
	key.val.string.val = pnstrdup(name, len);
	key.val.string.len = len;
	pushJsonbValue(&row->state, WJB_KEY, &key);
}

/* Close the objects that a path is in, beyond so many bytes of it. */
static void
close_objects(Row *row, const char *path, int beyond)
{
	for (const char *dot = strchr(path + beyond, '.'); dot != NULL; dot = strchr(dot + 1, '.'))
		pushJsonbValue(&row->state, WJB_END_OBJECT, NULL);
}

/* Close and open the objects between the field before and this one. */
static void
push_path(Row *row, const char *before, const char *path)
{
	int			common = common_steps(before, path);
	const char *dot;

	close_objects(row, before, common);
	for (path += common; (dot = strchr(path, '.')) != NULL; path = dot + 1)
	{
		push_key(row, path, dot - path);
		pushJsonbValue(&row->state, WJB_BEGIN_OBJECT, NULL);
	}
	push_key(row, path, strlen(path));
}

Jsonb *
document_from_row(HeapTuple tuple, TupleDesc desc, ArrayType *fields)
{
	Row			row = {NULL, DOCUMENT_LONGEST};
	const char *before = "";
	Datum	   *names;
	bool	   *nulls;
	int			count;

	deconstruct_array(fields, TEXTOID, -1, false, TYPALIGN_INT, &names, &nulls, &count);
	pushJsonbValue(&row.state, WJB_BEGIN_OBJECT, NULL);
	for (int i = 0; i + 1 < count; i += 2)
	{
		char	   *path;
		int			column;
		Datum		datum;
		bool		isnull;
		JsonbValue	value;

		if (nulls[i] || nulls[i + 1])
			continue;
		column = SPI_fnumber(desc, TextDatumGetCString(names[i + 1]));
		if (column <= 0)
			continue;
		datum = heap_getattr(tuple, column, desc, &isnull);
		if (isnull)
			continue;
		path = TextDatumGetCString(names[i]);
		if (!column_value(path, datum, getBaseType(TupleDescAttr(desc, column - 1)->atttypid),
						  &value) || value_size(&value) > row.room)
			continue;
		row.room -= value_size(&value);
		push_path(&row, before, path);
		pushJsonbValue(&row.state, WJB_VALUE, &value);
		before = path;
	}
	close_objects(&row, before, 0);
	return JsonbValueToJsonb(pushJsonbValue(&row.state, WJB_END_OBJECT, NULL));
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
