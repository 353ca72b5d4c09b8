/*-------------------------------------------------------------------------
 *
 * risk_counts.c
 *		What the risk of an event is counted from.
 *
 * The days of its own identity from the sets, those of its peers from the
 * tallies; what waits in the journal counts as stored, and what true positives
 * took out does not count as done.  Source: detection.md, Risk.  The formula is
 * in score.c.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "baseline/journal_sums.h"
#include "baseline/settled.h"
#include "baseline/stored.h"
#include "catalog/pg_type.h"
#include "config/settings.h"
#include "detect/candidate.h"
#include "detect/risk_counts.h"
#include "event/event_row.h"
#include "executor/executor.h"
#include "fmgr.h"
#include "server/objects.h"
#include "utils/builtins.h"
#include "utils/date.h"

PG_FUNCTION_INFO_V1(iamwatch_with_risk);

/* What is remembered of the identity of an event. */
typedef struct Memory
{
	const Event *event;
	StoredIdentity identity;
	DayRuns		did;			/* the operation, with the outcome of the event */
	DayRuns		other_outcome;
} Memory;

static void
take_delta(const StoredDelta *delta, void *arg)
{
	Memory	   *memory = arg;
	const Event *event = memory->event;

	if (!slice_equal(delta->event.identity, event->identity))
		return;
	memory->identity.kinds |= delta->kinds;
	dayruns_add_all(&memory->identity.first_days, &delta->days);
	dayruns_add_all(&memory->identity.days, &delta->days);
	if (journal_is_iam(&delta->event))
		dayruns_add_all(&memory->identity.iam_days, &delta->days);
	if (delta->event.operation.s != NULL &&
		slice_equal(delta->event.operation, event->operation) &&
		slice_equal(delta->event.service, event->service))
		dayruns_add_all(delta->event.failed == event->failed ? &memory->did : &memory->other_outcome,
						&delta->days);
}

static void
read_days(Memory *memory, int32 account_id)
{
	const Event *event = memory->event;
	Event		other = *event;

	other.failed = !event->failed;
	dayruns_init(&memory->did);
	dayruns_init(&memory->other_outcome);
	if (account_id != 0 && stored_identity(account_id, event, &memory->identity))
	{
		stored_behaviour_days(account_id, memory->identity.identity_id, event, &memory->did);
		if (event->failed)
			stored_behaviour_days(account_id, memory->identity.identity_id, &other,
								  &memory->other_outcome);
	}
	else
	{
		memory->identity.kinds = 0;
		dayruns_init(&memory->identity.first_days);
		dayruns_init(&memory->identity.days);
		dayruns_init(&memory->identity.iam_days);
	}
	if (stored_may_have_journal(event->account))
		stored_journal(event, take_delta, memory);
	if (stored_may_have_excluded(event->account, event->operation))
	{
		DayRuns		excluded;

		dayruns_init(&excluded);
		stored_excluded_days(event, &excluded);
		dayruns_remove(&memory->did, &excluded);
		dayruns_init(&excluded);
		stored_excluded_days(&other, &excluded);
		dayruns_remove(&memory->other_outcome, &excluded);
	}
}

/* Who was denied for weeks has done it before, for what another denial says. */
static int64
count_done(const Memory *memory, int32 since, int32 until)
{
	DayRuns		done;

	if (!memory->event->failed)
		return dayruns_count(&memory->did, since, until);
	done = dayruns_union_of(&memory->did, &memory->other_outcome);
	return dayruns_count(&done, since, until);
}

/* By class_days() in score.sql, where true positives took days out. */
static StoredSums
ask_sums(const Event *event, bool is_user, int32 since, int32 until)
{
	static const Oid types[] = {
		TEXTOID, TEXTOID, BOOLOID, TEXTOID, TEXTOID, BOOLOID, DATEOID, DATEOID
	};
	Datum		row = OidFunctionCall8(internal_function("class_days", types, lengthof(types)),
									   CStringGetTextDatum(provider_names[event->provider]),
									   slice_text(event->account), BoolGetDatum(is_user),
									   slice_text(event->service), slice_text(event->operation),
									   BoolGetDatum(event->failed), DateADTGetDatum(since),
									   DateADTGetDatum(until));
	HeapTupleHeader sums = DatumGetHeapTupleHeader(row);
	int64		values[6];

	for (int i = 0; i < lengthof(values); i++)
	{
		bool		isnull;

		values[i] = DatumGetInt64(GetAttributeByNum(sums, i + 1, &isnull));
	}
	return (StoredSums) {
		{values[0], values[3]}, {values[1], values[4]}, {values[2], values[5]}
	};
}

