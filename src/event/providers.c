/*-------------------------------------------------------------------------
 *
 * providers.c
 *		The providers that users describe, as iamwatch.providers has them.
 *
 * Owns this backend's copy (cached_table.c tells how it goes stale), and the
 * numbers that this backend has given to names of providers.
 *
 * The table is not there before ALTER EXTENSION UPDATE has made it.  To read it
 * takes no rights and must never run SQL, so that it may be done by whoever
 * reads a document.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "event/field.h"
#include "event/providers.h"
#include "server/cached_table.h"
#include "server/table.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

/* Columns of iamwatch.providers; new ones come after these. */
enum
{
	PROVIDERS_PROVIDER,
	PROVIDERS_RECOGNISED_BY,
	PROVIDERS_RECOGNISED_VALUE,
	PROVIDERS_ACCOUNT_PATH,
	PROVIDERS_ACCOUNT_DEFAULT,
	PROVIDERS_IDENTITY_PATH,
	PROVIDERS_KIND_PATH,
	PROVIDERS_KINDS,
	PROVIDERS_KIND_DEFAULT,
	PROVIDERS_SERVICE_PATH,
	PROVIDERS_SERVICE_DEFAULT,
	PROVIDERS_OPERATION_PATH,
	PROVIDERS_EVENT_TIME_PATH,
	PROVIDERS_EVENT_TIME_FORMAT,
	PROVIDERS_RESULT_PATH,
	PROVIDERS_SUCCESS_VALUES,
	PROVIDERS_ERROR_CODE_PATH,
	PROVIDERS_EVENT_ID_PATH,
	PROVIDERS_SOURCE_IP_PATH,
	PROVIDERS_USER_AGENT_PATH,
	PROVIDERS_REGION_PATH,
	PROVIDERS_INSTANCE_ID_PATH,
	PROVIDERS_TARGET_PATH,
	PROVIDERS_GRANTED_PATH,
	PROVIDERS_ACTING_FOR_PATH
};

static const char *built_in_names[] = {"aws", "gcp", "azure"};
const char **provider_names = built_in_names;
static int	name_count = lengthof(built_in_names);

static CachedTable providers = {.name = "providers", .optional = true};
static Mapping *mappings = NULL;
static int	mapping_count = 0;

StaticAssertDecl(lengthof(built_in_names) == PROVIDER_OWN, "every built-in provider has a name");

Provider
provider_number(Slice name)
{
	static int	last = 0;		/* rows of one provider mostly follow each other */
	const char **names;
	char	   *kept;

	Assert(name.s != NULL);
	if (slice_is(name, provider_names[last]))
		return last;
	for (int i = 0; i < name_count; i++)
		if (slice_is(name, provider_names[i]))
			return last = i;

	kept = MemoryContextAlloc(TopMemoryContext, name.len + 1);
	memcpy(kept, name.s, name.len);
	kept[name.len] = '\0';
	names = MemoryContextAlloc(TopMemoryContext, (name_count + 1) * sizeof(char *));
	memcpy(names, provider_names, name_count * sizeof(char *));
	names[name_count] = kept;
	if (provider_names != built_in_names)
		pfree(provider_names);
	provider_names = names;
	Assert(name_count >= PROVIDER_OWN);
	return name_count++;
}

bool
providers_are_ready(void)
{
	return cached_table_is_good(&providers);
}

int
providers_count(void)
{
	return providers_are_ready() ? mapping_count : 0;
}

const Mapping *
providers_mapping(int i)
{
	Assert(i >= 0 && i < mapping_count);
	return &mappings[i];
}

/* A copy that ends with a null byte. */
static Slice
load_text(const TableRow *row, int column)
{
	Slice		text = table_slice(row, column);

	return text.s != NULL ? slice_join(1, &text) : text;
}

