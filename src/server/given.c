/*-------------------------------------------------------------------------
 *
 * given.c
 *		What a function needs of who calls it: values that are not null, and no
 *		transaction around what commits.
 *
 * Must never look into a table.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "executor/executor.h"
#include "fmgr.h"
#include "server/given.h"
#include "utils/builtins.h"
#include "utils/typcache.h"

PG_FUNCTION_INFO_V1(iamwatch_must_be_alone);

void
refuse_null(const char *format,...)
{
	char		what[256];
	va_list		arguments;

	va_start(arguments, format);
	vsnprintf(what, sizeof(what), format, arguments);
	va_end(arguments);
	ereport(ERROR,
			(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("%s must not be null", what)));
}

Datum
given_field(HeapTupleHeader row, int column)
{
	bool		isnull;
	Datum		value = GetAttributeByNum(row, column, &isnull);

	if (isnull)
	{
		Oid			type = HeapTupleHeaderGetTypeId(row);
		TupleDesc	desc = lookup_rowtype_tupdesc(type, HeapTupleHeaderGetTypMod(row));

		refuse_null("%s of a row of %s", NameStr(TupleDescAttr(desc, column - 1)->attname), format_type_be(type));
	}
	return value;
}

Datum
given_field_named(HeapTupleHeader row, const char *name)
{
	bool		isnull;
	Datum		value = GetAttributeByName(row, name, &isnull);

	if (isnull)
		refuse_null("%s of a row of %s", name, format_type_be(HeapTupleHeaderGetTypeId(row)));
	return value;
}

/* must_be_alone(procedure text): the server itself says no more than that a COMMIT was invalid. */
Datum
iamwatch_must_be_alone(PG_FUNCTION_ARGS)
{
	if (IsTransactionBlock())
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_TRANSACTION_TERMINATION),
				 errmsg("%s cannot be called in a transaction block", text_to_cstring(PG_GETARG_TEXT_PP(0))),
				 errdetail("It commits in steps."),
				 errhint("Call it by itself, with autocommit on where the client begins transactions of its own accord.")));
	PG_RETURN_VOID();
}
