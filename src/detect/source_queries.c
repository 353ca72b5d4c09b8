/*-------------------------------------------------------------------------
 *
 * source_queries.c
 *		All that iamwatch ever asks of a source, in one place.
 *
 * Each is a function in SQL that returns rows; server/source.c has the rule by
 * which they are read.  Only what must be done over all rows is in these
 * queries, and every function that they call is executable by everybody, since
 * they may run with the rights of whoever owns the source.  What is done with
 * the rows is done by the caller, with the caller's rights.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "nodes/execnodes.h"
#include "server/given.h"
#include "server/source.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/tuplestore.h"

PG_FUNCTION_INFO_V1(iamwatch_read_days);
PG_FUNCTION_INFO_V1(iamwatch_read_firsts);
PG_FUNCTION_INFO_V1(iamwatch_read_events);
PG_FUNCTION_INFO_V1(iamwatch_read_details);
PG_FUNCTION_INFO_V1(iamwatch_read_unreadable);
PG_FUNCTION_INFO_V1(iamwatch_read_after);
PG_FUNCTION_INFO_V1(iamwatch_read_unordered);
PG_FUNCTION_INFO_V1(iamwatch_read_by_id);
PG_FUNCTION_INFO_V1(iamwatch_read_instances);
PG_FUNCTION_INFO_V1(iamwatch_read_some);

#define KEYS_OF_SOURCE \
	" FROM (SELECT iamwatch_internal.baseline_key({document}) AS m FROM {source} AS source_row) AS keys"

/* Since and until, of a query that begin_timed_query() began. */
#define IN_TIME "($1 IS NULL OR (m).at >= $1) AND ($2 IS NULL OR (m).at < $2)"

/* The first arguments of all of them. */
static SourceQuery
begin_query(FunctionCallInfo fcinfo, const char *sql)
{
	SourceQuery query = {.sql = sql};

	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		refuse_null("table and column");
	query.source = PG_GETARG_OID(0);
	query.event_column = NameStr(*PG_GETARG_NAME(1));
	return query;
}

static void
add_argument(SourceQuery *query, FunctionCallInfo fcinfo, int argument, Oid type)
{
	Assert(query->count < lengthof(query->types));
	query->types[query->count] = type;
	query->nulls[query->count] = PG_ARGISNULL(argument);
	query->values[query->count++] = PG_ARGISNULL(argument) ? (Datum) 0 : PG_GETARG_DATUM(argument);
}

/* The next two are since (included) and until (not), null for no bound. */
static SourceQuery
begin_timed_query(FunctionCallInfo fcinfo, const char *sql)
{
	SourceQuery query = begin_query(fcinfo, sql);

	add_argument(&query, fcinfo, 2, TIMESTAMPTZOID);
	add_argument(&query, fcinfo, 3, TIMESTAMPTZOID);
	return query;
}

/* The rows are in the result of the call. */
static Datum
read_rows(SourceQuery *query, FunctionCallInfo fcinfo)
{
	source_read(query, fcinfo);
	return (Datum) 0;
}

/*
 * read_days(regclass, name, since, until) RETURNS SETOF (key, days, first,
 * events): one parallel aggregate.  A null key is of what cannot be read.
 *
 * Where memory does not hold the days of all keys, the first query stops early,
 * and the server groups the keys.  It also gives nothing for a source that is
 * empty, or has nothing in the time.
 */
Datum
iamwatch_read_days(PG_FUNCTION_ARGS)
{
	SourceQuery in_memory = begin_timed_query(fcinfo,
											  "SELECT d.key, d.days, d.first, d.events"
											  " FROM (SELECT iamwatch_internal.stored_days({document}, $1, $2) AS packed"
											  "  FROM {source} AS source_row) AS s"
											  " CROSS JOIN LATERAL iamwatch_internal.stored_days_rows(s.packed) AS d");
	SourceQuery by_server = begin_timed_query(fcinfo,
											  "SELECT (m).key, iamwatch.dayset_agg((m).at), min((m).at), count(*)"
											  KEYS_OF_SOURCE
											  " WHERE (m).key IS NULL OR " IN_TIME
											  " GROUP BY (m).key");

	source_read(&in_memory, fcinfo);
	if (tuplestore_tuple_count(((ReturnSetInfo *) fcinfo->resultinfo)->setResult) == 0)
		source_read(&by_server, fcinfo);
	return (Datum) 0;
}

/*
 * read_firsts(regclass, name, since, until, keys) RETURNS SETOF (key, at): the
 * first event of each key and day, of all keys if the array is null.
 */
