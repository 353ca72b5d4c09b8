"""bench/compare: which rows of two results of make bench changed by more than their spread."""
import json
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
from harness import ROOT, finish, ok


def row(what, figure, low=None, high=None, met=None):
    return {"what": what, "figure": figure, "target": "", "met": met, "low": low or figure, "high": high or figure, "detail": ""}


def write(name, *rows):
    path = os.path.join(folder, name + ".json")
    with open(path, "w") as out:
        json.dump({"version": name, "date": "2026-01-01", "server": "15", "machine": "one", "how": "", "rows": rows, "profile": []}, out)
    return path


def compare(a, b):
    done = subprocess.run([os.path.join(ROOT, "bench", "compare"), a, b], capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


with tempfile.TemporaryDirectory() as folder:
    before = write("first", row("COPY", 1.03, 1.02, 1.04, True), row("slower", 1.0, 0.9, 1.1), row("faster", 2.0, 1.9, 2.1),
                   row("once", 100.0), row("instructions: COPY", 1.0266), row("gone", 1.0), row("not here", None))
    after = write("second", row("COPY", 1.05, 1.035, 1.06, False), row("slower", 1.5, 1.4, 1.6), row("faster", 1.0, 0.9, 1.1),
                  row("once", 104.0), row("instructions: COPY", 1.029), row("added", 1.0), row("not here", 5.0))
    code, said = compare(before, after)
    lines = said.splitlines()
    ok(any(line.startswith("slower ") for line in lines) and any(line.startswith("faster ") for line in lines),
       "compare: rows whose runs lie apart have changed", said)
    ok(not any(line.startswith("COPY ") for line in lines), "compare: not one whose runs overlap", said)
    ok(not any(line.startswith("once ") for line in lines), "compare: nor what was measured once and differs by 4 in a hundred", said)
    ok(any(line.startswith("instructions: COPY ") for line in lines), "compare: instructions are exact", said)
    ok("3 rows changed" in said, "compare: counts them", said)
    ok("only in the first: gone" in said and "only in the second: added" in said, "compare: rows that only one has", said)
    ok(code == 1 and "missed now: COPY" in said, "compare: fails for a target that is missed now", said)
    code, said = compare(before, before)
    ok(code == 0 and "0 rows changed" in said, "compare: a result does not differ from itself", said)
finish()
