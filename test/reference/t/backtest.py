"""Settings that are tried: many in one call as one by one, row for row, and each as a backfill with it would have raised."""
import json
import os
import random
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
import generate
from harness import Database, copy, difference, finish, ok

SETTINGS = [{}, {"probability_limit": 0.005}, {"probability_limit": 0.06}, {"training_days": 10}, {"activation_days": 25},
            {"deduplication_days": 1, "daily_budget": 1}, {"deduplication_days": 0}, {"deduplication_days": 30},
            {"least_risk": 15, "daily_budget": 2}, {"least_sensitivity": 3}, {"memory_days": 20, "peer_memory_days": 12, "least_risk": 14},
            {"categories": ["credential", "permission"], "activation_days": 0}, {"probability_limit": 1, "activation_days": 0},
            {"probability_limit": 0}]
KEYS = "provider, account, identity, service, operation, failed, first_event_time"
ROWS = (f"{KEYS}, last_event_time, event_count, severity, variation, identity_kind, category, sensitivity, technique, k, active,"
        " peer_days, peer_active, probability, surprise, risk, risk_counts")
RAISED = (f"SELECT {KEYS}, last_event_time, event_count, severity, variation, identity_kind, category, sensitivity, technique,"
          " (evidence->>'k')::int, (evidence->>'A')::int, (evidence->>'K')::bigint, (evidence->>'N')::bigint, probability, surprise, risk,"
          " evidence->'risk' FROM {} ORDER BY 1, 2, 3, 4, 5, 6, 7;")


def tried(settings):
    listed = ", ".join(f"'{json.dumps(s)}'" for s in settings)
    return (f"ARRAY(SELECT iamwatch_internal.other_settings('unusual_iam_activity', x.s::jsonb)"
            f" FROM unnest(ARRAY[{listed}]) WITH ORDINALITY AS x (s, n) ORDER BY x.n)")


def alerts_of(settings):
    """The rows of each setting, of one call for all of them."""
    rows = [[] for _ in settings]
    for line in stored.psql(f"SELECT setting, {ROWS} FROM iamwatch_internal.backtest_alerts('log', {tried(settings)}, 'event')"
                            f" ORDER BY setting, {KEYS};").splitlines():
        setting, row = line.split("|", 1)
        rows[int(setting) - 1].append(row)
    return rows


def summaries(settings):
    listed = ", ".join(f"'{json.dumps(s)}'" for s in settings)
    return stored.psql(f"SELECT * FROM iamwatch.backtest_summary('log', ARRAY[{listed}]::jsonb[]);").splitlines()


stored = Database("iamwatch_backtest")
stored.create()
events = generate.generate(7, days=60, per_day=60)
rng = random.Random(7)
again = rng.sample([e for e in events if e.get("eventID", e.get("insertId"))], 400)    # delivered twice
some = events + again
rng.shuffle(some)
stored.psql("CREATE EXTENSION iamwatch; CREATE TABLE log (event jsonb);" + "".join(
    f"INSERT INTO iamwatch.instances VALUES ('{p}', 'any', '{i}', '{{{','.join(a)}}}', true);" for p, i, a in generate.INSTANCES) + copy(some))

together = alerts_of(SETTINGS)
ok(len({len(rows) for rows in together}) > 8 and not together[-1], "backtest: the settings that are tried raise different alerts",
   [len(rows) for rows in together])
for setting, rows in zip(SETTINGS, together):
    alone = alerts_of([setting])[0]
    ok(rows == alone, f"backtest: {setting} beside others raises what it does alone ({len(alone)} alerts)", difference(rows, alone))
backwards = alerts_of(SETTINGS[::-1])[::-1]
ok(backwards == together, "backtest: whatever the order of the settings")
all_numbers = summaries(SETTINGS)
ok(all_numbers == [summaries([s])[0] for s in SETTINGS], "backtest_summary(): the same numbers for several settings as for each")

for (setting, rows), numbers in zip(zip(SETTINGS, together), all_numbers):
    by_key = [set(tuple(row.split("|")[:7]) for row in r) for r in (rows, together[0])]
    counted = stored.psql("SELECT alerts, identities, coalesce((SELECT jsonb_object_agg(key, value) FROM jsonb_each(by_severity)), '{}'), new_alerts,"
                          f" vanished_alerts FROM iamwatch.backtest_summary('log', ARRAY['{json.dumps(setting)}']::jsonb[]);").strip()
    severities = {}
    for row in rows:
        severities[row.split("|")[9]] = severities.get(row.split("|")[9], 0) + 1
    alerts, identities, by_severity, fresh, gone = counted.split("|")
    ok((int(alerts), int(identities), json.loads(by_severity), int(fresh), int(gone)) ==
       (len(rows), len({tuple(row.split("|")[:3]) for row in rows}), severities,
        len(by_key[0] - by_key[1]), len(by_key[1] - by_key[0])), f"backtest_summary(): {setting} is counted as its rows are", counted)

# the same by a backfill that has the setting
database = Database("iamwatch_backtest_one")
for setting, rows in zip(SETTINGS, together):
    database.create("iamwatch_backtest")
    changes = ", ".join(f"{name} = '{{{','.join(value)}}}'" if isinstance(value, list) else f"{name} = {value}" for name, value in setting.items())
    database.psql((f"UPDATE iamwatch.detectors SET {changes};" if changes else "") + "CALL iamwatch.backfill('log');")
    raised = database.psql(RAISED.format("iamwatch.alerts")).splitlines()
    ok(raised == rows, f"backtest: {setting} raises what a backfill with it does", difference(rows, raised))
    incidents = database.psql("SELECT count(*), count(*) FILTER (WHERE urgent) FROM iamwatch.incidents;").strip()
    counted = database.psql("SELECT incidents, urgent_incidents FROM iamwatch.backtest_summary('log');").strip()
    ok(incidents == counted, f"backtest_summary(): {setting} has the incidents that are kept after it, as urgent", f"{counted} for {incidents}")

# suppressions and decisions are none of its business
who = together[0][0].split("|")[2]
database.create("iamwatch_backtest")
database.psql(f"INSERT INTO iamwatch.suppressions (reason, identity) VALUES ('known', '{who}'); CALL iamwatch.backfill('log');")
hidden = database.psql(f"SELECT count(*) FROM iamwatch_internal.suppressed_alerts WHERE identity = '{who}';").strip()
found = database.psql(RAISED.format("iamwatch_internal.all_alerts")).splitlines()
ok(int(hidden) > 0 and found == together[0], "backtest: knows no suppressions: what they hide is among its alerts", difference(found, together[0]))
database.drop()
stored.drop()
finish()
