/*-------------------------------------------------------------------------
 *
 * stored.c
 *		What the tables hold of an account, an identity, a behaviour.
 *
 * Owns what is compared in a row that an index gave.  Must never write, nor
 * decide anything.  Tallies are in stored_tallies.c, and who did an operation in
 * stored_members.c.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "baseline/alert_columns.h"
#include "baseline/stored.h"
#include "baseline/stored_columns.h"
#include "baseline/stored_scan.h"
#include "event/field.h"
#include "executor/executor.h"
#include "utils/date.h"
#include "utils/fmgroids.h"
#include "utils/timestamp.h"

enum
{
	PENDING_PENDING_ID = 1, PENDING_DETECTOR, PENDING_EVENT
};

/* Of an alert, suppressed or not. */
static bool
alert_is_of(TupleTableSlot *slot, const Event *event)
{
	return DatumGetBool(scan_value(slot, ALERTS_FAILED)) == event->failed &&
		scan_text_is(slot, ALERTS_OPERATION, event->operation) &&
		scan_text_is(slot, ALERTS_IDENTITY, event->identity) &&
		scan_text_is(slot, ALERTS_SERVICE, event->service) &&
		scan_text_is(slot, ALERTS_ACCOUNT, event->account) &&
		slice_is(scan_text(slot, ALERTS_PROVIDER), provider_names[event->provider]);
}

/* Is it the row of the account?  Then say what it has. */
static bool
read_account(TupleTableSlot *slot, const Event *event, StoredAccount *account)
{
	bool		isnull;
	Datum		datum;

	if (!scan_text_is(slot, ACCOUNTS_ACCOUNT, event->account) ||
		!slice_is(scan_text(slot, ACCOUNTS_PROVIDER), provider_names[event->provider]))
		return false;
	account->account_id = DatumGetInt32(scan_value(slot, ACCOUNTS_ACCOUNT_ID));
	datum = scan_column(slot, ACCOUNTS_FIRST_EVENT_TIME, &isnull);
	account->first = isnull ? PG_INT64_MAX : DatumGetTimestampTz(datum);
	datum = scan_column(slot, ACCOUNTS_NEWEST_DAY, &isnull);
	account->newest = isnull ? PG_INT32_MIN : DatumGetDateADT(datum);
	account->late_events = DatumGetInt64(scan_value(slot, ACCOUNTS_LATE_EVENTS));
	datum = scan_column(slot, ACCOUNTS_DROPPED_BEFORE, &isnull);
	account->dropped_before = isnull ? PG_INT32_MIN : DatumGetDateADT(datum);
	account->at = slot->tts_tid;
	return true;
}

bool
stored_account(const Event *event, StoredAccount *account)
{
	ScanKeyData key;
	Rows		rows;
	TupleTableSlot *slot;
	bool		found = false;

	scan_key_hash(&key, 1, event->account);
	rows = rows_begin(LOOKUP_ACCOUNTS, &key, 1);
	while (!found && (slot = rows_next(&rows)) != NULL)
		found = read_account(slot, event, account);
	rows_end(&rows);
	return found;
}

static void
read_identity(TupleTableSlot *slot, StoredIdentity *identity)
{
	identity->at = slot->tts_tid;
	identity->identity_id = DatumGetInt64(scan_value(slot, IDENTITIES_IDENTITY_ID));
	identity->kinds = DatumGetInt32(scan_value(slot, IDENTITIES_KINDS));
	dayruns_from_datum(scan_value(slot, IDENTITIES_FIRST_DAYS), &identity->first_days);
	dayruns_from_datum(scan_value(slot, IDENTITIES_DAYS), &identity->days);
	dayruns_from_datum(scan_value(slot, IDENTITIES_IAM_DAYS), &identity->iam_days);
}

