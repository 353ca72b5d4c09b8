/*-------------------------------------------------------------------------
 *
 * azure.h
 *		What the readers of Azure's logs share.
 *
 *-------------------------------------------------------------------------
 */
#ifndef IAMWATCH_AZURE_H
#define IAMWATCH_AZURE_H

#include "event/field.h"

/*
 * Exports to storage and Event Hubs name their fields in camelCase, Log
 * Analytics in PascalCase, other warehouses in lower case.  An object may be
 * text that holds one.
 */
extern Field azure_field(JsonbContainer *object, const char *name, const char *column);
extern Slice azure_string(JsonbContainer *object, const char *name, const char *column);
extern JsonbContainer *azure_object(JsonbContainer *object, const char *name, const char *column);
#define AZURE_FIELD(object, name, column) azure_field(object, "" name, "" column)
#define AZURE_STRING(object, name, column) azure_string(object, "" name, "" column)
#define AZURE_OBJECT(object, name, column) azure_object(object, "" name, "" column)

/* A string, or the value of {"value": ..., "localizedValue": ...}. */
extern Slice azure_plain_or_localized(JsonbContainer *doc, const char *name, const char *column);

extern bool azure_equal(Slice slice, const char *text);
extern bool azure_starts(Slice slice, const char *prefix);

/* The part of a resource id that follows /KIND/, in lower case. */
extern Slice azure_id_part(Slice resource_id, const char *kind);

extern const char *event_read_entra(JsonbContainer *doc, EventDepth depth, Event *event);

/* Operation has the form SERVICE/... */
extern const char *event_read_activity(JsonbContainer *doc, Slice operation,
									   EventDepth depth, Event *event);

#endif							/* IAMWATCH_AZURE_H */
