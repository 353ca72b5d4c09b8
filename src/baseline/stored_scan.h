/*-------------------------------------------------------------------------
 *
 * stored_scan.h
 *		Rows of our tables, found by index.
 *
 * For the files that look up in tables, stored.c above all; between stored_begin()
 * and stored_end().
 *
 *-------------------------------------------------------------------------
 */
#ifndef IAMWATCH_STORED_SCAN_H
#define IAMWATCH_STORED_SCAN_H

#include "access/genam.h"
#include "access/skey.h"
#include "access/tableam.h"
#include "executor/tuptable.h"
#include "server/slice.h"

typedef enum Lookup
{
	LOOKUP_ACCOUNTS,
	LOOKUP_IDENTITIES,
	LOOKUP_OPERATIONS,
	LOOKUP_BEHAVIOUR_DAYS,
	LOOKUP_ALERTS,
	LOOKUP_SUPPRESSED,
	LOOKUP_EXCLUDED,
	LOOKUP_PENDING,
	LOOKUP_JOURNAL,
	LOOKUP_JOURNAL_FIRST,
	LOOKUP_JOURNAL_NEWEST,
	LOOKUP_SAMPLES,
	LOOKUP_SUPPRESSIONS,
	LOOKUP_NEAR_LIMITS,
	LOOKUP_TALLIES,
	LOOKUP_INCIDENTS,
	LOOKUP_INCIDENT_DAYS,
	LOOKUP_INCIDENT_NUMBERS,
	LOOKUP_INCIDENTS_SINCE,
	LOOKUP_LINKS_FROM,
	LOOKUP_LINKS_TO,
	LOOKUP_CHANGED,
	LOOKUP_CHANGES,
	LOOKUP_ALERT_NUMBERS,
	LOOKUP_ALERT_EVENTS,
	LOOKUP_IDENTITY_NUMBERS,
	LOOKUP_OPERATION_NUMBERS,
	LOOKUP_NOVELTIES,
	LOOKUP_HABITS,
	LOOKUP_COUNT
} Lookup;

/* A scan is NULL when the table is empty, and the others take that. */
extern IndexScanDesc scan_begin(Lookup lookup, ScanKey keys, int count);
extern TupleTableSlot *scan_next(Lookup lookup, IndexScanDesc scan);
extern TupleTableSlot *scan_next_in(Lookup lookup, IndexScanDesc scan, ScanDirection direction);
extern void scan_end(Lookup lookup, IndexScanDesc scan);

/*
 * The same by what the index has, so that rows which the caller does not want
 * need not be read: each entry first, and its row if scan_fetch() is asked for it.
 * Whoever wants nothing of the row asks scan_entry_is_seen() whether it counts.
 * scan_again() goes on with other keys; it takes no NULL.
 */
extern IndexScanDesc scan_begin_entries(Lookup lookup, ScanKey keys, int count);
extern void scan_again(IndexScanDesc scan, ScanKey keys, int count);
extern bool scan_next_entry(IndexScanDesc scan, ScanDirection direction);
extern Datum scan_entry_value(IndexScanDesc scan, int column);
extern TupleTableSlot *scan_fetch(Lookup lookup, IndexScanDesc scan);
extern bool scan_entry_is_seen(Lookup lookup, IndexScanDesc scan);

/*
 * The same, or all rows of a table that is so small that its index need not be
 * opened: whoever takes the rows compares all that the keys of the index do.
 */
typedef struct Rows
{
	Lookup		lookup;
	IndexScanDesc found;
	TableScanDesc all;
} Rows;

extern Rows rows_begin(Lookup lookup, ScanKey keys, int count);
extern TupleTableSlot *rows_next(const Rows *rows);
extern void rows_end(const Rows *rows);

/*
 * Calls take for every row of a page of the table that a row was found on.  Must not
 * be called while a scan of the same goes on.
 */
extern void scan_page(Lookup lookup, BlockNumber page,
					  void (*take) (TupleTableSlot *slot, void *arg), void *arg);

/* Of the table. */
extern Oid	scan_schema(Lookup lookup);

/*
 * Backwards, and only over so many dead versions as there is room for: 0 when
 * there is none left, none is a bound if it is less.
 */
extern TupleTableSlot *scan_previous(Lookup lookup, IndexScanDesc scan, int *room);

/* Columns of an index count from 1. */
extern void scan_key_hash(ScanKey key, int column, Slice name);
extern void scan_key_short_hash(ScanKey key, int column, Slice name);
extern void scan_key_id(ScanKey key, int column, int32 id);

/* Columns of the row that was found; scan_value() is for those that are never null. */
extern Datum scan_column(TupleTableSlot *slot, int column, bool *isnull);
extern Datum scan_value(TupleTableSlot *slot, int column);
extern Slice scan_text(TupleTableSlot *slot, int column);
extern bool scan_text_is(TupleTableSlot *slot, int column, Slice name);

#endif							/* IAMWATCH_STORED_SCAN_H */
