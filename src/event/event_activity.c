/*-------------------------------------------------------------------------
 *
 * event_activity.c
 *		Reads an event of the Azure Activity log: as a diagnostic setting
 *		exports it, as Azure Monitor's REST API gives it, or as a row of the
 *		Log Analytics table AzureActivity.
 *
 * Owns the rules by which caller and claims name the principal and its kind
 * (docs/providers.md), and that what has only started is no success yet.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "event/azure.h"
#include "event/rfc3339.h"

#define CLAIM_UPN "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/upn"
#define CLAIM_NAME "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/name"
#define CLAIM_OBJECT "http://schemas.microsoft.com/identity/claims/objectidentifier"
#define CLAIM_PROVIDER "http://schemas.microsoft.com/identity/claims/identityprovider"
#define CLAIM_TENANT "http://schemas.microsoft.com/identity/claims/tenantid"

static Slice
resource_of(JsonbContainer *doc)
{
	Slice		found = AZURE_STRING(doc, "resourceId", "_ResourceId");

	return found.s != NULL ? found : FIELD_STRING(doc, "ResourceId");
}

/* What the token said of who asked; *reason is set where it cannot be read. */
static JsonbContainer *
find_claims(JsonbContainer *doc, const char **reason)
{
	Field		field = AZURE_FIELD(doc, "identity", "Identity");
	JsonbContainer *identity = field_actor(&field, "identity", reason);
	JsonbContainer *claims;

	field = AZURE_FIELD(identity, "claims", "Claims");
	claims = field_actor(&field, "identity.claims", reason);
	if (claims == NULL)
	{
		field = AZURE_FIELD(doc, "claims", "Claims");
		claims = field_actor(&field, "claims", reason);
	}
	if (claims == NULL)
		claims = FIELD_OBJECT(doc, "Claims_d");
	if (claims != NULL)
		*reason = NULL;
	return claims;
}

/* By which assignment of a role it was allowed, and so whose it was. */
static JsonbContainer *
find_evidence(JsonbContainer *doc)
{
	JsonbContainer *authorization = AZURE_OBJECT(AZURE_OBJECT(doc, "identity", "Identity"), "authorization", "Authorization");

	if (authorization == NULL)
		authorization = AZURE_OBJECT(doc, "authorization", "Authorization");
	if (authorization == NULL)
		authorization = FIELD_OBJECT(doc, "Authorization_d");
	return AZURE_OBJECT(authorization, "evidence", "Evidence");
}

static bool
is_person(Slice *name)
{
	/* Azure's own examples have a blank in front of some */
	while (name->len > 0 && *name->s == ' ')
		*name = slice_after(*name, 1);
	return name->s != NULL && slice_contains(*name, "@");
}

static Slice
find_person(Slice caller, JsonbContainer *claims)
{
	Slice		name = caller;

	if (is_person(&name))
		return name;
	name = FIELD_STRING(claims, CLAIM_UPN);
	if (is_person(&name))
		return name;
	name = FIELD_STRING(claims, CLAIM_NAME);
	return is_person(&name) ? name : SLICE_NONE;
}

/* 8-4-4-4-12 hexadecimal digits */
static bool
is_guid(Slice slice)
{
	if (slice.len != 36)
		return false;
	for (int i = 0; i < slice.len; i++)
		if (i == 8 || i == 13 || i == 18 || i == 23 ? slice.s[i] != '-' :
			!isxdigit((unsigned char) slice.s[i]))
			return false;
	return true;
}

/*
 * The principal of a role assignment is who acted, unless it is a group.
 */
static bool
identify_by_evidence(JsonbContainer *doc, Event *event)
{
	JsonbContainer *evidence = find_evidence(doc);
	Slice		principal = AZURE_STRING(evidence, "principalId", "PrincipalId");
	Slice		type = AZURE_STRING(evidence, "principalType", "PrincipalType");

	if (principal.s == NULL || !(azure_equal(type, "User") || azure_equal(type, "ServicePrincipal")))
		return false;
	event->identity = slice_folded(principal);
	event->kind = azure_equal(type, "User") ? KIND_USER : KIND_SERVICE_ACCOUNT;
	return true;
}

