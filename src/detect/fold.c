/*-------------------------------------------------------------------------
 *
 * fold.c
 *		Writes what was learned of an account into its baselines.
 *
 * One session at a time writes an account.  Whoever finds it taken appends to
 * the journals instead and goes on; the next session that gets the account
 * folds them in.  Nobody waits.
 *
 * Owns who may write an account, and its own row; fold_days.c writes its days,
 * and fold_context.c the contexts of its events.
 * Without a statement, which would cost several times as much; what is rare, as
 * an account that is new or near a limit, is left to functions of learn.sql.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "baseline/stored.h"
#include "baseline/stored_columns.h"
#include "detect/fold.h"
#include "detect/fold_context.h"
#include "detect/fold_days.h"
#include "detect/limit_counts.h"
#include "event/providers.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "server/lock.h"
#include "server/objects.h"
#include "server/plans.h"
#include "server/row.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/timestamp.h"

PG_FUNCTION_INFO_V1(iamwatch_learn_account);

/* The account's own row: its first event, newest day and late events. */
static void
move_account(const StoredAccount *account, const Deltas *deltas)
{
	StoredAccount moved = *account;
	RowTarget	target;
	Datum		values[ACCOUNTS_COLUMNS];
	bool		nulls[ACCOUNTS_COLUMNS] = {false};

	for (int i = 0; i < deltas->count; i++)
	{
		const Delta *delta = &deltas->items[i];

		moved.first = Min(moved.first, delta->first);
		if (delta->days.n > 0)
			moved.newest = Max(moved.newest, delta->days.runs[delta->days.n - 1].hi);
		moved.late_events += delta->late;
	}
	if (moved.first == account->first && moved.newest == account->newest &&
		moved.late_events == account->late_events)
		return;
	values[ACCOUNTS_ACCOUNT_ID - 1] = Int32GetDatum(moved.account_id);
	values[ACCOUNTS_PROVIDER - 1] = CStringGetTextDatum(deltas->provider);
	values[ACCOUNTS_ACCOUNT - 1] = slice_text(deltas->account);
	values[ACCOUNTS_FIRST_EVENT_TIME - 1] = TimestampTzGetDatum(moved.first);
	nulls[ACCOUNTS_FIRST_EVENT_TIME - 1] = moved.first == PG_INT64_MAX;
	values[ACCOUNTS_NEWEST_DAY - 1] = DateADTGetDatum(moved.newest);
	nulls[ACCOUNTS_NEWEST_DAY - 1] = moved.newest == PG_INT32_MIN;
	values[ACCOUNTS_LATE_EVENTS - 1] = Int64GetDatum(moved.late_events);
	values[ACCOUNTS_DROPPED_BEFORE - 1] = DateADTGetDatum(moved.dropped_before);
	nulls[ACCOUNTS_DROPPED_BEFORE - 1] = moved.dropped_before == PG_INT32_MIN;
	row_target_open(&target, internal_relation("accounts"), ACCOUNTS_COLUMNS);
	row_update_at(&target, &moved.at, values, nulls);
	row_target_close(&target);
}

/* What the journal has of the account too, which goes from there; whether there was anything. */
static bool
take_journal(Deltas *deltas)
{
	bool		isnull;
	Datum		taken;
	int			count = deltas->count;

	taken = plans_call(CALL_TAKE_JOURNAL, (Datum[])
					   {
						   CStringGetTextDatum(deltas->provider), slice_text(deltas->account)
					   }, &isnull);
	if (!isnull)
		deltas_add_array(deltas, taken);
	return deltas->count > count;
}

/* Few accounts are near: their limits were lowered, or an index has something of them. */
static void
keep_within_limits(int32 account_id, Deltas *deltas, bool near)
{
	Datum		kept;

	if (!near && stored_limit("new_identities") >= (int64) deltas->count + LARGE_COUNT &&
		stored_limit("new_behaviours") >= (int64) deltas->count + LARGE_COUNT)
		return;
	kept = plans_call(CALL_WITHIN_LIMITS, (Datum[])
					  {
						  Int32GetDatum(account_id), CStringGetTextDatum(deltas->provider),
						  slice_text(deltas->account), deltas_array(deltas)
					  }, NULL);
	deltas->count = 0;
	deltas_add_array(deltas, kept);
}

