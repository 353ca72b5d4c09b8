/*-------------------------------------------------------------------------
 *
 * stored_names.h
 *		In which tables, and by which of their indexes, rows are looked up.
 *
 *-------------------------------------------------------------------------
 */
#ifndef IAMWATCH_STORED_NAMES_H
#define IAMWATCH_STORED_NAMES_H

#include "baseline/stored_scan.h"

typedef enum Schema
{
	IN_PUBLIC,
	IN_INTERNAL
} Schema;

#define SCHEMAS (IN_INTERNAL + 1)

typedef struct StoredName
{
	Schema		schema;
	const char *table;
	const char *index;
	bool		rare;			/* rows for a while only, or never */
} StoredName;

extern const StoredName stored_names[LOOKUP_COUNT];

#endif							/* IAMWATCH_STORED_NAMES_H */
