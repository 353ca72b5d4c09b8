/*-------------------------------------------------------------------------
 *
 * backtest_numbers.c
 *		What can be counted of the alerts of each setting.
 *
 * Alerts come identity by identity and behaviour by behaviour, so no more is
 * kept of them than those of one identity: what the first setting raises and
 * another does not is told when a behaviour ends, incidents when an identity
 * does.  Of incidents a time and a risk are sorted, on disk beyond work_mem, by
 * which the urgent ones of one setting after the other are told at the end.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "detect/backtest.h"
#include "detect/incidents.h"
#include "detect/urgent.h"
#include "server/sorting.h"
#include "utils/memutils.h"

/* Columns of a sorted incident: the order, and then its risk. */
enum
{
	ROW_SETTING,
	ROW_BEGAN,
	ROW_RISK,
	ROW_COLUMNS
};
#define ORDER_COLUMNS 2

/* An alert that is part of an incident. */
typedef struct Span
{
	TimestampTz first;
	TimestampTz last;
	double		risk;
} Span;

typedef struct Spans
{
	int			n;
	int			capacity;
	Span	   *items;
} Spans;

typedef struct SettingAlerts
{
	Spans		spans;			/* of the identity */
	int			behaviour_from; /* those from here on are of the behaviour */
} SettingAlerts;

struct BacktestNumbers
{
	const TriedSettings *settings;
	MemoryContext context;
	int64		identity;		/* of the last alert */
	const Behaviour *behaviour;
	SettingNumbers *numbers;
	SettingAlerts *alerts;
	SortedRows	incidents;
};

BacktestNumbers *
backtest_numbers_begin(const TriedSettings *settings)
{
	static const Oid types[ROW_COLUMNS] = {INT4OID, INT8OID, FLOAT8OID};
	BacktestNumbers *numbers = palloc0(sizeof(BacktestNumbers));

	numbers->settings = settings;
	numbers->context = CurrentMemoryContext;
	numbers->numbers = palloc0(settings->n * sizeof(SettingNumbers));
	numbers->alerts = palloc0(settings->n * sizeof(SettingAlerts));
	sorted_rows_begin(&numbers->incidents, types, ROW_COLUMNS, ORDER_COLUMNS, TUPLESORT_NONE);
	return numbers;
}

static void
add_span(BacktestNumbers *numbers, Spans *spans, Span span)
{
	if (spans->n == spans->capacity)
	{
		spans->capacity = Max(64, spans->capacity * 2);
		spans->items = spans->items == NULL ?
			MemoryContextAllocHuge(numbers->context, spans->capacity * sizeof(Span)) :
			repalloc_huge(spans->items, spans->capacity * sizeof(Span));
	}
	spans->items[spans->n++] = span;
}

/* How many times are in the one list and not in the other; both are in order. */
static int64
count_missing(const Span *a, int a_count, const Span *b, int b_count)
{
	int64		missing = 0;
	int			j = 0;

	for (int i = 0; i < a_count; i++)
	{
		if (i > 0 && a[i].first == a[i - 1].first)
			continue;
		while (j < b_count && b[j].first < a[i].first)
			j++;
		if (j == b_count || b[j].first != a[i].first)
			missing++;
	}
	return missing;
}

static void
end_behaviour(BacktestNumbers *numbers)
{
	const SettingAlerts *own = &numbers->alerts[0];

	for (int s = 0; s < numbers->settings->n; s++)
	{
		SettingAlerts *alerts = &numbers->alerts[s];
		const Span *ours = alerts->spans.items + alerts->behaviour_from;
		const Span *firsts = own->spans.items + own->behaviour_from;
		int			our_count = alerts->spans.n - alerts->behaviour_from;
		int			first_count = own->spans.n - own->behaviour_from;

		numbers->numbers[s].fresh += count_missing(ours, our_count, firsts, first_count);
		numbers->numbers[s].gone += count_missing(firsts, first_count, ours, our_count);
	}
	for (int s = 0; s < numbers->settings->n; s++)
		numbers->alerts[s].behaviour_from = numbers->alerts[s].spans.n;
}

static int
compare_spans(const void *a, const void *b)
{
	TimestampTz left = ((const Span *) a)->first;
	TimestampTz right = ((const Span *) b)->first;

	return left < right ? -1 : left > right;
}