static Slice *
load_texts(const TableRow *row, int column, int *count)
{
	Datum	   *elements;
	bool	   *nulls;
	Slice	   *texts;
	int			n;

	*count = 0;
	if (row->nulls[column])
		return NULL;
	deconstruct_array(DatumGetArrayTypeP(row->values[column]), TEXTOID, -1, false, TYPALIGN_INT,
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
load_path(const TableRow *row, int column)
{
	Path		path;

	path.steps = load_texts(row, column, &path.nsteps);
	return path;
}

static IdentityKind
kind_named(Slice name)
{
	for (int i = 0; i < KIND_COUNT; i++)
		if (slice_is(name, kind_names[i]))
			return i;
	return KIND_UNKNOWN;
}

static void
load_kinds(Datum value, Mapping *mapping)
{
	Jsonb	   *kinds = DatumGetJsonbPCopy(value);
	JsonbIterator *iterator;
	JsonbIteratorToken token;
	JsonbValue	item;

	if (!JB_ROOT_IS_OBJECT(kinds))
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
	if (slice_is(name, "seconds"))
		return TIME_SECONDS;
	if (slice_is(name, "milliseconds"))
		return TIME_MILLISECONDS;
	return TIME_RFC3339;
}

static void
load_row(const TableRow *row)
{
	Mapping    *mapping;

	mappings = mappings == NULL ? palloc(sizeof(Mapping)) :
		repalloc(mappings, (mapping_count + 1) * sizeof(Mapping));
	mapping = &mappings[mapping_count++];

#define PATH(column) load_path(row, PROVIDERS_##column)
#define TEXT(column) load_text(row, PROVIDERS_##column)
	memset(mapping, 0, sizeof(*mapping));
	mapping->provider = provider_number(TEXT(PROVIDER));
	Assert(mapping->provider >= PROVIDER_OWN);
	mapping->recognised = PATH(RECOGNISED_BY);
	mapping->recognised_value = TEXT(RECOGNISED_VALUE);
	mapping->account = PATH(ACCOUNT_PATH);
	mapping->account_default = TEXT(ACCOUNT_DEFAULT);
	mapping->identity = PATH(IDENTITY_PATH);
	mapping->kind = PATH(KIND_PATH);
	load_kinds(row->values[PROVIDERS_KINDS], mapping);
	mapping->kind_default = kind_named(TEXT(KIND_DEFAULT));
	mapping->service = PATH(SERVICE_PATH);
	mapping->service_default = TEXT(SERVICE_DEFAULT);
	mapping->operation = PATH(OPERATION_PATH);
	mapping->time = PATH(EVENT_TIME_PATH);
	mapping->time_format = time_format_named(TEXT(EVENT_TIME_FORMAT));
	mapping->result = PATH(RESULT_PATH);
	mapping->successes = load_texts(row, PROVIDERS_SUCCESS_VALUES, &mapping->nsuccesses);
	mapping->error_code = PATH(ERROR_CODE_PATH);
	mapping->event_id = PATH(EVENT_ID_PATH);
	mapping->source_ip = PATH(SOURCE_IP_PATH);
	mapping->user_agent = PATH(USER_AGENT_PATH);
	mapping->region = PATH(REGION_PATH);
	mapping->instance_id = PATH(INSTANCE_ID_PATH);
	mapping->target = PATH(TARGET_PATH);
	mapping->granted = PATH(GRANTED_PATH);
	mapping->acting_for = PATH(ACTING_FOR_PATH);
#undef PATH
#undef TEXT
}

static int
compare_mappings(const void *a, const void *b)
{
	return strcmp(provider_names[((const Mapping *) a)->provider],
				  provider_names[((const Mapping *) b)->provider]);
}

void
providers_load(void)
{
	bool		there;

	if (providers_are_ready())
		return;

	there = cached_table_begin(&providers);
	mappings = NULL;
	mapping_count = 0;
	if (there)
		table_read(providers.relid, providers.context, load_row);
	if (mapping_count > 1)
		qsort(mappings, mapping_count, sizeof(Mapping), compare_mappings);
	cached_table_end(&providers);
}
