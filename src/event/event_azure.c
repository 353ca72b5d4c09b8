/*-------------------------------------------------------------------------
 *
 * event_azure.c
 *		Tells Azure's logs apart: the audit log of Microsoft Entra (a tenant)
 *		and the Activity log of Azure Resource Manager (a subscription).
 *
 * Owns the rules of how documents of either are recognised, in each of the
 * forms in which they are exported, and how names are compared.  How either is
 * read belongs to event_entra.c and event_activity.c.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "event/azure.h"

/* The last three are how older exports broke down Administrative. */
static const char *const categories[] = {
	"Administrative", "Policy", "Security", "Alert", "Autoscale", "Recommendation",
	"ServiceHealth", "ResourceHealth", "Write", "Delete", "Action"
};

/*
 * The first of the names that holds a string or, if asked for, an object; both
 * as they are written before either in lower case.
 */
static Field
find_spelt(JsonbContainer *object, const char *name, const char *column, bool or_object)
{
	Slice		names[] = {{name, strlen(name)}, {column, strlen(column)}};
	Field		field = {0};

	for (int i = 0; i < 2 * lengthof(names); i++)
	{
		bool		exact = i < lengthof(names);

		fields_read(object, &(FieldKeys) {&names[i % lengthof(names)], 1, NULL, exact}, &field);
		if (field.string.s != NULL || (or_object && field.object != NULL))
			return field;
	}
	return field;
}

Field
azure_field(JsonbContainer *object, const char *name, const char *column)
{
	return find_spelt(object, name, column, true);
}

Slice
azure_string(JsonbContainer *object, const char *name, const char *column)
{
	return find_spelt(object, name, column, false).string;
}

JsonbContainer *
azure_object(JsonbContainer *object, const char *name, const char *column)
{
	Field		field = azure_field(object, name, column);

	return field_as_object(&field);
}

/* A string, or the value of {"value": ..., "localizedValue": ...}. */
Slice
azure_plain_or_localized(JsonbContainer *doc, const char *name, const char *column)
{
	Slice		found = azure_string(doc, name, column);

	return found.s != NULL ? found : AZURE_STRING(azure_object(doc, name, column), "value", "Value");
}

bool
azure_starts(Slice slice, const char *prefix)
{
	int			len = strlen(prefix);

	return slice.len >= len && pg_strncasecmp(slice.s, prefix, len) == 0;
}

bool
azure_equal(Slice slice, const char *text)
{
	return slice.len == strlen(text) && azure_starts(slice, text);
}

Slice
azure_id_part(Slice resource_id, const char *kind)
{
	Slice		rest = resource_id;
	const char *end;

	while (rest.s != NULL && !azure_starts(rest, kind))
	{
		const char *slash = memchr(rest.s + 1, '/', rest.len - 1);

		rest = slash ? slice_after(rest, slash - rest.s) : SLICE_NONE;
	}
	if (rest.s == NULL)
		return SLICE_NONE;
	rest = slice_after(rest, strlen(kind));
	end = rest.s ? memchr(rest.s, '/', rest.len) : NULL;
	if (end != NULL)
		rest.len = end - rest.s;
	return rest.len > 0 ? slice_folded(rest) : SLICE_NONE;
}

/*
 * An Entra audit record bears the category AuditLogs; one of Microsoft Graph
 * or of Log Analytics is known by who initiated it.
 */
static bool
is_entra(JsonbContainer *doc)
{
	Field		initiator = AZURE_FIELD(doc, "initiatedBy", "InitiatedBy");

	return azure_equal(AZURE_STRING(doc, "category", "Category"), "AuditLogs") ||
		azure_equal(FIELD_STRING(doc, "Type"), "AuditLogs") ||
		(AZURE_STRING(doc, "activityDisplayName", "ActivityDisplayName").s != NULL &&
		 (initiator.object != NULL || initiator.string.s != NULL));
}

static bool
is_activity_category(Slice category)
{
	if (category.s == NULL)
		return true;
	for (int i = 0; i < lengthof(categories); i++)
		if (azure_equal(category, categories[i]))
			return true;
	return false;
}

bool
event_read_azure(JsonbContainer *doc, EventDepth depth, Event *event, const char **reason)
{
	Slice		operation;
	Slice		category;
	const char *slash;

	event->provider = PROVIDER_AZURE;
	if (is_entra(doc))
	{
		*reason = event_read_entra(doc, depth, event);
		return true;
	}
	/* where there is a value beside it, the name is in somebody's language */
	operation = FIELD_STRING(doc, "OperationNameValue");
	if (operation.s == NULL)
		operation = azure_plain_or_localized(doc, "operationName", "OperationName");
	if (operation.s == NULL)
		return false;
	category = FIELD_STRING(doc, "CategoryValue");
	if (category.s == NULL)
		category = azure_plain_or_localized(doc, "category", "Category");
	slash = memchr(operation.s, '/', operation.len);
	if (slash != NULL && slash > operation.s && is_activity_category(category))
	{
		*reason = event_read_activity(doc, operation, depth, event);
		return true;
	}
	*reason = "neither an event of the Azure Activity log nor of the Microsoft Entra audit log";
	return false;
}
