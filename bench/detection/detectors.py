#!/usr/bin/env python3
"""Detectors to compare with, as functions of what the log has before a day.

usage: detectors.py FOLDER NAME > submission.tsv      a folder that generate.py wrote

Each returns a score, higher is worse, or None where it raises no alert.  It sees
iam.tsv and activity.tsv only, and of the day of the event or later only the event.

Two are imitations from public documentation, and not the products: account rarity
(Amazon GuardDuty says that its anomaly findings compare with what the user and the
account usually do) and Sentinel-like (Microsoft Sentinel lists, for its behaviour
analytics, "first time", "uncommon among peers" and "in the tenant", over fixed
periods).

iamwatch_probability and iamwatch_risk are docs/detection.md once more, in Python:
what the product says is compared with them, alert by alert.
"""
import bisect
import collections
import csv
import json
import math
import os
import sys

from identity import DAY

CATALOGUE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "data", "catalogue")
PEOPLE = {"root", "user", "federated_user", "anonymous", "unknown"}
ACTIVATION = 14 * DAY


def within(days, day, window):
    """How many of the sorted days lie in the window before the day."""
    return bisect.bisect_left(days, day) - bisect.bisect_left(days, day - window)


class Catalogue:
    """Sensitivity of the operations of a provider."""

    def __init__(self, provider, folder=CATALOGUE):
        self.exact, self.suffixes = {}, []
        with open(os.path.join(folder, provider + ".csv"), newline="") as f:
            for row in csv.DictReader(f):
                service, operation, sensitivity = row["service"], row["operation"], int(row["sensitivity"])
                if row["effect"] == "read" or row["category"] in ("session", "sign_in"):
                    sensitivity = None          # no IAM operation
                if row["match"] == "exact":
                    self.exact[service, operation] = sensitivity
                else:
                    self.suffixes.append((service, operation, sensitivity))
        # the longest suffix wins, and of these that of the service
        self.suffixes.sort(key=lambda s: (-len(s[1]), s[0] == "*"))

    def sensitivity(self, service, operation):
        """1 to 4, or None for what is no IAM operation."""
        for key in (service, operation), ("*", operation):
            if key in self.exact:
                return self.exact[key]
        return next((level for s, o, level in self.suffixes if s in ("*", service) and operation.endswith(o)), None)


class Sums:
    """Sums of daily counts over the window before a day."""

    def __init__(self, days):
        self.daily, self.total = [0] * days, None

    def add(self, days):
        for day in days:
            self.daily[day] += 1

    def __call__(self, day, window):
        if self.total is None:
            self.total = [0]
            for count in self.daily:
                self.total.append(self.total[-1] + count)
        return self.total[day] - self.total[max(0, day - window)]


