/*-------------------------------------------------------------------------
 *
 * batch_item.h
 *		An event of a batch, packed.
 *
 *-------------------------------------------------------------------------
 */
#ifndef IAMWATCH_BATCH_ITEM_H
#define IAMWATCH_BATCH_ITEM_H

#include "access/xact.h"
#include "event/event.h"
#include "server/compat.h"

typedef struct BatchItem
{
	Event		event;			/* undefined if it is rejected */
	bool		detailed;		/* all of the event was read, not its names alone */
	const char *reason;			/* why it is rejected; NULL if it is not */
	Jsonb	   *document;		/* of what is rejected; NULL if that was */
	Oid			source;			/* the table it was stored in */
	SubTransactionId subid;
	int64		repeats;		/* further events that only say the same again */
} BatchItem;

/* One piece of memory, which is a bytea too. */
typedef struct PackedItem PackedItem;

/* A copy of the item and all that it points to, in the current memory context. */
extern PackedItem *item_pack(const BatchItem *item);

/* Points into what is packed. */
extern void item_unpack(const PackedItem *packed, BatchItem *item);

/* The same of a bytea that may lie anywhere: it is copied to the current memory context. */
extern void item_unpack_bytea(const struct varlena *bytes, BatchItem *item);

extern void item_add_repeats(PackedItem *packed, int64 repeats);

/* What a batch is ordered by: those that are rejected last, then the time, then this. */
extern bool item_is_rejected(const PackedItem *packed);
extern TimestampTz item_time(const PackedItem *packed);
extern Slice item_event_id(const PackedItem *packed);

extern SubTransactionId item_subid(const PackedItem *packed);

#endif							/* IAMWATCH_BATCH_ITEM_H */
