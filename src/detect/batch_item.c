/*-------------------------------------------------------------------------
 *
 * batch_item.c
 *		An event of a batch, packed.
 *
 * Of a first load, a batch keeps every IAM operation.  What is known of an event
 * once it was read takes a quarter of its document; in one piece of memory, it
 * can be sorted and written to disk as it is.
 *
 * Must never decide what becomes of an event.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "detect/batch_item.h"

/* Strings of an event.  The order is that in which they are packed. */
static const size_t strings[] = {
	offsetof(Event, event_id), offsetof(Event, account), offsetof(Event, identity),
	offsetof(Event, service), offsetof(Event, operation),
	/* of one that is detailed only, as the first */
	offsetof(Event, error_code), offsetof(Event, source), offsetof(Event, user_agent),
	offsetof(Event, region), offsetof(Event, instance_id), offsetof(Event, target),
	offsetof(Event, granted), offsetof(Event, acting_for), offsetof(Event, access_key)
};

#define NAMES_BEGIN 1
#define NAMES_END 5

/* The document follows, which must be aligned, then the strings, then the reason. */
struct PackedItem
{
	int32		vl_len_;		/* varlena header (do not touch directly!) */
	int32		day;
	TimestampTz time;
	int64		repeats;
	Oid			source;
	SubTransactionId subid;
	int32		provider;
	int8		kind;
	bool		failed;
	bool		detailed;
	int32		document;		/* bytes; 0 if there is none */
	int32		reason;			/* -1 if there is none */
	int32		lengths[lengthof(strings)]; /* -1 if it is missing */
};

static inline Slice *
string_of(const Event *event, int n)
{
	return (Slice *) ((char *) event + strings[n]);
}

static inline char *
document_of(const PackedItem *packed)
{
	return (char *) packed + MAXALIGN(sizeof(PackedItem));
}

/* Is there such a string in the item?  What was not read is not defined. */
static bool
has_string(const BatchItem *item, int n)
{
	return item->reason == NULL && (item->detailed || (n >= NAMES_BEGIN && n < NAMES_END)) &&
		string_of(&item->event, n)->s != NULL;
}

static void
pack_scalars(const BatchItem *item, PackedItem *packed)
{
	packed->day = item->event.day;
	packed->time = item->event.time;
	packed->repeats = item->repeats;
	packed->source = item->source;
	packed->subid = item->subid;
	packed->provider = item->event.provider;
	packed->kind = item->event.kind;
	packed->failed = item->event.failed;
	packed->detailed = item->detailed;
}

PackedItem *
item_pack(const BatchItem *item)
{
	PackedItem	header = {0};
	PackedItem *packed;
	Size		size = MAXALIGN(sizeof(PackedItem));
	char	   *at;

	pack_scalars(item, &header);
	header.document = item->document == NULL ? 0 : VARSIZE(item->document);
	header.reason = item->reason == NULL ? -1 : (int32) strlen(item->reason);
	size += header.document + Max(header.reason, 0);
	for (int i = 0; i < lengthof(strings); i++)
	{
		header.lengths[i] = has_string(item, i) ? string_of(&item->event, i)->len : -1;
		size += Max(header.lengths[i], 0);
	}
	SET_VARSIZE(&header, size);

	packed = palloc(size);
	*packed = header;
	at = document_of(packed);
	if (header.document > 0)
		memcpy(at, item->document, header.document);
	at += header.document;
	for (int i = 0; i < lengthof(strings); i++)
		if (header.lengths[i] > 0)
		{
			memcpy(at, string_of(&item->event, i)->s, header.lengths[i]);
			at += header.lengths[i];
		}
	if (header.reason > 0)
		memcpy(at, item->reason, header.reason);
	return packed;
}

void
item_unpack(const PackedItem *packed, BatchItem *item)
{
	char	   *at = document_of(packed);

	memset(item, 0, sizeof(*item));
	item->event.day = packed->day;
	item->event.time = packed->time;
	item->event.provider = packed->provider;
	item->event.kind = packed->kind;
	item->event.failed = packed->failed;
	item->detailed = packed->detailed;
	item->source = packed->source;
	item->subid = packed->subid;
	item->repeats = packed->repeats;
	if (packed->document > 0)
		item->document = (Jsonb *) at;
	at += packed->document;
	for (int i = 0; i < lengthof(strings); i++)
		if (packed->lengths[i] >= 0)
		{
			*string_of(&item->event, i) = (Slice) {at, packed->lengths[i]};
			at += packed->lengths[i];
		}
	if (packed->reason >= 0)
		item->reason = pnstrdup(at, packed->reason);
}

void
item_unpack_bytea(const struct varlena *bytes, BatchItem *item)
{
	Size		size = VARSIZE_ANY_EXHDR(bytes);
	PackedItem *packed = palloc(VARHDRSZ + size);

	SET_VARSIZE(packed, VARHDRSZ + size);
	memcpy(VARDATA(packed), VARDATA_ANY(bytes), size);
	item_unpack(packed, item);
}

void
item_add_repeats(PackedItem *packed, int64 repeats)
{
	packed->repeats += repeats;
}

bool
item_is_rejected(const PackedItem *packed)
{
	return packed->reason >= 0;
}

TimestampTz
item_time(const PackedItem *packed)
{
	return packed->time;
}

Slice
item_event_id(const PackedItem *packed)
{
	return (Slice) {document_of(packed) + packed->document, Max(packed->lengths[0], 0)};
}

SubTransactionId
item_subid(const PackedItem *packed)
{
	return packed->subid;
}
