/*-------------------------------------------------------------------------
 *
 * document.c
 *		Documents from text and json.
 *
 * The conversion is total: a watched column of type text or json takes
 * whatever comes, and the statement that stores it must not fail.  What is no
 * JSON becomes a JSON string, which is then rejected as no object and kept.
 *
 * Two things that JSON allows and jsonb does not can be written by whoever
 * chooses a user agent or a session name: \u0000 and half a surrogate pair.
 * An event must not be missed for them, so they become replacement characters.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "event/document.h"
#include "fmgr.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"

PG_FUNCTION_INFO_V1(iamwatch_to_document);

/* Longer text is not tried: jsonb could not hold all of it. */
#define LONGEST_DOCUMENT	(64 * 1024 * 1024)
/* What is kept of it. */
#define LONGEST_KEPT		(1024 * 1024)

bool
document_is_text(Oid type)
{
	return type == TEXTOID || type == VARCHAROID || type == JSONOID;
}

/*
 * NULL if the text is not valid.  There is no subtransaction to roll back, as
 * jsonb_in() holds nothing but memory of the current context when it fails;
 * errors that do not come from the text are passed on.
 */
static Jsonb *
try_jsonb(const char *text)
{
	MemoryContext context = CurrentMemoryContext;
	Jsonb	   *volatile document = NULL;

	PG_TRY();
	{
		document = DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum(text)));
	}
	PG_CATCH();
	{
		switch (geterrcode())
		{
			case ERRCODE_INVALID_TEXT_REPRESENTATION:
			case ERRCODE_UNTRANSLATABLE_CHARACTER:
			case ERRCODE_CHARACTER_NOT_IN_REPERTOIRE:
			case ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE:
			case ERRCODE_PROGRAM_LIMIT_EXCEEDED:
			case ERRCODE_STATEMENT_TOO_COMPLEX:
				break;
			default:
				PG_RE_THROW();
		}
		MemoryContextSwitchTo(context);
		FlushErrorState();
	}
	PG_END_TRY();
	return document;
}

/* The value of four hexadecimal digits, or -1. */
static int
hex4(const char *s)
{
	int			value = 0;

	for (int i = 0; i < 4; i++)
	{
		char		c = s[i];

		if (c >= '0' && c <= '9')
			value = value * 16 + c - '0';
		else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
			value = value * 16 + (c | 0x20) - 'a' + 10;
		else
			return -1;
	}
	return value;
}

/*
 * Replace the escapes that jsonb cannot hold, in place; false if there are
 * none.  The text ends with a zero byte, which stops every look ahead.
 */
static bool
repair_escapes(char *text)
{
	const char *replacement = GetDatabaseEncoding() == PG_UTF8 ? "fffd" : "003f";
	bool		repaired = false;

	for (char *at = text; (at = strchr(at, '\\')) != NULL;)
	{
		int			code = at[1] == 'u' ? hex4(at + 2) : -1;

		if (code < 0)
		{
			at += at[1] == '\0' ? 1 : 2;
			continue;
		}
		if (code >= 0xD800 && code <= 0xDBFF && at[6] == '\\' && at[7] == 'u')
		{
			int			low = hex4(at + 8);

			if (low >= 0xDC00 && low <= 0xDFFF)
			{
				at += 12;
				continue;
			}
		}
		if (code == 0 || (code >= 0xD800 && code <= 0xDFFF))
		{
			memcpy(at + 2, replacement, 4);
			repaired = true;
		}
		at += 6;
	}
	return repaired;
}

Jsonb *
document_from_text(const char *text, int len)
{
	JsonbValue	string;

	if (len <= LONGEST_DOCUMENT)
	{
		char	   *copy = pnstrdup(text, len);
		Jsonb	   *document = try_jsonb(copy);

		if (document == NULL && repair_escapes(copy))
			document = try_jsonb(copy);
		pfree(copy);
		if (document != NULL)
			return document;
	}
	else
		len = pg_mbcliplen(text, len, LONGEST_KEPT);
	string.type = jbvString;
	string.val.string.val = unconstify(char *, text);
	string.val.string.len = len;
	return JsonbValueToJsonb(&string);
}

bool
document_is_gzip(const char *text, int len)
{
	return len > 16 && memcmp(text, "H4sI", 4) == 0;
}

const char *
document_is_no_object(Jsonb *document)
{
	JsonbValue	value;

	if (JB_ROOT_IS_SCALAR(document) && JsonbExtractScalar(&document->root, &value) &&
		value.type == jbvString)
	{
		char	   *text;
		bool		is_json;

		if (document_is_gzip(value.val.string.val, value.val.string.len))
			return "the document is compressed by gzip: decompress it first, or load its file with iamwatch_load";
		text = pnstrdup(value.val.string.val, value.val.string.len);
		is_json = try_jsonb(text) != NULL;
		pfree(text);
		return is_json ? "the document is JSON inside of a string" :
			"the document is a string that is not valid JSON";
	}
	return "the document is not a JSON object";
}

/* to_document(text or json) RETURNS jsonb */
Datum
iamwatch_to_document(PG_FUNCTION_ARGS)
{
	text	   *source = PG_GETARG_TEXT_PP(0);

	PG_RETURN_JSONB_P(document_from_text(VARDATA_ANY(source), VARSIZE_ANY_EXHDR(source)));
}
