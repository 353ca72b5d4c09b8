#!/usr/bin/env python3
"""Runs iamwatch and its peers on generated organisations and prints a table.

usage: benchmark.py [TRACK | SHAPE:SEED ...] [options]       in test/run bench-detection

Needs a cluster that the environment names (PGHOST and so on).  docs/benchmark.md
says what is generated, how to read the table, and how to submit a detector.
"""
import argparse
import concurrent.futures
import datetime
import os
import platform
import statistics
import sys
import tempfile
import time

import detectors
import generate
import product
import score
from organisation import Organisation
from shapes import SHAPES

# Seeds 1 to 99 are for tuning, from 100 on for reports.
ALL = ("startup", "midsize", "gcp", "seasonal", "churn", "leases")
TRACKS = {
    "quick": {shape: range(101, 103) for shape in ALL},
    "report": {shape: range(101, 111) for shape in ALL},
    "enterprise": {"enterprise": range(101, 104)},      # a minute each
}
RISK = "iamwatch, by risk"
PRODUCT = {RISK: "risk", "iamwatch, by surprise": "surprise"}
# The rules in Python are compared with the product instead.
PEERS = {name: d for name, d in detectors.DETECTORS.items() if "in Python" not in name}
BEST = "the best that can be"
# What is found within a number of false alarms, and what somebody sees who reads.
COLUMNS = (
    ("beh@10", "beh@30", "beh@100", "att@10", "att@30", "att@100", "recall"),
    ("first 1", "first 5", "first 10", "alerts/day", "incidents/day", "false/1000"),
)
URGENT = ("att urgent", "urgent/day")      # who reads the urgent incidents of iamwatch and no other


def submission(folder, name, shape, seed):
    return os.path.join(folder, name, f"{shape}-{seed}.tsv")


def run(shape, seed, mix=0.0, submissions=None):
    """detector -> its results on one organisation; and how the product compares with its rules in Python"""
    results, begun = {}, time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        generate.write(Organisation(shape, seed, mix=mix), folder)
        truth, log = score.Truth(folder), detectors.Log(folder)
        alerts = product.detect(folder, log, f"iamwatch_detection_{shape}_{seed}")
        for name, column in PRODUCT.items():
            results[name] = score.evaluate(truth, product.scores(log, alerts, column))
        results[RISK].update(product.reading_urgent(truth, log, alerts))
        for name, detector in PEERS.items():
            results[name] = score.evaluate(truth, detectors.run(log, detector))
        results[BEST] = score.evaluate(truth, dict.fromkeys(truth.attacks_of, 1.0))
        for name in sorted(os.listdir(submissions)) if submissions else ():
            results[name] = score.evaluate(truth, score.read_submission(truth, submission(submissions, name, shape, seed)))
        compared = len(alerts), product.differences(log, alerts)
    return results, compared, time.monotonic() - begun


def spread(values):
    """The mean, and the lowest and the highest if they differ."""
    mean = statistics.mean(values)
    digits = 0 if mean >= 100 else 1 if mean >= 10 else 2
    text = f"{mean:.{digits}f}"
    if max(values) > min(values):
        text += f" ({min(values):.{digits}f} to {max(values):.{digits}f})"
    return text


def table(first, rows, columns):
    """Markdown.  rows: name -> (column -> values)"""
    width = max(map(len, [first, *rows]))
    yield "| " + " | ".join([f"{first:{width}}", *columns]) + " |"
    yield "|" + "---|" * (len(columns) + 1)
    for name, row in rows.items():
        yield "| " + " | ".join([f"{name:{width}}", *(spread(row[c]) for c in columns)]) + " |"


def over_shapes(runs, name):
    """column -> one value for each seed: the mean over shapes, which weigh the same whatever their number of
    attacks.  Seeds of shapes that have fewer of them are taken again in turn."""
    shapes = {}
    for (shape, _), results in runs.items():
        shapes.setdefault(shape, []).append(results[name])
    columns = next(iter(shapes.values()))[0]
    longest = max(map(len, shapes.values()))
    return {c: [statistics.mean(results[n % len(results)][c] for results in shapes.values())
                for n in range(longest)] for c in columns}


