/*-------------------------------------------------------------------------
 *
 * source.h
 *		Reading a relation that somebody else may own.
 *
 *-------------------------------------------------------------------------
 */
#ifndef IAMWATCH_SOURCE_H
#define IAMWATCH_SOURCE_H

#include "fmgr.h"

#define MAX_SOURCE_ARGUMENTS 6

/*
 * A query over one source.  The SQL is constant text in which {source},
 * {document}, {order} and {order_type} stand for the relation, the document of
 * a row, and the order column and its type; values are $1 and so on, never
 * part of the text.
 */
typedef struct SourceQuery
{
	Oid			source;
	const char *event_column;
	const char *order_column;	/* NULL without one */
	const char *sql;
	int			count;
	Oid			types[MAX_SOURCE_ARGUMENTS];
	Datum		values[MAX_SOURCE_ARGUMENTS];
	bool		nulls[MAX_SOURCE_ARGUMENTS];
	double		most_cost;		/* of its plan; 0 for any */
	const char *index_on;		/* what to index if it costs more, with places too */
} SourceQuery;

/*
 * Run the query by the rule of source.c, and give the rows as the result of
 * the calling function, which returns a set of the same columns.
 */
extern void source_read(SourceQuery *query, FunctionCallInfo fcinfo);

/*
 * For what a query calls for each row: if this process runs it and shows how
 * far it is, show now and then how much of the source was read.
 */
extern void source_tick(void);

#endif							/* IAMWATCH_SOURCE_H */
