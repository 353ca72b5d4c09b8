/*-------------------------------------------------------------------------
 *
 * given.c
 *		What a function is called with and cannot be null.
 *
 * Must never look into a table.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "executor/executor.h"
#include "server/given.h"
#include "utils/builtins.h"
#include "utils/typcache.h"

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
