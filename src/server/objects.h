/*-------------------------------------------------------------------------
 *
 * objects.h
 *		The extension's own objects in the system catalogs.
 *
 *-------------------------------------------------------------------------
 */
#ifndef IAMWATCH_OBJECTS_H
#define IAMWATCH_OBJECTS_H

/*
 * Of the schema that people read, and of the one of the machinery.  All raise
 * ERRCODE_UNDEFINED_OBJECT when the object is not there.
 */
extern Oid	public_namespace(void);
extern Oid	internal_namespace(void);
extern Oid	public_relation(const char *name);
extern Oid	internal_relation(const char *name);
extern Oid	public_type(const char *name);
extern Oid	internal_type(const char *name);
extern Oid	internal_function(const char *name, const Oid *types, int count);

/* Whether both schemas have the names that all statements call them by. */
extern bool schemas_are_there(void);

/* Of the one that people read: for who knows the other without its name. */
extern bool public_schema_is_there(void);

/* Does this database have the extension citus, so that there may be several nodes? */
extern bool has_nodes(void);

/* For many names in a row: in what one of the first two has returned. */
extern Oid	relation_in(Oid namespace, const char *name);

/* Who owns the tables: who created the extension or was given it. */
extern Oid	extension_owner(void);

#endif							/* IAMWATCH_OBJECTS_H */