bool
stored_identity(int32 account_id, const Event *event, StoredIdentity *identity)
{
	ScanKeyData keys[2];
	IndexScanDesc scan;
	TupleTableSlot *slot;
	bool		found = false;

	scan_key_id(&keys[0], 1, account_id);
	scan_key_short_hash(&keys[1], 2, event->identity);
	scan = scan_begin(LOOKUP_IDENTITIES, keys, 2);
	while (!found && (slot = scan_next(LOOKUP_IDENTITIES, scan)) != NULL)
	{
		if (!scan_text_is(slot, IDENTITIES_IDENTITY, event->identity))
			continue;
		found = true;
		read_identity(slot, identity);
	}
	scan_end(LOOKUP_IDENTITIES, scan);
	return found;
}

/* Who asked for what lies on a page. */
typedef struct PageReader
{
	int32		account_id;
	TakeBeside	take;
	void	   *arg;
} PageReader;

static void
take_beside(TupleTableSlot *slot, void *arg)
{
	const PageReader *reader = arg;
	DayRuns		days;

	if (DatumGetInt32(scan_value(slot, IDENTITIES_ACCOUNT_ID)) != reader->account_id)
		return;
	dayruns_from_datum(scan_value(slot, IDENTITIES_DAYS), &days);
	reader->take(scan_text(slot, IDENTITIES_IDENTITY),
				 DatumGetInt32(scan_value(slot, IDENTITIES_KINDS)), &days, reader->arg);
}

void
stored_identities_beside(int32 account_id, const StoredIdentity *identity,
						 TakeBeside take, void *arg)
{
	PageReader	reader = {account_id, take, arg};

	scan_page(LOOKUP_IDENTITIES, ItemPointerGetBlockNumber(&identity->at), take_beside, &reader);
}

/* The number of the operation, if it is its row; otherwise 0. */
static int32
read_operation(TupleTableSlot *slot, int32 account_id, const Event *event)
{
	if (DatumGetInt32(scan_value(slot, OPERATIONS_ACCOUNT_ID)) != account_id ||
		DatumGetBool(scan_value(slot, OPERATIONS_FAILED)) != event->failed ||
		!scan_text_is(slot, OPERATIONS_OPERATION, event->operation) ||
		!scan_text_is(slot, OPERATIONS_SERVICE, event->service))
		return 0;
	return DatumGetInt32(scan_value(slot, OPERATIONS_OPERATION_ID));
}

int32
stored_operation_id(int32 account_id, const Event *event)
{
	ScanKeyData keys[2];
	Rows		rows;
	TupleTableSlot *slot;
	int32		id = 0;

	scan_key_id(&keys[0], 1, account_id);
	scan_key_hash(&keys[1], 2, event->operation);
	rows = rows_begin(LOOKUP_OPERATIONS, keys, 2);
	while (id == 0 && (slot = rows_next(&rows)) != NULL)
		id = read_operation(slot, account_id, event);
	rows_end(&rows);
	return id;
}

bool
stored_behaviour(int32 account_id, int32 operation_id, int64 identity_id, StoredBehaviour *behaviour)
{
	ScanKeyData keys[3];
	IndexScanDesc scan;
	TupleTableSlot *slot;

	scan_key_id(&keys[0], 1, account_id);
	scan_key_id(&keys[1], 2, operation_id);
	ScanKeyInit(&keys[2], 3, BTEqualStrategyNumber, F_INT8EQ, Int64GetDatum(identity_id));
	scan = scan_begin(LOOKUP_BEHAVIOUR_DAYS, keys, 3);
	slot = scan_next(LOOKUP_BEHAVIOUR_DAYS, scan);
	if (slot != NULL)
	{
		behaviour->at = slot->tts_tid;
		behaviour->first_seen = DatumGetDateADT(scan_value(slot, BEHAVIOUR_DAYS_FIRST_SEEN));
		dayruns_from_datum(scan_value(slot, BEHAVIOUR_DAYS_DAYS), &behaviour->days);
	}
	scan_end(LOOKUP_BEHAVIOUR_DAYS, scan);
	return slot != NULL;
}

