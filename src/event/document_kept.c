/*-------------------------------------------------------------------------
 *
 * document_kept.c
 *		What is kept of a document that was rejected: its digest, and if it is
 *		large its beginning.
 *
 * The text of a document can be thousands of times as long as the document: a
 * number of ten bytes has up to 131,072 digits.  So neither makes the text of
 * all of it.  Must never raise an error for what a document contains.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/json.h"
#include "utils/jsonb.h"
#include "utils/uuid.h"

PG_FUNCTION_INFO_V1(iamwatch_document_digest);
PG_FUNCTION_INFO_V1(iamwatch_document_beginning);

/* document_digest(jsonb) RETURNS uuid: MD5 of it as it is stored; null is empty. */
Datum
iamwatch_document_digest(PG_FUNCTION_ARGS)
{
	bytea	   *stored = PG_ARGISNULL(0) ? (bytea *) cstring_to_text("") :
		(bytea *) PG_GETARG_JSONB_P(0);
	Datum		digest = DirectFunctionCall1(md5_bytea, PointerGetDatum(stored));

	return DirectFunctionCall1(uuid_in, CStringGetDatum(TextDatumGetCString(digest)));
}

static void
append_scalar(StringInfo out, const JsonbValue *value, int most)
{
	switch (value->type)
	{
		case jbvString:
			{
				const char *s = value->val.string.val;
				int			len = value->val.string.len;

				if (len > most)
					len = pg_mbcliplen(s, len, most);
				escape_json(out, pnstrdup(s, len));
				break;
			}
		case jbvNumeric:
			appendStringInfoString(out,
								   DatumGetCString(DirectFunctionCall1(numeric_out,
																	   NumericGetDatum(value->val.numeric))));
			break;
		case jbvBool:
			appendStringInfoString(out, value->val.boolean ? "true" : "false");
			break;
		default:
			appendStringInfoString(out, "null");
			break;
	}
}

/* document_beginning(jsonb, int) RETURNS text: so many characters of its text */
Datum
iamwatch_document_beginning(PG_FUNCTION_ARGS)
{
	Jsonb	   *document = PG_GETARG_JSONB_P(0);
	int			characters = Max(0, Min(PG_GETARG_INT32(1), 1024 * 1024));
	int			most = characters * MAX_MULTIBYTE_CHAR_LEN;
	JsonbIterator *it = JsonbIteratorInit(&document->root);
	JsonbIteratorToken token;
	JsonbValue	value;
	bool		is_scalar = false;
	bool		after_value = false;
	StringInfoData out;

	initStringInfo(&out);
	while (out.len <= most && (token = JsonbIteratorNext(&it, &value, false)) != WJB_DONE)
	{
		if (after_value && token != WJB_END_ARRAY && token != WJB_END_OBJECT)
			appendStringInfoString(&out, ", ");
		after_value = true;
		switch (token)
		{
			case WJB_BEGIN_ARRAY:
				is_scalar = value.val.array.rawScalar;
				if (!is_scalar)
					appendStringInfoChar(&out, '[');
				after_value = false;
				break;
			case WJB_BEGIN_OBJECT:
				appendStringInfoChar(&out, '{');
				after_value = false;
				break;
			case WJB_KEY:
				append_scalar(&out, &value, most);
				appendStringInfoString(&out, ": ");
				after_value = false;
				break;
			case WJB_END_ARRAY:
				if (!is_scalar)
					appendStringInfoChar(&out, ']');
				break;
			case WJB_END_OBJECT:
				appendStringInfoChar(&out, '}');
				break;
			default:
				append_scalar(&out, &value, most);
				break;
		}
	}
	PG_RETURN_TEXT_P(cstring_to_text_with_len(out.data,
											  pg_mbcharcliplen(out.data, out.len, characters)));
}
