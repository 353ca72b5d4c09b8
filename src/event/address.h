/*-------------------------------------------------------------------------
 *
 * address.h
 *		The address in what a log names as the source of a call.
 *
 *-------------------------------------------------------------------------
 */
#ifndef IAMWATCH_ADDRESS_H
#define IAMWATCH_ADDRESS_H

#include "event/event.h"

/*
 * An inet: the first public address of a list, else the first address.  Null if
 * the source names none: the host of a service, "AWS Internal", "private".
 */
extern Datum source_address(Slice source, bool *isnull);

#endif							/* IAMWATCH_ADDRESS_H */
