/*-------------------------------------------------------------------------
 *
 * rfc3339.h
 *		Reading of times as RFC 3339 writes them, or nearly so.
 *
 *-------------------------------------------------------------------------
 */
#ifndef IAMWATCH_RFC3339_H
#define IAMWATCH_RFC3339_H

#include "datatype/timestamp.h"

/*
 * Read date-time of RFC 3339, section 5.6: any offset, any number of fraction
 * digits, of which those past microseconds are cut off.  A 60th second is the
 * next minute's first.  Beyond it, as exports write times: a blank instead of
 * the T, an offset without colon or minutes, " UTC", and no offset at all, which
 * means UTC.  Returns false when it is something else.
 *
 * *day is the UTC date, in days since 2000-01-01.
 */
extern bool rfc3339_read(const char *s, int len, TimestampTz *time, int32 *day);

#endif							/* IAMWATCH_RFC3339_H */
