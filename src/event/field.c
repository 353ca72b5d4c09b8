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

#include "event/document.h"
#include "event/field.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

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

/* Keep the order of positions, in which values are walked over. */
static void
add_found(FoundKeys *found, int field, int position)
{
	int			at = found->count++;

	Assert(at < MAX_FIELDS);
	for (; at > 0 && found->keys[at - 1].position > position; at--)
		found->keys[at] = found->keys[at - 1];
	found->keys[at].field = field;
	found->keys[at].position = position;
}

/* False if the name is the same in lower case, or too long to ask. */
static bool
lower_name(Slice name, char *lower, int size)
{
	bool		differs = false;

	if (name.len > size)
		return false;
	for (int i = 0; i < name.len; i++)
	{
		bool		upper = name.s[i] >= 'A' && name.s[i] <= 'Z';

		lower[i] = name.s[i] + (upper ? 'a' - 'A' : 0);
		differs |= upper;
	}
	return differs;
}

/* Look for the key in lower case; those of an object are in order of length. */
static void
find_in_lower_case(const JEntry *entries, int size, const char *base, Slice name, int field,
				   FoundKeys *found)
{
	char		lower[64];
	uint32		offset = 0;

	if (!lower_name(name, lower, sizeof(lower)))
		return;
	for (int i = 0; i < size; i++)
	{
		uint32		start = offset;

		JBE_ADVANCE_OFFSET(offset, entries[i]);
		if (offset - start > name.len)
			return;
		if (offset - start == name.len && memcmp(base + start, lower, name.len) == 0)
		{
			add_found(found, field, i);
			return;
		}
	}
}

/*
 * Walks once over the keys, adding up lengths, and returns the length of all.
 * The server's own look-up is a binary search that adds up lengths anew at
 * every step, for every key: five times the work for the fields of an event.
 */
static uint32
find_keys(const JEntry *entries, int size, const char *base, const FieldKeys *keys,
		  FoundKeys *found)
{
	uint32		missing = 0;	/* a bit for each key */
	uint32		offset = 0;
	int			next = 0;

	found->count = 0;
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
			if (order == 0)
				add_found(found, next, i);
			else
				missing |= 1 << next;
		}
	}
	for (; next < keys->count; next++)
		missing |= 1 << next;
	for (int i = 0; missing != 0 && !keys->exact && i < keys->count; i++)
		if (missing & (1 << i))
			find_in_lower_case(entries, size, base, keys->names[i], i, found);
	return offset;
}

static inline bool
is_layout(const KeyLayout *layout, const JEntry *entries, int size, const char *base)
{
	/*
	 * the longest key, since many layouts differ in it and it costs less than
	 * a call
	 */
	return layout != NULL && layout->size == size && layout->entries[size - 1] == entries[size - 1] &&
		memcmp(layout->entries, entries, size * sizeof(JEntry)) == 0 &&
		memcmp(layout->names, base, layout->length) == 0;
}

/* Which place the layout of such keys has, by their lengths, four at a time. */
static inline unsigned
layout_place(const JEntry *entries, int size)
{
	uint64		hash = size;
	int			i;

	for (i = 0; i + 3 < size; i += 4)
	{
		uint64		two[2];

		memcpy(two, entries + i, sizeof(two));
		hash = (hash ^ two[0] ^ (two[1] << 9)) * UINT64CONST(0x9E3779B97F4A7C15);
	}
	for (; i < size; i++)
		hash = (hash ^ entries[i]) * UINT64CONST(0x9E3779B97F4A7C15);
	return (hash >> 32) % LAYOUTS;
}

/*
 * Nearly all objects have the very keys of one that came shortly before.  To
 * compare them as a whole is a tenth of the work of finding some.
 */
static const KeyLayout *
find_layout(const JEntry *entries, int size, const char *base, const FieldKeys *keys)
{
	KnownLayouts *known = keys->layouts;
	unsigned	n;
	KeyLayout **place;
	KeyLayout  *layout;
	uint32		length = 0;

	if (is_layout(known->last, entries, size, base))
		return known->last;
	n = layout_place(entries, size);
	place = &known->places[n];
	/* of two that share a place, one goes to the place beside it */
	if (is_layout(*place, entries, size, base))
		return known->last = *place;
	if (*place != NULL)
	{
		KeyLayout **beside = &known->places[n ^ 1];

		if (is_layout(*beside, entries, size, base))
			return known->last = *beside;
		if (*beside == NULL)
			place = beside;
	}

	for (int i = 0; i < size; i++)
		length += JBE_OFFLENFLD(entries[i]);
	if (length > sizeof(layout->names))
		return NULL;
	if (*place == NULL)
		*place = MemoryContextAllocZero(TopMemoryContext, sizeof(KeyLayout));
	layout = *place;
	if (find_keys(entries, size, base, keys, &layout->found) != length)
	{
		layout->size = 0;
		return NULL;
	}
	layout->size = size;
	layout->length = length;
	memcpy(layout->entries, entries, size * sizeof(JEntry));
	memcpy(layout->names, base, length);
	return known->last = layout;
}

