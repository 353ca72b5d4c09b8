/*-------------------------------------------------------------------------
 *
 * memory.h
 *		How much memory a backend may take: what the server allows a hash table,
 *		work_mem times hash_mem_multiplier.
 *
 * No setting of our own: PostgreSQL 15 sorts all its settings anew for each that
 * a library defines, half a million instructions, in every session that loads
 * it: a fifth of what one event over a connection of its own cost.
 *
 *-------------------------------------------------------------------------
 */
#ifndef IAMWATCH_MEMORY_H
#define IAMWATCH_MEMORY_H

#include "miscadmin.h"

/* Of what is remembered, and as much again for the events of a statement, as they are packed. */
static inline Size
memory_bytes(void)
{
	return get_hash_memory_limit();
}

#endif							/* IAMWATCH_MEMORY_H */
