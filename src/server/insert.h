/*-------------------------------------------------------------------------
 *
 * insert.h
 *		INSERT of a row, without a statement, but with all that one does.
 *
 *-------------------------------------------------------------------------
 */
#ifndef IAMWATCH_INSERT_H
#define IAMWATCH_INSERT_H

#include "server/row.h"

typedef struct InsertTarget
{
	RowTarget	row;
	struct TransitionCaptureState *capture;
} InsertTarget;

/*
 * Has somebody given the table what only a statement heeds: rules, forced
 * policies, columns beyond those that we know?
 */
extern bool insert_needs_statement(Oid table, int ncolumns);

/* In place of row_target_open() and the others; triggers for a statement fire, too. */
extern void insert_begin(InsertTarget *target, Oid table);
extern void insert_row(InsertTarget *target, const Datum *values, const bool *nulls);
extern void insert_end(InsertTarget *target);

#endif							/* IAMWATCH_INSERT_H */
