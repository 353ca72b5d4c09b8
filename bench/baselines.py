"""Parts of make bench: what the baselines cost, in time and in bytes, as they grow and while others hold them."""
import os
import random
import statistics
import subprocess

from measure import ROUNDS, Failed, background, end, fresh, median, path, psql, report, timed, write
from workload import event

ACCOUNT = "123837392027"


def identities(count, days, account=ACCOUNT, name="arn:aws:iam::123837392027:user/user"):
    """What is kept of an account whose identities have been active on all these days."""
    first, last = days
    psql("INSERT INTO iamwatch_internal.accounts (account_id, provider, account, first_event_time, newest_day, late_events)"
         f" VALUES (1, 'aws', '{account}', '{first}', '{last}', 0);"
         "INSERT INTO iamwatch_internal.identity_days (account_id, kinds, first_days, days, iam_days, identity)"
         f" SELECT 1, 2, '{{2026-01-01..2026-01-03}}', '{{{first}..{last}}}', '{{}}', '{name}' || n FROM generate_series(0, {count}) n;")


def statements_of(insert):
    """How many statements reach the executor: the module of the tests counts them."""
    def pg_config(what):
        return subprocess.run([os.environ.get("PG_CONFIG", "pg_config"), what], check=True, capture_output=True, text=True).stdout.strip()

    library = os.path.join(os.environ["IAMWATCH_BASE"], "statements.so")
    subprocess.run(["cc", "-shared", "-fPIC", "-I", pg_config("--includedir-server"), "-o", library, "test/statements/statements.c"], check=True)
    os.chmod(library, 0o755)
    return int(psql(f"LOAD '{library}'; CREATE OR REPLACE FUNCTION statements_run() RETURNS text[] AS '{library}' LANGUAGE C;\n"
                    f"DO 'BEGIN PERFORM statements_run(); END';\n{insert};\n"
                    "CREATE TEMP TABLE ran AS SELECT statements_run() AS s;\nSELECT cardinality(s) FROM ran;")) - 1     # which counts itself


def scoring():
    """One account of 20,000 identities, of whom few have ever made a user."""
    fresh()
    identities(20000, ("2026-01-01", "2026-02-10"), account="1", name="user")
    psql("INSERT INTO iamwatch_internal.account_operations (account_id, operation_id, failed, service, operation) VALUES (1, 1, false, 'iam', 'CreateUser');"
         "INSERT INTO iamwatch_internal.behaviour_days (account_id, operation_id, identity_id, first_seen, days)"
         " SELECT 1, 1, n, '2026-01-20', '{2026-01-20}' FROM generate_series(1, 100) n;"
         "UPDATE iamwatch_internal.identity_days SET iam_days = '{2026-01-20}' WHERE identity_id BETWEEN 1 AND 100;"
         "SELECT iamwatch_internal.retally(1); VACUUM ANALYZE;"
         "CREATE FUNCTION aws(who text, id text) RETURNS jsonb IMMUTABLE LANGUAGE sql AS $$SELECT jsonb_build_object('eventTime', '2026-02-10T10:00:00Z',"
         " 'eventSource', 'iam.amazonaws.com', 'eventName', 'CreateUser', 'eventID', id, 'recipientAccountId', '1',"
         " 'userIdentity', jsonb_build_object('type', 'IAMUser', 'arn', who))$$;"
         "CREATE FUNCTION peers() RETURNS void LANGUAGE plpgsql AS $$BEGIN FOR i IN 1..1000 LOOP"
         " PERFORM iamwatch_internal.class_days('aws', '1', true, 'iam', 'CreateUser', false, '2026-01-11', '2026-02-09'); END LOOP; END$$;"
         "CREATE FUNCTION with_risk() RETURNS void LANGUAGE plpgsql AS $$DECLARE s iamwatch_internal.score; d iamwatch.detectors; e iamwatch.event; BEGIN"
         " SELECT * INTO d FROM iamwatch.detectors; e := iamwatch.parse(aws('user15000', '1')); FOR i IN 1..1000 LOOP"
         " PERFORM iamwatch_internal.class_days('aws', '1', true, 'iam', 'CreateUser', false, '2026-01-11', '2026-02-09');"
         " s := iamwatch_internal.with_risk(d, e, iamwatch_internal.ids_of(e), s); END LOOP; END$$;"
         "CREATE FUNCTION alerts(first int, last int) RETURNS void LANGUAGE plpgsql AS $$BEGIN FOR i IN first..last LOOP"
         " INSERT INTO watched VALUES (aws('user' || 10000 + i, i::text)); END LOOP; END$$;")
    report("size-identity", float(psql("SELECT pg_total_relation_size('iamwatch_internal.identity_days')::float8 / 20000;")), "20,000 identities, table and indexes")
    with_path = "SET search_path = pg_catalog, iamwatch, iamwatch_internal, public;"
    for key, function in (("peers", "peers()"), ("risk", "with_risk()")):
        script = f"{with_path}\nSELECT public.{function};\n\\timing on\nSELECT public.{function};\n"
        median(key, [timed(script)[0] / 1000 for _ in range(ROUNDS)], "mean of 1,000", script.replace("\\timing on\n", ""))
    times = [timed(f"SELECT alerts({400 * i + 1}, {400 * i + 200});\n\\timing on\nSELECT alerts({400 * i + 201}, {400 * i + 400});\n")[0] / 200
             for i in range(ROUNDS)]
    opened = psql("SELECT count(*) FROM iamwatch.alerts;").strip()
    median("alert", times, f"mean of 200, in one transaction; {opened} alerts opened of {400 * ROUNDS}",
           f"SELECT alerts({400 * ROUNDS + 1}, {400 * ROUNDS + 200});")
    ran = statements_of("CREATE TEMP TABLE one AS SELECT aws('user9000', '0') AS event;"
                        "DO 'BEGIN PERFORM alerts(9001, 9002); PERFORM statements_run(); END';"
                        "INSERT INTO watched SELECT event FROM one")
    if psql("SELECT count(*) FROM iamwatch.alerts WHERE identity = 'user9000';").strip() != "1":
        raise Failed("the INSERT whose statements were counted opened no alert")
    report("alert-statements", ran, "in a session that has opened some before")


