/*-------------------------------------------------------------------------
 *
 * targets.c
 *		What an operation was done to, and what it granted.
 *
 * Owns this backend's copy of the table target_paths, which goes stale like the
 * catalogue's does, and which of its rows decides: the exact row of an
 * operation, else that with the longest suffix, else what the service, else the
 * provider has for all operations ('*').  Target and granted are asked apart: a
 * row that has null for one leaves it to the next.
 *
 * The table is not there before CREATE or ALTER EXTENSION has made it.  To read
 * it takes no rights and must never run SQL, so that it may be done by whoever
 * reads a document.  As of the catalogue, the first operations of a session are
 * looked up one by one.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "event/field.h"
#include "event/paths.h"
#include "event/providers.h"
#include "server/table.h"
#include "event/targets.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

typedef struct Paths
{
	int			count;			/* -1 for null: the next row decides */
	Slice	   *paths;
} Paths;

typedef struct PathRow
{
	uint64		key;
	Slice		service;		/* "*" means any */
	Slice		operation;
	Paths		target;
	Paths		granted;
	uint32		status;
} PathRow;

#define SH_PREFIX rows
#define SH_ELEMENT_TYPE PathRow
#define SH_KEY_TYPE uint64
#define SH_KEY key
#define SH_HASH_KEY(tb, key) ((uint32) (key))
#define SH_EQUAL(tb, x, y) ((x) == (y))
#define SH_SCOPE static inline
#define SH_DEFINE
#define SH_DECLARE
#include "lib/simplehash.h"

typedef struct SuffixPathRow
{
	Provider	provider;
	PathRow		row;
} SuffixPathRow;

#define EXPECTED_ROWS 1500

/* So many questions are answered by index; then all is loaded. */
#define QUESTIONS_BY_INDEX 8

/* Columns of target_paths; new ones come after these. */
enum
{
	TARGETS_PROVIDER,
	TARGETS_SERVICE,
	TARGETS_OPERATION,
	TARGETS_MATCH,
	TARGETS_TARGET,
	TARGETS_GRANTED
};

static MemoryContext targets_context = NULL;
static rows_hash *exact_rows = NULL;
static SuffixPathRow *suffix_rows = NULL;
static int	suffix_count = 0;
static Oid	targets_relid = InvalidOid;
static bool targets_ready = false;
static bool copy_is_whole = false;
static uint64 copied_one = 0;	/* key of the operation, unless it is whole */
static int	questions = 0;

/* As long as the table is not there, any change may have made it. */
void
targets_forget(Oid relid)
{
	if (!OidIsValid(relid) || !OidIsValid(targets_relid) || relid == targets_relid)
		targets_ready = false;
}

static uint64
row_key(Provider provider, Slice service, Slice operation)
{
	return slice_hash(service, slice_hash(operation, provider + 1));
}

static Slice
keep_text(const TableRow *row, int column, bool fold)
{
	Slice		text = table_slice(row, column);

	if (fold)
		text = slice_folded(text);
	return slice_join(1, &text);
}

static Paths
keep_paths(const TableRow *row, int column)
{
	Paths		kept = {-1, NULL};
	Datum	   *elements;
	bool	   *nulls;
	int			n;

	if (row->nulls[column])
		return kept;
	deconstruct_array(DatumGetArrayTypeP(row->values[column]), TEXTOID, -1, false, TYPALIGN_INT,
					  &elements, &nulls, &n);
	kept.paths = palloc(Max(1, n) * sizeof(Slice));
	kept.count = 0;
	for (int i = 0; i < n; i++)
		if (!nulls[i])
		{
			char	   *path = TextDatumGetCString(elements[i]);

			kept.paths[kept.count++] = (Slice) {path, strlen(path)};
		}
	return kept;
}

static void
load_row(const TableRow *row)
{
	Provider	provider = provider_number(table_slice(row, TARGETS_PROVIDER));
	bool		fold = provider == PROVIDER_AZURE;
	PathRow		kept = {
		.service = keep_text(row, TARGETS_SERVICE, fold),
		.operation = keep_text(row, TARGETS_OPERATION, fold),
		.target = keep_paths(row, TARGETS_TARGET),
		.granted = keep_paths(row, TARGETS_GRANTED)
	};

	if (slice_is(table_slice(row, TARGETS_MATCH), "suffix"))
	{
		suffix_rows = suffix_rows == NULL ? palloc(sizeof(SuffixPathRow)) :
			repalloc(suffix_rows, (suffix_count + 1) * sizeof(SuffixPathRow));
		suffix_rows[suffix_count++] = (SuffixPathRow) {provider, kept};
	}
	else
	{
		bool		found;
		PathRow    *slot;

		kept.key = row_key(provider, kept.service, kept.operation);
		slot = rows_insert(exact_rows, kept.key, &found);
		kept.status = slot->status;
		*slot = kept;
	}
}

/* The longest suffix first, then a named service. */
static int
compare_suffix_rows(const void *a, const void *b)
{
	const PathRow *x = &((const SuffixPathRow *) a)->row;
	const PathRow *y = &((const SuffixPathRow *) b)->row;

	if (x->operation.len != y->operation.len)
		return y->operation.len - x->operation.len;
	return slice_is(x->service, "*") - slice_is(y->service, "*");
}

static const Slice any = SLICE_LITERAL("*");

