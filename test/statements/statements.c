/*-------------------------------------------------------------------------
 *
 * statements.c
 *		For tests: which statements a session runs, those inside of functions
 *		too.
 *
 * Every statement that reaches the executor counts; what PL/pgSQL evaluates
 * without it, an expression that reads no table, does not.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "fmgr.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

PG_MODULE_MAGIC;

static ExecutorStart_hook_type outer_hook = NULL;
static List *statements = NIL;

static void
note_statement(QueryDesc *query, int flags)
{
	MemoryContext outer = MemoryContextSwitchTo(TopMemoryContext);

	statements = lappend(statements, pstrdup(query->sourceText ? query->sourceText : ""));
	MemoryContextSwitchTo(outer);
	if (outer_hook != NULL)
		outer_hook(query, flags);
	else
		standard_ExecutorStart(query, flags);
}

PG_FUNCTION_INFO_V1(statements_run);

/* statements_run() RETURNS text[]: since it was called last, its own left out */
Datum
statements_run(PG_FUNCTION_ARGS)
{
	Datum	   *texts = palloc((list_length(statements) + 1) * sizeof(Datum));
	int			count = 0;

	for (int i = 0; i < list_length(statements) - 1; i++)
		texts[count++] = CStringGetTextDatum((char *) list_nth(statements, i));
	list_free_deep(statements);
	statements = NIL;
	PG_RETURN_ARRAYTYPE_P(construct_array(texts, count, TEXTOID, -1, false, TYPALIGN_INT));
}

void
_PG_init(void)
{
	outer_hook = ExecutorStart_hook;
	ExecutorStart_hook = note_statement;
}
