/*-------------------------------------------------------------------------
 *
 * compat.h
 *		Differences between major versions of PostgreSQL; nowhere else.
 *
 *-------------------------------------------------------------------------
 */
#ifndef IAMWATCH_COMPAT_H
#define IAMWATCH_COMPAT_H

#if PG_VERSION_NUM >= 160000
#include "varatt.h"
#endif

#if PG_VERSION_NUM < 150000
#define MarkGUCPrefixReserved(prefix) EmitWarningsOnPlaceholders(prefix)
#endif

#endif							/* IAMWATCH_COMPAT_H */