/*
 * The values of an object whose layout is known, so that it has few keys: of
 * its entries one in JB_OFFSET_STRIDE has an offset, and those are the first
 * key's, and perhaps one value's.  All others have lengths, to be added up.
 */
static void
read_values(const KeyLayout *layout, const JEntry *values, char *base, Field *fields)
{
	const int	with_offset = JB_OFFSET_STRIDE - layout->size;
	uint32		offset = layout->length;
	int			value = 0;

	for (int i = 0; i < layout->found.count; i++)
	{
		int			position = layout->found.keys[i].position;
		uint32		start;

		if (value <= with_offset && with_offset < position)
		{
			Assert(JBE_HAS_OFF(values[with_offset]));
			offset = JBE_OFFLENFLD(values[with_offset]);
			value = with_offset + 1;
		}
		for (; value < position; value++)
			offset += JBE_OFFLENFLD(values[value]);
		start = offset;
		JBE_ADVANCE_OFFSET(offset, values[value]);
		field_value(values[value++], base, start, offset, &fields[layout->found.keys[i].field]);
	}
}

#ifdef USE_ASSERT_CHECKING
/* As jsonb has them: by length, then by bytes. */
static bool
keys_are_in_order(const FieldKeys *keys)
{
	for (int i = 1; i < keys->count; i++)
	{
		Slice		before = keys->names[i - 1];
		Slice		name = keys->names[i];

		if (before.len > name.len ||
			(before.len == name.len && memcmp(before.s, name.s, name.len) >= 0))
			return false;
	}
	return keys->count <= MAX_FIELDS;
}
#endif

void
fields_read(JsonbContainer *object, const FieldKeys *keys, Field *fields)
{
	FoundKeys	found;
	const KeyLayout *layout = NULL;
	int			size;
	const JEntry *entries;
	char	   *base;
	uint32		offset;
	int			value = 0;

	Assert(keys_are_in_order(keys));
	memset(fields, 0, keys->count * sizeof(Field));
	if (object == NULL || !JsonContainerIsObject(object))
		return;
	size = JsonContainerSize(object);
	entries = object->children;
	base = (char *) (entries + 2 * size);

	/* in larger objects, lengths are now and then offsets */
	if (keys->layouts != NULL && size > 0 && size <= JB_OFFSET_STRIDE)
		layout = find_layout(entries, size, base, keys);
	if (layout != NULL)
	{
		read_values(layout, entries + size, base, fields);
		return;
	}
	offset = find_keys(entries, size, base, keys, &found);
	for (int i = 0; i < found.count; i++)
	{
		int			position = found.keys[i].position;
		uint32		start;

		for (; value < position; value++)
			JBE_ADVANCE_OFFSET(offset, entries[size + value]);
		start = offset;
		JBE_ADVANCE_OFFSET(offset, entries[size + value]);
		field_value(entries[size + value++], base, start, offset, &fields[found.keys[i].field]);
	}
}

Field
field_get(JsonbContainer *object, const char *key, int keylen)
{
	Slice		name = {key, keylen};
	Field		field;

	fields_read(object, &(FieldKeys) {&name, 1, NULL, false}, &field);
	return field;
}

Slice
field_string(JsonbContainer *object, const char *key, int keylen)
{
	return field_get(object, key, keylen).string;
}

JsonbContainer *
field_object(JsonbContainer *object, const char *key, int keylen)
{
	Field		field = field_get(object, key, keylen);

	return field_as_object(&field);
}

bool
field_find(JsonbContainer *object, const char *key, int keylen, JsonbValue *value)
{
	char		lower[64];

	if (object == NULL || !JsonContainerIsObject(object))
		return false;
	return getKeyJsonValueFromContainer(object, key, keylen, value) != NULL ||
		(lower_name((Slice) {key, keylen}, lower, sizeof(lower)) &&
		 getKeyJsonValueFromContainer(object, lower, keylen, value) != NULL);
}

