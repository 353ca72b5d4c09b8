"""What analysts decide, against the reference and over every way in."""
import json
import os
import random
import re
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
import generate
import reference
from harness import ROOT, Database, chunks, copy, difference, finish, ok

CATALOGUE = reference.Catalogue(os.path.join(ROOT, "data", "catalogue"))
database = Database("iamwatch_triage")
empty = Database("iamwatch_triage_empty")
restored = Database("iamwatch_triage_restored")
psql = database.psql


def fresh(settings="", watched=True):
    database.create(empty.name)
    psql(("SELECT iamwatch.watch('log');" if watched else "") + settings)


def rows(table="iamwatch.alerts"):
    query = reference.QUERY.replace("iamwatch.alerts", table)
    out = psql("SELECT json_agg(r) FROM (SELECT (SELECT json_agg(value ORDER BY n) FROM "
               f"json_each(row_to_json(a)) WITH ORDINALITY AS e (key, value, n)) AS r FROM ({query}) AS a) AS x;")
    return reference.extension_rows(json.loads(out) if out.strip() else [])


def both():
    return rows(), rows("iamwatch_internal.suppressed_alerts"), psql(
        "SELECT suppression_id, alerts, events FROM iamwatch.suppression_counts ORDER BY 1;")


empty.create()
empty.psql("CREATE EXTENSION iamwatch; CREATE TABLE log (event jsonb);" + "".join(
    f"INSERT INTO iamwatch.instances VALUES ('{p}', 'any', '{i}', '{{{','.join(a)}}}', true);"
    for p, i, a in generate.INSTANCES))


class Triaged(reference.Detector):
    """Days of alerts that are marked do not count as days of the behaviour."""
    def __init__(self, *args, **settings):
        super().__init__(*args, **settings)
        self.excluded = {}

    def judge(self, e, who, behaviour, operation, account):
        before = {id(a): len(a["ids"]) for a in self.alerts}
        super().judge(e, who, behaviour, operation, account)
        for alert in self.alerts:
            if len(alert["ids"]) != before.get(id(alert), 0):
                alert.setdefault("days", set()).add(e["day"])
                if alert.get("attack"):
                    self.excluded[(who, behaviour)].add(e["day"])

    def attack(self, alert):
        alert["attack"] = True
        self.excluded.setdefault((alert["who"], alert["behaviour"]), set()).update(alert["days"])

    def event(self, doc):
        super().event(doc)
        for key, days in self.excluded.items():
            if key in self.did:
                self.did[key] -= days


