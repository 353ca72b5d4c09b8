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

/* Effects of operations; each is one bit in the set that a detector watches. */
typedef enum Effect
{
	EFFECT_CREATE,
	EFFECT_MODIFY,
	EFFECT_DELETE,
	EFFECT_READ,
	EFFECT_COUNT
} Effect;

extern Effect effect_named(Slice name);

/* What the catalogue says of an operation; the category ends with a null byte. */
typedef struct Operation
{
	const char *category;
	const char *technique;		/* of ATT&CK; empty if none is said */
	Effect		effect;
	int			sensitivity;
	bool		is_iam;			/* detection.md, Terms: IAM operation */
} Operation;

/* Neither sessions nor sign-ins are watched unless a detector names them. */
extern bool category_is_session(const char *category);

/*
 * Are the provider's rows loaded, settings too, and unchanged since?  If not,
 * catalogue_find() is not allowed for its operations.
 */
extern bool catalogue_is_ready(Provider provider);

/* Load all of it from iamwatch.operations if need be. */
extern void catalogue_load(void);

/*
 * The operation that (service, operation) is, or NULL if it is neither an IAM
 * operation nor one that a detector watches all the same.  An exact row beats a
 * suffix row, the longest suffix wins, a named service beats any service, a
 * user's row beats the shipped one.  Names of Azure are compared without regard
 * to case.
 */
extern const Operation *catalogue_find(Provider provider, Slice service, Slice operation);

/*
 * The same where the table may be read: the first operations of a session are
 * looked up one by one, then all of their providers are loaded.  What it returns is good until the
 * next call.
 */
extern const Operation *catalogue_get(Provider provider, Slice service, Slice operation);

/* The same of any operation of the catalogue, whether somebody watches it or not. */
extern const Operation *catalogue_row(Provider provider, Slice service, Slice operation);

/*
 * Has the session asked so little yet that a look at an index costs less than a
 * copy of the catalogue and of the settings?  Each answer counts as a question
 * about the provider.
 */
extern bool catalogue_asks_by_index(Provider provider);

/*
 * Does the catalogue have nothing of that name, as one look at an index tells?
 * Then catalogue_get() would return NULL.  False also where it is not known.
 */
extern bool catalogue_lacks(Provider provider, Slice operation);

/*
 * Is an operation that is remembered an IAM operation?  The catalogue is asked
 * only where detectors watch others too.
 */
extern bool catalogue_is_iam(Provider provider, Slice service, Slice operation);

#endif							/* IAMWATCH_CATALOGUE_H */
