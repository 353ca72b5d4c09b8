"""Parts of make bench: what reads stored events, a backfill and a backtest."""
import os
import statistics
import subprocess
import time

import measure
import rows
from measure import EVENTS, ROUNDS, Failed, fresh, median, path, psql, ratios, timed, write

SCAN = "SELECT count(event->>'eventName') FROM bare;\n"
SERIAL = "SET max_parallel_workers_per_gather = 0;\n"
PARALLEL = "RESET max_parallel_workers_per_gather;\n"
loaded = None           # the file that the table bare holds


def stored():
    """Ten times as many events as a COPY has, in the table bare, once for all parts here."""
    global loaded
    many = write("many", EVENTS, 2000, 40) if loaded is None else loaded
    try:
        there = loaded is not None and psql("SELECT count(*) FROM bare;").strip() == str(10 * EVENTS)
    except Failed:
        there = False
    if not there:
        fresh()
        psql(f"\\copy bare FROM '{many}'\n" * 10 + "VACUUM ANALYZE bare;")
    loaded = many


def anew():
    """Nothing learned; the table bare stays."""
    psql("SET client_min_messages = error; DROP EXTENSION iamwatch CASCADE; CREATE EXTENSION iamwatch;")


def phases(call, before):
    """How long each phase of a backfill takes, by looking every twentieth of a second."""
    anew()
    backfill = subprocess.Popen(["psql", "-qX", "-d", "bench", "-c", before, "-c", call], stderr=subprocess.DEVNULL)
    seen = {}
    while backfill.poll() is None:
        phase = psql("SELECT phase FROM iamwatch.backfill_progress;").strip()
        if phase:
            seen[phase] = seen.get(phase, 0) + 1
        time.sleep(0.05)
    return [(phase, 100 * n / sum(seen.values())) for phase, n in seen.items()]


def history():
    stored()
    aggregate = ("SELECT count(*) FROM (SELECT (m).key, iamwatch.dayset_agg((m).at) FROM (SELECT iamwatch_internal.baseline_key(event) AS m"
                 " FROM bare) AS x GROUP BY 1) AS y;\n")
    group_by = ("SELECT count(*) FROM (SELECT event->>'recipientAccountId', event->'userIdentity'->>'arn', event->>'eventSource',"
                " event->>'eventName', event ? 'errorCode', (event->>'eventTime')::timestamptz::date FROM bare"
                " GROUP BY 1, 2, 3, 4, 5, 6) AS y;\n")
    backfill = "CALL iamwatch.backfill('bare');\n"
    quiet = "SET client_min_messages = error; SET jit = off;\n"
    over, workers, alone, plain = [], [], [], []
    for _ in range(ROUNDS):
        anew()
        scan, scan_workers, filled = timed(f"{quiet}{SERIAL}\\timing on\n{SCAN}\\timing off\n{PARALLEL}\\timing on\n{SCAN}{backfill}")
        over.append(filled / scan)
        workers.append(filled / scan_workers)
        anew()
        alone += ratios(timed(f"{quiet}{SERIAL}\\timing on\n{SCAN}{backfill}"))
        plain += ratios(timed(f"{quiet}\\timing on\n{aggregate}{group_by}"))
    median("backfill", over, f"{10 * EVENTS} events; the scan is of one process")
    median("backfill-workers", workers, f"{scan_workers:.0f} ms the scan in the last round")
    median("backfill-alone", alone, "both in one process")
    for key, before in (("backfill", PARALLEL), ("backfill-workers", PARALLEL), ("backfill-alone", SERIAL)):
        if measure.reported.get(key, {}).get("met") is False:
            measure.profiles += [(rows.BY_KEY[key].what, f"phase: {phase}", share, "% of the time") for phase, share in phases(backfill, before)]
    median("group-by", plain, "both free to use parallel workers")
    new_terms = ("SELECT count(*) FROM (SELECT event->'userIdentity'->>'arn' AS who, event->>'eventName' AS what,"
                 " min((event->>'eventTime')::timestamptz) AS first FROM bare WHERE (event->>'eventTime')::timestamptz >= '2026-01-27'"
                 " GROUP BY 1, 2 HAVING min((event->>'eventTime')::timestamptz) >= '2026-02-09') AS x;\n")
    median("new-terms", ratios(timed(f"SET jit = off;\n\\timing on\n{SCAN}{new_terms}")), "each run of it; triggers do their work once an event")


def backtest(count):
    """Of so many settings, in one read of the table."""
    limits = [0.001 * (i + 1) for i in range(count)] if count > 1 else [0.005]
    settings = ", ".join(f"'{{\"probability_limit\": {limit:.3f}}}'" for limit in limits)
    return f"SELECT * FROM iamwatch.backtest_summary('bare', ARRAY[{settings}]::jsonb[]);\n"


def sweep():
    """Five and ten settings over one."""
    stored()
    times = [timed(f"SET client_min_messages = error; SET jit = off;\n\\o /dev/null\n\\timing on\n{SCAN}{backtest(1)}{backtest(5)}{backtest(10)}")
             for _ in range(max(2, ROUNDS // 2))]
    seconds = statistics.median(one for _, one, _, _ in times) / 1000
    median("backtest", [one / scan for scan, one, _, _ in times],
           f"{10 * EVENTS} events in {seconds:.1f} s")
    median("backtest-5", [five / one for _, one, five, _ in times], "one read of the table", backtest(5))
    median("backtest-10", [ten / one for _, one, _, ten in times], "one read of the table", backtest(10))


def sessions():
    """An organisation with thousands of alerts, by one session, and by two that share the steps of it; and settings tried on it."""
    organisation = path("organisation")
    subprocess.run(["bench/detection/generate.py", "midsize", "1", organisation], check=True, capture_output=True)
    with open(os.path.join(organisation, "events.ndjson")) as lines, open(path("organisation.copy"), "w") as out:
        out.writelines(line.replace("\\", "\\\\") for line in lines)
    times = {0: [], 1: []}
    for i in range(max(3, ROUNDS // 2)):
        for helpers in (0, 1) if i % 2 == 0 else (1, 0):
            fresh(f"\n\\copy bare FROM '{path('organisation.copy')}'\nVACUUM ANALYZE bare;")
            others = [subprocess.Popen(["psql", "-qX", "-d", "bench", "-c", "CALL iamwatch.backfill_work('bare', patience => '1 minute')"],
                                       stderr=subprocess.DEVNULL) for _ in range(helpers)]
            times[helpers] += timed("SET client_min_messages = error;\n\\timing on\nCALL iamwatch.backfill('bare');\n")
            for other in others:
                other.wait()
    alerts = psql("SELECT count(*) FROM iamwatch.alerts;").strip()
    median("backfill-sessions", [alone / helped for alone, helped in zip(times[0], times[1])],
           f"{alerts} alerts; {statistics.median(times[0]):.0f} ms by one")
    t = timed("SET client_min_messages = error;\n\\o /dev/null\n\\timing on\n" + (backtest(1) + backtest(10)) * max(3, ROUNDS // 2))
    median("backtest-alerts", ratios(t), f"{statistics.median(t[0::2]):.0f} ms for one", backtest(10))
