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

static KnownLayouts payload_layouts;
static const FieldKeys payload_fields = {payload_names, PAYLOAD_FIELD_COUNT, &payload_layouts, false};

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

static KnownLayouts who_layouts;
static const FieldKeys who_fields = {who_names, WHO_FIELD_COUNT, &who_layouts, false};

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

/* Exports of policies write members so: user:ann@example.com. */
static Slice
without_prefix(Slice subject)
{
	static const char *const prefixes[] = {"user:", "serviceAccount:"};

	for (int i = 0; i < lengthof(prefixes); i++)
		if (slice_starts(subject, prefixes[i]))
			return slice_after(subject, strlen(prefixes[i]));
	return subject;
}

/*
 * The end of a long-running operation that does not say who began it.  The start
 * does, and was an event of its own.
 */
static bool
is_completion(JsonbContainer *doc)
{
	JsonbContainer *operation = FIELD_OBJECT(doc, "operation");

	return FIELD_IS_TRUE(operation, "last") && !FIELD_IS_TRUE(operation, "first");
}

/* The first of a chain of service accounts that acted for each other. */
static Slice
find_acting_for(JsonbContainer *info, Slice identity)
{
	static const int most = 20;
	JsonbContainer *chain = FIELD_ARRAY(info, "serviceAccountDelegationInfo");
	Slice		found = SLICE_NONE;

	for (int i = 0; chain != NULL && i < JsonContainerSize(chain) && i < most; i++)
	{
		JsonbContainer *link = element_object(chain, i);
		Slice		who = slice_or(FIELD_STRING(FIELD_OBJECT(link, "firstPartyPrincipal"), "principalEmail"),
								   without_prefix(FIELD_STRING(link, "principalSubject")));

		if (who.s != NULL && !slice_equal(who, identity))
			found = slice_listed(found, who);
	}
	return found;
}

static void
read_details(JsonbContainer *doc, JsonbContainer *payload, JsonbContainer *labels,
			 JsonbContainer *info, Event *event)
{
	JsonbContainer *request = FIELD_OBJECT(payload, "requestMetadata");

	event->event_id = FIELD_STRING(doc, "insertId");
	event->source = FIELD_STRING(request, "callerIp");
	event->user_agent = FIELD_STRING(request, "callerSuppliedUserAgent");
	event->region = slice_or(FIELD_STRING(labels, "location"),
							 slice_or(FIELD_STRING(labels, "region"),
									  FIELD_STRING(labels, "zone")));
	event->access_key = FIELD_STRING(info, "serviceAccountKeyName");
	event->acting_for = find_acting_for(info, event->identity);
}

const char *
event_read_gcp(JsonbContainer *doc, JsonbContainer *payload, const Field *root, EventDepth depth,
			   Event *event)
{
	Field		fields[PAYLOAD_FIELD_COUNT];
	Field		who[WHO_FIELD_COUNT];
	JsonbContainer *info;
	JsonbContainer *labels;
	const char *reason = NULL;
	Slice		time = root[ROOT_TIMESTAMP].string;

	event->provider = PROVIDER_GCP;
	fields_read(payload, &payload_fields, fields);
	event->service = fields[PAYLOAD_SERVICE_NAME].string;
	if (event->service.s == NULL)
		return "protoPayload.serviceName is missing or no string";
	event->operation = fields[PAYLOAD_METHOD_NAME].string;
	if (event->operation.s == NULL)
		return "protoPayload.methodName is missing or no string";
	if (time.s == NULL)
		return "timestamp is missing or no string";
	if (!rfc3339_read(time.s, time.len, &event->time, &event->day))
		return time_reason("timestamp", time);
	labels = FIELD_OBJECT(field_as_object(&root[ROOT_RESOURCE]), "labels");
	event->account = FIELD_STRING(labels, "project_id");
	if (event->account.s == NULL)
		event->account = second_part(root[ROOT_LOG_NAME].string);
	if (event->account.s == NULL)
		return "no account: resource.labels.project_id is missing or no string, and logName names none";

	info = field_actor(&fields[PAYLOAD_AUTHENTICATION_INFO], "authenticationInfo", &reason);
	if (reason != NULL)
		return reason;
	if (info == NULL && is_completion(doc))
		return "completion of an operation: its start names who did it";
	fields_read(info, &who_fields, who);
	event->identity = slice_or(who[WHO_EMAIL].string, without_prefix(who[WHO_SUBJECT].string));
	if (event->identity.s == NULL)
		event->identity = SLICE_LITERAL("anonymous");
	event->kind = slice_is(event->identity, "anonymous") ? KIND_ANONYMOUS : kind_of(event->identity);
	event->failed = FIELD_NONZERO(field_as_object(&fields[PAYLOAD_STATUS]), "code",
								  &event->error_code);

	if (depth == EVENT_FULL)
		read_details(doc, payload, labels, info, event);
	return NULL;
}
