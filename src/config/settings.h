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
#include "utils/array.h"

typedef struct Detector
{
	char	   *name;
	int			activation_days;
	int			training_days;
	int			deduplication_days;
	double		probability_limit;	/* the widest: context may decide below it */
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

/*
 * The rule of lateness: is a day so much older than the newest of its account
 * that it is not kept?  The settings are loaded, or are loaded if they matter.
 */
static inline bool
day_is_late(int32 day, int32 newest, int kept_days)
{
	return day < newest - kept_days;
}

extern bool settings_is_late(int32 day, int32 newest);

/* The longest deduplication period. */
extern int	settings_deduplication_days(void);

/* The longest training period. */
extern int	settings_training_days(void);

extern int	settings_detector_count(void);
extern const Detector *settings_detector(int i);

/* A copy of all, for who does what may load the settings anew while it goes through them. */
extern const Detector *settings_kept_detectors(int *count);

/* Of any detector, enabled or not; as shipped if there is none of the name. */
typedef struct IncidentSettings
{
	int			deduplication_days;
	int			daily_budget;
} IncidentSettings;

extern IncidentSettings settings_of_incidents(Slice detector);

/* A row of iamwatch.detectors as it is now, for SQL; false if it is gone. */
extern bool settings_row(const Detector *detector, Datum *row);

/*
 * Does a detector watch operations that are no IAM operations: reads, or
 * sessions?  And this one?  Only these are remembered beside IAM operations.
 */
extern bool settings_watch_more(void);
extern bool settings_watches_more(const Operation *operation);

/* The end of the activation period of an account, by its first event. */
static inline TimestampTz
detector_active_from(const Detector *detector, TimestampTz account_first)
{
	return account_first + detector->activation_days * USECS_PER_DAY;
}

/* Does it end within the day?  Then the day's events are not all judged alike. */
static inline bool
detector_activates_on(const Detector *detector, TimestampTz account_first, int32 day)
{
	TimestampTz from = detector_active_from(detector, account_first);
	TimestampTz start = (TimestampTz) day * USECS_PER_DAY;

	return from > start && from < start + USECS_PER_DAY;
}

/* May a detector, of any settings, as an index tells? */
extern bool settings_may_activate_on(TimestampTz account_first, int32 day);

/* The rule of what a detector watches. */
extern bool detector_watches(const Detector *detector, const Operation *operation);
extern void detector_set_categories(Detector *detector, ArrayType *array);
extern void detector_set_effects(Detector *detector, ArrayType *array);

/* Kinds of context, in the order in which they are told. */
#define CONTEXT_KINDS 7
extern const char *const context_kinds[CONTEXT_KINDS];

/*
 * The probability below which an event can be unusual if all contexts that
 * count are present: all kinds if NULL.
 */
extern double detector_widest_limit(double limit, double bits, ArrayType *kinds);

#endif							/* IAMWATCH_SETTINGS_H */
