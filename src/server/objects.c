/*-------------------------------------------------------------------------
 *
 * objects.c
 *		The extension's own objects in the system catalogs.
 *
 * Looked up by name each time, in the system caches.  Must never keep an OID:
 * dropping and creating the extension again in one session must work.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "server/objects.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

PG_FUNCTION_INFO_V1(iamwatch_has_nodes);

#define PUBLIC_SCHEMA "iamwatch"
#define INTERNAL_SCHEMA "iamwatch_internal"

static void
object_is_missing(Oid namespace, const char *name)
{
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_OBJECT),
			 errmsg("\"%s.%s\" does not exist", get_namespace_name(namespace), name),
			 errhint("Run CREATE EXTENSION iamwatch, or ALTER EXTENSION iamwatch UPDATE.")));
}

static Oid
namespace_named(const char *name)
{
	Oid			namespace = get_namespace_oid(name, true);

	if (!OidIsValid(namespace))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_SCHEMA),
				 errmsg("schema \"%s\" does not exist", name),
				 errhint("Run CREATE EXTENSION iamwatch.  Its schemas must not be renamed.")));
	return namespace;
}

Oid
public_namespace(void)
{
	return namespace_named(PUBLIC_SCHEMA);
}

Oid
internal_namespace(void)
{
	return namespace_named(INTERNAL_SCHEMA);
}

bool
public_schema_is_there(void)
{
	return OidIsValid(get_namespace_oid(PUBLIC_SCHEMA, true));
}

bool
schemas_are_there(void)
{
	return public_schema_is_there() && OidIsValid(get_namespace_oid(INTERNAL_SCHEMA, true));
}

Oid
relation_in(Oid namespace, const char *name)
{
	Oid			relid = get_relname_relid(name, namespace);

	if (!OidIsValid(relid))
		object_is_missing(namespace, name);
	return relid;
}

Oid
public_relation(const char *name)
{
	return relation_in(public_namespace(), name);
}

Oid
internal_relation(const char *name)
{
	return relation_in(internal_namespace(), name);
}

static Oid
type_in(Oid namespace, const char *name)
{
	Oid			type = GetSysCacheOid2(TYPENAMENSP, Anum_pg_type_oid,
									   CStringGetDatum(name), ObjectIdGetDatum(namespace));

	if (!OidIsValid(type))
		object_is_missing(namespace, name);
	return type;
}

Oid
public_type(const char *name)
{
	return type_in(public_namespace(), name);
}

Oid
internal_type(const char *name)
{
	return type_in(internal_namespace(), name);
}

Oid
internal_function(const char *name, const Oid *types, int count)
{
	Oid			namespace = internal_namespace();
	Oid			function = GetSysCacheOid3(PROCNAMEARGSNSP, Anum_pg_proc_oid,
										   CStringGetDatum(name),
										   PointerGetDatum(buildoidvector(types, count)),
										   ObjectIdGetDatum(namespace));

	if (!OidIsValid(function))
		object_is_missing(namespace, name);
	return function;
}

Oid
extension_owner(void)
{
	Oid			relid = public_relation("detectors");
	HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relid));
	Oid			owner;

	if (!HeapTupleIsValid(tuple))
		object_is_missing(public_namespace(), "detectors");
	owner = ((Form_pg_class) GETSTRUCT(tuple))->relowner;
	ReleaseSysCache(tuple);
	return owner;
}

bool
has_nodes(void)
{
	return OidIsValid(get_relname_relid("pg_dist_partition", PG_CATALOG_NAMESPACE));
}

/* has_nodes() RETURNS boolean */
Datum
iamwatch_has_nodes(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(has_nodes());
}
