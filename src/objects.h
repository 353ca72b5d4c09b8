/*-------------------------------------------------------------------------
 *
 * objects.h
 *		The extension's own objects in the system catalogs.
 *
 *-------------------------------------------------------------------------
 */
#ifndef IAMWATCH_OBJECTS_H
#define IAMWATCH_OBJECTS_H

/* All raise ERRCODE_UNDEFINED_OBJECT when the extension is not there. */
extern Oid	iamwatch_namespace(void);
extern Oid	iamwatch_relation(const char *name);
extern Oid	iamwatch_type(const char *name);
extern Oid	iamwatch_event_type(void);
extern Oid	iamwatch_owner(void);

/* For many names in a row: in what iamwatch_namespace() has returned. */
extern Oid	iamwatch_relation_in(Oid namespace, const char *name);

/* For what the SQL objects of an older release do not have yet. */
extern bool iamwatch_has_relation(const char *name);
extern Oid	iamwatch_relation_if_any(const char *name);

#endif							/* IAMWATCH_OBJECTS_H */
