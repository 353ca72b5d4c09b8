/*-------------------------------------------------------------------------
 *
 * slice.h
 *		A part of a string that somebody else owns.
 *
 *-------------------------------------------------------------------------
 */
#ifndef IAMWATCH_SLICE_H
#define IAMWATCH_SLICE_H

#include "common/hashfn.h"
#include "server/compat.h"

/* A string that is not terminated; s is NULL when the field is missing. */
typedef struct Slice
{
	const char *s;
	int			len;
} Slice;

#define SLICE_LITERAL(str) ((Slice) {(str), (int) sizeof(str) - 1})
#define SLICE_NONE ((Slice) {NULL, 0})

extern bool slice_contains(Slice slice, const char *part);
extern Slice slice_after(Slice slice, int offset);

/* Below, at or above 0 as memcmp() says; what is missing is empty. */
extern int	slice_compare(Slice a, Slice b);
extern Slice slice_join(int n, const Slice *parts);
extern Slice slice_listed(Slice list, Slice more);	/* "a, b", each once */
extern int	slice_find(Slice slice, char ch, int from);
extern Slice slice_folded(Slice slice); /* ASCII letters in lower case */

static inline bool
slice_is(Slice slice, const char *text)
{
	return slice.len == strlen(text) && memcmp(slice.s, text, slice.len) == 0;
}

/* Of a literal, the length is known when it is compiled. */
static inline bool
slice_starts(Slice slice, const char *prefix)
{
	int			len = strlen(prefix);

	return slice.len >= len && memcmp(slice.s, prefix, len) == 0;
}

static inline bool
slice_ends(Slice slice, const char *suffix)
{
	int			len = strlen(suffix);

	return slice.len >= len && memcmp(slice.s + slice.len - len, suffix, len) == 0;
}

static inline bool
slice_equal(Slice a, Slice b)
{
	return a.len == b.len && memcmp(a.s, b.s, a.len) == 0;
}

static inline uint64
slice_hash(Slice slice, uint64 seed)
{
	return hash_bytes_extended((const unsigned char *) slice.s, slice.len, seed);
}

static inline Slice
slice_or(Slice a, Slice b)
{
	return a.s != NULL ? a : b;
}

/* The slice, which is not missing, as a text; in the current memory context. */
extern Datum slice_text(Slice slice);

/* A copy of what a text says that is stored compressed or apart. */
extern Slice slice_of_toasted(Datum text);

/* What a text, which is not null, says; a copy if it is stored compressed or apart. */
static inline Slice
slice_of_text(Datum text)
{
	const struct varlena *value = (const struct varlena *) DatumGetPointer(text);

	if (VARATT_IS_COMPRESSED(value) || VARATT_IS_EXTERNAL(value))
		return slice_of_toasted(text);
	return (Slice) {VARDATA_ANY(value), (int) VARSIZE_ANY_EXHDR(value)};
}

#endif							/* IAMWATCH_SLICE_H */
