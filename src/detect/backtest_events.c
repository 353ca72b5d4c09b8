/*-------------------------------------------------------------------------
 *
 * backtest_events.c
 *		The events of a backtest, in order of behaviour and time.
 *
 * Behaviours are in the order of their keys, as those of backtest_keys.c are, so
 * that both can be gone through side by side.  Sorted by the server, on disk
 * where work_mem does not hold them.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "detect/backtest.h"
#include "server/sorting.h"

/* Columns of a sorted row: the order, and then the rest of the event. */
enum
{
	ROW_BEHAVIOUR,
	ROW_TIME,
	ROW_EVENT_ID,
	ROW_KIND,
	ROW_INSTANCE_ID,
	ROW_SOURCE,
	ROW_COLUMNS
};
#define ORDER_COLUMNS 3

struct SortedEvents
{
	SortedRows	rows;
	int64		count;
	int64		done;			/* before the next */
	BacktestEvent next;			/* its strings are good until the one after it */
};

SortedEvents *
sorted_events_begin(void)
{
	static const Oid types[ROW_COLUMNS] = {BYTEAOID, INT8OID, BYTEAOID, INT4OID, BYTEAOID, BYTEAOID};
	SortedEvents *events = palloc0(sizeof(SortedEvents));

	sorted_rows_begin(&events->rows, types, ROW_COLUMNS, ORDER_COLUMNS, TUPLESORT_NONE);
	return events;
}

static void
put_bytes(TupleTableSlot *slot, int column, Slice bytes)
{
	slot->tts_isnull[column] = bytes.s == NULL;
	slot->tts_values[column] = bytes.s == NULL ? (Datum) 0 : slice_text(bytes);
}

/* In a memory context of the caller's that does not last: the sort has a copy. */
void
sorted_events_add(SortedEvents *events, const BacktestEvent *event)
{
	TupleTableSlot *slot = sorted_rows_blank(&events->rows);

	slot->tts_values[ROW_TIME] = Int64GetDatum(event->time);
	slot->tts_values[ROW_KIND] = Int32GetDatum(event->kind);
	put_bytes(slot, ROW_BEHAVIOUR, event->behaviour);
	put_bytes(slot, ROW_EVENT_ID, event->event_id);
	put_bytes(slot, ROW_INSTANCE_ID, event->instance_id);
	put_bytes(slot, ROW_SOURCE, event->source);
	sorted_rows_add(&events->rows);
	events->count++;
}

static Slice
get_bytes(TupleTableSlot *slot, int column)
{
	return slot->tts_isnull[column] ? SLICE_NONE : slice_of_text(slot->tts_values[column]);
}

static void
fetch_next(SortedEvents *events)
{
	TupleTableSlot *slot = events->rows.next;

	if (!sorted_rows_fetch(&events->rows))
		return;
	events->next.behaviour = get_bytes(slot, ROW_BEHAVIOUR);
	events->next.kind = DatumGetInt32(slot->tts_values[ROW_KIND]);
	events->next.time = DatumGetInt64(slot->tts_values[ROW_TIME]);
	events->next.event_id = get_bytes(slot, ROW_EVENT_ID);
	events->next.instance_id = get_bytes(slot, ROW_INSTANCE_ID);
	events->next.source = get_bytes(slot, ROW_SOURCE);
}

void
sorted_events_sort(SortedEvents *events)
{
	tuplesort_performsort(events->rows.sort);
	fetch_next(events);
}

BacktestEvent *
sorted_events_next(SortedEvents *events)
{
	return TupIsNull(events->rows.next) ? NULL : &events->next;
}

int64
sorted_events_done(const SortedEvents *events)
{
	return events->done;
}

int64
sorted_events_count(const SortedEvents *events)
{
	return events->count;
}

void
sorted_events_advance(SortedEvents *events)
{
	events->done++;
	fetch_next(events);
}

void
sorted_events_end(SortedEvents *events)
{
	sorted_rows_end(&events->rows);
}
