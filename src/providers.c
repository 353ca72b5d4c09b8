/*-------------------------------------------------------------------------
 *
 * providers.c
 *		The providers that users describe, as iamwatch.providers has them.
 *
 * Owns this backend's copy, which goes stale like the catalogue's does, and
 * the numbers that this backend has given to names of providers.
 *
 * The table is small and rarely read, so it is scanned as the system catalogs
 * are: without a plan, without rights, and as it is now, whatever the
 * transaction's snapshot.  It is not there before ALTER EXTENSION UPDATE has
 * made it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "providers.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"

/* The columns of iamwatch.providers, in order. */
enum
{
	COLUMN_PROVIDER = 1,
	COLUMN_RECOGNISED_BY,
	COLUMN_RECOGNISED_VALUE,
	COLUMN_ACCOUNT_PATH,
	COLUMN_ACCOUNT_DEFAULT,
	COLUMN_IDENTITY_PATH,
	COLUMN_KIND_PATH,
	COLUMN_KINDS,
	COLUMN_KIND_DEFAULT,
	COLUMN_SERVICE_PATH,
	COLUMN_SERVICE_DEFAULT,
	COLUMN_OPERATION_PATH,
	COLUMN_EVENT_TIME_PATH,
	COLUMN_EVENT_TIME_FORMAT,
	COLUMN_RESULT_PATH,
	COLUMN_SUCCESS_VALUES,
	COLUMN_ERROR_CODE_PATH,
	COLUMN_EVENT_ID_PATH,
	COLUMN_SOURCE_IP_PATH,
	COLUMN_USER_AGENT_PATH,
	COLUMN_REGION_PATH,
	COLUMN_INSTANCE_ID_PATH,
	COLUMN_TARGET_PATH
};

static const char *built_in_names[] = {"aws", "gcp", "azure"};
const char **provider_names = built_in_names;
static int	name_count = lengthof(built_in_names);

static MemoryContext providers_context = NULL;
static Mapping *mappings = NULL;
static int	mapping_count = 0;
static Oid	providers_relid = InvalidOid;
static bool providers_ready = false;

StaticAssertDecl(lengthof(built_in_names) == PROVIDER_OWN, "every built-in provider has a name");

Provider
provider_number(Slice name)
{
	const char **names;
	char	   *kept;

	for (int i = 0; i < name_count; i++)
		if (strncmp(provider_names[i], name.s, name.len) == 0 && provider_names[i][name.len] == '\0')
			return i;

	kept = MemoryContextAlloc(TopMemoryContext, name.len + 1);
	memcpy(kept, name.s, name.len);
	kept[name.len] = '\0';
	names = MemoryContextAlloc(TopMemoryContext, (name_count + 1) * sizeof(char *));
	memcpy(names, provider_names, name_count * sizeof(char *));
	names[name_count] = kept;
	if (provider_names != built_in_names)
		pfree(provider_names);
	provider_names = names;
	return name_count++;
}

bool
providers_are_ready(void)
{
	return providers_ready;
}

/* As long as the table is not there, any change may have made it. */
void
providers_forget(Oid relid)
{
	if (!OidIsValid(relid) || !OidIsValid(providers_relid) || relid == providers_relid)
		providers_ready = false;
}

int
providers_count(void)
{
	return providers_ready ? mapping_count : 0;
}

const Mapping *
providers_mapping(int i)
{
	return &mappings[i];
}

static Slice
load_text(HeapTuple tuple, TupleDesc desc, int column)
{
	bool		isnull;
	Datum		value = heap_getattr(tuple, column, desc, &isnull);
	char	   *string;

	if (isnull)
		return SLICE_NONE;
	string = TextDatumGetCString(value);
	return (Slice) {string, strlen(string)};
}

static Slice *
load_texts(HeapTuple tuple, TupleDesc desc, int column, int *count)
{
	bool		isnull;
	Datum		value = heap_getattr(tuple, column, desc, &isnull);
	Datum	   *elements;
	bool	   *nulls;
	Slice	   *texts;
	int			n;

	*count = 0;
	if (isnull)
		return NULL;
	deconstruct_array(DatumGetArrayTypeP(value), TEXTOID, -1, false, TYPALIGN_INT,
					  &elements, &nulls, &n);
	texts = palloc(Max(1, n) * sizeof(Slice));
	for (int i = 0; i < n; i++)
		if (!nulls[i])
		{
			char	   *string = TextDatumGetCString(elements[i]);

			texts[(*count)++] = (Slice) {string, strlen(string)};
		}
	return texts;
}

static Path
load_path(HeapTuple tuple, TupleDesc desc, int column)
{
	Path		path;

	path.steps = load_texts(tuple, desc, column, &path.nsteps);
	return path;
}

static IdentityKind
kind_named(Slice name)
{
	for (int i = 0; i < KIND_COUNT; i++)
		if (name.len == strlen(kind_names[i]) && memcmp(name.s, kind_names[i], name.len) == 0)
			return i;
	return KIND_UNKNOWN;
}

