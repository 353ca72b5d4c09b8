/*-------------------------------------------------------------------------
 *
 * dayset_io.c
 *		A set of days as text and on the wire.
 *
 * Text: {2026-03-01,2026-03-04..2026-03-09}, dates as ISO 8601 whatever
 * DateStyle says, in any order on input.  Wire: the stored runs.  Must never
 * depend on a setting of the session.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "baseline/dayset.h"
#include "libpq/pqformat.h"
#include "miscadmin.h"
#include "server/compat.h"
#include "utils/datetime.h"

PG_FUNCTION_INFO_V1(dayset_in);
PG_FUNCTION_INFO_V1(dayset_out);
PG_FUNCTION_INFO_V1(dayset_recv);
PG_FUNCTION_INFO_V1(dayset_send);

pg_noreturn static void bad_text(const char *text, const char *at, const char *expected);

static void
bad_text(const char *text, const char *at, const char *expected)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
			 errmsg("invalid input syntax for type dayset: \"%s\"", text),
			 *at == '\0' ?
			 errdetail("Expected %s at the end.", expected) :
			 errdetail("Expected %s at position %d, found \"%s\".",
					   expected, (int) (at - text) + 1, at),
			 errhint("A dayset looks like {2026-03-01,2026-03-04..2026-03-09}.")));
}

static const char *
skip_space(const char *p)
{
	while (isspace((unsigned char) *p))
		p++;
	return p;
}

static int
read_number(const char **p, int least_digits, int most_digits)
{
	int			value = 0;
	int			digits = 0;

	for (; digits < most_digits && **p >= '0' && **p <= '9'; digits++, (*p)++)
		value = value * 10 + (**p - '0');
	return digits >= least_digits && !(**p >= '0' && **p <= '9') ? value : -1;
}

/* YYYY-MM-DD, with more digits for later years and " BC" for earlier ones. */
static int32
read_date(const char *text, const char **p)
{
	const char *start = *p;
	int			year,
				month,
				day;
	int			julian;

	if ((year = read_number(p, 4, 7)) < 1 || *(*p)++ != '-' ||
		(month = read_number(p, 2, 2)) < 1 || month > MONTHS_PER_YEAR || *(*p)++ != '-' ||
		(day = read_number(p, 2, 2)) < 1)
		bad_text(text, start, "a date");
	if (strncmp(*p, " BC", 3) == 0)
	{
		*p += 3;
		year = 1 - year;
	}
	if (day > day_tab[isleap(year)][month - 1])
		bad_text(text, start, "a date");
	if (!IS_VALID_JULIAN(year, month, day))
		ereport(ERROR,
				(errcode(ERRCODE_DATETIME_FIELD_OVERFLOW),
				 errmsg("date out of range in dayset: \"%.*s\"", (int) (*p - start), start)));
	julian = date2j(year, month, day);
	if (!dayset_valid_day((int64) julian - POSTGRES_EPOCH_JDATE))
		ereport(ERROR,
				(errcode(ERRCODE_DATETIME_FIELD_OVERFLOW),
				 errmsg("date out of range in dayset: \"%.*s\"", (int) (*p - start), start)));
	return julian - POSTGRES_EPOCH_JDATE;
}

Datum
dayset_in(PG_FUNCTION_ARGS)
{
	const char *text = PG_GETARG_CSTRING(0);
	const char *p = skip_space(text);
	DayRuns		set;

	dayruns_init(&set);
	if (*p != '{')
		bad_text(text, p, "\"{\"");
	p = skip_space(p + 1);
	while (*p != '}')
	{
		const char *start = p;
		int32		lo = read_date(text, &p);
		int32		hi = lo;

		CHECK_FOR_INTERRUPTS(); /* days in no order take the square of their number */
		p = skip_space(p);
		if (strncmp(p, "..", 2) == 0)
		{
			p = skip_space(p + 2);
			hi = read_date(text, &p);
			if (hi < lo)
				bad_text(text, start, "a range that begins before it ends");
			p = skip_space(p);
		}
		dayruns_add(&set, lo, hi);
		if (*p == ',')
		{
			p = skip_space(p + 1);
			if (*p == '}')
				bad_text(text, p, "a date");
		}
		else if (*p != '}')
			bad_text(text, p, "\",\" or \"}\"");
	}
	p = skip_space(p + 1);
	if (*p != '\0')
		bad_text(text, p, "nothing");
	PG_RETURN_DAYSET_P(dayruns_to_dayset(&set));
}

static void
write_date(StringInfo text, int32 date)
{
	int			year,
				month,
				day;

	j2date(date + POSTGRES_EPOCH_JDATE, &year, &month, &day);
	appendStringInfo(text, "%04d-%02d-%02d%s", year > 0 ? year : 1 - year, month, day,
					 year > 0 ? "" : " BC");
}

Datum
dayset_out(PG_FUNCTION_ARGS)
{
	DayRuns		set;
	StringInfoData text;

	PG_GETARG_DAYRUNS(0, &set);
	initStringInfo(&text);
	appendStringInfoChar(&text, '{');
	for (int i = 0; i < set.n; i++)
	{
		if (i > 0)
			appendStringInfoChar(&text, ',');
		write_date(&text, set.runs[i].lo);
		if (set.runs[i].hi > set.runs[i].lo)
		{
			appendStringInfoString(&text, "..");
			write_date(&text, set.runs[i].hi);
		}
	}
	appendStringInfoChar(&text, '}');
	PG_RETURN_CSTRING(text.data);
}

Datum
dayset_recv(PG_FUNCTION_ARGS)
{
	StringInfo	buf = (StringInfo) PG_GETARG_POINTER(0);
	int			length = buf->len - buf->cursor;
	const char *bytes = pq_getmsgbytes(buf, length);
	const char *wrong;
	DayRuns		set;

	dayruns_init(&set);
	if (length > 0 && (uint8) bytes[0] == DAYSET_BITMAP)
		wrong = "its version is not supported";
	else
		wrong = dayruns_read(bytes, length, &set);
	if (wrong != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
				 errmsg("invalid binary form of dayset: %s", wrong)));
	PG_RETURN_DAYSET_P(dayruns_to_dayset(&set));
}

Datum
dayset_send(PG_FUNCTION_ARGS)
{
	DayRuns		set;
	Dayset	   *stored;
	StringInfoData buf;

	PG_GETARG_DAYRUNS(0, &set);
	stored = dayruns_to_dayset(&set);
	pq_begintypsend(&buf);
	pq_sendbytes(&buf, (char *) &stored->version,
				 VARSIZE(stored) - offsetof(Dayset, version));
	PG_RETURN_BYTEA_P(pq_endtypsend(&buf));
}
