/*-------------------------------------------------------------------------
 *
 * baseline_key.h
 *		What an event adds to the baselines, as one key.
 *
 *-------------------------------------------------------------------------
 */
#ifndef IAMWATCH_BASELINE_KEY_H
#define IAMWATCH_BASELINE_KEY_H

#include "event/event.h"

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
} BaselineKey;

/* 22P03 for what is no key. */
extern BaselineKey baseline_key_read(Slice key);

#endif							/* IAMWATCH_BASELINE_KEY_H */
