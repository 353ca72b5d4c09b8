/*-------------------------------------------------------------------------
 *
 * unwrap.c
 *		The documents in a text that is more than one document.
 *
 * Messages carry records as text: one object after the other with or without
 * line ends, with a byte order mark before, as JSON inside of a JSON string, or
 * in base64.  What wraps what is said in documents.sql; this file only turns
 * text into documents.
 *
 * Nothing here raises an error for what the text contains (a conversion to jsonb
 * holds nothing but memory when it fails, so there is no subtransaction to roll
 * back), and the time that it takes grows with the length of the text alone.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/detoast.h"
#include "event/document.h"
#include "fmgr.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "server/catching.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

PG_FUNCTION_INFO_V1(iamwatch_unwrap_text);

/* How often text is opened that was found in text. */
#define DEEPEST_TEXT	8
/* So many pieces, and none a document: it is no text of documents. */
#define MOST_ODD_PIECES	1000

/*
 * Until the array is written each piece takes some 500 bytes beside its own, so
 * that of these it is half a gigabyte at most.  Of what DOCUMENT_LONGEST allows,
 * pieces would have to be under 64 bytes, shorter than any record, to be more.
 */
#define MOST_PIECES		(1024 * 1024)

static Jsonb *unwrap(const char *text, int len, int depth);

static bool
is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static bool
is_container(Jsonb *document)
{
	return !JB_ROOT_IS_SCALAR(document);
}

/*
 * The document behind what CloudWatch Logs writes before it on a line: the time,
 * and for a log group that is followed, the stream.  Where there is neither, the
 * same place.
 */
static const char *
skip_line_head(const char *at, const char *end)
{
	static const char form[] = "dddd-dd-ddTdd:dd:dd";
	const char *next = at;
	int			words = 0;

	if (end - at <= (int) strlen(form))
		return at;
	for (int i = 0; form[i] != '\0'; i++, next++)
		if (form[i] == 'd' ? *next < '0' || *next > '9' : *next != form[i])
			return at;
	while (next < end && words <= 2)
	{
		if (*next == '{')
			return words > 0 ? next : at;
		if (*next == ' ' || *next == '\t')
		{
			words++;
			while (next < end && (*next == ' ' || *next == '\t'))
				next++;
		}
		else if (*next == '\n' || *next == '"' || *next == '[')
			return at;
		else
			next++;
	}
	return at;
}

/* The text behind byte order marks, white space and the head of a line. */
static const char *
skip_blank(const char *at, const char *end)
{
	while (at < end)
	{
		if (is_space(*at) || *at == '\x1e')	/* a record separator, as of RFC 7464 */
			at++;
		else if (end - at >= 3 && memcmp(at, "\xEF\xBB\xBF", 3) == 0 &&
				 GetDatabaseEncoding() == PG_UTF8)
			at += 3;
		else
			break;
	}
	return skip_line_head(at, end);
}

/*
 * The end of the document that begins at a bracket: behind the bracket that
 * closes it, or where it turns out to be none.  Then the next one, which may be
 * whole, begins there: strings have no line ends, and an object begins only
 * after a comma, a colon or an opening bracket.
 */
static const char *
document_end(const char *at, const char *end)
{
	int			depth = 0;
	bool		in_string = false;
	char		last = ',';

	for (; at < end; at++)
	{
		if (in_string)
		{
			if (*at == '\\' && at + 1 < end)
				at++;
			else if (*at == '"')
				in_string = false;
			else if (*at == '\n')
				return at;
			continue;
		}
		if (is_space(*at))
			continue;
		switch (*at)
		{
			case '"':
				in_string = true;
				break;
			case '{':
			case '[':
				if (last != ',' && last != ':' && last != '[')
					return at;
				depth++;
				break;
			case '}':
			case ']':
				if (--depth == 0)
					return at + 1;
				break;
			default:
				break;
		}
		last = *at;
	}
	return end;
}

