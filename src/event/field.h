/*-------------------------------------------------------------------------
 *
 * field.h
 *		Typed access to the fields of a jsonb object.
 *
 * A field that is absent, null, empty or of another type than asked for is
 * missing (detection.md, Readable).
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

/* The keys of an object seen before, and where those looked for are. */
typedef struct KeyLayout
{
	int			size;			/* in keys; 0 for none */
	uint32		length;			/* of the names together, in bytes */
	int			positions[MAX_FIELDS];	/* -1 for what the object lacks */
	JEntry		entries[JB_OFFSET_STRIDE];
	char		names[512];
} KeyLayout;

#define LAYOUTS 16

/*
 * Keys that are looked up together: at most MAX_FIELDS, in the order of jsonb,
 * by length, then by bytes.  The layouts may be NULL.
 */
typedef struct FieldKeys
{
	const Slice *names;
	int			count;
	KeyLayout  *layouts;		/* LAYOUTS of them */
} FieldKeys;

/*
 * Look up several keys of an object at once; fields has one element for each
 * key.  A NULL object has no fields, so that paths can be chained.
 */
extern void fields_read(JsonbContainer *object, const FieldKeys *keys, Field *fields);

/* One key alone. */
extern Slice field_string(JsonbContainer *object, const char *key, int keylen);
extern JsonbContainer *field_object(JsonbContainer *object, const char *key, int keylen);

/* True if the field is a number other than zero; *text then says which. */
extern bool field_nonzero(JsonbContainer *object, const char *key, int keylen, Slice *text);

#define FIELD_STRING(object, key) field_string(object, "" key, sizeof(key) - 1)
#define FIELD_OBJECT(object, key) field_object(object, "" key, sizeof(key) - 1)
#define FIELD_NONZERO(object, key, text) field_nonzero(object, "" key, sizeof(key) - 1, text)

#endif							/* IAMWATCH_FIELD_H */