Datum
iamwatch_read_firsts(PG_FUNCTION_ARGS)
{
	SourceQuery query = begin_timed_query(fcinfo,
										  "SELECT (m).key, min((m).at)"
										  KEYS_OF_SOURCE
										  " WHERE ($3 IS NULL OR (m).key = ANY ($3)) AND (m).key IS NOT NULL AND " IN_TIME
										  " GROUP BY (m).key, date_bin('1 day', (m).at, timestamptz 'epoch')");

	add_argument(&query, fcinfo, 4, BYTEAARRAYOID);
	return read_rows(&query, fcinfo);
}

/*
 * read_events(regclass, name, since, until, keys, firsts) RETURNS SETOF (key,
 * at, event, access_key): those that have one of the keys, or of which the hash
 * of key and time is among the firsts.  Whoever reads a document parses it, so
 * parallel workers do.
 */
Datum
iamwatch_read_events(PG_FUNCTION_ARGS)
{
	SourceQuery query = begin_timed_query(fcinfo,
										  "SELECT (m).key, (m).at, iamwatch.parse(document), (iamwatch_internal.event_details(document)).access_key"
										  " FROM (SELECT iamwatch_internal.baseline_key({document}) AS m,"
										  "  {document} AS document FROM {source} AS source_row) AS keys"
										  " WHERE ((m).key = ANY ($3)"
										  "  OR hash_record_extended(ROW((m).key, (m).at), 0) = ANY ($4))"
										  " AND " IN_TIME);

	add_argument(&query, fcinfo, 4, BYTEAARRAYOID);
	add_argument(&query, fcinfo, 5, INT8ARRAYOID);
	return read_rows(&query, fcinfo);
}

/*
 * read_details(regclass, name, filter) RETURNS SETOF (key, at, event_id,
 * instance_id, source): of those whose keys pass the filter, no more than a
 * backtest needs, so that there is room for many
 */
Datum
iamwatch_read_details(PG_FUNCTION_ARGS)
{
	SourceQuery query = begin_query(fcinfo,
									"SELECT (m).key, (m).at, (details).event_id, (details).instance_id, (details).source"
									" FROM (SELECT m, iamwatch_internal.event_details(document) AS details"
									"  FROM (SELECT iamwatch_internal.baseline_key({document}) AS m,"
									"   {document} AS document FROM {source} AS source_row) AS keys"
									"  WHERE iamwatch_internal.key_filter_passes($1, (m).key)) AS found");

	add_argument(&query, fcinfo, 2, BYTEAOID);
	return read_rows(&query, fcinfo);
}

/* read_unreadable(regclass, name) RETURNS SETOF jsonb: what has no key */
Datum
iamwatch_read_unreadable(PG_FUNCTION_ARGS)
{
	SourceQuery query = begin_query(fcinfo,
									"SELECT document"
									" FROM (SELECT {document} AS document FROM {source} AS source_row) AS documents"
									" WHERE (iamwatch_internal.baseline_key(document)).key IS NULL");

	return read_rows(&query, fcinfo);
}

/*
 * Which rows process() takes.  One row with a value beyond all others would be
 * the last that it ever takes, and whoever inserts can write one: infinity, no
 * number, a time that is yet to come.  Such rows are left, a time until the
 * clock has reached it; one without a time zone can be 14 hours ahead.
 */
typedef struct OrderRule
{
	const char *taken;
	const char *odd;			/* what has no place in the order */
} OrderRule;

#define ORDER_TIME(ahead) { \
	" AND source_row.{order} > '-infinity' AND source_row.{order} <= now() + interval '" ahead "'", \
	" OR source_row.{order} = '-infinity' OR source_row.{order} > now() + interval '1 day'"}
#define ORDER_FLOAT { \
	" AND source_row.{order} > '-infinity' AND source_row.{order} < 'infinity'", \
	" OR source_row.{order} = '-infinity' OR source_row.{order} >= 'infinity'"}

static const OrderRule order_rules[] = {{"", ""}, ORDER_TIME("0"), ORDER_TIME("14 hours"), ORDER_FLOAT};

static const OrderRule *
order_rule(Oid source, const char *column)
{
	switch (get_atttype(source, get_attnum(source, column)))
	{
		case TIMESTAMPTZOID:
			return &order_rules[1];
		case TIMESTAMPOID:
		case DATEOID:
			return &order_rules[2];
		case FLOAT4OID:
		case FLOAT8OID:
		case NUMERICOID:
			return &order_rules[3];
		default:
			return &order_rules[0];
	}
}

static SourceQuery
begin_order_query(FunctionCallInfo fcinfo)
{
	SourceQuery query = begin_query(fcinfo, NULL);

	if (PG_ARGISNULL(2))
		refuse_null("order column");
	query.order_column = NameStr(*PG_GETARG_NAME(2));
	return query;
}

/*
 * read_after(regclass, name, order_column, start text, watermark text, most, alike)
 * RETURNS SETOF (document, at text, fresh): the next rows in that order, from
 * behind start, or with alike from those at it; those that are alike in it stay
 * together.  Fresh are those that lie behind the watermark; null for those at it.
 */
