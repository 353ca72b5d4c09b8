"""The rows of make bench, in the order of docs/performance.md, and where each has to come to.

A ratio is of two that were measured in turns in one run, a count and a size
are exact, and milliseconds say something of one machine only.
"""
from collections import namedtuple

# The part measures it; at most or at least so much; profile: the workload of
# instructions.py that tells where the time of a row by the clock goes.
Row = namedtuple("Row", "key part what most least kind profile", defaults=(None, None, "ratio", None))

ROWS = [
    Row("steady-2000", "steady", "COPY, steady state, 1 % news, 2,000 identities, over a bare COPY", 1.04, profile="news"),
    Row("steady-20000", "steady", "COPY, steady state, 1 % news, 20,000 identities, over a bare COPY", 1.04, profile="news"),
    Row("steady-reader", "beside_readers", "COPY, steady state, beside a reader of alerts and baselines", 1.04, profile="news"),
    Row("news", "count_instructions", "instructions: COPY, steady state, 1 % news", 1.026, kind="instructions"),
    Row("quiet", "count_instructions", "instructions: COPY, steady state, no news", 1.02, kind="instructions"),
    Row("no-writes", "no_work", "rows written by 20,000 events that teach nothing", 0, kind="exact"),
    Row("real", "count_instructions", "instructions: real CloudTrail records repeated, warm", 1.02, kind="instructions"),
    Row("real-session", "count_instructions", "instructions: real CloudTrail records, a session for each COPY", 1.03, kind="instructions"),
    Row("session", "count_instructions", "instructions: generated events, a session for each COPY", 1.03, kind="instructions"),
    Row("mixed", "count_instructions", "instructions: AWS and GCP mixed row by row, warm", 1.025, kind="instructions"),
    Row("mixed-session", "count_instructions", "instructions: AWS and GCP mixed, a session for each COPY", 1.03, kind="instructions"),
    Row("first-load", "first_load", "COPY, first load into empty baselines, over a bare COPY", 1.20, profile="first"),
    Row("first", "count_instructions", "instructions: COPY, first load", 1.08, kind="instructions"),
    Row("single", "single_rows", "single-row INSERT, four clients, over a bare INSERT", 1.04, profile="quiet"),
    Row("connection", "single_rows", "single-row INSERT, a connection each, over a bare INSERT", 1.3, profile="connect"),
    Row("connection-preloaded", "single_rows", "the same with shared_preload_libraries", 1.3, profile="connect-preloaded"),
    Row("connection-c", "single_rows", "a trigger in C that does nothing, a connection each, over a bare INSERT"),
    Row("connection-plpgsql", "single_rows", "a trigger in PL/pgSQL that does nothing, a connection each, over a bare INSERT"),
    Row("connect", "count_instructions", "instructions: single-row INSERT, a connection each", kind="instructions"),
    Row("connect-preloaded", "count_instructions", "instructions: the same, with shared_preload_libraries", kind="instructions"),
    Row("plpgsql-row", "against_plpgsql", "the same detection in PL/pgSQL (row trigger) over ours", least=3, profile="quiet"),
    Row("plpgsql-statement", "against_plpgsql", "the same detection in PL/pgSQL (statement trigger) over ours", least=3, profile="quiet"),
    Row("alert", "scoring", "one INSERT that opens an alert, ms", 0.3, kind="ms"),
    Row("alert-statements", "scoring", "statements of one INSERT that opens an alert", 15, kind="exact"),
    Row("backfill", "history", "backfill over a sequential scan with one ->>", 1.3),
    Row("backfill-workers", "history", "backfill over the same scan with parallel workers", 1.5),
    Row("backfill-alone", "history", "backfill without parallel workers over a scan without", 1.3),
    Row("backfill-sessions", "sessions", "backfill by one session over the same by two", least=1.4),
    Row("group-by", "history", "plain SQL GROUP BY of the same baselines over ours", least=3),
    Row("new-terms", "history", "one run of a new-terms rule as scheduled SQL over a scan"),
    *(Row(f"unanalysed-{key}", "unanalysed", f"20,000 identities never analysed, over analysed: {what}", 1.5) for key, what in (
        ("backfill", "backfill"), ("day", "a second day"), ("maintain", "maintain"), ("process", "process"), ("again", "backfill again"),
        ("drop", "dropping old days"), ("report", "report"), ("status", "status"))),
    *(Row(f"held-{n}", "held_account", f"an event while another session holds the account, {n:,} rows in the journal over none", 1.5)
      for n in (6500, 200000)),
    Row("held-alert", "held_account", "one that opens an alert, 200,000 rows in the journal, ms", kind="ms"),
    *(Row(f"incidents-{key}", "analyst", f"{what}, over a scan of all alerts", 0.2) for key, what in (
        ("identity", "incidents of one identity"), ("day", "incidents of one day"), ("work-list", "the first 20 incidents by risk"),
        ("account", "incidents of one account"))),
    Row("report", "analyst", "report(), over a scan of all alerts", 3),
    *(Row(f"backtest-{n}", "sweep", f"backtest of {word} settings over one", 1.3) for n, word in ((5, "five"), (10, "ten"))),
    Row("backtest-alerts", "sessions", "backtest of ten settings over one, an organisation with thousands of alerts", 1.3),
    Row("backtest", "sweep", "backtest of one setting over a sequential scan with one ->>"),
    Row("old-snapshot", "old_snapshot", "10,000 first events of a day under an old snapshot, over without", 2),
    Row("peers", "scoring", "peers of one unusual event, 20,000 identities, ms", 0.2, kind="ms"),
    Row("risk", "scoring", "peers and risk of one unusual event, 20,000 identities, ms", 0.2, kind="ms"),
    Row("size-behaviour-45", "sizes", "bytes per identity and behaviour, 45 days", 150, kind="exact"),
    Row("size-behaviour-195", "sizes", "bytes per identity and behaviour, 195 days", 150, kind="exact"),
    Row("size-identity", "scoring", "bytes per identity, active on each of 41 days", 150, kind="exact"),
    Row("size-identity-45", "sizes", "bytes per identity, 45 days", kind="exact"),
    Row("size-identity-195", "sizes", "bytes per identity, 195 days", kind="exact"),
    Row("bloat", "bloat", "size of the baselines after 30 days over their packed size", 1.5),
    *(Row(f"growth-{n}", "growth", f"first event of a day of one of {n:,} identities, over one of 1,000", 1.5) for n in (10000, 50000, 200000)),
]
BY_KEY = {row.key: row for row in ROWS}


def target(row):
    return f"at most {row.most:g}" if row.most is not None else f"at least {row.least:g}" if row.least is not None else ""


def met(row, figure):
    """None where there is no target or no figure."""
    if figure is None or not target(row):
        return None
    return figure <= row.most if row.most is not None else figure >= row.least
