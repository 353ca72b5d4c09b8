"""docs/loading.md and the README: each block of SQL and shell, and that what other tools write gives the same alerts."""
import csv
import gzip
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
import generate
from harness import ROOT, Database, difference, finish, ok

EVENTS = os.path.join(ROOT, "data", "events")
database = Database("iamwatch_loading")
environment = dict(os.environ, PGDATABASE=database.name, PYTHONDONTWRITEBYTECODE="1")
environment.pop("PYTHONPATH", None)


def psql(script):
    return database.psql(script).strip()


def lines(name):
    return [line for line in open(os.path.join(EVENTS, name)).read().splitlines() if line]


aws = lines("aws_attack_simulation.ndjson")
gcp = [json.loads(line)["event"] for line in lines("gcp_attack_techniques.ndjson")]
for n, record in enumerate(gcp):
    record.setdefault("timestamp", "2025-02-02T22:56:34.34Z")
    record.setdefault("insertId", str(n))
folder = tempfile.mkdtemp(prefix="iamwatch_loading.")


def put(name, text):
    path = os.path.join(folder, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    (gzip.open if name.endswith("gz") else open)(path, "wt").write(text)


# What the tools write, after the documents of each.
def lowered(value):
    """As Hive and Athena write structs: names in lower case."""
    if isinstance(value, dict):
        return {k.lower(): lowered(v) for k, v in value.items()}
    return [lowered(v) for v in value] if isinstance(value, list) else value


def athena(e):
    row = {k.lower(): v for k, v in e.items()}
    row["useridentity"] = lowered(e["userIdentity"])
    for k in ("requestparameters", "responseelements", "additionaleventdata"):    # text in that table
        if row.get(k) is not None:
            row[k] = json.dumps(row[k])
    return row


def bigquery(e):
    """Numbers are text, requests are too, and times have a blank."""
    row = dict(e)
    payload = dict(row.pop("protoPayload"))
    for k in ("request", "response", "metadata"):
        if k in payload:
            payload[k + "Json"] = json.dumps(payload.pop(k))
    if isinstance(payload.get("status", {}).get("code"), int):
        payload["status"] = dict(payload["status"], code=str(payload["status"]["code"]))
    row["protopayload_auditlog"] = payload
    m = re.fullmatch(r"(.{10})T(.{8}(?:\.\d{1,6})?)\d*Z", row["timestamp"])
    if m:
        row["timestamp"] = f"{m[1]} {m[2]} UTC"
    return row


def security_lake(e):
    user = e["userIdentity"]
    issuer = user.get("sessionContext", {}).get("sessionIssuer", {}).get("arn")
    # after the mapping of CloudTrail to OCSF 1.1 that its project publishes
    return {"class_uid": 6003, "class_name": "API Activity", "time_dt": e["eventTime"].replace("T", " ").rstrip("Z"),
            "metadata": {"uid": e.get("eventID"), "version": "1.1.0", "event_code": e.get("eventType"),
                         "product": {"name": "CloudTrail", "vendor_name": "AWS", "version": e.get("eventVersion")}},
            "cloud": {"region": e.get("awsRegion"), "provider": "AWS", "account": {"uid": e.get("recipientAccountId")}},
            "api": {"operation": e["eventName"], "service": {"name": e["eventSource"]}, "request": {
                "uid": e.get("requestID"), "data": json.dumps(e["requestParameters"]) if e.get("requestParameters") else None},
                "response": {"error": e.get("errorCode"), "message": e.get("errorMessage")}},
            "src_endpoint": {"ip": e.get("sourceIPAddress")}, "http_request": {"user_agent": e.get("userAgent")},
            "actor": {"user": {"type": user.get("type"), "uid": user.get("arn"), "uid_alt": user.get("principalId"), "name": user.get("userName"),
                               "account": {"uid": user.get("accountId")}, "credential_uid": user.get("accessKeyId")},
                      "session": {"issuer": issuer}, "invoked_by": user.get("invokedBy")},
            "unmapped": {"managementEvent": "true"}}


simulation = [json.loads(line) for line in aws]
for n in range(0, len(aws), 400):
    put(f"logs/AWSLogs/{n:05}/it's $(part).json.gz", '{"Records":[' + ",".join(aws[n:n + 400]) + "]}")
put("logs/read.json", json.dumps(gcp, indent=2))
put("unload/20260301_000000_00001_x.gz", "".join(json.dumps(athena(e)) + "\n" for e in simulation))
put("bigquery/activity-000000000000.json.gz", "".join(json.dumps(bigquery(e)) + "\n" for e in gcp if "protoPayload" in e))
put("lake/20260301_000000_00001_x.gz", "".join(json.dumps(security_lake(e)) + "\n" for e in simulation))
COLUMNS = ("useridentity", "eventtime", "eventsource", "eventname", "awsregion", "sourceipaddress", "useragent", "errorcode",
           "requestparameters", "responseelements", "eventid", "recipientaccountid")
with open(os.path.join(folder, "athena.csv"), "w", newline="") as file:
    writer = csv.writer(file)
    writer.writerow(COLUMNS)
    for e in map(athena, simulation):
        writer.writerow([json.dumps(e[c]) if isinstance(e.get(c), dict) else e.get(c) or "" for c in COLUMNS])


def run(block):
    """A block of shell; one that goes on is ended once it has nothing to do."""
    with subprocess.Popen(["sh", "-ec", block.replace("iamwatch_load", "exec iamwatch_load") if "--follow" in block else block], cwd=folder,
                          env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as shell:
        if "--follow" in block:
            time.sleep(3)
            shell.send_signal(signal.SIGTERM)
        out, err = shell.communicate()
    return shell.returncode, out + err


# Every block runs, in order, page by page, and the loader finds all that there is.
total = len(aws) + len(gcp)
for page in ("README.md", "docs/loading.md"):
    database.create()
    subprocess.run(["psql", "-qX", "-d", "postgres", "-c", "DROP ROLE IF EXISTS log_loader", "-c", "DROP ROLE IF EXISTS soc_reader"], check=True, capture_output=True)
    if page != "README.md":
        psql("CREATE EXTENSION iamwatch; CREATE TABLE audit_log (id bigint GENERATED ALWAYS AS IDENTITY, event jsonb); SELECT iamwatch.watch('audit_log');")
    blocks = re.findall(r"^ *```(sql|sh)\n(.*?)^ *```", open(os.path.join(ROOT, page)).read(), re.M | re.S)
    shells = 0
    for kind, block in blocks:
        if kind == "sql":
            done = database.run(block)
            ok(done.returncode == 0, f"{page}: runs: {block.splitlines()[0]}", done.stderr)
        elif re.match("iamwatch_load|psql -c", block):
            status, out = run(block)
            shells += 1
            ok(status == 0, f"{page}: runs: {block.splitlines()[0]}", out)
            if shells == 1:
                ok(psql("SELECT count(*) FROM audit_log") == str(total), f"{page}: the first loads every record ({total})", out)
    ok(shells == (1 if page == "README.md" else 7), f"{page}: all blocks of shell were run", shells)
ok(psql("SELECT count(*) FROM athena") == str(len(aws)), "docs/loading.md: the columns from Athena are there")

# What other tools write gives the alerts of the records themselves.
STATE = ("SELECT md5(string_agg(r, ',' ORDER BY r COLLATE \"C\")) || ' ' || count(*) FROM (SELECT concat_ws('|', identity, operation, failed,"
         " first_event_time, last_event_time, event_count, round(risk::numeric, 6)) FROM iamwatch.alerts UNION ALL"
         " SELECT concat_ws('|', identity, kind, days) FROM iamwatch.identities UNION ALL"
         " SELECT concat_ws('|', identity, operation, failed, days) FROM iamwatch.baselines) AS x (r)")
ALERTS = ("SELECT identity, operation, failed, first_event_time, last_event_time, event_count FROM iamwatch.alerts"
          " ORDER BY identity COLLATE \"C\", operation COLLATE \"C\", failed, first_event_time")
generated = generate.generate(5, days=60, per_day=60)
of_aws = [e for e in generated if "eventName" in e]
of_gcp = [e for e in generated if "protoPayload" in e]
for what, events, form in (("Athena", of_aws, athena), ("Security Lake", of_aws, security_lake), ("BigQuery", of_gcp, bigquery),
                           ("the attack simulation, Athena", simulation, athena), ("the attack simulation, Security Lake", simulation, security_lake)):
    states = []
    for each in (dict, form):
        database.create()
        psql("CREATE EXTENSION iamwatch; UPDATE iamwatch.detectors SET activation_days = 0; CREATE TABLE audit_log (event jsonb);"
             "SELECT iamwatch.watch('audit_log', 'event');")
        shutil.rmtree(os.path.join(folder, "logs"))
        put("logs/1.ndjson", "".join(json.dumps(each(e)) + "\n" for e in events))
        status, out = run("iamwatch_load --table audit_log logs")
        states.append((psql(ALERTS).splitlines(), psql("SELECT reason, count(*) FROM iamwatch.rejected_events GROUP BY 1"), psql(STATE)))
    ok(len(states[0][0]) > 3 and states[0][0] == states[1][0], f"{what}: the same alerts ({len(states[0][0])})",
       difference(states[1][0], states[0][0]) + "\n" + states[1][1] + out)
    ok(states[0][2] == states[1][2], f"{what}: and the same baselines", states[1][1])

# Athena's columns from CSV, by the table of the page; and what is no JSON is refused with a hint.
page = open(os.path.join(ROOT, "docs", "loading.md")).read()
table = re.search(r"^CREATE TABLE athena \(.*?;", page, re.M | re.S)[0]
states = []
for made, stored in ((f"{table} SELECT iamwatch.map_columns('athena');", "athena"), ("CREATE TABLE audit_log (event jsonb);", "audit_log")):
    database.create()
    psql(f"CREATE EXTENSION iamwatch; UPDATE iamwatch.detectors SET activation_days = 0; {made} SELECT iamwatch.watch('{stored}');")
    if stored == "athena":
        status, out = run(re.search(r"^psql -c .*athena.csv.*$", page, re.M)[0])
        psql("""INSERT INTO athena (useridentity, eventtime, eventsource, eventname, recipientaccountid, eventid)
            VALUES ('{type=IAMUser, arn=arn:aws:iam::111122223333:user/ann}', '2026-02-10T10:00:00Z', 'iam.amazonaws.com', 'CreateUser', '111122223333', 'e')""")
        reason = psql("SELECT reason FROM iamwatch.rejected_events")
    else:
        shutil.rmtree(os.path.join(folder, "logs"))
        put("logs/1.ndjson", "".join(json.dumps({k: v for k, v in e.items() if k.lower() in COLUMNS}) + "\n" for e in simulation))
        status, out = run("iamwatch_load --table audit_log logs")
    states.append((psql(ALERTS).splitlines(), psql(STATE)))
ok(len(states[0][0]) > 3 and states[0] == states[1], f"Athena's columns: the same alerts and baselines ({len(states[0][0])})", difference(states[0][0], states[1][0]))
ok("is text that is not JSON" in reason and "JSON" in reason.split(";")[-1], "Athena's {a=b} is refused, and the reason says what to do", reason)
shutil.rmtree(folder)

# What the records are stored as makes no difference, to triggers, backfill() and process()
STATE = ("SELECT md5(string_agg(r, ',' ORDER BY r COLLATE \"C\")) || ' ' || count(*) FROM (SELECT concat_ws('|', identity, operation, failed,"
         " first_event_time, last_event_time, event_count, evidence - 'user_agents') FROM iamwatch.alerts UNION ALL"
         " SELECT concat_ws('|', identity, kind, days) FROM iamwatch.identities UNION ALL"
         " SELECT concat_ws('|', identity, operation, failed, days) FROM iamwatch.baselines) AS x (r)")
FIELDS = ("eventID", "eventTime", "eventSource", "eventName", "awsRegion", "sourceIPAddress", "userAgent", "errorCode", "errorMessage",
          "eventType", "recipientAccountId")
COLUMNS = ", ".join(f'"{f}" {"timestamptz" if f == "eventTime" else "text"}' for f in FIELDS)
VALUES = ", ".join(f"(event->>'{f}')::{'timestamptz' if f == 'eventTime' else 'text'}" for f in FIELDS)
tables = {
    "jsonb": ("(id bigint, event jsonb)", "SELECT id, event FROM records", ""),
    "json": ("(id bigint, event json)", "SELECT id, event::text::json FROM records", ""),
    "text": ("(id bigint, event text)", "SELECT id, event::text FROM records", ""),
    "columns": (f"(id bigint, {COLUMNS}, user_identity jsonb, requestparameters text, response_elements jsonb)",
                f"SELECT id, {VALUES}, event->'userIdentity', event->>'requestParameters', event->'responseElements' FROM records", "SELECT iamwatch.map_columns('stored');"),
}
states = {}
for kind, (table, rows, mapping) in tables.items():
    for way in ("triggers", "backfill", "process") if kind != "json" else ("triggers",):
        database.create()
        copied = "\n".join(f"{n}\t" + line.replace("\\", "\\\\") for n, line in enumerate(aws) if n != 7)
        script = ("CREATE EXTENSION iamwatch; UPDATE iamwatch.detectors SET activation_days = 0; CREATE TABLE records (id bigint, event jsonb);"
                  f"COPY records FROM STDIN;\n{copied}\n\\.\nCREATE TABLE stored {table}; {mapping}"
                  + ("SELECT iamwatch.watch('stored');" if way == "triggers" else "") + f"INSERT INTO stored {rows} ORDER BY event->>'eventTime';"
                  + ("CALL iamwatch.backfill('stored');" if way == "backfill" else "CALL iamwatch.process('stored', order_column => 'id');" if way == "process" else ""))
        done = subprocess.run(["psql", "-qXAt", "-v", "ON_ERROR_STOP=1", "-d", database.name, "-f", "-"], input=script, capture_output=True, text=True)
        states[kind, way] = psql(STATE) if done.returncode == 0 else done.stderr
ok(int(states["jsonb", "triggers"].split()[-1]) > 50 if " " in states["jsonb", "triggers"] else False, "stored as jsonb: alerts and baselines", states["jsonb", "triggers"])
for (kind, way), state in states.items():
    ok(state == states["jsonb", "triggers"], f"stored as {kind}, {way}: the same alerts and baselines", state)

# Which column is which field is dumped and restored
psql("SELECT iamwatch.unwatch('stored'); SELECT iamwatch.watch('stored');")
dump = subprocess.run(["pg_dump", database.name], check=True, capture_output=True, text=True).stdout
database.drop()
subprocess.run(["createdb", database.name], check=True)
done = subprocess.run(["psql", "-qX", "-v", "ON_ERROR_STOP=1", "-d", database.name, "-f", "-"], input=dump, capture_output=True, text=True)
before = psql("SELECT count(*) FROM iamwatch.identities") if done.returncode == 0 else done.stderr
psql("""INSERT INTO stored ("eventTime", "eventSource", "eventName", "recipientAccountId", user_identity) SELECT "eventTime", "eventSource", "eventName",
        "recipientAccountId", '{"type": "IAMUser", "arn": "after the restore"}' FROM stored LIMIT 1""")
ok(psql("SELECT count(*) FROM iamwatch.identities WHERE identity = 'after the restore'") == "1" and int(before) > 0, "columns: after dump and restore they are watched as before", before)

database.drop()
subprocess.run(["psql", "-qX", "-d", "postgres", "-c", "DROP ROLE IF EXISTS log_loader"], check=True)
finish()
