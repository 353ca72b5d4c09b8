/*-------------------------------------------------------------------------
 *
 * documents.c
 *		Makes odd documents of real ones, and has iamwatch read them.
 *
 * Loaded into a server of a test's own, never installed.  Documents are
 * changed in structure (fields dropped, doubled, exchanged, of other types)
 * and in their text, byte by byte.  What one function of iamwatch says of a
 * document must agree with what the others say; an error, or a disagreement,
 * is raised with the document.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "../../src/server/compat.h"
#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "common/pg_prng.h"
#include "executor/executor.h"
#include "fmgr.h"
#include "funcapi.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "parser/parse_func.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/memutils.h"
#include "utils/numeric.h"

PG_MODULE_MAGIC;

PG_FUNCTION_INFO_V1(fuzz_documents);
PG_FUNCTION_INFO_V1(fuzz_read);

static pg_prng_state prng;
static Jsonb **seeds;
static char **texts;			/* of the seeds */
static int	nseeds;

static uint32
draw(uint32 below)
{
	return (uint32) pg_prng_uint64_range(&prng, 0, below - 1);
}

#define ONE_IN(n) (draw(n) == 0)

/* ---- odd values ---- */

static const char *const names[] = {
	"eventTime", "eventSource", "eventName", "eventID", "recipientAccountId", "userIdentity",
	"type", "arn", "principalId", "accountId", "userName", "invokedBy", "sessionContext",
	"sessionIssuer", "onBehalfOf", "userId", "errorCode", "requestParameters", "awsRegion",
	"sourceIPAddress", "userAgent", "protoPayload", "serviceName", "methodName", "timestamp",
	"authenticationInfo", "principalEmail", "principalSubject", "requestMetadata", "callerIp",
	"callerSuppliedUserAgent", "resource", "labels", "project_id", "logName", "status", "code",
	"insertId", "resourceName", "location", "roleName", "category", "operationName", "properties",
	"activityDisplayName", "activityDateTime", "initiatedBy", "user", "app", "userPrincipalName",
	"targetResources", "additionalDetails", "tenantId", "resourceId", "time", "identity", "claims",
	"caller", "resultType", "Type", "errorMessage", "responseElements", "eventType", "identityProvider",
	"operation", "last", "first", "useridentity", "sessioncontext", "authenticationinfo", "InitiatedBy",
	"Claims", "authorization", "serviceAccountDelegationInfo", "sourceIdentity", "CreateUser", "Records",
	"digestS3Bucket", "", "\"; DROP TABLE log; --"
};

