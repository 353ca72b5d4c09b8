/*-------------------------------------------------------------------------
 *
 * catalogue.c
 *		Look-ups in the catalogue of IAM operations.
 *
 * Owns this backend's copy of iamwatch.operations: a hash of the exact rows,
 * and the suffix rows of each provider with the longest first (cached_table.c
 * tells how it goes stale).  A stale copy answers nothing; whoever finds it so
 * loads it anew where that may be done.  Must never load in catalogue_find(),
 * which a trigger's WHEN calls.
 *
 * A session that stores one event and ends would spend most of its time in
 * copying more than a thousand rows of which it needs one.  So the first
 * questions of a session are answered by reading, by index, the rows that
 * matter to one operation: the copy then is of these alone.  And most sessions
 * store events of one or two providers: the first copy is of the rows of those
 * that were asked about by then, and only whoever meets another copies all.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/stratnum.h"
#include "config/catalogue.h"
#include "config/settings.h"
#include "event/event_row.h"
#include "event/field.h"
#include "event/operation_key.h"
#include "event/providers.h"
#include "fmgr.h"
#include "funcapi.h"
#include "server/cached_table.h"
#include "server/objects.h"
#include "server/table.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"

static const char *const effect_names[EFFECT_COUNT] = {"create", "modify", "delete", "read"};

PG_FUNCTION_INFO_V1(iamwatch_is_iam);

typedef struct ExactRow
{
	OperationKey key;
	Operation	operation;
	uint32		status;
} ExactRow;

#define SH_PREFIX exact
#define SH_ELEMENT_TYPE ExactRow
#define SH_KEY_TYPE OperationKey
#define SH_KEY key
#define SH_HASH_KEY(tb, key) ((uint32) (key).b)
#define SH_EQUAL(tb, x, y) ((x).a == (y).a && (x).b == (y).b)
#define SH_SCOPE static inline
#define SH_DEFINE
#define SH_DECLARE
#include "lib/simplehash.h"

typedef struct SuffixRow
{
	Provider	provider;
	Slice		service;		/* missing means any */
	Slice		suffix;
	bool		own;			/* a user's row */
	Operation	operation;
} SuffixRow;

/* So many questions are answered by index; then their providers are copied. */
#define QUESTIONS_BY_INDEX 8

#define EXPECTED_ROWS 2000		/* that are exact */

/* Sets of providers have provider_bit() of each. */
#define NO_PROVIDERS UINT64CONST(0)
#define ALL_PROVIDERS PG_UINT64_MAX

static CachedTable operations = {.name = "operations", .index = "operations_pkey"};
static exact_hash *exact_rows = NULL;
static SuffixRow *suffix_rows = NULL;
static int	suffix_count = 0;
static int	suffix_capacity = 0;
static uint64 suffix_providers = 0; /* a bit for each that has any */
static uint64 copied_providers = NO_PROVIDERS;	/* of which all rows were copied */
static uint64 asked_providers = NO_PROVIDERS;	/* and those that are to be */
static OperationKey copied_one; /* without them: all that matters to this operation */
static int	questions = 0;
static Slice words[32];			/* of the rows that were copied, some */

/*
 * Names of operations that exact rows have, by bits of their hash: nearly all
 * events are of other operations, and then one hash tells.
 */
#define NAME_BITS 65536
static bits8 exact_names[NAME_BITS / BITS_PER_BYTE];

/* The last one stands for all further ones. */
static inline uint64
provider_bit(Provider provider)
{
	return UINT64CONST(1) << Min((int) provider, 63);
}

static inline bool
has_copy_of(Provider provider)
{
	return (copied_providers & provider_bit(provider)) != 0 && cached_table_is_good(&operations);
}

static inline bool
has_copy_of_some(void)
{
	return copied_providers != NO_PROVIDERS && cached_table_is_good(&operations);
}

/* Settings say which of the operations are watched. */
bool
catalogue_is_ready(Provider provider)
{
	return has_copy_of(provider) && settings_are_ready();
}

