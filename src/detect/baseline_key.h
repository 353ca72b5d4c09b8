/*-------------------------------------------------------------------------
 *
 * baseline_key.h
 *		What an event adds to the baselines, as one key.
 *
 *-------------------------------------------------------------------------
 */
#ifndef IAMWATCH_BASELINE_KEY_H
#define IAMWATCH_BASELINE_KEY_H

#include "access/tupdesc.h"
#include "config/catalogue.h"
#include "fmgr.h"

/* What a key stands for; its strings lie in the key. */
typedef struct BaselineKey
{
	Provider	provider;
	IdentityKind kind;
	Slice		account;
	Slice		identity;
	Slice		service;		/* missing, as the next, unless it is an IAM operation */
	Slice		operation;
	bool		failed;

	/* what all keys of the account, and of the identity, begin with */
	Slice		of_account;
	Slice		of_identity;
} BaselineKey;

/* 22P03 for what is no key. */
extern BaselineKey baseline_key_read(Slice key);

/* What all keys of its behaviour begin with, and the rest: the kind of identity. */
extern Slice baseline_key_behaviour(Slice key);
extern IdentityKind baseline_key_kind(Slice key);

/*
 * The key of an event that is taken: how many bytes it has, and these.  The
 * operation is what the catalogue says of it, NULL for none.
 */
extern Size baseline_key_size(const Event *event, const Operation *operation);
extern void baseline_key_write(const Event *event, const Operation *operation, char *key);

/* The row type of a call's result, for as long as its expression lasts. */
extern TupleDesc baseline_key_desc(FunctionCallInfo fcinfo);

#endif							/* IAMWATCH_BASELINE_KEY_H */
