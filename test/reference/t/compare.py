"""Alerts of the extension against those of the reference, row for row."""
import datetime as dt
import json
import os
import random
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
import generate
import reference
from harness import ROOT, Database, chunks, copy, difference, finish, ok

CATALOGUE = reference.Catalogue(os.path.join(ROOT, "data", "catalogue"))
database = Database("iamwatch_compare")
psql = database.psql


def fresh(settings="", watched=True):
    database.create()
    psql("CREATE EXTENSION iamwatch; CREATE TABLE log (event jsonb);"
         + ("SELECT iamwatch.watch('log');" if watched else "") + "".join(
             f"INSERT INTO iamwatch.instances VALUES ('{p}', 'any', '{i}', '{{{','.join(a)}}}', true);"
             for p, i, a in generate.INSTANCES) + settings)


def alerts():
    out = psql("SELECT json_agg(r) FROM (SELECT (SELECT json_agg(value ORDER BY n) FROM "
               f"json_each(row_to_json(a)) WITH ORDINALITY AS e (key, value, n)) AS r FROM ({reference.QUERY}) AS a) AS x;")
    return reference.extension_rows(json.loads(out) if out.strip() else [])


def baselines():
    return sorted(psql("SELECT provider, account, identity, days FROM iamwatch.identities;"
                       "SELECT provider, account, identity, service, operation, failed, days FROM iamwatch.baselines;"
                       ).splitlines())


def expected(events, **settings):
    detector = reference.Detector(CATALOGUE, generate.INSTANCES, **settings)
    for e in events:
        detector.event(e)
    return detector.rows()


