/*-------------------------------------------------------------------------
 *
 * event.c
 *		From a document to a normalised event, and the SQL functions on it.
 *
 * Owns what makes a document one of which provider.  Must never raise an error
 * for what a document contains, nor read a table but to load providers and the
 * paths to targets.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "event/address.h"
#include "event/day.h"
#include "event/document.h"
#include "event/field.h"
#include "event/limits.h"
#include "event/providers.h"
#include "event/targets.h"
#include "fmgr.h"
#include "funcapi.h"
#include "server/compat.h"
#include "server/composite.h"
#include "server/objects.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"
#include "utils/typcache.h"

PG_FUNCTION_INFO_V1(iamwatch_is_person);
PG_FUNCTION_INFO_V1(iamwatch_is_of_both_classes);
PG_FUNCTION_INFO_V1(iamwatch_parse);
PG_FUNCTION_INFO_V1(iamwatch_unreadable);
PG_FUNCTION_INFO_V1(iamwatch_access_key);

const char *const kind_names[KIND_COUNT] = {
	"root", "user", "federated_user", "anonymous", "unknown", "role", "instance",
	"service", "service_account", "workload", "account"
};

static const Slice root_names[ROOT_FIELD_COUNT] = {
	[ROOT_LOG_NAME] = SLICE_LITERAL("logName"),
	[ROOT_RESOURCE] = SLICE_LITERAL("resource"),
	[ROOT_ERROR_CODE] = SLICE_LITERAL("errorCode"),
	[ROOT_EVENT_NAME] = SLICE_LITERAL("eventName"),
	[ROOT_EVENT_TIME] = SLICE_LITERAL("eventTime"),
	[ROOT_TIMESTAMP] = SLICE_LITERAL("timestamp"),
	[ROOT_EVENT_SOURCE] = SLICE_LITERAL("eventSource"),
	[ROOT_ERROR_MESSAGE] = SLICE_LITERAL("errorMessage"),
	[ROOT_PROTO_PAYLOAD] = SLICE_LITERAL("protoPayload"),
	[ROOT_USER_IDENTITY] = SLICE_LITERAL("userIdentity"),
	[ROOT_RESPONSE] = SLICE_LITERAL("responseElements"),
	[ROOT_RECIPIENT_ACCOUNT_ID] = SLICE_LITERAL("recipientAccountId")
};

static KnownLayouts root_layouts;
static const FieldKeys root_fields = {root_names, ROOT_FIELD_COUNT, &root_layouts};

/* Most events are read for their key alone: then nobody looks at the rest. */
static inline void
clear_event(Event *event, EventDepth depth)
{
	/*
	 * by name, which takes a few instructions; memset() of so much is a slow
	 * one
	 */
	event->provider = 0;
	event->account = event->identity = event->service = event->operation = SLICE_NONE;
	event->kind = 0;
	event->failed = false;
	event->time = 0;
	event->day = 0;
	if (depth == EVENT_FULL)
		memset((char *) event + offsetof(Event, event_id), 0, sizeof(*event) - offsetof(Event, event_id));
}

static const char *
read_document(Jsonb *document, EventDepth depth, Event *event)
{
	Field		root[ROOT_FIELD_COUNT];
	JsonbContainer *payload;
	const char *reason;
	const char *missing;

	clear_event(event, depth);
	if (!JB_ROOT_IS_OBJECT(document))
		return document_is_no_object(document);
	fields_read(&document->root, &root_fields, root);
	payload = field_as_object(&root[ROOT_PROTO_PAYLOAD]);
	if (payload != NULL)
		return event_read_gcp(&document->root, payload, root, depth, event);
	reason = event_read_aws(&document->root, root, depth, event);
	if (reason == NULL)
		return NULL;
	if (root[ROOT_EVENT_SOURCE].string.s != NULL)
	{
		/* so Lambda names the queues and streams that it reads */
		if (slice_starts(root[ROOT_EVENT_SOURCE].string, "aws:"))
			event_explain_unknown(&document->root, false, &reason);
		return reason;
	}

	/* without eventSource it is not from AWS */
	missing = reason;
	clear_event(event, depth);
	if (event_read_azure(&document->root, depth, event, &reason) ||
		event_read_own(&document->root, depth, event, &reason))
		return reason;
	event_explain_unknown(&document->root, reason == missing, &reason);
	(void) field_actor(&root[ROOT_PROTO_PAYLOAD], "protoPayload", &reason);
	return reason;
}