class Log:
    """What detectors may know.  An identity is (account, name), a behaviour (service, operation, failed), a
    unit (identity, behaviour, day)."""

    def __init__(self, folder):
        def rows(name):
            with open(os.path.join(folder, name), newline="") as f:
                yield from csv.reader(f, delimiter="\t", quoting=csv.QUOTE_NONE)

        with open(os.path.join(folder, "meta.json")) as f:
            meta = json.load(f)
        self.test_from, self.length = meta["test_from"], meta["days"]
        self.sensitivity = Catalogue(meta["provider"]).sensitivity
        self.active, self.person = {}, {}
        began = {}                  # account -> time of its first event; the reads are in the first second
        for _, account, name, kind, days in rows("activity.tsv"):
            days = sorted(int(d) for d in days.split(",") if d)
            self.active[account, name], self.person[account, name] = days, kind in PEOPLE
            if days:
                began[account] = min(began.get(account, math.inf), days[0] * DAY + 1)
        self.events = collections.defaultdict(list)     # unit -> [(time, event id)]
        self.done, self.iam = collections.defaultdict(set), collections.defaultdict(set)
        for key, day, second, _, account, name, _, service, operation, failed in rows("iam.tsv"):
            identity, behaviour, day = (account, name), (service, operation, failed == "1"), int(day)
            self.done[identity, behaviour].add(day)
            self.iam[identity].add(day)
            time = day * DAY + int(second)
            began[account] = min(began[account], time)
            self.events[identity, behaviour, day].append((time, key))
        self.done = {key: sorted(days) for key, days in self.done.items()}
        self.iam = {key: sorted(days) for key, days in self.iam.items()}
        # the event that would open an alert: the first of its unit after the activation period
        self.first_event = {}
        for unit, events in self.events.items():
            events = [e for e in events if e[0] >= began[unit[0][0]] + ACTIVATION]
            if events:
                self.first_event[unit] = min(events)[1]
        self.count_peers()

    def count_peers(self):
        self.doers = collections.defaultdict(list)
        for identity, behaviour in self.done:
            self.doers[behaviour].append(identity)
        # from its third active day on, an identity counts as a peer
        self.third = {who: days[2] if len(days) > 2 else self.length for who, days in self.active.items()}
        new = lambda: collections.defaultdict(lambda: Sums(self.length))
        self.sums = {settled: (new(), new(), new()) for settled in (False, True)}
        for settled, (active, iam, done) in self.sums.items():
            for who, days in self.active.items():
                active[self.group(who)].add(self.counted(who, days, settled))
                iam[self.group(who)].add(self.counted(who, self.iam.get(who, ()), settled))
            for (who, behaviour), days in self.done.items():
                done[self.group(who), behaviour].add(self.counted(who, days, settled))
        self.joined = collections.defaultdict(list)     # group -> first days of its identities, sorted
        for who, days in self.active.items():
            if days:
                self.joined[self.group(who)].append(days[0])
        for days in self.joined.values():
            days.sort()
        self.everybody = sorted(day for days in self.joined.values() for day in days)

    def group(self, identity):
        """Peers are of one account, and people or not."""
        return identity[0], self.person[identity]

    def counted(self, identity, days, settled):
        return [d for d in days if d >= self.third[identity]] if settled else days

    def units(self, test=True):
        """What is asked of a detector: each unit of the test period, or of the whole log."""
        for unit in self.events:
            if not test or unit[2] >= self.test_from:
                yield unit, Counts(self, *unit)


class Counts:
    """What is known of one behaviour of one identity before one day."""

    def __init__(self, log, who, behaviour, day):
        self.log, self.who, self.behaviour, self.day = log, who, behaviour, day
        self.days = log.active[who]
        self.group = log.group(who)

    def did(self, window):
        return within(self.log.done[self.who, self.behaviour], self.day, window)

    def did_either(self, window):
        """Days with the operation, whether it failed or not."""
        service, operation, failed = self.behaviour
        days = set(self.log.done[self.who, self.behaviour])
        days |= set(self.log.done.get((self.who, (service, operation, not failed)), ()))
        return within(sorted(days), self.day, window)

    def was_active(self, window):
        return within(self.days, self.day, window)

    def did_iam(self, window):
        return within(self.log.iam[self.who], self.day, window)

    def peers(self, window):
        """Days of the peers with the behaviour, with anything, with any IAM operation, from the third active
        day of each on; for who has fewer than two active days itself, all days."""
        log, day = self.log, self.day
        settled = bisect.bisect_left(self.days, day) >= 2
        active, iam, done = log.sums[settled]
        own = lambda days: within(log.counted(self.who, days, settled), day, window)
        return (done[self.group, self.behaviour](day, window) - own(log.done[self.who, self.behaviour]),
                active[self.group](day, window) - own(self.days),
                iam[self.group](day, window) - own(log.iam[self.who]))

    def account(self, window):
        """Days of all identities of the account with the behaviour, and with anything."""
        active, _, done = self.log.sums[False]
        groups = [(self.who[0], person) for person in (False, True)]
        return (sum(done[group, self.behaviour](self.day, window) for group in groups),
                sum(active[group](self.day, window) for group in groups))

    def others(self, window, where):
        """How many others did it: peers, in the account, in the tenant."""
        log, count = self.log, 0
        for who in log.doers[self.behaviour]:
            near = where == "tenant" or who[0] == self.who[0] and (where == "account" or log.group(who) == self.group)
            if near and who != self.who and within(log.done[who, self.behaviour], self.day, window):
                count += 1
        return count


