/*-------------------------------------------------------------------------
 *
 * stubs.c
 *		What the code that needs no server uses of one.
 *
 * Memory is malloc()'s, so that AddressSanitizer sees each piece, and is all
 * given back after an input.  An error jumps out of the input.  The calendar
 * is written anew, by counting days from years: a second opinion on it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <signal.h>

#include "../../src/server/compat.h"
#include "access/htup_details.h"
#include "fmgr.h"
#include "funcapi.h"
#include "lib/stringinfo.h"
#include "libpq/pqformat.h"
#include "utils/date.h"
#include "utils/datetime.h"
#include "harness.h"

MemoryContext CurrentMemoryContext = NULL;
const int	day_tab[2][13] = {
	{31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31, 0},
	{31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31, 0}
};
sigjmp_buf	harness_error;
int			harness_sqlstate;

/* ---- memory ---- */

typedef struct Piece
{
	struct Piece *next;
	void	   *memory;
} Piece;

static Piece *pieces = NULL;

static void *
remember(void *memory)
{
	Piece	   *piece = malloc(sizeof(Piece));

	if (memory == NULL || piece == NULL)
		abort();
	piece->memory = memory;
	piece->next = pieces;
	pieces = piece;
	return memory;
}

void
harness_free_all(void)
{
	while (pieces != NULL)
	{
		Piece	   *next = pieces->next;

		free(pieces->memory);
		free(pieces);
		pieces = next;
	}
}

void *
palloc(Size size)
{
	return remember(malloc(Max(1, size)));
}

void *
palloc0(Size size)
{
	return remember(calloc(1, Max(1, size)));
}

void *
palloc_extended(Size size, int flags)
{
	return palloc(size);
}

void *
MemoryContextAlloc(MemoryContext context, Size size)
{
	return palloc(size);
}

void *
MemoryContextAllocZero(MemoryContext context, Size size)
{
	return palloc0(size);
}

void *
MemoryContextAllocZeroAligned(MemoryContext context, Size size)
{
	return palloc0(size);
}

void
pfree(void *pointer)
{
	/* given back after the input */
}

void *
repalloc(void *pointer, Size size)
{
	for (Piece *piece = pieces; piece != NULL; piece = piece->next)
		if (piece->memory == pointer)
		{
			piece->memory = realloc(pointer, Max(1, size));
			if (piece->memory == NULL)
				abort();
			return piece->memory;
		}
	abort();
}

void *
repalloc_huge(void *pointer, Size size)
{
	return repalloc(pointer, size);
}

/* ---- errors ---- */

bool
errstart(int elevel, const char *domain)
{
	return elevel >= ERROR;
}

bool
errstart_cold(int elevel, const char *domain)
{
	return errstart(elevel, domain);
}

void
errfinish(const char *filename, int lineno, const char *funcname)
{
	siglongjmp(harness_error, 1);
}

int
errcode(int sqlerrcode)
{
	harness_sqlstate = sqlerrcode;
	return 0;
}

/* The message is made, so that its arguments are looked at. */
static int
format_only(const char *fmt, va_list args)
{
	char		message[256];

	vsnprintf(message, sizeof(message), fmt, args);
	return 0;
}

#define FORMAT_ONLY(name) \
int \
name(const char *fmt,...) \
{ \
	va_list		args; \
\
	va_start(args, fmt); \
	format_only(fmt, args); \
	va_end(args); \
	return 0; \
}
FORMAT_ONLY(errmsg)
FORMAT_ONLY(errdetail)
FORMAT_ONLY(errhint)
FORMAT_ONLY(errmsg_internal)

#ifdef USE_ASSERT_CHECKING
void
ExceptionalCondition(const char *condition,
#if PG_VERSION_NUM < 160000
					 const char *type,
#endif
					 const char *file, int line)
{
	fprintf(stderr, "assertion failed: %s, %s:%d\n", condition, file, line);
	abort();
}
#endif

/* ---- values ---- */

struct varlena *
pg_detoast_datum(struct varlena *datum)
{
	return datum;
}

struct varlena *
pg_detoast_datum_copy(struct varlena *datum)
{
	return memcpy(palloc(VARSIZE(datum)), datum, VARSIZE(datum));
}

int
AggCheckCallContext(FunctionCallInfo fcinfo, MemoryContext *aggcontext)
{
	return 1;
}

/* ---- strings ---- */

#if PG_VERSION_NUM >= 160000
typedef const void *Bytes;
#else
typedef const char *Bytes;
#endif

