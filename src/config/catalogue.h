/*-------------------------------------------------------------------------
 *
 * catalogue.h
 *		Look-ups in the catalogue of IAM operations.
 *
 *-------------------------------------------------------------------------
 */
#ifndef IAMWATCH_CATALOGUE_H
#define IAMWATCH_CATALOGUE_H

#include "event/event.h"

/* What is to be watched of an operation; the category ends with a null byte. */
typedef struct Operation
{
	const char *category;
	int			sensitivity;
	bool		watched;		/* effect and category make it an IAM operation */
} Operation;

/* Loaded, and unchanged since?  If not, catalogue_find() is not allowed. */
extern bool catalogue_is_ready(void);

/* Load it from iamwatch.operations if need be. */
extern void catalogue_load(void);

/*
 * The IAM operation that (service, operation) is, or NULL if it is none that
 * is watched.  An exact row beats a suffix row, the longest suffix wins, a
 * named service beats any service, a user's row beats the shipped one.  Names of
 * Azure are compared without regard to case.
 */
extern const Operation *catalogue_find(Provider provider, Slice service, Slice operation);

/*
 * The same where the table may be read: the first operations of a session are
 * looked up one by one, then all is loaded.  What it returns is good until the
 * next call.
 */
extern const Operation *catalogue_get(Provider provider, Slice service, Slice operation);

/* The relation changed: look-ups need a new load.  Safe in a callback. */
extern void catalogue_forget(Oid relid);

#endif							/* IAMWATCH_CATALOGUE_H */
