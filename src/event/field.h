/*-------------------------------------------------------------------------
 *
 * field.h
 *		Typed access to the fields of a jsonb object.
 *
 * A field that is absent, null, empty or of another type than asked for is
 * missing (detection.md, Readable).  Its name may be all in lower case, and an
 * object may be text that holds one (detection.md, Terms).
 *
 *-------------------------------------------------------------------------
 */
#ifndef IAMWATCH_FIELD_H
#define IAMWATCH_FIELD_H

#include "event/event.h"
#include "utils/numeric.h"

/* What a key of an object holds: at most one of the three is there. */
typedef struct Field
{
	Slice		string;			/* never empty */
	JsonbContainer *object;
	Numeric		number;
} Field;

#define MAX_FIELDS 16

/* Which of the keys looked for an object has, in order of position. */
typedef struct FoundKeys
{
	int			count;
	struct
	{
		int			field;
		int			position;
	}			keys[MAX_FIELDS];
} FoundKeys;

/* The keys of an object seen before, and where those looked for are. */
typedef struct KeyLayout
{
	int			size;			/* in keys; 0 for none */
	uint32		length;			/* of the names together, in bytes */
	FoundKeys	found;
	JEntry		entries[JB_OFFSET_STRIDE];
	char		names[512];
} KeyLayout;

/* Several providers' records may come by turns, each of dozens of layouts. */
#define LAYOUTS 128

typedef struct KnownLayouts
{
	KeyLayout  *last;			/* that was found */
	KeyLayout  *places[LAYOUTS];	/* NULL until used */
} KnownLayouts;

/*
 * Keys that are looked up together: at most MAX_FIELDS, in the order of jsonb,
 * by length, then by bytes.  The layouts may be NULL.
 */
typedef struct FieldKeys
{
	const Slice *names;
	int			count;
	KnownLayouts *layouts;
	bool		exact;			/* not in lower case */
} FieldKeys;

/*
 * Look up several keys of an object at once; fields has one element for each
 * key.  A NULL object has no fields, so that paths can be chained.
 */
extern void fields_read(JsonbContainer *object, const FieldKeys *keys, Field *fields);

/* One key alone; an object may be text that holds one. */
extern Field field_get(JsonbContainer *object, const char *key, int keylen);
extern Slice field_string(JsonbContainer *object, const char *key, int keylen);
extern JsonbContainer *field_object(JsonbContainer *object, const char *key, int keylen);
extern JsonbContainer *field_array(JsonbContainer *object, const char *key, int keylen);
extern bool field_is_true(JsonbContainer *object, const char *key, int keylen);

/* The value of a key, of any type and in lower case too; false if there is none. */
extern bool field_find(JsonbContainer *object, const char *key, int keylen, JsonbValue *value);

/* A string, number or boolean as text; anything else is missing. */
extern Slice value_text(const JsonbValue *value);

/* Element n of an array, from its end if negative, if it is an object. */
extern JsonbContainer *element_object(JsonbContainer *array, int n);

/* The object or, if asked for, array that a text holds; NULL if it holds none. */
extern JsonbContainer *container_in_text(Slice text, bool array);

/* The object that a field is, or that its text holds. */
static inline JsonbContainer *
field_as_object(const Field *field)
{
	if (likely(field->object != NULL || field->string.s == NULL))
		return field->object;
	return container_in_text(field->string, false);
}

/*
 * The same where who acted follows from the object.  NULL with a *reason if
 * the field is text that holds none: then nobody can say who it was.
 */
extern JsonbContainer *field_actor(const Field *field, const char *name, const char **reason);

/* True if the field is a number other than zero; *text then says which. */
extern bool field_nonzero(JsonbContainer *object, const char *key, int keylen, Slice *text);

#define FIELD_GET(object, key) field_get(object, "" key, sizeof(key) - 1)
#define FIELD_ARRAY(object, key) field_array(object, "" key, sizeof(key) - 1)
#define FIELD_IS_TRUE(object, key) field_is_true(object, "" key, sizeof(key) - 1)
#define FIELD_STRING(object, key) field_string(object, "" key, sizeof(key) - 1)
#define FIELD_OBJECT(object, key) field_object(object, "" key, sizeof(key) - 1)
#define FIELD_NONZERO(object, key, text) field_nonzero(object, "" key, sizeof(key) - 1, text)

/* Why a text that rfc3339_read() refused is no time. */
extern const char *time_reason(const char *name, Slice text);

#endif							/* IAMWATCH_FIELD_H */
