/*-------------------------------------------------------------------------
 *
 * event.h
 *		One audit event, normalised: who did what, when, in which account.
 *
 * An Event only points: its slices lie in the document it was read from, or
 * in the memory context current at reading time.
 *
 *-------------------------------------------------------------------------
 */
#ifndef IAMWATCH_EVENT_H
#define IAMWATCH_EVENT_H

#include "datatype/timestamp.h"
#include "server/slice.h"
#include "utils/jsonb.h"

/*
 * The built-in ones; from PROVIDER_OWN on, users' own, numbered by each
 * backend as it meets them.
 */
typedef enum Provider
{
	PROVIDER_AWS,
	PROVIDER_GCP,
	PROVIDER_AZURE,
	PROVIDER_OWN
} Provider;

/* Kinds of identity; each is one bit in a stored set of kinds. */
typedef enum IdentityKind
{
	KIND_ROOT,
	KIND_USER,
	KIND_FEDERATED_USER,
	KIND_ANONYMOUS,
	KIND_UNKNOWN,
	KIND_ROLE,
	KIND_INSTANCE,
	KIND_SERVICE,
	KIND_SERVICE_ACCOUNT,
	KIND_WORKLOAD,
	KIND_ACCOUNT,
	KIND_COUNT
} IdentityKind;

/* The kinds that are people (detection.md, Identity). */
#define KINDS_OF_PEOPLE \
	((1 << KIND_ROOT) | (1 << KIND_USER) | (1 << KIND_FEDERATED_USER) | \
	 (1 << KIND_ANONYMOUS) | (1 << KIND_UNKNOWN))
#define KIND_IS_USER(kind) kinds_are_person(1 << (kind))

/* An identity that was seen as several kinds is a person if one of them is. */
static inline bool
kinds_are_person(int kinds)
{
	return (kinds & KINDS_OF_PEOPLE) != 0;
}

/* Was it seen as a person, and as what is none? */
static inline bool
kinds_are_of_both(int kinds)
{
	return kinds_are_person(kinds) && (kinds & ~KINDS_OF_PEOPLE) != 0;
}

/* How much to read: what decides whether it may be new, or all of it. */
typedef enum EventDepth
{
	EVENT_KEY,
	EVENT_FULL
} EventDepth;

typedef struct Event
{
	/* always read */
	Provider	provider;
	Slice		account;
	Slice		identity;
	IdentityKind kind;
	Slice		service;
	Slice		operation;
	bool		failed;
	TimestampTz time;			/* microseconds, UTC */
	int32		day;			/* UTC, days since 2000-01-01 */

	/* read at EVENT_FULL only; missing as a slice without string */
	Slice		event_id;
	Slice		error_code;
	Slice		source;			/* as written: addresses, or what is none */
	Slice		user_agent;
	Slice		region;
	Slice		instance_id;
	Slice		target;
	Slice		granted;
	Slice		acting_for;
	Slice		access_key;		/* that lasts, not a session's */
} Event;

/*
 * What is looked up at the top of every document, for AWS and GCP, in the
 * order of jsonb.
 */
typedef enum RootField
{
	ROOT_LOG_NAME,
	ROOT_RESOURCE,
	ROOT_ERROR_CODE,
	ROOT_EVENT_NAME,
	ROOT_EVENT_TIME,
	ROOT_TIMESTAMP,
	ROOT_EVENT_SOURCE,
	ROOT_ERROR_MESSAGE,
	ROOT_PROTO_PAYLOAD,
	ROOT_USER_IDENTITY,
	ROOT_RESPONSE,
	ROOT_RECIPIENT_ACCOUNT_ID,
	ROOT_FIELD_COUNT
} RootField;

struct Field;

/*
 * Read a document.  Returns NULL when it was understood, else the reason why
 * not, of at most a line or two, in the current memory context or constant;
 * *event is then undefined.  Never raises an error for what a document
 * contains.
 */
extern const char *event_read(Jsonb *document, EventDepth depth, Event *event);

/*
 * The same where tables may be read: users' own providers are loaded if the
 * document is of no other, and at EVENT_FULL target and granted are found by
 * the paths of iamwatch_internal.target_paths.
 */
extern const char *event_read_loading(Jsonb *document, EventDepth depth, Event *event);

extern const char *event_read_aws(JsonbContainer *doc, const struct Field *root,
								  EventDepth depth, Event *event);
extern const char *event_read_gcp(JsonbContainer *doc, JsonbContainer *payload,
								  const struct Field *root, EventDepth depth, Event *event);

/*
 * False if the document is none of theirs; else as event_read(), the result
 * in *reason.
 */
extern bool event_read_azure(JsonbContainer *doc, EventDepth depth, Event *event,
							 const char **reason);
extern bool event_read_own(JsonbContainer *doc, EventDepth depth, Event *event,
						   const char **reason);

/*
 * For a document that no provider reads: a better *reason than that fields are
 * missing, if it is something that is known not to be an event.  is_unknown if
 * nothing but the lack of eventSource was found.
 */
extern void event_explain_unknown(JsonbContainer *doc, bool is_unknown, const char **reason);

extern const char **provider_names;
extern const char *const kind_names[];

/* An event as a row of iamwatch.event, in the current memory context. */
extern Datum event_to_datum(const Event *event);

#endif							/* IAMWATCH_EVENT_H */