# True positives: half of the events, decisions, the other half
events = generate.generate(31, days=80, per_day=20)
half = events[:len(events) // 2]
rest = events[len(events) // 2:]
detector = Triaged(CATALOGUE, generate.INSTANCES)
for e in half:
    detector.event(e)
chosen = [a for n, a in enumerate(detector.alerts) if n % 2 == 0]
for alert in chosen:
    detector.attack(alert)
for e in rest:
    detector.event(e)
want = detector.rows()
plain = reference.Detector(CATALOGUE, generate.INSTANCES)
for e in events:
    plain.event(e)
ok(len(want) > len(plain.rows()), f"{len(chosen)} true positives change {len(plain.rows())} alerts into {len(want)} in the reference")

decide = "".join(
    "UPDATE iamwatch.alerts SET status = 'closed', resolution = 'true_positive' WHERE "
    f"(provider, account, identity, service, operation, failed) = ({', '.join(quoted)})"
    f" AND (extract(epoch FROM first_event_time) * 1000000)::bigint = {a['first']};"
    for a in chosen
    for quoted in [["$q$%s$q$" % v if isinstance(v, str) else str(v).lower() for v in (*a["who"], *a["behaviour"])]])
for largest in (1, 50, 100000):
    fresh()
    psql(copy(half) + decide + "".join(copy(part) for part in chunks(random.Random(4), rest, largest)))
    ok(psql("SELECT count(*) FROM iamwatch.alerts WHERE resolution = 'true_positive';").strip() == str(len(chosen)), "each is closed")
    ok(rows() == want, f"true positives: the alerts of the reference, statements of up to {largest} events", difference(rows(), want))
days = psql("SELECT * FROM iamwatch.baselines ORDER BY 1, 2, 3, 4, 5, 6;")
named = [e for e in rest if e.get("eventID", e.get("insertId"))]
psql(copy(random.Random(5).sample(named, 300)))
ok(rows() == want, "true positives: what is delivered again changes no alert", difference(rows(), want))
ok(psql("SELECT * FROM iamwatch.baselines ORDER BY 1, 2, 3, 4, 5, 6;") == days, "true positives: nor any baseline")

fresh()
psql(copy(half) + decide + "ALTER TABLE log DISABLE TRIGGER USER;" + copy(rest) + "CALL iamwatch.backfill('log');")
extra = [r for r in rows() if r not in want]
ok(not [r for r in want if r not in rows()], "true positives: backfill raises the alerts of the reference",
   "\n".join(str(r) for r in want if r not in rows()))
attacked = {(*a["who"][:2], *a["behaviour"]) for a in chosen}
ok(extra and all((*r[:2], *r[3:6]) in attacked for r in extra),
   f"and, of the behaviours that were attacked, {len(extra)} more that the attack's days had hidden", extra)
ok(psql("SELECT count(*) FROM iamwatch.baselines b JOIN iamwatch.excluded_days x USING (provider, account, identity, service, operation, failed)"
        " WHERE b.days OPERATOR(iamwatch.&) x.days OPERATOR(iamwatch.<>) '{}';").strip() == "0", "true positives: backfill brings no day back")
before = rows()
psql("CALL iamwatch.backfill('log');")
ok(rows() == before, "true positives: running it twice changes nothing")

# Suppressions: every way in hides the same
events = generate.generate(32, days=60, per_day=25)
addresses = sorted({e.get("sourceIPAddress") for e in events if re.fullmatch(r"[0-9.]+", e.get("sourceIPAddress") or "")})
rules = ("INSERT INTO iamwatch.suppressions (reason, source_network) VALUES " + ", ".join(f"('a', '{a}')" for a in addresses[::2]) + ";"
         "INSERT INTO iamwatch.suppressions (reason, category, identity_pattern) VALUES ('c', 'permission', '%1%');"
         "INSERT INTO iamwatch.suppressions (reason, category, starts_at, expires_at) VALUES ('b', 'account', '2026-02-01', '2026-02-20');")
fresh()
psql("".join(copy(part) for part in chunks(random.Random(1), events, 30)))
open_ids = {(r[2], i) for r in rows() for i in r[-1]}
fresh(rules)
psql("".join(copy([e]) for e in events))
want = both()
shown = {(r[2], i) for r in want[0] for i in r[-1]}
hidden = {(r[2], i) for r in want[1] for i in r[-1]}
ok(len(shown) > 10 and len(hidden) > 10, f"suppressions hide {len(hidden)} of {len(shown | hidden)} events")
ok(open_ids <= shown | hidden, "every event that would be in an alert is in one or in a suppressed one", open_ids - shown - hidden)
ok(not shown & hidden, "and none is in both", shown & hidden)
for largest in (30, 100000):
    fresh(rules)
    psql("".join(copy(part) for part in chunks(random.Random(largest), events, largest)))
    got = both()
    ok(got == want, f"suppressions: the same, statements of up to {largest} events",
       difference(got[0] + got[1], want[0] + want[1]) + got[2] + want[2])
named = [e for e in events if e.get("eventID", e.get("insertId"))]
psql(copy(random.Random(7).sample(named, 400)))
ok(both() == want, "suppressions: what is delivered again changes nothing")
fresh(rules, watched=False)
psql(copy(random.Random(8).sample(events, len(events))) + "CALL iamwatch.backfill('log');")
got = both()
ok(got == want, "suppressions: backfill hides the same", difference(got[0] + got[1], want[0] + want[1]) + got[2] + want[2])
psql("CALL iamwatch.backfill('log');")
ok(both() == want, "suppressions: and running it twice changes nothing")
psql("UPDATE iamwatch.suppressions SET withdrawn_at = now(); CALL iamwatch.backfill('log'); CALL iamwatch.maintain();")
ok(both()[1:] == want[1:] and {(r[2], i) for r in rows() for i in r[-1]} >= shown, "suppressions: once withdrawn, what they hid is still listed, and in no alert")

# Dump and restore
psql("SELECT iamwatch.triage(alert_id, resolution => CASE WHEN alert_id % 2 = 0 THEN 'benign' ELSE 'true_positive' END) FROM iamwatch.alerts;"
     "SELECT iamwatch.triage(alert_id, 'investigating', note => 'again') FROM iamwatch.alerts WHERE alert_id % 5 = 0;")
# what refers to rows that a dump brings back later
psql("INSERT INTO iamwatch.providers (provider, recognised_by, account_default, identity_path, service_default, operation_path, event_time_path)"
     "VALUES ('own', '{own}', 'x', '{who}', 'own', '{what}', '{at}');"
     "INSERT INTO iamwatch.operations (provider, service, operation, category, effect) VALUES ('own', 'own', 'Badge', 'badge', 'create');"
     "INSERT INTO iamwatch.detectors (detector, title, categories) VALUES ('badges', 'badges', '{badge}');"
     "INSERT INTO iamwatch.suppressions (reason, category, detector) VALUES ('badges', 'badge', 'badges');"
     "INSERT INTO iamwatch.playbook (kind, name, phase, step) VALUES ('category', 'badge', 'check', 'Look at the badge.');"
     "UPDATE iamwatch.playbook SET step = 'changed' WHERE kind = 'category' AND name = 'role';")
state = "".join(f"SELECT * FROM {t} ORDER BY 1, 2, 3;" for t in (
    "iamwatch.alerts", "iamwatch.alert_history", "iamwatch.suppressions", "iamwatch_internal.suppressed_alerts", "iamwatch.excluded_days", "iamwatch.baselines",
    "(SELECT * FROM iamwatch.playbook WHERE origin = 'user') AS p", "iamwatch.detectors"))
dump = subprocess.run(["pg_dump", database.name], check=True, capture_output=True, text=True).stdout
kept = psql(state)
restored.create()
restored.psql(dump)
ok(restored.psql(state) == kept, "dump and restore: decisions, history, suppressions, steps and settings are there")
done = restored.run("SELECT iamwatch.triage(min(alert_id), 'new') FROM iamwatch.alerts;"
                    "INSERT INTO iamwatch.suppressions (reason, identity) VALUES ('x', 'y');")
ok(done.returncode == 0, "dump and restore: triage goes on", done.stderr)
restored.drop()


# Notifications
def aws(at, who, operation, **more):
    return json.dumps({"eventTime": at, "eventSource": "iam.amazonaws.com", "eventName": operation, "eventID": at + operation,
                       "recipientAccountId": "111122223333", "userIdentity": {"type": "IAMUser", "arn": who}, **more})


def insert(*documents):
    return "INSERT INTO log VALUES " + ", ".join(f"($q${d}$q$)" for d in documents) + ";"


def heard(script):
    out = psql("LISTEN iamwatch_alert;" + script + "SELECT 1;")
    return [json.loads(p) for p in re.findall(r'notification "iamwatch_alert" with payload "(.*)" received', out)]


fresh()
psql(insert(*(aws(f"2026-01-{d:02}T08:00:00Z", "ann", "ListUsers") for d in range(1, 31))))
got = heard(insert(aws("2026-01-30T10:00:00Z", "ann", "CreateUser")))
surprise, risk = map(float, psql("SELECT surprise, risk FROM iamwatch.alerts;").split("|"))
ok(got == [{"alert_id": 1, "severity": "informational", "provider": "aws", "account": "111122223333", "identity": "ann",
            "operation": "CreateUser", "surprise": round(surprise, 3), "risk": round(risk, 2), "urgent": True}],
   "an alert that opens is told when the transaction commits", got)
ok(heard(insert(aws("2026-01-30T11:00:00Z", "ann", "CreateUser"))) == [], "an event that joins it is not")
ok(heard("BEGIN;" + insert(aws("2026-01-30T11:00:00Z", "ann", "CreateRole")) + "ROLLBACK;") == [], "nor is what is rolled back")
# few incidents of higher risk in the 28 days before, then as many as are urgent in these
others = ("INSERT INTO iamwatch.alerts (detector, variation, severity, risk, first_event_time,"
     " last_event_time, provider, account, identity, identity_kind, service, operation, failed, category, sensitivity, tactic, technique,"
     " probability, surprise, evidence) SELECT a.detector, 'base', 'low', 1000, '2026-01-20', '2026-01-20', 'aws', a.account, 'other' || n, 'user',"
     " a.service, a.operation, false, a.category, 1, a.tactic, a.technique, 0.01, 6, '{}'"
          " FROM (SELECT * FROM iamwatch.alerts ORDER BY alert_id LIMIT 1) AS a, generate_series(%s, %s) AS n;")
psql("UPDATE iamwatch.detectors SET daily_budget = 1;" + others % (1, 20))
urgent = "SELECT urgent FROM iamwatch.incidents WHERE identity LIKE 'late%' ORDER BY incident_id DESC LIMIT 1;"
told = heard(insert(aws("2026-01-30T11:01:00Z", "late1", "CreateRole")))
ok([t["urgent"] for t in told] == [True] and psql(urgent).strip() == "t", "a notification says of urgent what iamwatch.incidents says: it is", told)
psql(others % (21, 28))
told = heard(insert(aws("2026-01-30T11:02:00Z", "late2", "CreateRole")))
ok([t["urgent"] for t in told] == [False] and psql(urgent).strip() == "f", "or it is not, once so many of higher risk began in the 28 days before", told)
psql("DELETE FROM iamwatch.alerts WHERE identity LIKE 'other%' OR identity LIKE 'late%'; UPDATE iamwatch.detectors SET daily_budget = 5;")
instance = {"userIdentity": {"type": "AssumedRole", "arn": "arn:aws:sts::111122223333:assumed-role/web/" + generate.INSTANCES[0][1]}}
other = {"userIdentity": {"type": "AssumedRole", "arn": "arn:aws:sts::111122223333:assumed-role/web/i-99999999"}}
got = heard(insert(aws("2026-01-30T12:00:00Z", "", "CreateUser", **other)) + insert(aws("2026-01-30T12:30:00Z", "", "CreateUser", **instance)))
ok([g["severity"] for g in got] == ["low", "medium"] and got[0]["alert_id"] == got[1]["alert_id"], "an alert that rises in severity is told again", got)
ok(heard("INSERT INTO iamwatch.suppressions (reason, operation) VALUES ('x', 'DeleteUser');"
         + insert(aws("2026-01-30T12:00:00Z", "ann", "DeleteUser"))) == [], "what is suppressed is not told")
got = heard(insert(aws("2026-01-30T12:00:00Z", "\u0001\"\u20ac" * 10000, "CreateUser")))
ok(len(got) == 1 and len(got[0]["identity"]) == 500, "whatever the length of names, it is told, cut", got)
got = heard(insert(aws("2026-01-30T12:00:00Z", "\u0001\"\U0001F600" * 10000, "CreateUser")))
ok(len(got) == 1 and got[0]["identity"] == "\u0001\"\U0001F600" * 125, "a character of two escapes counts as two", got)
got = heard("BEGIN;" + insert(aws("2026-01-30T12:00:00Z", "ann", "CreateGroup")) + "PREPARE TRANSACTION 'one'; COMMIT PREPARED 'one';")
ok(got == [] and psql("SELECT count(*) FROM iamwatch.alerts WHERE operation = 'CreateGroup';").strip() == "1",
   "a transaction that raised an alert can be prepared, and tells nobody", got)
got = heard("CALL iamwatch.maintain();")
ok([g["operation"] for g in got] == ["CreateGroup"], "maintain() does", got)
psql("UPDATE iamwatch.detectors SET notify = false;")
ok(heard(insert(aws("2026-01-30T13:00:00Z", "ann", "DeleteRole"))) == [], "with notify off nothing is told")

database.drop()
empty.drop()
finish()