def bits(probability):
    return -math.log2(max(probability, 1e-12))


def not_done(window):
    """The rule of Elastic's "new terms" (14 days) and Splunk's "first seen" (30 or 90): not done by this
    identity.  It has no score."""
    return lambda c: None if c.did(window) else 1.0


def most_sensitive_first(c):
    """What was not done in 90 days, ranked by the catalogue of iamwatch: how much of risk is that alone?"""
    return None if c.did(90) else float(c.log.sensitivity(*c.behaviour[:2]))


def account_rarity(c):
    """Rare for the user and rare in the account, in 90 days; of what was not done in 14.  GuardDuty-like."""
    if c.did(14):
        return None
    done, active = c.account(90)
    return bits((c.did(90) + 0.05) / (c.was_active(90) + 1)) + bits((done - c.did(90) + 0.1) / (active + 10))


def sentinel_like(c):
    """First time in 180 days, uncommon among peers (30), in account and tenant (90)."""
    if c.did(180):
        return None
    peers = bisect.bisect_left(c.log.joined[c.group], c.day) - (c.days[0] < c.day)
    tenant = bisect.bisect_left(c.log.everybody, c.day)
    everywhere = c.others(90, "tenant")
    flags = (c.others(30, "peers") < 0.1 * peers) + (everywhere < 0.05 * tenant)
    flags += (c.others(90, "account") == 0) + (everywhere == 0)
    return 1 + flags - everywhere / (tenant + 1)


def probability_counts(c, window=30):
    done, active, _ = c.peers(window)
    return dict(k=c.did(window), A=c.was_active(window), K=done, N=active)


def iamwatch_probability(c):
    n = probability_counts(c)
    q = (n["K"] + 10 * 0.01) / (n["N"] + 10)
    return (n["k"] + 2 * q) / (n["A"] + 2)


def risk_counts(c, own=180, peers=90):
    done, active, iam = c.peers(peers)
    failed = c.behaviour[2]
    return dict(k=c.did_either(own) if failed else c.did(own), A=c.was_active(own), B=c.did_iam(own),
                K=done, N=active, P=iam)


def iamwatch_risk(c):
    n = risk_counts(c)
    r = (n["P"] + 0.1) / (n["N"] + 10)
    pi = (n["B"] + 2 * r) / (n["A"] + 2)
    phi = (n["K"] + 1) / (n["P"] + 20)
    rho = (n["k"] + 2 * pi * phi) / (n["A"] + 2)
    return -math.log2(rho) + 2 * c.log.sensitivity(*c.behaviour[:2])


def by_surprise(c):
    """What iamwatch alerts on."""
    probability = iamwatch_probability(c)
    return -math.log2(probability) if probability < 0.02 else None


def by_risk(c):
    return None if by_surprise(c) is None else iamwatch_risk(c)


DETECTORS = {
    "new terms, 14 days (Elastic's rule)": not_done(14),
    "first seen, 30 days (Splunk's searches)": not_done(30),
    "first seen, 90 days (Splunk's searches)": not_done(90),
    "first seen, 90 days, by sensitivity": most_sensitive_first,
    "account rarity (GuardDuty-like)": account_rarity,
    "Sentinel-like": sentinel_like,
    "iamwatch in Python, by surprise": by_surprise,
    "iamwatch in Python, by risk": by_risk,
}


def run(log, detector):
    """unit -> score"""
    scores = ((unit, detector(counts)) for unit, counts in log.units())
    return {unit: score for unit, score in scores if score is not None}


def main():
    if len(sys.argv) != 3 or sys.argv[2] not in DETECTORS:
        sys.exit(__doc__ + "\nnames: " + "; ".join(DETECTORS))
    log = Log(sys.argv[1])
    for unit, score in run(log, DETECTORS[sys.argv[2]]).items():
        print(f"{log.events[unit][0][1]}\t{score:.6f}")


if __name__ == "__main__":
    main()
