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
	TupleTableSlot *place;		/* where a row is; NULL if it was not needed yet */
	int			columns;		/* that rows are given; those after them are somebody's own */
} RowTarget;

/* Between the two, a snapshot that sees all that was done so far is active. */
extern void row_target_open(RowTarget *target, Oid table, int columns);
extern void row_target_close(RowTarget *target);

/* Are there triggers that fire for rows?  They may store events of their own. */
extern bool row_target_has_triggers(const RowTarget *target);

/* Columns that are somebody's own get their defaults, and keep what they have in an update. */
extern void row_insert(RowTarget *target, const Datum *values, const bool *nulls);

/* In the place of one that is locked; the values lie in the target's slot. */
extern void row_update(RowTarget *target, TupleTableSlot *old);

/*
 * A row of all columns in the place of one that nobody else can write, by a lock
 * that both would take.
 */
extern void row_update_at(RowTarget *target, const ItemPointerData *at,
						  const Datum *values, const bool *nulls);

/* Open, insert one and close. */
extern void row_insert_one(Oid table, int columns, const Datum *values, const bool *nulls);

#endif							/* IAMWATCH_ROW_H */
