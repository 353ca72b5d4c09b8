/*-------------------------------------------------------------------------
 *
 * incident_of_one.h
 *		The incident of an alert that is the only one of it.
 *
 *-------------------------------------------------------------------------
 */
#ifndef IAMWATCH_INCIDENT_OF_ONE_H
#define IAMWATCH_INCIDENT_OF_ONE_H

/* Of iamwatch_internal.kept_incidents; the last says who keeps it. */
#define KEPT_COLUMNS 28

/*
 * A row of kept_incidents, of the columns of an alert; false if its evidence
 * has several targets or addresses, which have an order.
 */
extern bool incident_of_one(const Datum *alert, const bool *alert_nulls,
							Datum *values, bool *nulls);

#endif							/* IAMWATCH_INCIDENT_OF_ONE_H */
