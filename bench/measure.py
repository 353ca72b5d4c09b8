"""What the parts of make bench share: a database, times, and rows that are reported."""
import os
import re
import statistics
import subprocess
import sys
import tempfile

import results
import rows
import workload

ROUNDS = int(os.environ.get("BENCH_ROUNDS", "5"))
EVENTS = int(os.environ.get("BENCH_EVENTS", "100000"))
CHOSEN = os.environ.get("BENCH_ONLY", "").split()

# A statement that hangs ends its part, not the run.
os.environ["PGOPTIONS"] = "-c statement_timeout=10min"

folder = tempfile.mkdtemp(dir=os.environ["IAMWATCH_BASE"])
reported = {}           # key of a row: what was measured
functions = {}          # name of a workload: instructions of each function
profiles = []           # where it goes: row, what, how much, in which unit


class Failed(Exception):
    """A part cannot go on; the others can."""


def psql(script, database="bench", quiet=True):
    done = subprocess.run(["psql", "-XAt" + ("q" if quiet else ""), "-v", "ON_ERROR_STOP=1", "-d", database, "-f", "-"],
                          input=script, capture_output=True, text=True)
    if done.returncode:
        raise Failed(done.stderr.strip())
    return done.stdout


def timed(script):
    """Milliseconds of each statement after the first \\timing on."""
    return [float(t) for t in re.findall(r"^Time: ([\d.]+) ms", psql(script), re.M)]


def background(script=None):
    """A psql at whose input the rest can be written, or which runs one script."""
    other = subprocess.Popen(["psql", "-XAtq", "-d", "bench"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    if script:
        other.stdin.write(script)
        other.stdin.flush()
    return other


def end(other):
    other.stdin.close()
    other.wait()
    other.stdout.close()


def path(name):
    return os.path.join(folder, name)


def write(name, *arguments, **options):
    return workload.write(path(name), *arguments, **options)


def fresh(more=""):
    subprocess.run(["dropdb", "--if-exists", "-f", "bench"], check=True, capture_output=True)
    subprocess.run(["createdb", "bench"], check=True)
    psql("CREATE EXTENSION iamwatch; CREATE UNLOGGED TABLE bare (event jsonb); CREATE UNLOGGED TABLE watched (event jsonb);"
         "SELECT iamwatch.watch('watched');" + more)


def wanted(*keys):
    """Whether one of these rows is to be measured: by BENCH_ONLY, which names rows or whole parts."""
    return not CHOSEN or any(key in CHOSEN or rows.BY_KEY[key].part in CHOSEN for key in keys)


def report(key, figure, detail="", spread=(), script=None):
    """What was measured of a row; None where that cannot be.  Spread: the figures of the runs, or the half of them in the
    middle.  Script: what to run once more, to see which functions take the time, where the target is missed."""
    row = rows.BY_KEY[key]
    if not wanted(key):
        return
    reported[key] = {"key": key, "what": row.what, "figure": figure, "target": rows.target(row), "met": rows.met(row, figure), "kind": row.kind,
                     "low": min(spread) if spread else figure, "high": max(spread) if spread else figure, "detail": detail}
    show(reported[key])
    if script and reported[key]["met"] is False:
        profile(row, script)


def show(row):
    spread = "" if row["low"] == row["high"] else f"{results.number(row['low'])} to {results.number(row['high'])}"
    missed = "MISSED" if row["met"] is False else ""
    print(f"{row['what']:<92} {results.number(row['figure']):>12} {spread:>16} {row['target']:>14} {missed:>6}  {row['detail']}".rstrip(), flush=True)


def median(key, figures, detail="", script=None):
    report(key, statistics.median(figures), detail, figures, script)


def ratios(values):
    """Of each pair, the second over the first."""
    return [b / a for a, b in zip(values[0::2], values[1::2])]


def in_turns(key, values, detail=""):
    """Pairs whose order takes turns: bare first, then watched first."""
    of_pairs = [1 / ratio if i % 2 else ratio for i, ratio in enumerate(ratios(values))]
    spread, what = of_pairs, ""
    if len(of_pairs) >= 12:
        (low, _, high), what = statistics.quantiles(of_pairs, n=4), "; spread of the half in the middle"
        spread = (low, high)
    report(key, statistics.median(of_pairs), f"{len(of_pairs)} pairs{what}{detail}", spread)


def pair(i, of_pair):
    """One COPY into each table; which comes first takes turns."""
    order = ("bare", "watched") if i % 2 == 0 else ("watched", "bare")
    return ("\\timing on\n" + "".join(f"\\copy {table} FROM '{of_pair}'\n" for table in order)
            + "\\timing off\nTRUNCATE bare, watched;\n")


def profile(row, script):
    """The functions of the database that take most time of a script, by themselves."""
    try:
        found = psql("SET client_min_messages = error;\n\\o /dev/null\nSELECT pg_stat_reset();\nSET track_functions = 'all';\n" + script
                     + "\nSELECT pg_stat_force_next_flush();\n\\o\nSELECT funcname, self_time FROM pg_stat_user_functions"
                     " WHERE self_time > 0 ORDER BY self_time DESC LIMIT 8;")
    except Failed as problem:
        print(f"no profile of it: {problem}", file=sys.stderr)
        return
    profiles.extend((row.what, name, float(ms), "ms") for name, ms in (line.split("|") for line in found.splitlines()))
