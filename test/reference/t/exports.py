"""Alerts as OCSF and ECS events, in Grafana and as a report: each against its schema, its database, a browser."""
import base64
import hashlib
import html
import html.parser
import ipaddress
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
from harness import ROOT, Database, finish, ok, skip

database = Database("iamwatch_exports")
psql = database.psql

# The demo's organisation and attack, and an attacker who writes HTML.
EVIL = "<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">&\"'\u202e"
database.create()
subprocess.run(["psql", "-qX", "-v", "ON_ERROR_STOP=1", "-d", database.name, "-f", "demo/demo.sql"], check=True, cwd=ROOT, capture_output=True)
psql(f"""INSERT INTO audit_log (event) SELECT jsonb_build_object('eventTime', '2023-07-10T13:00:00Z', 'eventSource', $e$iam{EVIL}$e$,
    'eventName', 'CreateUser', 'eventID', n::text, 'recipientAccountId', '123837392027', 'userAgent', $e${EVIL}$e$,
    'errorCode', CASE n % 2 WHEN 1 THEN 'AccessDenied' END, 'requestParameters', jsonb_build_object('userName', $e${EVIL}$e$),
    'sourceIPAddress', '2001:db8::1', 'userIdentity', jsonb_build_object('type', 'IAMUser', 'arn', $e${EVIL}$e$))
    FROM generate_series(1, 4) AS n;
    INSERT INTO iamwatch.operations (provider, service, operation, category, effect) VALUES ('aws', '*', 'CreateUser', 'identity', 'create');
    INSERT INTO audit_log (event) SELECT event || jsonb_build_object('eventID', event->>'eventID' || 'again') FROM audit_log WHERE event->>'eventTime' = '2023-07-10T13:00:00Z';
    INSERT INTO audit_log (event) SELECT jsonb_build_object('timestamp', '2023-07-10T13:00:00.5Z', 'insertId', 'x', 'resource', '{{"labels": {{"project_id": "demo-project"}}}}'::jsonb,
    'protoPayload', jsonb_build_object('serviceName', 'iam.googleapis.com', 'methodName', 'google.iam.admin.v1.CreateServiceAccountKey', 'status', '{{"code": 7}}'::jsonb,
    'authenticationInfo', '{{"principalEmail": "engineer-1@example.com"}}'::jsonb));
    UPDATE iamwatch.alerts SET status = 'closed', resolution = CASE alert_id % 10 WHEN 1 THEN 'benign' ELSE 'true_positive' END WHERE alert_id % 5 = 1;
    UPDATE iamwatch.alerts SET status = 'investigating' WHERE alert_id % 5 = 2;
    UPDATE iamwatch.alerts SET severity = (ARRAY['informational', 'low', 'medium', 'high', 'critical'])[1 + alert_id % 5] WHERE alert_id > 30;""")
alerts = int(psql("SELECT count(*) FROM iamwatch.alerts"))
ok(psql(f"SELECT count(*) FROM iamwatch.alerts WHERE identity = $e${EVIL}$e$").strip() == "2", "an identity that is HTML has alerts")

# OCSF
OCSF = json.load(open(os.path.join(ROOT, "test", "reference", "ocsf-1.5.0.json")))


def ocsf_value(value, kind, where):
    if kind in OCSF["objects"]:
        return ocsf_object(value, OCSF["objects"][kind], where)
    fits = {"string": lambda v: isinstance(v, str), "boolean": lambda v: isinstance(v, bool), "json": lambda v: True,
            "integer": lambda v: type(v) is int and -2**31 <= v < 2**31, "long": lambda v: type(v) is int,
            "timestamp": lambda v: type(v) is int and 10**12 < v < 10**13, "ip": lambda v: bool(ipaddress.ip_address(v))}
    return [] if fits[kind](value) else [f"{where}: {value!r} is no {kind}"]


def ocsf_object(value, definition, where):
    if not isinstance(value, dict):
        return [f"{where} is no object"]
    faults = [f"{where}.{name} is not defined" for name in value if name not in definition["attributes"]]
    for name, text in definition["attributes"].items():
        kind, array, required, choice = re.fullmatch(r"(\w+)(\[\])?(!)?(?: \((.*)\))?", text).groups()
        if name not in value:
            faults += [f"{where}.{name} is required"] if required else []
            continue
        if array and not isinstance(value[name], list):
            faults.append(f"{where}.{name} is no array")
            continue
        for n, each in enumerate(value[name] if array else [value[name]]):
            faults += ocsf_value(each, kind, f"{where}.{name}" + (f"[{n}]" if array else ""))
            if choice and str(each) not in choice.split():
                faults.append(f"{where}.{name}: {each} is none of {choice}")
    if "any" in definition and not any(name in value for name in definition["any"]):
        faults.append(f"{where} has none of {definition['any']}")
    for name, (sibling, captions) in definition.get("captions", {}).items():
        if name in value and sibling in value and captions.get(str(value[name]), value[sibling]) != value[sibling]:
            faults.append(f"{where}.{sibling}: {value[sibling]!r} is not the caption of {value[name]}")
    return faults


