"""make bench: ratios within one run, medians of interleaved pairs.

BENCH_ONLY names the parts to run, as python names them below.  What was
measured is kept under bench/results, by version; bench/compare tells two apart.
"""
import os
import random
import re
import statistics
import subprocess
import sys
import tempfile
import time

import instructions
import results
import workload
from workload import IAM, event

ROUNDS = int(os.environ.get("BENCH_ROUNDS", "5"))
EVENTS = int(os.environ.get("BENCH_EVENTS", "100000"))
rows = []
profile = []
folder = tempfile.mkdtemp(dir=os.environ["IAMWATCH_BASE"])


def psql(script, database="bench", quiet=True):
    done = subprocess.run(["psql", "-XAt" + ("q" if quiet else ""), "-v", "ON_ERROR_STOP=1", "-d", database, "-f", "-"],
                          input=script, capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stderr)
    return done.stdout


def timed(script):
    """Milliseconds of each statement after the first \\timing on."""
    return [float(t) for t in re.findall(r"^Time: ([\d.]+) ms", psql(script), re.M)]


def write(name, *arguments, **options):
    return workload.write(os.path.join(folder, name), *arguments, **options)


def fresh(more=""):
    subprocess.run(["dropdb", "--if-exists", "-f", "bench"], check=True, capture_output=True)
    subprocess.run(["createdb", "bench"], check=True)
    psql("CREATE EXTENSION iamwatch; CREATE UNLOGGED TABLE bare (event jsonb); CREATE UNLOGGED TABLE watched (event jsonb);"
         "SELECT iamwatch.watch('watched');" + more)


def report(what, figure, most=None, detail="", spread=(), least=None):
    """A row: figure is a number, or None for what cannot be measured here; the
    target is at most or at least so much.  Spread: lowest and highest of the runs."""
    target = f"at most {most:g}" if most is not None else f"at least {least:g}" if least is not None else ""
    met = None if figure is None or not target else figure <= most if most is not None else figure >= least
    row = {"what": what, "figure": figure, "target": target, "met": met,
           "low": min(spread) if spread else figure, "high": max(spread) if spread else figure, "detail": detail}
    rows.append(row)
    shown = "not measured" if figure is None else f"{figure:.{3 if abs(figure) < 10 else 1}f}"
    print(f"{what:<70} {shown:>12} {target:>14} {'MISSED' if met is False else '':>6}  {detail}", flush=True)


def pair(i, path):
    """One COPY into each table; which comes first takes turns."""
    order = ("bare", "watched") if i % 2 == 0 else ("watched", "bare")
    return ("\\timing on\n" + "".join(f"\\copy {table} FROM '{path}'\n" for table in order)
            + "\\timing off\nTRUNCATE bare, watched;\n")


def pairs(values, turns=False):
    """Median ratio of second to first, what to say of it, and the range of the half in the middle."""
    ratios = [b / a for a, b in zip(values[0::2], values[1::2])]
    if turns:
        ratios = [1 / r if i % 2 else r for i, r in enumerate(ratios)]
    low, high, what = min(ratios), max(ratios), ""
    if len(ratios) >= 12:
        (low, _, high), what = statistics.quantiles(ratios, n=4), "half of them "
    return statistics.median(ratios), f"{what}{low:.3f} to {high:.3f}, {len(ratios)} pairs", (low, high)


