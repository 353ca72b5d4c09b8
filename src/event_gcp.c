/*-------------------------------------------------------------------------
 *
 * event_gcp.c
 *		Reads a GCP Cloud Audit Logs entry.
 *
 * Owns the rules by which authenticationInfo names the principal and its kind
 * (detection.md, Identity).
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "field.h"
#include "rfc3339.h"

/* service-NUMBER@... */
static bool
is_numbered_agent(Slice email)
{
	static const char prefix[] = "service-";
	int			i = sizeof(prefix) - 1;

	if (!slice_starts(email, prefix))
		return false;
	while (i < email.len && email.s[i] >= '0' && email.s[i] <= '9')
		i++;
	return i > sizeof(prefix) - 1 && i < email.len && email.s[i] == '@';
}

/* ...@gcp-sa-....iam.gserviceaccount.com */
static bool
is_product_agent(Slice email)
{
	return slice_contains(email, "@gcp-sa-") &&
		slice_ends(email, ".iam.gserviceaccount.com");
}

static IdentityKind
kind_of(Slice identity)
{
	if (slice_starts(identity, "system:serviceaccount:"))
		return KIND_SERVICE_ACCOUNT;
	if (slice_starts(identity, "system:"))
		return KIND_SERVICE;
	if (slice_ends(identity, ".gserviceaccount.com") || is_numbered_agent(identity))
	{
		if (is_numbered_agent(identity) || is_product_agent(identity) ||
			slice_ends(identity, "@cloudservices.gserviceaccount.com") ||
			slice_ends(identity, "@system.gserviceaccount.com"))
			return KIND_SERVICE;
		return KIND_SERVICE_ACCOUNT;
	}
	if (slice_contains(identity, "workloadIdentityPools"))
		return KIND_WORKLOAD;
	if (slice_starts(identity, "principal://"))
		return KIND_FEDERATED_USER;
	return KIND_USER;
}

/* logName is projects/ID/logs/NAME, or organizations, folders, billingAccounts. */
static Slice
second_part(Slice path)
{
	const char *slash = path.s ? memchr(path.s, '/', path.len) : NULL;
	Slice		rest;
	const char *end;

	if (slash == NULL)
		return SLICE_NONE;
	rest = slice_after(path, slash - path.s + 1);
	end = rest.s ? memchr(rest.s, '/', rest.len) : NULL;
	if (end != NULL)
		rest.len = end - rest.s;
	return rest.len > 0 ? rest : SLICE_NONE;
}

static void
read_details(JsonbContainer *doc, JsonbContainer *payload, JsonbContainer *labels,
			 Event *event)
{
	JsonbContainer *request = FIELD_OBJECT(payload, "requestMetadata");

	event->event_id = FIELD_STRING(doc, "insertId");
	event->source_ip = FIELD_STRING(request, "callerIp");
	event->user_agent = FIELD_STRING(request, "callerSuppliedUserAgent");
	event->region = slice_or(FIELD_STRING(labels, "location"),
							 slice_or(FIELD_STRING(labels, "region"),
									  FIELD_STRING(labels, "zone")));
	event->target = FIELD_STRING(payload, "resourceName");
}

const char *
event_read_gcp(JsonbContainer *doc, JsonbContainer *payload, EventDepth depth,
			   Event *event)
{
	JsonbContainer *labels;
	JsonbContainer *who;
	Slice		time;

	event->provider = PROVIDER_GCP;
	event->service = FIELD_STRING(payload, "serviceName");
	if (event->service.s == NULL)
		return "protoPayload.serviceName is missing";
	event->operation = FIELD_STRING(payload, "methodName");
	if (event->operation.s == NULL)
		return "protoPayload.methodName is missing";
	time = FIELD_STRING(doc, "timestamp");
	if (time.s == NULL)
		return "timestamp is missing";
	if (!rfc3339_read(time.s, time.len, &event->time, &event->day))
		return "timestamp is not a time in RFC 3339";
	labels = FIELD_OBJECT(FIELD_OBJECT(doc, "resource"), "labels");
	event->account = FIELD_STRING(labels, "project_id");
	if (event->account.s == NULL)
		event->account = second_part(FIELD_STRING(doc, "logName"));
	if (event->account.s == NULL)
		return "no account: resource.labels.project_id is missing and logName names none";

	who = FIELD_OBJECT(payload, "authenticationInfo");
	event->identity = slice_or(FIELD_STRING(who, "principalEmail"),
							   FIELD_STRING(who, "principalSubject"));
	if (event->identity.s == NULL)
	{
		event->identity = SLICE_LITERAL("anonymous");
		event->kind = KIND_ANONYMOUS;
	}
	else
		event->kind = kind_of(event->identity);
	if (event->identity.len == 9 && memcmp(event->identity.s, "anonymous", 9) == 0)
		event->kind = KIND_ANONYMOUS;
	event->failed = FIELD_NONZERO(FIELD_OBJECT(payload, "status"), "code",
								  &event->error_code);

	if (depth == EVENT_FULL)
		read_details(doc, payload, labels, event);
	return NULL;
}
