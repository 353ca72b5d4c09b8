/*-------------------------------------------------------------------------
 *
 * event_aws.c
 *		Reads an AWS CloudTrail record.
 *
 * Owns the rules by which CloudTrail's userIdentity names the principal that
 * persists (detection.md, Identity): a role, not its session, unless the
 * session is a person or an instance.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "event/field.h"
#include "event/rfc3339.h"

/* Of the record, beyond what event_read() has looked up. */
typedef enum DetailField
{
	DETAIL_EVENT_ID,
	DETAIL_REGION,
	DETAIL_USER_AGENT,
	DETAIL_SOURCE_IP,
	DETAIL_FIELD_COUNT
} DetailField;

static const Slice detail_names[DETAIL_FIELD_COUNT] = {
	[DETAIL_EVENT_ID] = SLICE_LITERAL("eventID"),
	[DETAIL_REGION] = SLICE_LITERAL("awsRegion"),
	[DETAIL_USER_AGENT] = SLICE_LITERAL("userAgent"),
	[DETAIL_SOURCE_IP] = SLICE_LITERAL("sourceIPAddress")
};

static KnownLayouts detail_layouts;
static const FieldKeys detail_fields = {detail_names, DETAIL_FIELD_COUNT, &detail_layouts, false};

/* Of userIdentity. */
typedef enum UserField
{
	USER_ARN,
	USER_TYPE,
	USER_NAME,
	USER_ACCOUNT_ID,
	USER_INVOKED_BY,
	USER_ON_BEHALF_OF,
	USER_PRINCIPAL_ID,
	USER_SESSION_CONTEXT,
	USER_IDENTITY_PROVIDER,
	USER_FIELD_COUNT
} UserField;

static const Slice user_names[USER_FIELD_COUNT] = {
	[USER_ARN] = SLICE_LITERAL("arn"),
	[USER_TYPE] = SLICE_LITERAL("type"),
	[USER_NAME] = SLICE_LITERAL("userName"),
	[USER_ACCOUNT_ID] = SLICE_LITERAL("accountId"),
	[USER_INVOKED_BY] = SLICE_LITERAL("invokedBy"),
	[USER_ON_BEHALF_OF] = SLICE_LITERAL("onBehalfOf"),
	[USER_PRINCIPAL_ID] = SLICE_LITERAL("principalId"),
	[USER_SESSION_CONTEXT] = SLICE_LITERAL("sessionContext"),
	[USER_IDENTITY_PROVIDER] = SLICE_LITERAL("identityProvider")
};

static KnownLayouts user_layouts;
static const FieldKeys user_fields = {user_names, USER_FIELD_COUNT, &user_layouts, false};

typedef struct AssumedRole
{
	Slice		role;			/* ARN, or principalId */
	Slice		name;			/* last part of the role's path */
	Slice		session;
} AssumedRole;

/*
 * Take arn:PARTITION:sts::ACCOUNT:assumed-role/NAME/SESSION apart.  The role
 * that results has no path: the log does not say it there.
 */
static void
split_assumed_role_arn(Slice arn, Slice *role, Slice *session)
{
	static const char marker[] = ":assumed-role/";
	int			partition_end;
	int			account_end;
	int			name;
	int			name_end;

	*role = *session = SLICE_NONE;
	if (!slice_starts(arn, "arn:"))
		return;
	partition_end = slice_find(arn, ':', 4);
	if (partition_end < 0 ||
		!slice_starts(slice_after(arn, partition_end), ":sts::"))
		return;
	account_end = slice_find(arn, ':', partition_end + 6);
	if (account_end < 0 || !slice_starts(slice_after(arn, account_end), marker))
		return;
	name = account_end + sizeof(marker) - 1;
	name_end = slice_find(arn, '/', name);
	if (name_end < 0)
		name_end = arn.len;
	if (name_end == name)
		return;

	*role = slice_join(5, (Slice[])
					   {
						   {arn.s, partition_end},
						   SLICE_LITERAL(":iam::"),
						   {arn.s + partition_end + 6, account_end - partition_end - 6},
						   SLICE_LITERAL(":role/"),
						   {arn.s + name, name_end - name}
					   });
	*session = slice_after(arn, name_end + 1);
}

