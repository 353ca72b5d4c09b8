/*-------------------------------------------------------------------------
 *
 * event_row.h
 *		Rows of iamwatch.event.
 *
 *-------------------------------------------------------------------------
 */
#ifndef IAMWATCH_EVENT_ROW_H
#define IAMWATCH_EVENT_ROW_H

#include "access/htup.h"
#include "event/event.h"

/*
 * Who did what, when and with which outcome.  All other fields but is_user are
 * missing.  Strings lie in the row.  22004 if one that must be there is not.
 */
typedef struct EventRow
{
	Event		event;			/* without its kind */
	bool		is_user;
} EventRow;

extern EventRow event_from_row(HeapTupleHeader row);

#endif							/* IAMWATCH_EVENT_ROW_H */