static void
add_incident(BacktestNumbers *numbers, int setting, Span incident)
{
	TupleTableSlot *slot = sorted_rows_blank(&numbers->incidents);

	slot->tts_values[ROW_SETTING] = Int32GetDatum(setting);
	slot->tts_values[ROW_BEGAN] = Int64GetDatum(incident.first);
	slot->tts_values[ROW_RISK] = Float8GetDatum(incident.risk);
	sorted_rows_add(&numbers->incidents);
	numbers->numbers[setting].incidents++;
}

/* Incidents as iamwatch.incidents has them, of alerts that nobody has closed. */
static void
end_identity(BacktestNumbers *numbers)
{
	for (int s = 0; s < numbers->settings->n; s++)
	{
		SettingAlerts *alerts = &numbers->alerts[s];
		int64		gap = numbers->settings->items[s].deduplication_days * USECS_PER_DAY;
		Span	   *spans = alerts->spans.items;
		Span		incident;

		if (alerts->spans.n == 0)
			continue;
		numbers->numbers[s].identities++;
		qsort(spans, alerts->spans.n, sizeof(Span), compare_spans);
		incident = spans[0];
		for (int i = 1; i < alerts->spans.n; i++)
			if (spans[i].first >= incident.last + gap)
			{
				add_incident(numbers, s, incident);
				incident = spans[i];
			}
			else
			{
				incident.last = Max(incident.last, spans[i].last);
				incident.risk = Max(incident.risk, spans[i].risk);
			}
		add_incident(numbers, s, incident);
		alerts->spans.n = alerts->behaviour_from = 0;
	}
}

void
backtest_numbers_take(void *taker, int setting, const TriedAlert *alert)
{
	BacktestNumbers *numbers = taker;
	SettingNumbers *n = &numbers->numbers[setting];

	if (numbers->identity != alert->identity || numbers->behaviour != alert->behaviour)
		end_behaviour(numbers);
	if (numbers->identity != alert->identity)
		end_identity(numbers);
	numbers->identity = alert->identity;
	numbers->behaviour = alert->behaviour;
	n->first = n->alerts == 0 ? alert->first : Min(n->first, alert->first);
	n->last = n->alerts == 0 ? alert->last : Max(n->last, alert->last);
	n->alerts++;
	n->severities[alert->variation->rank - 1] = alert->variation->severity;
	n->by_severity[alert->variation->rank - 1]++;
	add_span(numbers, &numbers->alerts[setting].spans, (Span) {alert->first, alert->last, alert->risk});
}

/* Of one setting, whose incidents are the next. */
static void
count_urgent(BacktestNumbers *numbers, int s)
{
	int			n = numbers->numbers[s].incidents;
	TimestampTz *began = palloc_extended(Max(1, n) * sizeof(TimestampTz), MCXT_ALLOC_HUGE);
	double	   *risks = palloc_extended(Max(1, n) * sizeof(double), MCXT_ALLOC_HUGE);
	bool	   *urgent = palloc_extended(Max(1, n) * sizeof(bool), MCXT_ALLOC_HUGE);

	for (int i = 0; i < n; i++)
	{
		const Datum *values = numbers->incidents.next->tts_values;

		if (!sorted_rows_fetch(&numbers->incidents))
			elog(ERROR, "an incident of a backtest was lost");
		Assert(DatumGetInt32(values[ROW_SETTING]) == s);
		began[i] = DatumGetInt64(values[ROW_BEGAN]);
		risks[i] = DatumGetFloat8(values[ROW_RISK]);
	}
	urgent_among(began, risks, n, (int64) URGENT_DAYS * numbers->settings->items[s].daily_budget, urgent);
	for (int i = 0; i < n; i++)
		numbers->numbers[s].urgent += urgent[i];
	pfree(began);
	pfree(risks);
	pfree(urgent);
}

const SettingNumbers *
backtest_numbers_end(BacktestNumbers *numbers)
{
	end_behaviour(numbers);
	end_identity(numbers);
	tuplesort_performsort(numbers->incidents.sort);
	for (int s = 0; s < numbers->settings->n; s++)
		count_urgent(numbers, s);
	sorted_rows_end(&numbers->incidents);
	return numbers->numbers;
}
