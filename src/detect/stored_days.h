/*-------------------------------------------------------------------------
 *
 * stored_days.h
 *		What the aggregate over stored events hands on: days of baseline keys,
 *		packed.
 *
 * A byte, and then for each word of days of a key a PackedDays and the bytes of
 * the key, unaligned.  A key can come several times: with several words, and
 * from several processes.
 *
 *-------------------------------------------------------------------------
 */
#ifndef IAMWATCH_STORED_DAYS_H
#define IAMWATCH_STORED_DAYS_H

#include "datatype/timestamp.h"

/* The byte says whether the table was too small, so that nothing follows. */
#define PACKED_HEADER	1

/* So many days of a key are kept as one word, which has a number. */
#define DAYS_IN_WORD	64

typedef struct KeyDays
{
	TimestampTz first;			/* the earliest event of them */
	int64		events;
	uint64		days;			/* bit n stands for day number * DAYS_IN_WORD + n */
} KeyDays;

typedef struct PackedDays
{
	KeyDays		days;
	int32		number;
	int32		length;			/* of the key; -1 if there is none, of documents without */
} PackedDays;

#endif							/* IAMWATCH_STORED_DAYS_H */
