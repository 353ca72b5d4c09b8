"""The one-line loads of docs/loading.md, run on folders of real records."""
import gzip
import json
import os
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
from harness import ROOT, Database, finish, ok

EVENTS = os.path.join(ROOT, "data", "events")
database = Database("iamwatch_loading")


def psql(script):
    return database.psql(script).strip()


def lines(name):
    return [line for line in open(os.path.join(EVENTS, name)).read().splitlines() if line]


page = open(os.path.join(ROOT, "docs", "loading.md")).read()
trail, sink, array = re.findall(r"^```sh\n(.*?)^```", page, re.M | re.S)
aws = lines("aws_attack_simulation.ndjson")
gcp = [json.loads(line)["event"] for line in lines("gcp_attack_techniques.ndjson")]
for n, record in enumerate(gcp):
    record.setdefault("timestamp", "2025-02-02T22:56:34.34Z")
    record.setdefault("insertId", str(n))
aws[7] = aws[7].replace('"userAgent":"', '"userAgent":"\\u0000')
stored = "SELECT count(*), count(DISTINCT md5(event::text)) FROM audit_log"

for line, fill, expected in ((trail, "trail", aws), (sink, "sink", gcp), (array, "array", gcp)):
    database.create()
    psql("CREATE EXTENSION iamwatch; CREATE TABLE audit_log (id bigint GENERATED ALWAYS AS IDENTITY, event jsonb); SELECT iamwatch.watch('audit_log', 'event');")
    with tempfile.TemporaryDirectory() as folder:
        for n in range(0, len(expected), 400):
            part, sub = expected[n:n + 400], os.path.join(folder, f"2023/07/{n:05}")
            os.makedirs(sub)
            if fill == "trail":     # no line end after the last brace, as CloudTrail writes
                gzip.open(os.path.join(sub, "it's $(part).json.gz"), "wt").write('{"Records":[' + ",".join(part) + "]}")
            elif fill == "sink":
                open(os.path.join(sub, "S0.json"), "w").write("".join(json.dumps(r) + "\n" for r in part))
            else:
                open(os.path.join(folder, "read.json"), "w").write(json.dumps(part, indent=2))
        environment = dict(os.environ, PGDATABASE=database.name)
        done = subprocess.run(["sh", "-ec", line], cwd=folder, env=environment, capture_output=True, text=True)
        ok(done.returncode == 0 and "ERROR" not in done.stderr, f"{fill}: one line loads the folder", done.stderr)
        ok(psql(stored).split("|")[0] == str(len(expected)), f"{fill}: every record is a row ({len(expected)})", psql(stored))
        whole = [r for r in expected if fill == "trail" or ("serviceName" in r.get("protoPayload", {}) and (
            "logName" in r or "project_id" in r.get("resource", {}).get("labels", {})))]
        ok(psql("SELECT count(*) FROM audit_log WHERE iamwatch.unreadable(event) IS NULL") == str(len(whole)) != "0",
           f"{fill}: every row that is a whole record can be read ({len(whole)})",
           psql("SELECT iamwatch.unreadable(event), count(*) FROM audit_log WHERE iamwatch.unreadable(event) IS NOT NULL GROUP BY 1"))
        ok(int(psql("SELECT count(*) FROM iamwatch.identities")) > 0, f"{fill}: the trigger has learned them")
        state = psql("SELECT md5(string_agg(i::text, ',' ORDER BY i::text)) FROM iamwatch.identities AS i")
        subprocess.run(["sh", "-ec", line], cwd=folder, env=environment, check=True, capture_output=True)
        ok(psql("SELECT md5(string_agg(i::text, ',' ORDER BY i::text)) FROM iamwatch.identities AS i") == state, f"{fill}: loading it again changes nothing")

# What the records are stored as makes no difference, to triggers, backfill() and process()
STATE = ("SELECT md5(string_agg(r, ',' ORDER BY r COLLATE \"C\")) || ' ' || count(*) FROM (SELECT concat_ws('|', identity, operation, failed,"
         " first_event_time, last_event_time, event_count, evidence - 'user_agents') FROM iamwatch.alerts UNION ALL"
         " SELECT concat_ws('|', identity, kind, days) FROM iamwatch.identities UNION ALL"
         " SELECT concat_ws('|', identity, operation, failed, days) FROM iamwatch.baselines) AS x (r)")
FIELDS = ("eventID", "eventTime", "eventSource", "eventName", "awsRegion", "sourceIPAddress", "userAgent", "errorCode", "recipientAccountId")
COLUMNS = ", ".join(f'"{f}" {"timestamptz" if f == "eventTime" else "text"}' for f in FIELDS)
VALUES = ", ".join(f"(event->>'{f}')::{'timestamptz' if f == 'eventTime' else 'text'}" for f in FIELDS)
tables = {
    "jsonb": ("(id bigint, event jsonb)", "SELECT id, event FROM records", ""),
    "json": ("(id bigint, event json)", "SELECT id, event::text::json FROM records", ""),
    "text": ("(id bigint, event text)", "SELECT id, event::text FROM records", ""),
    "columns": (f"(id bigint, {COLUMNS}, user_identity jsonb, requestparameters text)",
                f"SELECT id, {VALUES}, event->'userIdentity', event->>'requestParameters' FROM records", "SELECT iamwatch.map_columns('stored');"),
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
finish()