static void
load_kinds(HeapTuple tuple, TupleDesc desc, Mapping *mapping)
{
	bool		isnull;
	Datum		value = heap_getattr(tuple, COLUMN_KINDS, desc, &isnull);
	Jsonb	   *kinds = isnull ? NULL : DatumGetJsonbPCopy(value);
	JsonbIterator *iterator;
	JsonbIteratorToken token;
	JsonbValue	item;

	if (kinds == NULL || !JB_ROOT_IS_OBJECT(kinds))
		return;
	mapping->kinds = palloc(Max(1, JB_ROOT_COUNT(kinds)) * sizeof(KindOf));
	iterator = JsonbIteratorInit(&kinds->root);
	while ((token = JsonbIteratorNext(&iterator, &item, true)) != WJB_DONE)
	{
		Slice		string = SLICE_NONE;

		if (item.type == jbvString)
			string = (Slice) {item.val.string.val, item.val.string.len};
		if (token == WJB_KEY)
			mapping->kinds[mapping->nkinds].value = string;
		else if (token == WJB_VALUE)
			mapping->kinds[mapping->nkinds++].kind = kind_named(string);
	}
}

static TimeFormat
time_format_named(Slice name)
{
	if (name.s != NULL && strcmp(name.s, "seconds") == 0)
		return TIME_SECONDS;
	if (name.s != NULL && strcmp(name.s, "milliseconds") == 0)
		return TIME_MILLISECONDS;
	return TIME_RFC3339;
}

static void
load_mapping(HeapTuple tuple, TupleDesc desc, Mapping *mapping)
{
#define PATH(column) load_path(tuple, desc, COLUMN_##column)
#define TEXT(column) load_text(tuple, desc, COLUMN_##column)
	memset(mapping, 0, sizeof(*mapping));
	mapping->provider = provider_number(TEXT(PROVIDER));
	mapping->recognised = PATH(RECOGNISED_BY);
	mapping->recognised_value = TEXT(RECOGNISED_VALUE);
	mapping->account = PATH(ACCOUNT_PATH);
	mapping->account_default = TEXT(ACCOUNT_DEFAULT);
	mapping->identity = PATH(IDENTITY_PATH);
	mapping->kind = PATH(KIND_PATH);
	load_kinds(tuple, desc, mapping);
	mapping->kind_default = kind_named(TEXT(KIND_DEFAULT));
	mapping->service = PATH(SERVICE_PATH);
	mapping->service_default = TEXT(SERVICE_DEFAULT);
	mapping->operation = PATH(OPERATION_PATH);
	mapping->time = PATH(EVENT_TIME_PATH);
	mapping->time_format = time_format_named(TEXT(EVENT_TIME_FORMAT));
	mapping->result = PATH(RESULT_PATH);
	mapping->successes = load_texts(tuple, desc, COLUMN_SUCCESS_VALUES, &mapping->nsuccesses);
	mapping->error_code = PATH(ERROR_CODE_PATH);
	mapping->event_id = PATH(EVENT_ID_PATH);
	mapping->source_ip = PATH(SOURCE_IP_PATH);
	mapping->user_agent = PATH(USER_AGENT_PATH);
	mapping->region = PATH(REGION_PATH);
	mapping->instance_id = PATH(INSTANCE_ID_PATH);
	mapping->target = PATH(TARGET_PATH);
#undef PATH
#undef TEXT
}

static int
compare_mappings(const void *a, const void *b)
{
	return strcmp(provider_names[((const Mapping *) a)->provider],
				  provider_names[((const Mapping *) b)->provider]);
}

static void
load_table(void)
{
	Relation	relation = table_open(providers_relid, AccessShareLock);
	SysScanDesc scan = systable_beginscan(relation, InvalidOid, false, NULL, 0, NULL);
	int			capacity = 0;
	HeapTuple	tuple;

	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		if (mapping_count == capacity)
		{
			capacity = Max(8, capacity * 2);
			mappings = mappings == NULL ? palloc(capacity * sizeof(Mapping)) :
				repalloc(mappings, capacity * sizeof(Mapping));
		}
		load_mapping(tuple, RelationGetDescr(relation), &mappings[mapping_count]);
		mapping_count++;
	}
	systable_endscan(scan);
	table_close(relation, AccessShareLock);
	if (mapping_count > 1)
		qsort(mappings, mapping_count, sizeof(Mapping), compare_mappings);
}

void
providers_load(void)
{
	MemoryContext outer;
	Oid			namespace;

	if (providers_ready)
		return;

	/* An invalidation that arrives from here on must not be overlooked. */
	namespace = get_namespace_oid("iamwatch", true);
	providers_relid = OidIsValid(namespace) ? get_relname_relid("providers", namespace) : InvalidOid;
	providers_ready = true;

	if (providers_context == NULL)
		providers_context = AllocSetContextCreate(TopMemoryContext,
												  "iamwatch providers",
												  ALLOCSET_SMALL_SIZES);
	MemoryContextReset(providers_context);
	mappings = NULL;
	mapping_count = 0;
	if (!OidIsValid(providers_relid))
		return;

	PG_TRY();
	{
		outer = MemoryContextSwitchTo(providers_context);
		load_table();
		MemoryContextSwitchTo(outer);
	}
	PG_CATCH();
	{
		providers_ready = false;
		PG_RE_THROW();
	}
	PG_END_TRY();
}
