/*-------------------------------------------------------------------------
 *
 * reached.h
 *		All that a query comes to when it is run.
 *
 *-------------------------------------------------------------------------
 */
#ifndef IAMWATCH_REACHED_H
#define IAMWATCH_REACHED_H

#include "nodes/parsenodes.h"
#include "nodes/pg_list.h"

/* What a query comes to. */
typedef struct Reached
{
	List	   *relations;
	List	   *functions;
	List	   *types;
	bool		depends_on_asker;	/* a view or a foreign table */
} Reached;

/* Of an analyzed and rewritten query, before anything of it is planned. */
extern void reached_by(Query *query, Reached *reached);

#endif							/* IAMWATCH_REACHED_H */
