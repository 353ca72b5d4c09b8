"""iamwatch itself: events stored in a watched table, alerts read from iamwatch.alerts."""
import json
import os
import subprocess

import detectors

ROWS = 20000        # of a statement; large ones are quick


class Product:
    """A database of its own, in the cluster that the environment names, with the extension as it comes."""

    def __init__(self, name):
        self.name = name
        self.drop()
        subprocess.run(["createdb", "-T", "template0", name], check=True)
        self.psql("CREATE EXTENSION iamwatch; CREATE TABLE log (event jsonb); SELECT iamwatch.watch('log');")

    def drop(self):
        subprocess.run(["dropdb", "--if-exists", self.name], check=True, capture_output=True)

    def psql(self, script):
        done = subprocess.run(["psql", "-qXAt", "-v", "ON_ERROR_STOP=1", "-d", self.name, "-f", "-"], input=script,
                              capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(done.stderr)
        return done.stdout

    def load(self, folder):
        """All events of an organisation, in order of time."""
        statement, script = "COPY log (event) FROM STDIN;\n", []
        with open(os.path.join(folder, "events.ndjson")) as f:
            lines = [line.replace("\\", "\\\\") for line in f]
        for at in range(0, len(lines), ROWS):
            script += [statement, *lines[at:at + ROWS], "\\.\n"]
        self.psql("".join(script))
        wrong = self.psql("SELECT count(*) FROM iamwatch.rejected_events UNION ALL"
                          " SELECT coalesce(sum(late_events), 0) FROM iamwatch.accounts;").split()
        if wrong != ["0", "0"]:
            raise RuntimeError(f"{self.name}: of {len(lines)} events {wrong[0]} were rejected and {wrong[1]} late")

    def alerts(self, log):
        """unit that opened it -> the row of the alert"""
        unit_of = {key: (time, unit) for unit, events in log.events.items() for time, key in events}
        rows = map(json.loads, self.psql("SELECT to_json(a) FROM iamwatch.alerts AS a;").splitlines())
        return {min(unit_of[key] for key in row["evidence"]["event_ids"])[1]: row for row in rows}


def detect(folder, log, name):
    """unit -> alert, of an organisation in a database of that name, which is dropped again"""
    product = Product(name)
    try:
        product.load(folder)
        return product.alerts(log)
    finally:
        product.drop()


def scores(log, alerts, column):
    """unit -> score, for the test period"""
    return {unit: row[column] for unit, row in alerts.items() if unit[2] >= log.test_from}


def expected(log):
    """unit -> (event that opens the alert, surprise, risk), of the whole log, by the rules in Python.

    Deduplication needs no rule here: whoever did something within 30 days is not unusual."""
    rows = {}
    for unit, counts in log.units(test=False):
        score = detectors.by_surprise(counts)
        if score is not None and unit in log.first_event:
            rows[unit] = log.first_event[unit], score, detectors.iamwatch_risk(counts)
    return rows


def differences(log, alerts):
    """Lines that say where the product and the rules in Python differ; risk counts to two decimals."""
    want = expected(log)
    lines = [f"only the product alerts on {unit}" for unit in alerts if unit not in want]
    lines += [f"only the rules alert on {unit}" for unit in want if unit not in alerts]
    for unit in sorted(set(want) & set(alerts)):
        row, (event, surprise, risk) = alerts[unit], want[unit]
        if event not in row["evidence"]["event_ids"] or abs(row["surprise"] - surprise) > 1e-9 \
                or abs(row["risk"] - risk) > 0.005:
            lines.append(f"{unit}: surprise {row['surprise']} and risk {row['risk']},"
                         f" by the rules {surprise} and {risk}")
    return lines
