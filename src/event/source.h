/*-------------------------------------------------------------------------
 *
 * source.h
 *		The address in what a log names as the source of a call.
 *
 *-------------------------------------------------------------------------
 */
#ifndef IAMWATCH_SOURCE_H
#define IAMWATCH_SOURCE_H

#include "event/event.h"

/*
 * An inet: the first public address of a list, else the first address.  Null if
 * the source names none: the host of a service, "AWS Internal", "private".
 */
extern Datum source_address(Slice source, bool *isnull);

#endif							/* IAMWATCH_SOURCE_H */
