/*-------------------------------------------------------------------------
 *
 * slice.c
 *		A part of a string that somebody else owns.
 *
 * Must never change what a slice points to, nor expect a null byte at its end.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "server/slice.h"
#include "utils/builtins.h"

bool
slice_starts(Slice slice, const char *prefix)
{
	int			len = strlen(prefix);

	return slice.len >= len && memcmp(slice.s, prefix, len) == 0;
}

bool
slice_ends(Slice slice, const char *suffix)
{
	int			len = strlen(suffix);

	return slice.len >= len && memcmp(slice.s + slice.len - len, suffix, len) == 0;
}

bool
slice_contains(Slice slice, const char *part)
{
	int			len = strlen(part);

	for (int i = 0; i + len <= slice.len; i++)
		if (memcmp(slice.s + i, part, len) == 0)
			return true;
	return false;
}

/* What follows the first offset bytes; missing when nothing does. */
Slice
slice_after(Slice slice, int offset)
{
	if (slice.len <= offset)
		return SLICE_NONE;
	return (Slice) {slice.s + offset, slice.len - offset};
}

Slice
slice_join(int n, const Slice *parts)
{
	Size		len = 0;
	char	   *s;
	char	   *p;

	for (int i = 0; i < n; i++)
		len += parts[i].len;
	p = s = palloc(len + 1);
	for (int i = 0; i < n; i++)
	{
		memcpy(p, parts[i].s, parts[i].len);
		p += parts[i].len;
	}
	*p = '\0';
	return (Slice) {s, (int) len};
}

Datum
slice_text(Slice slice)
{
	return PointerGetDatum(cstring_to_text_with_len(slice.s, slice.len));
}
