/*-------------------------------------------------------------------------
 *
 * incident_columns.h
 *		Columns of kept_incidents and changed_incidents.
 *
 *-------------------------------------------------------------------------
 */
#ifndef IAMWATCH_INCIDENT_COLUMNS_H
#define IAMWATCH_INCIDENT_COLUMNS_H

/* In the order of the tables; new ones come after these. */
enum
{
	KEPT_INCIDENT_ID = 1, KEPT_DETECTOR, KEPT_PROVIDER, KEPT_ACCOUNT, KEPT_IDENTITY,
	KEPT_IDENTITY_KIND, KEPT_RISK, KEPT_SEVERITY, KEPT_STATUS, KEPT_ALERTS, KEPT_OPEN_ALERTS,
	KEPT_EVENTS, KEPT_FIRST_EVENT_TIME, KEPT_LAST_EVENT_TIME, KEPT_FIRST_DAY,
	KEPT_KEPT_BY = 28
};
enum
{
	CHANGED_DETECTOR = 1, CHANGED_PROVIDER, CHANGED_ACCOUNT, CHANGED_IDENTITY
};

#endif							/* IAMWATCH_INCIDENT_COLUMNS_H */
