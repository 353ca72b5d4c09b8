/*-------------------------------------------------------------------------
 *
 * rfc3339.c
 *		Reading of times as RFC 3339 writes them, or nearly so.
 *
 * timestamptz_in() would accept far more, depend on settings of the session,
 * and raise an error where an audit event must only be put aside.  Must never
 * do so.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "event/day.h"
#include "event/rfc3339.h"
#include "utils/datetime.h"

#define RECENT_DATES 16

/* Exactly n digits. */
static bool
read_digits(const char **p, const char *end, int n, int *value)
{
	*value = 0;
	if (end - *p < n)
		return false;
	for (int i = 0; i < n; i++, (*p)++)
	{
		if (**p < '0' || **p > '9')
			return false;
		*value = *value * 10 + (**p - '0');
	}
	return true;
}

static bool
read_char(const char **p, const char *end, char lower, char upper)
{
	if (*p >= end || (**p != lower && **p != upper))
		return false;
	(*p)++;
	return true;
}

/* The first microsecond of a day.  One event after the other has the same, or one of a few. */
static bool
read_date(const char **p, const char *end, int64 *start)
{
	static struct
	{
		char		date[10];
		int64		start;
	}			recent[RECENT_DATES], *last;
	const char *date = *p;
	int			year,
				month,
				mday;

	if (end - date < sizeof(last->date))
		return false;
	last = &recent[(unsigned) (date[9] + 3 * date[8] + 5 * date[6]) % RECENT_DATES];
	if (last->date[0] != '\0' && memcmp(date, last->date, sizeof(last->date)) == 0)
	{
		*p += sizeof(last->date);
		*start = last->start;
		return true;
	}
	if (!read_digits(p, end, 4, &year) || !read_char(p, end, '-', '-') ||
		!read_digits(p, end, 2, &month) || !read_char(p, end, '-', '-') ||
		!read_digits(p, end, 2, &mday) ||
		month < 1 || month > MONTHS_PER_YEAR || mday < 1 ||
		mday > day_tab[isleap(year)][month - 1])
		return false;
	*start = (int64) (date2j(year, month, mday) - POSTGRES_EPOCH_JDATE) * USECS_PER_DAY;
	memcpy(last->date, date, sizeof(last->date));
	last->start = *start;
	return true;
}

/*
 * What stands for Z, in minutes: an offset, whose colon or minutes may be left
 * out, " UTC", or nothing, which means UTC too.
 */
static bool
read_offset(const char **p, const char *end, int *minutes)
{
	static const char utc[] = " UTC";
	int			sign;
	int			hour;
	int			minute = 0;

	if (*p == end)
		return true;
	if (end - *p == sizeof(utc) - 1 && memcmp(*p, utc, sizeof(utc) - 1) == 0)
	{
		*p = end;
		return true;
	}
	if (read_char(p, end, '+', '+'))
		sign = 1;
	else if (read_char(p, end, '-', '-'))
		sign = -1;
	else
		return false;
	if (!read_digits(p, end, 2, &hour))
		return false;
	if (*p < end)
	{
		(void) read_char(p, end, ':', ':');
		if (!read_digits(p, end, 2, &minute))
			return false;
	}
	if (hour >= HOURS_PER_DAY || minute >= MINS_PER_HOUR)
		return false;
	*minutes = sign * (hour * MINS_PER_HOUR + minute);
	return true;
}

bool
rfc3339_read(const char *s, int len, TimestampTz *time, int32 *day)
{
	const char *p = s;
	const char *end = s + len;
	int			hour,
				minute,
				second,
				offset = 0;
	int			micros = 0;
	int64		result;

	if (!read_date(&p, end, &result) ||
		(!read_char(&p, end, 't', 'T') && !read_char(&p, end, ' ', ' ')) ||
		!read_digits(&p, end, 2, &hour) || !read_char(&p, end, ':', ':') ||
		!read_digits(&p, end, 2, &minute) || !read_char(&p, end, ':', ':') ||
		!read_digits(&p, end, 2, &second) ||
		hour >= HOURS_PER_DAY || minute >= MINS_PER_HOUR || second > SECS_PER_MINUTE)
		return false;

	if (read_char(&p, end, '.', '.'))
	{
		int			digits = 0;

		for (; p < end && *p >= '0' && *p <= '9'; p++, digits++)
			if (digits < 6)
				micros = micros * 10 + (*p - '0');
		if (digits == 0)
			return false;
		for (; digits < 6; digits++)
			micros *= 10;
	}

	if (!read_char(&p, end, 'z', 'Z') && !read_offset(&p, end, &offset))
		return false;
	if (p != end)
		return false;

	result += ((int64) hour * MINS_PER_HOUR + minute - offset) * USECS_PER_MINUTE;
	result += second * USECS_PER_SEC + micros;
	Assert(IS_VALID_TIMESTAMP(result)); /* a year has four digits */
	*time = result;
	*day = day_of(result);
	return true;
}
