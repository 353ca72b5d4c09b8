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

static JsonbContainer *
either_array(JsonbContainer *object, const char *name, const char *column)
{
	JsonbContainer *found = field_array(object, name, strlen(name));

	return found != NULL ? found : field_array(object, column, strlen(column));
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

static Slice
name_of_user(JsonbContainer *user)
{
	return slice_or(AZURE_STRING(user, "userPrincipalName", "UserPrincipalName"),
					slice_or(AZURE_STRING(user, "id", "Id"),
							 AZURE_STRING(user, "displayName", "DisplayName")));
}

/* Returns why nobody can say who it was, or NULL. */
static const char *
identify(JsonbContainer *doc, JsonbContainer *record, Event *event)
{
	const char *reason = NULL;
	Field		field = AZURE_FIELD(record, "initiatedBy", "InitiatedBy");
	JsonbContainer *initiator = field_actor(&field, "initiatedBy", &reason);
	JsonbContainer *app;
	Slice		name;

	field = AZURE_FIELD(initiator, "user", "User");
	name = name_of_user(field_actor(&field, "initiatedBy.user", &reason));
	if (reason != NULL)
		return reason;
	if (name.s != NULL)
	{
		event->identity = slice_folded(name);
		event->kind = kind_of_user(event->identity);
		return NULL;
	}
	field = AZURE_FIELD(initiator, "app", "App");
	app = field_actor(&field, "initiatedBy.app", &reason);
	if (reason != NULL)
		return reason;
	name = slice_or(AZURE_STRING(app, "servicePrincipalId", "ServicePrincipalId"),
					AZURE_STRING(app, "appId", "AppId"));
	if (name.s != NULL)
	{
		event->identity = slice_folded(name);
		event->kind = KIND_SERVICE_ACCOUNT;
		return NULL;
	}

	/* parts of Entra itself have a name at most */
	name = slice_or(slice_or(AZURE_STRING(app, "displayName", "DisplayName"),
							 AZURE_STRING(doc, "identity", "Identity")), event->service);
	event->identity = slice_folded(name);
	event->kind = slice_contains(name, "@") ? KIND_USER : KIND_SERVICE;
	return NULL;
}

/* One of the pairs of key and value in additionalDetails. */
static Slice
find_detail(JsonbContainer *details, const char *key)
{
	for (int i = 0; details != NULL && i < JsonContainerSize(details); i++)
	{
		JsonbContainer *detail = element_object(details, i);
		Slice		value = AZURE_STRING(detail, "value", "Value");

		if (azure_equal(AZURE_STRING(detail, "key", "Key"), key) && value.s != NULL)
			return value;
	}
	return SLICE_NONE;
}

static void
read_details(JsonbContainer *doc, JsonbContainer *record, Event *event)
{
	JsonbContainer *initiator = AZURE_OBJECT(record, "initiatedBy", "InitiatedBy");
	JsonbContainer *details = either_array(record, "additionalDetails", "AdditionalDetails");

	event->event_id = AZURE_STRING(record, "id", "Id");
	event->source = slice_or(AZURE_STRING(AZURE_OBJECT(initiator, "user", "User"), "ipAddress", "IpAddress"),
							 slice_or(AZURE_STRING(AZURE_OBJECT(initiator, "app", "App"), "ipAddress", "IpAddress"),
									  AZURE_STRING(doc, "callerIpAddress", "CallerIpAddress")));
	if (event->source.s == NULL)
		event->source = find_detail(details, "ipaddr");
	event->user_agent = slice_or(AZURE_STRING(record, "userAgent", "UserAgent"), find_detail(details, "User-Agent"));
}

const char *
event_read_entra(JsonbContainer *doc, EventDepth depth, Event *event)
{
	const char *reason = NULL;
	Field		properties = AZURE_FIELD(doc, "properties", "Properties");
	JsonbContainer *record = field_actor(&properties, "properties", &reason);
	static const Slice tenant_id = SLICE_LITERAL("tenantId");
	Field		tenant;
	Slice		time;
	Slice		result;

	if (reason != NULL)
		return reason;
	if (record == NULL)
		record = doc;
	event->operation = trimmed(AZURE_STRING(record, "activityDisplayName", "ActivityDisplayName"));
	if (event->operation.s == NULL)
		event->operation = trimmed(AZURE_STRING(doc, "operationName", "OperationName"));
	if (event->operation.s == NULL)
		return "activityDisplayName and operationName are missing or no strings";
	event->service = slice_or(AZURE_STRING(record, "loggedByService", "LoggedByService"),
							  SLICE_LITERAL("Microsoft Entra ID"));
	time = AZURE_STRING(record, "activityDateTime", "ActivityDateTime");
	if (time.s == NULL)
		time = slice_or(AZURE_STRING(doc, "time", "TimeGenerated"), FIELD_STRING(doc, "Time"));
	if (time.s == NULL)
		return "activityDateTime and time are missing or no strings";
	if (!rfc3339_read(time.s, time.len, &event->time, &event->day))
		return time_reason("activityDateTime", time);

	/*
	 * A TenantId is the Log Analytics workspace, so tenantid may be it; Graph
	 * names no tenant.
	 */
	fields_read(doc, &(FieldKeys) {&tenant_id, 1, NULL, true}, &tenant);
	event->account = slice_or(tenant.string,
							  slice_or(FIELD_STRING(doc, "AADTenantId"), FIELD_STRING(doc, "tenantId")));
	if (event->account.s == NULL)
		event->account = azure_id_part(AZURE_STRING(doc, "resourceId", "ResourceId"), "/tenants/");
	event->account = event->account.s ? slice_folded(event->account) : SLICE_LITERAL("unknown");

	reason = identify(doc, record, event);
	if (reason != NULL)
		return reason;
	result = AZURE_STRING(record, "result", "Result");
	event->failed = result.s != NULL && !azure_equal(result, "success");
	if (event->failed)
		event->error_code = slice_or(AZURE_STRING(record, "resultReason", "ResultReason"), result);

	if (depth == EVENT_FULL)
		read_details(doc, record, event);
	return NULL;
}
