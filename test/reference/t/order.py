"""Loads in a wrong order, put right by backfill(): the alerts of the order of event time, row for row."""
import datetime as dt
import json
import os
import random
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
import generate
import reference
from harness import ROOT, Database, copy, difference, finish, ok

CATALOGUE = reference.Catalogue(os.path.join(ROOT, "data", "catalogue"))
database = Database("iamwatch_order")
psql = database.psql
INVENTORY = "".join(f"INSERT INTO iamwatch.instances VALUES ('{p}', 'any', '{i}', '{{{','.join(a)}}}', true);"
                    for p, i, a in generate.INSTANCES)


def fresh(settings="", watched=True):
    database.create()
    psql("CREATE EXTENSION iamwatch; CREATE TABLE log (event jsonb);"
         + ("SELECT iamwatch.watch('log');" if watched else "") + INVENTORY + settings)


def alerts(condition="true"):
    out = psql("SELECT json_agg(r) FROM (SELECT (SELECT json_agg(value ORDER BY n) FROM "
               f"json_each(row_to_json(a)) WITH ORDINALITY AS e (key, value, n)) AS r FROM ({reference.QUERY}"
               f" WHERE {condition}) AS a) AS x;")
    return reference.extension_rows(json.loads(out) if out.strip() else [])


def baselines():
    return sorted(psql("SELECT provider, account, identity, days FROM iamwatch.identities;"
                       "SELECT provider, account, identity, service, operation, failed, days FROM iamwatch.baselines;"
                       ).splitlines())


def evidence():
    """All that alerts say, but for their numbers, when they were detected, and the sample of contexts."""
    return sorted(psql("SELECT to_jsonb(a) - '{alert_id,incident_id,detected_at}'::text[] || jsonb_build_object('evidence',"
                       " a.evidence - 'context', 'events', (SELECT jsonb_agg(jsonb_build_array(x.event_time, x.event_id)"
                       " ORDER BY x.event_time, x.event_id COLLATE \"C\") FROM iamwatch.alert_events x"
                       " WHERE x.alert_id = a.alert_id)) FROM iamwatch.alerts a;").splitlines())


def everything():
    """A digest of all tables but of the progress of the backfill itself."""
    tables = psql("SELECT c.oid::regclass FROM pg_class c WHERE c.relkind = 'r' AND c.relnamespace IN"
                  " ('iamwatch'::regnamespace, 'iamwatch_internal'::regnamespace) AND c.relname NOT IN ('backfills', 'all_alerts')"
                  " ORDER BY 1::text;").split()
    return psql("".join(f"SELECT '{t}', count(*), md5(string_agg(t::text, chr(10) ORDER BY t::text)) FROM {t} AS t;"
                        for t in tables)).splitlines()


def expected(events):
    detector = reference.Detector(CATALOGUE, generate.INSTANCES)
    for e in events:
        detector.event(e)
    return detector.rows()


def by_day(events):
    """Files of a day each, in order."""
    files = {}
    for e in events:
        files.setdefault(reference.parse(e)["day"], []).append(e)
    return [files[day] for day in sorted(files)]


def count(table, condition="true"):
    return int(psql(f"SELECT count(*) FROM {table} WHERE {condition};"))


def load(files):
    for part in files:
        psql(copy(part))


BACKFILL = "CALL iamwatch.backfill('log');"

for seed in (1, 4):
    rng = random.Random(seed)
    events = generate.generate(seed, days=60, per_day=40)
    files = by_day(events)
    want = expected(events)
    fresh(watched=False)
    psql(copy(events) + BACKFILL)
    ok(len(want) > 20 and alerts() == want, f"seed {seed}: {len(want)} alerts, which a backfill raises")
    whole, days = evidence(), baselines()

    for name in ("reverse", "random", "twice", "half"):
        shuffled = rng.sample(files, len(files))
        twice = [e for e in events if e.get("eventID", e.get("insertId"))] if name == "twice" else []
        fresh()
        if name == "reverse":
            load(reversed(files))
        elif name == "random":
            load(shuffled)
        elif name == "twice":
            load(shuffled)
            load(rng.sample(by_day(twice), len(by_day(twice))))
        else:
            load(shuffled[::2])
            psql(BACKFILL)
            load(shuffled[1::2])
        wrong = alerts()
        ok(wrong != want, f"seed {seed}, {name}: the triggers raise others ({len([r for r in wrong if r not in want])} of {len(wrong)} are wrong)")
        known = set(psql("SELECT alert_id FROM iamwatch.alerts;").split())
        psql(BACKFILL)
        got = alerts()
        ok(got == want, f"seed {seed}, {name}: backfill() leaves those of the order of event time", difference(got, want))
        ok(evidence() == whole, f"seed {seed}, {name}: with all that they say", difference(evidence(), whole))
        ok(baselines() == days, f"seed {seed}, {name}: and its baselines", difference(baselines(), days))

        now = set(psql("SELECT alert_id FROM iamwatch.alerts;").split())
        gone = set(psql("SELECT alert_id FROM iamwatch_internal.withdrawn_alerts;").split())
        ok(known - now <= gone and not gone & now, f"seed {seed}, {name}: what is gone is kept as withdrawn ({len(gone)})")
        ok(count("iamwatch.alert_events", "alert_id NOT IN (SELECT alert_id FROM iamwatch.alerts)") == 0
           and count("iamwatch_internal.withdrawn_alerts", "cardinality(event_times) <> event_count") == 0,
           f"seed {seed}, {name}: and its events with it")
        before = everything()
        told = subprocess.run(["psql", "-qXAt", "-d", database.name, "-c", "LISTEN iamwatch_alert", "-c", BACKFILL, "-c", "SELECT 1"],
                              capture_output=True, text=True)
        ok(everything() == before, f"seed {seed}, {name}: a second backfill() changes nothing", difference(everything(), before))
        ok(told.returncode == 0 and "iamwatch_alert" not in told.stdout, f"seed {seed}, {name}: and notifies of nothing", told.stdout)

database.drop()
finish()
