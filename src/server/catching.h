/*-------------------------------------------------------------------------
 *
 * catching.h
 *		Errors that are caught at once are none of exit_on_error's.
 *
 * Any role may set that, and the server then ends the session with the first
 * error, caught or not: a document that cannot be read would end the insert.
 *
 *-------------------------------------------------------------------------
 */
#ifndef IAMWATCH_CATCHING_H
#define IAMWATCH_CATCHING_H

#include "miscadmin.h"

/* Before PG_TRY(); what it returns goes back into ExitOnAnyError when that is over, whichever way. */
static inline bool
catch_errors(void)
{
	bool		errors_exit = ExitOnAnyError;

	ExitOnAnyError = false;
	return errors_exit;
}

#endif							/* IAMWATCH_CATCHING_H */