def of_shape(runs, name, shape):
    mine = [results[name] for (s, _), results in runs.items() if s == shape]
    return {c: [results[c] for results in mine] for c in mine[0]}


def report(runs):
    """The lines of the tables: all detectors, then iamwatch by risk, shape by shape."""
    shapes = list(dict.fromkeys(shape for shape, _ in runs))
    everybody = {name: over_shapes(runs, name) for name in next(iter(runs.values()))}
    by_shape = {shape: of_shape(runs, RISK, shape) for shape in shapes}
    for columns in COLUMNS:
        yield from table("all shapes", everybody, columns)
        yield ""
    for columns in (*COLUMNS[:-1], COLUMNS[-1] + URGENT):
        yield from table(RISK, by_shape, columns)
        yield ""


def organisations(given):
    for item in given or ["quick"]:
        if item in TRACKS:
            yield from ((shape, seed) for shape, seeds in TRACKS[item].items() for seed in seeds)
        else:
            shape, _, seed = item.partition(":")
            if shape not in SHAPES or not seed.isdigit():
                sys.exit(f"{item} is none of {', '.join(TRACKS)}, nor SHAPE:SEED with a shape of {', '.join(SHAPES)}")
            yield shape, int(seed)


def seeds_of(todo):
    """shape:seeds, in few words"""
    for shape in dict.fromkeys(shape for shape, _ in todo):
        seeds = sorted(seed for s, seed in todo if s == shape)
        whole = len(seeds) > 2 and seeds == list(range(seeds[0], seeds[-1] + 1))
        yield f"{shape}:" + (f"{seeds[0]} to {seeds[-1]}" if whole else ", ".join(map(str, seeds)))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("track", nargs="*", help="quick (by default), report, enterprise, SHAPE:SEED; any number of them")
    parser.add_argument("--mix", type=float, default=0.0, help="share of operations of people that are any")
    parser.add_argument("--submissions", help="a folder of detectors: DETECTOR/SHAPE-SEED.tsv")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="organisations at once")
    parser.add_argument("--keep", help="also write the result to this file")
    given = parser.parse_args()
    todo, begun, runs, compared, different = list(organisations(given.track)), time.monotonic(), {}, 0, []
    for name in os.listdir(given.submissions) if given.submissions else ():
        absent = [item for item in todo if not os.path.exists(submission(given.submissions, name, *item))]
        if absent:
            sys.exit(f"{submission(given.submissions, name, *absent[0])} is not there, nor are"
                     f" {len(absent) - 1} other files of {name}: all detectors need all organisations")
    with concurrent.futures.ProcessPoolExecutor(given.jobs) as pool:
        started = {item: pool.submit(run, *item, given.mix, given.submissions) for item in todo}
        for item, future in started.items():
            runs[item], (alerts, lines), seconds = future.result()
            print(f"{item[0]}:{item[1]}, {seconds:.0f} s: {alerts} alerts,"
                  f" {len(lines)} other than by the rules in Python", *lines[:5], sep="\n    ", file=sys.stderr)
            compared, different = compared + alerts, different + lines
    text = "\n".join(report(runs))
    print(text)
    note = (f"{compared} alerts of iamwatch compared with the rules in Python: {len(different)} differ."
            f" {time.monotonic() - begun:.0f} s.")
    print(note)
    if given.keep:
        with open(given.keep, "w") as out:
            out.write(f"# make bench-detection, {datetime.date.today()}\n\n`{' '.join(given.track or ['quick'])}`"
                      f"{f', mix {given.mix}' if given.mix else ''}, Python {platform.python_version()}."
                      f" {note}\n\n{text}\nOrganisations: "
                      + "; ".join(seeds_of(todo)) + ".\n")
    sys.exit(bool(different))


if __name__ == "__main__":
    main()