bool
stored_behaviour_days(int32 account_id, int64 identity_id, const Event *event, DayRuns *days)
{
	int32		operation_id = stored_operation_id(account_id, event);
	StoredBehaviour behaviour;

	if (operation_id == 0 || !stored_behaviour(account_id, operation_id, identity_id, &behaviour))
		return false;
	*days = behaviour.days;
	return true;
}

int32
stored_operations(int32 account_id, void (*take) (int32 operation_id, void *arg), void *arg)
{
	ScanKeyData key;
	IndexScanDesc scan;
	TupleTableSlot *slot;
	int32		last = 0;

	scan_key_id(&key, 1, account_id);
	scan = scan_begin(LOOKUP_OPERATION_NUMBERS, &key, 1);
	while ((slot = scan_next_in(LOOKUP_OPERATION_NUMBERS, scan, BackwardScanDirection)) != NULL)
	{
		int32		operation_id = DatumGetInt32(scan_value(slot, OPERATIONS_OPERATION_ID));

		last = Max(last, operation_id);
		if (take == NULL)
			break;
		take(operation_id, arg);
	}
	scan_end(LOOKUP_OPERATION_NUMBERS, scan);
	return last;
}

/* A field of a row of iamwatch.event that is never null. */
static Datum
event_field(HeapTupleHeader row, const char *name)
{
	bool		isnull;

	return GetAttributeByName(row, name, &isnull);
}

static bool
event_field_is(HeapTupleHeader row, const char *name, Slice value)
{
	return slice_equal(value, slice_of_text(event_field(row, name)));
}

/* Is it a row of iamwatch.event of the same behaviour? */
static bool
event_row_is_of(HeapTupleHeader row, const Event *event)
{
	const char *provider = provider_names[event->provider];

	return DatumGetBool(event_field(row, "failed")) == event->failed &&
		event_field_is(row, "operation", event->operation) &&
		event_field_is(row, "identity", event->identity) &&
		event_field_is(row, "service", event->service) &&
		event_field_is(row, "account", event->account) &&
		event_field_is(row, "provider", (Slice) {provider, (int) strlen(provider)});
}

bool
stored_pending(const Event *event)
{
	ScanKeyData key;
	IndexScanDesc scan;
	TupleTableSlot *slot;
	bool		found = false;

	scan_key_hash(&key, 1, event->identity);
	scan = scan_begin(LOOKUP_PENDING, &key, 1);
	while (!found && (slot = scan_next(LOOKUP_PENDING, scan)) != NULL)
		found = event_row_is_of(DatumGetHeapTupleHeader(scan_value(slot, PENDING_EVENT)), event);
	scan_end(LOOKUP_PENDING, scan);
	return found;
}

static void
add_time(TimestampTz **times, int *count, int *capacity, Datum time)
{
	if (*count == *capacity)
	{
		*capacity = Max(4, *capacity * 2);
		*times = *times == NULL ? palloc(*capacity * sizeof(TimestampTz)) :
			repalloc(*times, *capacity * sizeof(TimestampTz));
	}
	(*times)[(*count)++] = DatumGetTimestampTz(time);
}

/* Add the alerts that a table has; returns how many there are now. */
static int
add_alerts(Lookup lookup, const Event *event, TimestampTz since, TimestampTz until,
		   TimestampTz **times, int count)
{
	ScanKeyData keys[3];
	IndexScanDesc scan;
	TupleTableSlot *slot;
	int			capacity = count;

	scan_key_hash(&keys[0], 1, event->identity);
	ScanKeyInit(&keys[1], 2, BTGreaterEqualStrategyNumber, F_TIMESTAMPTZ_GE,
				TimestampTzGetDatum(since));
	ScanKeyInit(&keys[2], 2, BTLessEqualStrategyNumber, F_TIMESTAMPTZ_LE,
				TimestampTzGetDatum(until));
	scan = scan_begin(lookup, keys, 3);
	while ((slot = scan_next(lookup, scan)) != NULL)
		if (alert_is_of(slot, event))
			add_time(times, &count, &capacity, scan_value(slot, ALERTS_FIRST_EVENT_TIME));
	scan_end(lookup, scan);
	return count;
}

