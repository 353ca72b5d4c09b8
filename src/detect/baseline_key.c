/*-------------------------------------------------------------------------
 *
 * baseline_key.c
 *		What an event adds to the baselines, as one key and a time, for runs
 *		over stored history.
 *
 * To group a table by account, identity, kind and operation costs less with
 * one short key a row than with seven columns of text.  The key of an event
 * that is no IAM operation has no operation, so there are few of them.
 *
 * Key: a byte for the provider, and its name if it is a user's own (each worker
 * of a parallel query numbers those for itself); account; identity; for an IAM
 * operation service and operation, each text after its length in four bytes;
 * then a byte for flags and one for the kind of identity.  In the order of its
 * bytes, the keys of an account, of an identity in it, and of a behaviour of the
 * identity are next to each other.  A key lives no longer than a statement or a
 * temporary table.  Owns that form; what it is used for is SQL's.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "config/catalogue.h"
#include "detect/baseline_key.h"
#include "event/limits.h"
#include "event/providers.h"
#include "fmgr.h"
#include "funcapi.h"
#include "mb/pg_wchar.h"
#include "server/compat.h"
#include "server/source.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

PG_FUNCTION_INFO_V1(iamwatch_baseline_key);
PG_FUNCTION_INFO_V1(iamwatch_baseline_key_fields);
PG_FUNCTION_INFO_V1(iamwatch_event_details);

#define KEY_FAILED		0x01	/* flags */
#define KEY_OPERATION	0x02
#define KEY_HEAD		1
#define KEY_TAIL		2

TupleDesc
baseline_key_desc(FunctionCallInfo fcinfo)
{
	MemoryContext outer = MemoryContextSwitchTo(fcinfo->flinfo->fn_mcxt);
	TupleDesc	desc;

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("function returning record called in context that cannot accept type record")));
	desc = BlessTupleDesc(desc);
	MemoryContextSwitchTo(outer);
	return desc;
}

/* Kept for the calls of one expression. */
static TupleDesc
result_desc(FunctionCallInfo fcinfo)
{
	if (fcinfo->flinfo->fn_extra == NULL)
		fcinfo->flinfo->fn_extra = baseline_key_desc(fcinfo);
	return fcinfo->flinfo->fn_extra;
}

static char *
put_slice(char *at, Slice slice)
{
	int32		len = slice.len;

	memcpy(at, &len, sizeof(len));
	memcpy(at + sizeof(len), slice.s, len);
	return at + sizeof(len) + len;
}

/* Of a user's own provider; missing for the others. */
static Slice
own_name(const Event *event)
{
	const char *name = provider_names[event->provider];

	return event->provider < PROVIDER_OWN ? SLICE_NONE : (Slice) {name, strlen(name)};
}

Size
baseline_key_size(const Event *event, const Operation *operation)
{
	Slice		name = own_name(event);

	return KEY_HEAD + KEY_TAIL + (name.s != NULL ? sizeof(int32) + name.len : 0) +
		2 * sizeof(int32) + event->account.len + event->identity.len +
		(operation != NULL ? 2 * sizeof(int32) + event->service.len + event->operation.len : 0);
}

void
baseline_key_write(const Event *event, const Operation *operation, char *key)
{
	Slice		name = own_name(event);
	char	   *at = key;

	*at++ = name.s != NULL ? PROVIDER_OWN : event->provider;
	if (name.s != NULL)
		at = put_slice(at, name);
	at = put_slice(at, event->account);
	at = put_slice(at, event->identity);
	if (operation != NULL)
	{
		at = put_slice(at, event->service);
		at = put_slice(at, event->operation);
	}
	*at++ = operation != NULL ? KEY_OPERATION | (event->failed ? KEY_FAILED : 0) : 0;
	*at++ = event->kind;
	Assert(at == key + baseline_key_size(event, operation));
}

static bytea *
make_key(const Event *event)
{
	const Operation *operation = catalogue_find(event->provider, event->service, event->operation);
	Size		size = baseline_key_size(event, operation);
	bytea	   *key = palloc(VARHDRSZ + size);

	SET_VARSIZE(key, VARHDRSZ + size);
	baseline_key_write(event, operation, VARDATA(key));
	return key;
}

/*
 * baseline_key(jsonb, OUT key bytea, OUT at timestamptz): both null for what is
 * refused.
 */