for seed, largest in ((1, 1), (2, 40), (3, 100000)):
    rng = random.Random(seed)
    events = generate.generate(seed, days=60, per_day=50)
    want = expected(events)
    fresh()
    psql("".join(copy(part) for part in chunks(rng, events, largest)))
    got = alerts()
    ok(len(want) > 20, f"seed {seed}: {len(events)} events raise {len(want)} alerts in the reference")
    ok(got == want, f"seed {seed}: the same alerts, statements of up to {largest} events", difference(got, want))
    days = baselines()

    named = [e for e in events if e.get("eventID", e.get("insertId"))]
    psql(copy(rng.sample(named, 400)) + "".join(copy([e]) for e in rng.sample(named, 30)))
    ok(alerts() == got, f"seed {seed}: what is delivered again changes no alert", difference(alerts(), got))
    ok(baselines() == days, f"seed {seed}: what is delivered again changes no baseline")

    fresh()
    mixed = events[:]
    rng.shuffle(mixed)
    psql(copy(mixed))
    ok(alerts() == want, f"seed {seed}: one statement in any order raises the same alerts",
       difference(alerts(), want))
    ok(baselines() == days, f"seed {seed}: and learns the same baselines")

    fresh(watched=False)
    psql(copy(mixed) + "CALL iamwatch.backfill('log');")
    ok(alerts() == want, f"seed {seed}: backfill raises the same alerts", difference(alerts(), want))
    ok(baselines() == days, f"seed {seed}: and learns the same baselines", difference(baselines(), days))
    psql("CALL iamwatch.backfill('log');")
    ok(alerts() == want and baselines() == days, f"seed {seed}: running it twice changes nothing")

    got = json.loads(psql("SELECT coalesce(json_agg(json_build_array(provider, account, identity, service, operation,"
                          " failed, identity_kind, severity, variation, (extract(epoch FROM first_event_time) * 1000000)::bigint,"
                          " (extract(epoch FROM last_event_time) * 1000000)::bigint, event_count, k, active, peer_days,"
                          " peer_active, probability, surprise, (risk_counts->>'k')::int, (risk_counts->>'A')::int, (risk_counts->>'B')::int,"
                          " (risk_counts->>'K')::bigint, (risk_counts->>'N')::bigint, (risk_counts->>'P')::bigint, risk,"
                          " category, sensitivity, technique)), '[]')"
                          " FROM iamwatch.backtest('log');"))
    got = sorted((*r[:16], round(r[16], 12), round(r[17], 9), *r[18:24], round(r[24], 9), *r[25:]) for r in got)
    ok(got == [r[:-1] for r in want], f"seed {seed}: backtest with the same settings finds the same alerts",
       difference(got, [r[:-1] for r in want]))
    summary = psql("SELECT alerts, new_alerts, vanished_alerts FROM iamwatch.backtest_summary('log');").strip()
    ok(summary == f"{len(want)}|0|0", f"seed {seed}: and its summary none that are new or vanished", summary)
    limited = len(expected(events, limit=0.005))
    found = psql("SELECT alerts FROM iamwatch.backtest_summary('log', probability_limit => 0.005);").strip()
    ok(found == str(limited), f"seed {seed}: backtest with another limit finds what the reference does", found)

    fresh(watched=False)
    psql("ALTER TABLE log ADD id bigint GENERATED ALWAYS AS IDENTITY; CREATE VIEW shown AS SELECT id AS n, event FROM log;"
         + copy(events[:500]) + "CALL iamwatch.process('shown', order_column => 'n', batch_rows => 37);"
         + copy(events[500:]) + "CALL iamwatch.process('shown'); CALL iamwatch.process('shown');")
    ok(alerts() == want, f"seed {seed}: batches with a watermark raise the same alerts", difference(alerts(), want))
    ok(baselines() == days, f"seed {seed}: and learn the same baselines", difference(baselines(), days))

    fresh()
    psql("ALTER TABLE log DISABLE TRIGGER USER;" + copy(events[:len(events) // 2]) +
         "ALTER TABLE log ENABLE TRIGGER USER; CALL iamwatch.backfill('log');" +
         copy(events[len(events) // 2:]) + "CALL iamwatch.maintain();")
    ok(alerts() == want, f"seed {seed}: half by backfill, half by triggers", difference(alerts(), want))
    ok(baselines() == days, f"seed {seed}: and maintain() shows the same baselines", difference(baselines(), days))



def as_role(at, session, operation="CreateUser"):
    account = "111122223333"
    return {"eventTime": at, "eventSource": "iam.amazonaws.com", "eventName": operation, "eventID": at,
            "recipientAccountId": account, "userIdentity": {
                "type": "AssumedRole", "accountId": account,
                "arn": f"arn:aws:sts::{account}:assumed-role/etl/{session}"}}


facing = generate.INSTANCES[0][1]
quiet = [as_role(f"2026-01-{d:02}T12:00:00Z", "job", "ListUsers") for d in range(5, 25)]
for rule, events in (
        ("an event joins the alert that its role opened as another kind",
         quiet + [as_role("2026-01-25T08:00:00Z", "i-0aaaaaaa"), as_role("2026-01-27T08:00:00Z", "job")]),
        ("severity rises with what the role does as an instance that faces the Internet",
         quiet + [as_role("2026-01-25T08:00:00Z", "job"), as_role("2026-01-27T08:00:00Z", facing)]),
        ("what lies in the activation period joins no alert of later that day",
         quiet + [as_role(f"2026-01-19T{h}:00:00Z", "job") for h in (10, 13, 14)])):
    events.sort(key=lambda e: e["eventTime"])
    want = expected(events)
    fresh()
    psql("".join(copy([e]) for e in events))
    ok(len(want) == 1 and want[0][11] == 2 and alerts() == want, f"{rule}: row by row", difference(alerts(), want))
    psql(copy(events))
    ok(alerts() == want, f"{rule}: delivered again", difference(alerts(), want))
    fresh(watched=False)
    psql(copy(events) + "CALL iamwatch.backfill('log');")
    ok(alerts() == want, f"{rule}: in a backfill", difference(alerts(), want))
    psql("CALL iamwatch.backfill('log');")
    ok(alerts() == want, f"{rule}: in a second one", difference(alerts(), want))
    found = psql("SELECT event_count, severity FROM iamwatch.backtest('log');").strip()
    ok(found == f"{want[0][11]}|{want[0][7]}", f"{rule}: in a backtest", found)

# What the baselines say does not depend on the order in which they learned it, nor on upkeep: history as it
# comes, late by up to 195 days, then some days in order of event time
def leases(rng, days):
    """Names that are made for one day, two a day, each of which does one IAM operation, mostly one of three."""
    usual = ["CreateRole", "AttachUserPolicy", "PutGroupPolicy"]
    rare = ["DeactivateMFADevice", "UpdateLoginProfile", "DeleteRolePolicy", "CreatePolicyVersion", "DetachRolePolicy"]
    for day in range(days):
        for n in range(2):
            who = {"type": "IAMUser", "arn": f"arn:aws:iam::111111111111:user/lease-{day}-{n}", "accountId": "111111111111"}
            at = generate.START + dt.timedelta(days=day, seconds=rng.randrange(86400))
            yield {"userIdentity": who, "eventSource": "iam.amazonaws.com", "eventTime": at.strftime("%Y-%m-%dT%H:%M:%SZ"),
                   "eventName": rng.choice(usual * 6 + rare),
                   "recipientAccountId": "111111111111", "eventID": f"lease-{day}-{n}"}


def in_order(events):
    return sorted(events, key=lambda e: reference.parse(e)["time"])


TALLIES = "SELECT account_id, operation_id, is_user, day, identities, settled FROM iamwatch_internal.tallies ORDER BY 1, 2, 3, 4;"
for seed, settle in ((41, ""), (42, "CALL iamwatch.maintain();")):
    rng = random.Random(seed)
    events = in_order(generate.generate(seed, days=200, per_day=14) + list(leases(rng, 200)))
    edge = reference.parse(events[-1])["day"] - 20
    history = [e for e in events if reference.parse(e)["day"] < edge]
    detector = reference.Detector(CATALOGUE, generate.INSTANCES, limit=0)
    for e in history:
        detector.event(e)
    detector.limit = 0.02
    for e in events[len(history):]:
        detector.event(e)
    want = detector.rows()
    mixed = history[:]
    rng.shuffle(mixed)
    fresh("UPDATE iamwatch.detectors SET probability_limit = 0;")
    psql("".join(copy(part) + settle for part in chunks(rng, mixed, 150))
         + "UPDATE iamwatch.detectors SET probability_limit = 0.02;" + copy(events[len(history):]))
    ok(len(want) > 8, f"seed {seed}: the last days of {len(events)} events raise {len(want)} alerts in the reference")
    ok(alerts() == want, f"seed {seed}: history in any order of delivery{' and upkeep' if settle else ''} gives the same scores and risks",
       difference(alerts(), want))
    ok(len({a["newcomer"] for a in detector.alerts}) == 2, f"seed {seed}: some compare with all days of their peers, some do not")
    counted = psql(TALLIES)
    again = psql("SELECT iamwatch_internal.retally(account_id) FROM iamwatch_internal.accounts;" + TALLIES).lstrip("\n")
    ok(counted == again, f"seed {seed}: tallies follow from the days", difference(counted.splitlines(), again.splitlines()))

# half of what is learned waits in the journal, since another session is writing the same accounts
fresh("UPDATE iamwatch.detectors SET probability_limit = 0;")
psql(copy(mixed[::2]) + "UPDATE iamwatch.detectors SET probability_limit = 0.02;")
writer = subprocess.Popen(["psql", "-qXAt", "-d", database.name, "-f", "-"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
writer.stdin.write("BEGIN; SELECT count(iamwatch_internal.try_lock(1, iamwatch_internal.account_bucket(account))) FROM iamwatch.accounts;\n")
writer.stdin.flush()
writer.stdout.readline()
psql("UPDATE iamwatch.detectors SET probability_limit = 0;" + "".join(copy(part) for part in chunks(rng, mixed[1::2], 300))
     + "UPDATE iamwatch.detectors SET probability_limit = 0.02;" + copy(events[len(history):]))
ok(int(psql("SELECT count(*) FROM iamwatch_internal.journal;")) > 500 and alerts() == want,
   "what waits in the journal counts for scores and risks as if it were stored", difference(alerts(), want))
writer.stdin.close()
writer.wait()

# all of it does, and waits until a backfill
fresh("UPDATE iamwatch.detectors SET probability_limit = 0;")
psql("BEGIN ISOLATION LEVEL REPEATABLE READ;" + copy(mixed[::2]) + "COMMIT;" + "DO $$BEGIN ASSERT (SELECT count(*) FROM iamwatch_internal.journal) > 0; END$$;"
     + "BEGIN ISOLATION LEVEL REPEATABLE READ;" + copy(mixed[1::2]) + copy(events[len(history):]) + "COMMIT;")
waiting = alerts()
psql("UPDATE iamwatch.detectors SET probability_limit = 0.02; TRUNCATE iamwatch.alerts; CALL iamwatch.backfill('log');")
full = expected(events)
ok(waiting == [] and alerts() == full, "what waited in the journal counts for a backfill", difference(alerts(), full))

# maintain() at any time, with history long enough to be dropped
generate.START -= dt.timedelta(days=300)
events = in_order(generate.generate(21, days=450, per_day=7) + list(leases(random.Random(21), 450))[::7])
want = expected(events)
fresh()
psql("".join(copy(part) + "CALL iamwatch.maintain();" for part in chunks(random.Random(6), events, 60)))
ok(alerts() == want, f"maintain() never changes what is alerted ({len(want)} alerts)", difference(alerts(), want))
kept = psql("SELECT a.newest_day - min(t.day) FROM iamwatch_internal.tallies t JOIN iamwatch_internal.accounts a USING (account_id)"
            " GROUP BY a.account_id, a.newest_day;").split()
ok(all(int(n) <= 375 for n in kept), f"maintain() drops days past the kept history ({kept} days are left)")
days = baselines()
fresh()
psql("".join(copy(part) for part in chunks(random.Random(6), events, 600)))
ok(baselines() == days, "maintain() never changes what the views show", difference(baselines(), days))
fresh(watched=False)
psql(copy(events) + "CALL iamwatch.backfill('log'); CALL iamwatch.maintain(); CALL iamwatch.backfill('log');")
ok(alerts() == want, "backfill again after maintain() changes nothing", difference(alerts(), want))

# a part of history first, then all of it
fresh(watched=False)
psql(copy(events) + "SELECT pg_stat_force_next_flush();")
psql("CALL iamwatch.backfill('log', since => '2025-06-01', until => '2025-07-01');")
found = int(psql("SELECT rows_expected FROM iamwatch.backfill_progress;"))
ok(abs(found - len(events)) < len(events) / 10, f"backfill: progress knows of how many rows, of a table that was never analysed ({found})", len(events))
ok(psql("SELECT min(first_seen) >= '2025-06-01' AND max(last_seen) < '2025-07-01' FROM iamwatch.identities;").strip() == "t",
   "backfill: since and until are a range of event times")

# stopped half-way, at any time
fresh(watched=False)
psql(copy(events))
for delay in (0.02, 0.05, 0.1, 0.15, 0.2):
    subprocess.run(["psql", "-qX", "-d", database.name, "-c", f"SET statement_timeout = '{int(delay * 1000)}ms'",
                    "-c", "CALL iamwatch.backfill('log')"], capture_output=True)
psql("CALL iamwatch.backfill('log');")
ok(alerts() == want, "backfill: stopped five times and resumed, it doubles nothing", difference(alerts(), want))
ok(psql("SELECT phase, interrupted, rows_done FROM iamwatch.backfill_progress;").strip() == f"done|f|{len(events)}",
   "backfill: its progress can be read")

# beside ingest: nothing lost, nothing doubled, whoever came first
half = len(events) // 2
fresh()
psql("ALTER TABLE log DISABLE TRIGGER USER;" + copy(events[:half]) + "ALTER TABLE log ENABLE TRIGGER USER;")
others = [subprocess.Popen(["psql", "-qX", "-v", "ON_ERROR_STOP=1", "-d", database.name, "-f", "-"], stdin=subprocess.PIPE, text=True,
                           stderr=subprocess.DEVNULL) for _ in range(3)]
for n, other in enumerate(others):
    other.stdin.write("".join(copy([e]) for e in events[half:][n::3]) if n < 2 else
                      "CALL iamwatch.backfill('log'); CALL iamwatch.maintain(); CALL iamwatch.backfill('log');")
    other.stdin.close()
for e in (copy([x]) for x in events[half:][2::3]):
    psql(e)
ok(all(other.wait() == 0 for other in others), "backfill beside ingest: nobody fails")
psql("CALL iamwatch.backfill('log'); CALL iamwatch.maintain();")
ok(baselines() == days, "backfill beside ingest: the baselines of all events", difference(baselines(), days))
ok(psql("SELECT count(*) FROM iamwatch.alerts a JOIN iamwatch.alerts b ON a.alert_id < b.alert_id AND (a.provider, a.account, a.identity,"
        " a.service, a.operation, a.failed) = (b.provider, b.account, b.identity, b.service, b.operation, b.failed)"
        " AND abs(extract(epoch FROM a.first_event_time - b.first_event_time)) < 5 * 86400;").strip() == "0",
   "backfill beside ingest: no two alerts of a behaviour within the deduplication period")
ok(psql("SELECT count(*) FROM (SELECT alert_id FROM iamwatch.alerts a LEFT JOIN iamwatch.alert_events e USING (alert_id)"
        " GROUP BY alert_id, a.event_count HAVING count(*) <> a.event_count) x;").strip() == "0",
   "backfill beside ingest: every alert counts its events")

# in parallel
fresh()
psql("INSERT INTO log SELECT jsonb_build_object('n', n) FROM generate_series(1, 30000) n;")
plan = psql("SET min_parallel_table_scan_size = 0; SET parallel_setup_cost = 0; EXPLAIN SELECT (m).key,"
            " iamwatch.dayset_agg((m).at), min((m).at), count(*) FROM (SELECT iamwatch_internal.baseline_key(event) AS m FROM log) AS marks"
            " GROUP BY (m).key;")
ok("Partial HashAggregate" in plan and "Parallel Seq Scan" in plan, "backfill: the aggregate runs in parallel workers", plan)

for name, column, value in (("training", "training_days", 10), ("activation", "activation_days", 30),
                            ("deduplication", "deduplication_days", 2), ("limit", "probability_limit", 0.05),
                            ("memory", "memory_days", 20), ("peer_memory", "peer_memory_days", 12), ("least_risk", "least_risk", 16)):
    events = generate.generate(11, days=45, per_day=40)
    want = expected(events, **{name: value})
    fresh(f"UPDATE iamwatch.detectors SET {column} = {value};")
    psql("".join(copy(part) for part in chunks(random.Random(5), events, 30)))
    ok(alerts() == want, f"the setting {column} holds ({len(want)} alerts)", difference(alerts(), want))
    named = [e for e in events if e.get("eventID", e.get("insertId"))]
    psql(copy(random.Random(8).sample(named, 300)) + "CALL iamwatch.backfill('log');")
    ok(alerts() == want, f"the setting {column}: and re-delivery and backfill change nothing", difference(alerts(), want))
    found = psql("SELECT count(*), sum(event_count), round(sum(risk)::numeric, 6) FROM iamwatch.backtest('log');").strip()
    ok(found == psql("SELECT count(*), sum(event_count), round(sum(risk)::numeric, 6) FROM iamwatch.alerts;").strip(),
       f"the setting {column}: backtest finds the same", found)

database.drop()
finish()