/* The rows that find_rows() would come upon. */
static void
load_one(Oid index, Provider provider, Slice service, Slice operation)
{
	Slice		name = {provider_names[provider], strlen(provider_names[provider])};
	Slice		services[] = {service, any};
	Slice		operations[] = {operation, any};

	for (int i = 0; i < lengthof(services); i++)
	{
		for (int n = 0; n < lengthof(operations); n++)
			table_look_up(targets_relid, index, (TableKey[])
						  {
							  {TARGETS_PROVIDER, name}, {TARGETS_SERVICE, services[i]},
							  {TARGETS_OPERATION, operations[n]},
							  {TARGETS_MATCH, SLICE_LITERAL("exact")}
						  }, 4, targets_context, load_row);
		table_look_up(targets_relid, index, (TableKey[])
					  {
						  {TARGETS_PROVIDER, name}, {TARGETS_SERVICE, services[i]},
						  {TARGETS_MATCH, SLICE_LITERAL("suffix")}
					  }, 3, targets_context, load_row);
	}
}

/* Load what an operation needs, or all. */
static void
targets_load(Provider provider, Slice service, Slice operation)
{
	uint64		key = row_key(provider, service, operation);
	Oid			namespace;
	Oid			index;

	if (targets_ready && (copy_is_whole || key == copied_one))
		return;

	/* An invalidation that arrives from here on must not be overlooked. */
	namespace = get_namespace_oid("iamwatch_internal", true);
	targets_relid = OidIsValid(namespace) ?
		get_relname_relid("target_paths", namespace) : InvalidOid;
	index = OidIsValid(namespace) ?
		get_relname_relid("target_paths_pkey", namespace) : InvalidOid;
	targets_ready = true;

	if (targets_context == NULL)
		targets_context = AllocSetContextCreate(TopMemoryContext,
												"iamwatch paths to targets",
												ALLOCSET_DEFAULT_SIZES);
	MemoryContextReset(targets_context);
	suffix_rows = NULL;
	suffix_count = 0;
	exact_rows = NULL;
	if (!OidIsValid(targets_relid))
		return;

	/* no index finds names of Azure in any case */
	copy_is_whole = provider == PROVIDER_AZURE || !OidIsValid(index) ||
		questions >= QUESTIONS_BY_INDEX;
	copied_one = key;
	PG_TRY();
	{
		exact_rows = rows_create(targets_context, copy_is_whole ? EXPECTED_ROWS : 8, NULL);
		if (copy_is_whole)
			table_read(targets_relid, targets_context, load_row);
		else
		{
			questions++;
			load_one(index, provider, service, operation);
		}
		if (suffix_count > 1)
			qsort(suffix_rows, suffix_count, sizeof(SuffixPathRow), compare_suffix_rows);
	}
	PG_CATCH();
	{
		targets_ready = false;
		PG_RE_THROW();
	}
	PG_END_TRY();
}

#define MOST_ROWS 5

/* The rows that have something to say, the one that decides first. */
static int
find_rows(Provider provider, Slice service, Slice operation, const PathRow **found)
{
	Slice		names[][2] = {{service, operation}, {any, operation}, {service, any}, {any, any}};
	int			count = 0;

	for (int i = 0; i < lengthof(names); i++)
	{
		PathRow    *row = rows_lookup(exact_rows, row_key(provider, names[i][0], names[i][1]));

		/* between the exact rows and those for all operations */
		for (int n = 0; i == 2 && n < suffix_count; n++)
		{
			const SuffixPathRow *suffix = &suffix_rows[n];

			if (suffix->provider == provider && slice_ends(operation, suffix->row.operation.s) &&
				(slice_is(suffix->row.service, "*") || slice_equal(suffix->row.service, service)))
			{
				found[count++] = &suffix->row;
				break;
			}
		}
		if (row != NULL)
			found[count++] = row;
	}
	return count;
}

/*
 * What the first of the paths finds.  Azure writes most of a record into
 * properties where it exports it, and none where its APIs return it.
 */
static Slice
find_text(JsonbContainer *doc, const Event *event, const Paths *paths, bool all)
{
	static const char properties[] = "properties.";
	bool		azure = event->provider == PROVIDER_AZURE;
	JsonbContainer *record = azure ? FIELD_OBJECT(doc, "properties") : NULL;
	PathResult	result = {.all = all, .pascal = azure};

	for (int i = 0; i < paths->count && result.count == 0; i++)
	{
		Slice		path = paths->paths[i];

		if (azure && slice_starts(path, properties))
			path = slice_after(path, sizeof(properties) - 1);
		if (record != NULL)
			path_find(record, path, &result);
		if (result.count == 0)
			path_find(doc, path, &result);
	}
	return result.text;
}

void
targets_read(JsonbContainer *doc, Event *event)
{
	const PathRow *rows[MOST_ROWS];
	const Paths *target = NULL;
	const Paths *granted = NULL;
	Slice		service = event->service;
	Slice		operation = event->operation;
	int			count;

	if (event->provider == PROVIDER_AZURE)
	{
		service = slice_folded(service);
		operation = slice_folded(operation);
	}
	targets_load(event->provider, service, operation);
	if (exact_rows == NULL)
		return;
	count = find_rows(event->provider, service, operation, rows);
	for (int i = 0; i < count; i++)
	{
		if (target == NULL && rows[i]->target.count >= 0)
			target = &rows[i]->target;
		if (granted == NULL && rows[i]->granted.count >= 0)
			granted = &rows[i]->granted;
	}
	if (target != NULL)
		event->target = find_text(doc, event, target, false);
	if (granted != NULL)
		event->granted = find_text(doc, event, granted, true);
}
