/*-------------------------------------------------------------------------
 *
 * paths.c
 *		Paths to values in a document, as the table target_paths has them.
 *
 * Owns their grammar, and which values count: a string, number or boolean that
 * is not empty; a target must name something, so it is never "default" or "-".
 * A path that cannot be understood finds nothing.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "event/document.h"
#include "event/paths.h"

#define MOST_VALUES		100
#define LONGEST_RESULT	(64 * 1024)

typedef struct Step
{
	Slice		name;
	Slice		selector;		/* between brackets */
	bool		selects;		/* there are brackets */
	bool		last;			/* what follows the last slash */
	Slice		rest;			/* the steps after it */
} Step;

/* A document or a part of it: a container, or a value that is none. */
typedef struct Place
{
	JsonbContainer *container;
	JsonbValue	value;
} Place;

static void follow(const Place *place, Slice path, bool last, PathResult *result);

static bool
read_step(Slice path, Step *step)
{
	static const char last[] = "(last)";
	int			at = 0;

	memset(step, 0, sizeof(*step));
	while (at < path.len && strchr(".[(", path.s[at]) == NULL)
		at++;
	step->name = (Slice) {path.s, at};
	if (at < path.len && path.s[at] == '[')
	{
		int			close = slice_find(path, ']', at);

		if (close < 0)
			return false;
		step->selects = true;
		step->selector = (Slice) {path.s + at + 1, close - at - 1};
		at = close + 1;
	}
	if (slice_starts(slice_after(path, at), last))
	{
		step->last = true;
		at += sizeof(last) - 1;
	}
	if (at < path.len && path.s[at] != '.')
		return false;
	step->rest = slice_after(path, at + 1);
	return step->name.len > 0;
}

/* As a place; text that holds an object or array is that. */
static void
set_place(Place *place, const JsonbValue *value)
{
	place->container = NULL;
	place->value = *value;
	if (value->type == jbvBinary)
		place->container = value->val.binary.data;
	else if (value->type == jbvString && value->val.string.len > 0)
	{
		Slice		text = {value->val.string.val, value->val.string.len};

		place->container = container_in_text(text, false);
		if (place->container == NULL)
			place->container = container_in_text(text, true);
	}
}

static bool
find_name(const Place *place, Slice name, bool pascal, Place *found)
{
	JsonbValue	value;
	char		capital[64];

	if (place->container == NULL || !JsonContainerIsObject(place->container))
		return false;
	if (!field_find(place->container, name.s, name.len, &value))
	{
		if (!pascal || name.len > sizeof(capital))
			return false;
		memcpy(capital, name.s, name.len);
		capital[0] = pg_ascii_toupper((unsigned char) capital[0]);
		if (!field_find(place->container, capital, name.len, &value))
			return false;
	}
	set_place(found, &value);
	return true;
}

static bool
is_number(Slice slice)
{
	int			i = slice.len > 1 && slice.s[0] == '-';

	if (slice.len == 0 || slice.len > 9)
		return false;
	for (; i < slice.len; i++)
		if (!isdigit((unsigned char) slice.s[i]))
			return false;
	return true;
}

/* "\"admin\"", text that is a JSON string, is admin. */
static Slice
without_quotes(Slice text)
{
	JsonbValue	value;
	Jsonb	   *document;

	if (text.len < 2 || text.s[0] != '"' || text.s[text.len - 1] != '"')
		return text;
	document = document_from_text(text.s, text.len);
	if (!JB_ROOT_IS_SCALAR(document) || !JsonbExtractScalar(&document->root, &value) ||
		value.type != jbvString)
		return text;
	return (Slice) {value.val.string.val, value.val.string.len};
}

static bool
is_selected(const Place *element, Slice selector, bool pascal)
{
	int			equals = slice_find(selector, '=', 0);
	Slice		wanted = slice_after(selector, equals + 1);
	Slice		text;
	Place		field;

	if (selector.len == 0)
		return true;
	if (equals <= 0 ||
		!find_name(element, (Slice) {selector.s, equals}, pascal, &field))
		return false;
	text = without_quotes(value_text(&field.value));
	return text.s != NULL && wanted.s != NULL && slice_equal(text, wanted);
}

