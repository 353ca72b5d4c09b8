/*-------------------------------------------------------------------------
 *
 * queued.h
 *		What the row triggers of a statement are queued for already.
 *
 *-------------------------------------------------------------------------
 */
#ifndef IAMWATCH_QUEUED_H
#define IAMWATCH_QUEUED_H

#include "event/event.h"
#include "fmgr.h"

/*
 * Need the trigger be queued for a row of which the backend does not know that
 * it is nothing new?  Called by the trigger's WHEN, with what event_read() has
 * made of the document.
 */
extern bool queued_is_needed(FunctionCallInfo fcinfo, Jsonb *document, Event *event, bool readable);

/*
 * How often it was not needed since the event, or one like it, was queued.
 * Each is told once.
 */
extern int64 queued_take_repeats(const Event *event);

#endif							/* IAMWATCH_QUEUED_H */
