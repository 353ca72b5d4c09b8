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

#include "event/field.h"
#include "event/rfc3339.h"

typedef enum PayloadField
{
	PAYLOAD_STATUS,
	PAYLOAD_METHOD_NAME,
	PAYLOAD_SERVICE_NAME,
	PAYLOAD_AUTHENTICATION_INFO,
	PAYLOAD_FIELD_COUNT
} PayloadField;

static const Slice payload_names[PAYLOAD_FIELD_COUNT] = {
	[PAYLOAD_STATUS] = SLICE_LITERAL("status"),
	[PAYLOAD_METHOD_NAME] = SLICE_LITERAL("methodName"),
	[PAYLOAD_SERVICE_NAME] = SLICE_LITERAL("serviceName"),
	[PAYLOAD_AUTHENTICATION_INFO] = SLICE_LITERAL("authenticationInfo")
};

static KeyLayout payload_layouts[LAYOUTS];
static const FieldKeys payload_fields = {payload_names, PAYLOAD_FIELD_COUNT, payload_layouts};

/* Of authenticationInfo. */
typedef enum WhoField
{
	WHO_EMAIL,
	WHO_SUBJECT,
	WHO_FIELD_COUNT
} WhoField;

static const Slice who_names[WHO_FIELD_COUNT] = {
	[WHO_EMAIL] = SLICE_LITERAL("principalEmail"),
	[WHO_SUBJECT] = SLICE_LITERAL("principalSubject")
};

static KeyLayout who_layouts[LAYOUTS];
static const FieldKeys who_fields = {who_names, WHO_FIELD_COUNT, who_layouts};

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

/* logName: projects/ID/logs/NAME, organizations, folders, billingAccounts. */
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
	event->access_key = FIELD_STRING(FIELD_OBJECT(payload, "authenticationInfo"),
									 "serviceAccountKeyName");
}

const char *
event_read_gcp(JsonbContainer *doc, const Field *root, EventDepth depth, Event *event)
{
	Field		payload[PAYLOAD_FIELD_COUNT];
	Field		who[WHO_FIELD_COUNT];
	JsonbContainer *labels;
	Slice		time = root[ROOT_TIMESTAMP].string;

	event->provider = PROVIDER_GCP;
	fields_read(root[ROOT_PROTO_PAYLOAD].object, &payload_fields, payload);
	event->service = payload[PAYLOAD_SERVICE_NAME].string;
	if (event->service.s == NULL)
		return "protoPayload.serviceName is missing";
	event->operation = payload[PAYLOAD_METHOD_NAME].string;
	if (event->operation.s == NULL)
		return "protoPayload.methodName is missing";
	if (time.s == NULL)
		return "timestamp is missing";
	if (!rfc3339_read(time.s, time.len, &event->time, &event->day))
		return "timestamp is not a time in RFC 3339";
	labels = FIELD_OBJECT(root[ROOT_RESOURCE].object, "labels");
	event->account = FIELD_STRING(labels, "project_id");
	if (event->account.s == NULL)
		event->account = second_part(root[ROOT_LOG_NAME].string);
	if (event->account.s == NULL)
		return "no account: resource.labels.project_id is missing and logName names none";

	fields_read(payload[PAYLOAD_AUTHENTICATION_INFO].object, &who_fields, who);
	event->identity = slice_or(who[WHO_EMAIL].string, who[WHO_SUBJECT].string);
	if (event->identity.s == NULL)
	{
		event->identity = SLICE_LITERAL("anonymous");
		event->kind = KIND_ANONYMOUS;
	}
	else
		event->kind = kind_of(event->identity);
	if (event->identity.len == 9 && memcmp(event->identity.s, "anonymous", 9) == 0)
		event->kind = KIND_ANONYMOUS;
	event->failed = FIELD_NONZERO(payload[PAYLOAD_STATUS].object, "code",
								  &event->error_code);

	if (depth == EVENT_FULL)
		read_details(doc, root[ROOT_PROTO_PAYLOAD].object, labels, event);
	return NULL;
}