/* The documents of a text as an array, or NULL if there is none. */
static Jsonb *
split(const char *text, int len)
{
	const char *end = text + len;
	MemoryContext kept = CurrentMemoryContext;
	MemoryContext reading;
	JsonbParseState *state = NULL;
	int			found = 0;
	int			odd = 0;
	int			pieces = 0;

	/* to read a document takes several kB, so this is emptied behind each */
	reading = AllocSetContextCreate(kept, "iamwatch documents in a text", ALLOCSET_DEFAULT_SIZES);
	pushJsonbValue(&state, WJB_BEGIN_ARRAY, NULL);
	for (const char *at = skip_blank(text, end); at < end; at = skip_blank(at, end))
	{
		const char *next;
		Jsonb	   *document = NULL;
		JsonbValue	element;

		CHECK_FOR_INTERRUPTS();
		if (++pieces > MOST_PIECES)
			return NULL;
		if (*at == '{' || *at == '[')
		{
			next = document_end(at, end);
			if (next[-1] == '}' || next[-1] == ']')
			{
				MemoryContextSwitchTo(reading);
				document = document_from_text(at, next - at);
				MemoryContextSwitchTo(kept);
			}
		}
		else if (*at == ',')
		{
			at++;
			continue;
		}
		else					/* up to the next document or line */
			for (next = at + 1; next < end && *next != '\n' && *next != '{' && *next != '['; next++)
				;
		if (document != NULL && is_container(document))
		{
			/* the element points into it */
			document = memcpy(palloc(VARSIZE(document)), document, VARSIZE(document));
			element.type = jbvBinary;
			element.val.binary.data = &document->root;
			element.val.binary.len = VARSIZE(document) - VARHDRSZ;
			found++;
		}
		else					/* kept, so that it is seen */
		{
			element.type = jbvString;
			element.val.string.val = unconstify(char *, at);
			element.val.string.len = next - at;
			if (++odd > MOST_ODD_PIECES && found == 0)
				return NULL;
		}
		pushJsonbValue(&state, WJB_ELEM, &element);
		MemoryContextReset(reading);
		at = next;
	}
	MemoryContextDelete(reading);
	if (found == 0)
		return NULL;
	return JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_ARRAY, NULL));
}

/* The same; NULL too if there is more than a jsonb can hold. */
static Jsonb *
try_split(const char *text, int len)
{
	MemoryContext context = CurrentMemoryContext;
	Jsonb	   *volatile documents = NULL;
	bool		errors_exit = catch_errors();

	PG_TRY();
	{
		documents = split(text, len);
	}
	PG_CATCH();
	{
		ExitOnAnyError = errors_exit;
		if (geterrcode() != ERRCODE_PROGRAM_LIMIT_EXCEEDED)
			PG_RE_THROW();
		MemoryContextSwitchTo(context);
		FlushErrorState();
	}
	PG_END_TRY();
	ExitOnAnyError = errors_exit;
	return documents;
}

static int
base64_digit(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == '+' || c == '-')	/* the second is of the alphabet for URLs */
		return 62;
	if (c == '/' || c == '_')
		return 63;
	return -1;
}

/* What a text in base64 holds, or NULL if it is none. */
static char *
decode_base64(const char *text, int len, int *length)
{
	char	   *bytes = palloc(len / 4 * 3 + 4);
	uint32		bits = 0;
	int			digits = 0;
	int			n = 0;

	for (int i = 0; i < len; i++)
	{
		int			digit;

		if (is_space(text[i]))
			continue;
		if (text[i] == '=')		/* nothing but padding follows */
		{
			for (; i < len; i++)
				if (text[i] != '=' && !is_space(text[i]))
					return NULL;
			break;
		}
		digit = base64_digit(text[i]);
		if (digit < 0)
			return NULL;
		bits = bits << 6 | digit;
		if (++digits % 4 == 0)
		{
			bytes[n++] = bits >> 16;
			bytes[n++] = bits >> 8;
			bytes[n++] = bits;
			bits = 0;
		}
	}
	switch (digits % 4)
	{
		case 1:
			return NULL;
		case 2:
			bytes[n++] = bits >> 4;
			break;
		case 3:
			bytes[n++] = bits >> 10;
			bytes[n++] = bits >> 2;
			break;
	}
	bytes[n] = '\0';
	*length = n;
	return bytes;
}