/* Columns of iamwatch.operations; new ones come after these. */
enum
{
	OPERATIONS_PROVIDER,
	OPERATIONS_SERVICE,
	OPERATIONS_OPERATION,
	OPERATIONS_MATCH,
	OPERATIONS_CATEGORY,
	OPERATIONS_EFFECT,
	OPERATIONS_TECHNIQUE,
	OPERATIONS_SENSITIVITY,
	OPERATIONS_NOTE,
	OPERATIONS_ORIGIN
};

/* CHECK constraints allow no other name, and no two begin alike. */
Effect
effect_named(Slice name)
{
	for (int i = 0; i < EFFECT_COUNT; i++)
		if (name.len > 0 && name.s[0] == effect_names[i][0])
			return i;
	return EFFECT_READ;
}

static Slice
keep_slice(Slice slice)
{
	return (Slice) {pnstrdup(slice.s, slice.len), slice.len};
}

bool
category_is_session(const char *category)
{
	return category[0] == 's' &&
		(strcmp(category, "session") == 0 || strcmp(category, "sign_in") == 0);
}

/* Of categories and techniques there are some dozens, each of many operations. */
static const char *
keep_word(Slice word)
{
	Slice	   *kept = &words[(word.len == 0 ? 0 : word.len + 4 * (uint8) word.s[word.len - 1]) % lengthof(words)];

	if (kept->s == NULL || !slice_equal(word, *kept))
		*kept = keep_slice(word);
	return kept->s;
}

static void
keep_category(Operation *operation, Slice category)
{
	operation->category = keep_word(category);
	operation->is_iam = operation->effect != EFFECT_READ &&
		!category_is_session(operation->category);
}

static void
add_row(Provider provider, const TableRow *row)
{
	Slice		category = table_slice(row, OPERATIONS_CATEGORY);
	Slice		service = table_slice(row, OPERATIONS_SERVICE);
	Slice		name = table_slice(row, OPERATIONS_OPERATION);
	bool		own = slice_is(table_slice(row, OPERATIONS_ORIGIN), "user");
	Operation	operation;

	operation.sensitivity = DatumGetInt32(row->values[OPERATIONS_SENSITIVITY]);
	Assert(operation.sensitivity >= 1 && operation.sensitivity <= 4);
	operation.effect = effect_named(table_slice(row, OPERATIONS_EFFECT));
	operation.category = NULL;
	operation.technique = keep_word(slice_or(table_slice(row, OPERATIONS_TECHNIQUE), SLICE_LITERAL("")));

	if (provider == PROVIDER_AZURE)
	{
		service = slice_folded(service);
		name = slice_folded(name);
	}
	if (slice_is(table_slice(row, OPERATIONS_MATCH), "exact"))
	{
		OperationKey key = operation_key(provider, service, name);
		bool		found;
		ExactRow   *exact = exact_insert(exact_rows, key, &found);
		uint64		bit = key.a % NAME_BITS;

		exact_names[bit / BITS_PER_BYTE] |= 1 << (bit % BITS_PER_BYTE);
		if (found && !own)
			return;
		keep_category(&operation, category);
		exact->operation = operation;
	}
	else
	{
		if (suffix_count == suffix_capacity)
		{
			suffix_capacity = Max(16, suffix_capacity * 2);
			suffix_rows = suffix_rows == NULL ? palloc(suffix_capacity * sizeof(SuffixRow)) :
				repalloc(suffix_rows, suffix_capacity * sizeof(SuffixRow));
		}
		keep_category(&operation, category);
		suffix_providers |= provider_bit(provider);
		suffix_rows[suffix_count++] = (SuffixRow)
		{
			provider, slice_is(service, "*") ? SLICE_NONE : keep_slice(service),
			keep_slice(name), own, operation
		};
	}
}

/* Without any provider that is copied, it is a row that was looked up. */
static void
load_row(const TableRow *row)
{
	Provider	provider = provider_number(table_slice(row, OPERATIONS_PROVIDER));

	if (copied_providers == NO_PROVIDERS || (copied_providers & provider_bit(provider)) != 0)
		add_row(provider, row);
}

