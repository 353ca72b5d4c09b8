"""No event is lost that waits for another session: any order, with and without a fixed snapshot."""
import itertools
import json
import os
import random
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
from harness import Database, copy, difference, finish, ok

database = Database("iamwatch_pending")
psql = database.psql
TIMES = ["2026-02-25T10:00:00Z", "2026-02-25T17:00:00Z", "2026-02-26T12:00:00Z", "2026-03-01T23:00:00Z"]


def event(account, time, operation, name):
    return {"eventTime": time, "eventSource": "iam.amazonaws.com", "eventName": operation, "eventID": name,
            "recipientAccountId": account, "sourceIPAddress": "192.0.2.1",
            "userIdentity": {"type": "IAMUser", "arn": f"arn:aws:iam::{account}:user/ann"}}


def history(account):
    return [event(account, f"2026-{m:02}-{d:02}T08:00:00Z", "CreateUser", f"{account}-{m}-{d}")
            for m, d in itertools.product((1, 2), range(1, 21))]


def store(e, fixed):
    """A statement in a transaction of its own; with a fixed snapshot it leaves to others what it finds."""
    return ("BEGIN ISOLATION LEVEL REPEATABLE READ;\n" if fixed else "BEGIN;\n") + copy([e]) + "COMMIT;\n"


def alerts(columns, where="true"):
    out = psql(f"SELECT json_agg(json_build_array({columns}) ORDER BY account, first_event_time) FROM iamwatch.alerts AS a "
               f"WHERE operation = 'CreateLoginProfile' AND {where};")
    return json.loads(out) if out.strip() else []


MEMBERS = "account, event_count, last_event_time, evidence->'event_ids'"

database.create()
psql("CREATE EXTENSION iamwatch; CREATE TABLE log (event jsonb); SELECT iamwatch.watch('log');")

# every order of four events, and of each whether its transaction has a fixed snapshot
rng = random.Random(1)
script, again, fixed_accounts, everything = [], [], [], []
for n, (order, fixed) in enumerate(itertools.product(itertools.permutations(range(4)),
                                                     itertools.product((False, True), repeat=4))):
    account = f"{n:012}"
    everything += history(account)
    events = [event(account, TIMES[i], "CreateLoginProfile", f"{account} {i}") for i in order]
    script += [store(e, f) for e, f in zip(events, fixed)]
    again += [store(e, rng.random() < 0.5) for e in rng.sample(events, 4)]
    if all(fixed):
        fixed_accounts.append(account)
accounts = n + 1
psql(copy(everything) + "".join(script))
waiting = int(psql("SELECT count(*) FROM iamwatch_internal.pending_events;"))
psql("CALL iamwatch.maintain();")
want = [[f"{n:012}", 4, "2026-03-01T23:00:00+00:00", [f"{n:012} {i}" for i in range(4)]] for n in range(accounts)]
got = alerts(MEMBERS)
ok(waiting > 300, f"{waiting} events had to wait")
ok(got == want, f"the order of event time: {accounts} orders give one alert each, with every event", difference(got, want))
first = alerts("account, first_event_time", f"account = ANY ('{{{','.join(fixed_accounts)}}}')")
ok([f for _, f in first] == ["2026-02-25T10:00:00+00:00"] * len(fixed_accounts),
   "what waits is put in order: the earliest of events that all had to wait opens the alert", first)
psql("".join(again) + "CALL iamwatch.maintain();")
got = alerts(MEMBERS)
ok(got == want, "what is delivered again, by way of waiting or not, changes nothing", difference(got, want))
ok(psql("SELECT count(*) FROM iamwatch_internal.pending_events;").strip() == "0", "nothing is left to wait")

# one that waits must not hide those of its day that are earlier
account = "9" * 12
psql(copy(history(account)) + store(event(account, TIMES[1], "CreateLoginProfile", "decoy"), True)
     + copy([event(account, f"2026-02-25T{9 + i // 60:02}:{i % 60:02}:00Z", "CreateLoginProfile", f"real {i}") for i in range(400)])
     + "CALL iamwatch.maintain();")
got = alerts("first_event_time, event_count", f"account = '{account}'")
ok(got == [["2026-02-25T09:00:00+00:00", 401]], "a decoy that waits hides none of 400 earlier events of its day", got)

# sessions that write different accounts hardly ever meet, and a statement gets every lock that it needs
key = """iamwatch_internal.alert_lock_key(jsonb_populate_record(NULL::iamwatch.event, jsonb_build_object('provider', 'aws',
    'account', a::text, 'identity', i::text, 'service', 'iam', 'operation', 'CreateUser', 'failed', false)))"""
got = psql(f"SELECT count(DISTINCT {key} / 32), min({key}) >= 0, max({key}) < 2048 FROM generate_series(1, 2000) AS a, generate_series(1, 5) AS i;").strip()
ok(got == "64|t|t", "the lock for alerts has the account in its key, and there are no more than a transaction can hold", got)
got = psql("BEGIN; SELECT count(*) FILTER (WHERE iamwatch_internal.try_lock(2, n)) FROM generate_series(0, 2047) AS n; COMMIT;").strip()
ok(got == "2048", "a transaction can hold all of them", got)
database.drop()
finish()
