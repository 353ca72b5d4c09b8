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

/* Columns, from 0; new ones come after these. */
enum
{
	EVENT_PROVIDER, EVENT_ACCOUNT, EVENT_EVENT_ID, EVENT_EVENT_TIME, EVENT_IDENTITY,
	EVENT_IDENTITY_KIND, EVENT_IS_USER, EVENT_SERVICE, EVENT_OPERATION, EVENT_FAILED,
	EVENT_ERROR_CODE, EVENT_SOURCE_IP, EVENT_SOURCE_HOST, EVENT_USER_AGENT, EVENT_REGION,
	EVENT_INSTANCE_ID, EVENT_TARGET, EVENT_GRANTED, EVENT_ACTING_FOR, EVENT_COLUMNS
};

/* A row taken apart; its values lie in the row. */
typedef struct EventColumns
{
	Datum		values[EVENT_COLUMNS];
	bool		nulls[EVENT_COLUMNS];
} EventColumns;

extern void event_columns(HeapTupleHeader row, EventColumns *columns);

/* A column of type text; missing if it is null. */
extern Slice event_column(const EventColumns *columns, int column);

/*
 * Who did what, when and with which outcome.  All other fields but is_user are
 * missing.  Strings lie in the row.  22004 if one that must be there is not.
 */
typedef struct EventRow
{
	Event		event;			/* without its kind */
	bool		is_user;
} EventRow;

extern EventRow event_from_columns(const EventColumns *columns);
extern EventRow event_from_row(HeapTupleHeader row);

#endif							/* IAMWATCH_EVENT_ROW_H */