/* By provider; then the longest suffix first, then a named service, then a user's row. */
static int
compare_suffix_rows(const void *a, const void *b)
{
	const SuffixRow *x = a;
	const SuffixRow *y = b;

	if (x->provider != y->provider)
		return x->provider < y->provider ? -1 : 1;
	if (x->suffix.len != y->suffix.len)
		return y->suffix.len - x->suffix.len;
	if ((x->service.s == NULL) != (y->service.s == NULL))
		return x->service.s == NULL ? 1 : -1;
	return y->own - x->own;
}

static void
begin_copy(uint64 providers, int expected_rows)
{
	(void) cached_table_begin(&operations);
	copied_providers = providers;
	memset(words, 0, sizeof(words));
	suffix_rows = NULL;
	suffix_count = suffix_capacity = 0;
	suffix_providers = 0;
	memset(exact_names, 0, sizeof(exact_names));
	exact_rows = exact_create(operations.context, expected_rows, NULL);
}

static void
end_copy(void)
{
	if (suffix_count > 1)
		qsort(suffix_rows, suffix_count, sizeof(SuffixRow), compare_suffix_rows);
	cached_table_end(&operations);
}

static void
copy_asked(void)
{
	begin_copy(asked_providers, EXPECTED_ROWS);
	table_read(operations.relid, operations.context, load_row);
	end_copy();
}

void
catalogue_load(void)
{
	settings_load();
	asked_providers = ALL_PROVIDERS;
	if (copied_providers != ALL_PROVIDERS || !cached_table_is_good(&operations))
		copy_asked();
}

/* The rows that catalogue_find() would come upon, in the order of their rank. */
static void
copy_one(Provider provider, Slice service, Slice operation)
{
	Slice		name = {provider_names[provider], strlen(provider_names[provider])};
	Slice		services[] = {service, SLICE_LITERAL("*")};

	begin_copy(NO_PROVIDERS, 1);
	for (int i = 0; i < lengthof(services) && exact_rows->members == 0; i++)
		table_look_up(operations.relid, operations.index_relid, (TableKey[])
					  {
						  {OPERATIONS_PROVIDER, name}, {OPERATIONS_SERVICE, services[i]},
						  {OPERATIONS_OPERATION, operation},
						  {OPERATIONS_MATCH, SLICE_LITERAL("exact")}
					  }, 4, operations.context, load_row);
	for (int i = 0; i < lengthof(services) && exact_rows->members == 0; i++)
		table_look_up(operations.relid, operations.index_relid, (TableKey[])
					  {
						  {OPERATIONS_PROVIDER, name}, {OPERATIONS_SERVICE, services[i]},
						  {OPERATIONS_MATCH, SLICE_LITERAL("suffix")}
					  }, 3, operations.context, load_row);
	end_copy();
}

static pg_attribute_always_inline const Operation *find_row(Provider provider, Slice service, Slice operation);

/* Copy what the operation needs. */
static void
copy_for(Provider provider, Slice service, Slice operation)
{
	settings_load();
	if (has_copy_of(provider))
		return;
	asked_providers |= provider_bit(provider);
	if (has_copy_of_some())		/* who meets another one may meet more */
		catalogue_load();
	/* no index finds names in any case */
	else if (questions < QUESTIONS_BY_INDEX && provider != PROVIDER_AZURE)
	{
		OperationKey key = operation_key(provider, service, operation);

		questions++;
		if (!cached_table_is_good(&operations) || key.a != copied_one.a || key.b != copied_one.b)
		{
			copied_one = key;
			copy_one(provider, service, operation);
		}
	}
	else
		copy_asked();
}

const Operation *
catalogue_get(Provider provider, Slice service, Slice operation)
{
	copy_for(provider, service, operation);
	return catalogue_find(provider, service, operation);
}

bool
catalogue_asks_by_index(Provider provider)
{
	if (has_copy_of(provider))
		return false;
	asked_providers |= provider_bit(provider);
	return questions++ < QUESTIONS_BY_INDEX;
}

/* So many characters of the end of a suffix row are in the index. */
#define INDEXED_END 4

