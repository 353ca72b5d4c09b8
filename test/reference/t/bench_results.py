"""bench/compare: which rows of two results of make bench changed by more than their spread."""
import json
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
from harness import ROOT, finish, ok


def row(what, figure, low=None, high=None, met=None, kind="ratio", target=""):
    return {"key": what, "what": what, "figure": figure, "target": target, "met": met, "kind": kind,
            "low": low or figure, "high": high or figure, "detail": ""}


def write(name, *rows, server="15.1", machine="one"):
    path = os.path.join(folder, name + ".json")
    with open(path, "w") as out:
        json.dump({"version": name, "date": "2026-01-01", "server": server, "machine": machine, "how": "", "rows": rows, "profile": [],
                   "seconds": {}, "problems": {}}, out)
    return path


def compare(a, b):
    done = subprocess.run([os.path.join(ROOT, "bench", "compare"), a, b], capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


with tempfile.TemporaryDirectory() as folder:
    before = write("first", row("COPY", 1.03, 1.02, 1.04, True), row("slower", 1.0, 0.9, 1.1), row("faster", 2.0, 1.9, 2.1),
                   row("once", 100.0), row("instructions", 1.0266, kind="instructions"), row("bytes", 100, kind="exact"), row("more", 3.0, target="at least 2"), row("gone", 1.0), row("not here", None))
    after = write("second", row("COPY", 1.05, 1.035, 1.06, False), row("slower", 1.5, 1.4, 1.6), row("faster", 1.0, 0.9, 1.1),
                  row("once", 104.0), row("instructions", 1.029, kind="instructions"), row("bytes", 101, kind="exact"), row("more", 4.0, target="at least 2"), row("added", 1.0), row("not here", 5.0))
    code, said = compare(before, after)
    lines = said.splitlines()
    ok(any(line.startswith("slower ") for line in lines) and any(line.startswith("faster ") for line in lines),
       "compare: rows whose runs lie apart have changed", said)
    ok(not any(line.startswith("COPY ") for line in lines), "compare: not one whose runs overlap", said)
    ok(not any(line.startswith("once ") for line in lines), "compare: nor what was measured once and differs by 4 in a hundred", said)
    ok(any(line.startswith("instructions ") for line in lines) and any(line.startswith("bytes ") for line in lines),
       "compare: instructions and bytes are exact", said)
    ok(all(line.endswith("better" if line.startswith(("faster ", "more ")) else "worse") for line in lines if " -> " in line),
       "compare: says whether more is better", said)
    ok("5 rows changed" in said, "compare: counts them", said)
    ok("only in the first: gone" in said and "only in the second: added" in said, "compare: rows that only one has", said)
    ok(code == 1 and "missed now: COPY" in said, "compare: fails for a target that is missed now", said)
    code, said = compare(before, before)
    ok(code == 0 and "0 rows changed" in said, "compare: a result does not differ from itself", said)
    code, said = compare(write("here", row("one alert", 0.3, kind="ms"), row("COPY", 1.0), row("gone", 1.0)),
                         write("there", row("one alert", 3.0, kind="ms"), row("COPY", 2.0), server="17.2", machine="other"))
    ok("one alert" not in said and "COPY" in said, "compare: milliseconds of other machines say nothing, ratios do", said)
    ok("other machines" in said and "other versions of PostgreSQL" in said and "only in the first: gone" in said,
       "compare: says that machine and server are others, and what only one has", said)
    code, said = compare(before, os.path.join(folder, "not.json"))
    ok(code == 1 and said.strip().endswith("is not there"), "compare: says which result is not there", said)

sys.path.insert(0, os.path.join(ROOT, "bench"))
import rows

with open(os.path.join(ROOT, "docs", "performance.md")) as f:
    page = f.read().splitlines()
listed = [line.split("|")[1:3] for line in page if line.startswith("| ") and line.count("|") == 5]
listed = [[cell.strip() for cell in cells] for cells in listed if cells[0].strip() != "what"]
wanted = [[row.what, rows.target(row)] for row in rows.ROWS]
ok(listed == wanted, "docs/performance.md lists the rows that are measured, with their targets",
   "\n".join(str(pair) for pair in listed + wanted if (pair in listed) != (pair in wanted)))
parts = set()
for name in os.listdir(os.path.join(ROOT, "bench")):
    if name.endswith(".py"):
        with open(os.path.join(ROOT, "bench", name)) as f:
            parts |= {line[4:line.index("(")] for line in f if line.startswith("def ")}
ok({row.part for row in rows.ROWS} <= parts, "each row has a part that measures it", {row.part for row in rows.ROWS} - parts)
ok(len({row.key for row in rows.ROWS}) == len(rows.ROWS), "no two rows have the same key")
ok([rows.met(rows.Row("", "", "", 2), x) for x in (1, 2, 3, None)] == [True, True, False, None]
   and [rows.met(rows.Row("", "", "", None, 2), x) for x in (1, 2, 3)] == [False, True, True], "a target is met at it, or on its side of it")

# A part that fails takes nothing with it, and nothing is lost when the run is stopped.
DRIVER = """
import os, sys
sys.path.insert(0, 'bench')
import bench, measure, rows
measure.psql = lambda *arguments: '15.1'
measure.wanted = bench.wanted = lambda *keys: True
rows.ROWS = [rows.Row(part, part, part, 1) for part in ('works', 'fails', 'forgets', 'goes_on', 'stops')]
rows.BY_KEY = {row.key: row for row in rows.ROWS}
def works(): measure.report('works', 2.0)
def fails(): raise measure.Failed('it is broken')
def forgets(): pass
def goes_on(): measure.report('goes_on', 0.5)
def stops(): raise KeyboardInterrupt
bench.run([works, fails, forgets, goes_on] + ([stops] if sys.argv[1] == 'stop' else []))
"""
with tempfile.TemporaryDirectory() as folder:
    for what in ("end", "stop"):
        os.environ.update(BENCH_RESULT=os.path.join(folder, what), IAMWATCH_BASE=folder)
        done = subprocess.run([sys.executable, "-c", DRIVER, what], cwd=ROOT, capture_output=True, text=True)
        kept = os.path.join(folder, f"{what}.partial.json")
        with open(kept if os.path.exists(kept) else os.devnull) as f:
            result = json.loads(f.read() or '{"rows": [], "problems": {}}')
        ok([(row["what"], row["met"]) for row in result["rows"]] == [("works", False), ("goes_on", True)],
           f"make bench, {what}: what parts measured is kept when others fail", done.stdout + done.stderr)
        ok("it is broken" in result["problems"].get("fails", "") and "did not report" in result["problems"].get("forgets", ""),
           f"make bench, {what}: says which parts failed, and which forgot a row", result["problems"])
        ok(("stops" in result["problems"]) == (what == "stop") and "MISSED" in done.stdout, f"make bench, {what}: says what is missed", done.stdout)
        ok(not os.path.exists(os.path.join(folder, f"{what}.json")), f"make bench, {what}: keeps no result as if it were whole", os.listdir(folder))
finish()
