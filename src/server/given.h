/*-------------------------------------------------------------------------
 *
 * given.h
 *		What a function needs of who calls it: values that are not null.
 *
 * Those that people call say so before, or are strict; what comes here was
 * called by hand, or by SQL of ours that is wrong.
 *
 *-------------------------------------------------------------------------
 */
#ifndef IAMWATCH_GIVEN_H
#define IAMWATCH_GIVEN_H

#include "access/htup.h"

/* 22004: ... must not be null. */
extern void refuse_null(const char *format,...) pg_attribute_printf(1, 2);

/* A field of a row, by its number from 1 on or its name. */
extern Datum given_field(HeapTupleHeader row, int column);
extern Datum given_field_named(HeapTupleHeader row, const char *name);

#endif							/* IAMWATCH_GIVEN_H */
