/*-------------------------------------------------------------------------
 *
 * event_entra.c
 *		Reads a record of the Microsoft Entra audit log: as a diagnostic
 *		setting exports it, with what matters under properties; as Microsoft
 *		Graph's directoryAudit; or as a row of the Log Analytics table
 *		AuditLogs.
 *
 * Owns the rules by which initiatedBy names the principal and its kind
 * (docs/providers.md).
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "event/azure.h"
#include "event/rfc3339.h"

/* Element n of an array field, if it is an object. */
static JsonbContainer *
array_object(JsonbContainer *array, int n)
{
	JsonbValue *value = array ? getIthJsonbValueFromContainer(array, n) : NULL;

	return value != NULL && value->type == jbvBinary &&
		JsonContainerIsObject(value->val.binary.data) ? value->val.binary.data : NULL;
}

static JsonbContainer *
field_array(JsonbContainer *object, const char *name, const char *column)
{
	JsonbValue	value;

	if (getKeyJsonValueFromContainer(object, name, strlen(name), &value) == NULL &&
		getKeyJsonValueFromContainer(object, column, strlen(column), &value) == NULL)
		return NULL;
	return value.type == jbvBinary && JsonContainerIsArray(value.val.binary.data) ?
		value.val.binary.data : NULL;
}

static Slice
trimmed(Slice slice)
{
	while (slice.len > 0 && slice.s[slice.len - 1] == ' ')
		slice.len--;
	return slice.len > 0 ? slice : SLICE_NONE;
}

/*
 * Guests bear the name of their home in front of #EXT#.  The accounts by
 * which directories are synchronised are users only in form.
 */
static IdentityKind
kind_of_user(Slice name)
{
	if (slice_contains(name, "#ext#@"))
		return KIND_FEDERATED_USER;
	if (slice_ends(name, ".onmicrosoft.com") &&
		(slice_starts(name, "sync_") || slice_starts(name, "adtoaadsyncserviceaccount@")))
		return KIND_SERVICE_ACCOUNT;
	return KIND_USER;
}

static void
identify(JsonbContainer *doc, JsonbContainer *record, Event *event)
{
	JsonbContainer *initiator = AZURE_OBJECT(record, "initiatedBy", "InitiatedBy");
	JsonbContainer *user = FIELD_OBJECT(initiator, "user");
	JsonbContainer *app;
	Slice		name;

	name = FIELD_STRING(user, "userPrincipalName");
	if (name.s == NULL)
		name = FIELD_STRING(user, "id");
	if (name.s != NULL)
	{
		event->identity = azure_folded(name);
		event->kind = kind_of_user(event->identity);
		return;
	}
	app = FIELD_OBJECT(initiator, "app");
	name = slice_or(FIELD_STRING(app, "servicePrincipalId"), FIELD_STRING(app, "appId"));
	if (name.s != NULL)
	{
		event->identity = azure_folded(name);
		event->kind = KIND_SERVICE_ACCOUNT;
		return;
	}

	/* parts of Entra itself have a name at most */
	name = slice_or(slice_or(FIELD_STRING(app, "displayName"),
							 AZURE_STRING(doc, "identity", "Identity")), event->service);
	event->identity = azure_folded(name);
	event->kind = slice_contains(name, "@") ? KIND_USER : KIND_SERVICE;
}

static void
read_details(JsonbContainer *doc, JsonbContainer *record, Event *event)
{
	JsonbContainer *initiator = AZURE_OBJECT(record, "initiatedBy", "InitiatedBy");
	JsonbContainer *user = FIELD_OBJECT(initiator, "user");
	JsonbContainer *targets = field_array(record, "targetResources", "TargetResources");
	JsonbContainer *target = array_object(targets, 0);
	JsonbContainer *details = field_array(record, "additionalDetails", "AdditionalDetails");

	event->event_id = AZURE_STRING(record, "id", "Id");
	event->source_ip = slice_or(FIELD_STRING(user, "ipAddress"),
								FIELD_STRING(doc, "callerIpAddress"));
	event->user_agent = FIELD_STRING(record, "userAgent");
	for (int i = 0; event->user_agent.s == NULL && details != NULL &&
		 i < JsonContainerSize(details); i++)
	{
		JsonbContainer *detail = array_object(details, i);

		if (azure_equal(FIELD_STRING(detail, "key"), "User-Agent"))
			event->user_agent = FIELD_STRING(detail, "value");
	}
	event->target = slice_or(FIELD_STRING(target, "userPrincipalName"),
							 slice_or(FIELD_STRING(target, "displayName"),
									  FIELD_STRING(target, "id")));
}

const char *
event_read_entra(JsonbContainer *doc, EventDepth depth, Event *event)
{
	JsonbContainer *record = FIELD_OBJECT(doc, "properties");
	Slice		time;
	Slice		result;

	if (record == NULL)
		record = doc;
	event->operation = trimmed(AZURE_STRING(record, "activityDisplayName", "ActivityDisplayName"));
	if (event->operation.s == NULL)
		event->operation = trimmed(AZURE_STRING(doc, "operationName", "OperationName"));
	if (event->operation.s == NULL)
		return "activityDisplayName and operationName are missing";
	event->service = slice_or(AZURE_STRING(record, "loggedByService", "LoggedByService"),
							  SLICE_LITERAL("Microsoft Entra ID"));
	time = AZURE_STRING(record, "activityDateTime", "ActivityDateTime");
	if (time.s == NULL)
		time = AZURE_STRING(doc, "time", "TimeGenerated");
	if (time.s == NULL)
		return "activityDateTime and time are missing";
	if (!rfc3339_read(time.s, time.len, &event->time, &event->day))
		return "activityDateTime is not a time in RFC 3339";

	/* a TenantId is the Log Analytics workspace; Graph names no tenant */
	event->account = AZURE_STRING(doc, "tenantId", "AADTenantId");
	if (event->account.s == NULL)
		event->account = azure_id_part(AZURE_STRING(doc, "resourceId", "ResourceId"), "/tenants/");
	event->account = event->account.s ? azure_folded(event->account) : SLICE_LITERAL("unknown");

	identify(doc, record, event);
	result = AZURE_STRING(record, "result", "Result");
	event->failed = result.s != NULL && !azure_equal(result, "success");
	if (event->failed)
		event->error_code = slice_or(AZURE_STRING(record, "resultReason", "ResultReason"), result);

	if (depth == EVENT_FULL)
		read_details(doc, record, event);
	return NULL;
}
