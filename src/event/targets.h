/*-------------------------------------------------------------------------
 *
 * targets.h
 *		What an operation was done to, and what it granted.
 *
 *-------------------------------------------------------------------------
 */
#ifndef IAMWATCH_TARGETS_H
#define IAMWATCH_TARGETS_H

#include "event/event.h"

/*
 * Fill target and granted of an event that was read of the document, as the
 * paths in the table target_paths say; what they do not find stays as it is.
 * Needs no rights, runs no SQL.  Must not be called where tables may not be read.
 */
extern void targets_read(JsonbContainer *doc, Event *event);

#endif							/* IAMWATCH_TARGETS_H */
