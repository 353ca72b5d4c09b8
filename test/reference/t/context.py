"""Context comes out the same however the events come in."""
import datetime
import os
import random
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
import generate
from harness import Database, copy, difference, finish, ok

database = Database("iamwatch_context")
psql = database.psql


def fresh(settings, watched=True):
    database.create()
    psql("CREATE EXTENSION iamwatch; CREATE TABLE log (event jsonb);"
         + ("SELECT iamwatch.watch('log');" if watched else "") + settings)


def alerts(more=", probability, evidence->'context'"):
    return psql("SELECT provider, account, identity, service, operation, failed, first_event_time, event_count"
                f"{more} FROM iamwatch.alerts ORDER BY 1, 2, 3, 4, 5, 6, 7;").splitlines()


def learned():
    return psql("SELECT * FROM iamwatch.contexts ORDER BY 1, 2, 3, 4, 5;"
                "SELECT a.provider, a.account, i.identity, b.service, b.operation, b.failed, n.at, n.access_key"
                " FROM iamwatch_internal.novelties n JOIN iamwatch_internal.accounts a USING (account_id)"
                " JOIN iamwatch_internal.identity_days i USING (account_id, identity_id)"
                " JOIN iamwatch_internal.account_operations b USING (account_id, operation_id) ORDER BY 1, 2, 3, 4, 5, 6, 7;").splitlines()


def when(e):
    text = e.get("eventTime") or e["timestamp"]
    return datetime.datetime.fromisoformat(text.replace("123Z", "Z").replace("Z", "+00:00"))


def travelled(seed):
    """Events whose identities now and then come from elsewhere, and hurry."""
    rng = random.Random(seed)
    events, hurried = generate.generate(seed, days=60, per_day=40), []
    for e in events:
        away = rng.random() < .2
        if "userIdentity" in e:
            e["sourceIPAddress"] = f"203.0.{rng.randrange(4)}.{rng.randrange(256)}" if away else e["sourceIPAddress"]
            e["userAgent"] = rng.choice(["curl/8.1", "Boto3/1.9 md/x", "aws-cli/2"]) if away else f"aws-cli/2.{rng.randrange(9)}"
            e["awsRegion"] = rng.choice(["eu-west-1", "us-east-1", "ap-south-1"]) if away else "eu-west-1"
            e["userIdentity"]["accessKeyId"] = rng.choice(["AKIA1", "AKIA2", "ASIA3"])
            if rng.random() < .2:
                e["errorCode"] = "AccessDenied"
            if rng.random() < .02:
                hurried += [{**e, "eventSource": service, "eventName": name, "eventID": f"{e['eventID']}-{n}",
                             "eventTime": (when(e) + datetime.timedelta(minutes=n)).isoformat()}
                            for n, (service, name) in enumerate(rng.sample(generate.AWS_IAM, 4))]
        elif away:
            e["protoPayload"]["requestMetadata"] = {"callerIp": f"2001:db8:{rng.randrange(3)}::1", "callerSuppliedUserAgent": "x/1"}
    return sorted(events + hurried, key=when)


ON = "UPDATE iamwatch.detectors SET context_bits = 1;"
for seed in (31, 32):
    events = travelled(seed)
    fresh("")
    psql(copy(events))
    off = alerts()
    kinds = set(psql("SELECT DISTINCT jsonb_object_keys(evidence->'context') FROM iamwatch.alerts;").split())
    fresh(ON)
    psql("".join(copy([e]) for e in events))
    want, context = alerts(), learned()
    if seed == 31:
        ok(kinds == {"new_network", "new_user_agent", "new_region", "new_key_network", "failed_before", "burst", "first_day"},
           "every context is found", kinds)
    ok(len(want) > len(off), f"seed {seed}: with bits for context there are more alerts than {len(off)}", len(want))

    fresh(ON)
    mixed = events[:]
    random.Random(seed).shuffle(mixed)
    psql("".join(copy(events[at:at + 97]) for at in range(0, len(events), 97)))
    ok(alerts() == want, f"seed {seed}: statements of many events raise the same alerts with the same context", difference(alerts(), want))
    ok(learned() == context, f"seed {seed}: and learn the same contexts", difference(learned(), context))
    psql(copy(random.Random(1).sample([e for e in events if e.get("eventID", e.get("insertId"))], 300)))
    ok(alerts() == want and learned() == context, f"seed {seed}: what is delivered again changes nothing")

    fresh(ON, watched=False)
    psql(copy(mixed) + "CALL iamwatch.backfill('log');")
    ok(alerts() == want, f"seed {seed}: backfill raises the same alerts with the same context", difference(alerts(), want))
    psql("CALL iamwatch.backfill_contexts('log');")
    ok(learned() == context, f"seed {seed}: and backfill_contexts() learns the same contexts", difference(learned(), context))
    psql("CALL iamwatch.maintain(); CALL iamwatch.backfill('log');")
    ok(alerts() == want and learned() == context, f"seed {seed}: running it twice changes nothing", difference(learned(), context))

    fresh("", watched=False)
    psql(copy(mixed) + "CALL iamwatch.backfill('log');")
    ok(alerts() == off, f"seed {seed}: with none, backfill and triggers give the same context as evidence", difference(alerts(), off))
database.drop()
finish()
