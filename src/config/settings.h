/*-------------------------------------------------------------------------
 *
 * settings.h
 *		The enabled detectors, as iamwatch.detectors has them.
 *
 *-------------------------------------------------------------------------
 */
#ifndef IAMWATCH_SETTINGS_H
#define IAMWATCH_SETTINGS_H

#include "config/catalogue.h"

typedef struct Detector
{
	char	   *name;
	int			activation_days;
	int			training_days;
	double		probability_limit;	/* the widest: context.sql may decide below it */
	int			least_sensitivity;
	int			effects;		/* a set of them, by bits */
	int			ncategories;	/* 0 means all but sessions and sign-ins */
	char	  **categories;
} Detector;

/* As catalogue_is_ready() and catalogue_load(). */
extern bool settings_are_ready(void);
extern void settings_load(void);

/* Called when the settings are, or may be, others than before; safe in a callback. */
extern void (*settings_changed_hook) (void);

/*
 * The longest memory and lateness allowance: how far behind the newest event of
 * its account an event may be.
 */
extern int	settings_kept_days(void);

/* The longest deduplication period. */
extern int	settings_deduplication_days(void);

/* The longest training period. */
extern int	settings_training_days(void);

/* Are first events of the day taken into its sample? */
extern bool settings_is_context_day(int32 day);

extern int	settings_detector_count(void);
extern const Detector *settings_detector(int i);

/* A row of iamwatch.detectors as it is now, for SQL; false if it is gone. */
extern bool settings_row(const Detector *detector, Datum *row);

/*
 * Does a detector watch operations that are no IAM operations: reads, or
 * sessions?  And this one?  Only these are remembered beside IAM operations.
 */
extern bool settings_watch_more(void);
extern bool settings_watches_more(const Operation *operation);

extern bool detector_watches(const Detector *detector, const Operation *operation);

#endif							/* IAMWATCH_SETTINGS_H */
