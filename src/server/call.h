/*-------------------------------------------------------------------------
 *
 * call.h
 *		Calls of our functions in SQL from C.
 *
 *-------------------------------------------------------------------------
 */
#ifndef IAMWATCH_CALL_H
#define IAMWATCH_CALL_H

typedef struct Argument
{
	Oid			type;
	Datum		value;
	bool		isnull;
} Argument;

/*
 * A function of the machinery, by its name and the types of its arguments.  It
 * sees what was done before, as a statement would.  isnull may be NULL where
 * nothing is returned, or never null.
 */
extern Datum call_internal(const char *name, int count, const Argument *arguments, bool *isnull);

#endif							/* IAMWATCH_CALL_H */
