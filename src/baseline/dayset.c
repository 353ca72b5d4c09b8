/*-------------------------------------------------------------------------
 *
 * dayset.c
 *		A set of days: its algebra and its stored form.
 *
 * Owns the one door through which stored sets are read.  Everything works on
 * runs of days in memory; must never use SPI, nor know of any table.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "baseline/dayset.h"
#include "datatype/timestamp.h"
#include "port/pg_bitutils.h"
#include "utils/memutils.h"

#define FIRST_DAY	(DATETIME_MIN_JULIAN - POSTGRES_EPOCH_JDATE)
#define END_OF_DAYS (DATE_END_JULIAN - POSTGRES_EPOCH_JDATE)

bool
dayset_valid_day(int64 day)
{
	return day >= FIRST_DAY && day < END_OF_DAYS;
}

void
dayruns_init(DayRuns *set)
{
	set->n = set->capacity = 0;
	set->runs = NULL;
	set->context = CurrentMemoryContext;
}

#ifdef USE_ASSERT_CHECKING
/* In order, apart by a day at least, and each a day of the type date. */
static bool
is_run_in_place(const DayRuns *set, int i)
{
	return set->runs[i].lo <= set->runs[i].hi &&
		dayset_valid_day(set->runs[i].lo) && dayset_valid_day(set->runs[i].hi) &&
		(i == 0 || set->runs[i - 1].hi + 1 < set->runs[i].lo);
}

static bool
is_set(const DayRuns *set)
{
	if (set->n < 0 || set->n > set->capacity)
		return false;
	for (int i = 0; i < set->n; i++)
		if (!is_run_in_place(set, i))
			return false;
	return true;
}
#endif

static void
make_room(DayRuns *set)
{
	if (set->n < set->capacity)
		return;
	if (set->runs == NULL)
	{
		set->capacity = 4;
		set->runs = MemoryContextAlloc(set->context, set->capacity * sizeof(DayRun));
	}
	else
	{
		if (set->capacity > MaxAllocHugeSize / 2 / sizeof(DayRun) ||
			set->capacity > PG_INT32_MAX / 2)
			ereport(ERROR,
					(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
					 errmsg("dayset has too many runs of days")));
		set->capacity *= 2;
		set->runs = repalloc_huge(set->runs, set->capacity * sizeof(DayRun));
	}
}

