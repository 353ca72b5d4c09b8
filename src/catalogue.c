/*-------------------------------------------------------------------------
 *
 * catalogue.c
 *		Look-ups in the catalogue of IAM operations.
 *
 * Owns this backend's copy of iamwatch.operations: a hash of the exact rows,
 * and the suffix rows with the longest first.  A trigger on the table
 * (settings_changed() in observe.c) invalidates its relation cache entry, which
 * marks the copy as stale in every backend.  A stale copy answers nothing;
 * whoever finds it so loads it anew where that may be done.  Must never load in
 * a look-up, which a trigger's WHEN makes.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalogue.h"
#include "common/hashfn.h"
#include "field.h"
#include "objects.h"
#include "providers.h"
#include "table.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"

/* So many bits of hash that a chance collision is not worth a thought. */
typedef struct ExactKey
{
	uint64		a;
	uint64		b;
} ExactKey;

typedef struct ExactRow
{
	ExactKey	key;
	Operation	operation;
} ExactRow;

typedef struct SuffixRow
{
	Provider	provider;
	Slice		service;		/* missing means any */
	Slice		suffix;
	bool		own;			/* a user's row */
	Operation	operation;
} SuffixRow;

static MemoryContext catalogue_context = NULL;
static HTAB *exact_rows = NULL;
static SuffixRow *suffix_rows = NULL;
static int	suffix_count = 0;
static int	suffix_capacity = 0;
static Oid	catalogue_relid = InvalidOid;
static bool catalogue_ready = false;

/*
 * Names of operations that exact rows have, by bits of their hash: nearly all
 * events are of other operations, and then one hash tells.
 */
#define NAME_BITS 65536
static bits8 exact_names[NAME_BITS / BITS_PER_BYTE];

static ExactKey
hash_slice(Slice slice, ExactKey key)
{
	key.a = hash_bytes_extended((const unsigned char *) slice.s, slice.len, key.a);
	key.b = hash_bytes_extended((const unsigned char *) slice.s, slice.len, key.b);
	return key;
}

static uint64
hash_name(Provider provider, Slice operation)
{
	return hash_bytes_extended((const unsigned char *) operation.s, operation.len, provider + 1);
}

static ExactKey
exact_key(Provider provider, Slice service, Slice operation)
{
	return hash_slice(operation, hash_slice(service, (ExactKey) {provider + 1, provider + 11}));
}

bool
catalogue_is_ready(void)
{
	return catalogue_ready;
}

void
catalogue_forget(Oid relid)
{
	if (!OidIsValid(relid) || relid == catalogue_relid)
		catalogue_ready = false;
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

static Slice
keep_slice(Slice slice)
{
	return (Slice) {pnstrdup(slice.s, slice.len), slice.len};
}

static void
load_row(const TableRow *row)
{
	Slice		category = table_slice(row, OPERATIONS_CATEGORY);
	Slice		service = table_slice(row, OPERATIONS_SERVICE);
	Slice		name = table_slice(row, OPERATIONS_OPERATION);
	Provider	provider = provider_number(table_slice(row, OPERATIONS_PROVIDER));
	bool		own = slice_is(table_slice(row, OPERATIONS_ORIGIN), "user");
	Operation	operation;

	operation.sensitivity = DatumGetInt32(row->values[OPERATIONS_SENSITIVITY]);
	operation.watched = !slice_is(table_slice(row, OPERATIONS_EFFECT), "read") &&
		!slice_is(category, "session") && !slice_is(category, "sign_in");
	operation.category = NULL;

	if (slice_is(table_slice(row, OPERATIONS_MATCH), "exact"))
	{
		ExactKey	key = exact_key(provider, service, name);
		bool		found;
		ExactRow   *exact = hash_search(exact_rows, &key, HASH_ENTER, &found);
		uint64		name_hash = hash_name(provider, name) % NAME_BITS;

		exact_names[name_hash / BITS_PER_BYTE] |= 1 << (name_hash % BITS_PER_BYTE);
		if (found && !own)
			return;
		operation.category = keep_slice(category).s;
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
		operation.category = keep_slice(category).s;
		suffix_rows[suffix_count++] = (SuffixRow)
		{
			provider, slice_is(service, "*") ? SLICE_NONE : keep_slice(service),
			keep_slice(name), own, operation
		};
	}
}

/* The longest suffix first, then a named service, then a user's row. */
static int
compare_suffix_rows(const void *a, const void *b)
{
	const SuffixRow *x = a;
	const SuffixRow *y = b;

	if (x->suffix.len != y->suffix.len)
		return y->suffix.len - x->suffix.len;
	if ((x->service.s == NULL) != (y->service.s == NULL))
		return x->service.s == NULL ? 1 : -1;
	return y->own - x->own;
}

void
catalogue_load(void)
{
	HASHCTL		control = {.keysize = sizeof(ExactKey), .entrysize = sizeof(ExactRow)};

	if (catalogue_ready)
		return;

	/* An invalidation that arrives from here on must not be overlooked. */
	catalogue_relid = iamwatch_relation("operations");
	catalogue_ready = true;

	if (catalogue_context == NULL)
		catalogue_context = AllocSetContextCreate(TopMemoryContext,
												  "iamwatch catalogue",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContextReset(catalogue_context);
	suffix_rows = NULL;
	suffix_count = suffix_capacity = 0;
	memset(exact_names, 0, sizeof(exact_names));
	control.hcxt = catalogue_context;
	exact_rows = hash_create("iamwatch operations", 1024, &control,
							 HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);

	PG_TRY();
	{
		table_read(catalogue_relid, catalogue_context, load_row);
		if (suffix_count > 0)
			qsort(suffix_rows, suffix_count, sizeof(SuffixRow), compare_suffix_rows);
	}
	PG_CATCH();
	{
		catalogue_ready = false;
		PG_RE_THROW();
	}
	PG_END_TRY();
}

const Operation *
catalogue_find(Provider provider, Slice service, Slice operation)
{
	uint64		name_hash = hash_name(provider, operation) % NAME_BITS;
	ExactRow   *exact = NULL;

	if (exact_names[name_hash / BITS_PER_BYTE] & (1 << (name_hash % BITS_PER_BYTE)))
	{
		ExactKey	key = exact_key(provider, service, operation);

		exact = hash_search(exact_rows, &key, HASH_FIND, NULL);
		if (exact == NULL)
		{
			key = exact_key(provider, SLICE_LITERAL("*"), operation);
			exact = hash_search(exact_rows, &key, HASH_FIND, NULL);
		}
	}
	if (exact != NULL)
		return exact->operation.watched ? &exact->operation : NULL;

	for (int i = 0; i < suffix_count; i++)
	{
		SuffixRow  *row = &suffix_rows[i];

		if (row->provider == provider &&
			row->suffix.len <= operation.len &&
			memcmp(operation.s + operation.len - row->suffix.len,
				   row->suffix.s, row->suffix.len) == 0 &&
			(row->service.s == NULL || slice_equal(row->service, service)))
			return row->operation.watched ? &row->operation : NULL;
	}
	return NULL;
}