DETECTION_FINDING = OCSF["classes"]["detection_finding"]
findings = [json.loads(line) for line in psql("SELECT finding FROM iamwatch.ocsf_findings").splitlines()]
faults = [f for finding in findings for f in ocsf_object(finding, DETECTION_FINDING, "finding")
          + (["type_uid is not class_uid * 100 + activity_id"] if finding["type_uid"] != finding["class_uid"] * 100 + finding["activity_id"] else [])]
ok(len(findings) == alerts and not faults, f"OCSF 1.5.0: {len(findings)} alerts are valid Detection Findings", "\n".join(sorted(set(faults))))
broken = [dict(findings[0], severity_id=7), dict(findings[0], oops=1), {k: v for k, v in findings[0].items() if k != "finding_info"},
          dict(findings[0], time="now"), dict(findings[0], evidences=[{}]), dict(findings[0], severity="Bad")]
ok(all(ocsf_object(f, DETECTION_FINDING, "") for f in broken), "OCSF: the check finds wrong enumerations, types, unknown and missing attributes")
ok({f["activity_name"] for f in findings} == {"Create", "Update", "Close"} and len({f["severity_id"] for f in findings}) == 5
   and len({f["status_id"] for f in findings}) == 4 and {f["cloud"]["provider"] for f in findings} == {"AWS", "GCP"},
   "OCSF: the findings checked have every activity, severity, status and provider")

# ECS, by the types that Elastic publishes
events = [json.loads(line) for line in psql("SELECT event FROM iamwatch.ecs_alerts").splitlines()]
ok(len(events) == alerts and all(e["event"]["kind"] == "alert" and e["ecs"]["version"] == "9.4.0" and e["user"]["id"] and e["rule"]["id"]
                                 and e["threat"]["tactic"]["id"] == ["TA0003"] and e["cloud"]["provider"] in ("aws", "gcp") for e in events),
   "ECS: every alert has kind, rule, threat, user and cloud")
ok(all(set(e["event"]["category"]) <= {"iam"} and set(e["event"]["type"]) <= {"creation", "change", "deletion", "info"}
       and e["event"]["outcome"] in ("success", "failure") for e in events), "ECS: category, type and outcome are allowed values")


def ecs_faults(folder, cases):
    with open(os.path.join(folder, "check.ts"), "w") as out:
        out.write("import type { Ecs } from '@elastic/ecs';\n")
        for n, case in enumerate(cases):
            out.write(f"export const e{n}: Ecs = {json.dumps(case)};\n")
    done = subprocess.run(["node_modules/.bin/tsc", "--noEmit", "--strict", "--skipLibCheck", "--module", "commonjs", "--moduleResolution", "node10",
                           "--ignoreDeprecations", "5.0", "check.ts"], cwd=folder, capture_output=True, text=True)
    return [line for line in done.stdout.splitlines() if line.startswith("check.ts")]


with tempfile.TemporaryDirectory() as folder:
    npm = shutil.which("npm") and subprocess.run(["npm", "install", "--silent", "--no-audit", "--no-fund", "--ignore-scripts", "--prefer-offline",
                                                  "--prefix", folder, "@elastic/ecs@9.4.0", "typescript@5.9.3"], capture_output=True, timeout=120, cwd=folder)
    if npm and npm.returncode == 0:
        faults = ecs_faults(folder, events)
        ok(not faults, f"ECS 9.4.0: {len(events)} alerts fit the types of @elastic/ecs", "\n".join(faults))
        broken = [dict(events[0], rule={"nope": 1}), dict(events[0], ecs={"version": "1.0.0"}), dict(events[0], event={"severity": "high"}), dict(events[0], oops=1)]
        ok(all(any(f"'e{n}'" in f or f.startswith(f"check.ts({n + 2},") for f in ecs_faults(folder, broken)) for n in range(len(broken))),
           "ECS: the check finds unknown fields and wrong types")
    else:
        skip("ECS 9.4.0: alerts fit the types of @elastic/ecs", "npm or its registry cannot be had")
        skip("ECS: the check finds unknown fields and wrong types", "npm or its registry cannot be had")

# The commands of docs/exports.md
commands = re.findall(r"^```sh\n(.*?)^```", open(os.path.join(ROOT, "docs", "exports.md")).read(), re.M | re.S)
with tempfile.TemporaryDirectory() as folder:
    for command in commands:
        subprocess.run(["sh", "-ec", command], cwd=folder, env=dict(os.environ, PGDATABASE=database.name), check=True)
    written = {name: open(os.path.join(folder, name)).read() for name in os.listdir(folder)}
