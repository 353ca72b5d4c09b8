/*-------------------------------------------------------------------------
 *
 * operation_key.h
 *		What a session's copies of tables find an operation by.
 *
 * Two hashes with keys that nobody knows (quick_hash.h), so that whoever chooses
 * names in events cannot make one that is taken for another, and so many bits
 * that a chance collision is not worth a thought.
 *
 *-------------------------------------------------------------------------
 */
#ifndef IAMWATCH_OPERATION_KEY_H
#define IAMWATCH_OPERATION_KEY_H

#include "event/event.h"
#include "server/quick_hash.h"

typedef struct OperationKey
{
	uint64		a;				/* of the operation */
	uint64		b;				/* of the service, and of a */
} OperationKey;

static inline uint64
operation_name_hash(Provider provider, Slice operation)
{
	return quick_hash_of_kind(operation, provider);
}

static inline uint64
operation_service_hash(Slice service, uint64 name_hash)
{
	return quick_hash(service, name_hash, &quick_keys[1]);
}

static inline OperationKey
operation_key(Provider provider, Slice service, Slice operation)
{
	OperationKey key;

	quick_hash_init();
	key.a = operation_name_hash(provider, operation);
	key.b = operation_service_hash(service, key.a);
	return key;
}

#endif							/* IAMWATCH_OPERATION_KEY_H */