static void
read_assumed_role(const Field *user, AssumedRole *assumed, const char **reason)
{
	JsonbContainer *session = field_actor(&user[USER_SESSION_CONTEXT],
										  "userIdentity.sessionContext", reason);
	Field		issuer = FIELD_GET(session, "sessionIssuer");
	Slice		principal_id = user[USER_PRINCIPAL_ID].string;
	Slice		built;
	int			name = 0;

	split_assumed_role_arn(user[USER_ARN].string, &built, &assumed->session);
	assumed->role = slice_or(FIELD_STRING(field_actor(&issuer, "sessionIssuer", reason), "arn"),
							 slice_or(built, principal_id));

	if (assumed->session.s == NULL)
	{
		int			colon = slice_find(principal_id, ':', 0);

		if (colon >= 0)
			assumed->session = slice_after(principal_id, colon + 1);
	}

	for (int slash; (slash = slice_find(assumed->role, '/', name)) >= 0;)
		name = slash + 1;
	assumed->name = slice_after(assumed->role, name);
}

/* i- and 8 or 17 hexadecimal digits. */
static bool
is_instance_id(Slice slice)
{
	if ((slice.len != 10 && slice.len != 19) || !slice_starts(slice, "i-"))
		return false;
	for (int i = 2; i < slice.len; i++)
		if (!isxdigit((unsigned char) slice.s[i]))
			return false;
	return true;
}

/* The parts of arn:PARTITION:iam::ACCOUNT:role/...; false if it is no such. */
static bool
split_role_arn(Slice arn, Slice *partition, Slice *account)
{
	static const char iam[] = ":iam::";
	static const char marker[] = ":role/";
	int			colon;
	Slice		rest;

	if (!slice_starts(arn, "arn:"))
		return false;
	colon = slice_find(arn, ':', 4);
	if (colon < 0 || !slice_starts(slice_after(arn, colon), iam))
		return false;
	*partition = (Slice) {arn.s + 4, colon - 4};
	rest = slice_after(arn, colon + sizeof(iam) - 1);
	colon = slice_find(rest, ':', 0);
	if (colon < 0 || !slice_starts(slice_after(rest, colon), marker))
		return false;
	*account = (Slice) {rest.s, colon};
	return true;
}

/*
 * AWSReservedSSO_NAME_ and 16 hexadecimal digits: these change when the
 * permission set is provisioned anew.
 */
static Slice
lasting_role_name(Slice name)
{
	static const int digits = 16;
	int			underscore = name.len - digits - 1;

	if (!slice_starts(name, "AWSReservedSSO_") || underscore < 0 || name.s[underscore] != '_')
		return name;
	for (int i = underscore + 1; i < name.len; i++)
		if (!isxdigit((unsigned char) name.s[i]))
			return name;
	return (Slice) {name.s, underscore};
}

/* Who signed in to a role: one identity, however role and session are written. */
static Slice
person_in_role(const AssumedRole *assumed)
{
	Slice		partition;
	Slice		account;

	if (assumed->session.s == NULL)
		return assumed->role;
	if (!split_role_arn(assumed->role, &partition, &account))
		return slice_join(3, (Slice[])
						  {
							  assumed->role, SLICE_LITERAL("/"), assumed->session
						  });
	return slice_join(8, (Slice[])
					  {
						  SLICE_LITERAL("arn:"), partition,
						  SLICE_LITERAL(":sts::"), account,
						  SLICE_LITERAL(":assumed-role/"), lasting_role_name(assumed->name),
						  SLICE_LITERAL("/"), slice_folded(assumed->session)
					  });
}

static void
identify_assumed_role(const Field *user, Event *event, const char **reason)
{
	AssumedRole assumed;

	read_assumed_role(user, &assumed, reason);
	event->identity = assumed.role;
	event->kind = KIND_ROLE;
	if (assumed.role.s == NULL)
		return;

	if (slice_contains(assumed.role, "/aws-service-role/") ||
		slice_starts(assumed.name, "AWSServiceRoleFor"))
		event->kind = KIND_SERVICE;
	else if (is_instance_id(assumed.session))
	{
		event->kind = KIND_INSTANCE;
		event->instance_id = assumed.session;
	}
	else if (slice_starts(assumed.name, "AWSReservedSSO_") ||
			 slice_contains(assumed.session, "@"))
	{
		event->kind = KIND_FEDERATED_USER;
		event->identity = person_in_role(&assumed);
	}
}

/* The partition of an ARN; missing if it is none. */
static Slice
partition_of(Slice arn)
{
	int			colon;

	if (!slice_starts(arn, "arn:"))
		return SLICE_NONE;
	colon = slice_find(arn, ':', 4);
	return colon > 4 ? (Slice) {arn.s + 4, colon - 4} : SLICE_NONE;
}

