"""Instructions that a backend executes for an event, counted by callgrind.

A single-user server on a data directory of its own runs the same statements
over a bare and over a watched table, once with and once without those that are
counted, so that start and warming up cancel out.  The count is the same in
every run, whatever else the machine does; it leaves out the kernel.
"""
import glob
import json
import os
import random
import re
import shutil
import subprocess
from collections import namedtuple
from concurrent.futures import ThreadPoolExecutor

import workload

EVENTS = int(os.environ.get("BENCH_INSTRUCTION_EVENTS", "10000"))
HERE = os.path.dirname(os.path.abspath(__file__))

# Loaded before: by a session that is over by then.  Warm: by the session that
# is counted, before it is counted.  Counted: what is, and of how many events.
Workload = namedtuple("Workload", "name before warm counted events")
Count = namedtuple("Count", "name bare watched functions")


def available():
    return shutil.which("valgrind") is not None


def as_server(*command, **options):
    """Run as a user that a server may run as."""
    if os.geteuid() == 0:
        command = ("setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups", "env", "HOME=/tmp", *command)
    return subprocess.run(command, check=True, capture_output=True, text=True, **options)


def single_user(data, script, *wrapper):
    """Each line of the script is a statement."""
    done = as_server(*wrapper, shutil.which("postgres"), "--single", "-D", data, "bench",
                     input="".join(line + "\n" for line in script))
    if "ERROR:" in done.stderr:
        raise RuntimeError(done.stderr)


def costs(path):
    """Instructions of each function by itself, from callgrind's output."""
    names, cost, function, skip = {}, {}, None, False
    with open(path) as f:
        for line in f:
            name = re.match(r"(c?)fn=\((\d+)\)(?: (.*))?", line)
            if name:
                if name.group(3):
                    names[name.group(2)] = re.sub(r"'\d+$", "", name.group(3).strip())
                if not name.group(1):
                    function = names[name.group(2)]
            elif line.startswith("calls="):
                skip = True             # the next line is what the callee took
            elif re.match(r"[+*\d-]\S* \d+$", line):
                if not skip:
                    cost[function] = cost.get(function, 0) + int(line.split()[1])
                skip = False
    return cost


def records(name):
    """Lines for COPY.  In the collections by technique, the record is a field."""
    with open(os.path.join(HERE, "..", "data", "events", name)) as f:
        found = [json.loads(line) for line in f]
    return [json.dumps(r["event"] if "technique" in r else r, separators=(",", ":")).replace("\\", "\\\\") for r in found]


def repeated(path, lines, count):
    with open(path, "w") as out:
        out.writelines(lines[i % len(lines)] + "\n" for i in range(count))
    return path


def workloads(folder):
    def write(name, *arguments, **options):
        return workload.write(os.path.join(folder, name), *arguments, **options)

    def copies(path):
        return [f"COPY {{table}} FROM '{path}'"]

    warm = EVENTS // 2      # what a session has met before costs the same each time
    cover = copies(write("known.count", 2000, 2000, 1, first_day=40, cover=True))
    quiet = copies(write("quiet.count", warm, 2000, 1, first_day=40, seed=100))
    news = copies(write("news.count", warm, 2000, 1, first_day=40, news=0.01, seed=100))
    unmet = copies(write("unmet.count", EVENTS, 2000, 1, first_day=40, seed=100))
    first = copies(write("first.count", EVENTS, 400, 2))
    aws = records("aws_attack_simulation.ndjson")
    # of those that name who and what, completed: the collection leaves out the time and the log
    gcp = [json.dumps(dict(json.loads(line), timestamp="2026-02-10T10:00:00Z", insertId="1",
                           logName="projects/victim-project/logs/cloudaudit.googleapis.com%2Factivity")) for line in records("gcp_attack_techniques.ndjson")
           if '"principalEmail"' in line and '"serviceName"' in line]
    rng = random.Random(11)
    by_turns = [rng.choice(aws) if i % 2 else rng.choice(gcp) for i in range(EVENTS)]
    real, mixed = ([copies(repeated(os.path.join(folder, f"{name}-{count}.count"), lines, count)) for count in (warm, EVENTS)]
                   for name, lines in (("real", aws), ("mixed", by_turns)))
    row = json.loads(records("aws_attack_simulation.ndjson")[0].replace("\\\\", "\\"))
    one = "INSERT INTO {table} VALUES ('" + json.dumps(row).replace("'", "''") + "')"
    return (        # by the names of rows.py
        Workload("quiet", [], cover, quiet, warm),
        Workload("news", [], cover, news, warm),
        Workload("first", [], [], first, EVENTS),
        Workload("session", cover, [], unmet, EVENTS),
        Workload("real", [], real[0], real[0], warm),
        Workload("real-session", real[1], [], real[1], EVENTS),
        Workload("mixed", [], mixed[0], mixed[0], warm),
        Workload("mixed-session", mixed[1], [], mixed[1], EVENTS),
        Workload("connect", [one], [], [one], 1),
        Workload("connect-preloaded", [one], [], [one], 1))


