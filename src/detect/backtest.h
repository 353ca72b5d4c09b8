/*-------------------------------------------------------------------------
 *
 * backtest.h
 *		What other settings would have raised over what a source holds.
 *
 *-------------------------------------------------------------------------
 */
#ifndef IAMWATCH_BACKTEST_H
#define IAMWATCH_BACKTEST_H

#include "baseline/day_sums.h"
#include "config/settings.h"
#include "detect/baseline_key.h"
#include "detect/score.h"

/* ---- settings that are tried, side by side ---- */

typedef struct TriedSetting
{
	Detector	detector;
	int			deduplication_days;
	int			memory_days;
	int			peer_memory_days;
	int			daily_budget;
	double		least_risk;		/* minus infinity if there is none */
	char	   *technique;		/* of alerts whose operation has none */
	int			alike;			/* the first setting that scores as this one does */
	double		widest_limit;	/* the highest limit of those that score so */
} TriedSetting;

typedef struct TriedSettings
{
	int			n;
	TriedSetting *items;
} TriedSettings;

/* ---- the days of the keys of a source, in order (backtest_keys.c) ---- */

typedef struct SortedKeys SortedKeys;

typedef struct SortedKey
{
	Slice		key;
	Datum		days;			/* a dayset */
	TimestampTz first;
} SortedKey;

extern SortedKeys *sorted_keys_begin(void);
extern void sorted_keys_end(SortedKeys *keys);

/* One that was read: of several relations the same one can come again. */
extern void sorted_keys_add(SortedKeys *keys, Datum key, Datum days, TimestampTz first);
extern int64 sorted_keys_count(const SortedKeys *keys);

/* From here on none is added: go to the first of them. */
extern void sorted_keys_rewind(SortedKeys *keys);

/* NULL after the last; good until the next call.  And how many come before it. */
extern const SortedKey *sorted_keys_next(const SortedKeys *keys);
extern int64 sorted_keys_done(const SortedKeys *keys);
extern void sorted_keys_advance(SortedKeys *keys);

/* Remember which is next, and go back to it. */
extern void sorted_keys_mark(SortedKeys *keys);
extern void sorted_keys_restore(SortedKeys *keys);

/* ---- an account and an identity at a time, and how days score (backtest_days.c) ---- */

/* Of people and of others, all days and those of who has settled by then. */
typedef struct ClassSums
{
	DaySums		sums[2][2];
} ClassSums;

/* An operation of the account, failed or not. */
typedef struct BacktestOperation
{
	Operation	catalogued;		/* without a category if it is not any more */
	bool	   *is_watched;		/* by each setting */
	ClassSums	did;
} BacktestOperation;

/* The days of a baseline key. */
typedef struct KeyDays
{
	Slice		key;
	BaselineKey fields;
	int			behaviour;		/* -1 of what is no IAM operation */
	DayRuns		days;
} KeyDays;

/* Its keys are those of one behaviour, of each kind that the identity was seen as. */
typedef struct Behaviour
{
	BacktestOperation *operation;
	const KeyDays *key;			/* the first of them */
	int			key_count;
	DayRuns		days;
} Behaviour;

typedef struct BacktestAccount
{
	Slice		prefix;			/* of all its keys */
	TimestampTz first;
	struct operations_hash *operations;
	ClassSums	active;
	ClassSums	iam;
} BacktestAccount;

typedef struct BacktestIdentity
{
	Slice		prefix;
	int64		number;			/* of those that were visited */
	KeyDays    *keys;			/* in order */
	int			key_count;
	Behaviour  *behaviours;		/* likewise */
	int			behaviour_count;
	bool		is_person;		/* it was seen as one */
	int32		settled_from;
	DayRuns		days;
	DayRuns		iam_days;
} BacktestIdentity;

typedef struct BacktestDays
{
	const TriedSettings *settings;
	SortedKeys *keys;
	MemoryContext account_context;
	MemoryContext identity_context;

	/* those that are visited just now */
	BacktestAccount account;
	BacktestIdentity identity;
} BacktestDays;

typedef struct DayScore
{
	bool		is_unusual;		/* by the widest limit of those that score alike */
	int64		k;
	int64		active;
	int64		peer_days;
	int64		peer_active;
	double		probability;
} DayScore;

