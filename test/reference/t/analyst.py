"""What analysts ask of very many alerts and incidents, as they would type it, is found by index."""
import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
from harness import Database, finish, ok

database = Database("iamwatch_analyst")
psql = database.psql
database.create()
psql("CREATE EXTENSION iamwatch;\n\\set alerts 12000\n\\i bench/alerts.sql\n"
     # as after a year: most is closed, a little is being looked at
     "SET session_replication_role = replica;\n"
     "UPDATE iamwatch.alerts SET status = CASE WHEN alert_id % 100 = 0 THEN 'investigating' WHEN alert_id % 50 = 1 THEN 'new' ELSE 'closed' END,"
     " operation = CASE WHEN alert_id % 200 = 3 THEN 'DeactivateMFADevice' ELSE operation END,"
     " account = CASE WHEN alert_id % 97 = 5 THEN 'one of many' ELSE account END;\n"
     "INSERT INTO iamwatch.alert_events SELECT alert_id, first_event_time, alert_id::text FROM iamwatch.alerts;\n"
     "RESET session_replication_role;\nCALL iamwatch.maintain();\nCALL iamwatch.maintain();\nVACUUM ANALYZE;\n")
identity, account, incident = psql("SELECT identity, account, incident_id FROM iamwatch.alerts WHERE alert_id = 5000;").strip().split("|")


def nodes(plan):
    yield plan
    for part in plan.get("Plans", ()):
        yield from nodes(part)


def plan_of(query):
    """The pages of tables and indexes that a query touches, once it knows what it needs of the catalogs, and its plan."""
    found = psql(f"\\o /dev/null\n{query};\n\\o\nEXPLAIN (ANALYZE, BUFFERS, COSTS OFF, TIMING OFF, FORMAT JSON) {query};\n")
    plan = json.loads(found)[0]["Plan"]
    return plan["Shared Hit Blocks"] + plan["Shared Read Blocks"], list(nodes(plan))


def read_whole(plan):
    """Tables with very many rows that it reads from end to end."""
    return [n["Relation Name"] for n in plan if n["Node Type"] == "Seq Scan" and n["Relation Name"] in MANY and n["Actual Loops"] > 0]


def indexes(plan):
    return {n["Index Name"] for n in plan if "Index Name" in n}


MANY = ("alerts", "kept_incidents", "kept_links", "identity_days", "behaviour_days")
all_alerts = int(psql("SELECT pg_relation_size('iamwatch.alerts') / current_setting('block_size')::int;"))
one_incident = f"SELECT * FROM iamwatch.incidents WHERE incident_id = {incident}"

# What is asked, and where its plan must not read all of a table.
QUESTIONS = (
    ("alerts of an identity", f"SELECT * FROM iamwatch.alerts WHERE identity = '{identity}'"),
    ("alerts of several", f"SELECT * FROM iamwatch.alerts WHERE identity IN ('{identity}', 'nobody')"),
    ("alerts of an operation", "SELECT * FROM iamwatch.alerts WHERE operation = 'DeactivateMFADevice'"),
    ("alerts of an operation in an account", f"SELECT * FROM iamwatch.alerts WHERE account = '{account}' AND operation = 'DeactivateMFADevice'"),
    ("alerts of a day", "SELECT * FROM iamwatch.alerts WHERE first_event_time >= '2026-06-01' AND first_event_time < '2026-06-02'"),
    ("the latest alerts by event time", "SELECT * FROM iamwatch.alerts ORDER BY first_event_time DESC LIMIT 20"),
    ("the alerts opened last", "SELECT * FROM iamwatch.alerts ORDER BY detected_at DESC LIMIT 20"),
    ("alerts that somebody looks at", "SELECT * FROM iamwatch.alerts WHERE status = 'investigating'"),
    ("new alerts, where most are closed", "SELECT * FROM iamwatch.alerts WHERE status = 'new' ORDER BY detected_at"),
    ("alerts of an incident", f"SELECT * FROM iamwatch.alerts WHERE incident_id = {incident}"),
    ("events of an identity's alerts", f"SELECT * FROM iamwatch.alerts JOIN iamwatch.alert_events USING (alert_id) WHERE identity = '{identity}'"),
    ("alerts of an identity's incidents", f"SELECT a.* FROM iamwatch.incidents AS i JOIN iamwatch.alerts AS a USING (incident_id) WHERE i.identity = '{identity}'"),
    ("an incident", one_incident),
    ("incidents of an identity", f"SELECT * FROM iamwatch.incidents WHERE identity = '{identity}'"),
    ("incidents of a day", "SELECT * FROM iamwatch.incidents WHERE first_event_time >= '2026-06-01' AND first_event_time < '2026-06-02'"),
    ("incidents of an account on a day",
     f"SELECT * FROM iamwatch.incidents WHERE account = '{account}' AND first_event_time >= '2026-06-01' AND first_event_time < '2026-06-02'"),
    ("the work list", "SELECT * FROM iamwatch.incidents WHERE open_alerts > 0 ORDER BY risk DESC LIMIT 20"),
    ("what an incident led to", f"SELECT * FROM iamwatch.incident_links WHERE incident_id = {incident}"),
    ("the baselines of an identity", f"SELECT * FROM iamwatch.baselines WHERE identity = '{identity}'"),
    ("an explanation", "SELECT iamwatch.explain(5000)"),
)
for what, query in QUESTIONS:
    pages, plan = plan_of(query)
    ok(not read_whole(plan) and pages < all_alerts, f"{what}: by index", f"{pages} pages touched, all alerts have {all_alerts}; {read_whole(plan)}")

# An account has many of both, so they are counted: each row costs the pages of itself, of a
# few links of it, and little to see whether it is urgent.
pages, plan = plan_of("SELECT * FROM iamwatch.alerts WHERE account = 'one of many'")
ok(indexes(plan) == {"alerts_names"} and pages < all_alerts / 10, "alerts of an account: by index", indexes(plan))
query = f"SELECT * FROM iamwatch.incidents WHERE account = '{account}'"
rows = int(psql(f"SELECT count(*) FROM ({query}) AS x;"))
links = int(psql(f"SELECT sum(cardinality(led_to) + cardinality(came_from)) FROM ({query}) AS x;"))
pages, plan = plan_of(query)
ok("kept_incidents_account" in indexes(plan) and not read_whole(plan), "incidents of an account: by index", indexes(plan))
ok(rows > 1500 and pages < 8 * rows + 3 * links, "incidents of an account: a few pages a row and a link, with the indexes that lead to them",
   f"{pages} pages for {rows} rows with {links} links")
finish()
