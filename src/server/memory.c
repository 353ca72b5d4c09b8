/*-------------------------------------------------------------------------
 *
 * memory.c
 *		How much memory a backend may take: the only setting of the server.
 *
 * PostgreSQL 15 sorts all its settings anew for each that a library defines,
 * half a million instructions, in every session that loads it: a tenth of what
 * one event over a connection of its own would cost.  So whatever else there is
 * to set is a row of a table.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "server/memory.h"
#include "utils/guc.h"

int			memory_kilobytes = 16 * 1024;

void
memory_init(void)
{
	DefineCustomIntVariable("iamwatch.memory",
							"Memory of a backend for what the baselines hold, and as much again for the events of a statement.",
							"More avoids look-ups in tables when very many identities are active, and sorting on disk.",
							&memory_kilobytes,
							16 * 1024, 64, 1024 * 1024,
							PGC_SUSET, GUC_UNIT_KB,
							NULL, NULL, NULL);
}