/*
 * UTF-8 in the encoding of the database, or NULL if it is none or this one
 * lacks a character.
 */
static char *
from_utf8(char *bytes, int len)
{
	MemoryContext context = CurrentMemoryContext;
	char	   *volatile text = NULL;
	bool		errors_exit;

	if (!pg_verify_mbstr(PG_UTF8, bytes, len, true))
		return NULL;
	errors_exit = catch_errors();
	PG_TRY();
	{
		text = pg_any_to_server(bytes, len, PG_UTF8);
	}
	PG_CATCH();
	{
		ExitOnAnyError = errors_exit;
		if (geterrcode() != ERRCODE_UNTRANSLATABLE_CHARACTER)
			PG_RE_THROW();
		MemoryContextSwitchTo(context);
		FlushErrorState();
	}
	PG_END_TRY();
	ExitOnAnyError = errors_exit;
	return text;
}

/* Base64 of JSON, or of what only another program can open, as it is. */
static Jsonb *
unwrap_base64(const char *text, int len, int depth)
{
	int			n;
	char	   *bytes;

	if (document_is_gzip(text, len))
		return document_from_text(text, len);

	/*
	 * the first byte of a document is a bracket, a quote, white space or a
	 * mark
	 */
	if (memchr("eWICD7", text[0], 6) == NULL)
		return NULL;
	bytes = decode_base64(text, len, &n);
	if (bytes == NULL || (bytes = from_utf8(bytes, n)) == NULL)
		return NULL;
	return unwrap(bytes, strlen(bytes), depth);
}

static Jsonb *
unwrap(const char *text, int len, int depth)
{
	const char *end = text + len;
	const char *start = skip_blank(text, end);
	Jsonb	   *document;
	JsonbValue	value;

	if (start == end || depth > DEEPEST_TEXT)
		return NULL;
	if (*start == '{' || *start == '[')
	{
		document = document_from_text(start, end - start);
		return is_container(document) ? document : try_split(start, end - start);
	}
	if (*start != '"')
		return unwrap_base64(start, end - start, depth + 1);

	/* JSON in a string: what is no JSON comes back as it was */
	document = document_from_text(start, end - start);
	if (!JsonbExtractScalar(&document->root, &value) || value.type != jbvString ||
		value.val.string.len >= end - start)
		return NULL;
	return unwrap(value.val.string.val, value.val.string.len, depth + 1);
}

Jsonb *
document_unwrap(const char *text, int len)
{
	/* of what document_clip() cut, a part must not be taken for all */
	if (len > DOCUMENT_CLIP - MAX_MULTIBYTE_CHAR_LEN && len <= DOCUMENT_CLIP)
		return NULL;
	return len > DOCUMENT_LONGEST ? NULL : unwrap(text, len, 0);
}

/* unwrap_text(text) RETURNS jsonb */
Datum
iamwatch_unwrap_text(PG_FUNCTION_ARGS)
{
	Datum		source = PG_GETARG_DATUM(0);
	text	   *bytes;
	Jsonb	   *document;

	if (toast_raw_datum_size(source) - VARHDRSZ > DOCUMENT_LONGEST)
		PG_RETURN_NULL();
	bytes = DatumGetTextPP(source);
	document = document_unwrap(VARDATA_ANY(bytes), VARSIZE_ANY_EXHDR(bytes));
	if (document == NULL)
		PG_RETURN_NULL();
	PG_RETURN_JSONB_P(document);
}