int
stored_alerts(const Event *event, TimestampTz since, TimestampTz until, TimestampTz **times)
{
	int			count;

	*times = NULL;
	count = add_alerts(LOOKUP_ALERTS, event, since, until, times, 0);
	return add_alerts(LOOKUP_SUPPRESSED, event, since, until, times, count);
}

void
stored_alerts_around(const Event *event, TimestampTz since, TimestampTz until,
					 bool *shown, bool *hidden)
{
	TimestampTz *times = NULL;

	*shown = add_alerts(LOOKUP_ALERTS, event, since, until, &times, 0) > 0;
	times = NULL;
	*hidden = add_alerts(LOOKUP_SUPPRESSED, event, since, until, &times, 0) > 0;
}

void
stored_excluded_days(const Event *event, DayRuns *days)
{
	ScanKeyData keys[2];
	IndexScanDesc scan;
	TupleTableSlot *slot;

	scan_key_hash(&keys[0], 1, event->account);
	scan_key_hash(&keys[1], 2, event->operation);
	scan = scan_begin(LOOKUP_EXCLUDED, keys, 2);
	while ((slot = scan_next(LOOKUP_EXCLUDED, scan)) != NULL)
	{
		DayRuns		more;

		if (!alert_is_of(slot, event))
			continue;
		dayruns_from_datum(scan_value(slot, ALERTS_EXCLUDED_DAYS), &more);
		dayruns_add_all(days, &more);
	}
	scan_end(LOOKUP_EXCLUDED, scan);
}

int
stored_attacks(const Event *event, const char *detector, TimestampTz **times)
{
	ScanKeyData keys[2];
	IndexScanDesc scan;
	TupleTableSlot *slot;
	int			count = 0;
	int			capacity = 0;

	*times = NULL;
	scan_key_hash(&keys[0], 1, event->account);
	scan_key_hash(&keys[1], 2, event->operation);
	scan = scan_begin(LOOKUP_EXCLUDED, keys, 2);
	while ((slot = scan_next(LOOKUP_EXCLUDED, scan)) != NULL)
		if (alert_is_of(slot, event) && slice_is(scan_text(slot, ALERTS_DETECTOR), detector))
			add_time(times, &count, &capacity, scan_value(slot, ALERTS_FIRST_EVENT_TIME));
	scan_end(LOOKUP_EXCLUDED, scan);
	return count;
}

static bool
is_journal_of(TupleTableSlot *slot, const Event *event)
{
	return scan_text_is(slot, JOURNAL_ACCOUNT, event->account) &&
		slice_is(scan_text(slot, JOURNAL_PROVIDER), provider_names[event->provider]);
}

static void
read_delta(TupleTableSlot *slot, const Event *event, StoredDelta *delta)
{
	bool		isnull;
	Datum		datum;

	memset(delta, 0, sizeof(*delta));
	delta->event.provider = event->provider;
	delta->event.account = event->account;
	delta->event.identity = scan_text(slot, JOURNAL_IDENTITY);
	delta->event.service = scan_text(slot, JOURNAL_SERVICE);
	delta->event.operation = scan_text(slot, JOURNAL_OPERATION);
	datum = scan_column(slot, JOURNAL_FAILED, &isnull);
	delta->event.failed = !isnull && DatumGetBool(datum);
	datum = scan_column(slot, JOURNAL_KINDS, &isnull);
	delta->kinds = isnull ? 0 : DatumGetInt32(datum);
	dayruns_init(&delta->days);
	datum = scan_column(slot, JOURNAL_DAYS, &isnull);
	if (!isnull)
		dayruns_from_dayset(DatumGetDaysetP(datum), &delta->days);
}

