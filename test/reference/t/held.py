"""What waits in the journal while a session holds its account counts for peers exactly, however the transactions lie.

Sessions append here at random, in transactions and savepoints that end well or not, some with snapshots that get old, while the
account changes hands, also by a savepoint that is rolled back; and each of them must always count what follows from the days that it sees.
"""
import os
import random
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
from harness import Database, finish, ok

database = Database("iamwatch_held")
OPERATIONS = (("CreateUser", False), ("CreateUser", True), ("DeleteRole", False))
WINDOWS = (("2026-01-01", "2026-04-01"), ("2026-02-10", "2026-02-25"))

SETUP = """
    CREATE EXTENSION iamwatch; CREATE TABLE log (event jsonb); SELECT iamwatch.watch('log');
    -- nothing is unusual: alerts would only take time
    UPDATE iamwatch.detectors SET probability_limit = 1e-9;
    CREATE FUNCTION e(who integer, day integer, operation text, failed boolean) RETURNS jsonb LANGUAGE sql AS $$
        SELECT jsonb_strip_nulls(jsonb_build_object('eventTime', to_char(timestamp '2026-01-01 08:00' + day * interval '1 day', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'),
            'eventSource', CASE WHEN operation = 'GetObject' THEN 's3' ELSE 'iam' END || '.amazonaws.com', 'eventName', operation,
            'eventID', gen_random_uuid()::text, 'recipientAccountId', '1', 'errorCode', CASE WHEN failed THEN 'AccessDenied' END,
            'userIdentity', CASE WHEN who % 3 = 0 THEN jsonb_build_object('type', 'IAMUser', 'arn', 'arn:aws:iam::1:user/' || who)
                ELSE jsonb_build_object('type', 'Root', 'arn', 'root' || who) END
            || CASE WHEN who % 5 = 0 THEN jsonb_build_object('type', 'AWSService', 'invokedBy', 'service' || who) ELSE '{}' END)) $$;
    -- from the days of each identity that this session sees, stored or waiting, and from nothing that is summed
    CREATE FUNCTION follows(is_user boolean, operation text, failed boolean, since date, until date) RETURNS text LANGUAGE sql AS $$
        WITH rows AS (
            SELECT i.identity, i.kinds, i.first_days, i.days, i.iam_days,
                (SELECT d.days FROM iamwatch_internal.behaviour_days AS d JOIN iamwatch_internal.account_operations AS o USING (account_id, operation_id)
                 WHERE d.identity_id = i.identity_id AND o.operation = $2 AND o.failed = $3 AND o.service = 'iam') AS did
            FROM iamwatch_internal.identity_days AS i
            UNION ALL
            SELECT j.identity, j.kinds, j.days, j.days, CASE WHEN j.operation IS NOT NULL THEN j.days END,
                CASE WHEN j.operation = $2 AND j.failed = $3 THEN j.days END
            FROM iamwatch_internal.journal AS j WHERE j.identity IS NOT NULL
        ), united AS (
            SELECT bit_or(kinds) AS kinds, iamwatch_internal.earliest_days(iamwatch.dayset_union(first_days)) AS first_days,
                coalesce(iamwatch.dayset_union(did), '{}') AS did, iamwatch.dayset_union(days) AS days, coalesce(iamwatch.dayset_union(iam_days), '{}') AS iam_days
            FROM rows GROUP BY identity
        )
        SELECT ROW(coalesce(sum(iamwatch.count_days(did, since, until)), 0), coalesce(sum(iamwatch.count_days(days, since, until)), 0), coalesce(sum(iamwatch.count_days(iam_days, since, until)), 0),
            coalesce(sum(iamwatch.count_days(iamwatch_internal.settled_days(did, first_days), since, until)), 0), coalesce(sum(iamwatch.count_days(iamwatch_internal.settled_days(days, first_days), since, until)), 0),
            coalesce(sum(iamwatch.count_days(iamwatch_internal.settled_days(iam_days, first_days), since, until)), 0))::text
        FROM united WHERE iamwatch_internal.is_person(kinds) = $1 $$;
"""
ASKED = ", ".join(f"({user}, '{operation}', {failed}, date '{since}', date '{until}')" for user in ("true", "false")
                  for operation, failed in OPERATIONS for since, until in WINDOWS)
CHECK = f"""SELECT coalesce(string_agg(format('%s %s %s: counted %s, follows %s', u, o, f, got, want), '; ') FILTER (WHERE got <> want), 'same')
    FROM (SELECT u, o, f, iamwatch_internal.class_days('aws', '1', u, 'iam', o, f, s, t)::text AS got, follows(u, o, f, s, t) AS want
          FROM (VALUES {ASKED}) AS v (u, o, f, s, t)) AS x;"""


