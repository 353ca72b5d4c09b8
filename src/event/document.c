/*-------------------------------------------------------------------------
 *
 * document.c
 *		Documents from text and json.
 *
 * The conversion is total: a watched column of type text or json takes
 * whatever comes, and the statement that stores it must not fail.  What is no
 * JSON becomes a JSON string, which is then rejected as no object and kept.
 *
 * Three things that JSON allows and jsonb does not can be written by whoever
 * chooses a user agent or a session name: \u0000, half a surrogate pair, and,
 * in a database that is not in UTF8, an escape for a character that its
 * encoding does not have.  An event must not be missed for them, so they
 * become replacement characters, each by itself: the rest of the document is
 * what it would have been without them.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/detoast.h"
#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "event/document.h"
#include "fmgr.h"
#include "mb/pg_wchar.h"
#include "server/catching.h"
#include "utils/builtins.h"

PG_FUNCTION_INFO_V1(iamwatch_to_document);

/*
 * Values between commas.  jsonb_in() keeps all those of an object or array in
 * one array of its own, which must stay well under a gigabyte.
 */
#define MOST_COMMAS			(4 * 1024 * 1024)

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
	bool		errors_exit = catch_errors();

	PG_TRY();
	{
		document = DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum(text)));
	}
	PG_CATCH();
	{
		ExitOnAnyError = errors_exit;
		switch (geterrcode())
		{
			case ERRCODE_INVALID_TEXT_REPRESENTATION:
			case ERRCODE_UNTRANSLATABLE_CHARACTER:
			case ERRCODE_CHARACTER_NOT_IN_REPERTOIRE:
			case ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE:
			case ERRCODE_PROGRAM_LIMIT_EXCEEDED:
			case ERRCODE_STATEMENT_TOO_COMPLEX:
			case ERRCODE_FEATURE_NOT_SUPPORTED: /* escapes, in SQL_ASCII */
				break;
			default:
				PG_RE_THROW();
		}
		MemoryContextSwitchTo(context);
		FlushErrorState();
	}
	PG_END_TRY();
	ExitOnAnyError = errors_exit;
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

/* Does the encoding of the database have the character, which is not ASCII? */
static bool
encoding_has(int code)
{
	int			encoding = GetDatabaseEncoding();
	Oid			conversion;
	unsigned char utf8[MAX_MULTIBYTE_CHAR_LEN + 1];
	unsigned char converted[MAX_CONVERSION_GROWTH * MAX_MULTIBYTE_CHAR_LEN + 1];
	int			len;

	if (encoding == PG_UTF8)
		return true;
	if (encoding == PG_SQL_ASCII)
		return false;
	conversion = FindDefaultConversionProc(PG_UTF8, encoding);
	if (!OidIsValid(conversion))
		return false;
	unicode_to_utf8(code, utf8);
	len = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
	return pg_do_encoding_conversion_buf(conversion, PG_UTF8, encoding, utf8, len,
										 converted, sizeof(converted), true) == len;
}

/* The character that an escape stands for, and its length; -1 for none. */
static int
read_escape(const char *at, int *len)
{
	int			code = at[1] == 'u' ? hex4(at + 2) : -1;

	if (code < 0)
	{
		*len = at[1] == '\0' ? 1 : 2;
		return -1;
	}
	*len = 6;
	if (code >= 0xD800 && code <= 0xDBFF && at[6] == '\\' && at[7] == 'u')
	{
		int			low = hex4(at + 8);

		if (low >= 0xDC00 && low <= 0xDFFF)
		{
			*len = 12;
			return 0x10000 + ((code & 0x3FF) << 10) + (low & 0x3FF);
		}
	}
	return code;
}

/*
 * Replace the escapes that jsonb cannot hold, in place, as a replacement is
 * never longer; false if there are none.  The text ends with a zero byte, which
 * stops every look ahead.
 */
static bool
repair_escapes(char *text)
{
	const char *replacement = GetDatabaseEncoding() == PG_UTF8 ? "\\ufffd" : "?";
	int			replacement_len = strlen(replacement);
	char	   *to = text;
	const char *from = text;
	const char *at;
	int			len;
	bool		repaired = false;

	while ((at = strchr(from, '\\')) != NULL)
	{
		int			code = read_escape(at, &len);
		bool		keep = code < 0 || (code > 0 && code < 0x80) ||
			(code >= 0x80 && !(code >= 0xD800 && code <= 0xDFFF) && encoding_has(code));

		if (keep)
			at += len;
		memmove(to, from, at - from);
		to += at - from;
		from = at;
		if (!keep)
		{
			memcpy(to, replacement, replacement_len);
			to += replacement_len;
			from += len;
			repaired = true;
			Assert(to <= from);
		}
	}
	memmove(to, from, strlen(from) + 1);
	return repaired;
}

/* Could the text be read with little memory, compared with its length? */
static bool
is_readable_size(const char *text, int len)
{
	const char *end = text + len;
	int			commas = 0;

	if (len <= MOST_COMMAS)
		return true;
	if (len > DOCUMENT_LONGEST)
		return false;
	while ((text = memchr(text, ',', end - text)) != NULL)
	{
		if (++commas > MOST_COMMAS)
			return false;
		text++;
	}
	return true;
}

Jsonb *
document_from_text(const char *text, int len)
{
	JsonbValue	string;

	if (is_readable_size(text, len))
	{
		char	   *copy = pnstrdup(text, len);
		Jsonb	   *document = try_jsonb(copy);

		if (document == NULL && repair_escapes(copy))
			document = try_jsonb(copy);
		pfree(copy);
		if (document != NULL)
			return document;
	}
	string.type = jbvString;
	string.val.string.val = unconstify(char *, text);
	string.val.string.len = document_clip(text, len);
	return JsonbValueToJsonb(&string);
}

bool
document_is_gzip(const char *text, int len)
{
	return len > 16 && memcmp(text, "H4sI", 4) == 0;
}

int
document_clip(const char *text, int len)
{
	Assert(len >= 0);
	return len <= DOCUMENT_CLIP ? len : pg_mbcliplen(text, len, DOCUMENT_CLIP);
}

Jsonb *
document_from_datum(Datum datum)
{
	text	   *source = toast_raw_datum_size(datum) - VARHDRSZ <= DOCUMENT_LONGEST ?
		DatumGetTextPP(datum) : document_beginning(datum);

	return document_from_text(VARDATA_ANY(source), VARSIZE_ANY_EXHDR(source));
}

text *
document_beginning(Datum datum)
{
	return toast_raw_datum_size(datum) <= DOCUMENT_CLIP ? DatumGetTextPP(datum) :
		DatumGetTextPSlice(datum, 0, DOCUMENT_CLIP + MAX_MULTIBYTE_CHAR_LEN);
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
		if (!is_json && value.val.string.len > DOCUMENT_CLIP - MAX_MULTIBYTE_CHAR_LEN)
			return "the document is larger than iamwatch reads, or a string that is not valid JSON";
		if (is_json)
			return "the document is JSON inside of a string: use iamwatch.records()";
		return document_unwrap(value.val.string.val, value.val.string.len) == NULL ?
			"the document is a string that is not valid JSON" :
			"the document is text that holds others: use iamwatch.records()";
	}
	return JB_ROOT_IS_ARRAY(document) && !JB_ROOT_IS_SCALAR(document) ?
		"the document is an array: use iamwatch.records()" : "the document is not a JSON object";
}

/* to_document(text or json) RETURNS jsonb */
Datum
iamwatch_to_document(PG_FUNCTION_ARGS)
{
	PG_RETURN_JSONB_P(document_from_datum(PG_GETARG_DATUM(0)));
}
