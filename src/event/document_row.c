/*-------------------------------------------------------------------------
 *
 * document_row.c
 *		Documents from rows that have a column for each field.
 *
 * Which field is where is data, an array of paths in order, and must never
 * become SQL.  The columns are arguments beside it, which a trigger follows
 * when they are renamed; in SQL that people write, they may be names, and one
 * that is not there is a field that is missing.
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
PG_FUNCTION_INFO_V1(iamwatch_fields_document);

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

/* Blanks at the end of a char(n) are how it is stored, not what it says. */
static int
length_without_padding(const char *text)
{
	int			len = strlen(text);

	while (len > 0 && text[len - 1] == ' ')
		len--;
	return len;
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
	string_value(text, type == BPCHAROID ? length_without_padding(text) : strlen(text), value);
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
document_from_fields(int count, const RowField *fields)
{
	Row			row = {NULL, DOCUMENT_LONGEST};
	const char *before = "";

	pushJsonbValue(&row.state, WJB_BEGIN_OBJECT, NULL);
	for (int i = 0; i < count; i++)
	{
		const RowField *field = &fields[i];
		JsonbValue	value;

		if (field->path == NULL || field->isnull ||
			!column_value(field->path, field->value, getBaseType(field->type), &value) ||
			value_size(&value) > row.room)
			continue;
		row.room -= value_size(&value);
		push_path(&row, before, field->path);
		pushJsonbValue(&row.state, WJB_VALUE, &value);
		before = field->path;
	}
	close_objects(&row, before, 0);
	return JsonbValueToJsonb(pushJsonbValue(&row.state, WJB_END_OBJECT, NULL));
}

/* Paths that every second element of the array is, or each; NULL for a null. */
static RowField *
fields_of_paths(ArrayType *paths, int step, int *count, Datum **elements, bool **nulls)
{
	RowField   *fields;

	deconstruct_array(paths, TEXTOID, -1, false, TYPALIGN_INT, elements, nulls, count);
	*count /= step;
	fields = palloc0(Max(1, *count) * sizeof(RowField));
	for (int i = 0; i < *count; i++)
		if (!(*nulls)[i * step])
			fields[i].path = TextDatumGetCString((*elements)[i * step]);
	return fields;
}

RowField *
document_fields(ArrayType *paths, int *count)
{
	Datum	   *elements;
	bool	   *nulls;

	return fields_of_paths(paths, 1, count, &elements, &nulls);
}

/* With pairs of a path and the name of a column. */
static Jsonb *
document_from_row(HeapTuple tuple, TupleDesc desc, ArrayType *pairs)
{
	Datum	   *elements;
	bool	   *nulls;
	int			count;
	RowField   *fields = fields_of_paths(pairs, 2, &count, &elements, &nulls);

	for (int i = 0; i < count; i++)
	{
		int			column = nulls[2 * i + 1] ? 0 :
			SPI_fnumber(desc, TextDatumGetCString(elements[2 * i + 1]));

		if (column <= 0)
			fields[i].path = NULL;
		else
			document_field_from(&fields[i], tuple, desc, column);
	}
	return document_from_fields(count, fields);
}

void
document_field_from(RowField *field, HeapTuple tuple, TupleDesc desc, int column)
{
	field->value = heap_getattr(tuple, column, desc, &field->isnull);
	field->type = TupleDescAttr(desc, column - 1)->atttypid;
}

/* fields_document(text[], VARIADIC "any") RETURNS jsonb: a value for each path */
Datum
iamwatch_fields_document(PG_FUNCTION_ARGS)
{
	int			count;
	RowField   *fields;

	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	fields = document_fields(PG_GETARG_ARRAYTYPE_P(0), &count);
	if (get_fn_expr_variadic(fcinfo->flinfo) || count != PG_NARGS() - 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("a value is needed for each of %d paths", count)));
	for (int i = 0; i < count; i++)
	{
		fields[i].type = get_fn_expr_argtype(fcinfo->flinfo, i + 1);
		fields[i].isnull = PG_ARGISNULL(i + 1);
		if (!fields[i].isnull)
			fields[i].value = PG_GETARG_DATUM(i + 1);
	}
	PG_RETURN_JSONB_P(document_from_fields(count, fields));
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
