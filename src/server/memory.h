/*-------------------------------------------------------------------------
 *
 * memory.h
 *		How much memory a backend may take.
 *
 *-------------------------------------------------------------------------
 */
#ifndef IAMWATCH_MEMORY_H
#define IAMWATCH_MEMORY_H

extern int	memory_kilobytes;

/* Of what is remembered, and as much again for the events of a statement. */
static inline Size
memory_bytes(void)
{
	return (Size) memory_kilobytes * 1024;
}

extern void memory_init(void);

#endif							/* IAMWATCH_MEMORY_H */
