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
#include "catalog/pg_type.h"
#include "objects.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

static void
object_is_missing(const char *name)
{
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_OBJECT),
			 errmsg("\"iamwatch.%s\" does not exist", name),
			 errhint("Run CREATE EXTENSION iamwatch, or ALTER EXTENSION iamwatch UPDATE.")));
}

Oid
iamwatch_namespace(void)
{
	return get_namespace_oid("iamwatch", false);
}

Oid
iamwatch_relation_in(Oid namespace, const char *name)
{
	Oid			relid = get_relname_relid(name, namespace);

	if (!OidIsValid(relid))
		object_is_missing(name);
	return relid;
}

Oid
iamwatch_relation(const char *name)
{
	return iamwatch_relation_in(iamwatch_namespace(), name);
}

Oid
iamwatch_relation_if_any(const char *name)
{
	return get_relname_relid(name, iamwatch_namespace());
}

bool
iamwatch_has_relation(const char *name)
{
	return OidIsValid(iamwatch_relation_if_any(name));
}

Oid
iamwatch_type(const char *name)
{
	Oid			type = GetSysCacheOid2(TYPENAMENSP, Anum_pg_type_oid,
									   CStringGetDatum(name),
									   ObjectIdGetDatum(iamwatch_namespace()));

	if (!OidIsValid(type))
		object_is_missing(name);
	return type;
}

Oid
iamwatch_event_type(void)
{
	return iamwatch_type("event");
}

/* The owner of the tables, who created the extension or was given it. */
Oid
iamwatch_owner(void)
{
	HeapTuple	tuple = SearchSysCache1(RELOID,
										ObjectIdGetDatum(iamwatch_relation("detectors")));
	Oid			owner;

	if (!HeapTupleIsValid(tuple))
		object_is_missing("detectors");
	owner = ((Form_pg_class) GETSTRUCT(tuple))->relowner;
	ReleaseSysCache(tuple);
	return owner;
}
