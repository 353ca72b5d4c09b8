/*-------------------------------------------------------------------------
 *
 * urgent.h
 *		Which of many incidents are urgent, all of them at once.
 *
 *-------------------------------------------------------------------------
 */
#ifndef IAMWATCH_URGENT_H
#define IAMWATCH_URGENT_H

#include "datatype/timestamp.h"

/*
 * For each of n incidents, given when it began and its risk: do fewer than most
 * of those that began in the 28 days before it have a higher risk?
 */
extern void urgent_among(const TimestampTz *began, const double *risks, int n, int64 most, bool *urgent);

#endif							/* IAMWATCH_URGENT_H */