#ifdef USE_ASSERT_CHECKING
/* What all that follows relies on. */
static bool
is_whole(const Event *event)
{
	return event->account.len > 0 && event->identity.len > 0 &&
		event->service.len > 0 && event->operation.len > 0 &&
		event->provider >= 0 && provider_names[event->provider] != NULL &&
		event->kind >= 0 && event->kind < KIND_COUNT &&
		IS_VALID_TIMESTAMP(event->time) && event->day == day_of(event->time);
}
#endif

const char *
event_read(Jsonb *document, EventDepth depth, Event *event)
{
	const char *reason = read_document(document, depth, event);

	Assert(reason != NULL || is_whole(event));
	return reason;
}

const char *
event_read_loading(Jsonb *document, EventDepth depth, Event *event)
{
	const char *reason = event_read(document, depth, event);

	if (unlikely(reason != NULL) && !providers_are_ready())
	{
		providers_load();
		reason = event_read(document, depth, event);
	}
	if (reason == NULL && depth == EVENT_FULL)
		targets_read(&document->root, event);
	return reason;
}

static Datum
slice_datum(Slice slice, bool *isnull)
{
	*isnull = slice.s == NULL;
	return *isnull ? (Datum) 0 : slice_text(slice);
}

Datum
event_to_datum(const Event *event)
{
	TupleDesc	desc = lookup_rowtype_tupdesc(public_type("event"), -1);
	Datum		values[19];
	bool		nulls[19] = {false};
	Datum		row;
	int			i = 0;

	values[i++] = CStringGetTextDatum(provider_names[event->provider]);
	values[i] = slice_datum(event->account, &nulls[i]), i++;
	values[i] = slice_datum(event->event_id, &nulls[i]), i++;
	values[i++] = TimestampTzGetDatum(event->time);
	values[i] = slice_datum(event->identity, &nulls[i]), i++;
	values[i++] = CStringGetTextDatum(kind_names[event->kind]);
	values[i++] = BoolGetDatum(KIND_IS_USER(event->kind));
	values[i] = slice_datum(event->service, &nulls[i]), i++;
	values[i] = slice_datum(event->operation, &nulls[i]), i++;
	values[i++] = BoolGetDatum(event->failed);
	values[i] = slice_datum(event->error_code, &nulls[i]), i++;
	values[i] = source_address(event->source, &nulls[i]), i++;
	values[i] = slice_datum(nulls[i - 1] ? event->source : SLICE_NONE, &nulls[i]), i++;
	values[i] = slice_datum(event->user_agent, &nulls[i]), i++;
	values[i] = slice_datum(event->region, &nulls[i]), i++;
	values[i] = slice_datum(event->instance_id, &nulls[i]), i++;
	values[i] = slice_datum(event->target, &nulls[i]), i++;
	values[i] = slice_datum(event->granted, &nulls[i]), i++;
	values[i] = slice_datum(event->acting_for, &nulls[i]), i++;

	row = composite_make(desc, lengthof(values), values, nulls);
	ReleaseTupleDesc(desc);
	return row;
}

/* parse(jsonb) RETURNS iamwatch.event: null for what is not readable. */
Datum
iamwatch_parse(PG_FUNCTION_ARGS)
{
	Event		event;

	if (event_read_loading(PG_GETARG_JSONB_P(0), EVENT_FULL, &event) != NULL)
		PG_RETURN_NULL();
	limits_cut_details(&event);
	PG_RETURN_DATUM(event_to_datum(&event));
}

/* unreadable(jsonb) RETURNS text: the reason, null for what is readable. */
Datum
iamwatch_unreadable(PG_FUNCTION_ARGS)
{
	Event		event;
	const char *reason = event_read_loading(PG_GETARG_JSONB_P(0), EVENT_KEY, &event);

	if (reason == NULL)
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(cstring_to_text(reason));
}

/* access_key(jsonb) RETURNS text: null if none that lasts signed the event. */
Datum
iamwatch_access_key(PG_FUNCTION_ARGS)
{
	Event		event;

	if (event_read(PG_GETARG_JSONB_P(0), EVENT_FULL, &event) != NULL ||
		event.access_key.s == NULL)
		PG_RETURN_NULL();
	PG_RETURN_DATUM(slice_text(event.access_key));
}

/* is_person(kinds integer) RETURNS boolean */
Datum
iamwatch_is_person(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(kinds_are_person(PG_GETARG_INT32(0)));
}

/* is_of_both_classes(kinds integer) RETURNS boolean */
Datum
iamwatch_is_of_both_classes(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(kinds_are_of_both(PG_GETARG_INT32(0)));
}
