"""make bench: ratios within one run, medians of pairs in turns.

rows.py has the rows and their targets, the modules below the parts that measure
them.  BENCH_ONLY names parts or rows to be measured.  What was measured is kept
under bench/results, by version, after each part; bench/compare tells two apart.
"""
import os
import signal
import sys
import time

import analyst
import baselines
import ingest
import instructions
import measure
import results
import rows
import stored
from measure import CHOSEN, EVENTS, ROUNDS, report, wanted


def count_instructions():
    """What the backend executes, without the noise of a clock; also what the profile of others needs."""
    profiles = {rows.BY_KEY[key].profile for key, found in measure.reported.items() if found["met"] is False}
    if not instructions.available():
        for row in rows.ROWS:
            if row.part == "count_instructions":
                report(row.key, None, "valgrind is not installed")
        return
    for count in instructions.measure(measure.folder, lambda key: wanted(key) or key in profiles):
        measure.functions[count.name] = count.functions
        report(count.name, count.watched / count.bare, f"{count.watched:.0f} over {count.bare:.0f} an event")


# Those that share a table are neighbours; the counts come last, for the profiles.
PARTS = (ingest.steady, ingest.beside_readers, ingest.first_load, ingest.single_rows, ingest.against_plpgsql, ingest.no_work,
         stored.history, stored.sweep, stored.sessions, baselines.unanalysed, baselines.held_account, baselines.scoring, baselines.old_snapshot,
         analyst.analyst, baselines.sizes, baselines.growth, baselines.bloat, count_instructions)


def profile():
    """Where it goes, for the rows that missed their target."""
    found = []
    for row in rows.ROWS:
        if measure.reported.get(row.key, {}).get("met") is False:
            found += [entry for entry in measure.profiles if entry[0] == row.what]
            workload = row.key if row.kind == "instructions" else row.profile
            found += [(row.what, name, n, "instructions an event") for name, n in measure.functions.get(workload, ())]
    return found


def run(parts):
    """Each part, and what became of it."""
    began, seconds, problems = time.monotonic(), {}, {}
    server = measure.psql("SHOW server_version;", "postgres").split()[0]

    def keep(finished):
        results.keep([measure.reported[row.key] for row in rows.ROWS if row.key in measure.reported], profile(), seconds, problems, server,
                     f"{EVENTS} events a COPY, {ROUNDS} rounds, fsync on", finished)

    print(f"{'what':<92} {'measured':>12} {'spread':>16} {'target':>14}")
    for n, part in enumerate(parts, 1):
        name, at = part.__name__, time.monotonic()
        print(f"-- {n} of {len(parts)}: {name}, after {int(at - began) // 60}:{int(at - began) % 60:02d}", flush=True)
        try:
            part()
            missing = [row.key for row in rows.ROWS if row.part == name and wanted(row.key) and row.key not in measure.reported]
            if missing:
                problems[name] = "did not report " + ", ".join(missing)
        except (KeyboardInterrupt, SystemExit):
            problems[name] = "interrupted"
            keep(False)
            raise
        except Exception as problem:        # whatever it is, the other parts are not to be lost by it
            problems[name] = f"{type(problem).__name__}: {problem}"
        if name in problems:
            print(f"FAILED: {name}: {problems[name]}", flush=True)
        seconds[name] = time.monotonic() - at
        keep(n == len(parts))
    return problems, seconds


def main():
    unknown = set(CHOSEN) - {part.__name__ for part in PARTS} - set(rows.BY_KEY)
    if unknown:
        sys.exit(f"there is no part or row {', '.join(sorted(unknown))}; the parts are {', '.join(part.__name__ for part in PARTS)};"
                 f" the rows {', '.join(rows.BY_KEY)}")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("terminated"))
    parts = [part for part in PARTS if any(wanted(row.key) for row in rows.ROWS if row.part == part.__name__)]
    problems, seconds = run(parts)
    found = measure.reported.values()
    missed = [row["key"] for row in found if row["met"] is False]
    print(f"{len(found)} rows, {sum(row['met'] is True for row in found)} within their target; missed: {', '.join(missed) or 'none'};"
          f" {sum(seconds.values()) / 60:.1f} minutes")
    if problems:
        sys.exit("parts that failed: " + ", ".join(problems))


if __name__ == "__main__":
    main()
