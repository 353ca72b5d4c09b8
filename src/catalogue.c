/*-------------------------------------------------------------------------
 *
 * catalogue.c
 *		Look-ups in the catalogue of IAM operations.
 *
 * Owns this backend's copy of iamwatch.operations: a hash of the exact rows,
 * and the suffix rows with the longest first.  A statement trigger on the
 * table invalidates its relation cache entry, which marks the copy as stale
 * in every backend.  A stale copy answers nothing; whoever finds it so loads
 * it anew where that may be done, which is not in a trigger's WHEN.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalogue.h"
#include "common/hashfn.h"
#include "executor/spi.h"
#include "field.h"
#include "objects.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"

/* Hash key: as many hash bits as make a chance collision not worth a thought. */
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
	Operation	operation;
} SuffixRow;

static MemoryContext catalogue_context = NULL;
static HTAB *exact_rows = NULL;
static SuffixRow *suffix_rows = NULL;
static int	suffix_count = 0;
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

static char *
row_text(int row, int column)
{
	return SPI_getvalue(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, column);
}

static Slice
row_slice(int row, int column)
{
	char	   *value = row_text(row, column);

	return value ? (Slice) {value, strlen(value)} : SLICE_NONE;
}

static void
load_row(int row)
{
	Provider	provider = strcmp(row_text(row, 1), "gcp") == 0 ? PROVIDER_GCP : PROVIDER_AWS;
	Slice		service = row_slice(row, 2);
	Slice		name = row_slice(row, 3);
	Operation	operation;

	operation.category = row_text(row, 5);
	operation.technique = row_text(row, 6);
	operation.sensitivity = atoi(row_text(row, 7));
	operation.watched = row_text(row, 8)[0] == 't';

	if (row_text(row, 4)[0] == 't')
	{
		ExactKey	key = exact_key(provider, service, name);
		bool		found;
		ExactRow   *exact = hash_search(exact_rows, &key, HASH_ENTER, &found);
		uint64		name_hash = hash_name(provider, name) % NAME_BITS;

		exact_names[name_hash / BITS_PER_BYTE] |= 1 << (name_hash % BITS_PER_BYTE);
		/* rows come in order of preference */
		if (!found)
			exact->operation = operation;
	}
	else
	{
		if (service.len == 1 && service.s[0] == '*')
			service = SLICE_NONE;
		suffix_rows[suffix_count++] = (SuffixRow) {provider, service, name, operation};
	}
}

void
catalogue_load(void)
{
	HASHCTL		control = {.keysize = sizeof(ExactKey), .entrysize = sizeof(ExactRow)};
	MemoryContext outer;

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
	exact_rows = NULL;
	suffix_count = 0;
	memset(exact_names, 0, sizeof(exact_names));

	PG_TRY();
	{
		SPI_connect();
		if (SPI_execute("SELECT provider, service, operation, match = 'exact', category,"
						" attack_technique, sensitivity,"
						" effect <> 'read' AND category NOT IN ('session', 'sign_in')"
						" FROM iamwatch.operations"
						" ORDER BY pg_catalog.length(operation) DESC, service = '*',"
						" origin <> 'user'", true, 0) != SPI_OK_SELECT)
			ereport(ERROR,
					(errcode(ERRCODE_INTERNAL_ERROR),
					 errmsg("could not read \"iamwatch.operations\"")));

		outer = MemoryContextSwitchTo(catalogue_context);
		control.hcxt = catalogue_context;
		exact_rows = hash_create("iamwatch operations", Max(64, SPI_processed), &control,
								 HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
		suffix_rows = palloc(Max(1, SPI_processed) * sizeof(SuffixRow));
		for (uint64 row = 0; row < SPI_processed; row++)
			load_row(row);
		MemoryContextSwitchTo(outer);
		SPI_finish();
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
			(row->service.s == NULL ||
			 (row->service.len == service.len &&
			  memcmp(row->service.s, service.s, service.len) == 0)))
			return row->operation.watched ? &row->operation : NULL;
	}
	return NULL;
}
