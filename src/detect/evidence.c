/*-------------------------------------------------------------------------
 *
 * evidence.c
 *		What the events of an alert show.
 *
 * Sorted lists of distinct texts, cut to 500 characters each and to the first
 * so many, so that they are the same in whatever order the events came.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "detect/evidence.h"
#include "fmgr.h"
#include "mb/pg_wchar.h"
#include "server/build_jsonb.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"
#include "utils/numeric.h"

PG_FUNCTION_INFO_V1(iamwatch_merge_evidence);

#define MOST_CHARACTERS 500
#define MOST_TEXTS 20
#define MOST_EVENT_IDS 1000

static const struct
{
	const char *key;
	int			column;
	int			most;
}			lists[] = {
	{"source_addresses", EVENT_SOURCE_IP, MOST_TEXTS},
	{"source_hosts", EVENT_SOURCE_HOST, MOST_TEXTS},
	{"user_agents", EVENT_USER_AGENT, MOST_TEXTS},
	{"targets", EVENT_TARGET, MOST_TEXTS},
	{"granted", EVENT_GRANTED, MOST_TEXTS},
	{"acting_for", EVENT_ACTING_FOR, MOST_TEXTS},
	{"instances", EVENT_INSTANCE_ID, MOST_TEXTS},
	{"event_ids", EVENT_EVENT_ID, MOST_EVENT_IDS}
};

/* A column as evidence tells it; missing if it is null. */
static Slice
shown(const EventColumns *event, int column)
{
	Slice		text;

	if (event->nulls[column])
		return SLICE_NONE;
	if (column == EVENT_SOURCE_IP)
		return slice_of_text(DirectFunctionCall1(network_host, event->values[column]));
	text = slice_of_text(event->values[column]);
	return (Slice) {text.s, pg_mbcharcliplen(text.s, text.len, MOST_CHARACTERS)};
}

static int
compare_slices(const void *a, const void *b)
{
	return slice_compare(*(const Slice *) a, *(const Slice *) b);
}

/* An element of a list; a number or a truth value, which only people write there, as text. */
static Slice
element_text(const JsonbValue *element)
{
	char	   *text = "";

	switch (element->type)
	{
		case jbvString:
			return (Slice) {element->val.string.val, element->val.string.len};
		case jbvNumeric:
			text = DatumGetCString(DirectFunctionCall1(numeric_out, NumericGetDatum(element->val.numeric)));
			break;
		case jbvBool:
			text = element->val.boolean ? "true" : "false";
			break;
		case jbvBinary:
			text = JsonbToCString(NULL, element->val.binary.data, element->val.binary.len);
			break;
		default:
			break;
	}
	return (Slice) {text, (int) strlen(text)};
}

/* What is no list counts as an empty one. */
static int
list_size(const JsonbValue *list)
{
	return list == NULL || list->type != jbvBinary || !JsonContainerIsArray(list->val.binary.data) ? 0 :
		JsonContainerSize(list->val.binary.data);
}

static Slice
list_text(const JsonbValue *list, int i)
{
	return element_text(getIthJsonbValueFromContainer(list->val.binary.data, i));
}

/* Would one more text change nothing? */
static bool
has_text(const JsonbValue *list, int size, Slice text, int most)
{
	if (size >= most && slice_compare(text, list_text(list, size - 1)) > 0)
		return true;
	for (int i = 0; i < size; i++)
		if (slice_equal(list_text(list, i), text))
			return true;
	return false;
}

/* An array of the texts of a list, which may be NULL, and of more. */
static void
push_merged(JsonbParseState **state, const JsonbValue *list, const Slice *more, int count, int most)
{
	int			size = list_size(list);
	Slice	   *texts;
	int			n = 0;

	if (size > 0 && (count == 0 || (count == 1 && has_text(list, size, more[0], most))))
	{
		pushJsonbValue(state, WJB_VALUE, (JsonbValue *) list);
		return;
	}
	texts = palloc_extended((size + count) * sizeof(Slice) + 1, MCXT_ALLOC_HUGE);
	for (int i = 0; i < size; i++)
		texts[n++] = list_text(list, i);
	if (count > 0)
		memcpy(texts + n, more, count * sizeof(Slice));
	n += count;
	if (n > 1)
		qsort(texts, n, sizeof(Slice), compare_slices);
	pushJsonbValue(state, WJB_BEGIN_ARRAY, NULL);
	for (int i = 0, pushed = 0; i < n && pushed < most; i++)
	{
		if (i > 0 && slice_equal(texts[i], texts[i - 1]))
			continue;
		jsonb_push_element(state, texts[i]);
		pushed++;
	}
	pushJsonbValue(state, WJB_END_ARRAY, NULL);
	pfree(texts);
}

void
evidence_push_lists(JsonbParseState **state, const Jsonb *before, const EventColumns *events,
					int count)
{
	Slice	   *more = palloc_extended(Max(1, count) * sizeof(Slice), MCXT_ALLOC_HUGE);

	for (int i = 0; i < lengthof(lists); i++)
	{
		const char *key = lists[i].key;
		JsonbValue	buffer;
		JsonbValue *list = before == NULL ? NULL :
			getKeyJsonValueFromContainer((JsonbContainer *) &before->root, key, strlen(key), &buffer);
		int			n = 0;

		for (int j = 0; j < count; j++)
		{
			more[n] = shown(&events[j], lists[i].column);
			if (more[n].s != NULL)
				n++;
		}
		jsonb_push_key(state, key);
		push_merged(state, list, more, n, lists[i].most);
	}
	pfree(more);
}

/* All that an object has, to which more can be pushed: what is pushed last counts. */
static void
push_all(JsonbParseState **state, Jsonb *object)
{
	JsonbIterator *it = JsonbIteratorInit(&object->root);
	JsonbIteratorToken token;
	JsonbValue	value;

	while ((token = JsonbIteratorNext(&it, &value, true)) != WJB_DONE)
		if (token == WJB_KEY || token == WJB_VALUE)
			pushJsonbValue(state, token, &value);
}

/* merge_evidence(evidence jsonb, events iamwatch.event[]) RETURNS jsonb */
Datum
iamwatch_merge_evidence(PG_FUNCTION_ARGS)
{
	Jsonb	   *before = PG_GETARG_JSONB_P(0);
	ArrayType  *array = PG_GETARG_ARRAYTYPE_P(1);
	JsonbParseState *state = NULL;
	EventColumns *events;
	Datum	   *rows;
	bool	   *nulls;
	int			count;
	int			n = 0;
	int16		length;
	bool		by_value;
	char		align;

	get_typlenbyvalalign(ARR_ELEMTYPE(array), &length, &by_value, &align);
	deconstruct_array(array, ARR_ELEMTYPE(array), length, by_value, align, &rows, &nulls, &count);
	events = palloc_extended(Max(1, count) * sizeof(EventColumns), MCXT_ALLOC_HUGE);
	for (int i = 0; i < count; i++)
		if (!nulls[i])
			event_columns(DatumGetHeapTupleHeader(rows[i]), &events[n++]);
	pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	if (JB_ROOT_IS_OBJECT(before))
		push_all(&state, before);
	evidence_push_lists(&state, JB_ROOT_IS_OBJECT(before) ? before : NULL, events, n);
	PG_RETURN_JSONB_P(JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_OBJECT, NULL)));
}
