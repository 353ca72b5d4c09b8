/*-------------------------------------------------------------------------
 *
 * detect.c
 *		Compares a batch of events with the baselines.
 *
 * In sets, not event by event, and in this order: entities.c looks up what is
 * stored of the accounts, identities and behaviours in the batch; learn.c has
 * fold.c write what is new; score_batch.c scores, and hands what is unusual to
 * assign.c; then baseline_cache.c is told what need not be asked again.
 *
 * That the whole batch is learned before any of it is scored changes nothing:
 * the score of a day looks only at the days before it, and the batch is in
 * order of event time.  For the same reason a batch that is larger than memory
 * can be taken in pieces, each later than the one before.
 *
 * Owns that order, and what becomes of documents that were not understood.
 * All memory is in one context that goes with the batch.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "baseline/baseline_cache.h"
#include "baseline/told.h"
#include "catalog/pg_type.h"
#include "config/settings.h"
#include "detect/batch.h"
#include "detect/detect.h"
#include "detect/entities.h"
#include "detect/learn.h"
#include "detect/score_batch.h"
#include "detect/status.h"
#include "server/client.h"
#include "server/column.h"
#include "server/plans.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

static void
reject(const BatchItem *batch, int count)
{
	Column		source = column_make(OIDOID, count);
	Column		reason = column_make(TEXTOID, count);
	Column		document = column_make(JSONBOID, count);

	for (int i = 0; i < count; i++)
	{
		Assert(batch[i].reason != NULL);
		column_add(&source, ObjectIdGetDatum(batch[i].source));
		column_add(&reason, CStringGetTextDatum(batch[i].reason));
		if (batch[i].document != NULL)
			column_add(&document, PointerGetDatum(batch[i].document));
		else
			column_add_null(&document);
	}
	plans_run(PLAN_REJECT, (Datum[])
			  {
				  column_array(&source), column_array(&reason), column_array(&document)
			  }, NULL);
}

static void
remember(Entities *entities, uint64 told)
{
	for (int i = 0; i < entities->naccounts; i++)
	{
		Account    *account = entities->accounts[i];

		if (account->newest > PG_INT32_MIN)
			cache_remember_account(account->key, account->first, account->newest);
	}
	for (int i = 0; i < entities->nitems; i++)
	{
		BatchEvent *item = &entities->items[i];

		if (item->late)
			continue;
		Assert(item->event->day <= item->account->newest);
		cache_remember_identity(item->identity->key, item->event->kind, item->event->day);
		if (item->behaviour != NULL && item->cacheable)
			cache_remember_behaviour(item->behaviour->key, item->event->kind, item->event->day, told);
	}
}

static Outcome
outcome(const BatchEvent *item)
{
	Assert(!item->late || (!item->brings_day && !item->brings_behaviour));
	if (item->late)
		return OUTCOME_LATE;
	return item->brings_day || item->brings_behaviour ? OUTCOME_LEARNED : OUTCOME_NOTHING;
}

static void
count_outcomes(const Entities *entities, const BatchItem *batch, int count)
{
	SourceCounts *counts = status_begin();

	for (int i = 0; i < entities->nitems; i++)
		status_count(counts, &batch[i], outcome(&entities->items[i]));
	for (int i = entities->nitems; i < count; i++)
		status_count(counts, &batch[i], OUTCOME_REJECTED);
	status_write(counts);
}

/* Tell, once for a statement, of what came too late to count. */
typedef struct LateEvents
{
	int64		count;
	Oid			source;			/* of the first */
} LateEvents;

static void
count_late(const Entities *entities, const BatchItem *batch, LateEvents *late)
{
	for (int i = 0; i < entities->nitems; i++)
	{
		if (!entities->items[i].late)
			continue;
		if (late->count == 0)
			late->source = batch[i].source;
		late->count += 1 + batch[i].repeats;
	}
}

static void
warn_of_late(const LateEvents *late)
{
	ErrorContextCallback *context;
	char	   *name;

	if (late->count == 0)
		return;
	name = get_rel_name(late->source);
	if (name != NULL)
		name = quote_qualified_identifier(get_namespace_name(get_rel_namespace(late->source)), name);
	if (name != NULL && !client_has_all_of(name))
		name = NULL;
	context = client_hide_context();
	ereport(WARNING,
			(errcode(ERRCODE_WARNING),
			 errmsg_plural("%lld event was further back than what is remembered, and was neither learned nor tested",
						   "%lld events were further back than what is remembered, and were neither learned nor tested",
						   (unsigned long) late->count, (long long) late->count),
			 errhint("To have all of it compared in order of event time, load the rest and then CALL iamwatch.backfill(%s).",
					 name == NULL ? "" : quote_literal_cstr(name))));
	error_context_stack = context;
}

static void
detect(const BatchItem *batch, int count, LateEvents *late)
{
	Entities	entities = {0};
	int			readable = 0;

	while (readable < count && batch[readable].reason == NULL)
		readable++;
	if (readable < count)
		reject(batch + readable, count - readable);
	if (readable > 0)
	{
		uint64		told = told_begin();

		entities_find(&entities, batch, readable);
		learn_batch(&entities);
		score_batch(&entities);
		remember(&entities, told);
	}
	count_outcomes(&entities, batch, count);
	count_late(&entities, batch, late);
}

void
detect_batch(void)
{
	BatchPieces pieces = {false};
	LateEvents	late = {0};
	MemoryContext outer = CurrentMemoryContext;
	int			count;

	do
	{
		BatchItem  *batch;
		PlansScope	scope;

		SPI_connect();			/* the memory of a piece goes with SPI_finish() */
		batch = batch_next_piece(&pieces, &count);
		if (count > 0)
		{
			plans_begin(&scope);
			settings_load();
			detect(batch, count, &late);
			plans_end(&scope);
		}
		SPI_finish();
		MemoryContextSwitchTo(outer);
	} while (count > 0 && pieces.reader != NULL);
	warn_of_late(&late);
}
