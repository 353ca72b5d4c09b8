/*-------------------------------------------------------------------------
 *
 * client.h
 *		What a client can be told.
 *
 * A warning with a character that the client's encoding lacks is an error, and
 * ends the statement: of names, and of the context with its names, a warning
 * tells only what there is in the encoding.
 *
 *-------------------------------------------------------------------------
 */
#ifndef IAMWATCH_CLIENT_H
#define IAMWATCH_CLIENT_H

#include "mb/pg_wchar.h"

static inline bool
client_has_all_of(const char *text)
{
	if (pg_get_client_encoding() == GetDatabaseEncoding())
		return true;
	while (*text != '\0' && !IS_HIGHBIT_SET(*text))
		text++;
	return *text == '\0';
}

/* Before a warning; what it returns is error_context_stack afterwards. */
static inline ErrorContextCallback *
client_hide_context(void)
{
	ErrorContextCallback *context = error_context_stack;

	if (pg_get_client_encoding() != GetDatabaseEncoding())
		error_context_stack = NULL;
	return context;
}

#endif							/* IAMWATCH_CLIENT_H */