ok(written["report.html"].startswith("<!DOCTYPE html>") and written["report.html"].rstrip().endswith("</html>"), "commands: one writes a report")
ok(sorted(written["findings.ndjson"].splitlines()) == sorted(psql("SELECT finding FROM iamwatch.ocsf_findings").splitlines()), "commands: one writes the findings, a line each")
bulk = [json.loads(line) for line in written["bulk.ndjson"].splitlines()]
ok({action["create"]["_id"]: event for action, event in zip(bulk[::2], bulk[1::2])} == {e["event"]["id"]: e for e in events}, "commands: one writes what a bulk request takes")

# Grafana
dashboard = json.load(open(os.path.join(ROOT, "docs", "grafana-dashboard.json")))


def grafana(sql, interval="86400"):
    sql = re.sub(r"\$__timeFilter\(([^)]+)\)", r"\1 BETWEEN '2023-06-01T00:00:00Z' AND '2023-07-31T00:00:00Z'", sql)
    sql = re.sub(r"\$__timeGroup\(([^,]+), *\$__interval\)", rf"floor(extract(epoch from \1)/{interval})*{interval}", sql)
    sql = sql.replace("${severity:sqlstring}", "'informational','low','medium','high','critical'").replace("${identity:sqlstring}", "''")
    return sql


queries = [(p["title"], t["rawSql"]) for p in dashboard["panels"] for t in p.get("targets", [])]
queries += [(f"variable {v['name']}", v["query"]) for v in dashboard["templating"]["list"] if v["type"] == "query"]
psql("DROP ROLE IF EXISTS iamwatch_grafana; CREATE ROLE iamwatch_grafana; SELECT iamwatch.grant_access('iamwatch_grafana', 'read');")
for title, sql in queries:
    try:
        rows = psql("SET ROLE iamwatch_grafana; SELECT count(*) FROM (" + grafana(sql) + ") AS q").strip()
        ok(int(rows) > 0 and "$" not in grafana(sql), f"Grafana: {title}: a reader's query gives rows", grafana(sql))
    except RuntimeError as error:
        ok(False, f"Grafana: {title}: a reader's query gives rows", error)
ok(len({p["id"] for p in dashboard["panels"]}) == len(dashboard["panels"]) and all(
    p["datasource"]["uid"] == "${DS_IAMWATCH}" for p in dashboard["panels"]), "Grafana: panels have ids of their own and ask for a data source on import")

# The report
page = psql(f"SET ROLE iamwatch_grafana; SELECT iamwatch.report(of_identity => $e${EVIL}$e$);")
psql("DROP OWNED BY iamwatch_grafana; DROP ROLE iamwatch_grafana;")


class Page(html.parser.HTMLParser):
    def __init__(self):
        super().__init__()
        self.open, self.tags, self.labelled, self.attributes, self.faults, self.text = [], [], [], [], [], ""

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs
        if tag == "svg":
            self.labelled.append(dict(attrs).get("aria-labelledby") if dict(attrs).get("role") == "img" else None)
        if tag != "meta":
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        self.open.pop()

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.faults.append(tag)

    def handle_data(self, data):
        self.text += data


def look(source):
    parser = Page()
    parser.feed(source)
    parser.close()
    return parser


seen = look(page)
ok(not seen.faults and not seen.open, "report: every element is closed in order", (seen.faults, seen.open))
ok(not {"img", "link", "iframe", "object", "a", "base", "form"} & set(seen.tags) and not any(name.startswith("on") or name in ("src", "href") for name, _ in seen.attributes)
   and not re.search(r"url\(|@import", page.split("</style>")[0]), "report: nothing from elsewhere", set(seen.tags))
script = re.search(r"<script>(.*)</script></body></html>\s*$", page, re.S).group(1)
ok(seen.tags.count("script") == 1 and re.search(r"script-src 'sha256-([^']+)'", page).group(1) == base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
   and "innerHTML" not in script, "report: one script, named by its hash, that makes no HTML")
ok("<script>document.title='owned'" in seen.text and "\u202e" not in re.sub(r"<bdi>.*?</bdi>", "", page, flags=re.S),
   "report: what an attacker wrote is shown as text, its direction kept to itself")
ok(len(seen.labelled) >= 3 and all(("id", label) in seen.attributes for label in seen.labelled), "report: every picture has a title for screen readers", seen.labelled)