/* Index of the first run that ends at or after the day. */
static int
first_run_from(const DayRuns *set, int32 day)
{
	int			low = 0;
	int			high = set->n;

	while (low < high)
	{
		int			middle = low + (high - low) / 2;

		if (set->runs[middle].hi < day)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

void
dayruns_add(DayRuns *set, int32 lo, int32 hi)
{
	int			first;
	int			last;

	Assert(lo <= hi);
	Assert(dayset_valid_day(lo) && dayset_valid_day(hi));

	/* days come in order, mostly */
	if (set->n == 0 || lo > set->runs[set->n - 1].hi + 1)
		first = last = set->n;
	else
	{
		/* what touches the new run becomes part of it */
		first = last = first_run_from(set, lo - 1);
		while (last < set->n && set->runs[last].lo <= hi + 1)
			last++;
	}
	if (first < last)
	{
		lo = Min(lo, set->runs[first].lo);
		hi = Max(hi, set->runs[last - 1].hi);
		memmove(set->runs + first + 1, set->runs + last, (set->n - last) * sizeof(DayRun));
		set->n -= last - first - 1;
	}
	else
	{
		make_room(set);
		if (first < set->n)
			memmove(set->runs + first + 1, set->runs + first,
					(set->n - first) * sizeof(DayRun));
		set->n++;
	}
	set->runs[first].lo = lo;
	set->runs[first].hi = hi;
	Assert(is_run_in_place(set, first));
	Assert(first == set->n - 1 || is_run_in_place(set, first + 1));
}

void
dayruns_add_all(DayRuns *set, const DayRuns *more)
{
	for (int i = 0; i < more->n; i++)
		dayruns_add(set, more->runs[i].lo, more->runs[i].hi);
}

bool
dayruns_contains(const DayRuns *set, int32 day)
{
	int			i = first_run_from(set, day);

	return i < set->n && set->runs[i].lo <= day;
}

int64
dayruns_count(const DayRuns *set, int32 from, int32 to)
{
	int64		count = 0;

	if (from > to)
		return 0;
	for (int i = first_run_from(set, from); i < set->n && set->runs[i].lo <= to; i++)
		count += (int64) Min(set->runs[i].hi, to) - Max(set->runs[i].lo, from) + 1;
	return count;
}

void
dayruns_union(DayRuns *result, const DayRuns *a, const DayRuns *b)
{
	int			i = 0;
	int			j = 0;

	Assert(result->n == 0 && result != a && result != b);
	while (i < a->n || j < b->n)
	{
		DayRun		next = j >= b->n || (i < a->n && a->runs[i].lo <= b->runs[j].lo) ?
			a->runs[i++] : b->runs[j++];

		dayruns_add(result, next.lo, next.hi);
	}
}

void
dayruns_intersect(DayRuns *result, const DayRuns *a, const DayRuns *b)
{
	int			i = 0;
	int			j = 0;

	Assert(result->n == 0 && result != a && result != b);
	while (i < a->n && j < b->n)
	{
		int32		lo = Max(a->runs[i].lo, b->runs[j].lo);
		int32		hi = Min(a->runs[i].hi, b->runs[j].hi);

		if (lo <= hi)
			dayruns_add(result, lo, hi);
		if (a->runs[i].hi < b->runs[j].hi)
			i++;
		else
			j++;
	}
}

void
dayruns_subtract(DayRuns *result, const DayRuns *a, const DayRuns *b)
{
	int			j = 0;

	Assert(result->n == 0 && result != a && result != b);
	for (int i = 0; i < a->n; i++)
	{
		int32		lo = a->runs[i].lo;

		while (j < b->n && b->runs[j].hi < lo)
			j++;
		for (int l = j; lo <= a->runs[i].hi; l++)
		{
			if (l >= b->n || b->runs[l].lo > a->runs[i].hi)
			{
				dayruns_add(result, lo, a->runs[i].hi);
				break;
			}
			if (b->runs[l].lo > lo)
				dayruns_add(result, lo, b->runs[l].lo - 1);
			lo = b->runs[l].hi + 1;
		}
	}
}

void
dayruns_remove(DayRuns *set, const DayRuns *days)
{
	*set = dayruns_difference_of(set, days);
}

void
dayruns_part(DayRuns *result, const DayRuns *set, int32 from, int32 to)
{
	Assert(result->n == 0 && result != set);
	for (int i = 0; i < set->n; i++)
	{
		int32		lo = Max(set->runs[i].lo, from);
		int32		hi = Min(set->runs[i].hi, to);

		if (lo <= hi)
			dayruns_add(result, lo, hi);
	}
}

DayRuns
dayruns_union_of(const DayRuns *a, const DayRuns *b)
{
	DayRuns		result;

	dayruns_init(&result);
	dayruns_union(&result, a, b);
	return result;
}

DayRuns
dayruns_difference_of(const DayRuns *a, const DayRuns *b)
{
	DayRuns		result;

	dayruns_init(&result);
	dayruns_subtract(&result, a, b);
	return result;
}

DayRuns
dayruns_part_of(const DayRuns *set, int32 from, int32 to)
{
	DayRuns		result;

	dayruns_init(&result);
	dayruns_part(&result, set, from, to);
	return result;
}

/* By the first day on which they differ; a beginning comes before the whole. */
int
dayruns_compare(const DayRuns *a, const DayRuns *b)
{
	for (int i = 0; i < Min(a->n, b->n); i++)
	{
		if (a->runs[i].lo != b->runs[i].lo)
			return a->runs[i].lo < b->runs[i].lo ? -1 : 1;
		if (a->runs[i].hi != b->runs[i].hi)
			return a->runs[i].hi < b->runs[i].hi ? -1 : 1;
	}
	return a->n == b->n ? 0 : a->n < b->n ? -1 : 1;
}

/* ---- stored form ---- */

#define MAX_VARINT 5

static char *
write_varint(char *p, uint32 value)
{
	while (value >= 0x80)
	{
		*p++ = (char) (value | 0x80);
		value >>= 7;
	}
	*p++ = (char) value;
	return p;
}

/* The shortest form only, so that equal sets are equal bytes. */
static bool
read_varint(const char **p, const char *end, uint32 *value)
{
	uint64		result = 0;

	for (int shift = 0; shift < 7 * MAX_VARINT && *p < end; shift += 7)
	{
		uint8		byte = (uint8) *(*p)++;

		result |= (uint64) (byte & 0x7F) << shift;
		if (byte < 0x80)
		{
			if ((byte == 0 && shift > 0) || result > PG_UINT32_MAX)
				return false;
			*value = (uint32) result;
			return true;
		}
	}
	return false;
}

static Size
varint_size(uint32 value)
{
	Size		size = 1;

	while ((value >>= 7) != 0)
		size++;
	return size;
}

/* Days before 2000 are odd numbers, those after it even ones. */
static uint32
zigzag(int32 day)
{
	return ((uint32) day << 1) ^ (uint32) (day < 0 ? -1 : 0);
}

static int64
unzigzag(uint32 number)
{
	return (int32) ((number >> 1) ^ (0U - (number & 1)));
}

static uint32
run_gap(const DayRuns *set, int i)
{
	return i == 0 ? zigzag(set->runs[0].lo) :
		(uint32) (set->runs[i].lo - set->runs[i - 1].hi - 2);
}

static Size
runs_size(const DayRuns *set)
{
	Size		size = 0;

	for (int i = 0; i < set->n; i++)
		size += varint_size(run_gap(set, i)) +
			varint_size((uint32) (set->runs[i].hi - set->runs[i].lo));
	return size;
}

/* How many bytes its bits take. */
static Size
packed_bits_size(const DayRuns *set)
{
	Assert(set->n > 0);
	return ((int64) set->runs[set->n - 1].hi - set->runs[0].lo + 7) / 8;
}

/* Is it shorter packed than the runs, which take so many bytes? */
static bool
packs_well(const DayRuns *set, Size runs)
{
	return set->n > 0 && varint_size(zigzag(set->runs[0].lo)) + packed_bits_size(set) < runs;
}

static const char *
read_packed(const char *p, const char *end, DayRuns *set)
{
	uint32		first;
	int64		lo;
	int64		hi;
	int64		day;

	if (!read_varint(&p, end, &first))
		return "a number is cut off, too large, or not in its shortest form";
	lo = hi = unzigzag(first);
	if (p < end && end[-1] == 0)
		return "it does not end with its last day";
	if (!dayset_valid_day(lo))
		return "a day is out of range";
	for (day = lo + 1; p < end; p++, day += 8)
		for (uint8 byte = (uint8) *p; byte != 0; byte &= byte - 1)
		{
			int64		next = day + pg_rightmost_one_pos32(byte);

			if (!dayset_valid_day(next))
				return "a day is out of range";
			if (next > hi + 1)
			{
				dayruns_add(set, (int32) lo, (int32) hi);
				lo = next;
			}
			hi = next;
		}
	dayruns_add(set, (int32) lo, (int32) hi);
	if (!packs_well(set, runs_size(set)))
		return "it is not in its shortest form";
	return NULL;
}

static const char *
read_runs(const char *p, const char *end, DayRuns *set)
{
	Size		size = end - p;
	int64		next = 0;

	while (p < end)
	{
		uint32		gap;
		uint32		length;
		int64		lo;

		if (!read_varint(&p, end, &gap) || !read_varint(&p, end, &length))
			return "a number is cut off, too large, or not in its shortest form";
		lo = set->n == 0 ? unzigzag(gap) : next + gap;
		if (!dayset_valid_day(lo) || !dayset_valid_day(lo + length))
			return "a day is out of range";
		dayruns_add(set, (int32) lo, (int32) (lo + length));
		next = lo + length + 2;
	}
	if (packs_well(set, size))
		return "it is not in its shortest form";
	return NULL;
}

static const char *
read_bitmap(const char *p, const char *end, DayRuns *set)
{
	int32		base;
	uint64		word;

	if (end - p < sizeof(base) || (end - p - sizeof(base)) % sizeof(word) != 0)
		return "a bitmap is cut off";
	memcpy(&base, p, sizeof(base));
	p += sizeof(base);
	for (int64 offset = base; p < end; p += sizeof(word), offset += 64)
	{
		memcpy(&word, p, sizeof(word));
		while (word != 0)
		{
			int64		day = offset + pg_rightmost_one_pos64(word);

			if (!dayset_valid_day(day))
				return "a day is out of range";
			dayruns_add(set, (int32) day, (int32) day);
			word &= word - 1;
		}
	}
	return NULL;
}

const char *
dayruns_read(const char *bytes, Size length, DayRuns *set)
{
	Assert(set->n == 0);
	if (length < 1)
		return "it is empty";
	if ((uint8) bytes[0] == DAYSET_RUNS)
		return read_runs(bytes + 1, bytes + length, set);
	if ((uint8) bytes[0] == DAYSET_PACKED)
		return read_packed(bytes + 1, bytes + length, set);
	if ((uint8) bytes[0] == DAYSET_BITMAP)
		return read_bitmap(bytes + 1, bytes + length, set);
	return "its version is not supported";
}

void
dayruns_from_dayset(const Dayset *stored, DayRuns *set)
{
	const char *wrong = dayruns_read((const char *) &stored->version,
									 VARSIZE(stored) - offsetof(Dayset, version), set);

	if (wrong != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("stored dayset is damaged: %s", wrong)));
}

static char *
write_runs(char *p, const DayRuns *set)
{
	for (int i = 0; i < set->n; i++)
	{
		p = write_varint(p, run_gap(set, i));
		p = write_varint(p, (uint32) (set->runs[i].hi - set->runs[i].lo));
	}
	return p;
}

static char *
write_packed(char *p, const DayRuns *set)
{
	int32		first = set->runs[0].lo;
	Size		bytes = packed_bits_size(set);

	p = write_varint(p, zigzag(first));
	memset(p, 0, bytes);
	for (int i = 0; i < set->n; i++)
		for (int64 day = Max(set->runs[i].lo, first + 1); day <= set->runs[i].hi; day++)
			p[(day - first - 1) / 8] |= 1 << ((day - first - 1) % 8);
	return p + bytes;
}

#ifdef USE_ASSERT_CHECKING
/* What is written must be what is read: tables keep it. */
static bool
reads_back(const Dayset *stored, const DayRuns *set)
{
	DayRuns		again;

	dayruns_init(&again);
	return dayruns_read((const char *) &stored->version,
						VARSIZE(stored) - offsetof(Dayset, version), &again) == NULL &&
		dayruns_compare(&again, set) == 0;
}
#endif

Dayset *
dayruns_to_dayset(const DayRuns *set)
{
	Size		runs = runs_size(set);
	bool		packed = packs_well(set, runs);
	Size		size = DAYSET_HEADER + (packed ? varint_size(zigzag(set->runs[0].lo)) +
										packed_bits_size(set) : runs);
	Dayset	   *stored;
	char	   *end;

	Assert(is_set(set));
	if (size > MaxAllocSize)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("dayset is larger than %zu bytes", (Size) MaxAllocSize)));
	stored = palloc(size);
	stored->version = packed ? DAYSET_PACKED : DAYSET_RUNS;
	end = packed ? write_packed(stored->data, set) : write_runs(stored->data, set);
	Assert(end == (char *) stored + size);
	(void) end;
	SET_VARSIZE(stored, size);
	Assert(reads_back(stored, set));
	return stored;
}