Slice
value_text(const JsonbValue *value)
{
	char	   *digits;

	switch (value->type)
	{
		case jbvString:
			return value->val.string.len == 0 ? SLICE_NONE :
				(Slice) {value->val.string.val, value->val.string.len};
		case jbvNumeric:
			digits = DatumGetCString(DirectFunctionCall1(numeric_out,
														 NumericGetDatum(value->val.numeric)));
			return (Slice) {digits, strlen(digits)};
		case jbvBool:
			return value->val.boolean ? SLICE_LITERAL("true") : SLICE_LITERAL("false");
		default:
			return SLICE_NONE;
	}
}

JsonbContainer *
field_array(JsonbContainer *object, const char *key, int keylen)
{
	JsonbValue	value;

	if (!field_find(object, key, keylen, &value))
		return NULL;
	if (value.type == jbvString && value.val.string.len > 0)
		return container_in_text((Slice) {value.val.string.val, value.val.string.len}, true);
	return value.type == jbvBinary && JsonContainerIsArray(value.val.binary.data) ?
		value.val.binary.data : NULL;
}

bool
field_is_true(JsonbContainer *object, const char *key, int keylen)
{
	JsonbValue	value;

	return field_find(object, key, keylen, &value) && value.type == jbvBool && value.val.boolean;
}

JsonbContainer *
element_object(JsonbContainer *array, int n)
{
	JsonbValue *value;

	if (array != NULL && n < 0)
		n += JsonContainerSize(array);
	value = array != NULL && n >= 0 ? getIthJsonbValueFromContainer(array, n) : NULL;
	if (value == NULL)
		return NULL;
	if (value->type == jbvString && value->val.string.len > 0)
		return container_in_text((Slice) {value->val.string.val, value->val.string.len}, false);
	return value->type == jbvBinary && JsonContainerIsObject(value->val.binary.data) ?
		value->val.binary.data : NULL;
}

JsonbContainer *
container_in_text(Slice text, bool array)
{
	char		first = array ? '[' : '{';
	int			at = 0;
	Jsonb	   *document;

	while (at < text.len && strchr(" \t\r\n", text.s[at]) != NULL)
		at++;
	if (at == text.len || text.s[at] != first)
		return NULL;
	document = document_from_text(text.s, text.len);
	return (array ? JB_ROOT_IS_ARRAY(document) && !JB_ROOT_IS_SCALAR(document) :
			JB_ROOT_IS_OBJECT(document)) ? &document->root : NULL;
}

/* What a text looks like, for a reason; never longer than a line. */
static const char *
excerpt_of(Slice text)
{
	static const int longest = 60;
	bool		whole = text.len <= longest;
	int			len = whole ? text.len : pg_mbcliplen(text.s, text.len, longest);
	char	   *excerpt = palloc(len + 4);

	for (int i = 0; i < len; i++)
		excerpt[i] = (unsigned char) text.s[i] < ' ' ? ' ' : text.s[i];
	strcpy(excerpt + len, whole ? "" : "...");
	return excerpt;
}

JsonbContainer *
field_actor(const Field *field, const char *name, const char **reason)
{
	JsonbContainer *object = field_as_object(field);
	Slice		text = field->string;

	if (object != NULL || text.s == NULL)
		return object;
	*reason = psprintf("%s is text that is not JSON: %s%s", name, excerpt_of(text),
					   slice_contains(text, "=") ? "; it was printed, not exported: have it written as JSON" :
					   "");
	return NULL;
}

bool
field_nonzero(JsonbContainer *object, const char *key, int keylen, Slice *text)
{
	Numeric		number = field_get(object, key, keylen).number;
	char	   *digits;

	if (number == NULL)
		return false;
	digits = DatumGetCString(DirectFunctionCall1(numeric_out, NumericGetDatum(number)));
	if (digits[strspn(digits, "-0.")] == '\0')
		return false;
	*text = (Slice) {digits, strlen(digits)};
	return true;
}

const char *
time_reason(const char *name, Slice text)
{
	const char *why = "";

	if (slice_contains(text, "/Date("))
		why = "; write it as 2026-01-31T09:41:00Z";
	else if (slice_contains(text, "/"))
		why = "; it does not say which number is the day: write it as 2026-01-31T09:41:00Z";
	return psprintf("%s is not a time in RFC 3339: %s%s", name, excerpt_of(text), why);
}