static const char *const strings[] = {
	"", " ", "Root", "IAMUser", "AssumedRole", "FederatedUser", "SAMLUser", "WebIdentityUser",
	"IdentityCenterUser", "AWSService", "AWSAccount", "Unknown", "anonymous",
	"2026-03-01T08:00:00Z", "2026-03-01t08:00:60.9999999+23:59", "2026-02-29T08:00:00Z",
	"0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59Z", "2026-03-01", "now", "infinity",
	"arn:aws:sts::1:assumed-role/Admin/i-0123456789abcdef0",
	"arn:aws-cn:sts::1:assumed-role/AWSReservedSSO_Admin_1/ann@example.org",
	"arn:aws:sts::1:assumed-role//x", "arn:aws:sts::1:assumed-role/x", "arn:aws:sts::", "arn:",
	"arn:aws:iam::1:role/aws-service-role/x/AWSServiceRoleForX", "AROA:i-01234567", "AROA:", ":",
	"/", "a/b", "projects//logs/x", "projects/p", "organizations/1/logs/x",
	"service-12@x.gserviceaccount.com", "service-@x", "x@gcp-sa-y.iam.gserviceaccount.com",
	"1@cloudservices.gserviceaccount.com", "x@p.iam.gserviceaccount.com", "system:serviceaccount:a:b",
	"system:kubelet", "principal://iam.googleapis.com/workloadIdentityPools/x", "principal://x",
	"iam.amazonaws.com", ".amazonaws.com", "iam", "CreateUser", "SetIamPolicy",
	"google.iam.admin.v1.SetIAMPolicy", "192.0.2.1", "2001:db8::1", "999.1.1.1", "::", "AWS Internal",
	"'; DROP TABLE iamwatch.alerts; --", "$$", "\\", "\"", "\t\r\n\001", "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80",
	"AuditLogs", "Administrative", "MICROSOFT.AUTHORIZATION/ROLEASSIGNMENTS/WRITE", "Add member to role",
	"/subscriptions/", "/TENANTS/x/", "a#EXT#@b", "%s%n%d", "{}", "null",
	"2026-03-01 08:00:00", "2026-03-01 08:00:00.5 UTC", "2026-03-01T08:00:00+0530", "2026-03-01T08:00:00-05",
	"2026-03-01T08:00:00+05:3", "1/9/2026 9:41:00 AM", "Failure", "200", "2000", "AwsServiceEvent",
	"kms.amazonaws.com.cn", "cn-north-1", "us-gov-west-1", "arn:aws-us-gov:iam::1:oidc-provider/o:s",
	"arn:aws:iam::1:role/x/AWSReservedSSO_Admin_0123456789abcdef",
	"arn:aws:sts::1:assumed-role/AWSReservedSSO_Admin_0123456789abcdef/Ann@Example.org",
	"user:ann@example.org", "serviceAccount:x@p.iam.gserviceaccount.com", "user:", "{type=IAMUser, arn=a}",
	"{\"userPrincipalName\": \"ann@example.org\"}", "[{\"a\": 1}]", " {\"arn\": \"arn:x\"} ", "{\"a\\u0000\": 1}",
	"81.2.69.142, 10.0.0.1", "[2001:db8::1]:443", "192.0.2.1:443", ",", "private"
};

static const char *const numbers[] = {
	"0", "-0", "0.000", "7", "-1", "0.5", "1e-20", "1e400", "-9223372036854775809",
	"123456789012345678901234567890.000000001"
};

static void
set_string(JsonbValue *value, char *s)
{
	value->type = jbvString;
	value->val.string.val = s;
	value->val.string.len = strlen(s);
}

/* A position where a character begins. */
static int
boundary(const char *s, int len)
{
	int			at = draw(len + 1);

	while (at > 0 && at < len && IS_HIGHBIT_SET(s[at]))
		at--;
	return at;
}

static char *
odd_string(const char *s, int len)
{
	const char *other = strings[draw(lengthof(strings))];
	StringInfoData text;
	int			at = boundary(s, len);
	int			to = boundary(s, len);

	if (ONE_IN(3))
		return pstrdup(other);
	initStringInfo(&text);
	switch (draw(5))
	{
		case 0:					/* its beginning */
			appendBinaryStringInfo(&text, s, at);
			break;
		case 1:					/* its end */
			appendBinaryStringInfo(&text, s + at, len - at);
			break;
		case 2:					/* with another inside */
			appendBinaryStringInfo(&text, s, at);
			appendStringInfoString(&text, other);
			appendBinaryStringInfo(&text, s + at, len - at);
			break;
		case 3:					/* with a character changed */
			appendBinaryStringInfo(&text, s, len);
			if (at < len && !IS_HIGHBIT_SET(s[at]))
				text.data[at] = ' ' + draw(95);
			break;
		default:				/* with a part of it many times */
			appendBinaryStringInfo(&text, s, len);
			for (int n = ONE_IN(100) ? 2000 : draw(4); n > 0 && at < to; n--)
				appendBinaryStringInfo(&text, s + at, to - at);
			break;
	}
	return text.data;
}

static void
odd_value(JsonbValue *value, const JsonbValue *old)
{
	memset(value, 0, sizeof(*value));
	switch (draw(8))
	{
		case 0:
			value->type = jbvNull;
			break;
		case 1:
			value->type = jbvBool;
			value->val.boolean = ONE_IN(2);
			break;
		case 2:
			value->type = jbvNumeric;
			value->val.numeric = DatumGetNumeric(DirectFunctionCall3(numeric_in,
																	 CStringGetDatum(numbers[draw(lengthof(numbers))]),
																	 ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1)));
			break;
		case 3:					/* another whole document */
			value->type = jbvBinary;
			value->val.binary.data = &seeds[draw(nseeds)]->root;
			value->val.binary.len = 0;
			break;
		default:
			if (old->type == jbvString)
				set_string(value, odd_string(old->val.string.val, old->val.string.len));
			else
				set_string(value, pstrdup(strings[draw(lengthof(strings))]));
			break;
	}
}