class Session:
    def __init__(self):
        self.psql = subprocess.Popen(["psql", "-qXAt", "-d", database.name, "-f", "-"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                     stderr=subprocess.DEVNULL, text=True)
        self.run("SET lock_timeout = '10s';")
        self.savepoints, self.open = 0, False

    def run(self, script):
        self.psql.stdin.write(script + "\n\\echo done.\n")
        self.psql.stdin.flush()
        lines = []
        while (line := self.psql.stdout.readline().rstrip("\n")) != "done.":
            if self.psql.poll() is not None:
                raise RuntimeError("a session ended")
            lines.append(line)
        return "\n".join(lines)

    def begin(self, level="READ COMMITTED"):
        self.run(f"BEGIN ISOLATION LEVEL {level}; SELECT 1 FROM log LIMIT 0;")
        self.savepoints, self.open = 0, True

    def end(self, how):
        self.run(how + ";")
        self.savepoints, self.open = 0, False

    def close(self):
        self.psql.stdin.close()
        self.psql.wait()


def append(session, rng, count):
    """Days of identities that are well known, hardly known and new, many before days that are known."""
    values = ", ".join(f"({rng.choice((rng.randrange(20), rng.randrange(20, 60), rng.randrange(60, 400)))}, {rng.randrange(70)}, "
                       f"'{rng.choice(('CreateUser', 'DeleteRole', 'GetObject', 'GetObject'))}', {rng.random() < 0.2})" for _ in range(count))
    session.run(f"INSERT INTO log SELECT e(who, day, operation, failed AND operation <> 'GetObject') FROM (VALUES {values}) AS v (who, day, operation, failed);")


def hold(session, rng):
    session.begin()
    append(session, rng, 5)


def step(rng, sessions):
    """One of the sessions goes on."""
    session = rng.choice(sessions)
    what = rng.random()
    if not session.open:
        if what < 0.4:
            session.begin(rng.choice(("READ COMMITTED", "READ COMMITTED", "REPEATABLE READ")))
        else:
            append(session, rng, rng.choice((1, 5, 80)))
    elif what < 0.2:
        session.run(f"SAVEPOINT s{session.savepoints};")
        session.savepoints += 1
    elif what < 0.35 and session.savepoints > 0:
        session.savepoints -= 1
        session.run(rng.choice((f"ROLLBACK TO s{session.savepoints}; RELEASE s{session.savepoints};", f"RELEASE s{session.savepoints};")))
    elif what < 0.5:
        session.end(rng.choice(("COMMIT", "COMMIT", "ROLLBACK")))
    else:
        append(session, rng, rng.choice((1, 1, 5, 40, 100)))


def change_hands(rng, holder, next_one):
    """Who holds the account, after it went over in one way or another."""
    if rng.random() < 0.5:
        holder.end(rng.choice(("COMMIT", "ROLLBACK")))
        hold(next_one, rng)
        return next_one, holder
    # let go of by a savepoint: the transaction goes on, somebody else writes, and it takes the account again
    holder.end("COMMIT")
    holder.begin()
    holder.run("SELECT pg_current_xact_id(); SAVEPOINT taken;")
    append(holder, rng, 3)
    append(next_one, rng, 90)
    holder.run("ROLLBACK TO taken;")
    append(next_one, rng, 3)
    append(holder, rng, 3)
    return holder, next_one


journal_in_all = 0
for seed in range(int(os.environ.get("HELD_SEEDS", "2"))):
    rng = random.Random(seed)
    database.create()
    database.psql(SETUP)
    sessions = [Session() for _ in range(4)]
    holder, spare, reader = Session(), Session(), Session()
    for _ in range(6):
        append(reader, rng, 60)
    hold(holder, rng)
    wrong, checks = "", 0
    for n in range(100):
        step(rng, sessions)
        if n % 33 == 32:
            holder, spare = change_hands(rng, holder, spare)
        for asking in (rng.choice(sessions), rng.choice((reader, holder))):
            found = asking.run(CHECK)
            checks += 1
            wrong = wrong or (f"step {n}: {found}" if found != "same" else "")
        journal_in_all = max(journal_in_all, int(reader.run("SELECT count(*) FROM iamwatch_internal.journal;")))
    ok(not wrong, f"seed {seed}: what each session counts follows from the days that it sees, {checks} times", wrong)
    for session in sessions:
        if session.open:
            session.end("COMMIT")
    before = reader.run(CHECK)
    holder.end("COMMIT")
    database.psql("CALL iamwatch.maintain();")
    left = reader.run("SELECT count(*) FROM iamwatch_internal.journal;")
    ok(before == "same" and reader.run(CHECK) == "same" and left == "0", f"seed {seed}: and when all of it is folded nothing is left", f"{before} {left}")
    for session in sessions + [holder, spare, reader]:
        session.close()
ok(journal_in_all > 400, f"much was waiting ({journal_in_all} rows)")
database.drop()
finish()
