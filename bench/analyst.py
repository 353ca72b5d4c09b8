"""Part of make bench: what is asked of very many alerts."""
import os
import statistics

import measure
from measure import fresh, median, psql, ratios, timed

ALERTS = int(os.environ.get("BENCH_ALERTS", "300000"))


def analyst():
    """Each question over one scan of the alerts that looks at each."""
    fresh()
    psql(f"\\set alerts {ALERTS}\n\\i bench/alerts.sql\n")
    account, identity = psql("SELECT account, identity FROM iamwatch.alerts ORDER BY alert_id DESC LIMIT 1;").strip().split("|")
    kept = psql(f"SELECT count(*), count(*) FILTER (WHERE account = '{account}') FROM iamwatch_internal.kept_incidents;").strip().split("|")
    scan = "SELECT count(evidence->>'event_ids') FROM iamwatch.alerts WHERE note IS NULL;\n"
    day = "SELECT * FROM iamwatch.incidents WHERE first_event_time >= '2026-06-01' AND first_event_time < '2026-06-02'"
    for key, question in (
            ("incidents-identity", f"SELECT * FROM iamwatch.incidents WHERE identity = '{identity}'"),
            ("incidents-day", day),
            ("incidents-work-list", "SELECT * FROM iamwatch.incidents WHERE open_alerts > 0 ORDER BY risk DESC LIMIT 20"),
            ("incidents-account", f"SELECT * FROM iamwatch.incidents WHERE account = '{account}'"),
            ("report", "SELECT iamwatch.report()")):
        if not measure.wanted(key):
            continue
        found = psql(f"SELECT count(*) FROM ({question}) AS x;").strip()
        t = timed("SET max_parallel_workers_per_gather = 0;\n\\o /dev/null\n" + scan + question + ";\n\\timing on\n" + f"{scan}{question};\n" * 5)
        median(key, ratios(t), f"{ALERTS} alerts of {kept[0]} incidents; {statistics.median(t[1::2]):.0f} ms for {found} rows", f"{question};")
