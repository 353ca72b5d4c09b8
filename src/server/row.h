/*-------------------------------------------------------------------------
 *
 * row.h
 *		Writes single rows of our tables, without a statement.
 *
 *-------------------------------------------------------------------------
 */
#ifndef IAMWATCH_ROW_H
#define IAMWATCH_ROW_H

#include "executor/tuptable.h"
#include "nodes/execnodes.h"

/* A table that is written: its indexes are open, and its triggers will fire. */
typedef struct RowTarget
{
	Relation	table;
	EState	   *estate;
	ResultRelInfo *info;
	TupleTableSlot *slot;		/* empty, for a row to be written */
} RowTarget;

/* Between the two, a snapshot that sees all that was done so far is active. */
extern void row_target_open(RowTarget *target, Oid table);
extern void row_target_close(RowTarget *target);

/* A row of all columns. */
extern void row_insert(RowTarget *target, const Datum *values, const bool *nulls);

/* In the place of one that is locked; the values lie in the target's slot. */
extern void row_update(RowTarget *target, TupleTableSlot *old);

/* Open, insert one and close. */
extern void row_insert_one(Oid table, const Datum *values, const bool *nulls);

#endif							/* IAMWATCH_ROW_H */