Datum
iamwatch_baseline_key(PG_FUNCTION_ARGS)
{
	TupleDesc	desc = result_desc(fcinfo);
	Datum		values[2] = {0};
	bool		nulls[2] = {true, true};
	Event		event;

	source_tick();
	catalogue_load();
	if (limits_refusal(PG_ARGISNULL(0) ? NULL : PG_GETARG_JSONB_P(0), &event) == NULL)
	{
		values[0] = PointerGetDatum(make_key(&event));
		values[1] = TimestampTzGetDatum(event.time);
		nulls[0] = nulls[1] = false;
	}
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(desc, values, nulls)));
}

static Slice
get_slice(const char **at, const char *end)
{
	int32		len;
	Slice		slice;

	if (end - *at < (ptrdiff_t) sizeof(len))
		goto corrupt;
	memcpy(&len, *at, sizeof(len));
	*at += sizeof(len);
	if (len < 0 || len > end - *at)
		goto corrupt;
	slice.s = *at;
	slice.len = len;
	*at += len;
	return slice;

corrupt:
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
			 errmsg("invalid baseline key"),
			 errdetail("It ends before its last field.")));
}

BaselineKey
baseline_key_read(Slice key)
{
	const char *at = key.s;
	const char *end = at + key.len - KEY_TAIL;
	BaselineKey fields;

	if (end - at < KEY_HEAD || at[0] < PROVIDER_AWS || at[0] > PROVIDER_OWN ||
		end[1] < 0 || end[1] >= KIND_COUNT)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
				 errmsg("invalid baseline key")));
	memset(&fields, 0, sizeof(fields));
	fields.provider = *at++;
	fields.failed = (end[0] & KEY_FAILED) != 0;
	fields.kind = end[1];
	if (fields.provider == PROVIDER_OWN)
		fields.provider = provider_number(get_slice(&at, end));
	fields.account = get_slice(&at, end);
	fields.of_account = (Slice) {key.s, at - key.s};
	fields.identity = get_slice(&at, end);
	fields.of_identity = (Slice) {key.s, at - key.s};
	if (end[0] & KEY_OPERATION)
	{
		fields.service = get_slice(&at, end);
		fields.operation = get_slice(&at, end);
	}
	return fields;
}

Slice
baseline_key_behaviour(Slice key)
{
	return (Slice) {key.s, key.len - 1};
}

IdentityKind
baseline_key_kind(Slice key)
{
	return key.s[key.len - 1];
}

/* As a text; whoever made the key by hand may have put anything there. */
static Datum
field_text(Slice field)
{
	(void) pg_verify_mbstr(GetDatabaseEncoding(), field.s, field.len, false);
	return slice_text(field);
}

/*
 * baseline_key_fields(bytea, OUT provider text, OUT account text, OUT identity text,
 * OUT kinds int, OUT service text, OUT operation text, OUT failed boolean)
 */
Datum
iamwatch_baseline_key_fields(PG_FUNCTION_ARGS)
{
	TupleDesc	desc = result_desc(fcinfo);
	BaselineKey fields = baseline_key_read(slice_of_text(PG_GETARG_DATUM(0)));
	Datum		values[7] = {0};
	bool		nulls[7] = {false};

	values[0] = field_text((Slice) {provider_names[fields.provider], strlen(provider_names[fields.provider])});
	values[1] = field_text(fields.account);
	values[2] = field_text(fields.identity);
	values[3] = Int32GetDatum(1 << fields.kind);
	if (fields.operation.s != NULL)
	{
		values[4] = field_text(fields.service);
		values[5] = field_text(fields.operation);
		values[6] = BoolGetDatum(fields.failed);
	}
	else
		nulls[4] = nulls[5] = nulls[6] = true;
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(desc, values, nulls)));
}

/*
 * event_details(jsonb, OUT event_id text, OUT instance_id text, OUT source
 * text, OUT access_key text): what no key says and alerts or contexts depend
 * on, for what has a key
 */
Datum
iamwatch_event_details(PG_FUNCTION_ARGS)
{
	Event		event;
	Slice		details[4];
	Datum		values[lengthof(details)] = {0};
	bool		nulls[lengthof(details)];

	providers_load();
	if (event_read(PG_GETARG_JSONB_P(0), EVENT_FULL, &event) != NULL)
		PG_RETURN_NULL();
	limits_cut_details(&event);
	details[0] = event.event_id;
	details[1] = event.instance_id;
	details[2] = event.source;
	details[3] = event.access_key;
	for (int i = 0; i < lengthof(details); i++)
	{
		nulls[i] = details[i].s == NULL;
		if (!nulls[i])
			values[i] = slice_text(details[i]);
	}
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(result_desc(fcinfo), values, nulls)));
}