/* Of the account that the first key is of, or of an identity that a second is of. */
static void
read_deltas(const Event *event, ScanKey keys, int nkeys,
			void (*take) (const StoredDelta *delta, void *arg), void *arg)
{
	IndexScanDesc scan = scan_begin(LOOKUP_JOURNAL, keys, nkeys);
	TupleTableSlot *slot;

	while ((slot = scan_next(LOOKUP_JOURNAL, scan)) != NULL)
	{
		StoredDelta delta;
		Slice		identity = scan_text(slot, JOURNAL_IDENTITY);

		if (identity.s == NULL || !is_journal_of(slot, event) ||
			(nkeys > 1 && !slice_equal(identity, event->identity)))
			continue;
		read_delta(slot, event, &delta);
		take(&delta, arg);
	}
	scan_end(LOOKUP_JOURNAL, scan);
}

void
stored_journal(const Event *event, void (*take) (const StoredDelta *delta, void *arg), void *arg)
{
	ScanKeyData keys[2];

	scan_key_hash(&keys[0], 1, event->account);
	scan_key_hash(&keys[1], 2, event->identity);
	read_deltas(event, keys, lengthof(keys), take, arg);
}

void
stored_journal_rows(const Event *event, void (*take) (const StoredDelta *delta, void *arg),
					void *arg)
{
	ScanKeyData key;

	scan_key_hash(&key, 1, event->account);
	read_deltas(event, &key, 1, take, arg);
}

/* Of the account's rows, in the order of an index, the first: the end that is asked for. */
static bool
end_of_journal(Lookup lookup, ScanDirection direction, const Event *event, int column, Datum *end)
{
	ScanKeyData key;
	IndexScanDesc scan;
	TupleTableSlot *slot;
	bool		found = false;

	scan_key_hash(&key, 1, event->account);
	scan = scan_begin(lookup, &key, 1);
	while (!found && (slot = scan_next_in(lookup, scan, direction)) != NULL)
	{
		found = is_journal_of(slot, event);
		if (found)
			*end = scan_value(slot, column);
	}
	/* days lie in the row */
	if (found && column == JOURNAL_DAYS)
		*end = PointerGetDatum(PG_DETOAST_DATUM_COPY(*end));
	scan_end(lookup, scan);
	return found;
}

void
stored_journal_of_account(const Event *event, StoredAccount *account)
{
	Datum		end;

	if (end_of_journal(LOOKUP_JOURNAL_FIRST, ForwardScanDirection, event,
					   JOURNAL_FIRST_EVENT_TIME, &end))
		account->first = Min(account->first, DatumGetTimestampTz(end));
	if (end_of_journal(LOOKUP_JOURNAL_NEWEST, BackwardScanDirection, event, JOURNAL_DAYS, &end))
	{
		DayRuns		days;

		dayruns_from_datum(end, &days);
		if (days.n > 0)
			account->newest = Max(account->newest, days.runs[days.n - 1].hi);
	}
}

bool
stored_alert_has_event(int64 alert_id, Slice event_id)
{
	ScanKeyData keys[2];
	IndexScanDesc scan;
	TupleTableSlot *slot;

	ScanKeyInit(&keys[0], 1, BTEqualStrategyNumber, F_INT8EQ, Int64GetDatum(alert_id));
	scan_key_hash(&keys[1], 2, event_id);
	scan = scan_begin(LOOKUP_ALERT_EVENTS, keys, 2);
	while ((slot = scan_next(LOOKUP_ALERT_EVENTS, scan)) != NULL)
		if (scan_text_is(slot, ALERT_EVENTS_EVENT_ID, event_id))
			break;
	scan_end(LOOKUP_ALERT_EVENTS, scan);
	return slot != NULL;
}