static void
follow_elements(const Place *array, const Step *step, PathResult *result)
{
	bool		numbered = is_number(step->selector);
	int			count;
	int			first = 0;

	if (array->container == NULL || !JsonContainerIsArray(array->container))
	{
		/* some services write a list of one as the one */
		if (!numbered && is_selected(array, step->selector, result->pascal))
			follow(array, step->rest, step->last, result);
		return;
	}
	count = JsonContainerSize(array->container);
	if (numbered)
	{
		first = atoi(pnstrdup(step->selector.s, step->selector.len));
		if (first < 0)
			first += count;
		if (first < 0 || first >= count)
			return;
		count = first + 1;
	}
	for (int i = first; i < count && result->count < (result->all ? MOST_VALUES : 1); i++)
	{
		Place		element;

		set_place(&element, getIthJsonbValueFromContainer(array->container, i));
		if (numbered || is_selected(&element, step->selector, result->pascal))
			follow(&element, step->rest, step->last, result);
	}
}

static void
add_value(Slice text, PathResult *result)
{
	if (text.s == NULL || text.len == 0 || result->count >= (result->all ? MOST_VALUES : 1) ||
		result->text.len + text.len > LONGEST_RESULT)
		return;
	if (!result->all && (slice_is(text, "default") || slice_is(text, "-")))
		return;
	result->text = slice_listed(result->text, text);
	result->count++;
	Assert(result->all || result->count == 1);
}

static Slice
after_last_slash(Slice text)
{
	int			from = 0;

	for (int slash; (slash = slice_find(text, '/', from)) >= 0;)
		from = slash + 1;
	return text.s != NULL ? slice_after(text, from) : text;
}

/* {A} {B}: the fields by their names, the rest as it is; missing if all are. */
static void
add_formatted(const Place *place, Slice format, PathResult *result)
{
	Slice		found = SLICE_NONE;
	bool		any = false;

	for (int at = 0; at < format.len;)
	{
		int			open = slice_find(format, '{', at);
		int			close = open < 0 ? -1 : slice_find(format, '}', open);
		Slice		parts[3] = {found, SLICE_NONE, SLICE_NONE};

		if (close < 0)
			open = close = format.len;
		parts[1] = (Slice) {format.s + at, open - at};
		if (close < format.len)
		{
			PathResult	part = {.all = true, .pascal = result->pascal};

			follow(place, (Slice) {format.s + open + 1, close - open - 1}, false, &part);
			parts[2] = part.text;
			any |= part.count > 0;
		}
		found = slice_join(3, parts);
		at = close + 1;
	}
	while (found.len > 0 && found.s[0] == ' ')
		found.s++, found.len--;
	while (found.len > 0 && found.s[found.len - 1] == ' ')
		found.len--;
	if (any)
		add_value(found, result);
}

/* Follow what is left of a path; last is of the step that came to the place. */
static void
follow(const Place *place, Slice path, bool last, PathResult *result)
{
	Step		step;
	Place		found;

	if (path.len == 0)
	{
		Slice		text = without_quotes(value_text(&place->value));

		if (text.s == NULL && result->all && place->container != NULL &&
			JsonContainerSize(place->container) > 0)
		{
			char	   *json = JsonbToCString(NULL, place->container, LONGEST_RESULT);

			text = (Slice) {json, strlen(json)};
		}
		add_value(last ? after_last_slash(text) : text, result);
	}
	else if (path.s[0] == '{')
		add_formatted(place, path, result);
	else if (read_step(path, &step) && find_name(place, step.name, result->pascal, &found))
	{
		if (step.selects)
			follow_elements(&found, &step, result);
		else
			follow(&found, step.rest, step.last, result);
	}
}

void
path_find(JsonbContainer *doc, Slice path, PathResult *result)
{
	Place		root = {.container = doc, .value = {.type = jbvNull}};

	result->count = 0;
	result->text = SLICE_NONE;
	if (path.len > 0)
		follow(&root, path, false, result);
}
