"""Loads in a wrong order, put right by backfill(): the alerts of the order of event time, row for row."""
import json
import os
import random
import re
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


def incidents():
    return sorted(psql("SELECT provider, account, identity, round(risk::numeric, 9), severity, urgent, status, first_event_time,"
                       " last_event_time, alerts, events, operations, (SELECT count(*) FROM iamwatch.alerts a"
                       " WHERE a.incident_id = i.incident_id) FROM iamwatch.incidents i;").splitlines())


def everything():
    """A digest of all tables but of the progress of the backfill itself."""
    tables = psql("SELECT c.oid::regclass FROM pg_class c WHERE c.relkind = 'r' AND c.relnamespace IN"
                  " ('iamwatch'::regnamespace, 'iamwatch_internal'::regnamespace) AND c.relname NOT IN ('backfills', 'all_alerts',"
                  " 'kept_links', 'links_done')"    # which links are rows already depends on who else is at work
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
COUNTED_OTHERWISE = (
    "(SELECT scope, sum(taken) AS n FROM iamwatch_internal.limit_counts WHERE name = 'alerts' GROUP BY 1 HAVING sum(taken) > 0) AS c"
    " FULL JOIN (SELECT provider || '/' || account AS scope, count(*) AS n FROM iamwatch_internal.all_alerts GROUP BY 1) AS a USING (scope)")


def backfill_heard():
    """The alerts of which a backfill notifies."""
    done = subprocess.run(["psql", "-qXAt", "-d", database.name, "-c", "LISTEN iamwatch_alert", "-c", BACKFILL, "-c", "SELECT 1"],
                          capture_output=True, text=True, check=True)
    return set(re.findall(r'"alert_id": (\d+)', done.stdout))


for seed, orders in ((1, ("reverse", "random", "twice", "half")), (4, ("random",))):
    rng = random.Random(seed)
    events = generate.generate(seed, days=60, per_day=40)
    files = by_day(events)
    want = expected(events)
    fresh(watched=False)
    psql(copy(events) + BACKFILL)
    ok(len(want) > 20 and alerts() == want, f"seed {seed}: {len(want)} alerts, which a backfill raises")
    whole, days, together = evidence(), baselines(), incidents()

    for name in orders:
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
        severities = "SELECT alert_id, iamwatch_internal.severity_rank(severity) FROM iamwatch.alerts;"
        was = dict(line.split("|") for line in psql(severities).split())
        known = set(was)
        told = backfill_heard()
        got = alerts()
        ok(got == want, f"seed {seed}, {name}: backfill() leaves those of the order of event time", difference(got, want))
        ok(evidence() == whole, f"seed {seed}, {name}: with all that they say", difference(evidence(), whole))
        ok(baselines() == days, f"seed {seed}, {name}: and its baselines", difference(baselines(), days))
        ok(incidents() == together, f"seed {seed}, {name}: and its incidents", difference(incidents(), together))

        becomes = dict(line.split("|") for line in psql(severities).split())
        now = set(becomes)
        news = {n for n in becomes if n not in was or becomes[n] > was[n]}
        ok(told == news, f"seed {seed}, {name}: it notifies of those that are new or more severe ({len(news)})", told ^ news)
        ok(count(COUNTED_OTHERWISE, "c.n IS DISTINCT FROM a.n") == 0, f"seed {seed}, {name}: they are what counts toward the limit of their account")
        gone = set(psql("SELECT alert_id FROM iamwatch_internal.withdrawn_alerts;").split())
        ok(known - now <= gone and not gone & now, f"seed {seed}, {name}: what is gone is kept as withdrawn ({len(gone)})")
        ok(count("iamwatch.alert_events", "alert_id NOT IN (SELECT alert_id FROM iamwatch.alerts)") == 0
           and count("iamwatch_internal.withdrawn_alerts", "cardinality(event_times) <> event_count") == 0,
           f"seed {seed}, {name}: and its events with it")
        before = everything()
        told = backfill_heard()
        ok(everything() == before, f"seed {seed}, {name}: a second backfill() changes nothing", difference(everything(), before))
        ok(not told, f"seed {seed}, {name}: and notifies of nothing", told)


# One statement of half a year, shuffled, in little memory
events = generate.generate(7, days=180, per_day=30)
want = expected(events)
for memory in ("", "SET work_mem = '64kB'; SET hash_mem_multiplier = 1;"):
    fresh()
    psql(memory + copy(random.Random(7).sample(events, len(events))))
    ok(alerts() == want, f"{len(events)} shuffled events of 180 days in one COPY{', spilling to disk,' if memory else ''} raise"
       f" the {len(want)} alerts of the order of event time", difference(alerts(), want))
whole = evidence()
before = everything()
psql(BACKFILL)
ok(evidence() == whole and count("iamwatch_internal.withdrawn_alerts") == 0, "backfill() finds nothing to put right in them",
   difference(evidence(), whole))

# What is late by the time that it comes: one WARNING a statement, and backfill() takes it
files = by_day(generate.generate(8, days=230, per_day=4, identities=8))
events = [e for part in files for e in part]
newest = {}
for e in (reference.parse(e) for part in files[-10:] for e in part):
    newest[e["provider"], e["account"]] = max(newest.get((e["provider"], e["account"]), 0), e["day"])
late = [e for e in (reference.parse(e) for part in files[:-10] for e in part)
        if e["day"] < newest.get((e["provider"], e["account"]), 0) - 195]
want = expected(events)
fresh()
load(files[-10:])
done = database.run("SET work_mem = '64kB'; SET hash_mem_multiplier = 1;" + copy([e for part in files[:-10] for e in part]))
ok(done.stderr.count("WARNING") == 1 and f"{len(late)} events were further back" in done.stderr and "iamwatch.backfill" in done.stderr,
   f"{len(late)} events that came 195 days too late are told in one warning, with what to do", done.stderr)
ok(count("iamwatch.identities", "iamwatch.first_day(days) < date '2026-01-05' + 20") == 0, "and are not learned")
done = database.run(copy([e for part in files[-30:] for e in part if e.get("eventID", e.get("insertId"))]))
ok("WARNING" not in done.stderr, "a statement without such events warns of nothing", done.stderr)
psql(BACKFILL)
ok(alerts() == want, "backfill() compares them too", difference(alerts(), want))
ok(int(psql("SELECT sum(late_events) FROM iamwatch.accounts;")) == len(late), "what was late stays counted as what it was")

# Triage in between
events = generate.generate(4, days=60, per_day=40)
want = expected(events)
fresh()
load(random.Random(4).sample(by_day(events), len(by_day(events))))
decisions = ("status => 'investigating'", "assignee => 'ann'", "note => 'seen'", "resolution => 'benign'", "assignee => 'bob'")
worked = psql("SELECT alert_id FROM iamwatch.alerts ORDER BY md5(alert_id::text) LIMIT 15;").split()
psql("".join(f"SELECT iamwatch.triage({a}, {decisions[n % 5]});" for n, a in enumerate(worked))
     + f"SELECT iamwatch.triage({worked[4]}, assignee => '');")
ids = ", ".join(worked)
FACTS = (f"SELECT to_jsonb(a) - 'evidence' - '{{incident_id,event_count,last_event_time,severity,variation}}'::text[] FROM iamwatch.alerts a"
         f" WHERE alert_id IN ({ids}) ORDER BY alert_id;")
facts = psql(FACTS)
psql(BACKFILL)
ok(psql(FACTS) == facts, f"{len(worked)} alerts that somebody has worked on stay, by status, assignee, note, resolution or history",
   difference(psql(FACTS).splitlines(), facts.splitlines()))
touched = {tuple(r) for r in json.loads(psql(
    f"SELECT json_agg(json_build_array(provider, account, identity, service, operation, failed)) FROM iamwatch.alerts WHERE alert_id IN ({ids});"))}
rest = [r for r in want if r[:6] not in touched]
got = [r for r in alerts() if r[:6] not in touched]
ok(len(rest) > 5 and got == rest, f"and the {len(rest)} alerts of other behaviours are those of the order of event time", difference(got, rest))
opened = {(*r[:6], i) for r in want for i in r[-1]}
firsts = json.loads(psql(
    "SELECT json_agg(json_build_array(a.alert_id, a.provider, a.account, a.identity, a.service, a.operation, a.failed, x.event_id,"
    " coalesce((a.evidence->'out_of_order')::boolean, false))) FROM iamwatch.alerts a JOIN iamwatch.alert_events x"
    f" ON x.alert_id = a.alert_id AND x.event_time = a.first_event_time WHERE a.alert_id IN ({ids}) AND x.event_id IS NOT NULL;"))
wrong = [f for f in firsts if f[8]]
ok(wrong and len(wrong) < len(firsts) and all((tuple(f[1:8]) in opened) != f[8] for f in firsts),
   f"the evidence of {len(wrong)} of them says that they would not have been raised", firsts)
text = psql("".join(f"SELECT iamwatch.explain({f[0]}) LIKE '%would not have been raised in order of event time%';" for f in firsts)).split()
ok(text == ["t" if f[8] else "f" for f in firsts], "and so does explain()")
ok(psql("SELECT count(*) FROM iamwatch.alerts a JOIN iamwatch.alerts b ON a.alert_id < b.alert_id AND (a.provider, a.account, a.identity,"
        " a.service, a.operation, a.failed) = (b.provider, b.account, b.identity, b.service, b.operation, b.failed)"
        " AND abs(extract(epoch FROM a.first_event_time - b.first_event_time)) < 5 * 86400;").strip() == "0",
   "no two alerts of a behaviour lie within the deduplication period")
gone = psql("SELECT min(alert_id) FROM iamwatch_internal.withdrawn_alerts;").strip()
done = database.run(f"SELECT iamwatch.explain({gone});")
ok(f"alert {gone} was withdrawn" in done.stderr, "who asks for an alert that was withdrawn is told so", done.stderr)
before = everything()
psql(BACKFILL)
ok(everything() == before, "a second backfill() changes nothing", difference(everything(), before))
psql("INSERT INTO iamwatch.suppressions (reason, service) SELECT 'all', service FROM iamwatch.operations WHERE service IS NOT NULL GROUP BY 2;")
before = everything()
psql(BACKFILL)
ok(everything() == before, "nor does one after suppressions were written: they hold for what is opened later", difference(everything(), before))

# What somebody has open, or what is elsewhere
fresh()
load(random.Random(4).sample(by_day(events), len(by_day(events))))
some = psql("SELECT alert_id FROM iamwatch.alerts ORDER BY md5(alert_id::text);").split()
analyst = subprocess.Popen(["psql", "-qXAt", "-d", database.name], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
analyst.stdin.write(f"BEGIN; UPDATE iamwatch.alerts SET note = 'mine' WHERE alert_id IN ({', '.join(some[:3])});\n\\echo open\n")
analyst.stdin.flush()
analyst.stdout.readline()
psql(BACKFILL)
analyst.stdin.write("COMMIT;\n")
analyst.stdin.close()
analyst.wait()
ok(count("iamwatch.alerts", f"alert_id IN ({', '.join(some[:3])}) AND note = 'mine'") == 3,
   "backfill() does not wait for who has an alert open, and leaves it")
psql("UPDATE iamwatch.alerts SET note = NULL; TRUNCATE iamwatch.alert_history;" + BACKFILL)
ok(alerts() == expected(events), "and puts it right once nobody has", difference(alerts(), expected(events)))

fresh("CREATE TABLE other (event jsonb); SELECT iamwatch.watch('other');")
files = random.Random(4).sample(by_day(events), len(by_day(events)))
for part in files:
    psql(copy(part[::2]) + (copy(part[1::2]).replace("COPY log", "COPY other") if part[1:] else ""))
ELSEWHERE = ("SELECT to_jsonb(a) FROM iamwatch.alerts a WHERE EXISTS (SELECT FROM iamwatch.alert_events x WHERE x.alert_id = a.alert_id"
             " AND x.event_id IS NOT NULL AND x.event_id NOT IN (SELECT coalesce(l.event->>'eventID', l.event->>'insertId', '') FROM log l)) ORDER BY 1;")
elsewhere = psql(ELSEWHERE)
psql(BACKFILL)
ok(elsewhere and [e for e in elsewhere.splitlines() if json.loads(e)["alert_id"] not in
                  {json.loads(g)["alert_id"] for g in psql(ELSEWHERE).splitlines()}] == [],
   f"{len(elsewhere.splitlines())} alerts with events that are not in the source stay")

# Days that maintain() dropped and the source no longer has: such alerts cannot be judged
fresh("UPDATE iamwatch.detectors SET training_days = 10, memory_days = 10, peer_memory_days = 10, lateness_days = 0;")
psql(copy(events) + "CALL iamwatch.maintain();")
before = evidence()
psql("DELETE FROM log WHERE (iamwatch.parse(event)).event_time < '2026-02-10';" + BACKFILL)
ok(len(before) > 10 and evidence() == before, "what was raised with days that are nowhere any more stays", difference(evidence(), before))

# Beside sessions that load
fresh()
files = random.Random(9).sample(by_day(events), len(by_day(events)))
others = [subprocess.Popen(["psql", "-qX", "-v", "ON_ERROR_STOP=1", "-d", database.name, "-f", "-"], stdin=subprocess.PIPE, text=True,
                           stderr=subprocess.PIPE) for _ in range(3)]
for n, other in enumerate(others):
    other.stdin.write("".join(copy(part) for part in files[n::2]) if n < 2 else BACKFILL * 4)
    other.stdin.close()
errors = [other.stderr.read() for other in others]
ok(all(other.wait() == 0 for other in others), "backfill() beside sessions that load in any order: nobody fails", errors)
psql(BACKFILL)
ok(alerts() == expected(events), "and once more leaves the alerts of the order of event time", difference(alerts(), expected(events)))
psql("CALL iamwatch.maintain();")
before = everything()
psql(BACKFILL)
ok(everything() == before, "after which it changes nothing", difference(everything(), before))

# What is refused, and why, is decided in one place
NO_EVENTS = ("INSERT INTO log VALUES (NULL), ('{}'), ('[1]'), (jsonb_build_object('eventSource', 'iam.amazonaws.com')),"
             " ((SELECT event FROM good) || jsonb_build_object('eventTime', now() + interval '25 hours')),"
             " ((SELECT event FROM good) || jsonb_build_object('eventSource', repeat('x', 100000) || '.amazonaws.com'));")
REASONS = ("SELECT reason, count(*), bool_and(reason = iamwatch_internal.refusal(event))"
           " FILTER (WHERE jsonb_typeof(event) IS DISTINCT FROM 'string')"	# of a long one only the beginning is kept
           " FROM iamwatch.rejected_events GROUP BY reason ORDER BY reason;")
good = next(e for e in events if "eventSource" in e)
reasons = []
for watched in (True, False):
    fresh(f"CREATE TABLE good AS SELECT $q${json.dumps(good)}$q$::jsonb AS event;", watched)
    psql("SET timezone = 'Europe/Berlin';" + NO_EVENTS + ("" if watched else BACKFILL))
    reasons.append(psql(REASONS))
ok(reasons[0] == reasons[1] and "|f" not in reasons[0] and "ahead of the clock" in reasons[0] and "64 kB" in reasons[0]
   and "is null" in reasons[0], "triggers and backfill() refuse the same documents with the same reasons", "\n".join(reasons))
ok(psql("SELECT bool_and(iamwatch_internal.refusal(event) IS NULL) FROM good;").strip() == "t", "what is taken has none")

database.drop()
finish()
