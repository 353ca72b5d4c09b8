"""Alerts and baselines of a database against those of the reference.

Reads one JSON object: the documents that are stored, in any order, and the
rows that the extension made of them.  Prints what differs, or nothing.
"""
import json
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import generate
import reference

EPOCH_2000 = 10957


def baselines(detector):
    """(provider, account, identity[, service, operation, failed], days), within the kept history."""
    kept = detector.kept
    rows = []
    for who, days in detector.active.items():
        rows.append((*who, days))
    for (who, behaviour), days in detector.did.items():
        rows.append((*who, *behaviour, days))
    return sorted(([*row[:-1], sorted(d - EPOCH_2000 for d in row[-1]
                                      if d >= detector.accounts[row[:2]]["newest"] - kept)]
                   for row in rows), key=str)


def main(catalogue):
    given = json.load(sys.stdin)
    detector = reference.Detector(reference.Catalogue(catalogue), generate.INSTANCES)
    readable = [e for e in given["documents"] if reference.parse(e) is not None]
    for e in sorted(readable, key=lambda e: reference.parse(e)["time"]):
        detector.event(e)
    for name, got, want in (
            ("alert", reference.extension_rows(given["alerts"]), detector.rows()),
            ("baseline", sorted(given["baselines"], key=str), [r for r in baselines(detector) if r[-1]])):
        known, wanted = {repr(r) for r in got}, {repr(r) for r in want}
        for row in sorted(known - wanted):
            print(f"{name} of the extension only: {row}")
        for row in sorted(wanted - known):
            print(f"{name} of the reference only: {row}")
        if len(got) != len(want):
            print(f"{name}s: {len(got)} of the extension, {len(want)} of the reference")


if __name__ == "__main__":
    main(*sys.argv[1:])