/* Go through all identities, in order of their keys. */
typedef struct IdentityVisitor
{
	/*
	 * Of an account, then of an identity, given what their keys begin with:
	 * are they to be visited?
	 */
	bool		(*wants) (void *visitor, Slice prefix);
	void		(*visit) (void *visitor);
	void	   *visitor;
} IdentityVisitor;

extern void backtest_days_init(BacktestDays *days, const TriedSettings *settings, SortedKeys *keys);
extern void backtest_days_visit(BacktestDays *days, const IdentityVisitor *visitor);

/* A filter of the behaviours that are ever unusual; NULL if there is none. */
extern bytea *backtest_days_unusual(BacktestDays *days, Oid source);

/* Of the identity that is visited: how a setting scores a day of a key. */
extern DayScore backtest_score(const BacktestDays *days, const TriedSetting *setting,
							   const KeyDays *key, int32 day);
extern RiskCounts backtest_risk_counts(const BacktestDays *days, const TriedSetting *setting,
									   const KeyDays *key, int32 day);

/* ---- its events, in order (backtest_events.c) ---- */

/* What is known of an event when it was read; strings may be missing. */
typedef struct BacktestEvent
{
	Slice		behaviour;		/* baseline_key_behaviour() of its key */
	IdentityKind kind;
	const KeyDays *key;			/* when it is its turn */
	TimestampTz time;
	Slice		event_id;
	Slice		instance_id;
	Slice		source;
} BacktestEvent;

typedef struct SortedEvents SortedEvents;

extern SortedEvents *sorted_events_begin(void);
extern void sorted_events_end(SortedEvents *events);

/* May be one of a behaviour that is never unusual, or that has no days. */
extern void sorted_events_add(SortedEvents *events, const BacktestEvent *event);
extern int64 sorted_events_count(const SortedEvents *events);

/* From here on none is added: go to the first of them. */
extern void sorted_events_sort(SortedEvents *events);

/* NULL after the last; good until the next call.  And how many come before it. */
extern BacktestEvent *sorted_events_next(SortedEvents *events);
extern int64 sorted_events_done(const SortedEvents *events);
extern void sorted_events_advance(SortedEvents *events);

/* ---- the alerts of the events (backtest_alerts.c) ---- */

/* As weigh_variation() says of an event. */
typedef struct TriedVariation
{
	char	   *name;
	char	   *severity;
	int			rank;			/* of the severity, from 1 */
} TriedVariation;

typedef struct TriedAlert
{
	int64		identity;		/* its number */
	const Behaviour *behaviour;
	const BaselineKey *key;		/* of the event that opened it */
	TimestampTz first;
	TimestampTz last;
	int64		events;
	const TriedVariation *variation;
	DayScore	score;
	RiskCounts	counts;
	double		risk;
} TriedAlert;

/*
 * Called for each alert: identity by identity and behaviour by behaviour, of
 * each setting in order of time.
 */
typedef void (*TakeAlert) (void *taker, int setting, const TriedAlert *alert);

/*
 * Go through all of them in order.  The row of iamwatch.detectors is the first
 * setting's, for what SQL says of an event; between SPI_connect() and
 * SPI_finish().
 */
extern void backtest_raise(SortedEvents *events, BacktestDays *days, Datum row,
						   Oid source, TakeAlert take, void *taker);

/* ---- numbers of the alerts of each setting (backtest_numbers.c) ---- */

#define SEVERITIES 5

typedef struct SettingNumbers
{
	int64		alerts;
	TimestampTz first;
	TimestampTz last;
	int64		identities;
	const char *severities[SEVERITIES];
	int64		by_severity[SEVERITIES];
	int64		fresh;			/* that the first setting does not raise */
	int64		gone;			/* that only the first setting raises */
	int64		incidents;
	int64		urgent;
} SettingNumbers;

typedef struct BacktestNumbers BacktestNumbers;

extern BacktestNumbers *backtest_numbers_begin(const TriedSettings *settings);

/* A TakeAlert. */
extern void backtest_numbers_take(void *numbers, int setting, const TriedAlert *alert);

/* When all alerts are there. */
extern const SettingNumbers *backtest_numbers_end(BacktestNumbers *numbers);

#endif							/* IAMWATCH_BACKTEST_H */
