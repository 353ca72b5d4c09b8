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
    return "not measured" if x is None else f"{x:.{3 if abs(x) < 10 else 1}f}"


def markdown(result):
    lines = [f"# make bench, iamwatch {result['version']}, {result['date']}", "",
             f"PostgreSQL {result['server']}, {result['machine']}; {result['how']}.", "",
             "| what | measured | target | met | spread | |", "|---|---|---|---|---|---|"]
    for row in result["rows"]:
        spread = "" if row["low"] == row["high"] else f"{number(row['low'])} to {number(row['high'])}"
        met = {True: "yes", False: "**no**", None: ""}[row["met"]]
        lines.append(f"| {row['what']} | {number(row['figure'])} | {row['target']} | {met} | {spread} | {row['detail']} |")
    lines += ["", "Seconds: " + ", ".join(f"{name} {round(took)}" for name, took in result["seconds"].items())
              + f"; {sum(result['seconds'].values()) / 60:.1f} minutes in all."]
    if result["profile"]:
        lines += ["", "Where the instructions of detection go where a target is missed, an event (callgrind; functions of the server"
                  " that have no symbols are left out):", "", "| workload | function | instructions |", "|---|---|---|"]
        lines += ["| {} | {} | {:.0f} |".format(*row) for row in result["profile"]]
    return "\n".join(lines) + "\n"


def keep(rows, profile, seconds, server, how):
    """A run of all parts beside those of other versions; one of some (BENCH_ONLY) only where BENCH_RESULT says."""
    result = {"version": version(), "date": str(datetime.date.today()), "server": server,
              "machine": f"{os.cpu_count()} x {processor()}", "how": how, "rows": rows, "profile": profile, "seconds": seconds}
    name = os.environ.get("BENCH_RESULT")
    if name is None:
        if os.environ.get("BENCH_ONLY"):
            return
        name = os.path.join(FOLDER, f"{result['version']}-{result['date']}-pg{server.split('.')[0]}")
    with open(name + ".json", "w") as out:
        json.dump(result, out, indent=1)
    with open(name + ".md", "w") as out:
        out.write(markdown(result))
    print(f"kept in {name}.md and .json")


def load(path):
    path = re.sub(r"\.md$", ".json", path)
    if not os.path.exists(path):
        raise SystemExit(f"{path} is not there: results of before version 1.0.0 were kept as text only")
    with open(path) as f:
        return json.load(f)


def changed(before, after):
    """Rows that both have whose runs lie apart, and both of each."""
    others = {row["what"]: row for row in after["rows"]}
    for row in before["rows"]:
        other = others.get(row["what"])
        if other is None or row["figure"] is None or other["figure"] is None:
            continue
        # what was measured once has no spread of its own: a clock is believed to five in a hundred, callgrind to one in a thousand
        margin = 0 if row["low"] < row["high"] or other["low"] < other["high"] else \
            abs(row["figure"]) * (0.001 if row["what"].startswith("instructions") else 0.05)
        apart = other["low"] > row["high"] + margin or other["high"] < row["low"] - margin
        if apart:
            yield row, other