/* That of an ARN in the identity, else that of the region. */
static Slice
find_partition(JsonbContainer *doc, const Field *user)
{
	JsonbContainer *session = field_as_object(&user[USER_SESSION_CONTEXT]);
	Slice		region = FIELD_STRING(doc, "awsRegion");
	Slice		found;

	found = slice_or(partition_of(user[USER_ARN].string),
					 slice_or(partition_of(FIELD_STRING(FIELD_OBJECT(session, "sessionIssuer"), "arn")),
							  slice_or(partition_of(user[USER_PRINCIPAL_ID].string),
									   partition_of(user[USER_IDENTITY_PROVIDER].string))));
	if (found.s != NULL)
		return found;
	if (slice_starts(region, "cn-"))
		return SLICE_LITERAL("aws-cn");
	if (slice_starts(region, "us-gov-"))
		return SLICE_LITERAL("aws-us-gov");
	if (slice_starts(region, "us-iso"))
		return SLICE_LITERAL("aws-iso");
	return SLICE_LITERAL("aws");
}

static Slice
iam_arn(JsonbContainer *doc, const Field *user, const Event *event, const char *resource,
		Slice name)
{
	return slice_join(6, (Slice[])
					  {
						  SLICE_LITERAL("arn:"),
						  find_partition(doc, user),
						  SLICE_LITERAL(":iam::"),
						  slice_or(user[USER_ACCOUNT_ID].string, event->account),
						  {resource, strlen(resource)},
						  {name.s ? name.s : "", name.len}
					  });
}

/*
 * Pods and pipelines sign in with tokens of an OpenID Connect provider; the
 * people who sign in to apps do so with providers that have names.
 */
static IdentityKind
kind_of_web_identity(const Field *user)
{
	Slice		provider = slice_or(user[USER_IDENTITY_PROVIDER].string,
									user[USER_PRINCIPAL_ID].string);

	return slice_contains(provider, ":oidc-provider/") ? KIND_WORKLOAD : KIND_FEDERATED_USER;
}

/*
 * The table of detection.md, Identity, row by row.  The *reason is set where
 * what names the identity cannot be read.
 */
static void
identify(JsonbContainer *doc, const Field *user, Event *event, const char **reason)
{
	Slice		type = user[USER_TYPE].string;
	Slice		arn = user[USER_ARN].string;
	Slice		name = user[USER_NAME].string;
	Slice		account = user[USER_ACCOUNT_ID].string;
	Slice		principal_id = user[USER_PRINCIPAL_ID].string;
	Slice		invoked_by = user[USER_INVOKED_BY].string;

#define TYPE_IS(name) \
	(type.len == sizeof(name) - 1 && memcmp(type.s, name, sizeof(name) - 1) == 0)

	if (TYPE_IS("IAMUser"))
	{
		event->kind = KIND_USER;
		event->identity = arn;
		if (arn.s == NULL)
			event->identity = name.s != NULL ?
				iam_arn(doc, user, event, ":user/", name) : principal_id;
	}
	else if (TYPE_IS("AssumedRole"))
		identify_assumed_role(user, event, reason);
	else if (TYPE_IS("AWSService") ||
			 (type.s == NULL && invoked_by.s != NULL))
	{
		event->kind = KIND_SERVICE;
		event->identity = slice_or(invoked_by, event->service);
	}
	else if (TYPE_IS("Root"))
	{
		event->kind = KIND_ROOT;
		event->identity = arn.s ? arn : iam_arn(doc, user, event, ":root", SLICE_NONE);
	}
	else if (TYPE_IS("FederatedUser"))
	{
		event->kind = KIND_FEDERATED_USER;
		event->identity = slice_or(arn, principal_id);
	}
	else if (TYPE_IS("SAMLUser") || TYPE_IS("WebIdentityUser"))
	{
		event->kind = TYPE_IS("SAMLUser") ? KIND_FEDERATED_USER : kind_of_web_identity(user);
		event->identity = slice_or(principal_id, name);
	}
	else if (TYPE_IS("IdentityCenterUser"))
	{
		JsonbContainer *person = field_actor(&user[USER_ON_BEHALF_OF],
											 "userIdentity.onBehalfOf", reason);

		event->kind = KIND_FEDERATED_USER;
		event->identity = slice_or(FIELD_STRING(person, "userId"), principal_id);
	}
	else if (TYPE_IS("AWSAccount"))
	{
		event->kind = KIND_ACCOUNT;
		event->identity = slice_or(arn, slice_or(principal_id, account));
	}
	else
	{
		event->kind = KIND_UNKNOWN;
		event->identity = slice_or(slice_or(arn, principal_id),
								   slice_or(name,
											account));
		if (event->identity.s == NULL && type.s == NULL &&
			slice_is(FIELD_STRING(doc, "eventType"), "AwsServiceEvent"))
		{
			event->kind = KIND_SERVICE;
			event->identity = event->service;
		}
	}
}

