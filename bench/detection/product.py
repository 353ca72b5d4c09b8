"""iamwatch itself: events stored in a watched table, alerts read from iamwatch.alerts."""
import datetime
import json
import os
import subprocess

import detectors

ROWS = 20000        # of a statement; large ones are quick


class Product:
    """A database of its own, in the cluster that the environment names, with the extension as it comes."""

    def __init__(self, name, watched=True):
        self.name = name
        self.drop()
        subprocess.run(["createdb", "-T", "template0", name], check=True)
        self.psql("CREATE EXTENSION iamwatch; CREATE TABLE log (event jsonb);")
        if watched:
            self.psql("SELECT iamwatch.watch('log');")

    def drop(self):
        subprocess.run(["dropdb", "--if-exists", self.name], check=True, capture_output=True)

    def psql(self, script):
        done = subprocess.run(["psql", "-qXAt", "-v", "ON_ERROR_STOP=1", "-d", self.name, "-f", "-"], input=script,
                              capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(done.stderr)
        return done.stdout

    def load(self, folder, order=None):
        """All events of an organisation, in order of time or in that which order() makes of the lines."""
        statement, script = "COPY log (event) FROM STDIN;\n", []
        with open(os.path.join(folder, "events.ndjson")) as f:
            lines = [line.replace("\\", "\\\\") for line in f]
        if order:
            order(lines)
        for at in range(0, len(lines), ROWS):
            script += [statement, *lines[at:at + ROWS], "\\.\n"]
        self.psql("".join(script))

    def check(self):
        """Nothing may have been left out."""
        rejected, late = self.psql("SELECT count(*) FROM iamwatch.rejected_events UNION ALL"
                                   " SELECT coalesce(sum(late_events), 0) FROM iamwatch.accounts;").split()
        if rejected != "0" or late != "0":
            raise RuntimeError(f"{self.name}: {rejected} events were rejected and {late} late")

    def alerts(self, log):
        """unit that opened it -> the row of the alert, and whether its incident is urgent"""
        unit_of = {key: (time, unit) for unit, events in log.events.items() for time, key in events}
        rows = map(json.loads, self.psql("SELECT to_json(a) FROM iamwatch.alerts AS a;").splitlines())
        urgent = {int(key) for key in self.psql("SELECT unnest(alert_ids) FROM iamwatch.incidents WHERE urgent;").split()}
        return {min(unit_of[key] for key in row["evidence"]["event_ids"])[1]: {**row, "urgent": row["alert_id"] in urgent}
                for row in rows}


def detect(folder, log, name):
    """unit -> alert, of an organisation in a database of that name, which is dropped again"""
    product = Product(name)
    try:
        product.load(folder)
        product.check()
        return product.alerts(log)
    finally:
        product.drop()


def scores(log, alerts, column):
    """unit -> score, for the test period"""
    return {unit: row[column] for unit, row in alerts.items() if unit[2] >= log.test_from}


def incidents_of(alerts):
    """Lists of alerts of one identity, of which none begins five days or more after the last event of those
    before it; in order of their beginnings."""
    incidents, current, until = [], {}, {}
    for row in sorted(alerts.values(), key=lambda row: (row["first_event_time"], row["alert_id"])):
        who, begins = (row["account"], row["identity"]), datetime.datetime.fromisoformat(row["first_event_time"])
        if who not in current or begins >= until[who] + datetime.timedelta(days=5):
            current[who] = []
            incidents.append(current[who])
            until[who] = begins
        current[who].append(row)
        until[who] = max(until[who], datetime.datetime.fromisoformat(row["last_event_time"]))
    return incidents


def urgent_alerts(alerts, budget=5):
    """alert_ids of incidents whose risk reaches the (28 x budget)-th highest of the incidents that began in
    the 28 days before, or of which there are fewer"""
    begun, urgent = [], set()
    for rows in incidents_of(alerts):
        at, risk = datetime.datetime.fromisoformat(rows[0]["first_event_time"]), max(row["risk"] for row in rows)
        before = sorted((r for t, r in begun if at - datetime.timedelta(days=28) <= t < at), reverse=True)
        if len(before) < 28 * budget or risk >= before[28 * budget - 1]:
            urgent |= {row["alert_id"] for row in rows}
        begun.append((at, risk))
    return urgent


def reading_urgent(truth, log, alerts):
    """What somebody sees who reads the urgent incidents only, in the test period."""
    seen = set().union(*(truth.attacks_of.get(unit, set()) for unit, row in alerts.items() if row["urgent"]))
    unit_of = {row["alert_id"]: unit for unit, row in alerts.items()}
    begun = [rows for rows in incidents_of(alerts) if unit_of[rows[0]["alert_id"]][2] >= log.test_from]
    return {"att urgent": len(seen) / truth.attacks,
            "urgent/day": sum(rows[0]["urgent"] for rows in begun) / (truth.days - truth.start)}


def differences(log, alerts):
    """Lines that say where the product and the rules in Python differ, over the whole log.

    Deduplication needs no rule here: who did something within 30 days is not unusual."""
    counts_of = dict(log.units(test=False))
    want = {unit: c for unit, c in counts_of.items() if unit in log.first_event and detectors.by_surprise(c) is not None}
    lines = [f"only the product alerts on {unit}" for unit in sorted(set(alerts) - set(want))]
    lines += [f"only the rules alert on {unit}" for unit in sorted(set(want) - set(alerts))]
    for unit in sorted(set(want) & set(alerts)):
        row, evidence, c = alerts[unit], alerts[unit]["evidence"], want[unit]
        surprise, risk = detectors.by_surprise(c), detectors.iamwatch_risk(c)
        got = [{key: evidence[key] for key in "kAKN"}, evidence["risk"], row["surprise"], row["risk"]]
        if got[:2] != [detectors.probability_counts(c), detectors.risk_counts(c)] \
                or abs(row["surprise"] - surprise) > 1e-9 or abs(row["risk"] - risk) > 1e-9:
            lines.append(f"{unit}: {got}, by the rules {detectors.probability_counts(c)}, {detectors.risk_counts(c)},"
                         f" {surprise}, {risk}")
        elif log.first_event[unit] not in evidence["event_ids"]:
            lines.append(f"{unit}: opened by another event than {log.first_event[unit]}")
    return lines
