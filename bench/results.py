"""What make bench measured, kept by version, and how two results differ."""
import datetime
import json
import os
import re

HERE = os.path.dirname(os.path.abspath(__file__))
FOLDER = os.path.join(HERE, "results")


def version():
    with open(os.path.join(HERE, "..", "iamwatch.control")) as f:
        return re.search(r"default_version = '(.*)'", f.read()).group(1)


def processor():
    with open("/proc/cpuinfo") as f:
        return next((line.split(":")[1].strip() for line in f if line.startswith("model name")), "unknown processor")


def number(x):
    if x is None:
        return "not measured"
    return str(int(x)) if x == int(x) and abs(x) >= 10 else f"{x:.{3 if abs(x) < 10 else 1}f}"


def markdown(result):
    rows = result["rows"]
    missed = sum(row["met"] is False for row in rows)
    lines = [f"# make bench, iamwatch {result['version']}, {result['date']}", "",
             f"PostgreSQL {result['server']}, {result['machine']}; {result['how']}. What each row is: [docs/performance.md](../../docs/performance.md).", "",
             f"{sum(row['met'] is True for row in rows)} rows are within their target, {missed} are not.", ""]
    for part, problem in result["problems"].items():
        lines += [f"**The part {part} did not come to its end**: {problem}", ""]
    lines += ["| what | measured | spread | target | met | |", "|---|---|---|---|---|---|"]
    for row in rows:
        spread = "" if row["low"] == row["high"] else f"{number(row['low'])} to {number(row['high'])}"
        met = {True: "yes", False: "**MISSED**", None: ""}[row["met"]]
        lines.append(f"| {row['what']} | {number(row['figure'])} | {spread} | {row['target']} | {met} | {row['detail']} |")
    lines += ["", "Seconds: " + ", ".join(f"{name} {round(took)}" for name, took in result["seconds"].items())
              + f"; {sum(result['seconds'].values()) / 60:.1f} minutes in all."]
    if result["profile"]:
        lines += ["", "Where it goes in the rows that missed their target: instructions of detection (callgrind; functions of the server"
                  " that have no symbols are left out), time in functions by themselves, or phases.", "",
                  "| row | where | how much | |", "|---|---|---|---|"]
        lines += ["| {} | {} | {:.{}f} | {} |".format(what, name, n, 2 if unit == "ms" else 0, unit) for what, name, n, unit in result["profile"]]
    return "\n".join(lines) + "\n"


def keep(rows, profile, seconds, problems, server, how, finished):
    """A run of all parts beside those of other versions; one of some (BENCH_ONLY) only where BENCH_RESULT says.  Until all
    parts have come to their end, what there is has a name that says so."""
    result = {"version": version(), "date": str(datetime.date.today()), "server": server, "machine": f"{os.cpu_count()} x {processor()}",
              "how": how, "rows": rows, "profile": profile, "seconds": seconds, "problems": problems}
    name = os.environ.get("BENCH_RESULT")
    if name is None:
        if os.environ.get("BENCH_ONLY"):
            return
        name = os.path.join(FOLDER, f"{result['version']}-{result['date']}-pg{server.split('.')[0]}")
    partial = name + ".partial"
    complete = finished and not problems
    to = name if complete else partial
    with open(to + ".json", "w") as out:
        json.dump(result, out, indent=1)
    with open(to + ".md", "w") as out:
        out.write(markdown(result))
    if complete:
        for ending in (".json", ".md"):
            if os.path.exists(partial + ending):
                os.unlink(partial + ending)
    if finished or problems:
        print(f"kept in {to}.md and .json", flush=True)


def load(path):
    path = re.sub(r"\.md$", ".json", path)
    if not os.path.exists(path):
        raise SystemExit(f"{path} is not there")
    with open(path) as f:
        return json.load(f)


def margin(row):
    """What was measured once has no spread of its own: callgrind is believed to one in a thousand, a count altogether, a clock
    to five in a hundred."""
    return abs(row["figure"]) * {"instructions": 0.001, "exact": 0}.get(row["kind"], 0.05)


def changed(before, after):
    """Rows that both have whose runs lie apart, and both of each.  Milliseconds are of one machine only."""
    others = {row["what"]: row for row in after["rows"]}
    for row in before["rows"]:
        other = others.get(row["what"])
        if other is None or row["figure"] is None or other["figure"] is None:
            continue
        if row["kind"] == "ms" and before["machine"] != after["machine"]:
            continue
        more = 0 if row["low"] < row["high"] or other["low"] < other["high"] else margin(row)
        if other["low"] > row["high"] + more or other["high"] < row["low"] - more:
            yield row, other
