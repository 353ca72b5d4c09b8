/*-------------------------------------------------------------------------
 *
 * owner.h
 *		Work done with the rights of the extension's owner.
 *
 *-------------------------------------------------------------------------
 */
#ifndef IAMWATCH_OWNER_H
#define IAMWATCH_OWNER_H

typedef struct OwnerScope
{
	Oid			user;
	int			security_context;
	int			guc_level;
} OwnerScope;

/*
 * Between the two, SQL runs as the owner of the extension, resolves names in
 * pg_catalog and iamwatch alone, and is planned for look-ups by index.  On
 * error the end of the (sub)transaction restores everything.
 */
extern void owner_begin(OwnerScope *scope);
extern void owner_end(const OwnerScope *scope);

/* A setting, until the nesting of settings ends that the caller has begun. */
extern void set_locally(const char *name, const char *value);

#endif							/* IAMWATCH_OWNER_H */
