/*-------------------------------------------------------------------------
 *
 * field.c
 *		Typed access to the fields of a jsonb object, straight from its
 *		binary form.
 *
 * Owns the rule of what counts as missing.  Must never raise an error for
 * what a document contains, nor copy what it can point to.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "field.h"
#include "utils/builtins.h"
#include "utils/numeric.h"

static bool
get_field(JsonbContainer *object, const char *key, int keylen, JsonbValue *value)
{
	if (object == NULL || !JsonContainerIsObject(object))
		return false;
	return getKeyJsonValueFromContainer(object, key, keylen, value) != NULL;
}

Slice
field_string(JsonbContainer *object, const char *key, int keylen)
{
	JsonbValue	value;

	if (!get_field(object, key, keylen, &value) ||
		value.type != jbvString || value.val.string.len == 0)
		return SLICE_NONE;
	return (Slice) {value.val.string.val, value.val.string.len};
}

JsonbContainer *
field_object(JsonbContainer *object, const char *key, int keylen)
{
	JsonbValue	value;

	if (!get_field(object, key, keylen, &value) || value.type != jbvBinary ||
		!JsonContainerIsObject(value.val.binary.data))
		return NULL;
	return value.val.binary.data;
}

bool
field_nonzero(JsonbContainer *object, const char *key, int keylen, Slice *text)
{
	JsonbValue	value;
	char	   *digits;

	if (!get_field(object, key, keylen, &value) || value.type != jbvNumeric)
		return false;
	digits = DatumGetCString(DirectFunctionCall1(numeric_out,
												 NumericGetDatum(value.val.numeric)));
	if (digits[strspn(digits, "-0.")] == '\0')
		return false;
	*text = (Slice) {digits, strlen(digits)};
	return true;
}

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
