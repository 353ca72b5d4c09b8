/*-------------------------------------------------------------------------
 *
 * event_own.c
 *		Reads a document of a provider that a user described.
 *
 * Owns the rules of what a path finds.  An Event may outlive the copy of
 * iamwatch.providers, so it must never point into that.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "event/day.h"
#include "event/field.h"
#include "event/providers.h"
#include "event/rfc3339.h"

/* Element of an array by its number, from its end if negative. */
static JsonbValue *
element(JsonbContainer *array, Slice step)
{
	char	   *end;
	long		n;

	errno = 0;
	n = strtol(step.s, &end, 10);
	if (errno != 0 || end == step.s || *end != '\0')
		return NULL;
	if (n < 0)
		n += JsonContainerSize(array);
	return n >= 0 && n < JsonContainerSize(array) ? getIthJsonbValueFromContainer(array, n) : NULL;
}

/* What a step of a path goes into; text that holds an object or array counts. */
static JsonbContainer *
container_of(const JsonbValue *value)
{
	Slice		text;
	JsonbContainer *object;

	if (value->type == jbvBinary)
		return value->val.binary.data;
	if (value->type != jbvString || value->val.string.len == 0)
		return NULL;
	text = (Slice) {value->val.string.val, value->val.string.len};
	object = container_in_text(text, false);
	return object != NULL ? object : container_in_text(text, true);
}

static bool
find(JsonbContainer *doc, const Path *path, JsonbValue *value)
{
	JsonbContainer *at = doc;

	for (int i = 0; i < path->nsteps; i++)
	{
		Slice		step = path->steps[i];
		JsonbValue *next;

		if (i > 0)
			at = container_of(value);
		if (at == NULL)
			return false;
		if (JsonContainerIsObject(at))
		{
			if (!field_find(at, step.s, step.len, value))
				return false;
		}
		else
		{
			next = element(at, step);
			if (next == NULL)
				return false;
			*value = *next;
		}
	}
	return path->nsteps > 0 && value->type != jbvNull;
}

/* A string, number or boolean as text; anything else is missing. */
static Slice
find_text(JsonbContainer *doc, const Path *path)
{
	JsonbValue	value;

	return find(doc, path, &value) ? value_text(&value) : SLICE_NONE;
}

static Slice
find_or_default(JsonbContainer *doc, const Path *path, Slice otherwise)
{
	Slice		found = find_text(doc, path);

	return found.s != NULL || otherwise.s == NULL ? found : slice_join(1, &otherwise);
}

static bool
recognises(const Mapping *mapping, JsonbContainer *doc)
{
	JsonbValue	value;
	Slice		text;

	if (mapping->recognised_value.s == NULL)
		return find(doc, &mapping->recognised, &value);
	text = find_text(doc, &mapping->recognised);
	return text.s != NULL && slice_equal(text, mapping->recognised_value);
}

/* Seconds or thousandths of them since 1970, with a fraction or without. */
static bool
read_epoch(Slice text, double unit, Event *event)
{
	char	   *copy = pnstrdup(text.s, text.len);
	char	   *end;
	double		micros = strtod(copy, &end) * unit;

	if (end == copy || *end != '\0' || isnan(micros) ||
		micros < 0 || micros >= (double) USECS_PER_DAY * 366 * 8000)
		return false;
	event->time = (int64) rint(micros) -
		(int64) (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * USECS_PER_DAY;
	event->day = day_of(event->time);
	return true;
}

static const char *
read_time(const Mapping *mapping, JsonbContainer *doc, Event *event)
{
	Slice		text = find_text(doc, &mapping->time);

	if (text.s == NULL)
		return "no event time where iamwatch.providers says it is";
	switch (mapping->time_format)
	{
		case TIME_SECONDS:
			return read_epoch(text, USECS_PER_SEC, event) ? NULL :
				"the event time is not a number of seconds since 1970";
		case TIME_MILLISECONDS:
			return read_epoch(text, 1000, event) ? NULL :
				"the event time is not a number of milliseconds since 1970";
		default:
			return rfc3339_read(text.s, text.len, &event->time, &event->day) ? NULL :
				time_reason("the event time", text);
	}
}

static IdentityKind
read_kind(const Mapping *mapping, JsonbContainer *doc)
{
	Slice		text = find_text(doc, &mapping->kind);

	for (int i = 0; text.s != NULL && i < mapping->nkinds; i++)
		if (slice_equal(text, mapping->kinds[i].value))
			return mapping->kinds[i].kind;
	return mapping->kind_default;
}

static void
read_result(const Mapping *mapping, JsonbContainer *doc, Event *event)
{
	Slice		result = find_text(doc, &mapping->result);

	event->failed = result.s != NULL;
	for (int i = 0; event->failed && i < mapping->nsuccesses; i++)
		if (slice_equal(result, mapping->successes[i]))
			event->failed = false;
	if (event->failed)
		event->error_code = slice_or(find_text(doc, &mapping->error_code), result);
}

static const char *
read_mapped(const Mapping *mapping, JsonbContainer *doc, EventDepth depth, Event *event)
{
	const char *reason;

	event->provider = mapping->provider;
	event->service = find_or_default(doc, &mapping->service, mapping->service_default);
	if (event->service.s == NULL)
		return "no service where iamwatch.providers says it is";
	event->operation = find_text(doc, &mapping->operation);
	if (event->operation.s == NULL)
		return "no operation where iamwatch.providers says it is";
	reason = read_time(mapping, doc, event);
	if (reason != NULL)
		return reason;
	event->account = find_or_default(doc, &mapping->account, mapping->account_default);
	if (event->account.s == NULL)
		return "no account where iamwatch.providers says it is";
	event->identity = find_text(doc, &mapping->identity);
	if (event->identity.s == NULL)
		return "no identity where iamwatch.providers says it is";
	event->kind = read_kind(mapping, doc);
	read_result(mapping, doc, event);

	if (depth == EVENT_FULL)
	{
		event->event_id = find_text(doc, &mapping->event_id);
		event->source = find_text(doc, &mapping->source_ip);
		event->user_agent = find_text(doc, &mapping->user_agent);
		event->region = find_text(doc, &mapping->region);
		event->instance_id = find_text(doc, &mapping->instance_id);
		event->target = find_text(doc, &mapping->target);
		event->granted = find_text(doc, &mapping->granted);
		event->acting_for = find_text(doc, &mapping->acting_for);
	}
	return NULL;
}

bool
event_read_own(JsonbContainer *doc, EventDepth depth, Event *event, const char **reason)
{
	for (int i = 0; i < providers_count(); i++)
	{
		const Mapping *mapping = providers_mapping(i);

		if (recognises(mapping, doc))
		{
			*reason = read_mapped(mapping, doc, depth, event);
			return true;
		}
	}
	return false;
}
