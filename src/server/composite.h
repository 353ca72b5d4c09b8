/*-------------------------------------------------------------------------
 *
 * composite.h
 *		Rows as values, of types that may have more columns than we know of.
 *
 *-------------------------------------------------------------------------
 */
#ifndef IAMWATCH_COMPOSITE_H
#define IAMWATCH_COMPOSITE_H

#include "access/htup.h"
#include "access/tupdesc.h"

/* A row whose first columns are these; those after them are null. */
extern Datum composite_make(TupleDesc desc, int count, const Datum *values, const bool *nulls);

/* The first columns of a row. */
extern void composite_read(HeapTupleHeader row, int count, Datum *values, bool *nulls);

#endif							/* IAMWATCH_COMPOSITE_H */
