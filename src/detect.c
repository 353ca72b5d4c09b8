/*-------------------------------------------------------------------------
 *
 * detect.c
 *		Compares a batch of events with the baselines.
 *
 * In sets, not event by event, and in this order: parties.c looks up what is
 * stored of the accounts, identities and behaviours in the batch; learn.c has
 * learn.sql write what is new; judge.c scores, and hands what is unusual to
 * alerts.sql; then known.c is told what need not be asked again.
 *
 * That the whole batch is learned before any of it is scored changes nothing:
 * the score of a day looks only at the days before it, and the batch is in
 * order of event time.
 *
 * Owns that order, and what becomes of documents that were not understood.
 * All memory is in one context that goes with the batch.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "batch.h"
#include "catalog/pg_type.h"
#include "column.h"
#include "detect.h"
#include "judge.h"
#include "known.h"
#include "learn.h"
#include "parties.h"
#include "plans.h"
#include "settings.h"
#include "status.h"
#include "utils/builtins.h"

static void
reject(const News *news, int count)
{
	Column		source = column_make(OIDOID, count);
	Column		reason = column_make(TEXTOID, count);
	Column		document = column_make(JSONBOID, count);

	for (int i = 0; i < count; i++)
	{
		column_add(&source, ObjectIdGetDatum(news[i].source));
		column_add(&reason, CStringGetTextDatum(news[i].reason));
		if (news[i].document != NULL)
			column_add(&document, PointerGetDatum(news[i].document));
		else
			column_add_null(&document);
	}
	plans_run(PLAN_REJECT, (Datum[])
			  {
				  column_array(&source), column_array(&reason), column_array(&document)
			  }, NULL);
}

static void
remember(Parties *parties)
{
	for (int i = 0; i < parties->naccounts; i++)
	{
		Account    *account = parties->accounts[i];

		if (account->newest > PG_INT32_MIN)
			known_remember_account(account->key, account->first, account->newest);
	}
	for (int i = 0; i < parties->nitems; i++)
	{
		Happening  *item = &parties->items[i];

		if (item->late)
			continue;
		known_remember_identity(item->identity->key, item->event->kind, item->event->day);
		if (item->behaviour != NULL && item->settled)
			known_remember_behaviour(item->behaviour->key, item->event->kind, item->event->day);
	}
}

static Outcome
outcome(const Happening *item)
{
	if (item->late)
		return OUTCOME_LATE;
	return item->brings_day || item->brings_behaviour ? OUTCOME_LEARNED : OUTCOME_NOTHING;
}

static void
count_outcomes(const Parties *parties, const News *news, int count)
{
	SourceCounts *counts = status_begin();

	for (int i = 0; i < parties->nitems; i++)
		status_count(counts, &news[i], outcome(&parties->items[i]));
	for (int i = parties->nitems; i < count; i++)
		status_count(counts, &news[i], OUTCOME_REJECTED);
	status_write(counts);
}

static void
detect(const News *news, int count)
{
	Parties		parties = {0};
	int			readable = 0;

	while (readable < count && news[readable].reason == NULL)
		readable++;
	if (readable < count)
		reject(news + readable, count - readable);
	if (readable > 0)
	{
		parties_find(&parties, news, readable);
		learn_batch(&parties);
		judge_batch(&parties);
		remember(&parties);
	}
	count_outcomes(&parties, news, count);
}

void
detect_batch(void)
{
	int			count;
	News	   *news;
	PlansScope	scope;

	SPI_connect();				/* its memory goes with SPI_finish() */
	news = batch_take(&count);
	if (count > 0)
	{
		plans_begin(&scope);
		settings_load();
		detect(news, count);
		plans_end(&scope);
	}
	SPI_finish();
}
