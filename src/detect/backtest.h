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

/* ---- what a source holds: days, and how they score (backtest_days.c) ---- */

/* The days of a baseline key. */
typedef struct KeyDays
{
	Slice		key;
	BaselineKey fields;
	int			behaviour;		/* -1 of what is no IAM operation */
	TimestampTz first;
	DayRuns		days;
} KeyDays;

typedef struct Behaviour
{
	int			identity;
	int			operation;
	int			first_key;		/* its keys are in a row */
	int			key_count;
	bool		is_wanted;		/* a day of it is unusual by some setting */
	DayRuns		days;
} Behaviour;

typedef struct BacktestIdentity
{
	int			account;
	bool		is_person;		/* it was seen as one */
	int32		settled_from;
	DayRuns		days;
	DayRuns		iam_days;
} BacktestIdentity;

/* Of people and of others, all days and those of who has settled by then. */
typedef struct ClassSums
{
	DaySums		sums[2][2];
} ClassSums;

/* Its identities, behaviours and operations are in a row, each from so on. */
typedef struct BacktestAccount
{
	TimestampTz first;
	int			identities;
	int			behaviours;
	int			operations;
} BacktestAccount;

/* An operation of an account, failed or not. */
typedef struct BacktestOperation
{
	Operation	catalogued;		/* without a category if it is not any more */
	bool	   *is_watched;		/* by each setting */
	ClassSums	did;			/* while it is the turn of its account */
} BacktestOperation;

typedef struct BacktestDays
{
	MemoryContext context;
	KeyDays    *keys;			/* in order of account, identity and operation */
	int			key_count;
	int			key_capacity;
	Behaviour  *behaviours;		/* in the same order */
	int			behaviour_count;
	BacktestIdentity *identities;	/* likewise */
	int			identity_count;
	BacktestAccount *accounts;	/* and one more, where the last one ends */
	int			account_count;
	BacktestOperation *operations;
	int			operation_count;
	int			account;		/* whose turn it is; -1 before the first */
	MemoryContext sums;			/* of what its peers did */
	ClassSums	active;
	ClassSums	iam;
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

extern void backtest_days_init(BacktestDays *days);

/* A key that was read; of several relations the same one can come again. */
extern void backtest_days_add(BacktestDays *days, Slice key, const Dayset *stored, TimestampTz first);

/* All were: put them together, and find out which behaviours are ever unusual. */
extern void backtest_days_finish(BacktestDays *days, const TriedSettings *settings, Oid source);

/*
 * Whatever is scored next is of this account: what its peers did is held of one
 * account at a time.
 */
extern void backtest_turn_to(BacktestDays *days, int account);

/* The score of a day by a setting. */
extern DayScore backtest_score(const BacktestDays *days, const TriedSetting *setting,
							   const KeyDays *key, int32 day);
extern RiskCounts backtest_risk_counts(const BacktestDays *days, const TriedSetting *setting,
									   const KeyDays *key, int32 day);

/* ---- its events, and the alerts of them (backtest_alerts.c) ---- */

/* What an alert says that depends on more than its behaviour. */
/* As weigh_variation() says of an event. */
typedef struct TriedVariation
{
	char	   *name;
	char	   *severity;
	int			rank;			/* of the severity, from 1 */
} TriedVariation;

typedef struct TriedAlert
{
	const KeyDays *key;			/* of the event that opened it */
	TimestampTz first;
	TimestampTz last;
	int64		events;
	const TriedVariation *variation;
	DayScore	score;
	RiskCounts	counts;
	double		risk;
} TriedAlert;

/* Called for each alert: behaviour by behaviour, of each setting in order of time. */
typedef void (*TakeAlert) (void *taker, int setting, const TriedAlert *alert);

/* What is known of an event when it was read; strings may be missing. */
typedef struct BacktestEvent
{
	const KeyDays *key;
	TimestampTz time;
	Slice		event_id;
	Slice		instance_id;
	Slice		source;
} BacktestEvent;

typedef struct BacktestEvents BacktestEvents;

extern BacktestEvents *backtest_events_begin(BacktestDays *days);
extern void backtest_events_add(BacktestEvents *events, const BacktestEvent *event);

/*
 * Go through all of them in order.  The first of the settings is a row of
 * iamwatch.detectors, too, for what SQL says of an event; between SPI_connect()
 * and SPI_finish().
 */
extern void backtest_events_raise(BacktestEvents *events, const TriedSettings *settings, Datum row,
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

extern BacktestNumbers *backtest_numbers_begin(const BacktestDays *days, const TriedSettings *settings);

/* A TakeAlert. */
extern void backtest_numbers_take(void *numbers, int setting, const TriedAlert *alert);

/* When all alerts are there. */
extern const SettingNumbers *backtest_numbers_end(BacktestNumbers *numbers);

#endif							/* IAMWATCH_BACKTEST_H */
