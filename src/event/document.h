/*-------------------------------------------------------------------------
 *
 * document.h
 *		Documents from what is not jsonb: text, json, and whole rows.
 *
 *-------------------------------------------------------------------------
 */
#ifndef IAMWATCH_DOCUMENT_H
#define IAMWATCH_DOCUMENT_H

#include "access/htup.h"
#include "access/tupdesc.h"
#include "utils/array.h"
#include "utils/jsonb.h"

/* Whether values of the type, jsonb aside, can be made a document. */
extern bool document_is_text(Oid type);

/* Longer text is not read: jsonb could not hold all of it. */
#define DOCUMENT_LONGEST	(64 * 1024 * 1024)

/*
 * What is kept of it, and of a single string in a row: more than
 * a name can be (limits.c).
 */
#define DOCUMENT_CLIP		(1024 * 1024 + 16)

/*
 * The document that a text holds, or the text itself as a JSON string if it is
 * no valid JSON.  Never raises an error for what the text contains.
 */
extern Jsonb *document_from_text(const char *text, int len);

/* Whether a text is base64 of what gzip compressed, which is opened outside. */
extern bool document_is_gzip(const char *text, int len);

/*
 * The object or array that a text holds, also several objects, base64 and text
 * in a string; a string of what gzip compressed; NULL if it is none of these.
 */
extern Jsonb *document_unwrap(const char *text, int len);

/* Of a value of a type that is text; what is too long is not even fetched. */
extern Jsonb *document_from_datum(Datum datum);

/* So much of a text that it can be cut by document_clip(). */
extern text *document_beginning(Datum datum);

/* The length of a text once it is cut, between two characters. */
extern int	document_clip(const char *text, int len);

/* A field of a document that is made of several values. */
typedef struct RowField
{
	char	   *path;			/* steps divided by dots; NULL to leave it out */
	Datum		value;
	bool		isnull;
	Oid			type;
} RowField;

/* The paths of an array of text; values are for the caller to fill in. */
extern RowField *document_fields(ArrayType *paths, int *count);
extern void document_field_from(RowField *field, HeapTuple tuple, TupleDesc desc, int column);

/* A document with the fields, which are in order of path. */
extern Jsonb *document_from_fields(int count, const RowField *fields);

/* Why a document that is no object is none. */
extern const char *document_is_no_object(Jsonb *document);

#endif							/* IAMWATCH_DOCUMENT_H */