def steady(identities):
    fresh()
    known = write("known", EVENTS // 10, identities, 1, first_day=40, cover=True)
    script = "".join(f"\\copy {table} FROM '{known}'\n" for table in ("watched", "watched", "bare")) + "TRUNCATE bare, watched;\n"
    rounds = 6 * ROUNDS         # short pairs: what else the machine does falls on both
    for i in range(rounds):
        script += pair(i, write(f"steady{i}", EVENTS // 4, identities, 1, first_day=40, news=0.01, seed=100 + i))
    ratio, detail, spread = pairs(timed(script), turns=True)
    for i in range(rounds):
        os.unlink(os.path.join(folder, f"steady{i}"))
    report(f"COPY, steady state, 1 % news, {identities} identities", ratio, 1.04, detail, spread)


def first_load():
    path = write("first", EVENTS, 2000, 2)
    values = []
    for i in range(ROUNDS + 1):
        fresh()
        values += timed(pair(i, path))
    ratio, detail, spread = pairs(values, turns=True)
    report("COPY, first load into empty baselines", ratio, 1.20, detail, spread)


def check_peer():
    """The peer must read real events of both providers as we do."""
    fresh("\\i bench/plpgsql.sql\nCREATE TABLE real (event text);")
    records = "".join(open(os.path.join("data/events", name)).read() for name in sorted(os.listdir("data/events")) if name.endswith(".ndjson"))
    psql("COPY real FROM stdin;\n" + records.replace("\\", "\\\\") + "\\.\n")
    other = psql("SELECT count(*) FROM real, iamwatch.parse(event::jsonb) AS i, pl_read(event::jsonb) AS p"
                 " WHERE (i.provider, i.account, i.identity, i.identity_kind, i.service, i.operation, i.failed, i.event_time)"
                 " IS DISTINCT FROM (p.provider, p.acc, p.who, p.kind, p.svc, p.op, p.fail, p.at) AND p.reason IS NULL"
                 " OR i.identity IS NOT NULL AND p.reason IS NOT NULL AND i.provider <> 'azure';").strip()
    if other != "0":
        sys.exit(f"the peer in PL/pgSQL reads {other} real events otherwise")


def against_plpgsql():
    """30 days of history, then a day with things never seen; the same alerts."""
    check_peer()
    count = max(10000, EVENTS // 4)
    history = write("history", count, 300, 30)
    quiet = write("quiet-day", count // 10, 300, 1, first_day=30, seed=6, cover=True)
    day = write("day", EVENTS, 300, 1, first_day=30, seed=7)
    rng = random.Random(9)
    with open(day, "a") as out:
        for i in range(50):
            out.write(event(rng, f"user{i}", 30, 86000 + i, 8 * 10**9 + i, "CreateLoginProfile"))
    for level, trigger in (("row", "FOR EACH ROW EXECUTE FUNCTION pl_observe()"),
                           ("statement", "REFERENCING NEW TABLE AS stored FOR EACH STATEMENT"
                            " EXECUTE FUNCTION pl_observe_statement()")):
        over, bare = [], []
        for _ in range(max(3, ROUNDS)):
            fresh(f"CREATE UNLOGGED TABLE pl (event jsonb); \\i bench/plpgsql.sql\nCREATE TRIGGER observe AFTER INSERT ON pl {trigger};")
            first = "".join(f"\\copy {table} FROM '{path}'\n" for path in (history, quiet) for table in ("bare", "watched", "pl"))
            # vacuum has sessions forget what they know; a small load is enough to have them know it
            again = "".join(f"\\copy {table} FROM '{quiet}'\n" for table in ("bare", "watched", "pl"))
            t = timed(f"{first}VACUUM ANALYZE;\n{again}\\timing on\n" + "".join(
                f"\\copy {table} FROM '{day}'\n" for table in ("bare", "watched", "pl")))
            over.append(t[2] / t[1])
            bare.append((t[1] / t[0], t[2] / t[0]))
            same = psql("SELECT count(*) FROM (SELECT identity, operation, first_event_time, event_count, round(probability::numeric, 12)"
                        " FROM iamwatch.alerts EXCEPT ALL SELECT identity, operation, first_event_time, event_count,"
                        " round(probability::numeric, 12) FROM pl_alerts) x; SELECT count(*) FROM iamwatch.alerts; SELECT count(*) FROM pl_alerts;")
            differ, ours, theirs = same.split()
        ours_bare, pl_bare = (statistics.median(x) for x in zip(*bare))
        report(f"the same detection in PL/pgSQL ({level} trigger) over ours", statistics.median(over), None,
               f"{pl_bare:.2f} and {ours_bare:.2f} over bare COPY; {ours} and {theirs} alerts, {differ} differ",
               over, least=3)


def history():
    fresh()
    million = 10 * EVENTS
    path = write("million", EVENTS, 2000, 40)
    psql("".join(f"\\copy bare FROM '{path}'\n" for _ in range(million // EVENTS)) + "VACUUM ANALYZE bare;")
    scan, fill, ours, plain = [], [], [], []
    aggregate = ("SELECT count(*) FROM (SELECT (m).key, iamwatch.dayset_agg((m).at) FROM (SELECT iamwatch_internal.baseline_key(event) AS m"
                 " FROM bare) AS x GROUP BY 1) AS y;")
    group_by = ("SELECT count(*) FROM (SELECT event->>'recipientAccountId', event->'userIdentity'->>'arn', event->>'eventSource',"
                " event->>'eventName', event ? 'errorCode', (event->>'eventTime')::timestamptz::date FROM bare"
                " GROUP BY 1, 2, 3, 4, 5, 6) AS y;")
    for _ in range(ROUNDS):
        t = timed("SET client_min_messages = error; SET jit = off; SET max_parallel_workers_per_gather = 0;\n\\timing on\n"
                  "SELECT count(event->>'eventName') FROM bare;\n\\timing off\nRESET max_parallel_workers_per_gather;\n\\timing on\n"
                  f"SELECT count(event->>'eventName') FROM bare;\nCALL iamwatch.backfill('bare');\n{aggregate}\n{group_by}\n")
        scan.append(t[0])
        fill.append((t[2] / t[0], t[2] / t[1]))
        plain.append(t[4] / t[3])
    both = [statistics.median(x) for x in zip(*fill)]
    report(f"backfill of {million} events over a sequential scan with one ->>", both[0], 1.3, "", [f[0] for f in fill])
    report("backfill over the same scan with parallel workers", both[1], 1.5, "", [f[1] for f in fill])
    report("plain SQL GROUP BY of the same baselines over ours", statistics.median(plain), None,
           "both free to use parallel workers", plain, least=3)
    new_terms = ("SELECT count(*) FROM (SELECT event->'userIdentity'->>'arn' AS who, event->>'eventName' AS what,"
                 " min((event->>'eventTime')::timestamptz) AS first FROM bare WHERE (event->>'eventTime')::timestamptz >= '2026-01-27'"
                 " GROUP BY 1, 2 HAVING min((event->>'eventTime')::timestamptz) >= '2026-02-09') AS x;")
    t = timed(f"SET jit = off;\n\\timing on\nSELECT count(event->>'eventName') FROM bare;\n{new_terms}\n")
    report("one run of a new-terms rule as scheduled SQL over the same scan", t[1] / t[0], None,
           "each run of it; triggers do their work once an event")


def sessions():
    """An organisation with thousands of alerts, by one session, and by two that share the steps of it."""
    organisation = os.path.join(folder, "organisation")
    subprocess.run(["bench/detection/generate.py", "midsize", "1", organisation], check=True, capture_output=True)
    path = os.path.join(folder, "organisation.copy")
    with open(os.path.join(organisation, "events.ndjson")) as lines, open(path, "w") as out:
        out.writelines(line.replace("\\", "\\\\") for line in lines)
    times = {0: [], 1: []}
    for _ in range(max(3, ROUNDS // 2)):
        for helpers in (0, 1):
            fresh(f"\n\\copy bare FROM '{path}'\nVACUUM ANALYZE bare;")
            others = [subprocess.Popen(["psql", "-qX", "-d", "bench", "-c", "CALL iamwatch.backfill_work('bare', patience => '1 minute')"],
                                       stderr=subprocess.DEVNULL) for _ in range(helpers)]
            times[helpers] += timed("SET client_min_messages = error;\n\\timing on\nCALL iamwatch.backfill('bare');\n")
            for other in others:
                other.wait()
    ratios = [alone / helped for alone, helped in zip(times[0], times[1])]
    alerts = psql("SELECT count(*) FROM iamwatch.alerts;").strip()
    report("backfill by one session over the same by two", statistics.median(ratios), None,
           f"{alerts} alerts; {statistics.median(times[0]):.0f} ms by one", ratios, least=1.4)


def scoring():
    fresh()
    psql("INSERT INTO iamwatch_internal.accounts (account_id, provider, account, first_event_time, newest_day, late_events) VALUES (1, 'aws', '1', '2026-01-01', '2026-02-10', 0);"
         "INSERT INTO iamwatch_internal.identity_days (account_id, kinds, first_days, days, iam_days, identity)"
         " SELECT 1, 2, '{2026-01-01..2026-01-03}', '{2026-01-01..2026-02-10}', '{}', 'user' || n FROM generate_series(1, 20000) n;"
         "INSERT INTO iamwatch_internal.account_operations (account_id, operation_id, failed, service, operation) VALUES (1, 1, false, 'iam', 'CreateUser');"
         "INSERT INTO iamwatch_internal.behaviour_days SELECT 1, 1, n, '2026-01-20', '{2026-01-20}' FROM generate_series(1, 100) n;"
         "SELECT iamwatch_internal.retally(1); VACUUM ANALYZE;"
         "CREATE FUNCTION score() RETURNS void LANGUAGE plpgsql AS $$BEGIN FOR i IN 1..1000 LOOP"
         " PERFORM iamwatch_internal.class_days('aws', '1', true, 'iam', 'CreateUser', false, '2026-01-11', '2026-02-09'); END LOOP; END$$;"
         "CREATE FUNCTION risk() RETURNS void LANGUAGE plpgsql AS $$DECLARE s iamwatch_internal.score; d iamwatch.detectors; e iamwatch.event; BEGIN"
         " SELECT * INTO d FROM iamwatch.detectors; e := iamwatch.parse(jsonb_build_object('eventTime', '2026-02-10T10:00:00Z',"
         " 'eventSource', 'iam.amazonaws.com', 'eventName', 'CreateUser', 'recipientAccountId', '1', 'userIdentity',"
         " jsonb_build_object('type', 'IAMUser', 'arn', 'user15000')));"
         " FOR i IN 1..1000 LOOP s := iamwatch_internal.with_risk(d, e, iamwatch_internal.ids_of(e), s); END LOOP; END$$;"
         "CREATE FUNCTION alert() RETURNS void LANGUAGE plpgsql AS $$BEGIN FOR i IN 1..200 LOOP"
         " INSERT INTO watched VALUES (jsonb_build_object('eventTime', '2026-02-10T10:00:00Z', 'eventSource', 'iam.amazonaws.com',"
         " 'eventName', 'CreateUser', 'eventID', i::text, 'recipientAccountId', '1', 'userIdentity',"
         " jsonb_build_object('type', 'IAMUser', 'arn', 'user' || 10000 + i))); END LOOP; END$$;")
    path = "SET search_path = pg_catalog, iamwatch, iamwatch_internal, public;"
    t = [timed(f"{path}\nSELECT score();\n\\timing on\nSELECT score();\n")[0] / 1000 for _ in range(ROUNDS)]
    report("peers of one unusual event, 20,000 identities, ms", statistics.median(t), 0.2, "", t)
    t = [timed(f"{path}\nSELECT risk();\n\\timing on\nSELECT risk();\n")[0] / 1000 for _ in range(ROUNDS)]
    report("risk of one alert, 20,000 identities, ms", statistics.median(t), 0.2, "", t)
    t = timed("\\timing on\nSELECT alert();\n")[0] / 200
    opened = psql("SELECT count(*) FROM iamwatch.alerts;").strip()
    report("one INSERT that opens an alert, in all, ms", t, 0.3, f"mean of 200; {opened} alerts opened")
    size = psql("SELECT pg_total_relation_size('iamwatch_internal.identity_days')::float8 / 20000;").strip()
    report("size per identity, table and indexes, bytes", float(size), 150, "20,000 identities")
    psql("INSERT INTO iamwatch_internal.account_operations (account_id, operation_id, failed, service, operation) SELECT 1, n + 1, false, 'iam', 'o' || n FROM generate_series(1, 5) n;"
         "INSERT INTO iamwatch_internal.behaviour_days SELECT 1, 1 + b, n, '2026-01-20', '{2026-01-20..2026-01-30,2026-02-01,2026-02-03}'"
         " FROM generate_series(1, 20000) n, generate_series(1, 5) b; VACUUM FULL iamwatch_internal.behaviour_days;")
    size = psql("SELECT pg_total_relation_size('iamwatch_internal.behaviour_days')::float8 / count(*) FROM iamwatch_internal.behaviour_days;").strip()
    report("size per identity and behaviour, table and index, bytes", float(size), 150, "100,100 behaviours")


def pgbench(scripts, *options):
    """Mean latency of each script, run in turns by the same clients at random."""
    arguments = []
    for name, script in scripts.items():
        path = os.path.join(folder, f"{name}.pgbench")
        with open(path, "w") as out:
            out.write(script)
        arguments += ["-f", path]
    out = subprocess.run(["pgbench", "-n", "-r", "-M", "prepared", *options, *arguments, "bench"],
                         capture_output=True, text=True, check=True).stdout
    each = re.findall(r"^SQL script \d+:.*?latency average = ([\d.]+) ms", out, re.M | re.S)
    return dict(zip(scripts, map(float, each)))


def single_rows():
    fresh("ALTER TABLE bare SET LOGGED; ALTER TABLE watched SET LOGGED; CREATE TABLE pool (id int PRIMARY KEY, event jsonb);")
    path = write("pool", 20000, 2000, 1, first_day=40, cover=True)
    psql(f"CREATE TEMP TABLE p (event jsonb);\n\\copy p FROM '{path}'\n"
         "INSERT INTO pool SELECT row_number() OVER (), event FROM p; INSERT INTO watched SELECT event FROM pool; VACUUM ANALYZE;")
    psql("CREATE TABLE empty (event jsonb); CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';"
         "CREATE TRIGGER nothing AFTER INSERT ON empty FOR EACH ROW WHEN (NEW.event IS NULL) EXECUTE FUNCTION nothing();")
    seconds = os.environ.get("BENCH_SECONDS", "30")  # the first are those of cold backends
    scripts = {table: f"\\set id random(1, 22000)\nINSERT INTO {table} SELECT event FROM pool WHERE id = :id;\n"
               for table in ("bare", "empty", "watched")}
    for what, target, options in (
            ("single-row INSERT transactions, four clients", 1.04, ("-c", "4", "-j", "2", "-T", seconds)),
            ("single-row INSERT, each over a connection of its own", 1.3, ("-C", "-c", "1", "-T", str(int(seconds) // 3 + 1)))):
        watched, empty = [], []
        for _ in range(ROUNDS):
            t = pgbench(scripts, *options)
            watched.append(t["watched"] / t["bare"])
            empty.append(t["empty"] / t["bare"])
            psql("TRUNCATE bare, empty, watched;")
        report(what, statistics.median(watched), target, f"{len(watched)} runs, the tables by turns in each;"
               f" {statistics.median(empty):.3f} with a trigger whose WHEN is always false", watched)


def beside_readers():
    """The steady state while an analyst asks one question after the other."""
    fresh()
    known = write("known", EVENTS // 10, 2000, 1, first_day=40, cover=True)
    psql(f"\\copy watched FROM '{write('month', EVENTS // 2, 2000, 30)}'\n\\copy watched FROM '{known}'\nVACUUM ANALYZE;")
    path = os.path.join(folder, "reader.pgbench")
    with open(path, "w") as out:
        out.write("\\set n random(0, 199)\n"
                  "SELECT * FROM iamwatch.alerts ORDER BY detected_at DESC LIMIT 50;\n"
                  "SELECT service, operation, failed, days FROM iamwatch.baselines"
                  " WHERE identity = 'arn:aws:iam::123837392027:user/user' || :n * 10;\n"
                  "SELECT days FROM iamwatch.identities WHERE identity = 'arn:aws:iam::123837392027:user/user' || :n * 10;\n")
    reader = subprocess.Popen(["pgbench", "-n", "-c", "1", "-T", "600", "-f", path, "bench"],
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    script = "".join(f"\\copy {table} FROM '{known}'\n" for table in ("watched", "watched", "bare")) + "TRUNCATE bare, watched;\n"
    for i in range(ROUNDS):
        script += pair(i, write(f"read{i}", EVENTS, 2000, 1, first_day=40, news=0.01, seed=300 + i))
    ratio, detail, spread = pairs(timed(script), turns=True)
    reader.terminate()
    reader.wait()
    report("COPY, steady state, beside a reader of alerts and baselines", ratio, 1.04, detail, spread)


def no_work():
    """Steady state writes nothing: by the server's own counters."""
    fresh()
    path = write("quiet", 20000, 500, 1, first_day=40)
    query = ("SELECT coalesce(sum(n_tup_ins + n_tup_upd + n_tup_del), 0) FROM pg_stat_user_tables WHERE schemaname IN ('iamwatch', 'iamwatch_internal');")
    out = psql(f"\\copy watched FROM '{path}'\nSELECT pg_stat_force_next_flush();\n{query}\n"
               f"\\copy watched FROM '{path}'\nSELECT pg_stat_force_next_flush();\n{query}\n").split()
    report("rows written by 20,000 events that teach nothing", int(out[1]) - int(out[0]), 0, f"{out[0]} by the first load")


def growth():
    """What the first event of a day costs, of an identity of an account that has many; and any other."""
    fewest = None
    for n in (1000, 10000, 50000, 200000):
        fresh()
        psql("INSERT INTO iamwatch_internal.accounts (account_id, provider, account, first_event_time, newest_day, late_events) VALUES (1, 'aws', '123837392027', '2026-01-01', '2026-02-09', 0);"
             "INSERT INTO iamwatch_internal.identity_days (account_id, kinds, first_days, days, iam_days, identity)"
             " SELECT 1, 2, '{2026-01-01..2026-01-03}', '{2026-01-01..2026-02-09}', '{}', 'arn:aws:iam::123837392027:user/user' || n"
             f" FROM generate_series(0, {n}) n; SELECT iamwatch_internal.retally(1); VACUUM ANALYZE;")
        path = write("growth", 0, 1000, 1, first_day=40, cover=True, iam=0)
        news, other = timed(f"\\timing on\n\\copy watched FROM '{path}'\n\\copy watched FROM '{path}'\n")
        fewest = fewest or news
        report(f"first event of a day of one of {n} identities, over one of 1000", news / fewest, 1.5,
               f"{news:.0f} us, {other:.1f} for any other; 1000 of each")


def bloat():
    """30 days of steady ingest, ten statements a day, against the packed size."""
    fresh()
    psql("CREATE TABLE days (day int, event jsonb);")
    path = write("month", 60000, 1000, 30)
    psql(f"CREATE TEMP TABLE p (event jsonb);\n\\copy p FROM '{path}'\n"
         "CREATE TABLE pool AS SELECT row_number() OVER () / 200 AS part, event FROM p; CREATE INDEX ON pool (part);"
         "DO $$BEGIN FOR i IN 0..300 LOOP INSERT INTO watched SELECT event FROM pool WHERE part = i; COMMIT; END LOOP; END$$;")
    size = ("SELECT sum(pg_total_relation_size('iamwatch_internal.' || t)) FROM unnest('{identity_days,behaviour_days,account_operations,tallies,"
            "accounts,journal}'::text[]) t;")
    before = float(psql(size))
    psql("VACUUM FULL;")
    report("size of the baselines after 30 days over their packed size", before / float(psql(size)), 1.5,
           f"{before / 1024:.0f} kB, before autovacuum had a chance")


def count_instructions():
    """What the backend executes, without the noise of a clock."""
    global profile
    if not instructions.available():
        report("instructions", None, None, "valgrind is not installed")
        return
    for count in instructions.measure(folder):
        report(f"instructions: {count.what}", count.watched / count.bare, count.target,
               f"{count.watched:.0f} over {count.bare:.0f} an event")
        if rows[-1]["met"] is False:
            profile += [(count.what, *f) for f in count.functions]


def unanalysed():
    """Plans must not depend on statistics that are not there yet: each step as it comes, over the same with all tables analysed
    before it.  What the tables hold is the same, so a plan that is worse shows however busy the machine is."""
    identities, steps = 20000, {}
    known = write("one-account", 0, identities, 1, first_day=20, cover=True)
    second = write("second-day", 0, identities, 1, first_day=36, cover=True)
    third = write("third-day", 0, identities, 1, first_day=37, cover=True)
    far = write("far-day", 0, 10, 1, first_day=300, cover=True)
    for _ in range(max(2, ROUNDS // 2)):
        for analysed in (True, False):
            fresh("CREATE TABLE more (n bigserial, event jsonb);")
            psql("DO $$BEGIN EXECUTE (SELECT string_agg(format('ALTER TABLE %s SET (autovacuum_enabled = off)', c.oid::regclass), ';')"
                 " FROM pg_class c WHERE relkind = 'r' AND relnamespace IN ('iamwatch'::regnamespace, 'iamwatch_internal'::regnamespace, 'public'::regnamespace)); END$$;"
                 f"\n\\copy bare FROM '{known}'\n\\copy more (event) FROM '{third}'\n")
            for what, step in (("backfill", "CALL iamwatch.backfill('bare');"),
                               ("20,000 events of a second day", f"\\copy watched FROM '{second}'"),
                               ("maintain", "CALL iamwatch.maintain();"),
                               ("process", "CALL iamwatch.process('more', 'event', 'n');"),
                               ("backfill again", "CALL iamwatch.backfill('watched');"),
                               ("dropping old days", f"\\copy watched FROM '{far}'\nCALL iamwatch.maintain();"),
                               ("report", "SELECT iamwatch.report();\n" * 5),
                               ("status", "SELECT * FROM iamwatch.status;\n" * 5)):
                t = timed("SET client_min_messages = error;\n\\o /dev/null\n" + ("ANALYZE;\n" if analysed else "")
                          + f"\\timing on\n{step}\n")
                steps.setdefault(what, {True: [], False: []})[analysed].append(min(t) if len(t) == 5 else sum(t))
    for what, times in steps.items():
        never, after = (statistics.median(times[analysed]) for analysed in (False, True))
        report(f"{what}, 20,000 identities of one account, never analysed, over analysed", never / after, 1.5,
               f"{never:.0f} ms", [a / b for a, b in zip(times[False], times[True])])


def held_account():
    """What a statement costs while another session writes its account, by the length of the journal."""
    fresh()
    known = write("held-known", 0, 400, 1, first_day=10, cover=True)
    psql(f"\\copy watched FROM '{known}'\nVACUUM ANALYZE;")
    first = write("held-first", 0, 1, 1, first_day=37, cover=True, iam=0)
    holder = subprocess.Popen(["psql", "-XAtq", "-d", "bench"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    holder.stdin.write(f"BEGIN;\n\\copy watched FROM '{first}'\nSELECT 'held';\n")
    holder.stdin.flush()
    holder.stdout.readline()
    rng, none, rows = random.Random(5), {}, 0
    for wanted in (0, 10000, 100000, 200000):
        if wanted > rows:
            path = os.path.join(folder, "held-journal")
            with open(path, "w") as out:
                for n in range(rows, wanted):
                    out.write(event(rng, f"other{n}", 38, n % 86400, 7 * 10**9 + n))
            psql(f"\\copy watched FROM '{path}'\nVACUUM ANALYZE iamwatch_internal.journal;")
            os.unlink(path)
            rows = wanted
        path = os.path.join(folder, "held.sql")
        with open(path, "w") as out:
            for n in range(40):
                for operation in (None, "DeleteRole") if n < 5 else (None,):
                    line = event(rng, f"user{n + wanted // 1000 % 300}", 39 + wanted % 7, n, wanted * 10 + n + (10**10 if operation else 0), operation)
                    out.write("INSERT INTO watched VALUES ($e$" + line.strip().replace("\\\\", "\\") + "$e$);\n")
        t = timed("SET synchronous_commit = off;\n\\timing on\n" + open(path).read())
        plain, alerts = t[10:], t[1:10:2]
        none.setdefault("first", statistics.median(plain))
        none.setdefault("alert", statistics.median(alerts))
        if wanted:
            report(f"an event while another session holds the account, {wanted} rows in the journal, over none",
                   statistics.median(plain) / none["first"], 1.5, f"{statistics.median(plain):.2f} ms")
            report(f"one that opens an alert, {wanted} rows in the journal, ms", statistics.median(alerts), None,
                   f"{none['alert']:.2f} with none; {psql('SELECT count(*) FROM iamwatch.alerts;').strip()} alerts so far")
    holder.stdin.write("ROLLBACK;\n")
    holder.stdin.close()
    holder.wait()


ALERTS = int(os.environ.get("BENCH_ALERTS", "1000000"))


def analyst():
    """What is asked of very many alerts, over one scan of them that looks at each."""
    fresh()
    psql(f"\\set alerts {ALERTS}\n\\i bench/alerts.sql\n")
    one = "(SELECT account FROM iamwatch.alerts ORDER BY alert_id DESC LIMIT 1)"
    account, identity = psql(f"SELECT account, identity FROM iamwatch.alerts WHERE account = {one} LIMIT 1;").strip().split("|")
    kept = psql("SELECT count(*) FROM iamwatch_internal.kept_incidents WHERE account = '%s';" % account).strip()
    scan = "SELECT count(evidence->>'event_ids') FROM iamwatch.alerts WHERE note IS NULL;\n"
    questions = (("work list", "SELECT * FROM iamwatch.incidents WHERE open_alerts > 0 ORDER BY risk DESC LIMIT 20", 0.2),
                 ("incidents of one identity", f"SELECT * FROM iamwatch.incidents WHERE identity = '{identity}'", 0.2),
                 ("incidents of one day", "SELECT * FROM iamwatch.incidents WHERE first_event_time >= '2026-06-01' AND first_event_time < '2026-06-02'", 0.2),
                 (f"incidents of one account ({kept})", f"SELECT * FROM iamwatch.incidents WHERE account = '{account}'", 0.2),
                 ("report()", "SELECT iamwatch.report()", 3))
    for what, question, most in questions:
        t = timed("SET max_parallel_workers_per_gather = 0;\n\\o /dev/null\n" + scan + question + ";\n\\timing on\n" + f"{scan}{question};\n" * 5)
        ratios = [b / a for a, b in zip(t[0::2], t[1::2])]
        report(f"{what}, {ALERTS} alerts, over a scan of them", statistics.median(ratios), most, f"{statistics.median(t[1::2]):.0f} ms", ratios)


def sweep():
    """Ten settings in one read of the table, over one setting."""
    fresh()
    path = write("sweep", EVENTS, 2000, 40)
    psql(f"\\copy bare FROM '{path}'\nVACUUM ANALYZE bare;")
    ten = ", ".join(f"'{{\"probability_limit\": {0.001 * (i + 1):.3f}}}'" for i in range(10))
    t = timed("SET client_min_messages = error;\n\\o /dev/null\n\\timing on\n" + (
        "SELECT * FROM iamwatch.backtest_summary('bare', ARRAY['{\"probability_limit\": 0.005}']::jsonb[]);\n"
        f"SELECT * FROM iamwatch.backtest_summary('bare', ARRAY[{ten}]::jsonb[]);\n") * 3)
    ratios = [b / a for a, b in zip(t[0::2], t[1::2])]
    report("backtest of ten settings over one", statistics.median(ratios), 1.3, f"{statistics.median(t[0::2]):.0f} ms for one", ratios)


def old_snapshot():
    """What counts all of a day is one row; how it goes while somebody's snapshot keeps its versions."""
    count, ratios, alone = 10000, [], []
    for _ in range(max(2, ROUNDS // 2)):
        times = {}
        for old in (False, True):
            fresh()
            psql(f"\\copy watched FROM '{write('hot', 0, 100, 1, first_day=39, cover=True, iam=0)}'\n")
            path = write("hot-row", 0, count, 1, first_day=40, cover=True, iam=0)
            psql(f"CREATE TABLE hot (n serial, event jsonb);\n\\copy hot (event) FROM '{path}'\n")
            reader = subprocess.Popen(["psql", "-XAtq", "-d", "bench"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            reader.stdin.write("BEGIN ISOLATION LEVEL REPEATABLE READ;\nSELECT count(*) FROM bare;\n" if old else "SELECT 1;\n")
            reader.stdin.flush()
            reader.stdout.readline()
            times[old] = timed("CREATE PROCEDURE one_by_one(since int, until int) LANGUAGE plpgsql AS $$BEGIN FOR i IN since..until LOOP"
                               " INSERT INTO watched SELECT event FROM hot WHERE n = i; COMMIT; END LOOP; END$$;"
                               "CREATE INDEX ON hot (n); ANALYZE hot;\n\\timing on\n"
                               f"CALL one_by_one(1, {count - 1000});\nCALL one_by_one({count - 999}, {count});\n")
            reader.stdin.close()
            reader.wait()
        ratios.append((sum(times[True]) / sum(times[False]), times[True][1] / times[False][1]))
        alone.append(sum(times[False]) / count)
    whole, last = zip(*ratios)
    report("10,000 first events of a day, each committed, under an old snapshot over without", statistics.median(whole), 2,
           f"{statistics.median(alone):.2f} ms each without; the last 1,000 of them {statistics.median(last):.2f}", whole)


def only(*parts):
    """BENCH_ONLY names the parts to run; how many seconds each took."""
    chosen = os.environ.get("BENCH_ONLY", "").split()
    unknown = set(chosen) - {part.__name__ for part, *_ in parts}
    if unknown:
        sys.exit(f"there is no part {', '.join(sorted(unknown))}; the parts are {', '.join(dict.fromkeys(part.__name__ for part, *_ in parts))}")
    seconds = {}
    for part, *arguments in parts:
        if not chosen or part.__name__ in chosen:
            began = time.monotonic()
            part(*arguments)
            seconds[part.__name__] = seconds.get(part.__name__, 0) + time.monotonic() - began
    return seconds


print(f"{'what':<70} {'measured':>12} {'target':>14}")
seconds = only((steady, 2000), (steady, 20000), (beside_readers,), (first_load,), (single_rows,), (against_plpgsql,), (history,), (sessions,), (unanalysed,),
     (held_account,), (scoring,), (old_snapshot,), (analyst,), (sweep,), (growth,), (bloat,), (no_work,), (count_instructions,))
print(", ".join(f"{name} {round(took)} s" for name, took in seconds.items()) + f"; {sum(seconds.values()) / 60:.1f} minutes in all")
results.keep(rows, profile, seconds, psql("SHOW server_version;", "postgres").split()[0], f"{EVENTS} events a COPY, {ROUNDS} rounds, fsync on")
