/*-------------------------------------------------------------------------
 *
 * build_jsonb.c
 *		Objects of jsonb, key by key.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "server/build_jsonb.h"
#include "server/compat.h"
#include "utils/numeric.h"

static void
push_string(JsonbParseState **state, JsonbIteratorToken token, Slice text)
{
	JsonbValue	value = {.type = jbvString};

	value.val.string.val = (char *) text.s;
	value.val.string.len = text.len;
	pushJsonbValue(state, token, &value);
}

void
jsonb_push_key(JsonbParseState **state, const char *key)
{
	push_string(state, WJB_KEY, (Slice) {key, (int) strlen(key)});
}

void
jsonb_push_text(JsonbParseState **state, const char *key, Slice text)
{
	jsonb_push_key(state, key);
	push_string(state, WJB_VALUE, text);
}

void
jsonb_push_number(JsonbParseState **state, const char *key, int64 number)
{
	JsonbValue	value = {.type = jbvNumeric};

	jsonb_push_key(state, key);
	value.val.numeric = int64_to_numeric(number);
	pushJsonbValue(state, WJB_VALUE, &value);
}

void
jsonb_push_bool(JsonbParseState **state, const char *key, bool boolean)
{
	JsonbValue	value = {.type = jbvBool};

	jsonb_push_key(state, key);
	value.val.boolean = boolean;
	pushJsonbValue(state, WJB_VALUE, &value);
}

void
jsonb_push_null(JsonbParseState **state, const char *key)
{
	JsonbValue	value = {.type = jbvNull};

	jsonb_push_key(state, key);
	pushJsonbValue(state, WJB_VALUE, &value);
}

void
jsonb_push_document(JsonbParseState **state, const char *key, const Jsonb *document)
{
	JsonbValue	value = {.type = jbvBinary};

	Assert(!JB_ROOT_IS_SCALAR(document));
	jsonb_push_key(state, key);
	value.val.binary.data = (JsonbContainer *) &document->root;
	value.val.binary.len = VARSIZE(document) - VARHDRSZ;
	pushJsonbValue(state, WJB_VALUE, &value);
}

void
jsonb_push_element(JsonbParseState **state, Slice text)
{
	push_string(state, WJB_ELEM, text);
}