def sizes():
    """Packed, and as a backfill leaves them: a thousand identities on five days of seven, ten operations each on one active day of five."""
    for days in (45, 195):
        fresh()
        found = psql(f"\\set identities 1000\n\\set accounts 1\n\\set days {days}\n\\set quiet\n\\i bench/size.sql\n").split("\n")
        size = dict(line.split("|") for line in found if "|" in line)
        for what in ("identity", "behaviour"):
            report(f"size-{what}-{days}", float(size[what]), f"packed, table and indexes; {float(size[f'{what} left']):.0f} as a backfill leaves them")


def growth():
    """What the first event of a day costs, of an identity of an account that has many; and any other."""
    fewest = None
    for n in (1000, 10000, 50000, 200000):
        fresh()
        identities(n, ("2026-01-01", "2026-02-09"))
        psql("SELECT iamwatch_internal.retally(1); VACUUM ANALYZE;")
        news, other = [], []
        for day in range(40, 41 + ROUNDS):
            events = write("growth", 0, 1000, 1, first_day=day, cover=True, iam=0)
            t = timed(f"\\timing on\n\\copy watched FROM '{events}'\n\\copy watched FROM '{events}'\n")
            news.append(t[0])
            other.append(t[1])
        news = news[1:]     # the first has the catalogue's blocks to read
        if n == 1000:
            fewest = statistics.median(news)
        else:
            median(f"growth-{n}", [t / fewest for t in news], f"{statistics.median(news):.0f} us, {statistics.median(other):.1f} for any other; 1,000 of each")


def bloat():
    """30 days of steady ingest, ten statements a day, against the packed size."""
    fresh()
    month = write("month", 60000, 1000, 30)
    psql(f"CREATE TEMP TABLE p (event jsonb);\n\\copy p FROM '{month}'\n"
         "CREATE TABLE pool AS SELECT row_number() OVER () / 200 AS part, event FROM p; CREATE INDEX ON pool (part);"
         "DO $$BEGIN FOR i IN 0..300 LOOP INSERT INTO watched SELECT event FROM pool WHERE part = i; COMMIT; END LOOP; END$$;")
    size = ("SELECT sum(pg_total_relation_size('iamwatch_internal.' || t)) FROM unnest('{identity_days,behaviour_days,account_operations,tallies,"
            "accounts,journal}'::text[]) t;")
    before = float(psql(size))
    psql("VACUUM FULL;")
    report("bloat", before / float(psql(size)), f"{before / 1024:.0f} kB, before autovacuum had a chance")