/* 200, 204: some services write the code of what succeeded, too. */
static bool
is_success_code(Slice code)
{
	return code.len == 3 && code.s[0] == '2' &&
		isdigit((unsigned char) code.s[1]) && isdigit((unsigned char) code.s[2]);
}

/* {"ConsoleLogin": "Failure"}, as sign-in writes it */
static bool
response_says_failure(const Field *response, Slice operation)
{
	JsonbContainer *object = response->object;
	JsonbValue	value;

	/* text is not opened for what it cannot say */
	if (object == NULL && response->string.s != NULL &&
		(slice_contains(response->string, "Failure") || slice_contains(response->string, "\\u")))
		object = container_in_text(response->string, false);
	return object != NULL &&
		getKeyJsonValueFromContainer(object, operation.s, operation.len, &value) != NULL &&
		value.type == jbvString &&
		slice_is((Slice) {value.val.string.val, value.val.string.len}, "Failure");
}

/* For whom the identity acted, where the log says so; each once. */
static Slice
find_acting_for(const Field *user, Slice identity)
{
	JsonbContainer *session = field_as_object(&user[USER_SESSION_CONTEXT]);
	JsonbContainer *person = field_as_object(&user[USER_ON_BEHALF_OF]);
	Slice		named[] = {FIELD_STRING(session, "sourceIdentity"), FIELD_STRING(person, "userId"),
	user[USER_INVOKED_BY].string};
	Slice		found = SLICE_NONE;

	for (int i = 0; i < lengthof(named); i++)
		if (named[i].s != NULL && !slice_equal(named[i], identity))
			found = slice_listed(found, named[i]);
	return found;
}

static void
read_details(JsonbContainer *doc, JsonbContainer *identity, const Field *user, Event *event)
{
	Field		details[DETAIL_FIELD_COUNT];
	Slice		access_key = FIELD_STRING(identity, "accessKeyId");

	fields_read(doc, &detail_fields, details);
	event->event_id = details[DETAIL_EVENT_ID].string;
	event->source = details[DETAIL_SOURCE_IP].string;
	event->user_agent = details[DETAIL_USER_AGENT].string;
	event->region = details[DETAIL_REGION].string;
	event->acting_for = find_acting_for(user, event->identity);
	/* those of sessions begin with ASIA, and are new each time */
	if (slice_starts(access_key, "AKIA"))
		event->access_key = access_key;
}

/* The part of eventSource that names the service. */
static void
cut_domain(Slice *service)
{
	static const Slice domains[] = {SLICE_LITERAL(".amazonaws.com"), SLICE_LITERAL(".amazonaws.com.cn")};

	for (int i = 0; i < lengthof(domains); i++)
		if (service->len > domains[i].len && slice_ends(*service, domains[i].s))
		{
			service->len -= domains[i].len;
			return;
		}
}

const char *
event_read_aws(JsonbContainer *doc, const Field *root, EventDepth depth, Event *event)
{
	Field		user[USER_FIELD_COUNT];
	Slice		time = root[ROOT_EVENT_TIME].string;
	const char *reason = NULL;
	JsonbContainer *identity;

	event->provider = PROVIDER_AWS;
	event->service = root[ROOT_EVENT_SOURCE].string;
	if (event->service.s == NULL)
		return "eventSource is missing or no string";
	event->operation = root[ROOT_EVENT_NAME].string;
	if (event->operation.s == NULL)
		return "eventName is missing or no string";
	if (time.s == NULL)
		return "eventTime is missing or no string";
	identity = field_actor(&root[ROOT_USER_IDENTITY], "userIdentity", &reason);
	if (identity == NULL)
		return reason != NULL ? reason : "userIdentity is missing or no object";
	if (!rfc3339_read(time.s, time.len, &event->time, &event->day))
		return time_reason("eventTime", time);
	fields_read(identity, &user_fields, user);
	event->account = slice_or(root[ROOT_RECIPIENT_ACCOUNT_ID].string,
							  user[USER_ACCOUNT_ID].string);
	if (event->account.s == NULL)
		return "no account: recipientAccountId and userIdentity.accountId are missing or no strings";
	identify(doc, user, event, &reason);
	if (reason != NULL)
		return reason;
	if (event->identity.s == NULL)
		return "no identity results from userIdentity";

	cut_domain(&event->service);
	event->error_code = root[ROOT_ERROR_CODE].string;
	event->failed = (event->error_code.s != NULL && !is_success_code(event->error_code)) ||
		root[ROOT_ERROR_MESSAGE].string.s != NULL ||
		response_says_failure(&root[ROOT_RESPONSE], event->operation);

	if (depth == EVENT_FULL)
		read_details(doc, identity, user, event);
	return NULL;
}
