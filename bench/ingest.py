"""Parts of make bench: what it costs to store an event."""
import os
import random
import re
import statistics
import subprocess

from instructions import as_server
from measure import EVENTS, ROUNDS, Failed, fresh, in_turns, median, pair, path, psql, report, timed, wanted, write
from workload import event


def warm(known):
    """Both tables know it, and so does the session: it learns it by the first and remembers it by the second."""
    return "".join(f"\\copy {table} FROM '{known}'\n" for table in ("watched", "watched", "bare")) + "TRUNCATE bare, watched;\n"


def steady():
    for identities in (2000, 20000):
        if not wanted(f"steady-{identities}"):
            continue
        fresh()
        known = write("known", EVENTS // 10, identities, 1, first_day=40, cover=True)
        script = warm(known)
        rounds = 6 * ROUNDS         # short pairs: what else the machine does falls on both
        for i in range(rounds):
            script += pair(i, write(f"steady{i}", EVENTS // 4, identities, 1, first_day=40, news=0.01, seed=100 + i))
        in_turns(f"steady-{identities}", timed(script))
        for i in range(rounds):
            os.unlink(path(f"steady{i}"))


def beside_readers():
    """The steady state while an analyst asks one question after the other."""
    fresh()
    known = write("known", EVENTS // 10, 2000, 1, first_day=40, cover=True)
    psql(f"\\copy watched FROM '{write('month', EVENTS // 2, 2000, 30)}'\n\\copy watched FROM '{known}'\nVACUUM ANALYZE;")
    with open(path("reader.pgbench"), "w") as out:
        out.write("\\set n random(0, 199)\n"
                  "SELECT * FROM iamwatch.alerts ORDER BY detected_at DESC LIMIT 50;\n"
                  "SELECT service, operation, failed, days FROM iamwatch.baselines"
                  " WHERE identity = 'arn:aws:iam::123837392027:user/user' || :n * 10;\n"
                  "SELECT days FROM iamwatch.identities WHERE identity = 'arn:aws:iam::123837392027:user/user' || :n * 10;\n")
    script = warm(known)
    for i in range(2 * ROUNDS):
        script += pair(i, write(f"read{i}", EVENTS // 2, 2000, 1, first_day=40, news=0.01, seed=300 + i))
    reader = subprocess.Popen(["pgbench", "-n", "-c", "1", "-T", "600", "-f", path("reader.pgbench"), "bench"],
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        values = timed(script)
        if reader.poll() is not None:
            raise Failed("the reader has ended before what it was to disturb")
    finally:
        reader.terminate()
        reader.wait()
    in_turns("steady-reader", values)
    for i in range(2 * ROUNDS):
        os.unlink(path(f"read{i}"))


def first_load():
    events = write("first", EVENTS, 2000, 2)
    values = []
    for i in range(ROUNDS + 1):
        fresh()
        values += timed(pair(i, events))
    in_turns("first-load", values)


def pgbench(scripts, *options):
    """Mean latency of each script, run in turns by the same clients at random; without the time to connect."""
    arguments = []
    for name, script in scripts.items():
        with open(path(f"{name}.pgbench"), "w") as out:
            out.write(script)
        arguments += ["-f", path(f"{name}.pgbench")]
    done = subprocess.run(["pgbench", "-n", "-r", "-M", "prepared", *options, *arguments, "bench"], capture_output=True, text=True)
    if done.returncode:
        raise Failed(done.stderr.strip())
    each = re.findall(r"^SQL script \d+:.*?latency average = ([\d.]+) ms", done.stdout, re.M | re.S)
    return dict(zip(scripts, map(float, each)))


# Tables beside the bare one, each with a trigger FOR EACH ROW.
WHEN_FALSE, IN_C, IN_PLPGSQL = "never", "empty_c", "empty_plpgsql"


def single_rows():
    fresh("ALTER TABLE bare SET LOGGED; ALTER TABLE watched SET LOGGED; CREATE TABLE pool (id int PRIMARY KEY, event jsonb);")
    pool = write("pool", 20000, 2000, 1, first_day=40, cover=True)
    psql(f"CREATE TEMP TABLE p (event jsonb);\n\\copy p FROM '{pool}'\n"
         "INSERT INTO pool SELECT row_number() OVER (), event FROM p; INSERT INTO watched SELECT event FROM pool; VACUUM ANALYZE;"
         "CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';"
         f"CREATE TABLE {WHEN_FALSE} (event jsonb); CREATE TABLE {IN_PLPGSQL} (event jsonb);"
         f"CREATE TRIGGER nothing AFTER INSERT ON {WHEN_FALSE} FOR EACH ROW WHEN (NEW.event IS NULL) EXECUTE FUNCTION nothing();"
         f"CREATE TRIGGER nothing AFTER INSERT ON {IN_PLPGSQL} FOR EACH ROW EXECUTE FUNCTION nothing();")
    seconds = int(os.environ.get("BENCH_SECONDS", "20"))    # the first are those of cold backends
    over_bare({"single": "watched"}, "-c", "4", "-j", "2", "-T", str(seconds))
    connecting = ("-C", "-c", "1", "-T", str(seconds // 2 + 1))
    in_c = {"connection-c": IN_C} if trigger_in_c() else {}
    over_bare({"connection": "watched", **in_c, "connection-plpgsql": IN_PLPGSQL}, *connecting)
    if not in_c:
        report("connection-c", None, "contrib's extension lo, which has such a trigger, is not installed")
    if wanted("connection-preloaded"):
        restart("ALTER SYSTEM SET shared_preload_libraries = 'iamwatch';")
        try:
            over_bare({"connection-preloaded": "watched"}, *connecting)
        finally:
            restart("ALTER SYSTEM RESET shared_preload_libraries;")


def trigger_in_c():
    """A table with a trigger that does nothing, of a library in C: lo_manage() of contrib looks up the column, and at an INSERT
    that is all.  False where contrib is not installed."""
    if psql("SELECT count(*) FROM pg_available_extensions WHERE name = 'lo';").strip() == "0":
        return False
    psql(f"CREATE EXTENSION lo; CREATE TABLE {IN_C} (event jsonb);"
         f"CREATE TRIGGER nothing AFTER INSERT ON {IN_C} FOR EACH ROW EXECUTE FUNCTION lo_manage(event);")
    return True


def over_bare(tables, *options):
    """Rows and their tables: the INSERT into that over the one into the bare table, all of them by turns."""
    each = ("bare", WHEN_FALSE, *tables.values())
    scripts = {table: f"\\set id random(1, 22000)\nINSERT INTO {table} SELECT event FROM pool WHERE id = :id;\n" for table in each}
    rounds = []
    for _ in range(ROUNDS if wanted(*tables) else 0):
        t = pgbench(scripts, *options)
        rounds.append({table: t[table] / t["bare"] for table in each})
        psql(f"TRUNCATE {', '.join(each)};")
    for key, table in tables.items() if rounds else ():
        detail = f"; {statistics.median(r[WHEN_FALSE] for r in rounds):.3f} with a trigger whose WHEN is always false" if table == "watched" else ""
        median(key, [r[table] for r in rounds], "the tables by turns" + detail)


def restart(setting):
    """The server, for a setting, with the pool in memory as before."""
    data = os.path.join(os.environ["IAMWATCH_BASE"], "data")
    psql(setting)
    as_server("pg_ctl", "-D", data, "-l", os.path.join(data, "log"), "-w", "-m", "fast", "restart", cwd="/")
    psql("SELECT count(*) FROM pool WHERE event IS NOT NULL;")


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
        raise Failed(f"the peer in PL/pgSQL reads {other} real events otherwise")


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
    triggers = {"row": "FOR EACH ROW EXECUTE FUNCTION pl_observe()",
                "statement": "REFERENCING NEW TABLE AS stored FOR EACH STATEMENT EXECUTE FUNCTION pl_observe_statement()"}
    for level, trigger in triggers.items():
        over, bare = [], []
        for i in range(max(3, ROUNDS - 2) if wanted(f"plpgsql-{level}") else 0):
            fresh(f"CREATE UNLOGGED TABLE pl (event jsonb); \\i bench/plpgsql.sql\nCREATE TRIGGER observe AFTER INSERT ON pl {trigger};")
            first = "".join(f"\\copy {table} FROM '{events}'\n" for events in (history, quiet) for table in ("bare", "watched", "pl"))
            # vacuum has sessions forget what they know; a small load is enough to have them know it
            again = "".join(f"\\copy {table} FROM '{quiet}'\n" for table in ("bare", "watched", "pl"))
            order = ("bare", "watched", "pl") if i % 2 == 0 else ("pl", "watched", "bare")
            t = dict(zip(order, timed(f"{first}VACUUM ANALYZE;\n{again}\\timing on\n" + "".join(
                f"\\copy {table} FROM '{day}'\n" for table in order))))
            over.append(t["pl"] / t["watched"])
            bare.append((t["watched"] / t["bare"], t["pl"] / t["bare"]))
            columns = "identity, operation, first_event_time, event_count, round(probability::numeric, 12)"
            differ, ours, theirs = psql(f"SELECT count(*) FROM (SELECT {columns} FROM iamwatch.alerts EXCEPT ALL SELECT {columns} FROM pl_alerts) x;"
                                        "SELECT count(*) FROM iamwatch.alerts; SELECT count(*) FROM pl_alerts;").split()
            if (differ, ours) != ("0", theirs):
                raise Failed(f"the peer in PL/pgSQL ({level} trigger) raises other alerts: {theirs} and {ours} here, {differ} of these otherwise")
        if over:
            ours_bare, pl_bare = (statistics.median(x) for x in zip(*bare))
            median(f"plpgsql-{level}", over, f"{pl_bare:.2f} and {ours_bare:.2f} over bare COPY; the same {ours} alerts")


def no_work():
    """Steady state writes nothing: by the server's own counters."""
    fresh()
    events = write("quiet", 20000, 500, 1, first_day=40)
    query = ("SELECT coalesce(sum(n_tup_ins + n_tup_upd + n_tup_del), 0) FROM pg_stat_user_tables WHERE schemaname IN ('iamwatch', 'iamwatch_internal');")
    first, both = map(int, psql(f"\\copy watched FROM '{events}'\nSELECT pg_stat_force_next_flush();\n{query}\n"
                                f"\\copy watched FROM '{events}'\nSELECT pg_stat_force_next_flush();\n{query}\n").split())
    report("no-writes", both - first, f"{first} by the first load")
