#!/usr/bin/env python3
"""Scores a detector.

usage: score.py FOLDER SUBMISSION.tsv     an organisation that generate.py wrote; event id, tab, score

A unit is one behaviour (service, operation, failed) of one identity on one day of
the test period.  Its score is the highest that the submission gives one of its
events, higher is worse; a unit without an event in the submission raises no alert.
Units in the first 14 days of an account count for nobody.
"""
import collections
import csv
import json
import os
import random
import sys

BUDGETS = (10, 30, 100)     # false alarms per 1,000 identities and week
FIRST = (1, 5, 10)          # incidents that are read a day
GAP = 5                     # days without an alert that end an incident
AGAIN = 1.0                 # an incident is read again when its score has risen by that much


class Truth:
    def __init__(self, folder):
        def rows(name):
            with open(os.path.join(folder, name), newline="") as f:
                yield from csv.reader(f, delimiter="\t", quoting=csv.QUOTE_NONE)

        with open(os.path.join(folder, "meta.json")) as f:
            meta = json.load(f)
        self.start, self.days, self.attacks = meta["test_from"], meta["days"], meta["attacks"]
        attack = {key: int(number) for key, number in rows("truth.tsv")}
        first_day, alive = {}, 0
        for _, account, _, _, days in rows("activity.tsv"):
            days = [int(d) for d in days.split(",") if d]
            if days:
                first_day[account] = min(first_day.get(account, days[0]), days[0])
                # names of one day are not counted as identities, or they would buy false alarms
                alive += days[-1] >= self.start and len(days) > 1
        self.identity_weeks = alive * (self.days - self.start) / 7
        self.unit_of, self.second_of = {}, {}
        self.attacks_of = collections.defaultdict(set)      # unit -> numbers of attacks
        self.behaviours = set()     # (attack, identity, behaviour): what there is to find
        for key, day, second, _, account, name, _, service, operation, failed in rows("iam.tsv"):
            day, who, behaviour = int(day), (account, name), (service, operation, failed == "1")
            if key in attack:
                self.behaviours.add((attack[key], who, behaviour))
            if day >= self.start and day - first_day[account] >= 14:
                unit = who, behaviour, day
                self.unit_of[key] = unit
                self.second_of.setdefault(unit, int(second))
                if key in attack:
                    self.attacks_of[unit].add(attack[key])


def read_submission(truth, path):
    """unit -> score"""
    scores = {}
    with open(path, newline="") as f:
        for key, score in csv.reader(f, delimiter="\t"):
            unit = truth.unit_of.get(key)
            if unit:
                scores[unit] = max(float(score), scores.get(unit, float("-inf")))
    return scores


def at_budget(truth, scores, budget):
    """Share of attack behaviours, and of attacks, among the highest scores within a budget of false alarms.
    Chance orders what has the same score, and the same for everybody."""
    order = sorted(scores)
    random.Random(7).shuffle(order)
    order.sort(key=lambda unit: -scores[unit])
    left, behaviours, attacks = budget / 1000 * truth.identity_weeks, set(), set()
    for unit in order:
        hit = truth.attacks_of.get(unit)
        if not hit:
            left -= 1
            if left < 0:
                break
        else:
            attacks |= hit
            behaviours |= {(number, unit[0], unit[1]) for number in hit}
    return len(behaviours) / len(truth.behaviours), len(attacks) / truth.attacks


def incidents_of(truth, scores):
    """What one identity did, with gaps under five days: lists of (day, score, attacks)."""
    incidents, current = [], {}
    for unit in sorted(scores, key=lambda u: (u[2], truth.second_of[u], u)):
        who, _, day = unit
        if who not in current or day - current[who][-1][0] >= GAP:
            current[who] = []
            incidents.append(current[who])
        current[who].append((day, scores[unit], truth.attacks_of.get(unit, set())))
    return incidents


def in_reading(truth, incidents, first):
    """Share of attacks that an analyst sees who reads, every day, the first incidents by score.  Of the same
    score, the one that began first is read first."""
    by_day = collections.defaultdict(set)
    for number, alerts in enumerate(incidents):
        for day, _, _ in alerts:
            by_day[day].add(number)
    found, read_at = set(), {}
    for day in sorted(by_day):
        waiting = []
        for number in sorted(by_day[day]):
            alerts = [a for a in incidents[number] if a[0] <= day]
            score = max(a[1] for a in alerts)
            if number not in read_at or score >= read_at[number] + AGAIN:
                waiting.append((-score, number, set().union(*(a[2] for a in alerts))))
        for score, number, attacks in sorted(waiting, key=lambda w: w[:2])[:first]:
            read_at[number] = -score
            found |= attacks
    return len(found) / truth.attacks


def evaluate(truth, scores):
    """The columns of the table: docs/benchmark.md explains them."""
    scores = {unit: score for unit, score in scores.items() if unit in truth.second_of}
    hits = [unit for unit in scores if truth.attacks_of.get(unit)]
    found = set().union(*(truth.attacks_of[unit] for unit in hits))
    result = {"recall": len(found) / truth.attacks}
    for budget in BUDGETS:
        result[f"beh@{budget}"], result[f"att@{budget}"] = at_budget(truth, scores, budget)
    incidents = incidents_of(truth, scores)
    for first in FIRST:
        result[f"first {first}"] = in_reading(truth, incidents, first)
    days = truth.days - truth.start
    result["false/1000"] = (len(scores) - len(hits)) / truth.identity_weeks * 1000
    result["alerts/day"] = len(scores) / days
    result["incidents/day"] = len(incidents) / days
    return result


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    truth = Truth(sys.argv[1])
    for name, value in evaluate(truth, read_submission(truth, sys.argv[2])).items():
        print(f"{name}\t{value:.3f}")


if __name__ == "__main__":
    main()
