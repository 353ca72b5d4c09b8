/*-------------------------------------------------------------------------
 *
 * context_values.c
 *		The contexts of an event.
 *
 * Its network (/24 or /48), its user agent, its region, its access key and
 * network.  Must never look at a table.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <sys/socket.h>

#include "baseline/context_values.h"
#include "fmgr.h"
#include "funcapi.h"
#include "mb/pg_wchar.h"
#include "server/compat.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/inet.h"

PG_FUNCTION_INFO_V1(iamwatch_context_values);

Slice
context_cut(Slice text)
{
	return (Slice) {text.s, pg_mbcharcliplen(text.s, text.len, MOST_CONTEXT_CHARACTERS)};
}

static Slice
network_of(Datum address)
{
	int			bits = ip_family(DatumGetInetPP(address)) == PGSQL_AF_INET ? 24 : 48;
	Datum		masked = DirectFunctionCall2(inet_set_masklen, address, Int32GetDatum(bits));

	return slice_of_text(DirectFunctionCall1(network_show, DirectFunctionCall1(network_network, masked)));
}

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Versions come and go with updates; what is new is another program. */
static Slice
without_versions(Slice agent)
{
	char	   *out = palloc(agent.len + 1);
	int			n = 0;
	int			i = 0;

	while (i < agent.len)
	{
		if (!is_digit(agent.s[i]))
		{
			out[n++] = agent.s[i++];
			continue;
		}
		/* numbers with a dot or an underscore between each two */
		while (i < agent.len && (is_digit(agent.s[i]) ||
								 ((agent.s[i] == '.' || agent.s[i] == '_') &&
								  i + 1 < agent.len && is_digit(agent.s[i + 1]))))
			i++;
		out[n++] = '#';
	}
	return (Slice) {out, n};
}

int
context_values(const EventColumns *event, Slice access_key, ContextValue values[MOST_CONTEXT_VALUES])
{
	Slice		network = event->nulls[EVENT_SOURCE_IP] ? SLICE_NONE :
		network_of(event->values[EVENT_SOURCE_IP]);
	Slice		agent = event_column(event, EVENT_USER_AGENT);
	Slice		region = event_column(event, EVENT_REGION);
	int			count = 0;

	if (network.s != NULL)
		values[count++] = (ContextValue) {HABIT_NETWORK, network};
	if (agent.len > 0)
		values[count++] = (ContextValue) {HABIT_USER_AGENT, without_versions(context_cut(agent))};
	if (region.len > 0)
		values[count++] = (ContextValue) {HABIT_REGION, context_cut(region)};
	if (network.s != NULL && access_key.s != NULL)
		values[count++] = (ContextValue) {
			HABIT_KEY_NETWORK,
			slice_join(3, (Slice[]) {context_cut(access_key), SLICE_LITERAL(" "), network})
		};
	return count;
}

typedef struct ContextRows
{
	int			count;
	ContextValue values[MOST_CONTEXT_VALUES];
} ContextRows;

/* context_values(event, access_key text) RETURNS TABLE (kind "char", value text) */
Datum
iamwatch_context_values(PG_FUNCTION_ARGS)
{
	FuncCallContext *call;
	ContextRows *rows;

	if (SRF_IS_FIRSTCALL())
	{
		MemoryContext outer;
		EventColumns event;

		call = SRF_FIRSTCALL_INIT();
		outer = MemoryContextSwitchTo(call->multi_call_memory_ctx);
		rows = call->user_fctx = palloc0(sizeof(ContextRows));
		if (get_call_result_type(fcinfo, NULL, &call->tuple_desc) != TYPEFUNC_COMPOSITE)
			elog(ERROR, "return type must be a row type");
		BlessTupleDesc(call->tuple_desc);
		if (!PG_ARGISNULL(0))
		{
			event_columns(PG_GETARG_HEAPTUPLEHEADER_COPY(0), &event);
			rows->count = context_values(&event, PG_ARGISNULL(1) ? SLICE_NONE :
										 slice_of_text(PointerGetDatum(PG_GETARG_TEXT_P_COPY(1))), rows->values);
		}
		MemoryContextSwitchTo(outer);
	}
	call = SRF_PERCALL_SETUP();
	rows = call->user_fctx;
	if (call->call_cntr < rows->count)
	{
		ContextValue *value = &rows->values[call->call_cntr];
		bool		nulls[2] = {false};
		HeapTuple	tuple = heap_form_tuple(call->tuple_desc, (Datum[]) {
			CharGetDatum(value->kind), slice_text(value->value)
		}, nulls);

		SRF_RETURN_NEXT(call, HeapTupleGetDatum(tuple));
	}
	SRF_RETURN_DONE(call);
}