Datum
iamwatch_read_after(PG_FUNCTION_ARGS)
{
	SourceQuery query = begin_order_query(fcinfo);
	bool		alike = !PG_ARGISNULL(6) && PG_GETARG_BOOL(6);

	query.sql = psprintf("SELECT coalesce({document}, 'null'), source_row.{order}::text,"
						 " CASE WHEN $2 IS NULL OR source_row.{order} > $2::{order_type} THEN true"
						 " WHEN source_row.{order} < $2::{order_type} THEN false END"
						 " FROM {source} AS source_row"
						 " WHERE source_row.{order} IS NOT NULL AND ($1 IS NULL OR source_row.{order} %s $1::{order_type})%s"
						 " ORDER BY source_row.{order} FETCH FIRST $3 ROWS WITH TIES",
						 alike ? ">=" : ">", order_rule(query.source, query.order_column)->taken);
	add_argument(&query, fcinfo, 3, TEXTOID);
	add_argument(&query, fcinfo, 4, TEXTOID);
	add_argument(&query, fcinfo, 5, INT4OID);
	return read_rows(&query, fcinfo);
}

/*
 * read_unordered(regclass, name, order_column, watermark text) RETURNS SETOF
 * (unordered, alike): how many rows have no place in the order, and how many
 * the watermark's
 */
Datum
iamwatch_read_unordered(PG_FUNCTION_ARGS)
{
	SourceQuery query = begin_order_query(fcinfo);
	const char *odd = order_rule(query.source, query.order_column)->odd;

	query.sql = psprintf("SELECT count(*) FILTER (WHERE source_row.{order} IS NULL%s),"
						 " count(*) FILTER (WHERE source_row.{order} = $1::{order_type})"
						 " FROM {source} AS source_row"
						 " WHERE source_row.{order} = $1::{order_type} OR source_row.{order} IS NULL%s", odd, odd);
	add_argument(&query, fcinfo, 3, TEXTOID);
	return read_rows(&query, fcinfo);
}

/*
 * read_by_id(regclass, name, provider, ids) RETURNS SETOF jsonb: by the field
 * that holds the id, so that an index on it is used; refused where that means
 * to read some 8 GB.  Only what has the id is read further by the caller.
 */
Datum
iamwatch_read_by_id(PG_FUNCTION_ARGS)
{
	static const struct
	{
		const char *provider;
		const char *sql;
		const char *index_on;
	}			ways[] = {
		{"aws", "SELECT {document} FROM {source} AS source_row"
		" WHERE {document} ->> 'eventID' = ANY ($1)", "{document}->>'eventID'"},
		{"gcp", "SELECT {document} FROM {source} AS source_row"
		" WHERE {document} ->> 'insertId' = ANY ($1)", "{document}->>'insertId'"},
		{NULL, "SELECT {document} FROM {source} AS source_row"
		" WHERE (iamwatch.parse({document})).event_id = ANY ($1)", "(iamwatch.parse({document})).event_id"}
	};
	char	   *provider = PG_ARGISNULL(2) ? "" : text_to_cstring(PG_GETARG_TEXT_PP(2));
	SourceQuery query;
	int			way = 0;

	while (ways[way].provider != NULL && strcmp(ways[way].provider, provider) != 0)
		way++;
	query = begin_query(fcinfo, ways[way].sql);
	query.most_cost = 1000000;	/* in pages */
	query.index_on = ways[way].index_on;
	add_argument(&query, fcinfo, 3, TEXTARRAYOID);
	return read_rows(&query, fcinfo);
}

/* read_instances(regclass, name) RETURNS SETOF jsonb: what tells of instances */
Datum
iamwatch_read_instances(PG_FUNCTION_ARGS)
{
	SourceQuery query = begin_query(fcinfo,
									"SELECT {document} FROM {source} AS source_row"
									" WHERE ({document} ->> 'eventSource' = 'ec2.amazonaws.com'"
									"  AND {document} ->> 'eventName' IN ('RunInstances', 'TerminateInstances',"
									"   'AllocateAddress', 'AssociateAddress', 'DisassociateAddress'))"
									" OR ({document} #>> '{protoPayload,serviceName}' = 'compute.googleapis.com'"
									"  AND {document} #>> '{protoPayload,methodName}'"
									"   ~ '(^|[.])compute[.]instances[.](insert|delete)$')");

	return read_rows(&query, fcinfo);
}

/* read_some(regclass, name, most bigint) RETURNS SETOF bytea: keys of rows that are met first */
Datum
iamwatch_read_some(PG_FUNCTION_ARGS)
{
	SourceQuery query = begin_query(fcinfo,
									"SELECT (iamwatch_internal.baseline_key({document})).key"
									" FROM {source} AS source_row LIMIT $1");

	add_argument(&query, fcinfo, 2, INT8OID);

	return read_rows(&query, fcinfo);
}
