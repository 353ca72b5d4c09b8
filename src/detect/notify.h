/*-------------------------------------------------------------------------
 *
 * notify.h
 *		Tells those who LISTEN of an alert.
 *
 *-------------------------------------------------------------------------
 */
#ifndef IAMWATCH_NOTIFY_H
#define IAMWATCH_NOTIFY_H

#include "detect/open_alert.h"

/* When the transaction commits, unless the detector says that nothing is sent; whether it will be. */
extern bool notify_alert(const AlertSettings *settings, const AlertColumns *alert);

#endif							/* IAMWATCH_NOTIFY_H */
