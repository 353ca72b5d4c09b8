/*-------------------------------------------------------------------------
 *
 * dayset.h
 *		A set of days.
 *
 * Days are UTC dates, counted as PostgreSQL's type date does: from
 * 2000-01-01, within the range of that type, never infinite.
 *
 *-------------------------------------------------------------------------
 */
#ifndef IAMWATCH_DAYSET_H
#define IAMWATCH_DAYSET_H

#include "fmgr.h"
#include "lib/stringinfo.h"
#include "server/compat.h"

/*
 * On disk: a version and flags, then
 *	runs:	first day (zigzag), length - 1, and for each further run its
 *			distance to the one before - 2 and its length - 1, all varints;
 *	packed:	first day (zigzag varint), then a bit for each day after it, from
 *			the lowest bit of each byte on, up to the byte of the last day;
 *	bitmap:	base day (4 bytes), then words of 64 bits, bit n for base + n.
 * A bitmap is a state of an aggregate; what is stored in tables is packed if
 * that is shorter, as it is for scattered days, else runs.  So equal sets are
 * equal bytes.
 */
typedef struct Dayset
{
	int32		vl_len_;		/* varlena header, do not touch */
	uint8		version;
	char		data[FLEXIBLE_ARRAY_MEMBER];
} Dayset;

#define DAYSET_RUNS		0x01
#define DAYSET_PACKED	0x02
#define DAYSET_BITMAP	0x81
#define DAYSET_HEADER	(offsetof(Dayset, data))

#define DatumGetDaysetP(datum)		((Dayset *) PG_DETOAST_DATUM(datum))
#define PG_RETURN_DAYSET_P(set)		PG_RETURN_POINTER(set)

/* From lo to hi, both included. */
typedef struct DayRun
{
	int32		lo;
	int32		hi;
} DayRun;

/* Sorted, apart by a day at least; in the memory context of their making. */
typedef struct DayRuns
{
	int			n;
	int			capacity;
	DayRun	   *runs;
	MemoryContext context;
} DayRuns;

extern void dayruns_init(DayRuns *set);
extern void dayruns_add(DayRuns *set, int32 lo, int32 hi);
extern void dayruns_add_all(DayRuns *set, const DayRuns *more);
extern bool dayruns_contains(const DayRuns *set, int32 day);

/* Days from one to another, both included. */
extern int64 dayruns_count(const DayRuns *set, int32 from, int32 to);

extern void dayruns_union(DayRuns *result, const DayRuns *a, const DayRuns *b);
extern void dayruns_intersect(DayRuns *result, const DayRuns *a, const DayRuns *b);
extern void dayruns_subtract(DayRuns *result, const DayRuns *a, const DayRuns *b);

/* The same as values. */
extern DayRuns dayruns_union_of(const DayRuns *a, const DayRuns *b);
extern DayRuns dayruns_difference_of(const DayRuns *a, const DayRuns *b);
extern DayRuns dayruns_part_of(const DayRuns *set, int32 from, int32 to);

/* The same in place. */
extern void dayruns_remove(DayRuns *set, const DayRuns *days);

/* The days from one to another, both included; either may be beyond all days. */
extern void dayruns_part(DayRuns *result, const DayRuns *set, int32 from, int32 to);
extern int	dayruns_compare(const DayRuns *a, const DayRuns *b);

/*
 * Read a stored set into an initialised, empty one.  Raises
 * ERRCODE_DATA_CORRUPTED when it is no canonical set.
 */
extern void dayruns_from_dayset(const Dayset *stored, DayRuns *set);

/* The same for a value that may be compressed or out of line. */
static inline void
dayruns_from_datum(Datum stored, DayRuns *set)
{
	dayruns_init(set);
	dayruns_from_dayset(DatumGetDaysetP(stored), set);
}

#define PG_GETARG_DAYRUNS(n, set)	dayruns_from_datum(PG_GETARG_DATUM(n), set)

/* Returns NULL, or what is wrong: the check behind it, for a new value. */
extern const char *dayruns_read(const char *bytes, Size length, DayRuns *set);
extern Dayset *dayruns_to_dayset(const DayRuns *set);

/* Whether a day is one that the type date can hold. */
extern bool dayset_valid_day(int64 day);

#endif							/* IAMWATCH_DAYSET_H */