/* ---- odd documents ---- */

static bool all_lower;			/* every name, as warehouses deliver them */

static void
lower_string(JsonbValue *value)
{
	char	   *lower = pnstrdup(value->val.string.val, value->val.string.len);

	for (int i = 0; i < value->val.string.len; i++)
		lower[i] = pg_ascii_tolower((unsigned char) lower[i]);
	value->val.string.val = lower;
}

static JsonbValue *put_container(JsonbParseState **state, JsonbContainer *container, int oddity, int depth);

static void
put_value(JsonbParseState **state, JsonbIteratorToken token, JsonbValue *value, int oddity, int depth)
{
	JsonbValue	odd;

	if (value->type == jbvBinary && ONE_IN(oddity))
	{
		/* the text of an object or array */
		memset(&odd, 0, sizeof(odd));
		set_string(&odd, JsonbToCString(NULL, value->val.binary.data, 64));
		value = &odd;
	}
	else if (ONE_IN(oddity))
	{
		odd_value(&odd, value);
		value = &odd;
	}
	if (value->type == jbvBinary && depth < 20)
		put_container(state, value->val.binary.data, oddity, depth + 1);
	else
		pushJsonbValue(state, token, value);
}

/* A copy in which one value in oddity is another. */
static JsonbValue *
put_container(JsonbParseState **state, JsonbContainer *container, int oddity, int depth)
{
	JsonbIterator *it = JsonbIteratorInit(container);
	JsonbIteratorToken token;
	JsonbValue	value;
	JsonbValue	key;
	JsonbValue *result = NULL;

	while ((token = JsonbIteratorNext(&it, &value, true)) != WJB_DONE)
	{
		switch (token)
		{
			case WJB_KEY:
				key = value;
				token = JsonbIteratorNext(&it, &value, true);
				if (ONE_IN(oddity * 2))
					break;		/* dropped */
				if (ONE_IN(oddity * 2))
					set_string(&key, pstrdup(names[draw(lengthof(names))]));
				if (all_lower || ONE_IN(oddity))
					lower_string(&key);
				pushJsonbValue(state, WJB_KEY, &key);
				put_value(state, WJB_VALUE, &value, oddity, depth);
				break;
			case WJB_ELEM:
				for (int n = ONE_IN(oddity * 2) ? 3 : 1; n > 0; n--)
					put_value(state, WJB_ELEM, &value, oddity, depth);
				break;
			case WJB_BEGIN_OBJECT:
			case WJB_BEGIN_ARRAY:
				pushJsonbValue(state, token, NULL);
				break;
			default:
				if (token == WJB_END_OBJECT && ONE_IN(oddity))
				{
					set_string(&key, pstrdup(names[draw(lengthof(names))]));
					memset(&value, 0, sizeof(value));
					pushJsonbValue(state, WJB_KEY, &key);
					odd_value(&value, &key);
					pushJsonbValue(state, WJB_VALUE, &value);
				}
				result = pushJsonbValue(state, token, NULL);
				break;
		}
	}
	return result;
}

/* The text of a seed with bytes changed; NULL when it is no JSON any more. */
static Jsonb *
odd_text(int seed)
{
	MemoryContext context = CurrentMemoryContext;
	char	   *text = pstrdup(texts[seed]);
	int			len = strlen(text);
	Jsonb	   *volatile result = NULL;

	for (int n = draw(8) + 1; n > 0 && len > 0; n--)
	{
		int			at = draw(len);

		switch (draw(4))
		{
			case 0:
				text[at] = (char) (1 + draw(255));
				break;
			case 1:
				text[at] = "{}[]\",:\\0123456789eE+-.tfnu "[draw(28)];
				break;
			case 2:
				memmove(text + at, text + at + 1, len - at);
				len--;
				break;
			default:
				text[at] ^= 1 << draw(7);
				if (text[at] == '\0')
					text[at] = '0';
				break;
		}
	}
	if (!pg_verifymbstr(text, len, true))
		return NULL;
	PG_TRY();
	{
		result = DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum(text)));
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(context);
		FlushErrorState();
	}
	PG_END_TRY();
	return result;
}

