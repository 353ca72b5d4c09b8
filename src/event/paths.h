/*-------------------------------------------------------------------------
 *
 * paths.h
 *		Paths to values in a document, as the table target_paths has them.
 *
 *-------------------------------------------------------------------------
 */
#ifndef IAMWATCH_PATHS_H
#define IAMWATCH_PATHS_H

#include "event/field.h"

typedef struct PathResult
{
	bool		all;			/* all values, objects too; else the first */
	bool		pascal;			/* names may begin with a capital instead */
	int			count;
	Slice		text;			/* what was found, joined by ", " */
} PathResult;

/*
 * Steps are divided by dots: NAME, NAME[] for all elements of an array,
 * NAME[KEY=VALUE] for those whose field is that, NAME[N] for one, counted from
 * the end if negative; (last) behind any of them takes what follows the last
 * slash of a value.  The last step may be {A} {B}, fields of what was reached.
 * Never raises an error for what the path or the document contains.
 */
extern void path_find(JsonbContainer *doc, Slice path, PathResult *result);

#endif							/* IAMWATCH_PATHS_H */
