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

#include "server/compat.h"
#include "server/slice.h"
#include "utils/builtins.h"

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
	Assert(offset >= 0);
	if (slice.len <= offset)
		return SLICE_NONE;
	return (Slice) {slice.s + offset, slice.len - offset};
}

int
slice_compare(Slice a, Slice b)
{
	int			result = memcmp(a.s ? a.s : "", b.s ? b.s : "", Min(a.len, b.len));

	return result != 0 ? result : a.len - b.len;
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
		Assert(parts[i].len == 0 || parts[i].s != NULL);
		memcpy(p, parts[i].s, parts[i].len);
		p += parts[i].len;
	}
	*p = '\0';
	return (Slice) {s, (int) len};
}

Datum
slice_text(Slice slice)
{
	Assert(slice.s != NULL);
	return PointerGetDatum(cstring_to_text_with_len(slice.s, slice.len));
}

Slice
slice_of_toasted(Datum text)
{
	struct varlena *value = PG_DETOAST_DATUM_PACKED(text);

	return (Slice) {VARDATA_ANY(value), (int) VARSIZE_ANY_EXHDR(value)};
}

Slice
slice_listed(Slice list, Slice more)
{
	static const Slice comma = SLICE_LITERAL(", ");

	for (int start = 0; list.s != NULL && start < list.len;)
	{
		Slice		rest = slice_after(list, start);
		const char *end = memchr(rest.s, ',', rest.len);
		Slice		one = {rest.s, end != NULL ? end - rest.s : rest.len};

		if (slice_equal(one, more))
			return list;
		start += one.len + comma.len;
	}
	return list.s == NULL ? more : slice_join(3, (Slice[]) {list, comma, more});
}

/* Position of the next ch at or after from, or -1. */
int
slice_find(Slice slice, char ch, int from)
{
	const char *p;

	Assert(from >= 0);
	p = from < slice.len ?
		memchr(slice.s + from, ch, slice.len - from) : NULL;

	return p ? (int) (p - slice.s) : -1;
}

Slice
slice_folded(Slice slice)
{
	char	   *folded;
	int			i = 0;

	while (i < slice.len && !(slice.s[i] >= 'A' && slice.s[i] <= 'Z'))
		i++;
	if (i == slice.len)
		return slice;
	folded = palloc(slice.len);
	for (i = 0; i < slice.len; i++)
		folded[i] = pg_ascii_tolower((unsigned char) slice.s[i]);
	return (Slice) {folded, slice.len};
}