def luminance(colour):
    colour = colour[1:] if len(colour) == 7 else "".join(c * 2 for c in colour[1:])
    parts = [int(colour[i:i + 2], 16) / 255 for i in (0, 2, 4)]
    return sum(w * (p / 12.92 if p <= 0.03928 else ((p + 0.055) / 1.055) ** 2.4) for w, p in zip((0.2126, 0.7152, 0.0722), parts))


def contrast(a, b):
    light, dark = sorted((luminance(a), luminance(b)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


for name, block, chip in (("light", page.split("@media")[0], "#fff"), ("dark", page.split("@media")[1], "#10151c")):
    colours = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{3,6})", block))
    weak = [(a, b) for a, b in [("ink", "card"), ("ink", "back"), ("soft", "card"), ("soft", "back")] if contrast(colours[a], colours[b]) < 4.5]
    weak += [s for s in ("informational", "low", "medium", "high", "critical") if contrast(colours[s], chip) < 4.5]
    weak += [s for s in ("any", "usual", "sens-2", "sens-3", "sens-4") if contrast(colours[s], colours["card"]) < 2]
    ok(not weak, f"report: text can be read in the {name} scheme (WCAG 2 AA)", weak)

chromium = shutil.which("chromium") or shutil.which("chromium-browser")
if chromium:
    with tempfile.TemporaryDirectory() as folder:
        with open(os.path.join(folder, "report.html"), "w") as out:
            out.write(page)

        def browse(*options):
            return subprocess.run([chromium, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
                                   "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
                                   f"--user-data-dir={folder}/profile", "--window-size=1200,2000", *options, f"file://{folder}/report.html"],
                                  capture_output=True, timeout=100, text=True, env=dict(os.environ, HOME=folder)).stdout
        dom = browse("--dump-dom", f"--screenshot={folder}/shown.png")
        shown = look(dom)
        ok("<title>iamwatch: unusual IAM activity</title>" in dom and shown.tags.count("script") == 1 and "img" not in shown.tags,
           "browser: the attacker's HTML did nothing", dom[:300])
        ok(all(shown.tags.count(tag) == seen.tags.count(tag) > 0 for tag in ("svg", "rect", "circle", "details", "td"))
           and shown.tags.count("article") == int(psql("SELECT count(*) FROM iamwatch.incidents")),
           "browser: all pictures and incidents are in the page")
        ok(f"<output>{seen.tags.count('article')} of {seen.tags.count('article')}</output>" in dom, "browser: the filter is there, and shows all at first")
        # what a reader does, in a page that allows another script
        asks = """<script>(function () {
            var c = document.querySelector('.controls'), out = c.querySelector('output'), all = [], name = document.querySelector('article .who').textContent;
            function ask(set) { set(); c.dispatchEvent(new Event('input')); all.push(out.textContent); }
            ask(function () { c.querySelector('input').value = 'no such words anywhere'; });
            ask(function () { c.querySelector('input').value = ''; c.querySelectorAll('select')[1].value = 'critical'; });
            ask(function () { c.querySelectorAll('select')[1].value = ''; c.querySelectorAll('input')[1].checked = true; });
            all.push(document.querySelectorAll('article:not([hidden])').length === document.querySelectorAll('article[data-u]').length);
            document.querySelector('article summary').click();
            all.push(document.querySelector('article details').open);
            document.title = JSON.stringify(all);
        }());</script></body>"""
        with open(os.path.join(folder, "report.html"), "w") as out:
            out.write(re.sub(r"<meta http-equiv=[^>]*>", "", page).replace("</body>", asks))
        said = json.loads(html.unescape(re.search(r"<title>(.*?)</title>", browse("--dump-dom")).group(1)))
        ok(said[0].startswith("0 of ") and said[1].startswith(psql("SELECT count(*) FROM iamwatch.incidents WHERE severity = 'critical'").strip() + " of "),
           "browser: filter by words and by severity", said)
        ok(said[2].split(" ")[0] == psql("SELECT count(*) FROM iamwatch.incidents WHERE urgent AND open_alerts > 0").strip() and said[3], "browser: filter by urgent", said)
        ok(said[4], "browser: a line opens to its story", said)
        ok(os.path.getsize(f"{folder}/shown.png") > 30000, "browser: the page was painted")
else:
    for description in ("the attacker's HTML did nothing", "all pictures and incidents are in the page", "the filter is there, and shows all at first",
                        "filter by words and by severity", "filter by urgent", "a line opens to its story", "the page was painted"):
        skip("browser: " + description, "chromium cannot be had")

ok("No alerts in this period" in psql("SELECT iamwatch.report('2001-01-01', '2001-02-01')"), "report: a period without alerts says so")
ok(psql("TRUNCATE iamwatch.alerts; SELECT iamwatch.report() LIKE '%No alerts in this period%'").strip() == "t", "report: so does a database without any")

database.drop()
finish()