/* A number for an account that is new, and a row; false if it may not have one. */
static bool
add_account(const Event *names, const Deltas *deltas, StoredAccount *account)
{
	bool		added;

	(void) plans_call(CALL_ADD_ACCOUNT, (Datum[])
					  {
						  CStringGetTextDatum(deltas->provider), slice_text(deltas->account)
					  }, NULL);
	stored_begin();
	added = stored_account(names, account);
	stored_end();
	return added;
}

/*
 * Write what was learned, and what the journal has, under the lock of the
 * account.  The account's number; 0 if it has none.
 */
static int32
fold_account(Deltas *deltas, bool moves_account)
{
	Event		names = {0};
	StoredAccount account;
	Slice		scope;
	bool		known;
	bool		journaled;
	bool		near;

	names.provider = provider_number((Slice) {deltas->provider, strlen(deltas->provider)});
	names.account = deltas->account;
	scope = slice_join(3, (Slice[]) {{deltas->provider, strlen(deltas->provider)},
									SLICE_LITERAL("/"), deltas->account});
	stored_begin();
	known = stored_account(&names, &account);
	journaled = stored_may_have_journal(deltas->account);
	near = stored_may_be_near_limit(scope);
	stored_end();
	if (journaled)
		moves_account |= take_journal(deltas);
	if (deltas->count == 0)
		return known ? account.account_id : 0;
	if (!known && !add_account(&names, deltas, &account))
		return 0;
	keep_within_limits(account.account_id, deltas, near);
	if (moves_account || !known)
		move_account(&account, deltas);
	fold_days(&names, account.account_id, deltas, DatumGetTextPP(slice_text(scope)));
	return account.account_id;
}

static bool
lock_account(Slice account)
{
	return lock_try_one(LOCK_ACCOUNT, (int32) (slice_hash(account, 0) & 63), (int64) slice_hash(account, 1));
}

static int
count_samples(Datum samples)
{
	ArrayType  *array = DatumGetArrayTypeP(samples);

	return ArrayGetNItems(ARR_NDIM(array), ARR_DIMS(array));
}

/* The contexts of the samples, and of those that the journal has of the account, which go from there. */
static void
learn_contexts(const Deltas *deltas, int32 account_id, Datum samples)
{
	bool		journaled;

	stored_begin();
	journaled = stored_may_have_samples(deltas->account);
	stored_end();
	if (journaled)
		samples = plans_call(CALL_WITH_SAMPLES, (Datum[])
							 {
								 CStringGetTextDatum(deltas->provider), slice_text(deltas->account), samples
							 }, NULL);
	if (count_samples(samples) > 0)
		fold_context(account_id, samples);
}

void
learn_account(Deltas *deltas, Datum samples, bool moves_account)
{
	plans_become_owner();
	/* with a fixed snapshot, what others commit could be lost */
	if (!IsolationUsesXactSnapshot() && lock_account(deltas->account))
	{
		int32		account_id = fold_account(deltas, moves_account);

		if (account_id != 0)
			learn_contexts(deltas, account_id, samples);
	}
	else
		(void) plans_call(CALL_LEAVE_TO_NEXT, (Datum[])
						  {
							  CStringGetTextDatum(deltas->provider), slice_text(deltas->account),
							  deltas_array(deltas), samples, BoolGetDatum(moves_account)
						  }, NULL);
}

/* Whoever calls it by hand needs the rights on what it writes. */
static void
check_rights(void)
{
	static const char *const written[] = {
		"accounts", "identity_days", "account_operations", "behaviour_days", "tallies", "journal",
		"habits", "novelties", "context_journal"
	};

	for (int i = 0; i < lengthof(written); i++)
		if (pg_class_aclcheck(internal_relation(written[i]), GetUserId(), ACL_INSERT) != ACLCHECK_OK)
			aclcheck_error(ACLCHECK_NO_PRIV, OBJECT_TABLE, written[i]);
}

/*
 * learn_account(in_provider text, in_account text, deltas journal[], samples
 * context_journal[], moves_account boolean) RETURNS void
 */
Datum
iamwatch_learn_account(PG_FUNCTION_ARGS)
{
	PlansScope	scope;
	Deltas		deltas = {0};

	check_rights();
	SPI_connect();
	deltas.provider = text_to_cstring(PG_GETARG_TEXT_PP(0));
	deltas.account = slice_of_text(PG_GETARG_DATUM(1));
	deltas_add_array(&deltas, PG_GETARG_DATUM(2));
	plans_begin(&scope);
	learn_account(&deltas, PG_GETARG_DATUM(3), PG_GETARG_BOOL(4));
	plans_end(&scope);
	SPI_finish();
	PG_RETURN_VOID();
}
