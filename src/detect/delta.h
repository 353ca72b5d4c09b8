/*-------------------------------------------------------------------------
 *
 * delta.h
 *		What was learned of an account, as rows of the journal have it.
 *
 *-------------------------------------------------------------------------
 */
#ifndef IAMWATCH_DELTA_H
#define IAMWATCH_DELTA_H

#include "baseline/dayset.h"
#include "datatype/timestamp.h"
#include "server/slice.h"

typedef struct Delta
{
	Slice		identity;		/* missing in one that moves the account alone */
	int			kinds;
	Slice		service;		/* missing, as is the operation, if any activity is meant */
	Slice		operation;
	bool		failed;
	DayRuns		days;
	TimestampTz first;			/* event of the account; PG_INT64_MAX if it says nothing of that */
	int64		late;			/* events */
} Delta;

typedef struct Deltas
{
	const char *provider;
	Slice		account;
	Delta	   *items;
	int			count;
	int			capacity;
} Deltas;

/* In the current memory context; strings and days are not copied. */
extern void deltas_add(Deltas *deltas, const Delta *delta);

/* From and to a value of iamwatch_internal.journal[]; the account is not looked at. */
extern void deltas_add_array(Deltas *deltas, Datum array);
extern Datum deltas_array(const Deltas *deltas);

#endif							/* IAMWATCH_DELTA_H */
