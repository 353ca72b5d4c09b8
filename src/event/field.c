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

#include "event/field.h"
#include "utils/builtins.h"

/* Order of keys in jsonb, of two that are of one length. */
static inline int
compare_key(const char *s, Slice key)
{
	int			order = (unsigned char) s[0] - (unsigned char) key.s[0];

	return order != 0 ? order : memcmp(s, key.s, key.len);
}

static inline void
field_value(JEntry entry, char *base, uint32 start, uint32 end, Field *field)
{
	if (JBE_ISSTRING(entry))
	{
		if (end > start)
			field->string = (Slice) {base + start, (int) (end - start)};
	}
	else if (JBE_ISCONTAINER(entry))
	{
		JsonbContainer *container = (JsonbContainer *) (base + INTALIGN(start));

		if (JsonContainerIsObject(container))
			field->object = container;
	}
	else if (JBE_ISNUMERIC(entry))
		field->number = (Numeric) (base + INTALIGN(start));
}

/*
 * Walks once over the keys, adding up lengths, and returns the length of all.
 * The server's own look-up is a binary search that adds up lengths anew at
 * every step, for every key: five times the work for the fields of an event.
 */
static uint32
find_positions(const JEntry *entries, int size, const char *base, const FieldKeys *keys,
			   int *positions)
{
	uint32		offset = 0;
	int			next = 0;

	for (int i = 0; i < size; i++)
	{
		uint32		start = offset;
		int			length;

		JBE_ADVANCE_OFFSET(offset, entries[i]);
		length = offset - start;
		for (; next < keys->count && length >= keys->names[next].len; next++)
		{
			int			order = length > keys->names[next].len ? 1 :
				compare_key(base + start, keys->names[next]);

			if (order < 0)
				break;
			positions[next] = order == 0 ? i : -1;
		}
	}
	while (next < keys->count)
		positions[next++] = -1;
	return offset;
}

/*
 * Nearly all objects have the very keys of one that came shortly before.  To
 * compare them as a whole is a tenth of the work of finding some.
 */
static const int *
find_layout(const JEntry *entries, int size, const char *base, const FieldKeys *keys,
			uint32 *length)
{
	KeyLayout  *layout;

	*length = 0;
	for (int i = 0; i < size; i++)
		*length += JBE_OFFLENFLD(entries[i]);
	layout = &keys->layouts[(size + *length) % LAYOUTS];
	if (layout->size == size && layout->length == *length &&
		memcmp(layout->entries, entries, size * sizeof(JEntry)) == 0 &&
		memcmp(layout->names, base, *length) == 0)
		return layout->positions;

	if (*length > sizeof(layout->names))
		return NULL;
	if (find_positions(entries, size, base, keys, layout->positions) != *length)
	{
		layout->size = 0;
		return NULL;
	}
	layout->size = size;
	layout->length = *length;
	memcpy(layout->entries, entries, size * sizeof(JEntry));
	memcpy(layout->names, base, *length);
	return layout->positions;
}

void
fields_read(JsonbContainer *object, const FieldKeys *keys, Field *fields)
{
	int			found[MAX_FIELDS];
	const int *positions = NULL;
	int			size;
	const JEntry *entries;
	char	   *base;
	uint32		offset = 0;
	int			value = 0;

	memset(fields, 0, keys->count * sizeof(Field));
	if (object == NULL || !JsonContainerIsObject(object))
		return;
	size = JsonContainerSize(object);
	entries = object->children;
	base = (char *) (entries + 2 * size);

	/* in larger objects, lengths are now and then offsets */
	if (keys->layouts != NULL && size > 0 && size <= JB_OFFSET_STRIDE)
		positions = find_layout(entries, size, base, keys, &offset);
	if (positions == NULL)
	{
		offset = find_positions(entries, size, base, keys, found);
		positions = found;
	}

	for (int i = 0; i < keys->count; i++)
	{
		uint32		start;

		if (positions[i] < 0)
			continue;
		for (; value < positions[i]; value++)
			JBE_ADVANCE_OFFSET(offset, entries[size + value]);
		start = offset;
		JBE_ADVANCE_OFFSET(offset, entries[size + value]);
		field_value(entries[size + value++], base, start, offset, &fields[i]);
	}
}

static Field
get_field(JsonbContainer *object, const char *key, int keylen)
{
	Slice		name = {key, keylen};
	Field		field;

	fields_read(object, &(FieldKeys) {&name, 1, NULL}, &field);
	return field;
}

Slice
field_string(JsonbContainer *object, const char *key, int keylen)
{
	return get_field(object, key, keylen).string;
}

JsonbContainer *
field_object(JsonbContainer *object, const char *key, int keylen)
{
	return get_field(object, key, keylen).object;
}

bool
field_nonzero(JsonbContainer *object, const char *key, int keylen, Slice *text)
{
	Numeric		number = get_field(object, key, keylen).number;
	char	   *digits;

	if (number == NULL)
		return false;
	digits = DatumGetCString(DirectFunctionCall1(numeric_out, NumericGetDatum(number)));
	if (digits[strspn(digits, "-0.")] == '\0')
		return false;
	*text = (Slice) {digits, strlen(digits)};
	return true;
}
