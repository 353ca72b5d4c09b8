/*-------------------------------------------------------------------------
 *
 * actor.c
 *		One name for all spellings of a user or role.
 *
 * So that what an operation made, or gave something to, can be found again
 * when it acts.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_collation.h"
#include "detect/actor.h"
#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"

PG_FUNCTION_INFO_V1(iamwatch_actor);
PG_FUNCTION_INFO_V1(iamwatch_handed);

#define MOST_INDEXED 1000

#define COLON SLICE_LITERAL(":")

/* A name, or its digest where an index could not hold it: a log can make names of 64 kB. */
static Slice
index_key(Slice name)
{
	if (name.len <= MOST_INDEXED)
		return name;
	return slice_of_text(DirectFunctionCall1(md5_text, slice_text(name)));
}

/* Empty at the end, not missing. */
static Slice
tail(Slice slice, int from)
{
	return (Slice) {slice.s + from, slice.len - from};
}

/* What follows the last slash; all if there is none. */
static Slice
after_last_slash(Slice path)
{
	int			at = path.len;

	while (at > 0 && path.s[at - 1] != '/')
		at--;
	return tail(path, at);
}

static bool
take_prefix(Slice *rest, const char *prefix)
{
	if (!slice_starts(*rest, prefix))
		return false;
	*rest = tail(*rest, strlen(prefix));
	return true;
}

/* The parts of the name of a user or role of AWS, whatever its path or session. */
typedef struct Principal
{
	Slice		account;
	Slice		kind;			/* user or role */
	Slice		name;
} Principal;

/* arn:PARTITION:iam::ACCOUNT:user/PATH/NAME, and the like */
static bool
parse_principal(Slice arn, Principal *principal)
{
	Slice		rest = arn;
	int			end;

	if (!take_prefix(&rest, "arn:") || (end = slice_find(rest, ':', 0)) < 0)
		return false;
	rest = tail(rest, end + 1);
	if (!take_prefix(&rest, "iam::") && !take_prefix(&rest, "sts::"))
		return false;
	for (end = 0; end < rest.len && rest.s[end] >= '0' && rest.s[end] <= '9';)
		end++;
	if (end == rest.len || rest.s[end] != ':')
		return false;
	principal->account = (Slice) {rest.s, end};
	rest = tail(rest, end + 1);
	if (take_prefix(&rest, "user/"))
		principal->kind = SLICE_LITERAL("user");
	else if (take_prefix(&rest, "role/"))
		principal->kind = SLICE_LITERAL("role");
	else if (take_prefix(&rest, "assumed-role/"))
	{
		/* the last part is the session */
		int			session = after_last_slash(rest).len;

		if (session == rest.len)
			return false;
		principal->kind = SLICE_LITERAL("role");
		rest.len -= session + 1;
	}
	else
		return false;
	principal->name = after_last_slash(rest);
	return principal->name.len > 0;
}

Slice
actor_of(Slice provider, Slice identity)
{
	Principal	principal;

	if (parse_principal(identity, &principal))
		return index_key(slice_join(7, (Slice[]) {
			provider, COLON, principal.account, COLON, principal.kind, COLON, principal.name
		}));
	return index_key(slice_join(3, (Slice[]) {
		provider, COLON,
		slice_of_text(DirectFunctionCall1Coll(lower, DEFAULT_COLLATION_OID, slice_text(identity)))
	}));
}

Slice
actor_handed(Slice provider, Slice account, Slice operation, Slice target)
{
	static const char *const kinds[] = {"serviceAccount:", "user:", "group:"};
	Slice		name;

	if (slice_is(provider, "aws"))
	{
		if (slice_starts(target, "arn:"))
			return actor_of(provider, target);
		return index_key(slice_join(5, (Slice[]) {
			provider, COLON, account,
			slice_contains(operation, "Role") ? SLICE_LITERAL(":role:") : SLICE_LITERAL(":user:"),
			after_last_slash(target)
		}));
	}
	name = after_last_slash(target);
	for (int i = 0; i < lengthof(kinds); i++)
		if (take_prefix(&name, kinds[i]))
			break;
	return actor_of(provider, name);
}

/* ---- for SQL ---- */

/* actor(provider text, identity text) RETURNS text */
Datum
iamwatch_actor(PG_FUNCTION_ARGS)
{
	PG_RETURN_DATUM(slice_text(actor_of(slice_of_text(PG_GETARG_DATUM(0)),
										slice_of_text(PG_GETARG_DATUM(1)))));
}

/* handed(provider text, account text, operation text, target text) RETURNS text */
Datum
iamwatch_handed(PG_FUNCTION_ARGS)
{
	PG_RETURN_DATUM(slice_text(actor_handed(slice_of_text(PG_GETARG_DATUM(0)),
											slice_of_text(PG_GETARG_DATUM(1)),
											slice_of_text(PG_GETARG_DATUM(2)),
											slice_of_text(PG_GETARG_DATUM(3)))));
}