static Jsonb *
odd_document(void)
{
	int			seed = draw(nseeds);
	JsonbParseState *state = NULL;
	JsonbValue *value;

	if (ONE_IN(4))
		return odd_text(seed);
	all_lower = ONE_IN(8);
	value = put_container(&state, &seeds[seed]->root, 2 << draw(8), 0);
	return JsonbValueToJsonb(value);
}

static void
take_arguments(FunctionCallInfo fcinfo)
{
	Datum	   *elements;

	deconstruct_array(PG_GETARG_ARRAYTYPE_P(0), JSONBOID, -1, false, TYPALIGN_INT,
					  &elements, NULL, &nseeds);
	if (nseeds == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("no documents to begin with")));
	seeds = palloc(nseeds * sizeof(Jsonb *));
	texts = palloc(nseeds * sizeof(char *));
	for (int i = 0; i < nseeds; i++)
	{
		seeds[i] = DatumGetJsonbPCopy(elements[i]);
		texts[i] = JsonbToCString(NULL, &seeds[i]->root, VARSIZE(seeds[i]));
	}
	pg_prng_seed(&prng, (uint64) PG_GETARG_INT64(1));
}

/* documents(seeds jsonb[], seed bigint, inputs bigint) RETURNS SETOF jsonb */
Datum
fuzz_documents(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	MemoryContext work;
	MemoryContext outer;

	take_arguments(fcinfo);
	InitMaterializedSRF(fcinfo, MAT_SRF_USE_EXPECTED_DESC);
	work = AllocSetContextCreate(CurrentMemoryContext, "fuzz", ALLOCSET_DEFAULT_SIZES);
	outer = MemoryContextSwitchTo(work);
	for (int64 i = 0; i < PG_GETARG_INT64(2);)
	{
		Jsonb	   *document = odd_document();

		if (document != NULL)
		{
			Datum		value = JsonbPGetDatum(document);
			bool		isnull = false;

			tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, &value, &isnull);
			i++;
		}
		MemoryContextReset(work);
		CHECK_FOR_INTERRUPTS();
	}
	MemoryContextSwitchTo(outer);
	MemoryContextDelete(work);
	return (Datum) 0;
}

/* ---- what is said of them ---- */

static void
find(const char *schema, const char *name, Oid argument, FmgrInfo *function)
{
	fmgr_info(LookupFuncName(list_make2(makeString(pstrdup(schema)), makeString(pstrdup(name))),
							 1, &argument, false), function);
}

static Datum
call(FmgrInfo *function, Datum argument, bool *isnull)
{
	LOCAL_FCINFO(fcinfo, 1);
	Datum		result;

	InitFunctionCallInfoData(*fcinfo, function, 1, InvalidOid, NULL, NULL);
	fcinfo->args[0].value = argument;
	fcinfo->args[0].isnull = false;
	result = FunctionCallInvoke(fcinfo);
	*isnull = fcinfo->isnull;
	return result;
}

static void
must(bool holds, const char *rule)
{
	if (!holds)
		ereport(ERROR,
				(errcode(ERRCODE_ASSERT_FAILURE),
				 errmsg("does not hold: %s", rule)));
}

/* Fields of two records that are both null or alike as text. */
static void
must_agree(HeapTupleHeader a, int i, HeapTupleHeader b, int j, const char *rule)
{
	bool		a_null,
				b_null;
	Datum		x = GetAttributeByNum(a, i, &a_null);
	Datum		y = GetAttributeByNum(b, j, &b_null);

	must(a_null == b_null &&
		 (a_null || strcmp(TextDatumGetCString(x), TextDatumGetCString(y)) == 0), rule);
}