/* As the index operations_names of sql/config/catalogue.sql has it. */
static void
key_of_name(ScanKey key, Provider provider, Slice name)
{
	Slice		words[] = {{provider_names[provider], strlen(provider_names[provider])}, SLICE_LITERAL(" "), name};
	uint64		hash = slice_hash(slice_join(lengthof(words), words), 0);

	ScanKeyInit(key, 1, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum((int32) (uint32) hash));
}

bool
catalogue_lacks(Provider provider, Slice operation)
{
	Slice		name = slice_folded(operation);
	ScanKeyData keys[3];
	int			count = 0;

	key_of_name(&keys[count++], provider, name);
	/* suffixes that are shorter than what the index has of others */
	key_of_name(&keys[count++], provider, SLICE_LITERAL(""));
	if (name.len >= INDEXED_END)
	{
		Slice		end = {name.s + name.len - INDEXED_END, INDEXED_END};

		/* a byte is a character only in ASCII */
		for (int i = 0; i < end.len; i++)
			if (IS_HIGHBIT_SET(end.s[i]))
				return false;
		key_of_name(&keys[count++], provider, end);
	}
	return !index_may_have(public_namespace(), "operations_names", keys, count);
}

/* As catalogue_get(), of any operation of the catalogue, whether somebody watches it or not. */
const Operation *
catalogue_row(Provider provider, Slice service, Slice operation)
{
	copy_for(provider, service, operation);
	return find_row(provider, service, operation);
}

/* What no detector watches, and is no IAM operation, is as if it were not there. */
static inline const Operation *
if_kept(const Operation *operation)
{
	return operation->is_iam || settings_watches_more(operation) ? operation : NULL;
}

static pg_attribute_always_inline const Operation *
find_row(Provider provider, Slice service, Slice operation)
{
	uint64		name_hash;
	uint64		bit;
	ExactRow   *exact = NULL;

	if (provider == PROVIDER_AZURE)
	{
		service = slice_folded(service);
		operation = slice_folded(operation);
	}
	Assert(exact_rows != NULL); /* catalogue_is_ready(), or was just loaded */
	name_hash = operation_name_hash(provider, operation);
	bit = name_hash % NAME_BITS;
	if (exact_names[bit / BITS_PER_BYTE] & (1 << (bit % BITS_PER_BYTE)))
	{
		exact = exact_lookup(exact_rows, (OperationKey) {name_hash, operation_service_hash(service, name_hash)});
		if (exact == NULL)
			exact = exact_lookup(exact_rows, (OperationKey)
								 {
									 name_hash, operation_service_hash(SLICE_LITERAL("*"), name_hash)
								 });
	}
	if (exact != NULL)
		return &exact->operation;

	if ((suffix_providers & provider_bit(provider)) == 0)
		return NULL;
	for (int i = 0; i < suffix_count && suffix_rows[i].provider <= provider; i++)
	{
		SuffixRow  *row = &suffix_rows[i];

		if (row->provider == provider &&
			row->suffix.len <= operation.len &&
			memcmp(operation.s + operation.len - row->suffix.len,
				   row->suffix.s, row->suffix.len) == 0 &&
			(row->service.s == NULL || slice_equal(row->service, service)))
			return &row->operation;
	}
	return NULL;
}

const Operation *
catalogue_find(Provider provider, Slice service, Slice operation)
{
	const Operation *found = find_row(provider, service, operation);

	return found == NULL ? NULL : if_kept(found);
}

bool
catalogue_is_iam(Provider provider, Slice service, Slice operation)
{
	const Operation *found;

	settings_load();
	if (!settings_watch_more())
		return true;
	found = catalogue_get(provider, service, operation);
	return found == NULL || found->is_iam;
}

/* is_iam(provider text, service text, operation text) RETURNS boolean */
Datum
iamwatch_is_iam(PG_FUNCTION_ARGS)
{
	Slice		names[3];

	for (int i = 0; i < lengthof(names); i++)
	{
		if (PG_ARGISNULL(i))
			PG_RETURN_BOOL(false);
		names[i] = slice_of_text(PG_GETARG_DATUM(i));
	}
	PG_RETURN_BOOL(catalogue_is_iam(provider_number(names[0]), names[1], names[2]));
}
