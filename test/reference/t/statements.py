"""How many statements it takes to store an event, and to open an alert."""
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
from harness import ROOT, Database, finish, ok

database = Database("iamwatch_statements")


def pg_config(what):
    return subprocess.run([os.environ.get("PG_CONFIG", "pg_config"), what], check=True, capture_output=True, text=True).stdout.strip()


library = os.path.join(os.environ["IAMWATCH_BASE"], "statements.so")
subprocess.run(["cc", "-shared", "-fPIC", "-I", pg_config("--includedir-server"), "-o", library,
                os.path.join(ROOT, "test", "statements", "statements.c")], check=True)
os.chmod(library, 0o755)

database.create()
database.psql("CREATE EXTENSION iamwatch; CREATE TABLE log (event jsonb); SELECT iamwatch.watch('log');")
EVENT = """
    CREATE FUNCTION aws(at text, who text, operation text, service text = 'iam') RETURNS jsonb LANGUAGE sql AS $$
    SELECT jsonb_build_object('eventTime', at, 'eventSource', service || '.amazonaws.com', 'eventName', operation,
        'eventID', gen_random_uuid()::text, 'recipientAccountId', '111122223333', 'sourceIPAddress', '192.0.2.1', 'userAgent', 'cli',
        'userIdentity', jsonb_build_object('type', 'IAMUser', 'arn', 'arn:aws:iam::111122223333:user/' || who)) $$;
    INSERT INTO log SELECT aws(d::date || 'T08:00:00Z', 'user' || n, 'ListBuckets', 's3')
    FROM generate_series('2026-01-01'::date, '2026-02-20', '1 day') AS d, generate_series(1, 50) AS n;
    INSERT INTO log SELECT aws(d::date || 'T09:00:00Z', 'user' || n, 'CreateUser')
    FROM generate_series('2026-01-01'::date, '2026-02-19', '1 day') AS d, generate_series(40, 50) AS n;
"""
database.psql(EVENT + "VACUUM ANALYZE;")


def statements(event, first=""):
    """The statements of one INSERT, in a session that has done the like before."""
    return database.psql(f"""
        LOAD '{library}';
        CREATE OR REPLACE FUNCTION statements_run() RETURNS text[] AS '{library}' LANGUAGE C;
        INSERT INTO log SELECT aws('2026-02-20T07:00:00Z', 'user1', 'DeleteUser');
        {first}
        SELECT aws('2026-02-20T07:00:00Z', 'user1', 'DeleteUser') \\gset
        CREATE TEMP TABLE one AS SELECT {event} AS event;
        DO 'BEGIN PERFORM statements_run(); END';
        INSERT INTO log SELECT event FROM one;
        CREATE TEMP TABLE ran AS SELECT statements_run() AS s;
        SELECT replace(x, E'\\n', ' ') FROM ran, unnest(s) AS x;""").splitlines()


def at_most(most, ran, description):
    ok(0 < len(ran) <= most, f"{description}: {len(ran)} statements, at most {most}", "\n".join(r[:150] for r in ran))


# PostgreSQL 17 counts one more than 15 does.
alerts = int(database.psql("SELECT count(*) FROM iamwatch.alerts;"))
at_most(2, statements("aws('2026-02-20T10:00:00Z', 'user2', 'CreateLoginProfile')"), "an INSERT that opens an alert")
ok(int(database.psql("SELECT count(*) FROM iamwatch.alerts;")) == alerts + 2, "it does")
at_most(2, statements("aws('2026-02-22T10:00:00Z', 'user4', 'CreateLoginProfile')"), "the same on a new day of its account")
ok(int(database.psql("SELECT count(*) FROM iamwatch.alerts;")) == alerts + 3, "it does")
at_most(3, statements("aws('2026-02-20T12:00:00Z', 'user2', 'AttachUserPolicy')"), "an INSERT whose alert belongs to an incident that there is")
ok(database.psql("SELECT alerts FROM iamwatch.incidents WHERE identity LIKE '%/user2';").strip() == "2", "it does")
at_most(5, statements("aws('2026-02-20T11:00:00Z', 'user2', 'CreateLoginProfile')"), "an INSERT whose event joins one")
at_most(2, statements("aws('2026-02-22T10:00:00Z', 'user3', 'ListBuckets', 's3')"), "an INSERT that brings a day")
at_most(1, statements("aws('2026-02-22T10:00:00Z', 'user3', 'ListBuckets', 's3')"), "an INSERT without news")

# Alerts of one statement, as a restore has them: their incidents are not done one by one.
MANY = """
    INSERT INTO iamwatch.alerts (detector, variation, severity, risk, first_event_time, last_event_time, provider, account, identity,
        identity_kind, service, operation, failed, category, sensitivity, tactic, technique, probability, surprise, evidence)
    SELECT 'unusual_iam_activity', 'base', 'low', n, t, t, 'aws', '1', 'who-' || n, 'user', 'iam', 'Do', true, 'policy', 1,
        'TA0003', 'T1098', 0.01, 6.6, '{}' FROM generate_series(1, 200) AS n CROSS JOIN LATERAL (SELECT '2026-03-01'::timestamptz AS t) AS x"""
ran = database.psql(f"""
    LOAD '{library}';
    {MANY.replace("'who-'", "'before-'")};
    DO 'BEGIN PERFORM statements_run(); END';
    {MANY};
    CREATE TEMP TABLE ran AS SELECT statements_run() AS s;
    SELECT replace(x, E'\\n', ' ') FROM ran, unnest(s) AS x;""").splitlines()
at_most(10, ran, "200 alerts in one INSERT, with their incidents")
ok(database.psql("SELECT count(*) FROM iamwatch_internal.kept_incidents WHERE account = '1';").strip() == "400", "each has its incident")
database.drop()
finish()
