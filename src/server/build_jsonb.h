/*-------------------------------------------------------------------------
 *
 * build_jsonb.h
 *		Objects of jsonb, key by key.
 *
 *-------------------------------------------------------------------------
 */
#ifndef IAMWATCH_BUILD_JSONB_H
#define IAMWATCH_BUILD_JSONB_H

#include "server/slice.h"
#include "utils/jsonb.h"

/* Each is a key with its value, but for the first. */
extern void jsonb_push_key(JsonbParseState **state, const char *key);
extern void jsonb_push_text(JsonbParseState **state, const char *key, Slice text);
extern void jsonb_push_number(JsonbParseState **state, const char *key, int64 number);
extern void jsonb_push_bool(JsonbParseState **state, const char *key, bool value);
extern void jsonb_push_null(JsonbParseState **state, const char *key);
extern void jsonb_push_document(JsonbParseState **state, const char *key, const Jsonb *document);

/* A text, as an element of an array. */
extern void jsonb_push_element(JsonbParseState **state, Slice text);

#endif							/* IAMWATCH_BUILD_JSONB_H */
