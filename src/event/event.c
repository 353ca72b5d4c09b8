/*-------------------------------------------------------------------------
 *
 * event.c
 *		From a document to a normalised event, and the SQL functions on it.
 *
 * Owns what makes a document one of which provider.  Must never raise an error
 * for what a document contains, nor read a table but to load providers.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <arpa/inet.h>

#include "access/htup_details.h"
#include "server/compat.h"
#include "event/document.h"
#include "event/field.h"
#include "fmgr.h"
#include "funcapi.h"
#include "event/limits.h"
#include "server/objects.h"
#include "event/providers.h"
#include "utils/builtins.h"
#include "utils/inet.h"
#include "utils/timestamp.h"
#include "utils/typcache.h"

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
	[ROOT_PROTO_PAYLOAD] = SLICE_LITERAL("protoPayload"),
	[ROOT_USER_IDENTITY] = SLICE_LITERAL("userIdentity"),
	[ROOT_RECIPIENT_ACCOUNT_ID] = SLICE_LITERAL("recipientAccountId")
};

static KeyLayout root_layouts[LAYOUTS];
static const FieldKeys root_fields = {root_names, ROOT_FIELD_COUNT, root_layouts};

const char *
event_read(Jsonb *document, EventDepth depth, Event *event)
{
	Field		root[ROOT_FIELD_COUNT];
	const char *reason;

	memset(event, 0, sizeof(*event));
	if (!JB_ROOT_IS_OBJECT(document))
		return document_is_no_object(document);
	fields_read(&document->root, &root_fields, root);
	if (root[ROOT_PROTO_PAYLOAD].object != NULL)
		return event_read_gcp(&document->root, root, depth, event);
	reason = event_read_aws(&document->root, root, depth, event);
	if (reason == NULL || root[ROOT_EVENT_SOURCE].string.s != NULL)
		return reason;

	/* without eventSource it is not from AWS */
	memset(event, 0, sizeof(*event));
	if (!event_read_azure(&document->root, depth, event, &reason))
		(void) event_read_own(&document->root, depth, event, &reason);
	return reason;
}

const char *
event_read_loading(Jsonb *document, EventDepth depth, Event *event)
{
	const char *reason = event_read(document, depth, event);

	if (likely(reason == NULL) || providers_are_ready())
		return reason;
	providers_load();
	return event_read(document, depth, event);
}

/* A null result for what is no plain address: hosts, services, "private". */
static Datum
address_datum(Slice slice, bool *isnull)
{
	char		text[64];
	inet	   *address;

	*isnull = true;
	if (slice.s == NULL || slice.len >= sizeof(text))
		return (Datum) 0;
	memcpy(text, slice.s, slice.len);
	text[slice.len] = '\0';

	address = palloc0(sizeof(inet));
	if (inet_pton(AF_INET, text, ip_addr(address)) == 1)
	{
		ip_family(address) = PGSQL_AF_INET;
		ip_bits(address) = 32;
	}
	else if (inet_pton(AF_INET6, text, ip_addr(address)) == 1)
	{
		ip_family(address) = PGSQL_AF_INET6;
		ip_bits(address) = 128;
	}
	else
		return (Datum) 0;
	SET_INET_VARSIZE(address);
	*isnull = false;
	return InetPGetDatum(address);
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
	Datum		values[16];
	bool		nulls[16] = {false};
	HeapTuple	tuple;
	int			i = 0;

	if (desc->natts != lengthof(values))
		ereport(ERROR,
				(errcode(ERRCODE_INTERNAL_ERROR),
				 errmsg("type iamwatch.event has %d attributes, not %d",
						desc->natts, (int) lengthof(values)),
				 errhint("Run ALTER EXTENSION iamwatch UPDATE.")));

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
	values[i] = address_datum(event->source_ip, &nulls[i]), i++;
	values[i] = slice_datum(event->user_agent, &nulls[i]), i++;
	values[i] = slice_datum(event->region, &nulls[i]), i++;
	values[i] = slice_datum(event->instance_id, &nulls[i]), i++;
	values[i] = slice_datum(event->target, &nulls[i]), i++;

	tuple = heap_form_tuple(desc, values, nulls);
	ReleaseTupleDesc(desc);
	return HeapTupleGetDatum(tuple);
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