/* What all identities did that are people, or that are none; as of the same moment as days. */
static bool
read_sums(const Event *event, int32 account_id, bool is_user, int32 since, int32 until,
		  StoredSums *sums)
{
	if (stored_may_have_excluded(event->account, event->operation))
		return false;
	*sums = stored_tallies(account_id, account_id == 0 ? 0 : stored_operation_id(account_id, event),
						   is_user, since, until);
	if (stored_may_have_journal(event->account))
		*sums = stored_sums_add(*sums, journal_sums(event, is_user, since, until));
	return true;
}

/*
 * Never less than nothing, nor more than the whole that it is a part of: where
 * triage has just taken days out, the sums are of another moment than the days,
 * and that must not fail who stored the event.
 */
static int64
peers_part(StoredSum sum, bool newcomer, bool in_class, const DayRuns *own,
		   const DayRuns *first_days, int32 since, int32 until, int64 whole)
{
	int32		from = newcomer ? since : Max(since, settled_from(first_days));
	int64		part = newcomer ? sum.all : sum.settled;

	/* the class counts the identity too */
	if (in_class && from <= until)
		part -= dayruns_count(own, from, until);
	return Max(0, Min(part, whole));
}

RiskCounts
risk_counts(const EventRow *row, int32 account_id, int memory_days, int peer_memory_days)
{
	const Event *event = &row->event;
	Memory		memory = {.event = event};
	const StoredIdentity *identity = &memory.identity;
	int32		until = event->day - 1;
	int32		since = event->day - memory_days;
	int32		peers_since = event->day - peer_memory_days;
	StoredSums	sums;
	bool		found;
	bool		newcomer,
				in_class;
	RiskCounts	counts;

	settings_load();
	journal_sums_begin();
	read_days(&memory, account_id);
	found = read_sums(event, account_id, row->is_user, peers_since, until, &sums);
	stored_end();
	if (!found)
		sums = ask_sums(event, row->is_user, peers_since, until);

	newcomer = is_newcomer(&identity->first_days, event->day);
	in_class = kinds_are_person(identity->kinds) == row->is_user;
	counts.active = dayruns_count(&identity->days, since, until);
	counts.k = Min(counts.active, count_done(&memory, since, until));
	counts.iam_days = Min(counts.active, dayruns_count(&identity->iam_days, since, until));
	counts.peer_active = peers_part(sums.active, newcomer, in_class, &identity->days,
									&identity->first_days, peers_since, until, PG_INT64_MAX);
	counts.peer_days = peers_part(sums.days, newcomer, in_class, &memory.did,
								  &identity->first_days, peers_since, until, counts.peer_active);
	counts.peer_iam_days = peers_part(sums.iam_days, newcomer, in_class, &identity->iam_days,
									  &identity->first_days, peers_since, until, counts.peer_active);
	return counts;
}

/* ---- for SQL ---- */

static int32
int_field(HeapTupleHeader row, const char *name)
{
	bool		isnull;

	return DatumGetInt32(GetAttributeByName(row, name, &isnull));
}

/* with_risk(settings detectors, event, ids, score) RETURNS score */
Datum
iamwatch_with_risk(PG_FUNCTION_ARGS)
{
	HeapTupleHeader settings;
	EventRow	row;
	int32		account_id = 0;
	RiskCounts	counts;
	ScoreRow	score;

	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		PG_RETURN_NULL();
	settings = PG_GETARG_HEAPTUPLEHEADER(0);
	row = event_from_row(PG_GETARG_HEAPTUPLEHEADER(1));
	if (!PG_ARGISNULL(2))
		account_id = int_field(PG_GETARG_HEAPTUPLEHEADER(2), "account_id"); /* 0 if null */
	counts = risk_counts(&row, account_id, int_field(settings, "memory_days"),
						 int_field(settings, "peer_memory_days"));
	score_row_read(PG_ARGISNULL(3) ? NULL : PG_GETARG_HEAPTUPLEHEADER(3), &score);
	score_row_set_risk(&score, &counts);
	PG_RETURN_DATUM(score_row_datum(&score));
}
