/*-------------------------------------------------------------------------
 *
 * evidence.h
 *		What the events of an alert show.
 *
 *-------------------------------------------------------------------------
 */
#ifndef IAMWATCH_EVIDENCE_H
#define IAMWATCH_EVIDENCE_H

#include "event/event_row.h"
#include "utils/jsonb.h"

/*
 * Into an object that is being built: lists of what the events show, in the
 * place of those that it had before, which take part; before may be NULL.
 */
extern void evidence_push_lists(JsonbParseState **state, const Jsonb *before,
								const EventColumns *events, int count);

#endif							/* IAMWATCH_EVIDENCE_H */