def unanalysed():
    """Plans must not depend on statistics that are not there yet: each step as it comes, over the same with all tables analysed
    before it.  What the tables hold is the same, so a plan that is worse shows however busy the machine is."""
    many, steps = 20000, {}
    known = write("one-account", 0, many, 1, first_day=20, cover=True)
    second = write("second-day", 0, many, 1, first_day=36, cover=True)
    third = write("third-day", 0, many, 1, first_day=37, cover=True)
    far = write("far-day", 0, 10, 1, first_day=300, cover=True)
    reading = ("report", "status")
    for i in range(max(2, ROUNDS // 2)):
        for analysed in (True, False) if i % 2 else (False, True):
            fresh("CREATE TABLE more (n bigserial, event jsonb);")
            psql("DO $$BEGIN EXECUTE (SELECT string_agg(format('ALTER TABLE %s SET (autovacuum_enabled = off)', c.oid::regclass), ';')"
                 " FROM pg_class c WHERE relkind = 'r' AND relnamespace IN ('iamwatch'::regnamespace, 'iamwatch_internal'::regnamespace, 'public'::regnamespace)); END$$;"
                 f"\n\\copy bare FROM '{known}'\n\\copy more (event) FROM '{third}'\n")
            for key, step in (("backfill", "CALL iamwatch.backfill('bare');"),
                              ("day", f"\\copy watched FROM '{second}'"),
                              ("maintain", "CALL iamwatch.maintain();"),
                              ("process", "CALL iamwatch.process('more', 'event', 'n');"),
                              ("again", "CALL iamwatch.backfill('watched');"),
                              ("drop", f"\\copy watched FROM '{far}'\nCALL iamwatch.maintain();"),
                              ("report", "SELECT iamwatch.report();\n" * 9),
                              ("status", "SELECT * FROM iamwatch.status;\n" * 9)):
                if analysed:
                    psql("ANALYZE;")        # by a session of its own, since it would warm that of the step
                t = timed(f"SET client_min_messages = error;\n\\o /dev/null\n\\timing on\n{step}\n")
                steps.setdefault(key, {True: [], False: []})[analysed].append(min(t) if key in reading else sum(t))
    for key, times in steps.items():
        never, after = (statistics.median(times[analysed]) for analysed in (False, True))
        report(f"unanalysed-{key}", never / after, f"{never:.0f} ms and {after:.0f}", [a / b for a, b in zip(times[False], times[True])])


def held_account():
    """What a statement costs while another session writes its account, by the length of the journal."""
    fresh()
    known = write("held-known", 0, 400, 1, first_day=10, cover=True)
    psql(f"\\copy watched FROM '{known}'\nVACUUM ANALYZE;")
    first = write("held-first", 0, 1, 1, first_day=37, cover=True, iam=0)
    holder = background(f"BEGIN;\n\\copy watched FROM '{first}'\nSELECT 'held';\n")
    holder.stdout.readline()
    rng, none, alert, rows = random.Random(5), None, None, 0
    for day, wanted_rows in enumerate((0, 6500, 200000), 39):
        if wanted_rows > rows:
            with open(path("held-journal"), "w") as out:
                for n in range(rows, wanted_rows):
                    out.write(event(rng, f"other{n}", 38, n % 86400, 7 * 10**9 + n))
            psql(f"\\copy watched FROM '{path('held-journal')}'\nVACUUM ANALYZE iamwatch_internal.journal;")
            os.unlink(path("held-journal"))
            rows = wanted_rows
        script = ""
        for n in range(150):
            for operation in (None, "DeleteRole") if n < 5 else (None,):
                line = event(rng, f"user{n + 5 * day}", day, n, wanted_rows * 10 + n + (10**10 if operation else 0), operation)
                script += "INSERT INTO watched VALUES ($e$" + line.strip().replace("\\\\", "\\") + "$e$);\n"
        t = timed("SET synchronous_commit = off;\n\\timing on\n" + script)
        plain, alerts = t[10:], t[1:10:2]
        if wanted_rows == 0:
            none, alert = statistics.median(plain), statistics.median(alerts)
        else:
            low, _, high = statistics.quantiles(plain, n=4)
            report(f"held-{wanted_rows}", statistics.median(plain) / none, f"{statistics.median(plain):.2f} ms; of 150 events, spread of the half in the middle",
                   (low / none, high / none))
    report("held-alert", statistics.median(alerts), f"{alert:.2f} with none; {psql('SELECT count(*) FROM iamwatch.alerts;').strip()} alerts", alerts)
    holder.stdin.write("ROLLBACK;\n")
    end(holder)


def old_snapshot():
    """What counts all of a day is one row; how it goes while somebody's snapshot keeps its versions."""
    count, figures, last, alone = 10000, [], [], []
    for i in range(max(2, ROUNDS // 2)):
        times = {}
        for old in (False, True) if i % 2 == 0 else (True, False):
            fresh()
            psql(f"\\copy watched FROM '{write('hot', 0, 100, 1, first_day=39, cover=True, iam=0)}'\n")
            events = write("hot-row", 0, count, 1, first_day=40, cover=True, iam=0)
            psql(f"CREATE TABLE hot (n serial, event jsonb);\n\\copy hot (event) FROM '{events}'\n")
            reader = background("BEGIN ISOLATION LEVEL REPEATABLE READ;\nSELECT count(*) FROM bare;\n" if old else "SELECT 1;\n")
            reader.stdout.readline()
            times[old] = timed("SET synchronous_commit = off;"      # the disk is another matter
                               "CREATE PROCEDURE one_by_one(since int, until int) LANGUAGE plpgsql AS $$BEGIN FOR i IN since..until LOOP"
                               " INSERT INTO watched SELECT event FROM hot WHERE n = i; COMMIT; END LOOP; END$$;"
                               "CREATE INDEX ON hot (n); ANALYZE hot;\n\\timing on\n"
                               f"CALL one_by_one(1, {count - 1000});\nCALL one_by_one({count - 999}, {count});\n")
            end(reader)
        figures.append(sum(times[True]) / sum(times[False]))
        last.append(times[True][1] / times[False][1])
        alone.append(sum(times[False]) / count)
    median("old-snapshot", figures, f"{statistics.median(alone):.2f} ms each without; the last 1,000 of them {statistics.median(last):.2f}")