static void
tell_document(void *document)
{
	errdetail("Document: %s", JsonbToCString(NULL, &((Jsonb *) document)->root, 1024));
}

typedef struct Functions
{
	FmgrInfo	parse;
	FmgrInfo	unreadable;
	FmgrInfo	news;
	FmgrInfo	mark;
	FmgrInfo	key_fields;
} Functions;

/* Whether it is readable. */
static bool
check_document(Functions *f, Jsonb *document)
{
	bool		parse_null,
				unreadable_null,
				isnull;
	Datum		event = call(&f->parse, JsonbPGetDatum(document), &parse_null);
	HeapTupleHeader mark;
	Datum		key;

	(void) call(&f->unreadable, JsonbPGetDatum(document), &unreadable_null);
	must(parse_null == !unreadable_null, "unreadable() has a reason exactly for what parse() cannot read");
	must(DatumGetBool(call(&f->news, JsonbPGetDatum(document), &isnull)) && !isnull,
		 "an event that nobody has learned is news");

	mark = DatumGetHeapTupleHeader(call(&f->mark, JsonbPGetDatum(document), &isnull));
	key = GetAttributeByNum(mark, 1, &isnull);
	must(isnull || !parse_null, "what cannot be read has no mark");
	if (!isnull)
	{
		HeapTupleHeader fields = DatumGetHeapTupleHeader(call(&f->key_fields, key, &isnull));
		HeapTupleHeader read = DatumGetHeapTupleHeader(event);
		bool		no_operation;

		must_agree(read, 1, fields, 1, "a mark has the provider of the event");
		must_agree(read, 2, fields, 2, "a mark has the account of the event");
		must_agree(read, 5, fields, 3, "a mark has the identity of the event");
		(void) GetAttributeByNum(fields, 6, &no_operation);
		if (!no_operation)
		{
			must_agree(read, 8, fields, 5, "a mark has the service of the event");
			must_agree(read, 9, fields, 6, "a mark has the operation of the event");
			must(GetAttributeByNum(read, 10, &isnull) == GetAttributeByNum(fields, 7, &isnull),
				 "a mark tells whether the event failed");
		}
		must(GetAttributeByNum(mark, 2, &isnull) == GetAttributeByNum(read, 4, &isnull),
			 "a mark has the time of the event");
	}
	return !parse_null;
}

/* read(seeds jsonb[], seed bigint, inputs bigint): {inputs, documents, readable} */
Datum
fuzz_read(PG_FUNCTION_ARGS)
{
	MemoryContext work;
	MemoryContext outer;
	Functions	f;
	ErrorContextCallback context = {.callback = tell_document};
	int64		count[3] = {PG_GETARG_INT64(2), 0, 0};
	Datum		result[3];

	take_arguments(fcinfo);
	find("iamwatch", "parse", JSONBOID, &f.parse);
	find("iamwatch", "unreadable", JSONBOID, &f.unreadable);
	find("iamwatch_internal", "may_be_new", JSONBOID, &f.news);
	find("iamwatch_internal", "baseline_key", JSONBOID, &f.mark);
	find("iamwatch_internal", "baseline_key_fields", BYTEAOID, &f.key_fields);

	work = AllocSetContextCreate(CurrentMemoryContext, "fuzz", ALLOCSET_DEFAULT_SIZES);
	outer = MemoryContextSwitchTo(work);
	for (int64 i = 0; i < count[0]; i++)
	{
		Jsonb	   *document = odd_document();

		if (document != NULL)
		{
			context.arg = document;
			context.previous = error_context_stack;
			error_context_stack = &context;
			count[1]++;
			count[2] += check_document(&f, document);
			error_context_stack = context.previous;
		}
		MemoryContextReset(work);
		CHECK_FOR_INTERRUPTS();
	}
	MemoryContextSwitchTo(outer);
	MemoryContextDelete(work);
	for (int i = 0; i < 3; i++)
		result[i] = Int64GetDatum(count[i]);
	PG_RETURN_ARRAYTYPE_P(construct_array(result, 3, INT8OID, sizeof(int64), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
}