def prepare(folder):
    """A data directory with an empty bare and a watched table."""
    data = os.path.join(folder, "count")
    os.mkdir(data)
    if os.geteuid() == 0:
        shutil.chown(data, "postgres")
        shutil.chown(folder, "postgres")
    as_server("initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "-N")
    with open(os.environ["IAMWATCH_SETTINGS"]) as settings:
        configuration = settings.read()
    as_server("sh", "-c", "cat >>" + os.path.join(data, "postgresql.conf"), input=configuration)
    as_server(shutil.which("postgres"), "--single", "-D", data, "postgres", input="CREATE DATABASE bench\n")
    single_user(data, ["CREATE EXTENSION iamwatch", "CREATE TABLE bare (event jsonb)", "CREATE TABLE watched (event jsonb)",
                       "SELECT iamwatch.watch('watched')"])
    return data


def counted(data, table, work, folder):
    """Instructions of each function for one event of the workload."""
    def on(lines):
        return [line.replace("{table}", table) for line in lines]

    loaded = f"{data}.{table}.loaded"
    as_server("cp", "-a", data, loaded)
    if work.name.endswith("preloaded"):
        as_server("sh", "-c", "cat >>" + os.path.join(loaded, "postgresql.conf"), input="shared_preload_libraries = 'iamwatch'\n")
    if work.before:
        single_user(loaded, on(work.before) + ["VACUUM"])
        single_user(loaded, ["SELECT 1"])       # what the first start after that does is not to be counted
    total = []
    for load in (False, True):
        out = os.path.join(folder, f"{work.name}.{table}.{load}")
        used = f"{data}.{table}.used"       # what a run rolled back would be in the way of the next
        as_server("cp", "-a", loaded, used)
        single_user(used, on(work.warm) + (on(work.counted) if load else []),
                    "valgrind", "--tool=callgrind", f"--callgrind-out-file={out}")
        shutil.rmtree(used)
        total.append(costs(out))
    shutil.rmtree(loaded)
    return {f: (total[1].get(f, 0) - total[0].get(f, 0)) / work.events for f in set(total[0]) | set(total[1])}


def measure(folder, chosen):
    """A Count of each workload that is chosen, with the functions that differ most."""
    data = prepare(folder)
    for work in workloads(folder):
        if not chosen(work.name):
            continue
        for path in glob.glob(os.path.join(folder, "*.count")):
            os.chmod(path, 0o644)
        tables = ("bare", "watched")
        with ThreadPoolExecutor(len(tables)) as both:       # the count is the same beside others
            event = dict(zip(tables, both.map(lambda table: counted(data, table, work, folder), tables)))
        more = {f: n - event["bare"].get(f, 0) for f, n in event["watched"].items() if not f.startswith("0x")}
        yield Count(work.name, sum(event["bare"].values()), sum(event["watched"].values()), sorted(more.items(), key=lambda x: -x[1])[:12])
