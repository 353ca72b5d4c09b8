/*-------------------------------------------------------------------------
 *
 * targets.c
 *		What an operation was done to, and what it granted.
 *
 * Owns which row of the table target_paths decides: the exact row of an
 * operation, else that with the longest suffix, else what the service, else the
 * provider has for all operations ('*').  Target and granted are asked apart: a
 * row that has null for one leaves it to the next.
 *
 * The table has more than a thousand rows, and an account does some dozens of
 * the operations.  So the rows are found by index when an operation is first
 * asked for, and what they say of it is kept; all of that is forgotten when the
 * table changes.  Azure's names are in lower case in the table, since no index
 * finds them in any.
 *
 * The table is not there before CREATE or ALTER EXTENSION has made it.  To read
 * it takes no rights and must never run SQL, so that it may be done by whoever
 * reads a document.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "event/azure.h"
#include "event/field.h"
#include "event/operation_key.h"
#include "event/paths.h"
#include "event/providers.h"
#include "event/targets.h"
#include "server/cached_table.h"
#include "server/table.h"
#include "utils/array.h"
#include "utils/builtins.h"

typedef struct Paths
{
	int			count;			/* -1 for null: the next row decides */
	Slice	   *paths;
} Paths;

/* What the table says of one operation. */
typedef struct KnownPaths
{
	OperationKey key;
	Paths		target;
	Paths		granted;
	uint32		status;
} KnownPaths;

#define SH_PREFIX paths
#define SH_ELEMENT_TYPE KnownPaths
#define SH_KEY_TYPE OperationKey
#define SH_KEY key
#define SH_HASH_KEY(tb, key) ((uint32) (key).b)
#define SH_EQUAL(tb, x, y) ((x).a == (y).a && (x).b == (y).b)
#define SH_SCOPE static inline
#define SH_DEFINE
#define SH_DECLARE
#include "lib/simplehash.h"

/* When so many operations are known, they are forgotten: a few hundred kB. */
#define MOST_OPERATIONS 512
#define EXPECTED_OPERATIONS 32

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

static CachedTable target_paths = {
	.name = "target_paths", .index = "target_paths_pkey", .internal = true, .optional = true
};
static paths_hash *known_operations = NULL;

/* While rows are read: what is asked for, and what was found so far. */
static Slice asked_operation;
static int	longest_suffix;
static KnownPaths found;

static void
begin(void)
{
	if (cached_table_is_good(&target_paths) && known_operations->members < MOST_OPERATIONS)
		return;

	(void) cached_table_begin(&target_paths);
	known_operations = paths_create(target_paths.context, EXPECTED_OPERATIONS, NULL);
	/* nothing has been read yet that could be stale */
	cached_table_end(&target_paths);
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

/* Take from a row what no row before it has said. */
static void
take_row(const TableRow *row)
{
	if (found.target.count < 0)
		found.target = keep_paths(row, TARGETS_TARGET);
	if (found.granted.count < 0)
		found.granted = keep_paths(row, TARGETS_GRANTED);
}

static bool
row_fits(const TableRow *row)
{
	return slice_ends(asked_operation,
					  TextDatumGetCString(row->values[TARGETS_OPERATION]));
}

static void
measure_suffix(const TableRow *row)
{
	if (row_fits(row))
		longest_suffix = Max(longest_suffix, table_slice(row, TARGETS_OPERATION).len);
}

static void
take_longest_suffix(const TableRow *row)
{
	if (row_fits(row) && table_slice(row, TARGETS_OPERATION).len == longest_suffix)
		take_row(row);
}

static void
look_up(Slice provider, Slice service, Slice operation, const char *match,
		void (*load) (const TableRow *row))
{
	/* in the order of the index's columns, as it must be */
	TableKey	keys[4] = {{TARGETS_PROVIDER, provider}, {TARGETS_SERVICE, service}};
	int			nkeys = 2;

	if (operation.s != NULL)
		keys[nkeys++] = (TableKey) {TARGETS_OPERATION, operation};
	keys[nkeys++] = (TableKey) {TARGETS_MATCH, {match, strlen(match)}};
	table_look_up(target_paths.relid, target_paths.index_relid, keys, nkeys,
				  CurrentMemoryContext, load);
}

/* Ask the rows, the one that decides first. */
static void
read_rows(Slice provider, Slice service, Slice operation)
{
	static const Slice any = SLICE_LITERAL("*");

	asked_operation = operation;
	longest_suffix = 0;
	found.target.count = found.granted.count = -1;
	look_up(provider, service, operation, "exact", take_row);
	look_up(provider, any, operation, "exact", take_row);
	look_up(provider, service, SLICE_NONE, "suffix", measure_suffix);
	look_up(provider, any, SLICE_NONE, "suffix", measure_suffix);
	if (longest_suffix > 0)
	{
		look_up(provider, service, SLICE_NONE, "suffix", take_longest_suffix);
		look_up(provider, any, SLICE_NONE, "suffix", take_longest_suffix);
	}
	look_up(provider, service, any, "exact", take_row);
	look_up(provider, any, any, "exact", take_row);
}

static Paths
copy_paths(const Paths *paths)
{
	Paths		copy = {paths->count, NULL};

	if (paths->count > 0)
		copy.paths = palloc(paths->count * sizeof(Slice));
	for (int i = 0; i < paths->count; i++)
		copy.paths[i] = slice_join(1, &paths->paths[i]);
	return copy;
}

static const KnownPaths *
paths_of(Provider provider, Slice service, Slice operation)
{
	OperationKey key = operation_key(provider, service, operation);
	const char *name = provider_names[provider];
	MemoryContext outer;
	KnownPaths *known;
	bool		there;

	begin();
	known = paths_lookup(known_operations, key);
	if (known != NULL)
		return known;
	found.target.count = found.granted.count = -1;
	if (OidIsValid(target_paths.relid))
		read_rows((Slice) {name, strlen(name)}, service, operation);

	/* only what has been read whole is kept */
	outer = MemoryContextSwitchTo(target_paths.context);
	found.target = copy_paths(&found.target);
	found.granted = copy_paths(&found.granted);
	known = paths_insert(known_operations, key, &there);
	known->target = found.target;
	known->granted = found.granted;
	MemoryContextSwitchTo(outer);
	return known;
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
	JsonbContainer *record = azure ? AZURE_OBJECT(doc, "properties", "Properties") : NULL;
	PathResult	result = {.all = all, .pascal = azure};

	if (azure && record == NULL)
		record = FIELD_OBJECT(doc, "Properties_d");
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
	bool		fold = event->provider == PROVIDER_AZURE;
	const KnownPaths *known = paths_of(event->provider,
									   fold ? slice_folded(event->service) : event->service,
									   fold ? slice_folded(event->operation) : event->operation);

	if (known->target.count >= 0)
		event->target = find_text(doc, event, &known->target, false);
	if (known->granted.count >= 0)
		event->granted = find_text(doc, event, &known->granted, true);
}