void
initStringInfo(StringInfo str)
{
	str->maxlen = 64;
	str->data = palloc(str->maxlen);
	str->data[0] = '\0';
	str->len = str->cursor = 0;
}

void
appendBinaryStringInfo(StringInfo str, Bytes data, int datalen)
{
	while (str->len + datalen + 1 > str->maxlen)
	{
		str->maxlen *= 2;
		str->data = repalloc(str->data, str->maxlen);
	}
	memcpy(str->data + str->len, data, datalen);
	str->len += datalen;
	str->data[str->len] = '\0';
}

void
appendBinaryStringInfoNT(StringInfo str, Bytes data, int datalen)
{
	appendBinaryStringInfo(str, data, datalen);
}

void
appendStringInfoString(StringInfo str, const char *s)
{
	appendBinaryStringInfo(str, s, strlen(s));
}

#undef appendStringInfoChar
void
appendStringInfoChar(StringInfo str, char ch)
{
	appendBinaryStringInfo(str, &ch, 1);
}

void
appendStringInfo(StringInfo str, const char *fmt,...)
{
	char		text[1024];
	va_list		args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	appendStringInfoString(str, text);
}

void
enlargeStringInfo(StringInfo str, int needed)
{
	abort();
}

void
pq_begintypsend(StringInfo buf)
{
	initStringInfo(buf);
	appendBinaryStringInfo(buf, "\0\0\0", VARHDRSZ);
}

void
pq_sendbytes(StringInfo buf, Bytes data, int datalen)
{
	appendBinaryStringInfo(buf, data, datalen);
}

bytea *
pq_endtypsend(StringInfo buf)
{
	SET_VARSIZE(buf->data, buf->len);
	return (bytea *) buf->data;
}

const char *
pq_getmsgbytes(StringInfo msg, int datalen)
{
	const char *result = msg->data + msg->cursor;

	if (datalen < 0 || datalen > msg->len - msg->cursor)
		abort();
	msg->cursor += datalen;
	return result;
}

void
ProcessInterrupts(void)
{
}

volatile sig_atomic_t InterruptPending = false;

/* As the server writes a number in a message, near enough. */
char *
float8out_internal(double number)
{
	char	   *text = palloc(32);

	snprintf(text, 32, "%.17g", number);
	return text;
}

/* ---- rows, which no fuzzed function makes ---- */

TypeFuncClass
get_call_result_type(FunctionCallInfo fcinfo, Oid *type, TupleDesc *desc)
{
	abort();
}

TupleDesc
BlessTupleDesc(TupleDesc desc)
{
	abort();
}

#if PG_VERSION_NUM >= 170000
HeapTuple
heap_form_tuple(TupleDesc desc, const Datum *values, const bool *nulls)
#else
HeapTuple
heap_form_tuple(TupleDesc desc, Datum *values, bool *nulls)
#endif
{
	abort();
}

Datum
HeapTupleHeaderGetDatum(HeapTupleHeader tuple)
{
	abort();
}

/* ---- the calendar ---- */

static int64
days_before_year(int64 year)
{
	/* from the first of March of the year 0, and never negative */
	int64		shifted = year + 400000;

	return shifted * 365 + shifted / 4 - shifted / 100 + shifted / 400;
}

/* Day of the civil calendar, March first, so that leap days come last. */
static int64
civil_day(int64 year, int month, int day)
{
	int			from_march = (month + 9) % 12;

	if (month < 3)
		year--;
	return days_before_year(year) + (from_march * 153 + 2) / 5 + day - 1;
}

int
date2j(int year, int month, int day)
{
	return (int) (civil_day(year, month, day) - civil_day(2000, 1, 1) + POSTGRES_EPOCH_JDATE);
}

void
j2date(int julian, int *year, int *month, int *day)
{
	int64		target = (int64) julian - POSTGRES_EPOCH_JDATE + civil_day(2000, 1, 1);
	int64		y = target / 365 - 400000;
	int			left;

	while (days_before_year(y) > target)
		y -= Max(1, (days_before_year(y) - target) / 366);
	while (days_before_year(y + 1) <= target)
		y++;
	left = (int) (target - days_before_year(y));
	*month = (left * 5 + 2) / 153;
	*day = left - (*month * 153 + 2) / 5 + 1;
	*month = *month < 10 ? *month + 3 : *month - 9;
	*year = (int) (*month < 3 ? y + 1 : y);
}
