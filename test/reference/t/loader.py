"""iamwatch_load: what it takes, what it skips, and that it loads everything once, in order."""
import base64
import gzip
import json
import os
import pty
import random
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
import generate
import reference
from harness import ROOT, Database, difference, finish, ok, skip

PROGRAM = shutil.which("iamwatch_load") or os.path.join(ROOT, "bin", "iamwatch_load")
database = Database("iamwatch_loader")
psql = database.psql
environment = dict(os.environ, PGDATABASE=database.name, PYTHONDONTWRITEBYTECODE="1")
environment.pop("PYTHONPATH", None)


def load(*arguments, table="audit_log", **more):
    return subprocess.run([PROGRAM, "--table", table, *arguments], env=dict(environment, **more), capture_output=True, text=True)


def start(*arguments):
    return subprocess.Popen([PROGRAM, "--table", "audit_log", *arguments], env=environment,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def fresh(columns="id bigint GENERATED ALWAYS AS IDENTITY, event jsonb", watch=False):
    database.create()
    psql(f"CREATE EXTENSION iamwatch; CREATE TABLE audit_log ({columns});" + ("SELECT iamwatch.watch('audit_log');" if watch else ""))


def rows():
    return int(psql("SELECT count(*) FROM audit_log"))


def until(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.05)
    return condition()


def event(n, at="2026-03-01T10:00:00Z", **more):
    return dict({"eventTime": at, "eventSource": "iam.amazonaws.com", "eventName": "CreateUser", "eventID": f"e{n}",
                 "recipientAccountId": "111122223333",
                 "userIdentity": {"type": "IAMUser", "arn": "arn:aws:iam::111122223333:user/ann"}}, **more)


def lines(events):
    return "".join(json.dumps(e) + "\n" for e in events)


def minute(n):
    return f"2026-03-{1 + n // 1440:02}T{n // 60 % 24:02}:{n % 60:02}:00Z"


if subprocess.run(["/usr/bin/python3", "-c", "import psycopg"], capture_output=True).returncode:
    skip("iamwatch_load", "psycopg is not installed")
    finish()
    sys.exit()

folder = tempfile.mkdtemp(prefix="iamwatch_loader.")


def put(name, content):
    path = os.path.join(folder, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        file.write(content.encode() if isinstance(content, str) else content)
    return path


def empty():
    shutil.rmtree(folder)
    os.mkdir(folder)


# Forms of files: each holds the events of two numbers.
forms = {
    "trail.json.gz": lambda a, b: gzip.compress(json.dumps({"Records": [a, b]}).encode()),
    "AWSLogs/1/CloudTrail/it's $(here).json.gz": lambda a, b: gzip.compress(b'{"Records":[' + json.dumps(a).encode() + b"," + json.dumps(b).encode() + b"]}"),
    "members.json.gz": lambda a, b: gzip.compress(json.dumps(a).encode()) + gzip.compress(json.dumps(b).encode()),
    "not compressed.json.gz": lambda a, b: json.dumps([a, b]),
    "lines.ndjson": lambda a, b: lines([a, b]),
    "lines.jsonl": lambda a, b: lines([a, b]).rstrip(),
    "lines.ndjson.gz": lambda a, b: gzip.compress(lines([a, b]).encode()),
    "crlf.ndjson": lambda a, b: lines([a, b]).replace("\n", "\r\n"),
    "mark.json": lambda a, b: "\ufeff" + json.dumps([a, b]),
    "pretty.json": lambda a, b: json.dumps([a, b], indent="\t").replace("\n", "\r\n"),
    "glued.json": lambda a, b: json.dumps(a) + json.dumps(b),
    "separated.json": lambda a, b: "\x1e" + json.dumps(a) + "\n\x1e" + json.dumps(b),
    "text.json": lambda a, b: json.dumps(json.dumps([a, b])),
    "lookup.json": lambda a, b: json.dumps({"Events": [{"EventId": "1", "CloudTrailEvent": json.dumps(e)} for e in (a, b)], "NextToken": "n"}),
    "filter.json": lambda a, b: json.dumps({"events": [{"message": json.dumps(e), "timestamp": 1} for e in (a, b)], "searchedLogStreams": []}),
    "exported.json.gz": lambda a, b: gzip.compress("".join(f"2026-03-01T10:00:05.000Z {json.dumps(e)}\n" for e in (a, b)).encode()),
    "tailed.json": lambda a, b: "".join(f"2026-03-01T10:00:05.000000+00:00 111122223333_CloudTrail_us-east-1 {json.dumps(e)}\n" for e in (a, b)),
    "query.json": lambda a, b: json.dumps({"tables": [{"columns": [{"name": n} for n in a], "rows": [list(a.values()), list(b.values())]}]}),
    "search.json": lambda a, b: json.dumps({"hits": {"hits": [{"_source": {"event": {"original": json.dumps(e)}}} for e in (a, b)]}}),
    "subscription.json": lambda a, b: json.dumps({"messageType": "DATA_MESSAGE", "logEvents": [{"id": "1", "message": json.dumps(e)} for e in (a, b)]}),
    "firehose.json": lambda a, b: "".join(json.dumps({"messageType": "DATA_MESSAGE", "logEvents": [{"id": "1", "message": json.dumps(e)}]}) for e in (a, b)),
    "bridge.json": lambda a, b: json.dumps([{"detail-type": "AWS API Call via CloudTrail", "detail": e} for e in (a, b)]),
    "queue.json": lambda a, b: json.dumps({"Messages": [{"MessageId": "m", "Body": json.dumps({"Type": "Notification", "TopicArn": "t", "Message": json.dumps(e)})} for e in (a, b)]}),
    "kinesis.json": lambda a, b: json.dumps({"Records": [{"eventSource": "aws:kinesis", "eventName": "aws:kinesis:record", "kinesis": {"data": base64.b64encode(json.dumps(e).encode()).decode()}} for e in (a, b)]}),
    "compressed inside.json": lambda a, b: json.dumps({"awslogs": {"data": base64.b64encode(gzip.compress(json.dumps({"messageType": "DATA_MESSAGE", "logEvents": [{"id": "1", "message": json.dumps(e)} for e in (a, b)]}).encode())).decode()}}),
    "graph.json": lambda a, b: json.dumps({"@odata.context": "x", "value": [a, b]}),
}
fresh()
expected = []
for n, (name, form) in enumerate(forms.items()):
    pair = [event(f"{name} {i}", minute(100 * n + 7 * i), userAgent="b\u00fcro \\ \" \u2028") for i in (1, 0)]
    expected += pair
    put(name, form(*pair))
put("control.json", json.dumps({"messageType": "CONTROL_MESSAGE", "logEvents": [{"id": "1", "message": "CWL CONTROL MESSAGE"}]}))
put("none.json", '{"Records":[]}')
put("digest.json.gz", gzip.compress(b'{"awsAccountId": "1", "digestStartTime": "2026-03-01T10:00:00Z", "logFiles": []}'))
put("README.txt", "hello")
tried = load("--dry-run", folder)
ok(tried.returncode == 0 and f"{len(expected)} events of {len(forms) + 2} files to load" in tried.stdout and "1 CloudTrail digest left out" in tried.stdout,
   "dry run: tells how many events of how many files", tried.stdout + tried.stderr)
ok(rows() == 0 and psql("SELECT to_regclass('iamwatch_loaded') IS NULL").strip() == "t", "dry run: stores nothing and makes no table")
done = load(folder)
got = [json.loads(r) for r in psql("SELECT event FROM audit_log ORDER BY id").strip().split("\n")]
ok(done.returncode == 0, "all forms: exit status 0", done.stdout + done.stderr)
ok(sorted(json.dumps(e, sort_keys=True) for e in got) == sorted(json.dumps(e, sort_keys=True) for e in expected),
   f"all forms: each event once ({len(expected)})", "\n".join(sorted({e["eventID"] for e in expected} ^ {e.get("eventID", str(e)) for e in got})))
ok([e["eventTime"] for e in got] == sorted(e["eventTime"] for e in expected), "rows are stored in order of event time, across files", got)
done = load(folder)
ok(done.returncode == 0 and rows() == len(expected) and f"0 events of 0 files loaded into public.audit_log; {len(forms) + 2} files loaded before" in done.stdout,
   "run again: nothing is loaded twice", done.stdout + done.stderr)
shutil.copy(os.path.join(folder, "lines.ndjson"), os.path.join(folder, "copy.ndjson"))
os.rename(os.path.join(folder, "crlf.ndjson"), os.path.join(folder, "moved.ndjson"))
os.utime(os.path.join(folder, "pretty.json"), (1, 1))
done = load(os.path.join(folder, "**", "*.*json*"))
ok(done.returncode == 0 and rows() == len(expected), "a copy, a file that moved and one that was touched are known", done.stdout + done.stderr)
tried = load("--dry-run", folder)
ok(f"copy.ndjson: is loaded already, as {folder}/lines.ndjson" in tried.stdout, "dry run: tells what is loaded already", tried.stdout)
load(folder, "--column", "event", "--state", 'public."my files"')
ok(rows() == 2 * len(expected) and int(psql('SELECT count(*) FROM "my files"')) == len(forms) + 2, "--state: another table knows nothing of it")

# What CloudWatch Logs exports: the head of a line wherever a piece of the file ends.
empty()
fresh()
put("exported.json", "".join(f"2026-03-01T10:00:05.000Z {json.dumps(event(n, minute(n), userAgent='x' * (n % 997)))}\n" for n in range(6000)))
done = load(folder)
ok(done.returncode == 0 and rows() == 6000, "6,000 lines that begin with a time, in several pieces", done.stdout + done.stderr)

# Files of a folder that are named as no log is: exports of CloudWatch Logs and Athena are taken, others are told of.
empty()
fresh()
put("export/000000.gz", gzip.compress(lines([event("a", minute(1))]).encode()))
put("unload/20260301_000000_00001_x.gz", gzip.compress(lines([event("b", minute(2))]).encode()))
put("export/aws-logs-write-test", "Permission Check Successful")
put("access.log.gz", gzip.compress(b"GET /"))
put("table.parquet", b"PAR1")
done = load(folder)
ok(done.returncode == 0 and rows() == 2, "a folder: files of which .gz is the only ending are taken", done.stdout + done.stderr)
ok(f"3 files of other endings left out, such as {folder}/access.log.gz: to load them, name them" in done.stdout, "and it says that others are left out", done.stdout)
put("access.log.gz", gzip.compress(lines([event("c", minute(3))]).encode()))
done = load(folder, os.path.join(folder, "access.log.gz"))
ok(done.returncode == 0 and rows() == 3 and "2 files of other endings left out" in done.stdout, "unless they are named", done.stdout + done.stderr)
empty()
done = load(folder)
ok(done.returncode == 0 and "left out" not in done.stdout, "and nothing where there are none", done.stdout)

# What grew: only what came to it.
empty()
fresh()
grown = put("grown.ndjson", lines(event(n, minute(n)) for n in (5, 3)))
load(folder)
put("grown.ndjson", lines(event(n, minute(n)) for n in (5, 3, 4, 1)))
done = load(folder)
ok(done.returncode == 0 and psql("SELECT string_agg(event->>'eventID', ' ' ORDER BY id) FROM audit_log").strip() == "e3 e5 e1 e4",
   "of a file that grew, what came to it is loaded", done.stdout + psql("SELECT * FROM audit_log"))


def message(e):
    return {"Type": "Notification", "TopicArn": "t", "Message": json.dumps(e)}


mixed = [event(9), message(event(8)), event(7), message(event(6)), event(5)]
put("mixed.ndjson", lines(mixed[:3]))
load(folder)
put("mixed.ndjson", lines(mixed))
done = load(folder)
ok(psql("SELECT string_agg(event->>'eventID', ' ' ORDER BY id) FROM audit_log").strip() == "e3 e5 e1 e4 e9 e8 e7 e6 e5",
   "also where records and messages stand side by side", done.stdout + psql("SELECT * FROM audit_log"))

# What is broken is named, and keeps nothing else out.
empty()
fresh()
whole = gzip.compress(json.dumps({"Records": [event(n) for n in range(200)]}).encode(), 1)
broken = {
    "cut.json.gz": (whole[:len(whole) // 2], "is cut"),
    "flipped.json.gz": (whole[:300] + bytes([whole[300] ^ 255]) + whole[301:], "is broken"),
    "garbage.json.gz": (whole + b"garbage", "is broken"),
    "cut.json": (json.dumps({"Records": [event(1), event(2)]})[:-20], "is cut"),
    "cut.ndjson": (lines([event(1), event(2)])[:-30], "is cut"),
    "odd line.ndjson": (lines([event(1)]) + "{oops}\n" + lines([event(2)]), "is no JSON"),
    "latin.ndjson": (json.dumps(event(1, userAgent="b\u00fcro"), ensure_ascii=False).encode("latin-1"), "is not in utf-8: byte 0xfc near byte "),
    "utf16.json": (json.dumps([event(1)]).encode("utf-16"), "is in another encoding"),
    "utf16 without mark.json": (json.dumps([event(1)]).encode("utf-16-le"), "is in another encoding"),
    "empty.json": ("", "is empty"),
    "empty.json.gz": (gzip.compress(b""), "is empty"),
    "blank.ndjson": ("\ufeff\r\n \n", "is empty"),
    "hello.json": ("hello", "is no JSON"),
    "package.json": ('{"name": "x", "version": "1"}', "holds no audit records"),
    "numbers.json": ("[1, 2]", "holds no audit records"),
    "nan.json": (json.dumps([event(1, x=float("nan"))]), "is no JSON"),
    "large number.json": (json.dumps([event(1)]).replace('"e1"', "1e999999"), "has a number that jsonb cannot hold"),
    "long number.json": (json.dumps([event(1)]).replace('"e1"', "1" * 5000), "has a number that jsonb cannot hold"),
    "deep.json": ("[" + json.dumps(event(1))[:-1] + ', "x": ' + "[" * 100000 + "]" * 100000 + "}]", "has a document that is nested too deep"),
    "zero byte.json": (json.dumps([event(1)]).replace("e1", "e\0"), "is no JSON"),
}
good = {"a.json.gz": whole, "z.ndjson": lines([event("odd", userAgent="a\0b\ud800c\ud83d\ude00 \\u0000")])}
for name, (content, reason) in broken.items():
    put(name, content)
for name, content in good.items():
    put(name, content)
done = load(folder)
listed = done.stdout[done.stdout.index("skipped:"):] if "skipped:" in done.stdout else ""
ok(done.returncode == 1 and rows() == 201, "broken files: exit status 1, and what is whole is loaded", done.stdout + done.stderr)
for name, (content, reason) in broken.items():
    ok(f"{name}: {reason}" in listed, f"{name} is listed: {reason}", listed)
ok(len(re.findall("^  ", listed, re.M)) == len(broken), "and no other is")
ok(psql("SELECT event->>'userAgent' FROM audit_log WHERE event->>'eventID' = 'eodd'").strip() == "a\ufffdb\ufffdc\U0001F600 \\u0000",
   "\\u0000 and half surrogate pairs become U+FFFD, nothing else does")
put("cut.json", json.dumps({"Records": [event(1), event(2)]}))
done = load(folder)
ok(done.returncode == 1 and rows() == 203, "a broken file that is whole now is loaded", done.stdout)
done = load(os.path.join(folder, "utf16.json"), "--encoding", "utf-16")
ok(done.returncode == 0 and rows() == 204, "--encoding: files in another are loaded", done.stdout + done.stderr)
done = load(os.path.join(folder, "latin.ndjson"), "--replace")
ok(done.returncode == 0 and "b\ufffdro" in psql("SELECT event FROM audit_log"), "--replace: what is not of the encoding becomes U+FFFD", done.stdout)

# What the table refuses is named with its file.
fresh()
psql("ALTER TABLE audit_log ADD CHECK (event->>'eventName' <> 'Refused')")
empty()
put("1.json", json.dumps([event(1, minute(1))]))
put("2.json", json.dumps([event(2, minute(2), eventName="Refused")]))
put("3.json", json.dumps([event(3, minute(3))]))
done = load(folder)
ok(done.returncode == 1 and rows() == 2 and re.search(r"2\.json: the database refuses an event of it: new row .* violates check", done.stdout),
   "a file with an event that the table refuses is named, the others are loaded", done.stdout + done.stderr)

# What the database says is passed on, once; at a terminal there is a bar.
psql("DELETE FROM audit_log; DELETE FROM iamwatch_loaded; CREATE FUNCTION warn() RETURNS trigger LANGUAGE plpgsql AS $$"
     "BEGIN RAISE WARNING 'mind this' USING HINT = 'Do that.'; RETURN NULL; END $$;"
     "CREATE TRIGGER warn AFTER INSERT ON audit_log EXECUTE FUNCTION warn()")
done = load(folder, "--batch", "1")
ok(done.stderr.count("warning: mind this. Do that.") == 1, "a warning of the database is shown once", done.stderr)
psql("DROP TRIGGER warn ON audit_log; DELETE FROM iamwatch_loaded")
controller, terminal = pty.openpty()
loader = subprocess.Popen([PROGRAM, "--table", "audit_log", folder], env=environment, stdout=subprocess.PIPE, stderr=terminal)
loader.communicate()
os.close(terminal)
shown = b""
while True:
    try:
        piece = os.read(controller, 65536)
    except OSError:
        piece = b""
    if not piece:
        break
    shown += piece
os.close(controller)
ok(re.search(rb"\[#{20}\] loaded 2 events, 100%, [0-9,]+/s", shown), "at a terminal a bar shows how far it is", shown)

# Names of files that are no UTF-8, and databases that are not in it.
empty()
put(os.fsdecode(b"caf\xe9.json"), json.dumps([event(1, userAgent="caf\u00e9 \u20ac \ud83d\ude00 \\u20ac")]))
put(os.fsdecode(b"b\xe9.json"), "{")
fresh()
done = load(folder)
ok(done.returncode == 1 and rows() == 1 and "b\\udce9.json: is cut" in done.stdout and load(folder).stdout.startswith("0 events"),
   "names of files that are no UTF-8 are told and remembered", done.stdout + done.stderr)
for encoding, locale, agent in (("LATIN1", "C", "caf\u00e9 ? ? \\u20ac"), ("LATIN9", "C", "caf\u00e9 \u20ac ? \\u20ac")):
    for escaped in (True, False):
        database.drop()
        subprocess.run(["createdb", "-T", "template0", "-E", encoding, "--locale", locale, database.name], check=True)
        done = database.run("CREATE EXTENSION iamwatch; CREATE TABLE audit_log (event jsonb); SELECT iamwatch.watch('audit_log')")
        put(os.fsdecode(b"caf\xe9.json"), json.dumps([event(1, userAgent="caf\u00e9 \u20ac \U0001F600 \\u20ac")], ensure_ascii=escaped))
        done = load(folder)
        got = psql("SET client_encoding = 'UTF8'; SELECT event->>'userAgent' FROM audit_log").strip()
        ok(got == agent, f"{encoding}, {'escapes' if escaped else 'UTF-8'}: what the database has no character for becomes a question mark", got + done.stdout + done.stderr)

# Columns of other types, and tables that are none.
empty()
for n in range(3):
    put(f"{n}.json", json.dumps([event(n, minute(n))]))
for kind in ("json", "text", "varchar"):
    fresh(f"event {kind}")
    ok(load(folder).returncode == 0 and rows() == 3, f"a column of type {kind}")
fresh("id bigint, event integer, doc jsonb")
for arguments, reason in ((("--table", "nowhere"), "table nowhere does not exist"), (("--column", "event"), "is of type integer"),
                          (("--column", "doc", "--dsn", "host=/nowhere"), "connection"), (("--column", "x"), "has no column x"),
                          (("--column", "doc", "/nowhere/*.json"), "no such file"), (("--batch", "0"), "no number above 0"),
                          (("--column", "doc", "--state", "a.b.c.d"), "no name of a table"),
                          (("--table", "Audit Log"), "quote it as in SQL"), (("--table", "a.b.c.d"), "no name of a table"), (("--encoding", "klingon"), "unknown encoding")):
    done = load(folder, *arguments)
    ok(done.returncode == 2 and reason in done.stderr, f"exit status 2: {reason}", done.stdout + done.stderr)
ok(load(folder, "--column", "doc").returncode == 0 and rows() == 3, "--column: another one")
done = subprocess.run([PROGRAM, "--table", "audit_log", "--column", "doc", folder], env=environment, stdout=open("/dev/full", "w"),
                      stderr=subprocess.PIPE, text=True)
ok(done.returncode == 2 and "No space left" in done.stderr and "Traceback" not in done.stderr,
   "exit status 2 where nobody can read what was loaded", done.stderr)
done = subprocess.run([PROGRAM, "--table", "audit_log", "--column", "doc", "/dev/stdin"], env=environment, input=lines([event(9)]),
                      capture_output=True, text=True)
ok(done.returncode == 1 and "/dev/stdin: is no regular file" in done.stdout, "a pipe is named as what it is", done.stdout + done.stderr)

# Other providers' records, by where their time is.
fresh()
empty()
put("okta.json", json.dumps([{"uuid": str(n), "when": {"published": minute(n)}} for n in (2, 1)]))
ok(load(folder).returncode == 1, "records of no known form are no audit log")
ok(load(folder, "--time", "when.published").returncode == 0 and psql("SELECT string_agg(event->>'uuid', ' ' ORDER BY id) FROM audit_log").strip() == "1 2",
   "--time: unless it is said where their time is")

# Killed half-way: the same command loads the rest.  More than memory holds, and in no order.
fresh()
empty()
rng = random.Random(1)
numbers = list(range(40000))
rng.shuffle(numbers)
put("large.ndjson", lines(event(n, minute(n % 40000), userAgent="x" * 100) for n in numbers[:30000]))
put("larger.json.gz", gzip.compress(json.dumps({"Records": [event(n, minute(n)) for n in numbers[30000:]]}).encode(), 1))
kills = 0
for wanted in (1, 9000, 21000):
    loader = start(folder, "--batch", "200", "--memory", "1")
    until(lambda: rows() >= wanted or loader.poll() is not None)
    loader.send_signal(signal.SIGKILL)
    loader.communicate()
    kills += loader.returncode == -signal.SIGKILL and rows() < 40000
ok(kills == 3, "killed three times before it was done")
blocker = subprocess.Popen(["psql", "-qX", "-d", database.name], stdin=subprocess.PIPE, text=True)
blocker.stdin.write("BEGIN; LOCK TABLE audit_log IN SHARE MODE;\n")
blocker.stdin.flush()
until(lambda: psql("SELECT count(*) FROM pg_locks WHERE mode = 'ShareLock' AND relation = 'audit_log'::regclass").strip() == "1")
loader = start(folder, "--batch", "500", "--memory", "1")
until(lambda: psql("SELECT count(*) FROM pg_locks WHERE NOT granted").strip() == "1")
loader.send_signal(signal.SIGTERM)
out, err = loader.communicate()
blocker.stdin.close()
blocker.wait()
ok(loader.returncode == 130 and "interrupted" in err and "0 events of 0 files" in out, "ended by a signal: exit status 130", out + err)
done = load(folder, "--batch", "500", "--memory", "1")
ok(done.returncode == 0 and psql("SELECT count(*), count(DISTINCT event->>'eventID') FROM audit_log").strip() == "40000|40000",
   "run again: the rest, and nothing twice", done.stdout + done.stderr + psql("SELECT * FROM iamwatch_loaded"))
ok(psql("SELECT count(*) FROM (SELECT event->>'eventTime' < lag(event->>'eventTime') OVER (ORDER BY id) AS back FROM audit_log) AS x WHERE back").strip() == "0",
   "in order of time, through all of it, with 1 MB to sort in")

# Two at once.
fresh()
two = [start(folder, "--batch", "500") for _ in range(2)]
ends = [p.communicate() + (p.returncode,) for p in two]
ok([e[2] for e in ends] == [0, 0] and psql("SELECT count(*), count(DISTINCT event->>'eventID') FROM audit_log").strip() == "40000|40000",
   "two at once double nothing", ends)
ok(any("waiting for another iamwatch_load" in e[1] for e in ends), "one waits for the other, so that the order stays", ends)

# Follow: goes on with new files, and with what is written slowly.
fresh()
empty()
put("1.json", json.dumps([event(1)]))
loader = start(folder, "--follow", "--poll", "1")
ok(until(lambda: rows() == 1), "follow: what is there is loaded")
with open(os.path.join(folder, "2.ndjson"), "w") as slow:
    for n in range(6):
        slow.write(lines([event(f"slow{n}")]))
        slow.flush()
        time.sleep(0.4)
put("3.json.gz", whole[:len(whole) // 2])
ok(until(lambda: rows() == 7), "follow: new files are loaded, once they do not grow", rows())
time.sleep(3)
put("3.json.gz", whole)
ok(until(lambda: rows() == 207), "follow: a file that was cut is loaded when it is whole", rows())
other = load(folder)
ok(other.returncode == 0 and rows() == 207, "follow: another loader need not wait meanwhile", other.stdout + other.stderr)
loader.send_signal(signal.SIGTERM)
out, err = loader.communicate()
ok(loader.returncode == 0 and "207 events of " in out, "follow: a signal ends it in order", out + err)

# Least privilege.
role = "iamwatch_test_load"
subprocess.run(["psql", "-qX", "-d", "postgres", "-c", f"DROP ROLE IF EXISTS {role}"], check=True, capture_output=True)
fresh(watch=True)
empty()
put("1.json", json.dumps({"Records": [event(1)]}))
put("2.json", json.dumps({"Messages": [{"MessageId": "m", "Body": json.dumps(event(2))}]}))
psql(f"REVOKE CREATE ON SCHEMA public FROM PUBLIC; CREATE ROLE {role} LOGIN; GRANT INSERT ON audit_log TO {role}")
done = load(folder, PGUSER=role)
statements = re.search(r"CREATE TABLE.*?;\nGRANT [^;]*;", done.stderr, re.S)
ok(done.returncode == 2 and statements, "a role that may not make the table is told what its owner is to run", done.stdout + done.stderr)
psql(statements[0] if statements else "")
done = load(folder, PGUSER=role)
ok(done.returncode == 1 and rows() == 1 and "2.json: holds records in messages, and this role may not call iamwatch.records()" in done.stdout,
   "INSERT alone is enough for files of records; a file of messages is named", done.stdout + done.stderr)
psql(f"SELECT iamwatch.grant_access('{role}', 'load')")
done = load(folder, PGUSER=role)
ok(done.returncode == 0 and rows() == 2 and psql("SELECT count(*) FROM iamwatch.identities").strip() == "1", "with grant_access(…, 'load') those too, and they are watched",
   done.stdout + done.stderr)
ok("ERROR" in database.run(f"SET ROLE {role}; SELECT FROM audit_log").stderr, "and it can read nothing of it")
for index in "", "CREATE UNIQUE INDEX ON audit_log ((event->>'eventID'))":
    psql("TRUNCATE audit_log, iamwatch_loaded; ALTER TABLE audit_log ENABLE ROW LEVEL SECURITY; DROP POLICY IF EXISTS p ON audit_log;"
         f"CREATE POLICY p ON audit_log FOR INSERT WITH CHECK (event->>'eventName' <> 'Forbidden'); {index}")
    done = load(folder, PGUSER=role)
    ok(done.returncode == 0 and rows() == 2, f"also where row level security lets it only insert{', with a unique index' if index else ''}",
       done.stdout + done.stderr)
psql("DROP POLICY p ON audit_log; ALTER TABLE audit_log DISABLE ROW LEVEL SECURITY")

# Whoever may create objects where the table is gets nothing of who loads.
empty()
psql(f"DROP TABLE IF EXISTS iamwatch_loaded; GRANT CREATE ON SCHEMA public TO {role}; SET ROLE {role}; "
     "CREATE TABLE ran (who text); GRANT INSERT, SELECT ON ran TO PUBLIC; "
     "CREATE FUNCTION trap() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN INSERT INTO public.ran VALUES (current_user); RETURN NEW; END$$; "
     + re.search(r"CREATE TABLE.*?;", statements[0], re.S)[0] +
     "CREATE TRIGGER t BEFORE INSERT OR UPDATE ON iamwatch_loaded FOR EACH ROW EXECUTE FUNCTION trap(); GRANT ALL ON iamwatch_loaded TO PUBLIC")
put("1.json", json.dumps({"Records": [event(1)]}))
done = load(folder)
ok(done.returncode == 2 and f"belongs to {role}: name another place by --state" in done.stderr and psql("SELECT count(*) FROM ran").strip() == "0",
   "a table of state that somebody else has made is not used", done.stdout + done.stderr)
psql("DROP TABLE iamwatch_loaded")
for left, right in (("oid", "regclass"), ("oid", "int2"), ("oid", "int4"), ("oid", "int8")):
    psql(f"SET ROLE {role}; CREATE FUNCTION trap(l {left}, r {right}) RETURNS boolean LANGUAGE plpgsql AS "
         "$$BEGIN INSERT INTO public.ran VALUES (current_user); RETURN l OPERATOR(pg_catalog.=) r::oid; END$$; "
         f"CREATE OPERATOR public.= (LEFTARG = {left}, RIGHTARG = {right}, FUNCTION = trap)")
psql(f"SET ROLE {role}; CREATE FUNCTION format_type(oid, text) RETURNS text LANGUAGE plpgsql AS "
     "$$BEGIN INSERT INTO public.ran VALUES (current_user); RETURN pg_catalog.format_type($1, NULL); END$$")
done = load(folder)
ok(done.returncode == 0 and psql("SELECT string_agg(DISTINCT who, ' ') FROM ran").strip() == "",
   "nor are functions and operators in its schema", psql("TABLE ran") + done.stderr)
psql(f"DROP TABLE iamwatch_loaded; DROP OWNED BY {role} CASCADE; GRANT INSERT ON audit_log TO {role}")

# A unique index on the event id: events that come again in other files are left out.
events = generate.generate(7, days=60, per_day=40)
for e in events:
    e["id"] = e.get("eventID") or e.get("insertId") or f"{e.get('eventTime', e.get('timestamp'))} {e.get('eventName')}"
unique = {e["id"]: e for e in events}
alerts = {}
layouts = {
    "no index": ("event jsonb", ""),
    "unique index": ("event jsonb", "CREATE UNIQUE INDEX ON audit_log ((event->>'id'))"),
    "unique index of a partitioned table": (
        "id text GENERATED ALWAYS AS (event->>'id') STORED, event jsonb", "ALTER TABLE audit_log RENAME TO part; ALTER TABLE part ADD UNIQUE (id);"
        "CREATE TABLE audit_log (id text GENERATED ALWAYS AS (event->>'id') STORED, event jsonb, shard int DEFAULT 1) PARTITION BY LIST (shard);"
        "ALTER TABLE part ADD shard int DEFAULT 1; ALTER TABLE audit_log ATTACH PARTITION part FOR VALUES IN (1)"),
}
ALERTS = "SELECT identity, operation, failed, first_event_time, last_event_time, event_count, probability, risk FROM iamwatch.alerts ORDER BY 1, 2, 3, 4"
for layout, (columns, index) in layouts.items():
    fresh(columns)
    psql(index + "; SELECT iamwatch.watch('audit_log')")
    empty()
    rng = random.Random(3)
    if layout != "no index":
        put("again.ndjson", lines(rng.sample(events, 300)))
    for n in range(0, len(events), 200):
        put(f"{rng.random()}.json", json.dumps({"Records": events[n:n + 200]}))
    done = load(folder, "--batch", "300")
    alerts[layout] = psql(ALERTS).splitlines()
    ok(done.returncode == 0 and rows() == len(events if layout == "no index" else unique), f"{layout}: each event once", done.stdout + done.stderr)
    if layout != "no index":
        ok(", " in done.stdout or "there already" in done.stdout, f"{layout}: tells how many were there", done.stdout)
    ok(len(alerts[layout]) > 20 and alerts[layout] == alerts["no index"], f"{layout}: the same alerts", difference(alerts[layout], alerts["no index"]))

# With deferrable constraints PostgreSQL has no ON CONFLICT: the table refuses what is there twice.
fresh("event jsonb, id text GENERATED ALWAYS AS (event->>'eventID') STORED UNIQUE DEFERRABLE INITIALLY DEFERRED")
empty()
put("1.json", json.dumps([event(1), event(2)]))
put("2.json", json.dumps([event(2), event(3)]))
done = load(folder)
ok(done.returncode == 1 and rows() == 2 and "2.json: the database refuses an event of it: duplicate key" in done.stdout,
   "a deferrable unique constraint refuses the file with an event that is there", done.stdout + done.stderr)

# As a newcomer does it: a folder of 150 days, whose files find gives in any order.
events = generate.generate(11, days=150, per_day=40)
empty()
rng = random.Random(11)
at = 0
while at < len(events):
    part = events[at:at + rng.randint(1, 90)]
    at += len(part)
    rng.shuffle(part)
    name = f"{rng.choice('abc')}/{rng.random()}"
    if rng.random() < .5:
        put(name + ".json.gz", gzip.compress(json.dumps({"Records": part}).encode()))
    else:
        put(name + ".ndjson", lines(part))
detector = reference.Detector(reference.Catalogue(os.path.join(ROOT, "data", "catalogue")), generate.INSTANCES)
for e in events:
    detector.event(e)
want = detector.rows()
for batch in ("50000", "700"):
    fresh("event jsonb", watch=True)
    psql("".join(f"INSERT INTO iamwatch.instances VALUES ('{p}', 'any', '{i}', '{{{','.join(a)}}}', true);" for p, i, a in generate.INSTANCES))
    done = load(folder, "--batch", batch, "--memory", "1")
    out = psql("SELECT json_agg(r) FROM (SELECT (SELECT json_agg(value ORDER BY n) FROM json_each(row_to_json(a)) WITH ORDINALITY AS e (key, value, n))"
               f" AS r FROM ({reference.QUERY}) AS a) AS x;")
    got = reference.extension_rows(json.loads(out) if out.strip() else [])
    ok(done.returncode == 0 and rows() == len(events), f"150 days in any order, {batch} events a transaction: {len(events)} events are loaded", done.stdout + done.stderr)
    ok(len(want) > 50 and got == want, f"and raise the alerts of the reference, row for row ({len(want)})", difference(got, want))

# Two hundred megabytes, in bounded memory.
fresh("event text")
empty()
path = os.path.join(folder, "large.json")
with open(path, "w") as file:
    file.write('{"@odata.context": "x", "Records": [')
    for n in range(40000):
        file.write(("," if n else "") + json.dumps(event(n, minute(39999 - n), userAgent="x" * 5000)))
    file.write("]}")
before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
done = load(folder, "--memory", "32", "--batch", "5000")
ok(os.path.getsize(path) > 200 << 20 and done.returncode == 0 and rows() == 40000, "a file of 200 MB, newest event first, is loaded", done.stdout + done.stderr)
used = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
ok(used < 200 << 10, f"with {used >> 10} MB of memory, of which --memory is 32", before)
ok(psql("SELECT event::json->>'eventID' FROM audit_log LIMIT 1").strip() == "e39999", "oldest event first")

# What is a record says the loader as the database does.
text = open(PROGRAM).read()
names = {"json": json, "re": re}
exec(text[text.index("def is_record"):text.index("def no_constant")], names)
fields = ("eventName", "eventSource", "eventname", "eventsource", "protoPayload", "protopayload", "activityDateTime", "ActivityDateTime",
          "eventTimestamp", "operationName", "OperationName", "time", "timestamp", "TimeGenerated", "UserIdentityType", "Records", "x")
rng = random.Random(5)
made = [{f: rng.choice(["a", "aws:sqs", None, 1]) for f in rng.sample(fields, rng.randint(1, 4))} for _ in range(3000)]
told = psql("SELECT iamwatch_internal.is_record(d) FROM jsonb_array_elements($x$" + json.dumps(made) + "$x$) AS d").split()
ok([names["is_record"](d) for d in made] == [t == "t" for t in told] and len(set(told)) == 2, "what needs not be opened is the same here and in SQL",
   [d for d, t in zip(made, told) if names["is_record"](d) != (t == "t")][:5])

shutil.rmtree(folder)
database.drop()
subprocess.run(["psql", "-qX", "-d", "postgres", "-c", f"DROP ROLE IF EXISTS {role}"], check=True, capture_output=True)
finish()
