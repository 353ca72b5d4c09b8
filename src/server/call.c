/*-------------------------------------------------------------------------
 *
 * call.c
 *		Calls of our functions in SQL from C.
 *
 * For what is rare: whoever has begun with the owner's rights goes on with them.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "fmgr.h"
#include "server/call.h"
#include "server/objects.h"
#include "utils/snapmgr.h"

#define MOST_ARGUMENTS 8

Datum
call_internal(const char *name, int count, const Argument *arguments, bool *isnull)
{
	LOCAL_FCINFO(fcinfo, MOST_ARGUMENTS);
	FmgrInfo	flinfo;
	Oid			types[MOST_ARGUMENTS] = {InvalidOid};
	Datum		result;

	Assert(count <= MOST_ARGUMENTS);
	for (int i = 0; i < count; i++)
		types[i] = arguments[i].type;
	fmgr_info(internal_function(name, types, count), &flinfo);
	InitFunctionCallInfoData(*fcinfo, &flinfo, count, InvalidOid, NULL, NULL);
	for (int i = 0; i < count; i++)
	{
		fcinfo->args[i].value = arguments[i].value;
		fcinfo->args[i].isnull = arguments[i].isnull;
	}
	CommandCounterIncrement();
	PushActiveSnapshot(GetTransactionSnapshot());
	result = FunctionCallInvoke(fcinfo);
	PopActiveSnapshot();
	if (isnull != NULL)
		*isnull = fcinfo->isnull;
	return result;
}
