"""Instructions that a backend executes for an event, counted by callgrind.

A single-user server on a data directory of its own runs the same COPY into a
bare and into a watched table, once with and once without the events that are
counted, so that start and warming up cancel out.  The count is the same in
every run, whatever else the machine does; it leaves out the kernel.
"""
import os
import re
import shutil
import subprocess

import workload

EVENTS = 20000


def available():
    return shutil.which("valgrind") is not None


def as_server(*command, **options):
    """Run as a user that a server may run as."""
    if os.geteuid() == 0:
        command = ("setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups", "env", "HOME=/tmp", *command)
    return subprocess.run(command, check=True, capture_output=True, text=True, **options)


def single_user(data, script, *wrapper):
    """Each line of the script is a statement."""
    postgres = shutil.which("postgres")
    return as_server(*wrapper, postgres, "--single", "-D", data, "bench", input="".join(line + "\n" for line in script))


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


def workloads(folder):
    """What is loaded first, what is counted, for each workload."""
    def write(name, *arguments, **options):
        path = workload.write(os.path.join(folder, name), *arguments, **options)
        os.chmod(path, 0o644)
        return path

    known = write("known.count", 2000, 2000, 1, first_day=40, cover=True)
    return (("COPY, steady state, no news", "1.05", known, write("quiet.count", EVENTS, 2000, 1, first_day=40, seed=100)),
            ("COPY, steady state, 1 % news", "1.05", known, write("news.count", EVENTS, 2000, 1, first_day=40, news=0.01, seed=100)),
            ("COPY, first load", "1.25", None, write("first.count", EVENTS, 400, 2)))


def measure(folder):
    """Of each workload: name, target, instructions an event bare and watched, the functions that differ most."""
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
    for what, target, known, counted in workloads(folder):
        total = {}
        for table in ("bare", "watched"):
            for load in (False, True):
                copies = ([known] if known else []) + ([counted] if load else [])
                out = os.path.join(folder, f"{table}.{load}")
                used = data + ".used"       # what a run rolled back would be in the way of the next
                as_server("cp", "-a", data, used)
                single_user(used, ["BEGIN"] + [f"COPY {table} FROM '{path}'" for path in copies] + ["ROLLBACK"],
                            "valgrind", "--tool=callgrind", f"--callgrind-out-file={out}")
                shutil.rmtree(used)
                total[table, load] = costs(out)
        event = {table: {f: (total[table, True].get(f, 0) - total[table, False].get(f, 0)) / EVENTS
                         for f in set(total[table, True]) | set(total[table, False])} for table in ("bare", "watched")}
        more = {f: n - event["bare"].get(f, 0) for f, n in event["watched"].items() if not f.startswith("0x")}
        yield (what, target, sum(event["bare"].values()), sum(event["watched"].values()),
               sorted(more.items(), key=lambda x: -x[1])[:12])
