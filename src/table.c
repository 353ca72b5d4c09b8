/*-------------------------------------------------------------------------
 *
 * table.c
 *		Reads the small tables of which every backend keeps a copy.
 *
 * By a plain scan, without a query: a session that stores one event and ends
 * would spend most of its time in planning.  What is made of the rows belongs
 * to catalogue.c, settings.c and providers.c.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "compat.h"
#include "fmgr.h"
#include "table.h"
#include "utils/rel.h"

void
table_read(Oid relid, MemoryContext context, void (*load) (const TableRow *row))
{
	Relation	relation = table_open(relid, AccessShareLock);
	TupleDesc	desc = RelationGetDescr(relation);
	SysScanDesc scan = systable_beginscan(relation, InvalidOid, false, NULL, 0, NULL);
	TableRow	row;
	HeapTuple	tuple;

	row.values = palloc(desc->natts * sizeof(Datum));
	row.nulls = palloc(desc->natts * sizeof(bool));
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		MemoryContext outer = MemoryContextSwitchTo(context);

		heap_deform_tuple(tuple, desc, row.values, row.nulls);
		load(&row);
		MemoryContextSwitchTo(outer);
	}
	systable_endscan(scan);
	table_close(relation, AccessShareLock);
}

/* Nearly always in the tuple itself: names are short. */
Slice
table_slice(const TableRow *row, int column)
{
	struct varlena *text;

	if (row->nulls[column])
		return SLICE_NONE;
	text = PG_DETOAST_DATUM_PACKED(row->values[column]);
	return (Slice) {VARDATA_ANY(text), (int) VARSIZE_ANY_EXHDR(text)};
}
