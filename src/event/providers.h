/*-------------------------------------------------------------------------
 *
 * providers.h
 *		The providers that users describe, as iamwatch.providers has them.
 *
 *-------------------------------------------------------------------------
 */
#ifndef IAMWATCH_PROVIDERS_H
#define IAMWATCH_PROVIDERS_H

#include "event/event.h"

/* Where a value is in a document, as for the operator #>>; empty if nowhere. */
typedef struct Path
{
	int			nsteps;
	Slice	   *steps;
} Path;

typedef enum TimeFormat
{
	TIME_RFC3339,
	TIME_SECONDS,
	TIME_MILLISECONDS
} TimeFormat;

typedef struct KindOf
{
	Slice		value;
	IdentityKind kind;
} KindOf;

/* A row of iamwatch.providers. */
typedef struct Mapping
{
	Provider	provider;
	Path		recognised;
	Slice		recognised_value;	/* missing means any */
	Path		account;
	Slice		account_default;
	Path		identity;
	Path		kind;
	int			nkinds;
	KindOf	   *kinds;
	IdentityKind kind_default;
	Path		service;
	Slice		service_default;
	Path		operation;
	Path		time;
	TimeFormat	time_format;
	Path		result;
	int			nsuccesses;
	Slice	   *successes;
	Path		error_code;
	Path		event_id;
	Path		source_ip;
	Path		user_agent;
	Path		region;
	Path		instance_id;
	Path		target;
	Path		granted;
	Path		acting_for;
} Mapping;

/* Loaded, and unchanged since? */
extern bool providers_are_ready(void);

/* Load them if need be.  Needs no rights, runs no SQL. */
extern void providers_load(void);

/* In order of name; none as long as they are not ready. */
extern int	providers_count(void);
extern const Mapping *providers_mapping(int i);

/* This backend's number of a provider; never given to another. */
extern Provider provider_number(Slice name);

#endif							/* IAMWATCH_PROVIDERS_H */