static void
identify(JsonbContainer *doc, JsonbContainer *claims, Event *event)
{
	Slice		caller = AZURE_STRING(doc, "caller", "Caller");
	Slice		resource = FIELD_STRING(claims, "xms_mirid");
	Slice		name;

	/* the resource that acts by its managed identity: machines, sets of them */
	if (resource.s != NULL)
	{
		event->identity = slice_folded(resource);
		event->kind = KIND_WORKLOAD;
		if (slice_contains(event->identity, "/providers/microsoft.compute/virtualmachine"))
		{
			event->kind = KIND_INSTANCE;
			event->instance_id = event->identity;
		}
		return;
	}
	name = find_person(caller, claims);
	if (name.s != NULL)
	{
		event->identity = slice_folded(name);
		event->kind = FIELD_STRING(claims, CLAIM_PROVIDER).s != NULL ||
			slice_contains(event->identity, "#") ? KIND_FEDERATED_USER : KIND_USER;
		return;
	}
	name = slice_or(FIELD_STRING(claims, CLAIM_OBJECT), is_guid(caller) ? caller : SLICE_NONE);
	name = slice_or(name, FIELD_STRING(claims, "appid"));
	if (name.s != NULL)
	{
		event->identity = slice_folded(name);
		event->kind = KIND_SERVICE_ACCOUNT;
		return;
	}

	if (identify_by_evidence(doc, event))
		return;

	/* Azure itself: health, alerts, scaling */
	event->identity = caller.s ? slice_folded(caller) : event->service;
	event->kind = KIND_SERVICE;
}

/* A request that was only taken is an operation of another name. */
static void
read_status(Slice status, Event *event)
{
	if (azure_starts(status, "start") || azure_starts(status, "accept") ||
		azure_equal(status, "in progress") || azure_equal(status, "running"))
		event->operation = slice_join(2, (Slice[])
									  {
										  event->operation, SLICE_LITERAL(" (started)")
									  });
	event->failed = azure_starts(status, "fail") || azure_starts(status, "cancel");
}

static void
read_details(JsonbContainer *doc, JsonbContainer *claims, Slice status, Slice time,
			 Event *event)
{
	JsonbContainer *request = AZURE_OBJECT(doc, "httpRequest", "HTTPRequest");

	if (request == NULL)
		request = FIELD_OBJECT(doc, "HttpRequest");
	event->event_id = AZURE_STRING(doc, "eventDataId", "EventDataId");
	if (event->event_id.s == NULL)
	{
		/* exports leave it out; these three tell events of an alert apart */
		Slice		correlation = AZURE_STRING(doc, "correlationId", "CorrelationId");

		if (correlation.s != NULL)
			event->event_id = slice_join(5, (Slice[])
										 {
											 correlation, SLICE_LITERAL(" "),
											 {status.s ? status.s : "", status.len},
											 SLICE_LITERAL(" "), time
										 });
	}
	event->source = slice_or(AZURE_STRING(doc, "callerIpAddress", "CallerIpAddress"),
							 slice_or(AZURE_STRING(request, "clientIpAddress", "ClientIpAddress"),
									  FIELD_STRING(claims, "ipaddr")));
	event->region = AZURE_STRING(doc, "location", "Location");
}

const char *
event_read_activity(JsonbContainer *doc, Slice operation, EventDepth depth, Event *event)
{
	const char *reason = NULL;
	JsonbContainer *claims = find_claims(doc, &reason);
	Slice		caller = AZURE_STRING(doc, "caller", "Caller");
	Slice		status = AZURE_STRING(doc, "resultType", "ActivityStatusValue");
	Slice		time = AZURE_STRING(doc, "time", "eventTimestamp");

	if (status.s == NULL)
		status = slice_or(FIELD_STRING(doc, "ResultType"), azure_plain_or_localized(doc, "status", "Status"));
	if (time.s == NULL)
		time = slice_or(AZURE_STRING(doc, "Time", "EventTimestamp"), FIELD_STRING(doc, "TimeGenerated"));
	event->operation = slice_folded(operation);
	event->service = (Slice) {event->operation.s,
							  (const char *) memchr(event->operation.s, '/', event->operation.len) -
							  event->operation.s};
	if (time.s == NULL)
		return "time and eventTimestamp are missing or no strings";
	if (!rfc3339_read(time.s, time.len, &event->time, &event->day))
		return time_reason("time", time);

	/* above subscriptions, the tenant */
	event->account = azure_id_part(resource_of(doc), "/subscriptions/");
	if (event->account.s == NULL)
		event->account = slice_or(AZURE_STRING(doc, "subscriptionId", "SubscriptionId"),
								  slice_or(FIELD_STRING(doc, "tenantId"),
										   FIELD_STRING(claims, CLAIM_TENANT)));
	if (event->account.s == NULL)
		return "no account: resourceId names no subscription, and subscriptionId and tenantId are missing or no strings";
	event->account = slice_folded(event->account);

	/* that a person is named, is enough */
	if (reason != NULL && !is_person(&caller))
		return reason;
	identify(doc, claims, event);
	read_status(status, event);
	if (event->failed)
	{
		event->error_code = AZURE_STRING(doc, "resultSignature", "ActivitySubstatusValue");
		if (event->error_code.s == NULL)
			event->error_code = slice_or(FIELD_STRING(doc, "ResultSignature"),
										 slice_or(azure_plain_or_localized(doc, "subStatus", "SubStatus"), status));
	}
	if (depth == EVENT_FULL)
		read_details(doc, claims, status, time, event);
	return NULL;
}
