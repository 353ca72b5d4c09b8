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

/* Fields of requestParameters that name what an IAM operation acts on. */
static const char *const target_fields[] = {
	"userName", "roleName", "groupName", "policyArn", "policyName",
	"instanceProfileName", "serverCertificateName", "sAMLProviderArn",
	"openIDConnectProviderArn", "roleArn", "resourceArn", "keyId", "bucketName",
	"functionName", "snapshotId", "imageId", "dBSnapshotIdentifier",
	"secretId", "topicArn", "queueUrl", "accountId", "targetId", "name"
};

/* Of the record, beyond what event_read() has looked up. */
typedef enum DetailField
{
	DETAIL_EVENT_ID,
	DETAIL_REGION,
	DETAIL_USER_AGENT,
	DETAIL_SOURCE_IP,
	DETAIL_REQUEST,
	DETAIL_FIELD_COUNT
} DetailField;

static const Slice detail_names[DETAIL_FIELD_COUNT] = {
	[DETAIL_EVENT_ID] = SLICE_LITERAL("eventID"),
	[DETAIL_REGION] = SLICE_LITERAL("awsRegion"),
	[DETAIL_USER_AGENT] = SLICE_LITERAL("userAgent"),
	[DETAIL_SOURCE_IP] = SLICE_LITERAL("sourceIPAddress"),
	[DETAIL_REQUEST] = SLICE_LITERAL("requestParameters")
};

static const FieldKeys detail_fields = {detail_names, DETAIL_FIELD_COUNT, NULL};

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
	[USER_SESSION_CONTEXT] = SLICE_LITERAL("sessionContext")
};

static KeyLayout user_layouts[LAYOUTS];
static const FieldKeys user_fields = {user_names, USER_FIELD_COUNT, user_layouts};

typedef struct AssumedRole
{
	Slice		role;			/* ARN, or principalId */
	Slice		name;			/* last part of the role's path */
	Slice		session;
} AssumedRole;

/* Position of the next ch in slice at or after from, or -1. */
static int
slice_find(Slice slice, char ch, int from)
{
	const char *p = from < slice.len ?
		memchr(slice.s + from, ch, slice.len - from) : NULL;

	return p ? (int) (p - slice.s) : -1;
}

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
read_assumed_role(const Field *user, AssumedRole *assumed)
{
	JsonbContainer *issuer = FIELD_OBJECT(user[USER_SESSION_CONTEXT].object, "sessionIssuer");
	Slice		principal_id = user[USER_PRINCIPAL_ID].string;
	Slice		built;
	int			name = 0;

	split_assumed_role_arn(user[USER_ARN].string, &built, &assumed->session);
	assumed->role = slice_or(FIELD_STRING(issuer, "arn"), slice_or(built, principal_id));

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

static void
identify_assumed_role(const Field *user, Event *event)
{
	AssumedRole assumed;

	read_assumed_role(user, &assumed);
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
		if (assumed.session.s != NULL)
			event->identity = slice_join(3, (Slice[])
										 {
											 assumed.role,
											 SLICE_LITERAL("/"),
											 assumed.session
										 });
	}
}

static Slice
iam_arn(Slice account, const char *resource, Slice name)
{
	return slice_join(5, (Slice[])
					  {
						  SLICE_LITERAL("arn:aws:iam::"),
						  account,
						  SLICE_LITERAL(":"),
						  {resource, strlen(resource)},
						  {name.s ? name.s : "", name.len}
					  });
}

/* The table of detection.md, Identity, row by row. */
static void
identify(const Field *user, Event *event)
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
		if (arn.s == NULL && account.s != NULL && name.s != NULL)
			event->identity = iam_arn(account, "user/", name);
	}
	else if (TYPE_IS("AssumedRole"))
		identify_assumed_role(user, event);
	else if (TYPE_IS("AWSService") ||
			 (type.s == NULL && invoked_by.s != NULL))
	{
		event->kind = KIND_SERVICE;
		event->identity = invoked_by;
	}
	else if (TYPE_IS("Root"))
	{
		event->kind = KIND_ROOT;
		event->identity = arn.s ? arn : iam_arn(event->account, "root", SLICE_NONE);
	}
	else if (TYPE_IS("FederatedUser"))
	{
		event->kind = KIND_FEDERATED_USER;
		event->identity = slice_or(arn, principal_id);
	}
	else if (TYPE_IS("SAMLUser") || TYPE_IS("WebIdentityUser"))
	{
		event->kind = KIND_FEDERATED_USER;
		event->identity = slice_or(principal_id, name);
	}
	else if (TYPE_IS("IdentityCenterUser"))
	{
		event->kind = KIND_FEDERATED_USER;
		event->identity = slice_or(FIELD_STRING(user[USER_ON_BEHALF_OF].object, "userId"),
								   principal_id);
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
	}
}

static void
read_details(JsonbContainer *doc, JsonbContainer *user, Event *event)
{
	Field		details[DETAIL_FIELD_COUNT];
	Slice		access_key = FIELD_STRING(user, "accessKeyId");

	fields_read(doc, &detail_fields, details);
	event->event_id = details[DETAIL_EVENT_ID].string;
	event->source_ip = details[DETAIL_SOURCE_IP].string;
	event->user_agent = details[DETAIL_USER_AGENT].string;
	event->region = details[DETAIL_REGION].string;
	/* those of sessions begin with ASIA, and are new each time */
	if (slice_starts(access_key, "AKIA"))
		event->access_key = access_key;
	for (int i = 0; i < lengthof(target_fields) && event->target.s == NULL; i++)
		event->target = field_string(details[DETAIL_REQUEST].object,
									 target_fields[i], strlen(target_fields[i]));
}

const char *
event_read_aws(JsonbContainer *doc, const Field *root, EventDepth depth, Event *event)
{
	static const char suffix[] = ".amazonaws.com";
	Field		user[USER_FIELD_COUNT];
	Slice		time = root[ROOT_EVENT_TIME].string;

	event->provider = PROVIDER_AWS;
	event->service = root[ROOT_EVENT_SOURCE].string;
	if (event->service.s == NULL)
		return "eventSource is missing";
	event->operation = root[ROOT_EVENT_NAME].string;
	if (event->operation.s == NULL)
		return "eventName is missing";
	if (time.s == NULL)
		return "eventTime is missing";
	if (root[ROOT_USER_IDENTITY].object == NULL)
		return "userIdentity is missing";
	if (!rfc3339_read(time.s, time.len, &event->time, &event->day))
		return "eventTime is not a time in RFC 3339";
	fields_read(root[ROOT_USER_IDENTITY].object, &user_fields, user);
	event->account = slice_or(root[ROOT_RECIPIENT_ACCOUNT_ID].string,
							  user[USER_ACCOUNT_ID].string);
	if (event->account.s == NULL)
		return "no account: recipientAccountId and userIdentity.accountId are missing";
	identify(user, event);
	if (event->identity.s == NULL)
		return "no identity results from userIdentity";

	if (slice_ends(event->service, suffix) && event->service.len > sizeof(suffix) - 1)
		event->service.len -= sizeof(suffix) - 1;
	event->error_code = root[ROOT_ERROR_CODE].string;
	event->failed = event->error_code.s != NULL;

	if (depth == EVENT_FULL)
		read_details(doc, root[ROOT_USER_IDENTITY].object, event);
	return NULL;
}
