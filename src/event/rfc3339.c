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

/* More than any hour, minute or second, unless these are two digits. */
static inline int
two_digits(const char *s)
{
	unsigned	tens = (unsigned char) s[0] - '0';
	unsigned	ones = (unsigned char) s[1] - '0';

	return tens > 9 || ones > 9 ? 100 : (int) (tens * 10 + ones);
}

/* THH:MM:SS, or with a blank, in microseconds.  Every event has one, so it is read at once. */
static bool
read_clock(const char **p, const char *end, int64 *since_midnight)
{
	const char *s = *p;
	int			hour,
				minute,
				second;

	if (end - s < 9 || (s[0] != 'T' && s[0] != 't' && s[0] != ' ') || s[3] != ':' || s[6] != ':')
		return false;
	hour = two_digits(s + 1);
	minute = two_digits(s + 4);
	second = two_digits(s + 7);
	if (hour >= HOURS_PER_DAY || minute >= MINS_PER_HOUR || second > SECS_PER_MINUTE)
		return false;
	*since_midnight = (int64) (hour * MINS_PER_HOUR + minute) * USECS_PER_MINUTE + second * USECS_PER_SEC;
	*p += 9;
	return true;
}

bool
rfc3339_read(const char *s, int len, TimestampTz *time, int32 *day)
{
	const char *p = s;
	const char *end = s + len;
	int			offset = 0;
	int			micros = 0;
	int64		result;
	int64		clock;

	if (!read_date(&p, end, &result) || !read_clock(&p, end, &clock))
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

	result += clock - offset * USECS_PER_MINUTE + micros;
	Assert(IS_VALID_TIMESTAMP(result)); /* a year has four digits */
	*time = result;
	*day = day_of(result);
	return true;
}
