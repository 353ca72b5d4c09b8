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

#include "field.h"
#include "rfc3339.h"

/* Fields of requestParameters that name what an IAM operation acts on. */
static const char *const target_fields[] = {
	"userName", "roleName", "groupName", "policyArn", "policyName",
	"instanceProfileName", "serverCertificateName", "sAMLProviderArn",
	"openIDConnectProviderArn", "roleArn", "resourceArn", "keyId", "bucketName",
	"functionName", "snapshotId", "imageId", "dBSnapshotIdentifier",
	"secretId", "topicArn", "queueUrl", "accountId", "targetId", "name"
};

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
read_assumed_role(JsonbContainer *user, AssumedRole *assumed)
{
	JsonbContainer *issuer = FIELD_OBJECT(FIELD_OBJECT(user, "sessionContext"), "sessionIssuer");
	Slice		principal_id = FIELD_STRING(user, "principalId");
	Slice		built;
	int			name = 0;

	split_assumed_role_arn(FIELD_STRING(user, "arn"), &built, &assumed->session);
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
identify_assumed_role(JsonbContainer *user, Event *event)
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
identify(JsonbContainer *user, Event *event)
{
	Slice		type = FIELD_STRING(user, "type");
	Slice		arn = FIELD_STRING(user, "arn");

#define TYPE_IS(name) \
	(type.len == sizeof(name) - 1 && memcmp(type.s, name, sizeof(name) - 1) == 0)
#define PRINCIPAL_ID FIELD_STRING(user, "principalId")

	if (TYPE_IS("IAMUser"))
	{
		Slice		account = FIELD_STRING(user, "accountId");
		Slice		name;

		event->kind = KIND_USER;
		event->identity = arn;
		if (arn.s == NULL && account.s != NULL &&
			(name = FIELD_STRING(user, "userName")).s != NULL)
			event->identity = iam_arn(account, "user/", name);
	}
	else if (TYPE_IS("AssumedRole"))
		identify_assumed_role(user, event);
	else if (TYPE_IS("AWSService") ||
			 (type.s == NULL && FIELD_STRING(user, "invokedBy").s != NULL))
	{
		event->kind = KIND_SERVICE;
		event->identity = FIELD_STRING(user, "invokedBy");
	}
	else if (TYPE_IS("Root"))
	{
		event->kind = KIND_ROOT;
		event->identity = arn.s ? arn : iam_arn(event->account, "root", SLICE_NONE);
	}
	else if (TYPE_IS("FederatedUser"))
	{
		event->kind = KIND_FEDERATED_USER;
		event->identity = slice_or(arn, PRINCIPAL_ID);
	}
	else if (TYPE_IS("SAMLUser") || TYPE_IS("WebIdentityUser"))
	{
		event->kind = KIND_FEDERATED_USER;
		event->identity = slice_or(PRINCIPAL_ID, FIELD_STRING(user, "userName"));
	}
	else if (TYPE_IS("IdentityCenterUser"))
	{
		event->kind = KIND_FEDERATED_USER;
		event->identity = slice_or(FIELD_STRING(FIELD_OBJECT(user, "onBehalfOf"), "userId"),
								   PRINCIPAL_ID);
	}
	else if (TYPE_IS("AWSAccount"))
	{
		event->kind = KIND_ACCOUNT;
		event->identity = slice_or(arn, slice_or(PRINCIPAL_ID, FIELD_STRING(user, "accountId")));
	}
	else
	{
		event->kind = KIND_UNKNOWN;
		event->identity = slice_or(slice_or(arn, PRINCIPAL_ID),
								   slice_or(FIELD_STRING(user, "userName"),
											FIELD_STRING(user, "accountId")));
	}
}

static void
read_details(JsonbContainer *doc, Event *event)
{
	JsonbContainer *request = FIELD_OBJECT(doc, "requestParameters");

	event->event_id = FIELD_STRING(doc, "eventID");
	event->source_ip = FIELD_STRING(doc, "sourceIPAddress");
	event->user_agent = FIELD_STRING(doc, "userAgent");
	event->region = FIELD_STRING(doc, "awsRegion");
	for (int i = 0; i < lengthof(target_fields) && event->target.s == NULL; i++)
		event->target = field_string(request, target_fields[i], strlen(target_fields[i]));
}

const char *
event_read_aws(JsonbContainer *doc, EventDepth depth, Event *event)
{
	static const char suffix[] = ".amazonaws.com";
	JsonbContainer *user = FIELD_OBJECT(doc, "userIdentity");
	Slice		time = FIELD_STRING(doc, "eventTime");

	event->provider = PROVIDER_AWS;
	event->service = FIELD_STRING(doc, "eventSource");
	if (event->service.s == NULL)
		return "eventSource is missing";
	event->operation = FIELD_STRING(doc, "eventName");
	if (event->operation.s == NULL)
		return "eventName is missing";
	if (time.s == NULL)
		return "eventTime is missing";
	if (user == NULL)
		return "userIdentity is missing";
	if (!rfc3339_read(time.s, time.len, &event->time, &event->day))
		return "eventTime is not a time in RFC 3339";
	event->account = slice_or(FIELD_STRING(doc, "recipientAccountId"),
							  FIELD_STRING(user, "accountId"));
	if (event->account.s == NULL)
		return "no account: recipientAccountId and userIdentity.accountId are missing";
	identify(user, event);
	if (event->identity.s == NULL)
		return "no identity results from userIdentity";

	if (slice_ends(event->service, suffix) && event->service.len > sizeof(suffix) - 1)
		event->service.len -= sizeof(suffix) - 1;
	event->error_code = FIELD_STRING(doc, "errorCode");
	event->failed = event->error_code.s != NULL;

	if (depth == EVENT_FULL)
		read_details(doc, event);
	return NULL;
}
